/** Starting points of runs: colorings by seed and index, if the service can draw them again, or else their pictures. */

import { likeness } from "./link.js";
import { isServed, modelOf } from "./served.js";
import { lookOf, randomSeed } from "./store.js";

/** Whether the service can draw this sample again from its seed and index alone. */
const isNamed = (sample) => sample.run.kind === "colorizations" && !sample.run.fields.hints && isServed(sample);

/**
 * Return the fields of a run of variations of one sample. A drawn sample is given by its seed and index. Any other is sent
 * as a reference with weight √(1 − strength²) for all levels: the same distribution, from its own latent.
 */
export function likeOne(sample, strength) {
  const { run: { fields: { seed }, temperature }, index } = sample;
  if (!isNamed(sample)) return { kind: "transfers", origin: null, picture: sample, fields: { reference: sample.blob, weights: likeness(strength), seed: randomSeed(), temperature } };
  return { kind: "variations", origin: modelOf(sample), picture: null, fields: { seed, index, temperature, strength, noise_seed: randomSeed() } };
}

/** Whether steps between two samples are possible: at least one end needs a seed and index. */
export const canInterpolate = (ends) => ends.some(isNamed);

/** Return the fields of a run of steps between two samples, at least one with a seed and index. */
export function between(ends, steps) {
  const [a, b] = isNamed(ends[0]) ? ends : ends.toReversed();
  const fields = { seed: a.run.fields.seed, index: a.index, temperature: a.run.temperature, steps };
  const bothNamed = isNamed(b) && b.run.temperature === a.run.temperature;
  Object.assign(fields, bothNamed ? { to_seed: b.run.fields.seed, to_index: b.index } : { reference: b.blob });
  return { kind: "interpolations", origin: modelOf(a), picture: bothNamed ? null : b, fields, ends: [a, b], looks: [lookOf(a), lookOf(b)] };
}

/** Fit a run without samples to the model that the service has now. Return false if it cannot begin any more. */
export function settle(run) {
  if (run.kind === "interpolations" && !canInterpolate(run.ends)) return false;
  Object.assign(run, run.kind === "interpolations" ? between(run.ends, run.total) : likeOne(run.ends[0], run.strength));
  run.temperature = run.fields.temperature;
  return true;
}
