// SPDX-License-Identifier: Apache-2.0
// The calls that are alive, as they change.

import { enc } from '../api.js';
import { calls, now, overview } from '../live.js';
import { Badge, Empty, Head, Peer, Section, Table, Time, html, useFilter } from '../ui.js';
import { duration, number, party, words } from '../words.js';

const TONES = { answered: 'good', connected: 'good', live: 'good', ringing: 'idle', ended: 'idle', held: 'warn' };
export const stateOf = (c) => c.state ?? (c.answered ? 'answered' : 'ringing');
export const CallState = ({ call }) => html`<${Badge} tone=${TONES[stateOf(call)] ?? 'idle'}>${words(stateOf(call))}<//>`;

/** Seconds go on between two events. */
const Running = ({ call }) => duration(call.answered_at ? now.value - Date.parse(call.answered_at) : call.duration_ms);

const trunkOf = (c) => c.trunk ?? c.legs?.find((l) => l.door === 'trunk')?.peer;

const COLUMNS = [
  { head: 'Started', by: (c) => c.started_at ?? c.created_at, cell: (c) => html`<a href=${`#/calls/${enc(c.id)}`}><${Time} at=${c.started_at ?? c.created_at} short /><span class="unseen">, call ${c.id}</span></a>` },
  { head: 'State', by: stateOf, cell: (c) => html`<${CallState} call=${c} />` },
  { head: 'Direction', cell: (c) => words(c.direction) },
  { head: 'From', by: (c) => party(c.from), cell: (c) => html`<${Peer} text=${party(c.from)} />` },
  { head: 'To', by: (c) => party(c.to), cell: (c) => html`<${Peer} text=${party(c.to)} />` },
  { head: 'Trunk', by: (c) => trunkOf(c) ?? null, cell: (c) => html`<${Peer} text=${trunkOf(c)} />` },
  { head: 'Codec', cell: (c) => c.codec ?? '–' },
  { head: 'MOS', right: true, by: (c) => c.mos || null, cell: (c) => number(c.mos || null, 2) },
  { head: 'Length', right: true, by: (c) => (c.answered_at ? now.value - Date.parse(c.answered_at) : c.duration_ms), cell: (c) => html`<${Running} call=${c} />` },
];

export const CallTable = ({ rows }) => html`<${Table} caption="Live calls" columns=${COLUMNS} rows=${rows} cap
  empty=${html`<${Empty} title="No call is alive">Place one from the phone page, or have a trunk send one: it appears here at once. Ended calls are under <a href="#/records">records</a>.<//>`} />`;

const startOf = (c) => String(c.started_at ?? c.created_at);
export const latestCalls = () => [...calls.value.values()].sort((a, b) => startOf(b).localeCompare(startOf(a)));

export function Calls() {
  const all = latestCalls();
  const { rows, input, isSet } = useFilter(all, (c) => JSON.stringify([c.id, c.from, c.to, c.trunk, c.user, c.legs]));
  return html`<${Head} title="Live calls" lead=${`${number(Math.max(all.length, overview.value?.calls.live ?? 0))} alive. The list follows by itself.`} />
    <${Section} title="Calls" tools=${input}>
      ${isSet && !rows.length ? html`<${Empty} title="No call fits">Take something out of the filter.<//>` : html`<${CallTable} rows=${rows} />`}<//>`;
}
