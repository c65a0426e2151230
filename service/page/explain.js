/** Words with an explanation: a press shows it, by mouse, finger or key; screen readers say it after the words. */

import { clamp, make, set } from "./element.js";

const WIDTH = 280; // pixels of an explanation at most, as in controls.css
const HEIGHT = 200; // pixels that the longest one takes, and some more
const GAP = 8; // between the words, the explanation and the window's edges

let made = 0;

/** Make a button for words, and the explanation that it shows; both are to stand in one parent. */
export function explained(properties) {
  const note = make("p", { id: `explanation-${++made}`, className: "explanation", popover: "auto" });
  const words = make("button", { type: "button", "aria-describedby": note.id, popoverTargetElement: note, ...properties });
  words.classList.add("term");
  note.addEventListener("beforetoggle", ({ newState }) => newState === "open" && place(note, words));
  return [words, note];
}

/** Set the words and their explanation. Without words, there is no button. */
export function explain(button, words, explanation) {
  button.hidden = !words;
  set(button, "textContent", words ?? "");
  set(button.popoverTargetElement, "textContent", explanation);
}

/** Put an explanation below its words, or above them where there is little room below. It scrolls with the page. */
function place(note, words) {
  const { left, top, bottom } = words.getBoundingClientRect();
  const isHigh = bottom < Math.max(innerHeight / 2, innerHeight - HEIGHT - 2 * GAP);
  Object.assign(note.style, {
    left: `${clamp(left, GAP, Math.max(GAP, innerWidth - WIDTH - GAP))}px`,
    top: isHigh ? `${scrollY + bottom + GAP}px` : "auto",
    bottom: isHigh ? "auto" : `${innerHeight - scrollY - top + GAP}px`,
  });
}
