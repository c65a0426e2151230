/**
 * The session that survives a reload: this tab's photos, colorings and settings, in the browser's storage. Each tab has its
 * own session; a new tab may take over that of a closed one. Files are written once, the rest after each change: user
 * actions at once, arriving colorings a moment later. The undo history does not survive a reload.
 */

import { notice } from "./notices.js";
import { listen, store } from "./store.js";

const NAME = "tintflow";
const PAUSE = 300; // milliseconds from a coloring until it is written, with those that come meanwhile
const LIFETIME = 7 * 24 * 3600 * 1000; // milliseconds; people go on with a closed tab's photos on another day

let database = null;
let session = null;
let stored = new Set(); // files that are written
const numbers = new WeakMap(); // of files
let next = 0;
let seen = null; // the view at the last change
let timer = null;
let writing = Promise.resolve();
let isDue = false; // whether a write waits for the one before
let isFull = false; // whether the last write failed, which was said
let isLost = false; // whether the browser let go of the session's name while the page stayed

/** Restore the session from before a reload, then store changes. `revive` makes live photos from stored ones. */
export async function setUpSession(revive) {
  try {
    session = await ownSession();
    database = await open();
    await forgetOld();
    const state = await read();
    if (state && !store.view.photos.length) revive(state);
  } catch {
    database = null; // no storage, or none left: the page works without
  }
  if (!database) return listen(() => store.view.photos.length && warn());
  listen(() => {
    if (store.view !== seen) save();
    else timer ??= setTimeout(save, PAUSE);
    seen = store.view;
  });
  addEventListener("pagehide", () => isFull || write(true).catch(() => {})); // it can wait for no other
  addEventListener("pageshow", comeBack);
}

/** The number of this tab's session. A duplicated tab begins its own: two must not write one. */
async function ownSession() {
  const known = sessionStorage.getItem(NAME);
  const own = known && (await claim(known)) ? known : crypto.getRandomValues(new Uint32Array(2)).join("");
  if (own !== known) await claim(own);
  sessionStorage.setItem(NAME, own);
  return own;
}

const lockOf = (name) => `${NAME} ${name}`;

/** Hold the name of a session as long as the page is open; false if another tab holds it. */
function claim(name) {
  if (!navigator.locks) return ask(name); // outside of a secure context
  return new Promise((resolve) => {
    navigator.locks.request(lockOf(name), { ifAvailable: true }, (lock) => {
      resolve(Boolean(lock));
      return lock ? new Promise(() => {}) : undefined;
    }).catch(() => (isLost = true));
  });
}

/** Hold the session's name again: Safari lets go of it when the page goes, and Back shows the page as it was. */
async function comeBack({ persisted }) {
  if (!persisted) return;
  await navigator.locks?.query(); // only then is the loss known
  if (isLost) {
    isLost = false;
    if (!(await claim(session))) return leave();
    stored = new Set(); // another tab may have deleted them
  }
  save();
}

/** The same without locks: the tab that holds the name answers. */
function ask(name, isKept = true) {
  const channel = new BroadcastChannel(lockOf(name));
  return new Promise((resolve) => {
    channel.onmessage = ({ data }) => data === "taken" && resolve(false);
    channel.postMessage("free?");
    setTimeout(resolve, 100, true);
  }).then((free) => {
    if (free && isKept) channel.onmessage = ({ data }) => (data === "leave" ? leave(channel) : data === "free?" && channel.postMessage("taken"));
    else channel.close();
    return free;
  });
}

/** Begin anew: another tab has taken over the session while this one slept, as background tabs on phones do. */
function leave(channel) {
  channel?.close();
  database = null; // nothing more is written
  sessionStorage.removeItem(NAME);
  location.reload();
}

/** Without locks, a session that seems free may be that of a tab that sleeps; it gets this when it wakes. */
function sendAway(name) {
  if (!navigator.locks) new BroadcastChannel(lockOf(name)).postMessage("leave");
}

/** Whether no open tab holds a session's name. The name stays free, since its closed tab may be opened again. */
async function isFree(name) {
  if (!navigator.locks) return ask(name, false);
  const { held } = await navigator.locks.query();
  return !held.some((lock) => lock.name === lockOf(name));
}

/** Return `{name, photos, changed}` of the closed tab's session that changed last, with its number of photos, or null. */
export async function earlierSession() {
  if (!database) return null;
  const states = database.transaction("states").objectStore("states");
  const [names, found] = await Promise.all([result(states.getAllKeys()), result(states.getAll())]);
  const all = found.map(({ view, changed }, i) => ({ name: names[i], photos: view.photos.length, changed }));
  for (const one of all.sort((some, other) => other.changed - some.changed)) {
    if (one.name !== session && one.photos && (await isFree(one.name))) return one;
  }
  return null;
}

/** Go on with the session of a closed tab in this one. */
export function takeOver(name) {
  sendAway(name);
  sessionStorage.setItem(NAME, name);
  location.reload();
}

/** Delete the session of a closed tab. */
export async function forget(name) {
  if (!(await isFree(name))) return;
  sendAway(name);
  const transaction = database.transaction(["states", "files"], "readwrite");
  forgetIn(transaction, name);
  await completed(transaction);
}

function forgetIn(transaction, name) {
  transaction.objectStore("states").delete(name);
  transaction.objectStore("files").delete(filesOf(name));
}

function open() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("states");
    request.result.createObjectStore("files");
  };
  return result(request);
}

const result = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const completed = (transaction) => new Promise((resolve, reject) => {
  transaction.oncomplete = resolve;
  transaction.onabort = () => reject(transaction.error);
});

const filesOf = (name) => IDBKeyRange.bound([name], [name, []]);

/** Delete old sessions of closed tabs. An open tab, too, may be unchanged for a week. */
async function forgetOld() {
  const locks = await navigator.locks?.query();
  const held = new Set(locks?.held.map(({ name }) => name));
  const transaction = database.transaction(["states", "files"], "readwrite");
  const states = transaction.objectStore("states");
  for (const name of await result(states.getAllKeys())) {
    const { changed } = await result(states.get(name));
    if (name === session || held.has(lockOf(name)) || Date.now() - changed < LIFETIME) continue;
    forgetIn(transaction, name);
  }
  await completed(transaction);
}

/** Return the state, with files in the places of their numbers; null if there is none. */
async function read() {
  const transaction = database.transaction(["states", "files"]);
  const found = await result(transaction.objectStore("states").get(session));
  if (!found) return null;
  const store = transaction.objectStore("files");
  const [keys, files] = await Promise.all([result(store.getAllKeys(filesOf(session))), result(store.getAll(filesOf(session)))]);
  const byNumber = new Map(keys.map(([, number], i) => [number, files[i]]));
  for (const [number, file] of byNumber) numbers.set(file, number);
  stored = new Set(files);
  next = Math.max(-1, ...byNumber.keys()) + 1;
  const file = (number) => byNumber.get(number);
  for (const photo of found.view.photos) {
    photo.file = file(photo.file);
    for (const run of photo.runs) {
      if ("reference" in run.fields) run.fields.reference = file(run.fields.reference);
      for (const sample of run.slots) if (sample) sample.blob = file(sample.blob);
    }
  }
  if (found.reference) found.reference.file = file(found.reference.file);
  return found;
}

function save() {
  if (isDue) return;
  isDue = true;
  writing = writing.then(() => write()).then(() => (isFull = false), warn);
}

/** Warn that nothing more is stored. The next change may need less room. */
function warn() {
  if (!isFull) notice("Your browser cannot store more: a reload would lose everything new. Download what you want to keep.");
  isFull = true;
}

/**
 * Write what has changed: new files first, and the rest only if they are stored. `isLast`: the page goes before the answers, so
 * everything is stored in one transaction, or nothing.
 */
async function write(isLast = false) {
  clearTimeout(timer);
  timer = null;
  isDue = false;
  const used = new Set();
  const state = copyOf(store, (blob) => {
    used.add(blob);
    if (!numbers.has(blob)) numbers.set(blob, next++);
    return numbers.get(blob);
  });
  const added = [...used].filter((blob) => !stored.has(blob));
  if (!isLast) await add(added);
  const transaction = database.transaction(["states", "files"], "readwrite");
  const files = transaction.objectStore("files");
  if (isLast) for (const blob of added) files.put(blob, [session, numbers.get(blob)]);
  for (const blob of stored) if (!used.has(blob)) files.delete([session, numbers.get(blob)]);
  transaction.objectStore("states").put({ ...state, changed: Date.now() }, session);
  transaction.commit(); // also where the page goes before the answer
  await completed(transaction);
  stored = used;
}

/** Store files. In Safari, whose private windows store none, the transaction completes without those that fail. */
async function add(blobs) {
  if (!blobs.length) return;
  const transaction = database.transaction("files", "readwrite");
  const files = transaction.objectStore("files");
  let failure = null;
  for (const blob of blobs) files.put(blob, [session, numbers.get(blob)]).onerror = ({ target }) => (failure = target.error);
  transaction.commit();
  await completed(transaction);
  if (failure) throw failure;
}

/** Copy the storable state. Photos, runs and samples keep their references to each other; files become numbers. */
function copyOf({ view, album, reference }, numberOf) {
  const copies = new Map();
  const once = (build) => (of) => {
    if (!of) return null;
    if (!copies.has(of)) {
      const copy = {};
      copies.set(of, copy); // before it is filled: what it holds refers back to it
      Object.assign(copy, build(of));
    }
    return copies.get(of);
  };
  const photo = once(({ file, runs, example, name, width, height }) => ({ example, name, width, height, file: numberOf(file), runs: runs.map(run) }));
  const sample = once(({ url, blob, run: of, ...rest }) => ({ ...rest, blob: numberOf(blob), run: run(of) }));
  const run = once((of) => {
    const { id, samples, error, wait, aborter, fields, slots, ...rest } = of;
    const reference = fields.reference ? { reference: numberOf(fields.reference) } : {};
    const others = { photo: photo(of.photo), follows: run(of.follows), base: run(of.base), source: sample(of.source), picture: sample(of.picture), ends: isOpen(of) ? of.ends.map(sample) : null, replaces: (of.replaces ?? []).map(sample) };
    return { ...rest, ...others, error: error && { ...error, message: error.message }, fields: { ...fields, ...reference }, slots: slots.map(sample) };
  });
  const keys = (map, copy) => new Map([...map].map(([key, value]) => [copy(key), value]).filter(([key]) => key));
  const isOpen = ({ ends, samples }) => ends && !samples.length && ends.every(here); // what it begins with is not settled
  const here = (of) => view.photos.includes(of.photo ?? of.run?.photo ?? of);
  const grids = new Map([...view.grids].filter(([of]) => here(of)).map(([of, runs]) => [photo(of), runs.map(run)]));
  const hints = new Map([...view.hints].filter(([of]) => here(of)));
  const spreads = new Map([...view.spreads].filter(([of]) => here(of)));
  const looks = new Map([...view.looks].filter(([of]) => here(of)));
  return {
    view: {
      photos: view.photos.map(photo), photo: photo(view.photo), runs: view.runs.map(run), kept: view.kept.map(sample),
      grids, hints: keys(hints, photo), spreads: keys(spreads, photo), looks: keys(looks, sample), settings: view.settings,
    },
    album: album.filter(here).map(run),
    reference: reference && view.photos.length ? { ...reference, file: numberOf(reference.file) } : null, // it goes with the last photo
  };
}
