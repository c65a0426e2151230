/** Sharing: pictures by the system's share sheet, and the link to a coloring on the clipboard. */

import { fileOf, filesOf } from "./download.js";
import { byId } from "./element.js";
import { MAX_SOURCES, format, obstacle } from "./link.js";
import { notice } from "./notices.js";
import { lookOf } from "./store.js";
import { sampleTitle } from "./words.js";

const WHAT = "The link holds the settings, not the photo. To see this coloring, open the link and add the same photo.";
const HERE = "The link opens on this computer alone. To show these colors to somebody else, download the picture and send it.";
const REFUSED = "The system did not share this. It may take fewer or smaller pictures. Download them instead.";

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

/** Whether the browser shares pictures: those of phones and some others do, for pages from HTTPS or from localhost. */
export const canSharePictures = () => Boolean(navigator.canShare?.({ files: [new File([], "coloring.jpg", { type: "image/jpeg" })] }));

let ready = null; // `{of, files}` that were made too slowly: the sheet opens only within some seconds of a press

/** Open the share sheet with one sample as a file with these options, or with all samples as JPEGs. */
export async function sharePictures(samples, options) {
  const of = JSON.stringify([samples.map((sample) => [sample.url, lookOf(sample)]), options]);
  if (ready?.of !== of) ready = { of, files: options ? [await fileOf(samples[0], options)] : await filesOf(samples) };
  if (navigator.userActivation?.isActive === false) return notice("Ready to share. Press Share again.");
  const { files } = ready;
  ready = null;
  await navigator.share({ files }).catch((error) => {
    if (error.name !== "AbortError") throw new Error(REFUSED); // else the user closed the sheet
  });
}
