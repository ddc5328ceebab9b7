// SPDX-License-Identifier: Apache-2.0
// Client library of Sallyport's native signaling, version 1: calls in both directions from a browser.
//
//   const client = new Client({ base: location.origin, token, device: 'desk' });
//   client.addEventListener('incoming', ({ detail: call }) => …call.answer(track)…);
//   await client.open();
//   const call = await client.place({ tel: '+15551234567' }, track);

import { Api, idempotencyKey } from './api.js';
import { Call } from './call.js';
import { Problem } from './problem.js';
import { EventStream } from './stream.js';

export { Call } from './call.js';
export { Problem } from './problem.js';
export { ringerTone, ringbackTone } from './tones.js';
export { takeToken, forgetToken, deviceName } from './login.js';

const KEEP_MS = 5000;

/**
 * A number as a person types it, as `to` of a call: `+1 (555) 123-4567`, `*21#`, or a user's name.
 * @param {string} text
 * @returns {{tel: string}|{user: string}|null} null where it is nothing that can be called
 */
export function targetOf(text) {
  const digits = text.replace(/[\s().\-/\u2010-\u2015]/g, '');
  if (/^\+[0-9]{4,15}$/.test(digits) || /^[0-9*#]{1,32}$/.test(digits)) return { tel: digits };
  const name = text.trim();
  return /^[A-Za-z][\w.@-]{0,63}$/.test(name) ? { user: name } : null;
}

/**
 * A device of an identity. Dispatches `state` (of the stream), `incoming` (detail: Call), `calls` (a call
 * came or went), `expiring`, `drain`, `problem`.
 */
export class Client extends EventTarget {
  #stream;
  #kept = new Map(); // events of calls that we don't know yet
  #results = new Map(); // of operations: an outcome, or who waits for it
  #ice = null;

  /**
   * @param {{base: string, token: string, device?: string, ringback?: boolean, iceTransportPolicy?: RTCIceTransportPolicy}} options
   *   `ringback: false` leaves the tone to the page; `iceTransportPolicy: 'relay'` sends media by the native relays only
   */
  constructor({ base, token, device, ringback = true, iceTransportPolicy = 'all' }) {
    super();
    this.api = new Api({ base, token, device });
    this.ringback = ringback;
    this.iceTransportPolicy = iceTransportPolicy;
    /** Live calls by id. @type {Map<string, Call>} */
    this.calls = new Map();
    /** @type {'closed'|'connecting'|'ready'|'waiting'|'unauthorized'} */
    this.state = 'closed';
    this.#stream = new EventStream(
      this.api,
      (name, data) => this.#take(name, data),
      (state, problem) => this.#streamState(state, problem),
    );
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // About the gateway and us -------------------------------------------------------------------

  /** Edges, nearest first; needs no token. @returns {Promise<{edges: {url: string, region: string}[], region: string}>} */
  async bootstrap() {
    return (await this.api.request('GET', '/bootstrap', { token: false })).body;
  }

  /** @returns {Promise<{identity: string, tenant: string, numbers: string[], scopes: string[]}>} */
  async me() {
    return (await this.api.request('GET', '/me')).body;
  }

  /** @param {number} [ttl_s] */
  async relayCredentials(ttl_s) {
    const json = ttl_s ? { ttl_s } : {};
    return (await this.api.request('POST', '/relay-credentials', { json, key: idempotencyKey() })).body;
  }

  /** ICE servers for a peer connection, asked for again at half of their life. */
  async iceServers() {
    if (this.#ice && Date.now() < this.#ice.until) return this.#ice.servers;
    let got = { iceServers: [] };
    try {
      got = await this.relayCredentials();
    } catch (problem) {
      // A token without relay.issue still calls: the gateway needs no relay.
      if (!(problem instanceof Problem)) throw problem;
    }
    const life_ms = got.expires_at ? Date.parse(got.expires_at) - Date.now() : 120_000;
    this.#ice = { servers: got.iceServers ?? [], until: Date.now() + life_ms / 2 };
    return this.#ice.servers;
  }

  /** How media may go, for a peer connection. @returns {Promise<{iceServers: RTCIceServer[], iceTransportPolicy: RTCIceTransportPolicy}>} */
  async ice() {
    return { iceServers: await this.iceServers(), iceTransportPolicy: this.iceTransportPolicy };
  }

  // Stream -------------------------------------------------------------------------------------

  /** Opens the event stream and keeps it open. */
  open() {
    addEventListener('online', this.#online);
    return this.#stream.open();
  }

  close() {
    removeEventListener('online', this.#online);
    this.#stream.close();
  }

  #online = () => {
    this.#stream.open();
    for (const call of this.calls.values()) call.networkChanged();
  };

  #streamState(state, problem) {
    this.state = state;
    this.#tell('state', { state, problem });
  }

  #take(name, data) {
    if (name === 'system.hello') return void this.#reconcile(data.calls ?? []);
    if (name === 'system.reset') return void this.#refresh();
    if (name === 'system.drain') return this.#drain(data);
    if (name === 'token.expiring') return this.#tell('expiring', data);
    if (name.startsWith('operation.')) this.#operationDone(data, name === 'operation.succeeded');
    const id = typeof data.call === 'object' ? data.call?.id : data.call;
    if (!id) return;
    if (name === 'call.incoming') return this.#incoming(id, data);
    const call = this.calls.get(id);
    if (call) call.take(name, data);
    else this.#keep(id, name, data);
  }

  // The 201 that makes a call may come after the call's first events.
  #keep(id, name, data) {
    let kept = this.#kept.get(id);
    if (!kept) {
      if (this.#kept.size >= 64) return;
      kept = [];
      this.#kept.set(id, kept);
      setTimeout(() => this.#kept.delete(id), KEEP_MS);
    }
    if (kept.length < 64) kept.push([name, data]);
  }

  #incoming(id, data) {
    if (this.calls.has(id)) return;
    const call = new Call(this, { ...data, id, call: undefined, direction: 'in', state: 'ringing' });
    this.adopt(call);
    if (!call.live) return;
    this.#tell('incoming', call);
    call.ringing().catch(() => {}); // The caller may be gone; the stream will say so.
  }

  // Calls that ended while the stream was away are told by their snapshots.
  async #reconcile(ids) {
    const live = new Set(ids);
    const gone = [...this.calls.values()].filter((call) => !live.has(call.id));
    await Promise.all(gone.map((call) => this.#look(call)));
  }

  // Events were lost: the snapshots are the truth.
  async #refresh() {
    await Promise.all([...this.calls.values()].map((call) => this.#look(call)));
  }

  async #look(call) {
    try {
      await call.snapshot();
    } catch (problem) {
      if (problem.status === 404 || problem.status === 410) call.finish({ reason: 'completed', by: 'remote' });
    }
  }

  // Another edge takes over: go there, not all at the same moment, and never from https to less.
  #drain({ reconnect_to, deadline_s }) {
    this.#tell('drain', { deadline_s });
    const to = reconnect_to ? new URL(reconnect_to, this.api.base) : null;
    if (!to || to.protocol !== new URL(this.api.base, globalThis.location?.href).protocol) return;
    const wait_ms = Math.min(deadline_s ?? 5, 30) * 500 * Math.random();
    setTimeout(() => {
      this.api.base = to.href.replace(/\/+$/, '');
      this.#stream.open();
    }, wait_ms);
  }

  // Operations ---------------------------------------------------------------------------------

  #operationDone({ operation_id: id, problem }, succeeded) {
    if (!id) return;
    const outcome = succeeded ? null : new Problem(problem ?? { detail: 'The gateway could not do it.' });
    const known = this.#results.get(id);
    if (known?.settle) known.settle(outcome);
    else this.#results.set(id, { outcome });
    setTimeout(() => this.#results.delete(id), KEEP_MS);
  }

  /** Waits for an operation's end; throws its problem. For calls. @param {string} id @param {number} limit_ms */
  operation(id, limit_ms) {
    const known = this.#results.get(id);
    return new Promise((done, fail) => {
      const settle = (outcome) => {
        clearTimeout(timer);
        this.#results.delete(id);
        if (outcome) fail(outcome);
        else done();
      };
      const timer = setTimeout(() => settle(new Problem({ code: 'timeout', detail: 'The gateway did not say whether it worked.' })), limit_ms);
      if (known) settle(known.outcome);
      else this.#results.set(id, { settle });
    });
  }

  // Calls --------------------------------------------------------------------------------------

  /** Makes a call known by its id. For calls. @param {Call} call */
  adopt(call) {
    this.calls.set(call.id, call);
    const kept = this.#kept.get(call.id) ?? [];
    this.#kept.delete(call.id);
    for (const [name, data] of kept) call.take(name, data);
    this.#tell('calls');
  }

  /** A call is over. For calls. @param {Call} call */
  dropped(call) {
    if (this.calls.get(call.id) === call) this.calls.delete(call.id);
    this.#tell('calls');
  }

  /**
   * Prepares a call; `call.place(track, body)` sends it. With `place` the two are one.
   * @param {{tel: string}|{user: string}|{group: string}} to
   */
  prepare(to) {
    return new Call(this, { direction: 'out', to });
  }

  /**
   * @param {{tel: string}|{user: string}|{group: string}} to
   * @param {MediaStreamTrack|null} track
   * @param {{from?: string, privacy?: unknown, ring_timeout_s?: number, features?: object, metadata?: object}} [options]
   */
  async place(to, track, options = {}) {
    const call = this.prepare(to);
    await call.place(track, { to, ...options });
    return call;
  }

  /** Snapshots of this identity's calls. @param {'live'|'ended'} [state] */
  async list(state = 'live') {
    return (await this.api.request('GET', `/calls?state=${state}`)).body.calls ?? [];
  }

  /** A live call of the list, not yet with media here. @param {object} snapshot */
  known(snapshot) {
    const call = this.calls.get(snapshot.id) ?? new Call(this, snapshot);
    if (!this.calls.has(snapshot.id)) this.adopt(call);
    return call;
  }
}
