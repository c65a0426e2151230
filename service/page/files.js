/** Checks of incoming files: photos that the service accepts. Until its limits are known, the service checks. */

import { byId, set } from "./element.js";
import { notice } from "./notices.js";
import { listen, store } from "./store.js";
import { few, listed, megabytes } from "./words.js";

/** Endings of photos' names: browsers may not know all of these types. */
const endings = () => Object.values(store.model.photo_formats).flat();

/** Whether neither type nor name says what a file is. */
export const isUnknown = ({ type, name }) => !type && !name.includes(".");

/** The service decides about files of unknown type. */
const isPhoto = (file) => !store.model || file.type.startsWith("image/") || isUnknown(file) || endings().some((ending) => file.name.toLowerCase().endsWith(ending));

/** Let the choice of files offer photos alone. */
export function setUpFiles() {
  listen(() => {
    if (!store.model) return;
    for (const id of ["files", "reference"]) set(byId(id), "accept", ["image/*", ...endings()].join());
  });
}

/** Return the photos that are not too large, and show a message about the other files. */
export function accepted(files) {
  const photos = files.filter(isPhoto);
  const others = files.filter((file) => !photos.includes(file));
  if (others.length) notice(`Not a photo: ${few(others.map(({ name }) => name))}. Photos are ${listed(Object.keys(store.model.photo_formats))} files.`);
  const limit = store.model?.limits.bytes ?? Infinity;
  const large = photos.filter((file) => file.size > limit);
  if (large.length) notice(`${few(large.map(({ name, size }) => `${name || "This photo"}: ${megabytes(size)}`))}; the limit is ${megabytes(limit)}.`);
  return photos.filter((file) => file.size <= limit);
}
