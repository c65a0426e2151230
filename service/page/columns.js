/** Width of cards: the largest at which all are in view; if that is too small, the grid scrolls. */

const GAP = 16; // pixels, as in gallery.css
const FOOT = 64; // of a card, and the space below it
const LEAST = 280; // pixels, of a picture of 3 : 2
const LOW = 64; // minimum height of a picture in pixels, for the last card's text
export const UPRIGHT = 2 / 5; // the narrowest shape of a card's picture, and the lowest: a photo beyond leaves room in it
export const FLAT = 4;

/** Return `{columns, width}` of `count` cards whose pictures are `ratio` times as wide as high, in a room of pixels. */
export function columnsFor(count, ratio, room) {
  const wide = (columns) => (room.width - GAP * (columns - 1)) / columns;
  const high = (columns) => (room.height / Math.ceil(count / columns) - FOOT) * ratio;
  const all = Array.from({ length: count }, (_, i) => ({ columns: i + 1, width: Math.min(wide(i + 1), high(i + 1)) }));
  const best = all.reduce((a, b) => (b.width > a.width ? b : a));
  const least = Math.max(LOW * ratio, room.width < 600 ? 150 : LEAST * Math.min(1, Math.sqrt(ratio / 1.5))); // upright pictures are as large
  if (best.width >= least) return best;
  const columns = Math.max(1, Math.floor((room.width + GAP) / (least + GAP)));
  return { columns, width: wide(columns) };
}
