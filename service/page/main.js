/** The page's beginning: every part is set up, then the service is asked what it is. */

import { byId } from "./element.js";
import { setUpGallery } from "./gallery.js";
import { setUpHistory } from "./history.js";
import { setUpLink } from "./link.js";
import { setUpMarks } from "./marks.js";
import { setUpPhotos } from "./photos.js";
import { setUpReference } from "./reference.js";
import { model } from "./service.js";
import { setUpSettings } from "./settings.js";
import { amend, store } from "./store.js";
import { setUpStrip } from "./strip.js";
import { setUpTheme } from "./theme.js";
import { setUpUndo } from "./undo.js";
import { setUpViewer } from "./viewer.js";
import { errorWords } from "./words.js";

for (const setUp of [setUpTheme, setUpPhotos, setUpReference, setUpSettings, setUpGallery, setUpStrip, setUpHistory, setUpMarks, setUpViewer, setUpUndo, setUpLink]) setUp();

const note = byId("model-note");

function tell(problem) {
  const { title, detail } = errorWords(problem);
  note.hidden = false;
  note.textContent = `${title} ${detail}`;
}

try {
  store.model = await model({ onWait: tell });
  note.hidden = true;
  amend({});
} catch (problem) {
  tell(problem);
}
