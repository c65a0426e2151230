/** Zip files without compression: pictures are compressed already. Source: PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.4. */

import { crc32, record } from "./bytes.js";

const UTF8 = 0x0800; // names are UTF-8
const JANUARY_1980 = 0x21; // the first date there is: files have no time of their own

/** Make a zip of `[{name, blob}]`; a name that comes twice gets a number. Holds up to 65535 files and 4 GB. */
export async function zip(files) {
  const parts = [];
  const directory = [];
  const names = new Set();
  let offset = 0;
  for (const { name, blob } of files) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const path = new TextEncoder().encode(unused(name, names));
    // version 2.0, flags, stored, time, date, CRC, compressed and plain size, length of the name, of extra fields
    const facts = record([20, 2], [UTF8, 2], [0, 2], [0, 2], [JANUARY_1980, 2], [crc32(bytes), 4], [bytes.length, 4], [bytes.length, 4], [path.length, 2], [0, 2]);
    parts.push(record([0x04034b50, 4]), facts, path, blob);
    directory.push(record([0x02014b50, 4], [20, 2]), facts, record([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), path);
    offset += 4 + facts.length + path.length + bytes.length;
  }
  const size = directory.reduce((sum, each) => sum + each.length, 0);
  const end = record([0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2], [size, 4], [offset, 4], [0, 2]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

function unused(name, names) {
  const [, stem, ending] = /^(.*?)(\.[^./]*)?$/s.exec(name);
  let free = name;
  for (let i = 2; names.has(free); i++) free = `${stem}-${i}${ending ?? ""}`;
  names.add(free);
  return free;
}
