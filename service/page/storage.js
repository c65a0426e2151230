/** Texts in the browser's own storage. Where the browser blocks it, they last as long as the page is open. */

const texts = new Map();

/** Return a text by its name, or null; `storage` is `localStorage` or `sessionStorage`. */
export function recall(storage, name) {
  if (texts.has(name)) return texts.get(name);
  try {
    return window[storage].getItem(name);
  } catch {
    return null;
  }
}

export function remember(storage, name, text) {
  texts.set(name, text);
  try {
    window[storage].setItem(name, text);
  } catch {} // blocked or full
}
