/**
 * Pixels of pictures, and whether pages can read them. Against fingerprinting, some browsers let them read random ones instead, as
 * Firefox does with `privacy.resistFingerprinting`.
 */

import { clamp } from "./element.js";

const COLOR = [200, 120, 40, 255];
const NOISE = 8; // of 255: other browsers change pixels by one or two, which nobody sees
const SIDE = 4; // pixels

/** Whether this page reads what it drew. The browser may ask the user to allow it. */
export function canRead() {
  const context = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE }).getContext("2d");
  context.fillStyle = `rgb(${COLOR.slice(0, 3)})`;
  context.fillRect(0, 0, SIDE, SIDE);
  return context.getImageData(0, 0, SIDE, SIDE).data.every((value, i) => Math.abs(value - COLOR[i % 4]) <= NOISE);
}

/** Return the color of a point of a picture, `#rrggbb`, averaged over five by five pixels; null if it cannot be read. */
export function colorAt(image, { x, y }) {
  const { naturalWidth: width, naturalHeight: height } = image;
  if (!width || !canRead()) return null; // it has not come yet, or is hidden from pages
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = Object.assign(canvas.getContext("2d"), { imageSmoothingQuality: "high" });
  context.drawImage(image, clamp(x * width - 2.5, 0, Math.max(0, width - 5)), clamp(y * height - 2.5, 0, Math.max(0, height - 5)), Math.min(5, width), Math.min(5, height), 0, 0, 1, 1);
  const bytes = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  return `#${bytes.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** Throw an error for the user if the browser would make noise of a picture. */
export function checkReading() {
  if (!canRead()) throw new Error("Your browser hides the pixels of pictures from pages, against fingerprinting. Allow this page to use canvas data, then try again.");
}
