/** A colour photo lends its colours. */

import { byId } from "./element.js";
import { transfer } from "./actions.js";
import { looksLikePhoto } from "./photos.js";
import { notice } from "./notices.js";

export function useReference(file) {
  if (!file) return;
  if (!looksLikePhoto(file)) {
    notice(`Not a photo: ${file.name}`);
    return;
  }
  const picture = byId("reference-picture");
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(file);
  picture.hidden = false;
  picture.onerror = () => (picture.hidden = true);
  transfer(file);
}

export function setUpReference() {
  const input = byId("reference");
  input.onchange = () => {
    useReference(input.files[0]);
    input.value = "";
  };
}
