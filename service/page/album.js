/** Work on all photos: start, progress and cancellation. */

import { cancelAlbum, colorizeAll, isAlbumOpen, resumeAlbum } from "./actions.js";
import { saveAllFrom } from "./download.js";
import { byId, keepFocus } from "./element.js";
import { notice } from "./notices.js";
import { coverOf } from "./photo.js";
import { removeAll } from "./photos.js";
import { listen, store } from "./store.js";
import { UNDO, count, errorWords, waitWords } from "./words.js";
import { canGoOn, isBusy } from "./work.js";

export function setUpAlbum() {
  byId("album-run").onclick = colorizeAll;
  byId("album-cancel").onclick = cancelAlbum;
  byId("album-resume").onclick = resumeAlbum;
  byId("album-remove").onclick = () => {
    removeAll();
    byId("undo").focus();
    notice(`All photos are removed. ${UNDO}`);
  };
  byId("album-download").onclick = ({ currentTarget }) => saveAllFrom(currentTarget, store.view.photos.map(coverOf).filter(Boolean), "colorings");
  listen(() => keepFocus(show));
}

function show() {
  const { photos } = store.view;
  byId("album").hidden = photos.length < 2;
  byId("album-title").textContent = `All ${count(photos.length, "photo")}`;
  byId("album-download").disabled = !photos.some(coverOf);
  const runs = store.album.filter((run) => photos.includes(run.photo));
  const number = (has) => runs.filter(has).length;
  const [done, failed] = ["done", "failed"].map((status) => number((run) => run.status === status));
  const busy = runs.some(isBusy);
  const left = runs.some(canGoOn);
  byId("album-bar").hidden = !isAlbumOpen();
  byId("album-cancel").hidden = !busy;
  byId("album-resume").hidden = busy || !left;
  Object.assign(byId("album-progress"), { max: runs.length || 1, value: busy ? done + failed : done });
  const reasons = new Set(runs.filter((run) => run.status === "failed").map((run) => errorWords(run.error).title));
  byId("album-why").textContent = [...reasons].join(" ");
  const stopped = !busy && number((run) => run.status === "stopped");
  const wait = runs.find((run) => run.wait)?.wait;
  byId("album-words").textContent = `${done} of ${count(runs.length, "photo")}${failed ? `, ${failed} failed` : ""}${stopped ? ", stopped" : ""}${wait ? `. ${waitWords(wait)}` : ""}`;
}
