// SPDX-License-Identifier: Apache-2.0
// A tone as a WAV file: the pretended microphone.

const RATE_HZ = 48_000;
const SECONDS = 20;

/**
 * Twenty seconds of whole periods: the browser loops it, with a gap of a millisecond or two.
 * @param {number} hz
 * @param {number} dbfs a full-scale sine is 0
 */
export function toneWav(hz, dbfs) {
  const samples = RATE_HZ * SECONDS;
  const wav = Buffer.alloc(44 + samples * 2);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20); // PCM
  wav.writeUInt16LE(1, 22); // mono
  wav.writeUInt32LE(RATE_HZ, 24);
  wav.writeUInt32LE(RATE_HZ * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(samples * 2, 40);
  const peak = 32_767 * 10 ** (dbfs / 20);
  for (let i = 0; i < samples; i++) {
    wav.writeInt16LE(Math.round(peak * Math.sin((2 * Math.PI * hz * i) / RATE_HZ)), 44 + i * 2);
  }
  return wav;
}
