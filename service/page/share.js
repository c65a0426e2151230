/** The link to a coloring, on the clipboard. */

import { byId } from "./element.js";
import { MAX_SOURCES, format, obstacle } from "./link.js";
import { lookOf } from "./store.js";
import { sampleTitle } from "./words.js";

const WHAT = "The link holds the settings, not the photo. To see this coloring, open the link and add the same photo.";
const HERE = "The link opens on this computer alone. To show these colors to somebody else, download the picture and send it.";

/** Whether the page's address means another computer wherever else it is opened. */
const isLocal = () => /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);

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
  const copied = ["Copied.", sample.run.photo.example ? "" : WHAT, isLocal() ? HERE : ""].filter(Boolean).join(" ");
  try {
    await navigator.clipboard.writeText(link);
    note.textContent = copied;
  } catch { // outside a secure context, only the old way works
    note.textContent = link;
    getSelection().selectAllChildren(note);
    if (document.execCommand("copy")) note.textContent = copied;
  }
}
