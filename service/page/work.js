/**
 * Runs: a request for one photo, and its resulting samples, each in a slot. One run works at a time, in one request; a
 * user's own runs go before the remaining work on all photos.
 */

import { settle } from "./beginnings.js";
import { announce } from "./notices.js";
import { answeredBy, isServed, modelName, modelOf, refreshModel } from "./served.js";
import { SPREAD } from "./options.js";
import { Problem, colorings } from "./service.js";
import { listen, notify, point, store, succeed } from "./store.js";
import { errorWords, likeTitle, megabytes } from "./words.js";

export const QUALITY = 90; // of the JPEGs that are looked at
const SILENCE = 5; // seconds without a coloring, after which the page says why
const waiting = [];
let current = null;
let runs = 0;

/** Stop a photo's waiting runs when it is removed, also by undo or redo; they can continue when it returns. */
export function setUpWork() {
  listen(() => {
    const left = [current, ...waiting].filter((run) => isBusy(run) && !store.view.photos.includes(run.photo));
    if (left.length) stop(...left);
  });
}

/**
 * Make a run. `fields` are the request's, without the photo and `n`; `follows` is the run that it adds to, `source` the
 * sample that it is like, `ends` the samples that it begins with by name or picture, `picture` the one of these whose
 * picture is the request's reference, `replaces` the samples whose hearts and looks its own get, `recipe` how to make that
 * one first, `origin` the model whose seeds the fields name, and `album` whether it is part of the work on all photos.
 */
export function newRun(photo, kind, total, fields, more = {}) {
  const run = madeRun(photo, kind, total, fields, more);
  photo.runs.push(run);
  return run;
}

function madeRun(photo, kind, total, fields, more) {
  return enlivenRun({
    photo, kind, total, fields, slots: Array(total).fill(null), status: "waiting", error: null, model: null,
    temperature: fields.temperature, first: 0, follows: null, source: null, album: false, ...more,
  });
}

/** Add the parts of a run that cannot be stored. */
export function enlivenRun(run) {
  Object.assign(run, { id: ++runs, wait: null });
  Object.defineProperty(run, "samples", { get() { return this.slots.filter(Boolean) }, configurable: true });
  for (const sample of run.samples) sample.url = URL.createObjectURL(sample.blob);
  return run;
}

export const isBusy = (run) => run?.status === "waiting" || run?.status === "working";

export const isHalted = (run) => run.status === "failed" || run.status === "stopped";

/** Whether a run ended early, and may succeed if continued. */
export const canGoOn = (run) => run.status === "stopped" || (run.status === "failed" && run.error.passes !== false);

/** Begin a run, or continue one that failed or was stopped; its samples stay. */
export function start(run) {
  Object.assign(run, { status: "waiting", error: null, aborter: new AbortController() });
  const behind = run.album ? -1 : waiting.findIndex((each) => each.album);
  waiting.splice(behind < 0 ? waiting.length : behind, 0, run);
  notify();
  pump();
}

export function stop(...stopped) {
  for (const run of stopped) {
    const place = waiting.indexOf(run);
    if (place >= 0) waiting.splice(place, 1);
    run.status = "stopped";
    run.aborter.abort();
  }
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
    announce(run.total === 1 ? "1 coloring is ready" : `${run.total} colorings are ready`);
  } catch (error) {
    if (!signal.aborted) {
      const alike = error.status === 401 ? waiting.splice(0) : []; // each would ask for the key that was not given
      for (const each of [run, ...alike]) Object.assign(each, { status: "failed", error });
      announce(errorWords(error).title);
    }
  }
  run.wait = null;
  current = null;
  notify();
  pump();
}

/** Make the missing samples of a run; `seen` is the run whose progress is shown meanwhile. */
async function finish(run, signal, seen = run) {
  let timer;
  const tell = (wait, seconds) => {
    clearTimeout(timer);
    seen.wait = wait;
    notify();
    if (seconds) timer = setTimeout(tell, 1000 * seconds, {});
  };
  const onWait = (problem, seconds) => tell({ problem, seconds });
  const onColoring = (coloring) => {
    take(run, coloring);
    tell(null);
  };
  await refreshModel({ signal, onWait }); // it may have changed
  if (run.ends && !run.samples.length && !settle(run)) throw changed(run);
  if (run.origin && run.origin !== modelName(store.model)) throw changed(run);
  if (run.recipe && !run.picture) await makePicture(run, signal);
  await run.photo.measured; // by its size, more or fewer colorings come at once
  checkSizes(run);
  while (run.slots.includes(null)) {
    const before = run.samples;
    const fields = { ...requestOf(run), ...missing(run), output_format: "jpeg", output_compression: QUALITY };
    tell(null, SILENCE);
    const onRefusal = (problem, seconds) => tell({ problem, seconds }, seconds); // then it waits in line again
    const answer = await colorings(run.kind, fields, { signal, onWait: onRefusal, onColoring }).finally(() => clearTimeout(timer));
    Object.assign(run, { temperature: answer.temperature, model: answer.model });
    const drawnBy = answeredBy(answer);
    if (drawnBy !== modelName(store.model)) await refreshModel({ signal }).catch(() => {}); // it is another since the request
    for (const sample of run.samples) if (!before.includes(sample)) sample.model = drawnBy;
    if (run.origin && run.origin !== drawnBy) { // it changed while the request waited
      run.slots = run.slots.map((sample) => (before.includes(sample) ? sample : null));
      throw changed(run);
    }
    Object.assign(run.photo, { width: answer.width, height: answer.height });
    if (run.samples.length === before.length) throw new Problem(500, "unknown", "The answer held no coloring.");
  }
}

/** With another model, a run's seeds give other colorings. */
function changed({ kind, source }) {
  if (kind === "interpolations") return new Problem(409, "model_changed", "An earlier model drew both ends, or the one that the steps begin with. Choose one that the new model has drawn afresh.");
  const advice = kind === "variations" && source ? " Press “More like this” again: the new model begins with the picture." : "";
  return new Problem(409, "model_changed", `An earlier model drew the source of these, so the rest would not fit.${advice}`);
}

/** Make the sample whose picture a run starts from, by its recipe: each step from the picture of the step before. */
async function makePicture(run, signal) {
  const made = [];
  let picture = null;
  for (const { kind, total, fields, strength, index } of run.recipe) {
    const whole = kind === "interpolations"; // the service draws all of these or none
    const own = whole ? fields : { ...fields, offset: index };
    const like = kind === "transfers" ? { source: picture, title: likeTitle(picture) } : {};
    const step = madeRun(run.photo, kind, whole ? total : 1, picture ? { ...own, reference: picture.blob } : own, { strength, picture, first: whole ? 0 : index, ...like });
    await finish(step, signal, run);
    step.status = "done";
    picture = step.samples.find((sample) => sample.index === index);
    made.push(step);
  }
  run.photo.runs.splice(run.photo.runs.indexOf(run), 0, ...made);
  run.picture = picture;
  if (run.kind === "transfers") run.source = picture;
  run.fields.reference = picture.blob;
}

/** Refuse files that are too large before they are sent. Where the limits are known, `accepted` in files.js does. */
function checkSizes({ photo, fields }) {
  const limit = store.model.limits.bytes;
  for (const { size } of [photo.file, fields.reference].filter(Boolean)) {
    if (size > limit) throw new Problem(413, "upload_too_large", `${megabytes(size)}; the limit is ${megabytes(limit)}`);
  }
}

function take(run, coloring) {
  const slot = coloring.index - (run.fields.offset ?? 0);
  if (run.slots[slot] !== null) return;
  const model = store.model && modelName(store.model); // until the answer's end says which
  run.slots[slot] = { ...coloring, run, model, number: run.first + slot + 1, url: URL.createObjectURL(coloring.blob) };
  const before = run.replaces?.[slot];
  if (before) succeed(run.slots[slot], before);
}

/** The fields of a run's requests. */
const requestOf = ({ photo, fields: { hints, hint_spread: spread, ...fields } }) => ({ image: photo.file, ...fields, hints: hints?.map(point), hint_spread: spread === SPREAD ? undefined : spread });

/** The next request: all missing samples, or for a huge photo as many as the service answers at once. */
function missing(run) {
  if (run.kind === "interpolations") return {};
  const start = run.slots.indexOf(null);
  const end = run.slots.findIndex((slot, i) => i > start && slot !== null);
  return { offset: (run.fields.offset ?? 0) + start, n: Math.min((end < 0 ? run.total : end) - start, mostOf(run.photo)) };
}

/** Maximum colorings of a photo in one answer. */
export function mostOf({ width, height }) {
  const { pixels, output_pixels: limit } = store.model.limits;
  return Math.max(1, Math.floor(limit / (width * height || pixels))); // a size that is not known may be the largest
}

/**
 * Return one sample's file. In another format than received, the service draws the sample again from its parameters. Return
 * null if the service has another model now, which would draw other colors.
 */
export async function encoded(sample, format, quality, onWait) {
  if (format === "jpeg" && quality === QUALITY) return sample.blob;
  await refreshModel({ onWait });
  if (!isServed(sample)) return null;
  const { run, index } = sample;
  const one = run.kind === "interpolations" ? {} : { offset: index, n: 1 };
  const fields = { ...requestOf(run), ...one, output_format: format, output_compression: quality };
  let found = null;
  const answer = await colorings(run.kind, fields, { onWait, onColoring: (each) => (found = each.index === index ? each.blob : found) });
  return answeredBy(answer) === modelOf(sample) ? found : null;
}
