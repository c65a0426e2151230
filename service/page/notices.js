/** Short messages: shown in a corner, or only for screen readers. */

import { byId, iconButton, make } from "./element.js";
import { errorWords } from "./words.js";

const SECONDS = 7; // that a message stays, unless the pointer or the focus is on it

/** Say something to screen readers. */
export function announce(text) {
  place();
  byId("status").textContent = text;
}

/** Move the messages into an open dialog, which covers everything else. */
function place() {
  const at = document.querySelector("dialog[open]") ?? document.body;
  for (const each of [byId("notices"), byId("status")]) if (each.parentElement !== at) at.append(each);
}
for (const name of ["toggle", "close"]) addEventListener(name, place, true); // not every dialog says that it opens

/** Show a message; it fades by itself. */
export function notice(text) {
  const box = make("div", { role: "alert" }, make("p", {}, text), iconButton("close", "Close message", () => box.remove()));
  box.addEventListener("animationend", (event) => event.animationName === "fade" && box.remove());
  byId("notices").append(box);
  place();
  const fade = () => {
    if (box.matches(":hover, :focus-within")) setTimeout(fade, 1000);
    else if (matchMedia("(prefers-reduced-motion: reduce)").matches) box.remove();
    else box.classList.add("fading");
  };
  setTimeout(fade, 1000 * SECONDS);
}

/** Show what went wrong. */
export function errorNotice(error) {
  const { title, detail } = errorWords(error);
  notice(`${title} ${detail}`);
}
