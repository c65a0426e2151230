/** The model that drew a coloring, and the service's present model, which may differ after a restart. */

import { model } from "./service.js";
import { amend, store } from "./store.js";

/** Identify a model by its name and the start of its weights' checksum. */
export const modelName = ({ id, sha256 }) => `${id}.${sha256.slice(0, 8)}`;

/** The name in such an identifier. */
export const modelId = (name) => name.slice(0, Math.max(0, name.lastIndexOf(".")));

/** The identifier of the model that an answer names; answers of version 1.0 of the service have no checksum. */
export const answeredBy = ({ model, model_sha256: sha256 }) => modelName({ id: model, sha256: sha256 ?? "earlier" });

/** The name of the model that drew a sample; null if that is not known. */
export const modelOf = ({ model, run }) => model ?? (run.model ? `${run.model}.earlier` : null);

/** Whether the service would draw a sample again as it is, as far as the page knows. */
export const isServed = (sample) => !store.model || modelOf(sample) === modelName(store.model);

/** Ask the service which model it has now. */
export async function refreshModel(options) {
  const loaded = await model(options);
  if (!store.model || modelName(loaded) !== modelName(store.model)) {
    store.model = loaded;
    amend({});
  }
}
