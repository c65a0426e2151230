/** The link to a coloring, on the clipboard. */

import { byId } from "./element.js";
import { canLink, format } from "./link.js";
import { lookOf } from "./store.js";

const WHAT = "The link holds the settings, not the photo. To see this coloring, open the link and add the same photo.";

export function showShare(sample) {
  const possible = Boolean(sample) && canLink(sample);
  byId("share").hidden = !possible;
  byId("share-note").textContent = possible ? "" : "This coloring has no link, because its colors come from a picture.";
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
