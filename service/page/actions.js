/** What can be asked for: each makes a run, shows it and starts it. */

import { change, hintsOf, randomSeed, store, temperature } from "./store.js";
import { newRun, start } from "./work.js";
import { sampleTitle } from "./words.js";

function begin(run, { step = true, ...patch } = {}) {
  if (step) change({ run, ...patch });
  else if (store.view.photo === run.photo) store.view = { ...store.view, run };
  start(run);
  return run;
}

/** N colorings with the settings, and the hints if the photo has some. */
export function colorize(photo, { step = true, ...patch } = {}) {
  const settings = { ...store.view.settings, ...patch.settings };
  const hints = hintsOf(photo);
  const fields = { seed: settings.seed, temperature: temperature() };
  if (hints.length) fields.hints = hints;
  return begin(newRun(photo, "colorizations", settings.n, fields), { step, ...patch });
}

/** The same with another seed. */
export function reroll(photo) {
  const settings = { ...store.view.settings, seed: randomSeed() };
  if (photo) colorize(photo, { settings });
  else change({ settings });
}

export function transfer(reference) {
  const { photo, settings } = store.view;
  const fields = { reference, seed: settings.seed, temperature: temperature() };
  return begin(newRun(photo, "transfers", settings.n, fields, { title: `Colours of ${reference.name || "a pasted photo"}` }));
}

/** Whether the service can draw this sample again from its seed and index alone. */
export const isNamed = (sample) => sample.run.kind === "colorizations" && !sample.run.fields.hints;

/**
 * More like one. The service knows a drawn sample by its seed and index. Any other is sent as a reference all of whose
 * levels are kept by √(1 − strength²): the same law, from its own latent.
 */
export function vary(sample, strength) {
  const { run, index } = sample;
  const total = store.view.settings.n;
  const more = { title: `More like ${sampleTitle(sample).toLowerCase()}`, strength };
  if (isNamed(sample)) {
    const fields = { seed: run.fields.seed, index, temperature: run.temperature, strength, noise_seed: randomSeed() };
    return begin(newRun(run.photo, "variations", total, fields, more));
  }
  const weights = Array(4).fill(Math.sqrt(1 - strength ** 2)).join(",");
  const fields = { reference: sample.blob, weights, seed: randomSeed(), temperature: run.temperature };
  return begin(newRun(run.photo, "transfers", total, fields, more));
}

/** Whether there is a way between two samples: one end at least must be named by seed and index. */
export const canInterpolate = (marks) => marks.length === 2 && marks.some(isNamed);

export function interpolate([first, second], steps) {
  const [a, b] = isNamed(first) ? [first, second] : [second, first];
  const fields = { seed: a.run.fields.seed, index: a.index, temperature: a.run.temperature, steps };
  if (isNamed(b) && b.run.temperature === a.run.temperature) Object.assign(fields, { to_seed: b.run.fields.seed, to_index: b.index });
  else fields.reference = b.blob;
  return begin(newRun(a.run.photo, "interpolations", steps, fields), { marks: [] });
}
