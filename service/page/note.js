/**
 * The note of a coloring that a model made its colors, as XMP: found in the service's file, and put into the files that the
 * browser makes from it. Sources: XMP 2020 part 3; PNG 3, 11.3.3.4; RFC 9649, 2.7 (WebP).
 */

import { crc32, record } from "./bytes.js";

const HEAD = 60_000; // bytes at the beginning of the service's file: they hold its note. A note fits a JPEG's segment
const PACKET = /<\?xpacket begin.*?<\?xpacket end="."\?>/s;
const PROMPT = /( Iptc4xmpExt:AIPromptInformation=(["']).*?)\2/s;
const WEBP_ALPHA = 0x10; // flags of VP8X
const WEBP_XMP = 0x04;

const encode = (text) => new TextEncoder().encode(text);

/** Return the note of the service's file, which also names what a look changes; empty if the file has none. */
export async function noteOf(file, { saturation, warmth }) {
  const [note] = PACKET.exec(await file.slice(0, HEAD).text()) ?? [""];
  const changes = `${saturation === 1 ? "" : ` saturation=${saturation}`}${warmth === 0 ? "" : ` warmth=${warmth}`}`;
  return note.replace(PROMPT, `$1${changes}$2`);
}

/** Put a note into a JPEG, PNG or WebP that has none. */
export async function withNote(file, note) {
  if (!note) return file;
  const parts = { "image/jpeg": inJpeg, "image/png": inPng, "image/webp": inWebp }[file.type];
  return new Blob(parts(new Uint8Array(await file.arrayBuffer()), encode(note)), { type: file.type });
}

function inJpeg(bytes, note) {
  const size = (at) => 256 * bytes[at] + bytes[at + 1];
  let at = 2;
  while (size(at) === 0xffe0 || size(at) === 0xffe1) at += 2 + size(at + 2); // JFIF and EXIF stay the first
  const name = encode("http://ns.adobe.com/xap/1.0/\0");
  return [bytes.subarray(0, at), Uint8Array.of(0xff, 0xe1), record([2 + name.length + note.length, 2]).reverse(), name, note, bytes.subarray(at)];
}

function inPng(bytes, note) {
  const at = 33; // after the signature and IHDR
  const chunk = Uint8Array.from([...encode("iTXtXML:com.adobe.xmp"), 0, 0, 0, 0, 0, ...note]); // uncompressed, in no language
  return [bytes.subarray(0, at), record([chunk.length - 4, 4]).reverse(), chunk, record([crc32(chunk), 4]).reverse(), bytes.subarray(at)];
}

function inWebp(bytes, note) {
  const isExtended = bytes[15] === "X".charCodeAt();
  const head = isExtended ? bytes.slice(20, 30) : webpHead(bytes);
  head[0] |= WEBP_XMP;
  const chunks = [encode("VP8X"), record([head.length, 4]), head, bytes.subarray(isExtended ? 30 : 12), encode("XMP "), record([note.length, 4]), note, new Uint8Array(note.length % 2)];
  return [encode("RIFF"), record([4 + chunks.reduce((sum, each) => sum + each.length, 0), 4]), encode("WEBP"), ...chunks];
}

/** The content of VP8X for a WebP without it: a lossless one (VP8L), which may have alpha, or another (VP8). */
function webpHead(bytes) {
  const view = new DataView(bytes.buffer);
  const facts = view.getUint32(21, true); // of VP8L
  const lossless = [facts & 0x3fff, (facts >> 14) & 0x3fff, (facts >> 28) & 1];
  const lossy = () => [(view.getUint16(26, true) & 0x3fff) - 1, (view.getUint16(28, true) & 0x3fff) - 1, 0];
  const [right, bottom, alpha] = bytes[15] === "L".charCodeAt() ? lossless : lossy();
  return record([alpha * WEBP_ALPHA, 4], [right, 3], [bottom, 3]);
}
