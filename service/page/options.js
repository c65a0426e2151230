/** Limits and defaults of the service's options. Made from model/options.py by `python -m service.api.generate`: do not edit. */

export const MAX_SEED = 4294967295;
export const MAX_INDEX = 63;
export const MAX_HINTS = 32;
export const SPREAD = 0.5;
export const COUNT = 4;
export const STRENGTH = 0.3;
export const STEPS = 5;
export const CLOSENESS = 0.9;
