/** Texts for errors, runs and numbers. */

import { hexToLab } from "./lab.js";
import { SPREAD } from "./options.js";

const FEW = 3; // names in one message

/** How to take back a removal, until a reload. */
export const UNDO = "Undo, the arrow at the top, takes this back until you close or reload the page.";

const ERRORS = {
  unreachable: "The service does not answer. Is it still running?",
  unreadable_file: "Your browser can no longer read this file.",
  upload_too_large: "This file is larger than the service accepts.",
  too_many_pixels: "This photo has more pixels than the service accepts.",
  unsupported_image_type: "The service cannot read this type of file.",
  undecodable_image: "This file is damaged or incomplete.",
  output_too_large: "The result would have more pixels than the service or the format allows.",
  invalid_parameters: "The service refuses one of the settings.",
  invalid_input: "The service refuses one of the settings.",
  queue_full: "The service is busy with other photos.",
  loading: "The service is still starting.",
  draining: "The service is stopping.",
  load_failed: "The service runs, but its model could not be loaded.",
  deadline: "This took longer than the service allows.",
  missing_key: "The service requires a key.",
  invalid_key: "The service does not know this key.",
  model_changed: "The service has another model now.",
  rate_limited: "This key has reached its request limit for now.",
};

/** Return `{title, detail}` of an error: a sentence, and the service's own text as a sentence. */
export function errorWords(error) {
  const title = ERRORS[error.code] ?? "Something went wrong.";
  return { title, detail: sentence(error.detail ?? error.message ?? "") };
}

/** Say why a request waits, and how long if that is known. */
export const waitWords = ({ problem, seconds }) => (problem ? `${errorWords(problem).title} Trying again in ${seconds} s` : "The service works on one photo after another");

const capitalized = (text) => text && text[0].toUpperCase() + text.slice(1);
const sentence = (text) => text && capitalized(text) + (/[.!?]$/.test(text) ? "" : ".");

export const number = (value) => String(Math.round(value * 100) / 100);
export const percent = (share) => `${Math.round(100 * share)} %`;
export const megabytes = (bytes) => `${number(Math.round(bytes / 1e5) / 10)} MB`;
export const listed = (names) => `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
export const few = (names) => (names.length <= FEW ? names.join(", ") : `${names.slice(0, FEW).join(", ")} and ${count(names.length - FEW, "other")}`);
export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** Name the boldness of a temperature, compared with the recommended one. */
export function boldness(value, recommended = 1) {
  if (value === 0) return "Safest";
  if (value < 0.6 * recommended) return "Very safe";
  if (value < 0.95 * recommended) return "Safe";
  if (value <= 1.02 * recommended) return "Balanced";
  return value <= 1.25 ? "Bold" : "Wild";
}

const BOLDNESS = {
  Safest: "the calmest colors: one coloring, as more would look the same",
  "Very safe": "muted colors, much alike",
  Safe: "calmer colors, less different from one another",
  Balanced: "as the model recommends",
  Bold: "stronger colors, more different; some will be wrong",
  Wild: "beyond what photos look like",
};

export const boldnessWords = (value, recommended) => BOLDNESS[boldness(value, recommended)];

/** [name, CIELAB hue in degrees at which it ends]. */
const HUES = [["pink", 15], ["red", 42], ["orange", 76], ["yellow", 108], ["green", 165], ["turquoise", 225], ["blue", 300], ["violet", 335], ["pink", 360]];

/** Name a color in plain words. */
export function colorWords(hex) {
  const [lightness, a, b] = hexToLab(hex);
  const chroma = Math.hypot(a, b);
  const hue = ((180 / Math.PI) * Math.atan2(b, a) + 360) % 360;
  const tone = lightness < 33 ? "dark " : lightness > 75 ? "light " : "";
  if (chroma < 6) return `${tone}gray`;
  const [name] = HUES.find(([, end]) => hue <= end);
  if (name === "red" && lightness > 62) return `${tone}pink`;
  if (name === "orange" && lightness > 75 && chroma < 40) return "beige";
  if (name === "orange" && (lightness < 55 || chroma < 40)) return `${lightness > 60 ? "light " : tone}brown`;
  if (name === "yellow" && lightness < 55) return `${tone}olive`;
  if (name === "yellow" && chroma < 40) return `${tone}beige`;
  return `${tone || (chroma < 16 ? "grayish " : "")}${name}`;
}

/** Say how far fixed colors spread. */
export function spreadWords(value) {
  if (value === 0) return "only around the points";
  if (value < 0.4) return "over parts of the things they are on";
  if (value <= 0.6) return "over the things they are on";
  return value < 1 ? "over what goes with these things, too" : "over the whole photo: all is drawn anew";
}

const KINDS = {
  colorizations: "Colorings",
  variations: "More like this",
  transfers: "Colors of another photo",
  interpolations: "From one to the other",
};

export const runTitle = (run) => run.title ?? KINDS[run.kind];

/** Summarize a run's fixed colors, and how far they spread if not as usual; empty if it has none. */
export function hintWords({ hints, hint_spread: spread }) {
  if (!hints) return "";
  return `${count(hints.length, "fixed color")}${spread === SPREAD ? "" : `, spread ${percent(spread)}`}`;
}

/** Summarize a run's settings in a few words. */
export function runFacts(run, recommended) {
  const facts = [];
  if (run.strength !== undefined) facts.push(`change ${percent(run.strength)}`);
  facts.push(hintWords(run.fields));
  if (run.kind === "colorizations" && run.temperature !== undefined) facts.push(boldness(run.temperature, recommended));
  return facts.filter(Boolean).join(" · ");
}

/** Return a run's temperature and seed as text. */
export function runNumbers(run) {
  const facts = [];
  if (run.temperature !== undefined) facts.push(`temperature ${number(run.temperature)}`);
  if (run.fields.seed !== undefined) facts.push(`seed ${run.fields.seed}`);
  return capitalized(facts.join(", "));
}

export function sampleTitle({ run, number }) {
  if (run.kind === "interpolations") return `Step ${number} of ${run.total}`;
  return `${run.kind === "variations" || run.source || run.recipe?.length ? "Variation" : "Coloring"} ${number}`;
}

export const likeTitle = (sample) => `More like ${sampleTitle(sample).toLowerCase()}`;
