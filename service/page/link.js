/** Links: the parameters that make a coloring again, after the address's #. The photo itself is in no link. */

import { clamp } from "./element.js";
import { COUNT, MAX_HINTS, MAX_INDEX, MAX_SEED } from "./options.js";
import { modelOf } from "./served.js";

/** Each kind's fields of the request, as [name in the link, name of the field, least, most, whole]. */
const SEED = (name) => [name, name, 0, MAX_SEED, true];
const INDEX = (name, field = name) => [name, field, 0, MAX_INDEX, true];
const TEMPERATURE = ["temperature", "temperature", 0, 2, false];
const KINDS = {
  colorizations: [SEED("seed"), TEMPERATURE, INDEX("offset")],
  variations: [SEED("seed"), TEMPERATURE, INDEX("of", "index"), ["strength", "strength", 0, 1, false], SEED("noise_seed"), INDEX("offset")],
  interpolations: [SEED("seed"), TEMPERATURE, INDEX("of", "index"), SEED("to_seed"), INDEX("to_index"), ["steps", "steps", 2, 16, true]],
};

/** Whether a link can make this sample again: one that comes of a picture cannot be written down. */
export const canLink = ({ run }) => Object.hasOwn(KINDS, run.kind) && !run.fields.reference;

/** Return what follows the # of a sample's link. */
export function format(sample, look) {
  const { run, index } = sample;
  const words = new URLSearchParams();
  if (run.kind !== "colorizations") words.set("kind", run.kind);
  for (const [name, field] of KINDS[run.kind]) if (run.fields[field] !== undefined) words.set(name, run.fields[field]);
  words.set("temperature", run.temperature);
  words.set("n", run.total);
  words.set("index", index);
  if (run.fields.hints) words.set("hints", run.fields.hints.map(({ x, y, color }) => [rounded(x), rounded(y), color.slice(1)].join(",")).join(";"));
  if (look.saturation !== 1) words.set("saturation", look.saturation);
  if (look.warmth !== 0) words.set("warmth", look.warmth);
  if (modelOf(sample)) words.set("model", modelOf(sample));
  if (run.photo.example) words.set("example", run.photo.example);
  else if (run.photo.print) words.set("photo", run.photo.print);
  return words.toString();
}

const rounded = (value) => Math.round(value * 10_000) / 10_000;

/** Read it: `{kind, total, fields, index, look, model, photo, example}`, or null if it says nothing of a coloring. */
export function parse(text) {
  const given = new URLSearchParams(text);
  const kind = Object.hasOwn(KINDS, given.get("kind")) ? given.get("kind") : "colorizations";
  const numberIn = (name, low, high, whole) => {
    const value = given.get(name)?.trim();
    if (!value || !Number.isFinite(Number(value))) return undefined;
    return clamp(whole ? Math.round(Number(value)) : Number(value), low, high);
  };
  const fields = {};
  for (const [name, field, low, high, whole] of KINDS[kind]) {
    const value = numberIn(name, low, high, whole);
    if (value !== undefined) fields[field] = value;
  }
  if (kind !== "colorizations" && (fields.seed === undefined || fields.index === undefined)) return null;
  const n = numberIn("n", 1, 16, true);
  if (!Object.keys(fields).length && n === undefined) return null;
  const hints = readHints(given.get("hints"));
  if (hints.length && kind === "colorizations") fields.hints = hints;
  const index = numberIn("index", 0, MAX_INDEX, true) ?? null;
  const offset = fields.offset ?? 0;
  const total = fields.steps ?? Math.min(Math.max(n ?? COUNT, (index ?? 0) - offset + 1), 16);
  const look = { saturation: numberIn("saturation", 0, 2) ?? 1, warmth: numberIn("warmth", -1, 1) ?? 0 };
  const complete = fields.seed !== undefined && index !== null && index - offset < total && index >= offset;
  return { kind, total, fields, strength: fields.strength, index: complete ? index : null, look, model: given.get("model"), photo: given.get("photo"), example: given.get("example") };
}

function readHints(text) {
  const points = (text ?? "").split(";").slice(0, MAX_HINTS).map((each) => /^([\d.]+),([\d.]+),([\da-f]{6})$/.exec(each));
  return points.filter((point) => point && Number(point[1]) <= 1 && Number(point[2]) <= 1).map(([, x, y, color]) => ({ x: Number(x), y: Number(y), color: `#${color}` }));
}
