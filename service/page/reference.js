/** A color photo lends its colors. */

import { transfer } from "./actions.js";
import { byId, slider } from "./element.js";
import { accepted } from "./files.js";
import { CLOSENESS } from "./options.js";
import { hintsOf, listen, store } from "./store.js";

let reference = null;

export function useReference(files) {
  const [file] = accepted(files.slice(0, 1));
  if (!file) return;
  reference = file;
  const picture = byId("reference-picture");
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(file);
  picture.hidden = false;
  picture.onerror = () => (picture.hidden = true);
  byId("reference-words").textContent = "Choose another";
  byId("closeness-field").hidden = false;
  apply();
}

const apply = () => transfer(reference, Number(byId("closeness").value));

export function setUpReference() {
  const input = byId("reference");
  input.onchange = () => {
    useReference([...input.files]);
    input.value = "";
  };
  slider("closeness", CLOSENESS, apply, (value) => (byId("closeness-out").textContent = `${Math.round(100 * value)} %`));
  listen(() => {
    const { photo } = store.view;
    byId("reference-note").hidden = !photo || !hintsOf(photo).length;
  });
}
