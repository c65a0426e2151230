/**
 * Links: the parameters of a coloring, after the address's #. No link holds the photo itself. A variation of a coloring
 * without a seed and index of its own, or a step to one, has a recipe: the parameters of each of its sources, in order.
 */

import { clamp } from "./element.js";
import { COUNT, MAX_HINTS, MAX_INDEX, MAX_SEED } from "./options.js";
import { modelId, modelOf } from "./served.js";
import { EARLIER_SPREAD } from "./store.js";

/** Each kind's fields of the request, as [name in the link, name of the field, least, most, whole]. */
const SEED = (name) => [name, name, 0, MAX_SEED, true];
const INDEX = (name, field = name) => [name, field, 0, MAX_INDEX, true];
const TEMPERATURE = ["temperature", "temperature", 0, 2, false];
const STRENGTH = ["strength", "strength", 0, 1, false];
const KINDS = {
  colorizations: [SEED("seed"), TEMPERATURE, INDEX("offset")],
  variations: [SEED("seed"), TEMPERATURE, INDEX("of", "index"), STRENGTH, SEED("noise_seed"), INDEX("offset")],
  interpolations: [SEED("seed"), TEMPERATURE, INDEX("of", "index"), SEED("to_seed"), INDEX("to_index"), ["steps", "steps", 2, 16, true]],
  transfers: [SEED("seed"), TEMPERATURE, STRENGTH, INDEX("offset")], // like the last of the recipe
}; // an interpolation without `to_seed` ends at the last of its recipe
const MAX_FIRST = 999;
export const MAX_SOURCES = 5; // each must be drawn before the coloring can be

/** Weights of a source in a variation with which the variation has the source's distribution. */
export const likeness = (strength) => Array(4).fill(Math.sqrt(1 - strength ** 2)).join(",");

/** The samples whose pictures a sample needs, in order. */
const sourcesOf = ({ run: { picture } }) => (picture ? [...sourcesOf(picture), picture] : []);

/** Return why no link can reproduce a sample, and because of which source; null if one can. */
export function obstacle(sample) {
  const sources = sourcesOf(sample);
  const [from] = [...sources, sample];
  if (from.run.fields.reference) return { why: "reference", from };
  const earlier = sources.findLast((each) => modelOf(each) !== modelOf(sample));
  if (earlier) return { why: "earlier", from: earlier };
  return sources.length > MAX_SOURCES ? { why: "long", from } : null;
}

/** The recipe of a sample, as `parse` reads it. */
export const recipeOf = (sample) => sourcesOf(sample).map((source) => readStep(stepOf(source)));

/** Return what follows the # of a sample's link. */
export function format(sample, look) {
  const { run } = sample;
  const words = wordsOf(sample);
  for (const source of sourcesOf(sample)) words.append("from", stepOf(source));
  if (look.saturation !== 1) words.set("saturation", look.saturation);
  if (look.warmth !== 0) words.set("warmth", look.warmth);
  if (modelOf(sample)) words.set("model", modelOf(sample));
  if (run.photo.example) words.set("example", run.photo.example);
  else if (run.photo.print) words.set("photo", run.photo.print);
  return words.toString();
}

function wordsOf({ run, index }) {
  const words = new URLSearchParams();
  if (run.kind !== "colorizations") words.set("kind", run.kind);
  const fields = { ...run.fields, strength: run.strength };
  for (const [name, field] of KINDS[run.kind]) if (fields[field] !== undefined) words.set(name, fields[field]);
  words.set("temperature", run.temperature);
  words.set("n", run.total);
  words.set("index", index);
  if (run.first) words.set("first", run.first); // colorings before those of this seed
  const { hints, hint_spread: spread } = run.fields;
  if (hints) words.set("hints", hints.map(({ x, y, color }) => [rounded(x), rounded(y), color.slice(1)].join(",")).join(";"));
  if (hints && spread !== EARLIER_SPREAD) words.set("spread", spread);
  return words;
}

/** One source of a recipe, identified by its index, independent of its run's range. */
function stepOf(source) {
  const words = wordsOf(source);
  for (const name of ["offset", "n", "first"]) words.delete(name);
  return words;
}

const rounded = (value) => Math.round(value * 10_000) / 10_000;

/** Read it: `{kind, total, fields, strength, index, first, recipe, look, model, photo, example}`, or null if it names no coloring. */
export function parse(text) {
  const given = new URLSearchParams(text);
  const step = readStep(given);
  if (!step) return null;
  const recipe = needsPicture(step) ? given.getAll("from").map((each) => readStep(new URLSearchParams(each))) : [];
  if (needsPicture(step) && !isRecipe(recipe)) return null;
  const { fields, total, index } = step;
  const place = index === null ? -1 : index - (fields.offset ?? 0);
  const complete = fields.seed !== undefined && place >= 0 && place < total;
  const look = { saturation: numberIn(given, "saturation", 0, 2) ?? 1, warmth: numberIn(given, "warmth", -1, 1) ?? 0 };
  return { ...step, index: complete ? index : null, first: numberIn(given, "first", 0, MAX_FIRST, true) ?? 0, recipe, look, model: readModel(given.get("model")), photo: given.get("photo"), example: given.get("example") };
}

const needsPicture = ({ kind, fields }) => kind === "transfers" || (kind === "interpolations" && fields.to_seed === undefined);

/** Whether steps form a chain: the first needs no picture, and each other one the picture before. */
function isRecipe(steps) {
  const isOne = (step) => step && step.fields.seed !== undefined && step.index !== null && step.index < (step.fields.steps ?? MAX_INDEX + 1);
  return steps.length > 0 && steps.length <= MAX_SOURCES && steps.every((step, i) => isOne(step) && needsPicture(step) === i > 0);
}

/** Whether it names a coloring that no seed has. */
const isBeyond = (given) => ["index", "offset", "of", "to_index"].some((name) => Number(given.get(name)) > MAX_INDEX);

/** Read a coloring's parameters, without its sources; null if there are none. */
function readStep(given) {
  if (isBeyond(given)) return null;
  const kind = Object.hasOwn(KINDS, given.get("kind")) ? given.get("kind") : "colorizations";
  const fields = {};
  for (const [name, field, low, high, whole] of KINDS[kind]) {
    const value = numberIn(given, name, low, high, whole);
    if (value !== undefined) fields[field] = value;
  }
  if (kind !== "colorizations" && (fields.seed === undefined || fields[kind === "transfers" ? "strength" : "index"] === undefined)) return null;
  const n = numberIn(given, "n", 1, 16, true);
  if (!Object.keys(fields).length && n === undefined) return null;
  const hints = readHints(given.get("hints"));
  if (hints.length) Object.assign(fields, { hints, hint_spread: numberIn(given, "spread", 0, 1) ?? EARLIER_SPREAD });
  const { strength, ...others } = fields;
  if (kind === "transfers") Object.assign(others, { weights: likeness(strength) });
  const index = numberIn(given, "index", 0, MAX_INDEX, true) ?? null;
  const total = fields.steps ?? Math.min(Math.max(n ?? COUNT, (index ?? 0) - (fields.offset ?? 0) + 1), 16, MAX_INDEX + 1 - (fields.offset ?? 0));
  return { kind, total, fields: kind === "transfers" ? others : fields, strength, index };
}

function numberIn(given, name, low, high, whole) {
  const value = given.get(name)?.trim();
  if (!value || !Number.isFinite(Number(value))) return undefined;
  return clamp(whole ? Math.round(Number(value)) : Number(value), low, high);
}

/** Return the name of a model; null if it has been cut off before its checksum. */
const readModel = (name) => (name && modelId(name) ? name : null);

function readHints(text) {
  const points = (text ?? "").split(";").slice(0, MAX_HINTS).map((each) => /^([\d.]+),([\d.]+),([\da-f]{6})$/.exec(each));
  return points.filter((point) => point && Number(point[1]) <= 1 && Number(point[2]) <= 1).map(([, x, y, color]) => ({ x: Number(x), y: Number(y), color: `#${color}` }));
}
