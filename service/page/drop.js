/** Dropped or pasted files: a reference on the reference zone, photos elsewhere. */

import { byId } from "./element.js";
import { isUnknown } from "./files.js";
import { errorNotice, notice } from "./notices.js";
import { addFiles } from "./photos.js";
import { useReference } from "./reference.js";

/** Files that arrive before `ready` wait for it: the photos from before a reload come first. */
export function setUpDrop(ready) {
  const input = byId("files");
  input.onchange = async () => {
    const files = [...input.files];
    input.value = "";
    await ready;
    addFiles(files);
  };
  if (input.files.length) input.onchange(); // chosen while the page came
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
    take(event.dataTransfer, isOverReference(event) ? useReference : addFiles, ready);
  });
  addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData?.types.includes("Files")) take(clipboardData, addFiles, ready);
  });
}

/** Pass on the files of a drop or a paste, and those in its folders. */
async function take({ items }, use, ready) {
  const files = [...items].filter(({ kind }) => kind === "file").map((item) => {
    const entry = item.webkitGetAsEntry();
    return entry?.isDirectory ? filesIn(entry) : item.getAsFile();
  });
  const all = (await Promise.all(files).catch(errorNotice))?.flat().filter(Boolean); // undefined: a folder cannot be read
  await ready;
  if (all?.length) use(all);
  else if (all && files.length) notice("There is no file in this folder.");
}

/** Return the files in a folder and its subfolders by name, except hidden ones and those without type and suffix, such as LICENSE. */
async function filesIn(folder) {
  const reader = folder.createReader();
  const entries = [];
  let some;
  do entries.push(...(some = await new Promise((...settle) => reader.readEntries(...settle)))); // up to 100, none at the end
  while (some.length);
  const seen = entries.filter(({ name }) => !name.startsWith(".")).sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const files = seen.map((entry) => (entry.isDirectory ? filesIn(entry) : new Promise((...settle) => entry.file(...settle))));
  return (await Promise.all(files)).flat().filter((file) => !isUnknown(file));
}

const isOverReference = (event) => event.target instanceof Element && Boolean(event.target.closest("#reference-zone"));

const settle = () => document.body.classList.remove("dragging", "over-reference");
