/** The offer to go on with the photos of a tab that was closed, on the first look. */

import { byId } from "./element.js";
import { earlierSession, forget, takeOver } from "./session.js";
import { count } from "./words.js";

const DAY = { weekday: "long", month: "long", day: "numeric" };

/** Offer the photos of the tab that was closed last, if there is one. */
export async function offerEarlier() {
  const found = await earlierSession();
  byId("earlier").hidden = !found;
  if (!found) return;
  const { name, photos, changed } = found;
  byId("earlier-words").textContent = `Still here from ${new Date(changed).toLocaleDateString("en", DAY)}: ${count(photos, "photo")} with all colorings.`;
  byId("earlier-open").onclick = () => takeOver(name);
  byId("earlier-forget").onclick = async () => {
    await forget(name);
    await offerEarlier();
    if (byId("earlier").hidden) byId("files").focus();
  };
}
