/** Peek at the gray photo, while the photo or the space bar is held down. */

import { byId } from "./element.js";
import { dragged } from "./zoom.js";

const HOLD = 220; // milliseconds, and without moving: a click and a drag mean something else

export function setUpPeek(viewer) {
  const stage = byId("stage");
  let timer = null;
  const peek = (on) => stage.classList.toggle("peeking", on);
  const end = () => {
    clearTimeout(timer);
    peek(false);
  };
  stage.addEventListener("pointerdown", (event) => {
    clearTimeout(timer); // a second finger zooms
    if (event.target === stage && event.isPrimary) timer = setTimeout(() => dragged() || peek(true), HOLD);
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, end);
  viewer.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target.matches("button, input, select, summary, a")) return;
    event.preventDefault();
    peek(true);
  });
  viewer.addEventListener("keyup", (event) => event.key === " " && end());
  viewer.addEventListener("close", end);
  addEventListener("blur", end); // another window gets the key's release
}

/** Whether the gray photo is shown now; the click that ends this has no other effect. */
export const isPeeking = () => byId("stage").classList.contains("peeking");
