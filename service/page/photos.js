/** Photos: adding and colorizing them in turn, removing them, and restoring them after a reload. */

import { colorizeFirst, lookAt, showing, withMore } from "./actions.js";
import { accepted } from "./files.js";
import { enlivenPhoto, newPhoto } from "./photo.js";
import { EARLIER_SPREAD, amend, change, store, withHints } from "./store.js";
import { enlivenRun, isBusy, start } from "./work.js";

/** Add files; `example`: the name of one of the page's samples. */
export function addFiles(files, example) {
  const photos = accepted(files).map((file) => newPhoto(file, example));
  if (!photos.length) return;
  for (const view of document.querySelectorAll(".viewer[open], .compare[open]")) view.close(); // it would hide them
  const [photo] = photos;
  change({ photos: [...store.view.photos, ...photos], photo, runs: [], ...withHints(photo, store.link?.fields ?? {}) });
  amend(showing(colorizeFirst(photos)));
  scrollTo(0, 0);
}

/** Remove a photo, until undo. */
export function removePhoto(photo) {
  const { photos, kept } = store.view;
  const rest = photos.filter((each) => each !== photo);
  const next = rest[Math.min(photos.indexOf(photo), rest.length - 1)] ?? null;
  change({ photos: rest, ...lookAt(next), kept: kept.filter((sample) => sample.run.photo !== photo) });
}

/** Remove all photos, until undo. */
export function removeAll() {
  change({ photos: [], ...lookAt(null), kept: [] });
}

/** Restore the session from before a reload, and continue its work. */
export function revive({ view, album, reference = null }) {
  for (const photo of view.photos) {
    enlivenPhoto(photo);
    for (const run of photo.runs) {
      run.picture ??= run.kind === "transfers" ? run.source : null; // stored by an earlier version
      if (run.fields.hints) run.fields.hint_spread ??= EARLIER_SPREAD;
      enlivenRun(run);
    }
  }
  Object.assign(store, { album, reference });
  const latest = (photo) => photo.runs.findLast((run) => !run.follows && !run.superseded);
  view.grids ??= new Map(view.photos.filter(latest).map((photo) => [photo, withMore(latest(photo))])); // stored by an earlier version
  view.spreads ??= new Map([...(view.hints ?? [])].filter(([, hints]) => hints.length).map(([photo]) => [photo, EARLIER_SPREAD]));
  amend(view);
  const shown = [...view.grids.values()].flat();
  const isCut = (run) => run.error?.code === "unreachable" && shown.includes(run); // browsers may end its request before they say that the page goes
  view.photos.flatMap(({ runs }) => runs).filter((run) => isBusy(run) || isCut(run)).forEach(start);
}
