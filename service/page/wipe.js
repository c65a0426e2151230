/** The wipe: left of it the gray photo, right of it the coloring. */

import { byId, clamp } from "./element.js";
import { shown } from "./zoom.js";

const STEPS = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2 };
export const MIDDLE = 50;
let percent = MIDDLE;

export function setUpWipe() {
  const handle = byId("wipe");
  handle.addEventListener("pointerdown", ({ pointerId }) => handle.setPointerCapture(pointerId));
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const { left, width } = shown();
    wipeTo((100 * (event.clientX - byId("stage").getBoundingClientRect().left - left)) / width);
  });
  handle.addEventListener("keydown", (event) => {
    const to = { Home: 0, End: 100 }[event.key] ?? (event.key in STEPS ? percent + STEPS[event.key] : null);
    if (to === null) return;
    event.preventDefault();
    wipeTo(to);
  });
  wipeTo(percent);
}

export function wipeTo(to) {
  percent = clamp(to, 0, 100);
  byId("stage").style.setProperty("--wiped", percent / 100);
  const handle = byId("wipe");
  handle.setAttribute("aria-valuenow", Math.round(percent));
  handle.setAttribute("aria-valuetext", percent === 0 ? "all coloring" : percent === 100 ? "all gray" : `${Math.round(percent)} % gray`);
}
