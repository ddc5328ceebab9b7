// SPDX-License-Identifier: Apache-2.0
// The demonstration carrier as a program sees it: baresip's control socket (netstrings of JSON) and the
// sound it kept of each call.

import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

export class Carrier {
  #waiting = new Map();
  #rest = Buffer.alloc(0);
  /** All events so far. @type {object[]} */
  events = [];

  /** @param {number} port @param {string} folder the carrier's own */
  static async open(port, folder) {
    const carrier = new Carrier();
    carrier.folder = join(folder, 'sound');
    carrier.socket = connect(port, '127.0.0.1');
    await new Promise((done, fail) => carrier.socket.once('connect', done).once('error', fail));
    carrier.socket.on('data', (bytes) => carrier.#read(bytes)).on('error', () => {});
    return carrier;
  }

  close() {
    this.socket.destroy();
  }

  #read(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const colon = this.#rest.indexOf(':');
      const size = colon > 0 ? Number(this.#rest.toString('latin1', 0, colon)) : NaN;
      if (!(this.#rest.length >= colon + size + 2)) return;
      const message = JSON.parse(this.#rest.toString('utf8', colon + 1, colon + 1 + size));
      this.#rest = this.#rest.subarray(colon + size + 2);
      if (message.event) this.events.push(message);
      else this.#waiting.get(message.token)?.(message);
    }
  }

  /** A command of baresip's menu. @returns {Promise<string>} what it printed */
  async say(command, params = '') {
    const token = String(Math.random());
    const text = Buffer.from(JSON.stringify({ command, params, token }));
    this.socket.write(Buffer.concat([Buffer.from(`${text.length}:`), text, Buffer.from(',')]));
    const answer = await new Promise((done, fail) => {
      this.#waiting.set(token, done);
      setTimeout(() => fail(new Error(`the carrier does not answer: ${command}`)), 5000).unref();
    });
    this.#waiting.delete(token);
    return answer.data;
  }

  /** Waits for an event of that type. */
  async event(type, limit_ms) {
    const from = this.mark ?? 0;
    for (const end = Date.now() + limit_ms; Date.now() < end; await new Promise((done) => setTimeout(done, 50))) {
      const found = this.events.slice(from).find((e) => e.type === type);
      if (found) return found;
    }
    throw new Error(`the carrier saw no ${type} within ${limit_ms} ms`);
  }

  /** Digits heard since the mark. */
  digits() {
    return this.events.slice(this.mark ?? 0).filter((e) => e.type === 'CALL_DTMF_START').map((e) => e.param).join('');
  }

  /** From here on: events, files. */
  async begin() {
    this.mark = this.events.length;
    this.files = new Set(await readdir(this.folder));
  }

  /** What was heard and said since begin(): paths of WAV files. */
  async sounds() {
    const fresh = (await readdir(this.folder)).filter((name) => !this.files.has(name)).sort();
    const path = (ending) => fresh.filter((name) => name.endsWith(ending)).map((name) => join(this.folder, name)).at(-1);
    return { heard: path('-dec.wav'), said: path('-enc.wav') };
  }
}
