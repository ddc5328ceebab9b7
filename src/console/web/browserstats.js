// SPDX-License-Identifier: Apache-2.0
// What the app or browser measured itself and told (the telemetry verb): one row for each time, of the W3C's
// statistics those that say how it sounded; all of it as it came, below.

import { laneTitle } from './ladder.js';
import { Empty, Pre, Table, html } from './ui.js';
import { number } from './words.js';

const MS = 1000;
const of = (stats, type) => stats.find((s) => s.type === type && (s.kind ?? 'audio') === 'audio') ?? stats.find((s) => s.type === type) ?? {};
const ms = (s) => (typeof s === 'number' ? s * MS : null);

/** One telling as a row; null where the client did not say. */
export function rowOf(told) {
  const stats = Array.isArray(told.data?.stats) ? told.data.stats.filter((s) => s && typeof s === 'object') : [];
  const heard = of(stats, 'inbound-rtp'), far = of(stats, 'remote-inbound-rtp'), mic = of(stats, 'media-source'), sent = of(stats, 'outbound-rtp');
  const pair = stats.find((s) => s.type === 'candidate-pair' && s.id === told.data?.selected_pair) ?? of(stats, 'candidate-pair');
  return {
    t_s: (told.t_us ?? 0) / 1e6, leg: told.leg, rtt_ms: ms(far.roundTripTime ?? pair.currentRoundTripTime), received: heard.packetsReceived ?? null, lost: heard.packetsLost ?? null,
    jitter_ms: ms(heard.jitter), concealed: heard.totalSamplesReceived ? (100 * (heard.concealedSamples ?? 0)) / heard.totalSamplesReceived : null,
    heard: heard.audioLevel ?? null, mic: mic.audioLevel ?? null, sent: sent.packetsSent ?? null,
    way: of(stats, 'local-candidate').candidateType ?? null,
  };
}

const level = (v) => (v === null ? '–' : v > 0 ? `${number(20 * Math.log10(v), 0)} dB` : 'silent');
const COLUMNS = [
  { head: 'At', right: true, cell: (r) => `${number(r.t_s, 1)} s` },
  { head: 'Who', cell: (r) => laneTitle(r.leg) },
  { head: 'Round trip', right: true, cell: (r) => (r.rtt_ms === null ? '–' : `${number(r.rtt_ms)} ms`) },
  { head: 'Received', right: true, cell: (r) => number(r.received) },
  { head: 'Lost', right: true, cell: (r) => number(r.lost) },
  { head: 'Jitter', right: true, cell: (r) => (r.jitter_ms === null ? '–' : `${number(r.jitter_ms, 1)} ms`) },
  { head: 'Made up', right: true, cell: (r) => (r.concealed === null ? '–' : `${number(r.concealed, 1)} %`) },
  { head: 'Heard', right: true, cell: (r) => level(r.heard) },
  { head: 'Microphone', right: true, cell: (r) => level(r.mic) },
  { head: 'Sent', right: true, cell: (r) => number(r.sent) },
  { head: 'By', cell: (r) => r.way ?? '–' },
];

export function BrowserStats({ client }) {
  if (!client?.length) return html`<${Empty} title="The app told nothing">An app that posts its statistics has them beside ours here.<//>`;
  return html`<${Table} caption="What the app measured, by time" columns=${COLUMNS} rows=${client.map(rowOf)} id=${(r, i) => i} />
    <details><summary>All that it told</summary><${Pre} label="Statistics as they came" text=${JSON.stringify(client, null, 1)} /></details>`;
}
