/** Files of colorings, and their downloads: one coloring, gray and color side by side, or many in a zip. */

import { make } from "./element.js";
import { lookFile } from "./look.js";
import { errorNotice, notice } from "./notices.js";
import { isPlain, lookOf } from "./store.js";
import { waitWords } from "./words.js";
import { QUALITY, encoded } from "./work.js";
import { zip } from "./zip.js";

const ENDINGS = { jpeg: "jpg", png: "png", webp: "webp" };
const LOSSLESS = "png";
const STEM = 200; // bytes of UTF-8: with suffixes, names stay below file systems' limit of 255

const STORED = `The model has changed since these colors were drawn, so the service cannot draw them again. The file holds what you see here, made from a JPEG of quality ${QUALITY}.`;
const OTHER = "Your browser cannot write WebP files, so this one is a PNG."; // Safari

/** Save one sample. */
export async function saveSample(sample, options) {
  const file = await fileOf(sample, options);
  save(file, file.name);
}

/** Return a sample as a file. `beside` puts the gray photo to its left. If the service delays the file, a message says why. */
export async function fileOf(sample, { format = "jpeg", quality = QUALITY, beside = false } = {}) {
  let waits = false;
  const onWait = (problem, seconds) => {
    if (!waits) notice(waitWords({ problem, seconds }));
    waits = true;
  };
  const { blob, stored } = await drawn(sample, format, quality, beside, onWait);
  if (stored) notice(STORED);
  if (blob.type !== `image/${format}`) notice(OTHER);
  return asFile(blob, nameOf(sample, ENDINGS[blob.type.slice("image/".length)] ?? ENDINGS[format], beside));
}

const asFile = (blob, name) => new File([blob], name, { type: blob.type });

/** Return samples, with their looks, as JPEGs. Makes no request. */
export async function filesOf(samples) {
  const files = [];
  for (const sample of samples) {
    const look = lookOf(sample);
    const blob = isPlain(look) ? sample.blob : await lookFile(sample.blob, look, "jpeg", QUALITY);
    files.push(asFile(blob, nameOf(sample, "jpg")));
  }
  return files;
}

/** Save samples in a zip, with a folder per photo for several colorings of several photos. Makes no request. */
async function saveAll(samples, name) {
  const photos = new Set(samples.map((sample) => sample.run.photo)).size;
  const folders = photos > 1 && photos < samples.length;
  const files = await filesOf(samples);
  save(await zip(files.map((file, i) => ({ name: folders ? `${stemOf(samples[i].run.photo)}/${file.name}` : file.name, blob: file }))), `${name}.zip`);
}

/**
 * Return a sample as received, or drawn again by the service in another format; with a look or side by side, from a lossless
 * file. `stored`: the model has changed, so the browser made the file from the picture as received.
 */
async function drawn(sample, format, quality, beside, onWait) {
  const look = lookOf(sample);
  const asIs = isPlain(look) && !beside;
  const found = await encoded(sample, asIs ? format : LOSSLESS, quality, onWait);
  if (found && asIs) return { blob: found, stored: false };
  return { blob: await lookFile(found ?? sample.blob, look, format, quality, beside), stored: !found };
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A photo's name without its suffix, valid for files and folders: not hidden, and not too long. */
export function stemOf({ name }) {
  const stem = name.replace(/\.[^.]*$/, "").replace(/^[. ]+/, "");
  const { read } = new TextEncoder().encodeInto(stem, new Uint8Array(STEM)); // whole characters
  return stem.slice(0, read).replace(/[. ]+$/, "") || "photo";
}

function nameOf({ run, index }, ending, beside = false) {
  const kind = run.kind === "colorizations" ? `seed-${run.fields.seed}` : `${run.kind.slice(0, -1)}-${run.fields.noise_seed ?? run.fields.seed}`;
  return `${stemOf(run.photo)}-${kind}-${index}${beside ? "-beside" : ""}.${ending}`;
}

/** Download many from a button, which waits for it; a notice says what went wrong. */
export const saveAllFrom = (button, samples, name) => noticeWhileDisabled(button, () => saveAll(samples, name));

/** Make files from a button, which waits for them; a notice says what went wrong. */
export async function noticeWhileDisabled(button, work) {
  const error = await whileDisabled(button, work);
  if (error) errorNotice(error);
}

/** Make files from a button, which waits for them; return what went wrong. */
export async function whileDisabled(button, work) {
  const focused = document.activeElement === button;
  button.disabled = true;
  try {
    await work();
    return null;
  } catch (error) {
    return error;
  } finally {
    button.disabled = false;
    if (focused && document.activeElement === document.body) button.focus();
  }
}
