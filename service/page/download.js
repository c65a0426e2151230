/** A coloring goes into a file. */

import { make } from "./element.js";
import { encoded } from "./work.js";

const ENDINGS = { jpeg: "jpg", png: "png", webp: "webp" };

export async function saveSample(sample, format, quality) {
  const blob = await encoded(sample, format, quality);
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: fileName(sample, format) }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function fileName({ run, index }, format) {
  const name = run.photo.name.replace(/\.[^.]*$/, "");
  const kind = run.kind === "colorizations" ? `seed-${run.fields.seed}` : run.kind.slice(0, -1);
  return `${name}-${kind}-${index}.${ENDINGS[format]}`;
}
