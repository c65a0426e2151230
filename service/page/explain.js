/** Terms with an explanation, shown on a press by mouse, finger or key. Screen readers read it after the term. */

import { clamp, make, set } from "./element.js";

const WIDTH = 280; // maximum of an explanation in pixels, as in controls.css
const HEIGHT = 200; // pixels, somewhat more than the longest explanation
const GAP = 8; // between the words, the explanation and the window's edges

let made = 0;

/** Make a button for a term, and the explanation that it shows. Put both into one parent. */
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

/** Place an explanation below its term, or above if there is little room below. It scrolls with the page. */
function place(note, words) {
  const { left, top, bottom } = words.getBoundingClientRect();
  const isHigh = bottom < Math.max(innerHeight / 2, innerHeight - HEIGHT - 2 * GAP);
  Object.assign(note.style, {
    left: `${clamp(left, GAP, Math.max(GAP, innerWidth - WIDTH - GAP))}px`,
    // not from the bottom: Chromium 150 counts that from the end of the page, others from that of the window
    top: `${scrollY + (isHigh ? bottom + GAP : top - GAP)}px`,
    translate: isHigh ? "none" : "0 -100%",
  });
}
