/** Work on all photos: its beginning, its progress, and its end before time. */

import { cancelAlbum, colorizeAll, resumeAlbum } from "./actions.js";
import { saveAll, whileDisabled } from "./download.js";
import { byId } from "./element.js";
import { notice } from "./notices.js";
import { coverOf } from "./photo.js";
import { removeAll } from "./photos.js";
import { listen, store } from "./store.js";
import { count, errorWords } from "./words.js";
import { isBusy } from "./work.js";

export function setUpAlbum() {
  byId("album-run").onclick = colorizeAll;
  byId("album-cancel").onclick = cancelAlbum;
  byId("album-resume").onclick = resumeAlbum;
  byId("album-remove").onclick = removeAll;
  byId("album-download").onclick = async ({ currentTarget }) => {
    const error = await whileDisabled(currentTarget, () => saveAll(store.view.photos.map(coverOf).filter(Boolean), "colorings"));
    if (error) notice(errorWords(error).title);
  };
  listen(show);
}

function show() {
  const { photos } = store.view;
  byId("album").hidden = photos.length < 2;
  byId("album-title").textContent = `All ${count(photos.length, "photo")}`;
  byId("album-download").disabled = !photos.some(coverOf);
  const runs = store.album.filter((run) => photos.includes(run.photo));
  const busy = runs.some(isBusy);
  const stopped = runs.filter((run) => run.status === "stopped").length;
  byId("album-bar").hidden = !busy && !stopped;
  byId("album-cancel").hidden = !busy;
  byId("album-resume").hidden = busy || !stopped;
  const over = runs.filter((run) => run.status === "done" || run.status === "failed").length;
  const failed = runs.filter((run) => run.status === "failed").length;
  Object.assign(byId("album-progress"), { max: runs.length || 1, value: over });
  byId("album-words").textContent = `${over} of ${count(runs.length, "photo")}${failed ? `, ${failed} failed` : ""}${busy ? "" : ", stopped"}`;
}
