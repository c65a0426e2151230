/**
 * The browser's Back button, or a phone's gesture: closes the dialog that covers the page, as Escape does. An open dialog has
 * an entry in the browser's history, above the page's own; closing it by other ways takes that entry away.
 */

import { store } from "./store.js";

const PAGE = "page"; // states of these two entries
const DIALOG = "dialog";
let isLeaving = false; // whether the page itself goes back

const topDialog = () => [...document.querySelectorAll("dialog[open]")].at(-1);

export function setUpBack() {
  addEventListener("popstate", arrive);
  addEventListener("close", settle, true);
  settle(); // after a reload, no dialog is open
}

export function openDialog(dialog) {
  dialog.showModal();
  settle();
}

/** Let there be an entry for dialogs if, and only if, one is open. */
function settle() {
  if (isLeaving) return; // `arrive` settles it
  const isInside = history.state === DIALOG;
  if (topDialog() && !isInside) enter();
  if (!topDialog() && isInside) leave();
}

function enter() {
  history.replaceState(PAGE, "");
  history.scrollRestoration = "manual"; // coming back scrolls nothing: new colorings may have come into view
  history.pushState(DIALOG, "");
  history.scrollRestoration = "auto";
}

function leave() {
  isLeaving = true;
  history.back();
}

/** The browser is at another entry. */
function arrive() {
  if (history.state === null) return settle(); // of a link, perhaps while the page goes back
  const dialog = topDialog();
  if (history.state === PAGE) {
    history.scrollRestoration = "auto";
    if (location.hash && !store.link) history.replaceState(PAGE, "", location.pathname); // its coloring has come: do not open it again
    if (dialog && !isLeaving && dialog.dispatchEvent(new Event("cancel", { cancelable: true }))) dialog.close();
  }
  isLeaving = false;
  settle();
}
