/** Photos come in: dropped, pasted or chosen; each is colorized in its turn. */

import { byId } from "./element.js";
import { notice } from "./notices.js";
import { change, store } from "./store.js";
import { colorize } from "./actions.js";
import { useReference } from "./reference.js";
import { stop } from "./work.js";

/** Names of kinds that browsers may not know, but the service does. */
const NAMES = /\.(jpe?g|png|webp|tiff?|gif|bmp|avif|hei[cf])$/i;

export const looksLikePhoto = (file) => file.type.startsWith("image/") || NAMES.test(file.name);

export function addFiles(files) {
  const good = files.filter(looksLikePhoto);
  const bad = files.filter((file) => !looksLikePhoto(file));
  if (bad.length) notice(`Not a photo: ${bad.map((file) => file.name).join(", ")}`);
  if (!good.length) return;
  const photos = good.map((file) => ({ file, name: file.name || "pasted photo", url: URL.createObjectURL(file), shows: true, runs: [], width: 0, height: 0 }));
  for (const photo of photos) measure(photo);
  change({ photos: [...store.view.photos, ...photos], photo: photos[0], run: null, marks: [] });
  for (const photo of photos) colorize(photo, { step: false });
}

/** Take a photo away, as long as nobody undoes it; what it waits for is stopped, and can go on then. */
export function removePhoto(photo) {
  for (const run of photo.runs) if (run.status === "waiting" || run.status === "working") stop(run);
  const { photos } = store.view;
  const rest = photos.filter((each) => each !== photo);
  const next = rest[Math.min(photos.indexOf(photo), rest.length - 1)] ?? null;
  change({ photos: rest, photo: next, run: next?.runs.at(-1) ?? null, marks: [] });
}

/** Find out whether the browser can show it (TIFF and HEIC often not), and its size. */
function measure(photo) {
  const image = new Image();
  image.onload = () => Object.assign(photo, { width: image.naturalWidth, height: image.naturalHeight });
  image.onerror = () => {
    photo.shows = false;
    change({});
  };
  image.src = photo.url;
}

/** What stands for the grey photo: itself, or a coloring, of the same lightness. Both are shown through `.grey`. */
export const greyUrl = (photo) => (photo.shows ? photo.url : photo.runs.flatMap((run) => run.samples)[0]?.url);

export function setUpPhotos() {
  const input = byId("files");
  input.onchange = () => {
    addFiles([...input.files]);
    input.value = "";
  };
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dragging");
    byId("reference-zone").classList.toggle("over", isOverReference(event));
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) settle();
  });
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    settle();
    const files = [...event.dataTransfer.files];
    if (isOverReference(event)) useReference(files[0]);
    else addFiles(files);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) addFiles(files);
  });
}

const isOverReference = (event) => event.target instanceof Element && Boolean(event.target.closest("#reference-zone"));

function settle() {
  document.body.classList.remove("dragging");
  byId("reference-zone").classList.remove("over");
}
