/** Files that come in: which of them are photos that the service takes. */

import { notice } from "./notices.js";
import { store } from "./store.js";
import { megabytes } from "./words.js";

/** Names of kinds that browsers may not know, but the service does. */
const NAMES = /\.(jpe?g|png|webp|tiff?|gif|bmp|avif|hei[cf])$/i;

/** Return those that are photos and not too large; say what is wrong with the others. */
export function accepted(files) {
  const photos = files.filter((file) => file.type.startsWith("image/") || NAMES.test(file.name));
  const others = files.filter((file) => !photos.includes(file));
  if (others.length) notice(`Not a photo: ${others.map((file) => file.name).join(", ")}. Photos are JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF or HEIC files.`);
  const limit = store.model?.limits.bytes ?? Infinity;
  for (const { name, size } of photos) if (size > limit) notice(`${name || "This photo"}: ${megabytes(size)}; the limit is ${megabytes(limit)}.`);
  return photos.filter((file) => file.size <= limit);
}
