/** The link to a coloring, on the clipboard. */

import { byId } from "./element.js";
import { canLink, format } from "./link.js";
import { lookOf } from "./store.js";
import { sampleTitle } from "./words.js";

const WHAT = "The link holds the settings, not the photo. To see this coloring, open the link and add the same photo.";

export function showShare(sample) {
  const possible = Boolean(sample) && canLink(sample);
  byId("share").hidden = !possible;
  byId("share-note").textContent = possible || !sample ? "" : `${sampleTitle(sample)} has no link, because a link holds no picture: ${whyPicture(sample)}.`;
}

/** Say which picture a sample's colors come from, and why. */
function whyPicture({ run }) {
  if (run.kind === "interpolations") return "one of its two ends has no seed and index that name it";
  if (!run.source) return "the colors come from another photo";
  return `it is like ${sampleTitle(run.source).toLowerCase()}, ${whatUnnamed(run.source)}`;
}

/** Say why no seed and index name the sample that a run began with. */
function whatUnnamed(source) {
  if (source.run.kind === "variations" || source.run.source) return "which is a variation itself";
  if (source.run.kind === "transfers") return "whose colors come from another photo";
  if (source.run.kind === "interpolations") return "a step between two others";
  return source.run.fields.hints ? "which follows fixed colors" : "which an earlier model drew";
}

export async function shareSample(sample) {
  const link = `${location.origin}${location.pathname}#${format(sample, lookOf(sample))}`;
  const note = byId("share-note");
  try {
    await navigator.clipboard.writeText(link);
    note.textContent = sample.run.photo.example ? "Copied." : `Copied. ${WHAT}`;
  } catch { // no clipboard outside of a secure context
    note.textContent = link;
  }
}
