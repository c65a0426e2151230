/** The colorings that are kept: a bar with all of them, to download and to compare. */

import { compare } from "./compare.js";
import { noticeWhileDisabled, saveAllFrom } from "./download.js";
import { byId, make, once, set, setChildren } from "./element.js";
import { shownUrl } from "./look.js";
import { notice } from "./notices.js";
import { canSharePictures, sharePictures } from "./share.js";
import { change, listen, store } from "./store.js";
import { openSample } from "./viewer.js";
import { UNDO, sampleTitle } from "./words.js";

let latest = null; // the coloring that was kept last

export function setUpKept() {
  byId("compare-open").onclick = () => compare(ofThisPhoto());
  byId("keep-none").onclick = () => {
    change({ kept: [] });
    byId("undo").focus();
    notice(`No coloring is kept any longer. ${UNDO}`);
  };
  byId("download-kept").onclick = ({ currentTarget }) => saveAllFrom(currentTarget, store.view.kept, "kept-colorings");
  byId("share-kept").hidden = !canSharePictures();
  byId("share-kept").onclick = ({ currentTarget }) => noticeWhileDisabled(currentTarget, () => sharePictures(store.view.kept));
  listen(show);
}

const ofThisPhoto = () => store.view.kept.filter((sample) => sample.run.photo === store.view.photo);

const thumbnail = once((sample) => {
  const name = `${sample.run.photo.name}, ${sampleTitle(sample).toLowerCase()}: open it`;
  return make("li", {}, make("button", { type: "button", "aria-label": name, title: name, onclick: () => openSample(sample) }, make("img", { alt: "" })));
});

function show() {
  const { kept } = store.view;
  byId("kept").hidden = !kept.length;
  setChildren(byId("kept-pictures"), kept.map(thumbnail));
  for (const sample of kept) set(thumbnail(sample).querySelector("img"), "src", shownUrl(sample));
  const here = ofThisPhoto().length;
  byId("kept-words").textContent = `${kept.length} kept${here < kept.length ? `, ${here || "none"} of this photo` : ""}`;
  byId("compare-open").hidden = here < 2;
  if (kept.length && kept.at(-1) !== latest) thumbnail(kept.at(-1)).scrollIntoView({ block: "nearest", inline: "nearest" });
  latest = kept.at(-1) ?? null;
}
