// SPDX-License-Identifier: Apache-2.0
// The calls that are alive, as they change.

import { useState } from 'preact/hooks';
import { enc } from '../api.js';
import { calls, now, overview } from '../live.js';
import { Badge, Empty, Head, Peer, Section, Table, Time, html } from '../ui.js';
import { duration, number, party, words } from '../words.js';

const SHOWN = 200;
const TONES = { answered: 'good', connected: 'good', live: 'good', ringing: 'idle', ended: 'idle', held: 'warn' };
export const stateOf = (c) => c.state ?? (c.answered ? 'answered' : 'ringing');
export const CallState = ({ call }) => html`<${Badge} tone=${TONES[stateOf(call)] ?? 'idle'}>${words(stateOf(call))}<//>`;

/** Seconds go on between two events. */
const Running = ({ call }) => duration(call.answered_at ? now.value - Date.parse(call.answered_at) : call.duration_ms);

const trunkOf = (c) => c.trunk ?? c.legs?.find((l) => l.door === 'trunk')?.peer;

const COLUMNS = [
  { head: 'Started', cell: (c) => html`<a href=${`#/calls/${enc(c.id)}`}><${Time} at=${c.started_at ?? c.created_at} short /><span class="unseen">, call ${c.id}</span></a>` },
  { head: 'State', cell: (c) => html`<${CallState} call=${c} />` },
  { head: 'Direction', cell: (c) => words(c.direction) },
  { head: 'From', cell: (c) => html`<${Peer} text=${party(c.from)} />` },
  { head: 'To', cell: (c) => html`<${Peer} text=${party(c.to)} />` },
  { head: 'Trunk', cell: (c) => html`<${Peer} text=${trunkOf(c)} />` },
  { head: 'Codec', cell: (c) => c.codec ?? '–' },
  { head: 'MOS', right: true, cell: (c) => number(c.mos || null, 2) },
  { head: 'Length', right: true, cell: (c) => html`<${Running} call=${c} />` },
];

export const CallTable = ({ rows }) => html`<${Table} caption="Live calls" columns=${COLUMNS} rows=${rows}
  empty=${html`<${Empty} title="No call is alive">Place one from the phone page, or have a trunk send one: it appears here at once. Ended calls are under <a href="#/records">records</a>.<//>`} />`;

export function Calls() {
  const [wanted, setWanted] = useState('');
  const all = [...calls.value.values()].sort((a, b) => String(b.started_at ?? b.created_at).localeCompare(String(a.started_at ?? a.created_at)));
  const rows = wanted ? all.filter((c) => JSON.stringify([c.id, c.from, c.to, c.trunk, c.user, c.legs]).toLowerCase().includes(wanted.toLowerCase())) : all;
  return html`<${Head} title="Live calls" lead=${`${number(Math.max(all.length, overview.value?.calls.live ?? 0))} alive. The list follows by itself.`} />
    <${Section} title="Calls" tools=${html`<label class="inline">Filter <input type="search" value=${wanted} onInput=${(e) => setWanted(e.target.value)} /></label>`}>
      <${CallTable} rows=${rows.slice(0, SHOWN)} />${rows.length > SHOWN && html`<p class="soft">The latest ${SHOWN} of ${number(rows.length)} are shown: filter for the others.</p>`}<//>`;
}
