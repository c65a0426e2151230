/** The photos, where there are several: each with how far it is. */

import { byId, icon, make, once, setChildren } from "./element.js";
import { greyUrl } from "./photos.js";
import { change, listen, store } from "./store.js";

export function setUpStrip() {
  listen(() => {
    const { photos } = store.view;
    byId("strip").hidden = photos.length < 2;
    setChildren(byId("strip"), photos.map(item));
    for (const photo of photos) paint(photo);
  });
}

export function showPhoto(photo) {
  change({ photo, run: photo?.runs.at(-1) ?? null, marks: [] });
}

const item = once((photo) => {
  const button = make("button", { type: "button", className: "photo", title: photo.name, onclick: () => showPhoto(photo) });
  return make("li", {}, button);
});

function paint(photo) {
  const status = photo.runs.at(-1)?.status;
  const button = item(photo).firstChild;
  const url = greyUrl(photo);
  if (button.dataset.url !== url) {
    button.dataset.url = url;
    button.replaceChildren(url ? make("img", { src: url, alt: "", className: "grey" }) : icon("plus"));
  }
  const words = { waiting: ", waits", working: ", is being colorized", failed: ", failed" }[status] ?? "";
  button.setAttribute("aria-label", photo.name + words);
  button.setAttribute("aria-current", photo === store.view.photo);
  item(photo).className = { waiting: "waiting", working: "busy", failed: "bad" }[status] ?? "";
}
