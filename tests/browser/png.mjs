// SPDX-License-Identifier: Apache-2.0
// A screenshot with a palette: flat pages need few colours, and the repository few bytes.

import { deflateSync, inflateSync } from 'node:zlib';

const COLOURS = 56, STEP = 8; // kept colours; channels are first rounded to this
const APART = 60 ** 2; // of the kept ones half are at least so far from each other: a small coloured mark stays coloured

function* chunksOf(png) {
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    yield { type: png.toString('latin1', at + 4, at + 8), data: png.subarray(at + 8, at + 8 + png.readUInt32BE(at)) };
}

function paeth(a, b, c) {
  const p = a + b - c, [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/** 8 bits a channel, no interlace, three or four channels: what Chromium writes. */
function decode(png) {
  const parts = [...chunksOf(png)], head = parts[0].data;
  const [width, height, n] = [head.readUInt32BE(0), head.readUInt32BE(4), head[9] === 6 ? 4 : 3];
  const raw = inflateSync(Buffer.concat(parts.filter((c) => c.type === 'IDAT').map((c) => c.data)));
  const row = width * n, out = Buffer.alloc(row * height);
  for (let y = 0; y < height; y++) {
    const kind = raw[y * (row + 1)];
    for (let x = 0; x < row; x++) {
      const a = x >= n ? out[y * row + x - n] : 0, b = y ? out[(y - 1) * row + x] : 0, c = x >= n && y ? out[(y - 1) * row + x - n] : 0;
      const guess = [0, a, b, (a + b) >> 1, paeth(a, b, c)][kind];
      out[y * row + x] = (raw[y * (row + 1) + 1 + x] + guess) & 255;
    }
  }
  return { width, height, n, out };
}

const crcs = Int32Array.from({ length: 256 }, (_, i) => {
  let c = i;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]), frame = Buffer.alloc(8 + body.length);
  let crc = -1;
  for (const byte of body) crc = crcs[(crc ^ byte) & 255] ^ (crc >>> 8);
  frame.writeUInt32BE(data.length, 0);
  body.copy(frame, 4);
  frame.writeInt32BE(~crc, 4 + body.length);
  return frame;
}

const far = (p, q) => (((p >> 16) - (q >> 16)) ** 2) + ((((p >> 8) & 255) - ((q >> 8) & 255)) ** 2) + (((p & 255) - (q & 255)) ** 2);

/** The most frequent colours; the rest goes to the nearest of them. */
function palette(keys) {
  const counts = new Map();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  const list = [...counts].sort((a, b) => b[1] - a[1]).map(([key]) => key), kept = [];
  for (const key of list) if (kept.length < COLOURS / 2 && kept.every((q) => far(key, q) > APART)) kept.push(key);
  for (const key of list) if (kept.length < COLOURS && !kept.includes(key)) kept.push(key);
  const index = new Map(kept.map((key, i) => [key, i]));
  for (const key of list) if (!index.has(key)) index.set(key, kept.reduce((best, q, i) => (far(key, q) < far(key, kept[best]) ? i : best), 0));
  return { kept, index };
}

export function small(png) {
  const { width, height, n, out } = decode(png);
  const round = (v) => Math.min(255, Math.round(v / STEP) * STEP);
  const keys = Uint32Array.from({ length: width * height }, (_, i) => (round(out[i * n]) << 16) | (round(out[i * n + 1]) << 8) | round(out[i * n + 2]));
  const { kept, index } = palette(keys);
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = index.get(keys[y * width + x]);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const colours = Buffer.from(kept.flatMap((key) => [key >> 16, (key >> 8) & 255, key & 255]));
  return Buffer.concat([png.subarray(0, 8), chunk('IHDR', head), chunk('PLTE', colours), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}
