/** The welcome screen: one photo colorized live, to compare, and samples to start with. */

import { byId, make, set } from "./element.js";
import { notice } from "./notices.js";
import { addFiles } from "./photos.js";
import { colorings } from "./service.js";
import { listen, store } from "./store.js";

const SAMPLES = [["photographer", "A man with a camera"], ["astronaut", "An astronaut"], ["coffee", "A cup of coffee"]];
const SHOWN = 4;
const SEED = 7; // as in all pictures of the documents

let asked = false;

export const isSample = (name) => SAMPLES.some(([known]) => known === name);

export function setUpWelcome() {
  byId("samples").replaceChildren(...SAMPLES.map(([name, words]) => {
    const picture = make("img", { src: `page/samples/${name}.jpg`, alt: words, width: 132, height: 132 });
    return make("li", {}, make("button", { type: "button", title: words, onclick: () => addSample(name) }, picture));
  }));
  const slider = byId("hero-wipe");
  slider.oninput = () => byId("hero").style.setProperty("--wiped", slider.value / 100);
  slider.oninput();
  listen(() => {
    if (!store.model || asked || store.view.photos.length) return;
    asked = true;
    color();
  });
}

async function fetchSample(name) {
  const answer = await fetch(`page/samples/${name}.jpg`, { cache: "force-cache" }); // the picture on the page has asked already
  if (!answer.ok) throw new Error(`The sample is missing: ${answer.status}.`);
  return new File([await answer.blob()], `${name}.jpg`, { type: "image/jpeg" });
}

/** Add one of the samples, as if the user had chosen its file. */
export async function addSample(name) {
  try {
    addFiles([await fetchSample(name)], name);
  } catch {
    notice("The service does not answer. Is it still running?");
  }
}

/** Colorize the first sample; without an answer (where a key is needed, say) it stays gray. */
async function color() {
  const aborter = new AbortController();
  const image = await fetchSample(SAMPLES[0][0]).catch(() => null);
  if (!image) return;
  listen(() => store.view.photos.length && aborter.abort());
  const onColoring = ({ blob }) => {
    const url = URL.createObjectURL(blob);
    const picture = make("img", { src: url, alt: "" });
    const place = byId("hero-colorings").children.length + 1;
    const button = make("button", { type: "button", "aria-label": `Coloring ${place}`, onclick: () => choose(button, url) }, picture);
    byId("hero-colorings").append(make("li", {}, button));
    if (place === 1) choose(button, url);
  };
  await colorings("colorizations", { image, n: SHOWN, seed: SEED }, { onColoring, signal: aborter.signal, quiet: true }).catch(() => {});
}

function choose(button, url) {
  byId("hero-after").src = url;
  byId("hero").classList.add("colored");
  byId("hero-wipe").disabled = false;
  for (const each of byId("hero-colorings").querySelectorAll("button")) set(each, "aria-current", each === button);
}
