/** Starting points of runs: colorings by seed and index, if the service can draw them again, or else their pictures. */

import { likeness } from "./link.js";
import { SPREAD } from "./options.js";
import { isServed, modelOf } from "./served.js";
import { hintsIn, lookOf, randomSeed, sameHints } from "./store.js";

/** Whether the service can draw this sample again from its seed and index, with its fixed colors. */
const isNamed = (sample) => sample.run.kind === "colorizations" && isServed(sample);

/**
 * Return the fields of a run of variations of one sample. A drawn sample is given by its seed and index. Any other is sent
 * as a reference with weight √(1 − strength²) for all levels: the same distribution, from its own latent. Both keep its
 * fixed colors, or those of `followed`; these spread no further than usual on a picture, which they would change.
 */
export function likeOne(sample, strength, followed = sample.run.fields) {
  const { run: { fields, temperature }, index } = sample;
  if (!isNamed(sample)) {
    const hints = hintsIn({ ...followed, hint_spread: Math.min(followed.hint_spread, SPREAD) });
    return { kind: "transfers", origin: null, picture: sample, fields: { reference: sample.blob, weights: likeness(strength), seed: randomSeed(), temperature, ...hints } };
  }
  return { kind: "variations", origin: modelOf(sample), picture: null, fields: { seed: fields.seed, index, temperature, strength, noise_seed: randomSeed(), ...hintsIn(followed) } };
}

const areNamed = (a, b) => isNamed(a) && isNamed(b) && a.run.temperature === b.run.temperature && sameHints(a.run.fields, b.run.fields);

/**
 * Whether steps can begin with a sample's seed and index. All steps follow its fixed colors. A picture at the other end stays
 * as it is only with the same ones, which spread no further than usual.
 */
function canBegin(sample, other) {
  const { hints, hint_spread: spread } = sample.run.fields;
  return isNamed(sample) && (!hints || areNamed(sample, other) || (sameHints(sample.run.fields, other.run.fields) && spread <= SPREAD));
}

/** Whether steps between two samples are possible. */
export const canInterpolate = ([a, b]) => canBegin(a, b) || canBegin(b, a);

/** Return the fields of a run of steps between two samples, of which at least one can begin it. */
export function between(ends, steps) {
  const [a, b] = canBegin(...ends) ? ends : ends.toReversed();
  const fields = { seed: a.run.fields.seed, index: a.index, temperature: a.run.temperature, steps, ...hintsIn(a.run.fields) };
  const picture = areNamed(a, b) ? null : b;
  Object.assign(fields, picture ? { reference: b.blob } : { to_seed: b.run.fields.seed, to_index: b.index });
  return { kind: "interpolations", origin: modelOf(a), picture, fields, ends: [a, b], looks: [lookOf(a), lookOf(b)] };
}

/** Fit a run without samples to the model that the service has now. Return false if it cannot begin any more. */
export function settle(run) {
  if (run.kind === "interpolations" && !canInterpolate(run.ends)) return false;
  if (run.kind === "variations" && isNamed(run.ends[0])) return true; // others may have its noise already, with other fixed colors
  Object.assign(run, run.kind === "interpolations" ? between(run.ends, run.total) : likeOne(run.ends[0], run.strength, run.fields));
  run.temperature = run.fields.temperature;
  return true;
}
