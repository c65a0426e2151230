/** The palette: colors that fit a point of the photo, named after objects. */

import { byId, clamp, make } from "./element.js";
import { dropIdeas, offerIdeas } from "./ideas.js";
import { atLightness } from "./lab.js";

/** [name, color, usual range of lightness L*]. */
const COLORS = [
  ["light skin", "#d9a98c", 35, 90], ["dark skin", "#8a5a3c", 15, 55], ["lips, rose", "#c46a70", 35, 70], ["blond hair", "#c9a86a", 50, 85],
  ["brown hair", "#6b4630", 8, 45], ["wood", "#8f6236", 25, 65], ["brick, rust", "#a03c28", 20, 55], ["red", "#c8202c", 20, 60],
  ["orange", "#d97a26", 45, 75], ["straw, sand", "#cfb271", 55, 90], ["gold, yellow", "#e2b93b", 60, 95], ["grass", "#6f8f3c", 35, 70],
  ["leaf", "#3f6b3a", 15, 55], ["sea", "#2f7f86", 25, 65], ["sky", "#7aaedb", 50, 95], ["denim", "#4a6890", 20, 60],
  ["navy", "#24365e", 5, 35], ["violet", "#7d5a96", 20, 65], ["stone, gray", "#8c8a86", 10, 95], ["cream", "#efe6d2", 75, 100],
];
const MOST = 10; // unless more things have this very lightness
const LEAST = 3;
const FAR = 15; // of L*, from what such things mostly have
const ALMOST_BLACK = 8; // L*
const ALMOST_WHITE = 97;
const BESIDE = 30; // pixels from the point to the palette
const EDGE = 8; // pixels from the palette to the edge of the stage
const USED = 4; // colors of other points, the latest
const LEAST_CHROMA = 0.4; // of the color's own, that sRGB must hold at the point's lightness

let onChoose = () => {};

/** Set up the palette: its choices go to whoever opened it. */
export function setUpPalette() {
  byId("palette-color").onchange = ({ target }) => choose(target.value, null);
  byId("palette-hex").onkeydown = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // it would press the point, which has the focus then
    const { value } = event.target;
    if (value && event.target.reportValidity()) choose(`#${value.replace("#", "").toLowerCase()}`, null);
  };
  byId("palette-pick").hidden = !("EyeDropper" in window);
  byId("palette-pick").onclick = async () => {
    const picked = await new window.EyeDropper().open().catch(() => null); // null: it was left with Escape
    if (picked) choose(picked.sRGBHex, null);
  };
  byId("palette-close").onclick = closePalette;
  byId("palette").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault(); // it closes the palette, not the whole view
    event.stopPropagation();
    closePalette();
    byId("stage").focus({ preventScroll: true });
  });
}

/** An idea is the color that its point has; other colors have their own lightness. */
function choose(chosen, name, isIdea = false) {
  const lightness = Number(byId("palette").dataset.lightness);
  closePalette();
  onChoose({ color: isIdea ? chosen : atLightness(chosen, lightness).hex, chosen, name });
}

export const isPaletteOpen = () => !byId("palette").hidden;

export function closePalette() {
  dropIdeas();
  byId("palette").hidden = byId("pending-dot").hidden = true;
}

/**
 * Show the colors that fit `lightness` beside a place on the stage, and those `used` for other points, {name, color}.
 * `now`: the color that the point has. `remove`: what the last button does, if there is one. `ideas`: see `offerIdeas`.
 */
export function openPalette(place, lightness, chosen, { used, now, remove, ideas }) {
  const palette = byId("palette");
  onChoose = chosen;
  palette.dataset.lightness = lightness;
  byId("palette-note").hidden = lightness > ALMOST_BLACK && lightness < ALMOST_WHITE;
  byId("palette-note").textContent = `This point is almost ${lightness > 50 ? "white" : "black"}: a color hardly shows here.`;
  const own = new Map(used.filter((each) => !COLORS.some(([name, color]) => name === each.name && color === each.color)).map((each) => [each.color, each]));
  const others = [...own.values()].slice(-USED).map((each) => ({ ...each, ...atLightness(each.color, lightness) }));
  byId("palette-swatches").replaceChildren(...[...fitting(lightness), ...others].map(swatch));
  byId("palette-hex").value = now ?? "";
  if (now) byId("palette-color").value = now;
  byId("palette-remove").hidden = !remove;
  byId("palette-remove").onclick = () => {
    closePalette();
    remove();
  };
  palette.hidden = byId("pending-dot").hidden = false;
  offerIdeas(ideas, (color, name) => choose(color, name, true));
  placePalette(place);
  byId("palette-swatches").firstChild.focus({ preventScroll: true });
}

/** Put the open palette beside a place on the stage. */
export function placePalette({ left, top }) {
  const palette = byId("palette");
  const { clientWidth, clientHeight } = byId("stage");
  palette.style.setProperty("--room", `${Math.floor(Math.max(left, clientWidth - left)) - BESIDE - EDGE}px`);
  byId("pending-dot").style.left = `${left}px`;
  byId("pending-dot").style.top = `${top}px`;
  const { offsetWidth, offsetHeight } = palette;
  const x = left + BESIDE + offsetWidth + EDGE <= clientWidth ? left + BESIDE : left - BESIDE - offsetWidth;
  palette.style.left = `${clamp(x, EDGE, Math.max(EDGE, clientWidth - offsetWidth - EDGE))}px`;
  palette.style.top = `${clamp(top - offsetHeight / 2, EDGE, Math.max(EDGE, clientHeight - offsetHeight - EDGE))}px`;
}

/** Colors of objects of this lightness, adapted to it. */
function fitting(lightness) {
  const all = COLORS.map(([name, color, low, high]) => ({ name, color, off: Math.max(low - lightness, lightness - high, 0), ...atLightness(color, lightness) }));
  const held = all.filter(({ kept }) => kept >= LEAST_CHROMA);
  const best = [...(held.length ? held : all)].sort((a, b) => a.off - b.off).filter(({ off }, i) => !off || i < LEAST || (i < MOST && off <= FAR));
  return all.filter((each) => best.includes(each));
}

function swatch({ name, color, hex }) {
  const dot = make("i", { "aria-hidden": "true" });
  dot.style.setProperty("--dot", hex);
  return make("button", { type: "button", className: "quiet", onclick: () => choose(color, name ?? null) }, dot, name ?? color);
}
