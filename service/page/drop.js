/** Files that are dropped or pasted: on the reference's place a reference, everywhere else photos. */

import { byId } from "./element.js";
import { addFiles } from "./photos.js";
import { useReference } from "./reference.js";

export function setUpDrop() {
  const input = byId("files");
  input.onchange = () => {
    addFiles([...input.files]);
    input.value = "";
  };
  let own = false; // the drag of a picture of the page: browsers say that it holds a file, too
  addEventListener("dragstart", () => (own = true));
  for (const end of ["dragend", "pointermove"]) addEventListener(end, () => (own = false)); // the first ends at a picture that has gone
  const holdsFiles = (event) => !own && [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dragging");
    document.body.classList.toggle("over-reference", isOverReference(event));
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) settle();
  });
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    settle();
    (isOverReference(event) ? useReference : addFiles)([...event.dataTransfer.files]);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) addFiles(files);
  });
}

const isOverReference = (event) => event.target instanceof Element && Boolean(event.target.closest("#reference-zone"));

const settle = () => document.body.classList.remove("dragging", "over-reference");
