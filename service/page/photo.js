/** One photo: its file, its gray and colored pictures, and a number by which links recognize it. */

import { amend, store } from "./store.js";
import { number } from "./words.js";

/** Make a photo of a file; `example` is its name among the samples that come with the page. */
export function newPhoto(file, example = null) {
  return enlivenPhoto({ file, example, name: file.name || "pasted photo", width: 0, height: 0, runs: [] });
}

/** Give a photo what cannot be stored. */
export function enlivenPhoto(photo) {
  Object.assign(photo, { url: URL.createObjectURL(photo.file), shows: true, print: null });
  photo.measured = measure(photo);
  photo.printed = photo.file.arrayBuffer().then((buffer) => (photo.print = fingerprint(new Uint8Array(buffer))), () => {}); // its file may be gone
  return photo;
}

/** Find out whether the browser can show it (TIFF and HEIC often not), and its size. */
async function measure(photo) {
  const image = new Image();
  const measured = new Promise((resolve) => Object.assign(image, { onload: () => resolve(true), onerror: () => resolve(false) }));
  image.src = photo.url;
  photo.shows = await measured;
  if (photo.shows) Object.assign(photo, { width: image.naturalWidth, height: image.naturalHeight });
  amend({});
}

/** FNV-1a of the bytes, 32 bits: tells files apart, and needs no secure context. */
function fingerprint(bytes) {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** All colorings of a photo, of all its runs. */
export const samplesOf = (photo) => photo.runs.flatMap((run) => run.samples);

/** Colorings that a coloring is compared with: its photo's, without those that gave way to ones with other fixed colors. */
export const peersOf = ({ run }) => run.photo.runs.filter((each) => !each.superseded || each === run || store.view.runs.includes(each)).flatMap(({ samples }) => samples);

/** Picture of the gray photo: itself, or a coloring of the same lightness; both shown through `.gray`. */
export const grayUrl = (photo) => (photo.shows ? photo.url : samplesOf(photo)[0]?.url);

/**
 * The coloring that represents the photo: the one kept last, or else the first in its grid. Until one of these arrives, the
 * first of the previous run.
 */
export function coverOf(photo) {
  const { kept, grids } = store.view;
  const [first] = (grids.get(photo) ?? []).flatMap((run) => run.samples);
  return kept.findLast((sample) => sample.run.photo === photo) ?? first ?? photo.runs.findLast((run) => run.samples.length)?.samples[0] ?? null;
}

/**
 * A sample's likelihood in words, compared with the likeliest of its photo; null if there is no other. Bits per dimension
 * of one photo's colorings mostly differ by less than half a bit.
 */
export function likelihoodWords(sample) {
  const bits = peersOf(sample).map((each) => each.bits_per_dim);
  if (bits.length < 2) return null;
  const behind = sample.bits_per_dim - Math.min(...bits);
  return behind < 0.08 ? "very likely" : behind < 0.3 ? "likely" : "unusual";
}

/** Explain these words, with the number. */
export const explainLikelihood = ({ bits_per_dim: bits }) =>
  `How likely the model finds these colors, compared with the photo's other colorings: the words are relative, and may change with more colorings. These take ${number(bits)} bits per dimension; fewer are likelier.`;
