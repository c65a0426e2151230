/** Colorings go into files: one, two halves side by side, or many in a zip. */

import { make } from "./element.js";
import { canvasBlob, withLook } from "./look.js";
import { isPlain, lookOf } from "./store.js";
import { QUALITY, encoded } from "./work.js";
import { zip } from "./zip.js";

const ENDINGS = { jpeg: "jpg", png: "png", webp: "webp" };
const GRAY = { saturation: 0, warmth: 0 };
const LOSSLESS = "png";

/** Save one sample. `beside` puts the gray photo to its left. */
export async function saveSample(sample, { format = "jpeg", quality = QUALITY, beside = false } = {}) {
  const blob = await fileOf(sample, format, quality, beside);
  save(blob, nameOf(sample, ENDINGS[blob.type.slice("image/".length)] ?? ENDINGS[format], beside));
}

/** Save samples in a zip, with a folder for each photo where there are several. */
export async function saveAll(samples, name) {
  const folders = new Set(samples.map((sample) => sample.run.photo)).size > 1;
  const files = [];
  for (const sample of samples) {
    const file = nameOf(sample, "jpg");
    files.push({ name: folders ? `${stemOf(sample.run.photo)}/${file}` : file, blob: await fileOf(sample, "jpeg", QUALITY) });
  }
  save(await zip(files), `${name}.zip`);
}

/** A sample as it came, or made anew by the service in another format; with a look or side by side, from a lossless one. */
async function fileOf(sample, format, quality, beside = false) {
  const look = lookOf(sample);
  if (isPlain(look) && !beside) return encoded(sample, format, quality);
  const source = await encoded(sample, LOSSLESS);
  const colored = await withLook(source, look);
  if (!beside) return canvasBlob(colored, format, quality);
  const gray = await withLook(source, GRAY);
  const pair = Object.assign(document.createElement("canvas"), { width: 2 * gray.width, height: gray.height });
  const context = pair.getContext("2d");
  context.drawImage(gray, 0, 0);
  context.drawImage(colored, gray.width, 0);
  return canvasBlob(pair, format, quality);
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

const stemOf = (photo) => photo.name.replace(/\.[^.]*$/, "");

function nameOf({ run, index }, ending, beside = false) {
  const kind = run.kind === "colorizations" ? `seed-${run.fields.seed}` : `${run.kind.slice(0, -1)}-${run.fields.noise_seed ?? run.fields.seed}`;
  return `${stemOf(run.photo)}-${kind}-${index}${beside ? "-beside" : ""}.${ending}`;
}

/** Run a download from a button, which waits for it; return what went wrong. */
export async function whileDisabled(button, work) {
  button.disabled = true;
  try {
    await work();
    return null;
  } catch (error) {
    return error;
  } finally {
    button.disabled = false;
  }
}
