/** The strip of several photos: each in its colors, with its progress. */

import { showPhoto } from "./actions.js";
import { byId, icon, make, once, set, setChildren } from "./element.js";
import { shownUrl } from "./look.js";
import { coverOf, grayUrl } from "./photo.js";
import { listen, store } from "./store.js";

export function setUpStrip() {
  listen(() => {
    const { photos } = store.view;
    byId("strip").hidden = photos.length < 2;
    setChildren(byId("strip"), photos.map(item));
    for (const photo of photos) paint(photo);
  });
}

const item = once((photo) => make("li", {}, make("button", { type: "button", className: "photo", title: photo.name, onclick: () => show(photo) })));

function show(photo) {
  showPhoto(photo);
  scrollTo(0, 0); // its name and its first colorings
}

function paint(photo) {
  const status = store.view.grids.get(photo)?.at(-1)?.status;
  const button = item(photo).firstChild;
  const cover = coverOf(photo);
  const url = cover ? shownUrl(cover) : grayUrl(photo);
  const drawn = `${url} ${Boolean(cover)}`;
  if (button.dataset.drawn !== drawn) {
    button.dataset.drawn = drawn;
    button.replaceChildren(url ? make("img", { src: url, alt: "", className: cover ? "" : "gray" }) : icon("photo"));
  }
  const words = { waiting: ", is waiting", working: ", is being colorized", failed: ", failed" }[status] ?? "";
  const isKept = store.view.kept.some((sample) => sample.run.photo === photo);
  set(button, "aria-label", `${photo.name}${isKept ? ", kept" : ""}${words}`);
  if (photo === store.view.photo && button.getAttribute("aria-current") !== "true") item(photo).scrollIntoView?.({ block: "nearest", inline: "nearest" });
  set(button, "aria-current", photo === store.view.photo);
  set(item(photo), "className", [isKept ? "kept" : "", { waiting: "waiting", working: "busy", failed: "bad" }[status] ?? ""].join(" ").trim());
}
