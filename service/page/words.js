/** Errors, runs and numbers in words. */

const ERRORS = {
  unreachable: "The service does not answer. Is it still running?",
  upload_too_large: "This file is larger than the service takes.",
  too_many_pixels: "This photo has more pixels than the service takes.",
  unsupported_image_type: "This file is not a photo of a kind that the service reads.",
  undecodable_image: "This file is damaged: it cannot be read to its end.",
  output_too_large: "This format cannot hold a picture of this size. Choose another.",
  invalid_parameters: "The service refuses one of the settings.",
  invalid_input: "The service refuses one of the settings.",
  queue_full: "The service is busy with other photos.",
  loading: "The service is still starting.",
  draining: "The service is stopping.",
  load_failed: "The service runs, but its model could not be loaded.",
  deadline: "This took longer than the service allows.",
  missing_key: "The service asks for a key.",
  invalid_key: "The service does not know this key.",
  rate_limited: "This key has made as many requests as it may for now.",
};

/** Say what went wrong: a sentence, and the service's own words below it. */
export function errorWords(error) {
  const title = ERRORS[error.code] ?? "Something went wrong.";
  return { title, detail: error.detail ?? error.message ?? "" };
}

export const number = (value) => String(Math.round(value * 100) / 100);

export function temperatureWords(value, recommended) {
  if (value === recommended) return "as the model recommends";
  if (value === 0) return "the single calmest coloring";
  if (value < 0.5) return "calm: muted, and much alike";
  if (value < 0.95) return "livelier, but plausible";
  if (value <= 1.05) return "the model's own distribution";
  return value < 1.4 ? "daring" : "beyond what photos look like";
}

const KINDS = {
  colorizations: "Colorings",
  variations: "More like this",
  transfers: "Colours of another photo",
  interpolations: "From one to the other",
};

export const runTitle = (run) => run.title ?? KINDS[run.kind];

export function runFacts(run) {
  const { seed, hints, steps } = run.fields;
  const facts = [];
  if (run.strength !== undefined) facts.push(`change ${number(run.strength)}`);
  if (hints) facts.push(hints.length === 1 ? "1 hint" : `${hints.length} hints`);
  if (steps) facts.push(`${steps} steps`);
  if (run.temperature !== undefined) facts.push(`temperature ${number(run.temperature)}`);
  if (seed !== undefined && run.kind !== "variations") facts.push(`seed ${seed}`);
  return facts.join(" · ");
}

export function sampleTitle(sample) {
  if (sample.run.kind === "interpolations") return `Step ${sample.index + 1} of ${sample.run.total}`;
  return `Coloring ${sample.index + 1}`;
}
