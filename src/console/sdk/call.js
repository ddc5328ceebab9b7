// SPDX-License-Identifier: Apache-2.0
// One call of this device: its verbs, what the events say about it, and its media. The gateway's word
// on state counts; nothing here guesses a state that the gateway has not told.

import { sleep, idempotencyKey } from './api.js';
import { Peer } from './peer.js';
import { Problem } from './problem.js';
import { candidatesOf, makeFragment, withFragment } from './sdp.js';
import { ringbackTone } from './tones.js';

const TELEMETRY_MS = 10_000;
const GLARE_TRIES = 6;
const OPERATION_MS = 15_000;
const NEW_PEER_MS = 15_000;
const RESTARTS = 4;

/**
 * Dispatches `change` (state, hold, media or end changed), `stream` (what to play), `dtmf` (detail: digit
 * heard), `quality` (detail: media.quality), `problem` (detail: Problem of something done unasked), `end`.
 */
export class Call extends EventTarget {
  #client;
  #peer = null;
  #track = null;
  #ringback = ringbackTone();
  #telemetry = null;
  #queue = Promise.resolve();
  #restarts = 0;
  #hangup = false;
  #digits = '';
  #sendingDigits = null;
  #offer = null;

  /** @param {import('./sallyport.js').Client} client @param {object} known what is known of it, as a snapshot */
  constructor(client, known) {
    super();
    this.#client = client;
    /** @type {string|null} null until the gateway gave it one */
    this.id = null;
    /** @type {'out'|'in'} */
    this.direction = 'out';
    /** @type {'connecting'|'ringing'|'early_media'|'connected'|'local_hold'|'remote_hold'|'ended'} */
    this.state = 'connecting';
    /** Who holds. */
    this.held = { local: false, remote: false };
    /** @type {object|null} */
    this.from = null;
    /** @type {object|null} */
    this.to = null;
    /** @type {{sip: number|null, q850: number|null, reason: string, by?: string, detail?: string}|null} */
    this.end = null;
    /** @type {string|undefined} */
    this.device = undefined;
    this.answeredAt = null;
    this.media = { ice: 'new', dtls: 'new' };
    this.muted = false;
    this.etag = null;
    this.apply(known);
  }

  /** Rings here and waits for our answer. */
  get ringsHere() {
    return this.direction === 'in' && !this.answeredAt && (this.state === 'connecting' || this.state === 'ringing');
  }

  get live() {
    return this.state !== 'ended';
  }

  /** True where this page carries the call's sound. */
  get hasMedia() {
    return this.#peer !== null;
  }

  /** What the far side sends. @type {MediaStream|null} */
  get stream() {
    return this.#peer?.stream ?? null;
  }

  #tell(type = 'change', detail = undefined) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #path(tail = '') {
    return `/calls/${encodeURIComponent(this.id)}${tail}`;
  }

  #post(verb, json = {}, options = {}) {
    return this.#client.api.request('POST', this.#path(`/${verb}`), { json, ...options });
  }

  // Life ---------------------------------------------------------------------------------------

  /** Places it. For the client. @param {MediaStreamTrack|null} track @param {object} body of POST calls */
  async place(track, body) {
    this.#track = track;
    const peer = await this.#newPeer();
    this.#peer = peer;
    try {
      const offer = await peer.offer();
      const got = await this.#client.api.request('POST', '/calls', { json: { ...body, offer }, key: idempotencyKey(), wait: false });
      this.id = got.body.id;
      this.etag = got.etag;
      this.#client.adopt(this);
      // Events that came before this answer may have ended it already.
      if (!this.live) return;
      if (got.body.answer) await peer.accept(got.body.answer);
    } catch (problem) {
      // A description that the browser refuses leaves a call behind that nobody hears.
      if (this.id) this.hangup().catch(() => {});
      this.finish({ sip: null, q850: null, reason: 'rejected', by: 'gateway', detail: problem.message });
      throw problem;
    }
    if (this.#hangup) return void this.hangup().catch(() => {});
    peer.trickle((fragment) => this.#patch(fragment));
    this.#tell();
  }

  /** Tells the caller that this device rings. */
  async ringing() {
    await this.#post('ringing');
  }

  /**
   * Takes an incoming call. `provisional` brings media up before the answer (SIP 183; warm, without a
   * 183, with `earlyMedia: false`); answer again without it to take the call.
   * @param {MediaStreamTrack|null} track
   * @param {{provisional?: boolean, earlyMedia?: boolean}} [options]
   */
  async answer(track, { provisional = false, earlyMedia = true } = {}) {
    const body = {};
    if (!this.#peer) {
      this.#track = track;
      this.#peer = await this.#newPeer();
      body.answer = await this.#peer.answer(this.#offer);
    }
    if (provisional) {
      body.provisional = true;
      if (!earlyMedia) body.early_media = false;
    }
    try {
      const { body: reply } = await this.#post('answer', body);
      if (!provisional) this.#answered(reply?.state);
    } catch (problem) {
      if (problem.code === 'answered_elsewhere' || problem.status === 410) this.finish({ reason: problem.code, by: 'remote' });
      else if (body.answer) this.#dropPeer();
      throw problem;
    }
    this.#peer?.trickle((fragment) => this.#patch(fragment));
    this.#tell();
  }

  // The answer is taken: until media is up the gateway may still call the state by an earlier name.
  #answered(state) {
    if (!this.live) return;
    const early = this.state === 'ringing' || this.state === 'early_media' || this.state === 'connecting';
    const told = state === 'ringing' || state === 'early_media' ? 'connecting' : (state ?? 'connected');
    this.apply({ state: early ? told : undefined, answered_at: new Date().toISOString() });
  }

  /** @param {'busy'|'decline'|'unavailable'} reason */
  async reject(reason = 'decline') {
    await this.#post('reject', { reason });
    this.finish({ reason: reason === 'busy' ? 'busy' : 'declined', by: 'local' });
  }

  /** Ends it, or leaves it where others go on. @param {'self'|'everyone'} [whom] */
  async hangup(whom = 'self') {
    this.#hangup = true;
    if (!this.id) return;
    // Telemetry first: an ended call takes none. It must not hold up the end.
    await Promise.race([this.telemetry().catch(() => {}), sleep(300)]);
    await this.#client.api.request('DELETE', this.#path(whom === 'everyone' ? '?for=everyone' : ''));
    this.finish({ sip: null, q850: null, reason: this.answeredAt ? 'completed' : 'canceled', by: 'local' });
  }

  /**
   * Takes up a call that another page held, the one before a reload for example. For the client.
   * @param {MediaStreamTrack|null} track
   */
  async takeUp(track) {
    this.#track = track;
    await this.renegotiate({ fresh: true });
    if (this.direction === 'out' && this.state === 'ringing') this.#inside.ringback(true);
  }

  /** Ends it here. @param {object} end */
  finish(end) {
    if (!this.live) return;
    this.#ringback.stop();
    if (this.id && !this.#hangup) this.telemetry().catch(() => {});
    this.#dropPeer();
    this.#track?.stop();
    this.end = end;
    this.state = 'ended';
    this.#client.dropped(this);
    this.#tell();
    this.#tell('end', end);
  }

  #dropPeer() {
    clearInterval(this.#telemetry);
    this.#telemetry = null;
    this.#peer?.close();
    this.#peer = null;
  }

  // Verbs in the call --------------------------------------------------------------------------

  /** Silences or opens our microphone for this call. @param {boolean} muted */
  mute(muted) {
    this.muted = muted;
    if (this.#track) this.#track.enabled = !muted;
    this.telemetry().catch(() => {}); // so that silence is not taken for a fault
    this.#tell();
  }

  /** Resolves when the gateway says that it is done. */
  hold() {
    return this.#operation('hold');
  }

  resume() {
    return this.#operation('resume');
  }

  async #operation(verb, json) {
    const { body } = await this.#post(verb, json);
    await this.#client.operation(body.operation_id, OPERATION_MS);
  }

  /** Plays digits to the far side; those of quick fingers share a request. @param {string} digits */
  dtmf(digits) {
    this.#digits += digits;
    this.#sendingDigits ??= this.#sendDigits().finally(() => (this.#sendingDigits = null));
    return this.#sendingDigits;
  }

  async #sendDigits() {
    while (this.#digits) {
      const now = this.#digits.slice(0, 64);
      this.#digits = this.#digits.slice(64);
      await this.#post('dtmf', { digits: now });
      await sleep(120);
    }
  }

  /** @returns {Promise<object>} the gateway's snapshot, applied to this object */
  async snapshot() {
    const { body, etag } = await this.#client.api.request('GET', this.#path());
    this.apply({ etag: etag ?? undefined, ...body });
    return body;
  }

  // Descriptions -------------------------------------------------------------------------------

  async #newPeer() {
    const peer = new Peer(await this.#client.ice(), this.#track, {
      onStream: () => peer === this.#peer && this.#tell('stream'),
      onState: (state) => this.#peerState(peer, state),
      onLost: () => peer === this.#peer && this.#lost(),
    });
    return peer;
  }

  #peerState(peer, state) {
    if (peer !== this.#peer) return;
    if (state === 'connected') {
      this.#restarts = 0;
      this.#telemetry ??= setInterval(() => this.telemetry().catch(() => {}), TELEMETRY_MS);
    }
    this.media = { ...this.media, local: state };
    this.#tell();
  }

  async #patch(fragment, ifMatch = this.etag) {
    const send = (tag) =>
      this.#client.api.request('PATCH', this.#path('/ice'), { text: fragment, type: 'application/trickle-ice-sdpfrag', ifMatch: tag });
    try {
      return await send(ifMatch);
    } catch (problem) {
      if (problem.status !== 412) throw problem;
      await this.snapshot();
      return send(this.etag);
    }
  }

  /** One description at a time: `work` runs when those before it are done. */
  #inTurn(work) {
    const mine = this.#queue.then(() => (this.live ? work() : undefined));
    this.#queue = mine.catch(() => {});
    return mine;
  }

  /** New ICE credentials on the same connection, after a change of network for example. */
  restartIce() {
    return this.#inTurn(async () => {
      const peer = this.#peer;
      if (!peer) return;
      peer.refresh(await this.#client.ice());
      if (peer.pc.remoteDescription?.type !== 'answer') return this.#exchange(peer, { iceRestart: true });
      const answer = peer.pc.remoteDescription.sdp;
      peer.holdTrickle();
      const offer = await peer.offer({ iceRestart: true });
      try {
        const got = await this.#patch(makeFragment(offer.sdp, [], false), '*');
        this.etag = got.etag ?? this.etag;
        await peer.accept({ type: 'answer', sdp: withFragment(answer, got.body) });
        peer.trickle((fragment) => this.#patch(fragment));
      } catch (problem) {
        if (![405, 412, 422].includes(problem.status)) throw problem;
        await this.#exchange(peer, { iceRestart: true }); // a restart by a whole offer always works
      }
    });
  }

  /**
   * A new description. `fresh` uses a new peer connection; the old one plays on until the new one does.
   * @param {{fresh?: boolean, iceRestart?: boolean}} [options]
   */
  renegotiate({ fresh = false, iceRestart = false } = {}) {
    return this.#inTurn(() => (fresh || !this.#peer ? this.#replace() : this.#exchange(this.#peer, { iceRestart })));
  }

  async #replace() {
    const old = this.#peer;
    const peer = await this.#newPeer();
    if (!old) this.#peer = peer;
    try {
      await this.#exchange(peer);
      if (old && !(await peer.whenConnected(NEW_PEER_MS))) {
        throw new Problem({ code: 'media', detail: 'The new media connection did not come up.' });
      }
    } catch (problem) {
      peer.close();
      if (this.#peer === peer) this.#peer = null;
      throw problem;
    }
    if (!this.live) return peer.close();
    this.#peer = peer;
    old?.close();
    this.#peerState(peer, peer.pc.connectionState);
    if (peer.stream) this.#tell('stream');
  }

  async #exchange(peer, options) {
    peer.holdTrickle();
    const offer = await peer.offer(options);
    const got = await this.#offerUntilTaken(offer);
    this.etag = got.etag ?? this.etag;
    if (got.body?.answer) await peer.accept(got.body.answer);
    peer.trickle((fragment) => this.#patch(fragment));
  }

  async #offerUntilTaken(offer) {
    for (let tried = 1; ; tried++) {
      try {
        return await this.#post('renegotiate', { offer });
      } catch (problem) {
        if (problem.code !== 'glare' || tried >= GLARE_TRIES) throw problem;
        await sleep(200 + Math.random() * 1800);
      }
    }
  }

  // Our connection is broken: a restart first, then a new connection, with growing pauses.
  async #lost() {
    if (!this.live || this.#restarts >= RESTARTS) return;
    const turn = this.#restarts++;
    await sleep(turn * 1000);
    if (!this.live || this.#peer?.connected) return;
    const tried = turn < 2 ? this.restartIce() : this.renegotiate({ fresh: true });
    await tried.catch((problem) => this.#tell('problem', problem));
  }

  /** The network came back or changed: look after the media. */
  networkChanged() {
    if (!this.#peer || this.#peer.pc.connectionState === 'connecting') return;
    this.restartIce().catch((problem) => this.#tell('problem', problem));
  }

  // Figures ------------------------------------------------------------------------------------

  /** Figures of the media, null without media. */
  async figures() {
    return this.#peer ? this.#peer.figures() : null;
  }

  /** Sends the browser's statistics to the call's record. */
  async telemetry() {
    if (!this.#peer || !this.id) return;
    const { rows, pair } = await this.#peer.stats();
    await this.#post('telemetry', { stats: rows, selected_pair: pair?.id, muted: this.muted }, { wait: false });
  }

  // Events -------------------------------------------------------------------------------------

  /** Takes over what a snapshot, an event or an answer says. @param {object} known */
  apply(known) {
    if (known.id) this.id = known.id;
    for (const name of ['direction', 'from', 'to', 'device', 'etag', 'codec', 'metadata']) {
      if (known[name] !== undefined) this[name] = known[name];
    }
    if (known.hold) this.held = { ...this.held, ...known.hold };
    if (known.answered_at) this.answeredAt ??= new Date(known.answered_at);
    if (known.media) this.media = { ...this.media, ...known.media };
    if (known.offer) this.#offer = known.offer;
    if (known.state === 'ended') this.finish(known.end ?? { reason: 'completed' });
    else if (known.state && this.live) this.state = known.state;
    this.#tell();
  }

  #setHold(by, held) {
    this.held = { ...this.held, [by]: held };
    this.state = this.held.local ? 'local_hold' : this.held.remote ? 'remote_hold' : 'connected';
    this.#tell();
  }

  async #direct(data) {
    await this.#peer?.pc.setRemoteDescription(data.offer);
    await this.#peer?.pc.setLocalDescription();
    const answer = { type: 'answer', sdp: this.#peer.pc.localDescription.sdp };
    await this.#post('renegotiate', { answer, operation_id: data.operation_id });
  }

  /** An event of this call. For the client. @param {string} name @param {any} data */
  take(name, data) {
    if (!this.live) return;
    const deed = DEEDS[name];
    if (!deed) return;
    const done = deed.call(this, data, this.#inside);
    done?.catch?.((problem) => this.#tell('problem', problem));
  }

  // What the table of events needs of the private parts.
  #inside = {
    tell: (type, detail) => this.#tell(type, detail),
    setHold: (by, held) => this.#setHold(by, held),
    ringback: (on) => (on && this.#client.ringback ? this.#ringback.start() : this.#ringback.stop()),
    accept: (answer) => this.#peer?.accept(answer),
    direct: (data) => this.#inTurn(() => this.#direct(data)),
    candidate: (init) => this.#peer?.pc.addIceCandidate(init),
  };
}

/** What each event does: one row an event; events without a row change nothing here. */
const DEEDS = {
  'call.trying'() {},
  'call.ringing'(data, inside) {
    this.apply({ state: this.state === 'early_media' ? 'early_media' : 'ringing' });
    if (this.direction === 'out' && this.state === 'ringing') inside.ringback(true);
  },
  'call.early_media'(data, inside) {
    if (data.active) inside.ringback(false);
    if (!this.answeredAt && data.active) this.apply({ state: 'early_media' });
  },
  'call.answered'(data, inside) {
    inside.ringback(false);
    this.apply({ state: 'connected', answered_at: data.ts ?? new Date().toISOString() });
    return data.answer && inside.accept(data.answer);
  },
  'call.connected'(data, inside) {
    inside.ringback(false);
    if (!this.held.local && !this.held.remote) this.apply({ state: 'connected', answered_at: data.ts });
  },
  'call.updated'(data) {
    if (typeof data.call === 'object') this.apply(data.call);
  },
  'call.held'(data, inside) {
    inside.setHold(data.by, true);
  },
  'call.resumed'(data, inside) {
    inside.setHold(data.by, false);
  },
  'call.answered_elsewhere'() {
    this.finish({ reason: 'answered_elsewhere', by: 'local' });
  },
  'call.ended'(data) {
    this.finish(data.end ?? { reason: 'completed' });
  },
  'media.state'(data) {
    this.apply({ media: { ice: data.ice, dtls: data.dtls, pair: data.pair } });
  },
  'media.quality'(data, inside) {
    inside.tell('quality', data);
  },
  'media.restart'(data) {
    return this.renegotiate({ fresh: data.fresh === true, iceRestart: data.reason === 'loss' || data.reason === 'moved' });
  },
  'media.offer'(data, inside) {
    return inside.direct(data);
  },
  'media.answer'(data, inside) {
    return inside.accept(data.answer);
  },
  async 'media.candidates'(data, inside) {
    for (const init of candidatesOf(data.sdpfrag)) await inside.candidate(init);
  },
  'dtmf.received'(data, inside) {
    inside.tell('dtmf', data.digit);
  },
};
