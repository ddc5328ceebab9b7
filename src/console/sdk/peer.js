// SPDX-License-Identifier: Apache-2.0
// One RTCPeerConnection of a call: its offer or answer, its trickled candidates, the watch over its
// connection, and its figures.

import { makeFragment } from './sdp.js';

const TRICKLE_MS = 150; // candidates come in bursts: one PATCH takes them all
const DISCONNECTED_MS = 3000;

const plain = (description) => ({ type: description.type, sdp: description.sdp });

export class Peer {
  #pending = [];
  #complete = false;
  #timer = null;
  #watch = null;
  #send = null;
  #previous = null;

  /**
   * @param {{iceServers: RTCIceServer[], iceTransportPolicy: RTCIceTransportPolicy}} ice how media may go
   * @param {MediaStreamTrack|null} track what we send
   * @param {{onStream: (stream: MediaStream) => void, onState: (state: string) => void, onLost: () => void}} told
   */
  constructor(ice, track, told) {
    this.pc = new RTCPeerConnection({ ...ice, bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' });
    this.track = track;
    this.stream = null;
    this.pc.onicecandidate = ({ candidate }) => this.#candidate(candidate);
    this.pc.ontrack = ({ track: theirs, streams }) => {
      this.stream = streams[0] ?? new MediaStream([theirs]);
      told.onStream(this.stream);
    };
    this.pc.onconnectionstatechange = () => {
      told.onState(this.pc.connectionState);
      this.#look(told.onLost);
    };
  }

  get connected() {
    return this.pc.connectionState === 'connected';
  }

  /** Fresh credentials of relays, for a restart. @param {{iceServers: RTCIceServer[], iceTransportPolicy: RTCIceTransportPolicy}} ice */
  refresh(ice) {
    this.pc.setConfiguration({ ...this.pc.getConfiguration(), ...ice });
  }

  /** @param {{iceRestart?: boolean}} [options] */
  async offer(options) {
    if (this.track && this.pc.getSenders().length === 0) this.#attach();
    await this.pc.setLocalDescription(await this.pc.createOffer(options));
    return plain(this.pc.localDescription);
  }

  /** @param {RTCSessionDescriptionInit} offer */
  async answer(offer) {
    await this.pc.setRemoteDescription(offer);
    if (this.track && !this.pc.getSenders().some((sender) => sender.track)) this.#attach();
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    return plain(this.pc.localDescription);
  }

  #attach() {
    this.pc.addTrack(this.track, new MediaStream([this.track]));
  }

  /** @param {RTCSessionDescriptionInit} answer */
  accept(answer) {
    return this.pc.setRemoteDescription(answer);
  }

  /** Candidates gathered so far and to come go out by `send`. @param {(fragment: string) => Promise<unknown>} send */
  trickle(send) {
    this.#send = send;
    this.#schedule();
  }

  // Candidates of a restart wait until the gateway knows the new credentials.
  holdTrickle() {
    this.#send = null;
    this.#pending = [];
    this.#complete = false;
  }

  #candidate(candidate) {
    if (!candidate || candidate.candidate === '') this.#complete = true;
    else if (candidate.protocol !== 'tcp') this.#pending.push(candidate.candidate);
    this.#schedule();
  }

  #schedule() {
    if (!this.#send || this.#timer || (this.#pending.length === 0 && !this.#complete)) return;
    this.#timer = setTimeout(() => this.#flush(), TRICKLE_MS);
  }

  async #flush() {
    this.#timer = null;
    if (!this.#send || !this.pc.localDescription) return;
    const batch = this.#pending.splice(0, 32);
    const complete = this.#complete && this.#pending.length === 0;
    if (complete) this.#complete = false;
    try {
      await this.#send(makeFragment(this.pc.localDescription.sdp, batch, complete));
    } catch {
      // The gateway needs none of our candidates: a call does not fail for one.
      return;
    }
    this.#schedule();
  }

  #look(onLost) {
    clearTimeout(this.#watch);
    const state = this.pc.connectionState;
    if (state === 'failed') onLost();
    else if (state === 'disconnected') this.#watch = setTimeout(onLost, DISCONNECTED_MS);
  }

  /** True once connected, false after `limit_ms`. @param {number} limit_ms */
  whenConnected(limit_ms) {
    if (this.connected) return Promise.resolve(true);
    return new Promise((done) => {
      const end = (result) => {
        clearTimeout(timer);
        this.pc.removeEventListener('connectionstatechange', look);
        done(result);
      };
      const look = () => {
        if (this.connected) end(true);
        else if (this.pc.connectionState === 'closed') end(false);
      };
      const timer = setTimeout(() => end(false), limit_ms);
      this.pc.addEventListener('connectionstatechange', look);
    });
  }

  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    this.#send = null;
    this.pc.onconnectionstatechange = null;
    this.pc.close();
  }

  /** Statistics in the browser's own words, those that tell something. */
  async stats() {
    const report = await this.pc.getStats();
    const transport = [...report.values()].find((row) => row.type === 'transport');
    const pair = report.get(transport?.selectedCandidatePairId);
    const told = new Set(['inbound-rtp', 'outbound-rtp', 'remote-inbound-rtp', 'remote-outbound-rtp', 'media-source']);
    const rows = [...report.values()].filter((row) => told.has(row.type));
    const codecs = new Set(rows.map((row) => row.codecId));
    rows.push(...[...codecs].map((id) => report.get(id)).filter(Boolean));
    if (transport) rows.push(transport);
    if (pair) rows.push(pair, report.get(pair.localCandidateId), report.get(pair.remoteCandidateId));
    return { rows: rows.filter(Boolean), pair, transport, report };
  }

  /** The same in a few figures; `loss` is that of the time since the last asking, 0–1. */
  async figures() {
    const { rows, pair, transport, report } = await this.stats();
    const row = (type) => rows.find((r) => r.type === type) ?? {};
    const [down, up, far] = [row('inbound-rtp'), row('outbound-rtp'), row('remote-inbound-rtp')];
    const rtt_s = pair?.currentRoundTripTime ?? far.roundTripTime;
    const now = {
      codec: (report.get(down.codecId ?? up.codecId)?.mimeType ?? '').replace('audio/', ''),
      received: { packets: down.packetsReceived ?? 0, lost: down.packetsLost ?? 0, jitter_ms: ms(down.jitter), level: down.audioLevel },
      sent: { packets: up.packetsSent ?? 0, lost: far.packetsLost ?? 0, jitter_ms: ms(far.jitter) },
      rtt_ms: ms(rtt_s),
      srtp: transport?.srtpCipher,
      dtls: transport?.tlsVersion,
      pair: pair ? pairText(report, pair) : undefined,
    };
    now.loss = shareLost(this.#previous, now.received);
    this.#previous = now.received;
    return now;
  }
}

const ms = (seconds) => (seconds === undefined ? undefined : Math.round(seconds * 10_000) / 10);

function shareLost(before, now) {
  const lost = now.lost - (before?.lost ?? 0);
  const all = lost + now.packets - (before?.packets ?? 0);
  return all > 0 ? Math.max(0, lost / all) : 0;
}

function pairText(report, pair) {
  const [local, remote] = [report.get(pair.localCandidateId), report.get(pair.remoteCandidateId)];
  // Of a relayed pair it matters how we reach the relay.
  return `${local?.candidateType ?? '?'}/${local?.relayProtocol ?? local?.protocol ?? '?'} → ${remote?.candidateType ?? '?'}`;
}
