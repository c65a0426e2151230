/** Short messages: seen in a corner, or only heard. */

import { byId, icon, make } from "./element.js";

/** Say something to screen readers. */
export function announce(text) {
  byId("status").textContent = text;
}

/** Show a message until it is closed. */
export function notice(text) {
  const close = make("button", { type: "button", className: "quiet icon", "aria-label": "Close message", onclick: () => box.remove() }, icon("close"));
  const box = make("div", { role: "alert" }, make("p", {}, text), close);
  byId("notices").append(box);
}
