// SPDX-License-Identifier: Apache-2.0
// What a WAV file (PCM, 16 bit) sounds like: the strongest tone, its level, and how much of the sound it is.

import { readFile } from 'node:fs/promises';

function wavSamples(file) {
  if (file.toString('latin1', 0, 4) !== 'RIFF') throw new Error('no WAV file');
  let [rate, channels] = [8000, 1];
  for (let at = 12; at + 8 <= file.length; ) {
    const [name, bytes] = [file.toString('latin1', at, at + 4), file.readUInt32LE(at + 4)];
    if (name === 'fmt ') [channels, rate] = [file.readUInt16LE(at + 10), file.readUInt32LE(at + 12)];
    if (name === 'data') {
      // A recorder that was not closed leaves the size of an empty file.
      const end = bytes ? Math.min(file.length, at + 8 + bytes) : file.length;
      const samples = [];
      for (let i = at + 8; i + 1 < end; i += 2 * channels) samples.push(file.readInt16LE(i) / 32_768);
      return { rate, samples };
    }
    at += 8 + bytes + (bytes & 1);
  }
  throw new Error('a WAV file without sound');
}

/** Power of one frequency in a window that was shaped by Hann (Goertzel), of a full-scale sine 1. */
function power(shaped, rate, hz) {
  const turn = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let a = 0;
  let b = 0;
  for (let i = 0; i < shaped.length; i++) {
    const next = shaped[i] + turn * a - b;
    b = a;
    a = next;
  }
  return (a * a + b * b - turn * a * b) * (4 / shaped.length) ** 2;
}

function strongest(window, rate, from, to, step) {
  let best = { hz: 0, power: -1 };
  for (let hz = from; hz <= to; hz += step) {
    const now = power(window, rate, hz);
    if (now > best.power) best = { hz, power: now };
  }
  return best;
}

/** One window: coarse steps of half a lobe first, then finer ones around the best. */
function toneOf(window, rate) {
  const shaped = Float64Array.from(window, (x, i) => x * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / window.length)));
  let best = strongest(shaped, rate, 100, Math.min(3900, rate / 2 - 50), rate / window.length);
  for (const step of [2, 0.2]) best = strongest(shaped, rate, best.hz - 8 * step, best.hz + 8 * step, step);
  const energy = window.reduce((sum, x) => sum + x * x, 0) / window.length;
  return { frequency_hz: best.hz, level_dbfs: 10 * Math.log10(2 * energy + 1e-12), purity: Math.min(1, best.power / (2 * energy + 1e-12)) };
}

/**
 * The medians of windows of 0.2 s, silence left out. A full-scale sine is 0 dBFS.
 * @param {string} path
 * @returns {Promise<{frequency_hz: number, level_dbfs: number, purity: number, seconds: number}|null>}
 */
export async function hear(path) {
  const { rate, samples } = wavSamples(await readFile(path));
  const n = rate / 5;
  const heard = [];
  for (let i = 0; i + n <= samples.length; i += n) {
    const window = samples.slice(i, i + n);
    if (window.some((x) => Math.abs(x) > 0.003)) heard.push(toneOf(window, rate));
  }
  if (heard.length === 0) return null;
  const median = (name) => heard.map((h) => h[name]).sort((x, y) => x - y)[heard.length >> 1];
  return { frequency_hz: median('frequency_hz'), level_dbfs: median('level_dbfs'), purity: median('purity'), seconds: heard.length / 5 };
}
