/**
 * Whether pages can read the pixels of canvases. Against fingerprinting, some browsers let them read random ones instead, as
 * Firefox does with `privacy.resistFingerprinting`.
 */

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

/** Throw an error for the user if the browser would make noise of a picture. */
export function checkReading() {
  if (!canRead()) throw new Error("Your browser hides the pixels of pictures from pages, against fingerprinting. Allow this page to use canvas data, then try again.");
}
