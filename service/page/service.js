/** The HTTP interface: requests, retries and the API key. */

import { events } from "./events.js";
import { askForKey, storedKey } from "./key.js";

const MAX_TRIES = 30;
const STREAM = "text/event-stream";

/** Meaning of a proxy's own statuses. */
const PROXY = { 413: "upload_too_large", 502: "unreachable", 503: "unreachable", 504: "unreachable" };

/**
 * An error answer: `code` is for programs, `detail` is the service's own text. `passes` says whether the same request may
 * succeed later, or with a key; `seconds` after which time to try again, if the service says so.
 */
export class Problem extends Error {
  constructor(status, code, detail, seconds = null) {
    super(detail);
    const passes = status === 0 || status === 401 || status === 429 || status >= 500;
    Object.assign(this, { status, code, detail, passes, seconds });
  }
}

const unreachable = () => new Problem(0, "unreachable", "No answer came back.");

/** Return what is loaded. */
export async function model({ signal, onWait } = {}) {
  const answer = await retried(() => request("v1/models", {}, { signal }), { signal, onWait });
  const { data } = await answer.json().catch(() => {
    throw unreachable(); // another answered, or the connection was cut
  });
  return data[0];
}

/**
 * Request colorings. `fields` are texts, numbers, arrays (sent as JSON) and files. `onColoring` gets each coloring, with
 * its file as `blob`, as soon as it arrives; the service may stream them. Returns the rest of the answer. `quiet`: do not
 * ask the user for a key.
 */
export const colorings = (kind, fields, options) => retried(() => once(kind, fields, options), options);

async function once(kind, fields, { onColoring, ...options }) {
  const headers = { Accept: `${STREAM}, application/json;q=0.9` };
  const answer = await request(`v1/${kind}`, { method: "POST", body: form(fields), headers }, options).catch(async (error) => {
    throw error.code === "unreachable" ? (await unreadable(fields)) ?? error : error;
  });
  const streams = answer.headers.get("Content-Type")?.startsWith(STREAM);
  try {
    if (streams) return await readStream(answer.body, onColoring);
    const { data, ...rest } = await answer.json();
    data.forEach((each) => onColoring(unpacked(each)));
    return rest;
  } catch (error) {
    if (error instanceof Problem || options.signal?.aborted) throw error;
    throw unreachable(); // the connection was cut
  }
}

/** Detect a file that has changed or gone since it was chosen: browsers then send nothing, and give no reason. */
async function unreadable(fields) {
  for (const file of Object.values(fields)) {
    if (!(file instanceof File)) continue;
    const isReadable = await file.slice(0, 1).arrayBuffer().then(() => true, () => false);
    if (!isReadable) return new Problem(0, "unreadable_file", `the file ${file.name} changed after it was chosen, or is gone. Choose it again.`);
  }
  return null;
}

async function readStream(body, onColoring) {
  let began = false; // colorings that have come are not asked for again
  for await (const { event, data } of events(body)) {
    const content = JSON.parse(data);
    if (event === "coloring") onColoring(unpacked(content));
    if (event === "error") throw new Problem(content.status ?? 500, content.code ?? "unknown", content.detail ?? "", began ? null : content.retry_after);
    began ||= event === "coloring";
    if (event === "done") return content;
  }
  throw unreachable(); // it ended before it was done
}

function unpacked({ b64_json, ...coloring }) {
  return { ...coloring, blob: new Blob([bytes(b64_json)], { type: coloring.media_type }) };
}

function form(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    if (value instanceof Blob) body.append(name, value, value.name ?? name);
    else body.append(name, Array.isArray(value) ? JSON.stringify(value) : value);
  }
  return body;
}

function bytes(base64) {
  return Uint8Array.fromBase64 ? Uint8Array.fromBase64(base64) : Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/** Fetch; ask for a key if one is missing. */
async function request(path, init, { signal, quiet = false }) {
  for (;;) {
    const key = storedKey();
    const headers = { ...init.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    const answer = await fetch(path, { ...init, signal, headers }).catch((error) => {
      throw error.name === "AbortError" ? error : unreachable();
    });
    if (answer.ok) return answer;
    const problem = await read(answer);
    if (answer.status !== 401 || quiet || !(await askForKey(key))) throw problem;
  }
}

/** Do work again as long as the service refuses it and says when to try again: by `Retry-After`, or in a stream. */
async function retried(work, { signal, onWait }) {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (problem) {
      if (!problem.seconds || problem.code === "load_failed" || tries === MAX_TRIES) throw problem;
      onWait?.(problem, problem.seconds);
      await pause(problem.seconds, signal);
    }
  }
}

async function read(answer) {
  const body = await answer.json().catch(() => ({}));
  return new Problem(answer.status, body.code ?? PROXY[answer.status] ?? "unknown", body.detail ?? `The answer was ${answer.status}.`, Number(answer.headers.get("Retry-After")));
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted(); // stopped while the error was read
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
