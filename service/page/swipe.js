/** A swipe of one finger over the photo, where it fits in width: to the previous or next coloring. */

import { byId } from "./element.js";
import { isPeeking } from "./peek.js";
import { fitsWidth } from "./zoom.js";

const LEAST = 40; // pixels

/** `step` gets -1 or 1. */
export function setUpSwipe(step) {
  const stage = byId("stage");
  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    const isLone = event.pointerType === "touch" && event.isPrimary && event.target === stage;
    from = isLone && fitsWidth() ? event : null; // a second finger zooms
  });
  stage.addEventListener("pointerup", (event) => {
    if (event.pointerId !== from?.pointerId) return;
    const [dx, dy] = [event.clientX - from.clientX, event.clientY - from.clientY];
    from = null;
    if (!isPeeking() && Math.abs(dx) > Math.max(LEAST, 2 * Math.abs(dy))) step(dx < 0 ? 1 : -1);
  }, { capture: true }); // before a look at the gray photo ends
}
