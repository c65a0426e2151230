/** Start of the page: set up every part, then ask the service for its model. */

import { setUpAlbum } from "./album.js";
import { setUpArrival } from "./arrival.js";
import { setUpBack } from "./back.js";
import { setUpCompare } from "./compare.js";
import { setUpDrop } from "./drop.js";
import { offerEarlier } from "./earlier.js";
import { byId, setUpSliders } from "./element.js";
import { setUpFiles } from "./files.js";
import { setUpGallery } from "./gallery.js";
import { setUpHistory } from "./history.js";
import { setUpKept } from "./kept.js";
import { setUpReference } from "./reference.js";
import { revive } from "./photos.js";
import { setUpResume } from "./resume.js";
import { refreshModel } from "./served.js";
import { setUpSession } from "./session.js";
import { setUpSettings } from "./settings.js";
import { listen, store } from "./store.js";
import { setUpStrip } from "./strip.js";
import { setUpTheme } from "./theme.js";
import { setUpUndo } from "./undo.js";
import { setUpViewer } from "./viewer.js";
import { setUpWelcome } from "./welcome.js";
import { errorWords } from "./words.js";
import { setUpWork } from "./work.js";

const parts = [setUpSliders, setUpWork, setUpTheme, setUpFiles, setUpReference, setUpSettings, setUpGallery, setUpStrip, setUpAlbum, setUpHistory, setUpKept, setUpCompare, setUpViewer, setUpUndo, setUpWelcome, setUpResume];
for (const setUp of parts) setUp();

const note = byId("model-note");

function tell(problem) {
  const { title, detail } = errorWords(problem);
  note.hidden = false;
  note.textContent = `${title} ${detail}`;
}

listen(() => store.model && (note.hidden = true)); // another request may learn first that the service is ready
const ready = setUpSession(revive);
setUpDrop(ready);
await ready;
if (!store.view.photos.length) offerEarlier().catch(() => {}); // without it, the page works as well
setUpArrival(); // after the photos from before a reload: a link says what it is for
setUpBack(); // after it: the address of a link whose coloring has not come must stay
try {
  await refreshModel({ onWait: (problem) => store.model || tell(problem) });
} catch (problem) {
  if (!store.model) tell(problem);
}
