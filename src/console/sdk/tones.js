// SPDX-License-Identifier: Apache-2.0
// Tones made on the spot by WebAudio. They follow ITU-T's advice (425 Hz) and no single country.

const RINGBACK = { hz: [425], on_s: 1, off_s: 4, gain: 0.12 };
const RINGER = { hz: [660, 880], on_s: 0.9, off_s: 2.1, gain: 0.1 };

class Cadence {
  #make;
  #context = null;
  #timer = null;
  #gain = null;
  #oscillators = [];

  constructor(make) {
    this.#make = make;
  }

  get playing() {
    return this.#timer !== null;
  }

  start() {
    if (this.playing || typeof AudioContext === 'undefined') return;
    this.#context = new AudioContext();
    // Without a user's gesture the browser keeps it silent; that is its right.
    this.#context.resume().catch(() => {});
    this.#gain = this.#context.createGain();
    this.#gain.gain.value = 0;
    this.#gain.connect(this.#context.destination);
    this.#oscillators = this.#make.hz.map((hz) => {
      const oscillator = this.#context.createOscillator();
      oscillator.frequency.value = hz;
      oscillator.connect(this.#gain);
      oscillator.start();
      return oscillator;
    });
    const period_s = this.#make.on_s + this.#make.off_s;
    this.#burst();
    this.#timer = setInterval(() => this.#burst(), period_s * 1000);
  }

  stop() {
    if (!this.playing) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#oscillators.forEach((oscillator) => oscillator.stop());
    this.#oscillators = [];
    this.#context.close().catch(() => {});
    this.#context = null;
  }

  // Short ramps: a tone that starts at once clicks.
  #burst() {
    const from = this.#context.currentTime + 0.02;
    const { gain, on_s } = this.#make;
    const param = this.#gain.gain;
    param.cancelScheduledValues(from);
    param.setValueAtTime(0, from);
    param.linearRampToValueAtTime(gain, from + 0.03);
    param.setValueAtTime(gain, from + on_s - 0.03);
    param.linearRampToValueAtTime(0, from + on_s);
  }
}

/** What the caller hears while the far side rings. */
export const ringbackTone = () => new Cadence(RINGBACK);

/** What the called person hears. */
export const ringerTone = () => new Cadence(RINGER);
