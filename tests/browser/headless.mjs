// SPDX-License-Identifier: Apache-2.0
// A phone without a screen: the gateway's own client library in a blank page of its origin, driven from
// node. It sends a tone or a file as its microphone, and measures what it hears.

/* global window, performance, AudioContext, AnalyserNode, Audio, navigator */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch } from './chrome.mjs';
import { toneWav } from './tone.mjs';

// Runs in the page. Frequencies: a window of 0.7 s, peaks refined between bins.
async function makeKit({ base, token, device, iceTransportPolicy }) {
  const { Client } = await import(`${base}/phone/sallyport.js`);
  const client = new Client({ base, token, device, iceTransportPolicy });
  const kit = (window.kit = { client, call: null, digits: '', marks: {}, incoming: [], errors: [] });
  const constraints = { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } };
  const microphone = async () => (await navigator.mediaDevices.getUserMedia(constraints)).getAudioTracks()[0];
  const mark = (name) => (kit.marks[name] ??= performance.now());
  let analyser = null;

  function listenTo(stream) {
    const sink = new Audio(); // Chromium decodes a remote stream only when somebody plays it
    sink.muted = true;
    sink.srcObject = stream;
    sink.play();
    const context = (kit.context ??= new AudioContext({ sampleRate: 48_000 }));
    analyser = new AnalyserNode(context, { fftSize: 32_768, smoothingTimeConstant: 0, minDecibels: -140 });
    context.createMediaStreamSource(stream).connect(analyser);
  }

  function watch(call) {
    kit.call = call;
    call.addEventListener('dtmf', ({ detail }) => (kit.digits += detail));
    call.addEventListener('stream', () => listenTo(call.stream));
    call.addEventListener('problem', ({ detail }) => kit.errors.push(String(detail.message)));
    call.addEventListener('change', () => {
      mark(call.state);
      if (call.media.local === 'connected') mark('media');
    });
    return call;
  }

  client.addEventListener('incoming', ({ detail: call }) => {
    mark('incoming');
    kit.incoming.push(call);
  });

  kit.place = async (to, options) => {
    const track = await microphone();
    kit.marks = { start: performance.now() };
    const call = watch(client.prepare(to));
    await call.place(track, { to, ...options });
  };
  kit.answer = async (options) => {
    const call = watch(kit.incoming.shift());
    const track = await microphone();
    mark('start');
    await call.answer(track, options);
  };
  kit.state = () => ({ id: kit.call?.id, state: kit.call?.state, media: kit.call?.media, end: kit.call?.end, incoming: kit.incoming.length });

  kit.hear = () => {
    if (!analyser) return null;
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    const rms = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    let top = 20;
    for (let i = 20; i < bins.length - 8; i++) if (bins[i] > bins[top]) top = i;
    const [a, b, c] = [bins[top - 1], bins[top], bins[top + 1]];
    const between = Number.isFinite(a + b + c) && a - 2 * b + c !== 0 ? (a - c) / (2 * (a - 2 * b + c)) : 0;
    const power = (from, to) => bins.slice(from, to).reduce((sum, dB) => sum + 10 ** (dB / 10), 0);
    return {
      frequency_hz: ((top + between) * kit.context.sampleRate) / analyser.fftSize,
      level_dbfs: 20 * Math.log10(rms * Math.SQRT2 + 1e-9),
      purity: power(top - 8, top + 9) / (power(20, bins.length) + 1e-14),
    };
  };
  await client.open();
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const round = (x, digits) => Number(x.toFixed(digits));
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class HeadlessPhone {
  /**
   * @param {{base: string, token: string, device?: string, policy?: string, wav?: string, tone_hz?: number, tone_dbfs?: number}} options
   *   wav is looped; without it a tone
   */
  static async open(options) {
    const phone = new HeadlessPhone();
    try {
      await phone.#start(options);
    } catch (error) {
      await phone.close();
      throw error;
    }
    return phone;
  }

  async #start({ base, token, device = 'headless', policy = 'all', wav, tone_hz = 1004, tone_dbfs = -10 }) {
    this.folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
    const file = wav ?? join(this.folder, 'tone.wav');
    if (!wav) await writeFile(file, toneWav(tone_hz, tone_dbfs));
    // Only the demonstration's own certificates are met here.
    this.browser = await launch([`--use-file-for-fake-audio-capture=${file}`, '--ignore-certificate-errors']);
    const context = await this.browser.newContext({ permissions: ['microphone'], ignoreHTTPSErrors: true });
    const blank = `${base.replace(/\/+$/, '')}/phone/blank`;
    await context.route(blank, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
    this.page = await context.newPage();
    await this.page.goto(blank);
    await this.page.evaluate(makeKit, { base: new URL(base).origin, token, device, iceTransportPolicy: policy });
    await this.until('the event stream', () => this.page.evaluate(() => window.kit.client.state === 'ready'), 15_000);
  }

  async close() {
    await this.browser?.close();
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
  }

  /** Waits; throws with the name of what did not come. */
  async until(what, check, limit_ms) {
    for (const end = Date.now() + limit_ms; Date.now() < end; await sleep(50)) if (await check()) return;
    throw new Error(`did not come within ${limit_ms} ms: ${what}`);
  }

  /** @param {{tel: string}|{user: string}} to @param {object} [options] further members of POST calls */
  place(to, options = {}) {
    return this.#kit('place', to, options);
  }

  /** @param {{provisional?: boolean, earlyMedia?: boolean}} [options] */
  answer(options = {}) {
    return this.#kit('answer', options);
  }

  whenIncoming(limit_ms) {
    return this.until('an incoming call', async () => (await this.state()).incoming > 0, limit_ms);
  }

  whenEnded(limit_ms) {
    return this.until('the end', async () => (await this.state()).state === 'ended', limit_ms);
  }

  /** Answered, and media up; throws when the call ended instead. @param {number} limit_ms */
  whenConnected(limit_ms) {
    return this.until('a connected call', async () => {
      const now = await this.state();
      if (now.state === 'ended') throw new Error(`the call ended: ${JSON.stringify(now.end)}`);
      return now.state === 'connected' && now.media.local === 'connected';
    }, limit_ms);
  }

  /** A verb of the call: dtmf, hold, resume, mute, hangup, reject, restartIce, renegotiate, figures, snapshot. */
  verb(name, ...args) {
    return this.page.evaluate(([n, a]) => window.kit.call[n](...a), [name, args]);
  }

  state() {
    return this.#kit('state');
  }

  digits() {
    return this.page.evaluate(() => window.kit.digits);
  }

  errors() {
    return this.page.evaluate(() => window.kit.errors);
  }

  /** Milliseconds since placing or answering. */
  async times() {
    const marks = await this.page.evaluate(() => window.kit.marks);
    const since = ([name, at]) => [`${name}_ms`, round(at - marks.start, 0)];
    return Object.fromEntries(Object.entries(marks).filter(([, at]) => at > marks.start).map(since));
  }

  /**
   * Listens; the medians of what was heard. A full-scale sine is 0 dBFS; purity is the share of the sound
   * that lies at the frequency. @param {number} ms
   */
  async listen(ms) {
    const heard = [];
    for (const end = Date.now() + ms; Date.now() < end; await sleep(200)) {
      const now = await this.#kit('hear');
      if (now) heard.push(now);
    }
    if (heard.length === 0) return null;
    const of = (name, digits) => round(median(heard.map((h) => h[name])), digits);
    return { frequency_hz: of('frequency_hz', 1), level_dbfs: of('level_dbfs', 1), purity: of('purity', 3) };
  }

  #kit(name, ...args) {
    return this.page.evaluate(([n, a]) => window.kit[n](...a), [name, args]);
  }
}
