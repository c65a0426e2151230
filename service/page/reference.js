/** The reference: a color photo that gives its colors. */

import { transfer } from "./actions.js";
import { byId, slider } from "./element.js";
import { accepted } from "./files.js";
import { CLOSENESS } from "./options.js";
import { listen, store } from "./store.js";
import { percent } from "./words.js";
import { isBusy, stop } from "./work.js";

const PAUSE = 500; // milliseconds after a change of the slider, in which another may come

let shown = null; // the reference's file
let timer = null;
let due = null; // what the timer waits for

export function useReference(files) {
  const [file] = accepted(files.slice(0, 1));
  if (!file) return;
  store.reference = { file, closeness: Number(byId("closeness").value) };
  apply();
}

function show() {
  const { reference } = store;
  if (!reference || reference.file === shown) return;
  shown = reference.file;
  const picture = byId("reference-picture");
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(shown);
  picture.hidden = false;
  picture.onerror = () => (picture.hidden = true);
  byId("reference-words").textContent = "Choose another";
  byId("closeness").value = reference.closeness;
  byId("closeness").oninput();
  byId("closeness-field").hidden = false;
}

/** Begin the transfer. It replaces an unfinished one of this photo. */
function apply() {
  clearTimeout(timer);
  due = null;
  const { photo } = store.view;
  if (!photo) return;
  for (const run of photo.runs.filter((each) => each.kind === "transfers" && !each.source && !each.album && !each.follows && isBusy(each))) {
    run.superseded = !run.samples.length;
    stop(run);
  }
  transfer(store.reference.file, store.reference.closeness);
}

/** Begin the transfer a moment after the last change: holding down a key changes the slider many times. */
function applySoon(closeness) {
  store.reference.closeness = closeness;
  clearTimeout(timer);
  const { photo } = store.view;
  due = () => store.view.photo === photo && apply();
  timer = setTimeout(applyDue, PAUSE);
}

function applyDue() {
  due?.();
  due = null;
}

export function setUpReference() {
  const input = byId("reference");
  input.onchange = () => {
    useReference([...input.files]);
    input.value = "";
  };
  slider("closeness", CLOSENESS, applySoon, (value) => (byId("closeness-out").textContent = percent(value)));
  addEventListener("pagehide", applyDue); // before the session is stored
  listen(show);
}
