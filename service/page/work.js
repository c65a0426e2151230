/**
 * Runs: what is asked for one photo, and the samples that came of it. One run works at a time; its samples are asked for
 * a few at once (each depends on the seed and its index alone), so that the first are seen while the next are made.
 */

import { announce } from "./notices.js";
import { notify } from "./store.js";
import { colorings } from "./service.js";
import { errorWords } from "./words.js";

const AT_ONCE = 2;
export const QUALITY = 90; // of the JPEGs that are looked at
const waiting = [];
let current = null;
let runs = 0;

/** Make a run; `fields` are the request's, without the photo, `n` and `offset`. */
export function newRun(photo, kind, total, fields, more = {}) {
  const run = { id: ++runs, photo, kind, total, fields, samples: [], status: "waiting", error: null, wait: null, ...more };
  photo.runs.push(run);
  return run;
}

/** Begin a run, or go on with one that failed or was stopped: samples that have come stay. */
export function start(run) {
  Object.assign(run, { status: "waiting", error: null, aborter: new AbortController() });
  waiting.push(run);
  notify();
  pump();
}

export function stop(run) {
  const place = waiting.indexOf(run);
  if (place >= 0) waiting.splice(place, 1);
  run.status = "stopped";
  run.aborter.abort();
  notify();
}

async function pump() {
  if (current || !waiting.length) return;
  const run = (current = waiting.shift());
  const { signal } = run.aborter;
  run.status = "working";
  notify();
  try {
    await finish(run, signal);
    run.status = "done";
    announce(`${run.samples.length} colorings are ready`);
  } catch (error) {
    if (!signal.aborted) {
      Object.assign(run, { status: "failed", error });
      announce(errorWords(error).title);
    }
  }
  run.wait = null;
  current = null;
  notify();
  pump();
}

async function finish(run, signal) {
  const onWait = (problem, seconds) => {
    run.wait = { problem, seconds };
    notify();
  };
  while (run.samples.length < run.total) {
    const fields = { image: run.photo.file, ...run.fields, ...part(run), output_format: "jpeg", output_compression: QUALITY };
    const answer = await colorings(run.kind, fields, { signal, onWait });
    run.wait = null;
    run.temperature = answer.temperature;
    Object.assign(run.photo, { width: answer.width, height: answer.height });
    for (const each of answer.data) {
      if (run.samples.some((sample) => sample.index === each.index)) continue;
      run.samples.push({ ...each, run, url: URL.createObjectURL(each.blob) });
    }
    announce(`${run.samples.length} of ${run.total} colorings`);
    notify();
  }
}

function part(run) {
  const offset = run.samples.length;
  return run.kind === "interpolations" ? {} : { offset, n: Math.min(AT_ONCE, run.total - offset) };
}

/** Return one sample's file; in another format than it came in, made anew by the service from what names the sample. */
export async function encoded(sample, format, quality) {
  if (format === "jpeg" && quality === QUALITY) return sample.blob;
  const { run, index } = sample;
  const one = run.kind === "interpolations" ? {} : { offset: index, n: 1 };
  const fields = { image: run.photo.file, ...run.fields, ...one, output_format: format, output_compression: quality };
  const answer = await colorings(run.kind, fields);
  return answer.data.find((each) => each.index === index).blob;
}
