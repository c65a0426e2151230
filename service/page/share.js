/** The link to a coloring, on the clipboard. */

import { byId } from "./element.js";
import { MAX_SOURCES, format, obstacle } from "./link.js";
import { lookOf } from "./store.js";
import { sampleTitle } from "./words.js";

const WHAT = "The link holds the settings, not the photo. To see this coloring, open the link and add the same photo.";

export function showShare(sample) {
  const found = sample && obstacle(sample);
  byId("share").hidden = !sample || Boolean(found);
  byId("share-note").textContent = found ? `${sampleTitle(sample)} has no link, because ${reason(sample, found)}.` : "";
}

/** Say why a sample has no link: because of itself, or of one of its sources. */
function reason(sample, { why, from }) {
  const first = sampleTitle(from).toLowerCase();
  if (why === "long") return `a link can describe at most ${MAX_SOURCES} earlier steps, and it is more steps from ${first}`;
  const picture = "a link cannot hold a picture: ";
  if (from === sample) return `${picture}the colors come from another photo`;
  const fault = why === "earlier" ? "which an earlier model drew" : "whose colors come from another photo";
  return `${picture}it ${sample.run.source === from ? "is like" : "is made from"} ${first}, ${fault}`;
}

export async function shareSample(sample) {
  const link = `${location.origin}${location.pathname}#${format(sample, lookOf(sample))}`;
  const note = byId("share-note");
  const copied = sample.run.photo.example ? "Copied." : `Copied. ${WHAT}`;
  try {
    await navigator.clipboard.writeText(link);
    note.textContent = copied;
  } catch { // outside a secure context, only the old way works
    note.textContent = link;
    getSelection().selectAllChildren(note);
    if (document.execCommand("copy")) note.textContent = copied;
  }
}
