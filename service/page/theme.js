/** Light or dark theme: the system's, until the button changes it. */

import { byId } from "./element.js";
import { recall, remember } from "./storage.js";

const NAME = "tintflow-theme";
const root = document.documentElement;

export function setUpTheme() {
  const stored = recall("localStorage", NAME);
  if (stored) root.dataset.theme = stored;
  byId("theme").onclick = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember("localStorage", NAME, root.dataset.theme);
  };
}
