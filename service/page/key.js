/** The service's API key, if required; kept only in this tab. */

import { openDialog } from "./back.js";
import { byId } from "./element.js";
import { recall, remember } from "./storage.js";

const NAME = "tintflow-key";
let asking = null;

export const storedKey = () => recall("sessionStorage", NAME);

/** Ask for a key, once for all waiting requests. Return whether there is one other than `refused`. */
export function askForKey(refused) {
  if (storedKey() !== refused) return Promise.resolve(true); // another request has been given one meanwhile
  asking ??= new Promise((resolve) => {
    const dialog = byId("key-dialog");
    const input = byId("key");
    if (refused) byId("key-note").textContent = "The service does not know this key. Is it spelled right?";
    dialog.returnValue = "";
    byId("key-cancel").onclick = () => dialog.close();
    dialog.addEventListener("close", () => {
      asking = null;
      const given = dialog.returnValue === "use";
      if (given) remember("sessionStorage", NAME, input.value.replace(/[^\x21-\x7e]/g, ""));
      input.value = "";
      resolve(given);
    }, { once: true });
    openDialog(dialog);
  });
  return asking;
}
