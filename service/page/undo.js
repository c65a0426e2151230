/** Undo and redo: buttons, and the usual keys outside of text fields. */

import { byId } from "./element.js";
import { canRedo, canUndo, listen, redo, undo } from "./store.js";

export function setUpUndo() {
  byId("undo").onclick = undo;
  byId("redo").onclick = redo;
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches('input[type="number"], input[type="text"], input[type="password"]')) return;
    const letter = /^[a-z]$/i.test(event.key) ? event.key : event.code.replace("Key", ""); // for other scripts, use the keys' places
    const key = letter.toLowerCase();
    const action = key === "y" || (key === "z" && event.shiftKey) ? redo : key === "z" ? undo : null;
    if (!action) return;
    event.preventDefault();
    action();
  });
  listen(() => {
    const focused = document.activeElement;
    byId("undo").disabled = !canUndo();
    byId("redo").disabled = !canRedo();
    if (focused === byId("undo") && focused.disabled) byId("redo").focus();
    if (focused === byId("redo") && focused.disabled) byId("undo").focus();
  });
}
