/** The HTTP interface: requests, patience where the service asks for it, and its key. */

import { askForKey, storedKey } from "./key.js";

const MAX_TRIES = 30;

/** An answer that is not what was asked for: `code` is for programs, `detail` the service's own words. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    Object.assign(this, { status, code, detail });
  }
}

/** Return what is loaded. */
export async function model({ signal, onWait } = {}) {
  const answer = await request("v1/models", {}, { signal, onWait });
  return (await answer.json()).data[0];
}

/** Return the JSON of colorings. `fields` are texts, numbers, arrays (sent as JSON) and files. */
export async function colorings(kind, fields, options = {}) {
  const answer = await request(`v1/${kind}`, { method: "POST", body: form(fields) }, options);
  const body = await answer.json();
  for (const each of body.data) {
    each.blob = new Blob([bytes(each.b64_json)], { type: each.media_type });
    delete each.b64_json;
  }
  return body;
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

/** Fetch; wait and try again as long as `Retry-After` says so; ask for a key where one is missing. */
async function request(path, init, { signal, onWait } = {}) {
  for (let tries = 1; ; tries++) {
    const key = storedKey();
    const answer = await fetch(path, { ...init, signal, headers: key ? { Authorization: `Bearer ${key}` } : {} }).catch((error) => {
      throw error.name === "AbortError" ? error : new Problem(0, "unreachable", "No answer came back.");
    });
    if (answer.ok) return answer;
    const problem = await read(answer);
    if (answer.status === 401 && (await askForKey(key))) continue;
    const seconds = Number(answer.headers.get("Retry-After"));
    if (!seconds || problem.code === "load_failed" || tries === MAX_TRIES) throw problem;
    onWait?.(problem, seconds);
    await pause(seconds, signal);
  }
}

async function read(answer) {
  const body = await answer.json().catch(() => ({}));
  return new Problem(answer.status, body.code ?? "unknown", body.detail ?? `The answer was ${answer.status}.`);
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
