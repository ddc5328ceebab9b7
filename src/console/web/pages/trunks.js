// SPDX-License-Identifier: Apache-2.0
// Trunks and how they are.

import { enc } from '../api.js';
import { trunks } from '../live.js';
import { Badge, Empty, Head, Peer, Section, Table, html, useData } from '../ui.js';
import { number, span, words } from '../words.js';

const TONES = { up: 'good', active: 'good', online: 'good', down: 'bad', inactive: 'bad', offline: 'bad', drained: 'warn', draining: 'warn', warning: 'warn' };
export const TrunkState = ({ trunk }) => (trunk.enabled === false ? html`<${Badge}>Not enabled<//>` : html`<${Badge} tone=${trunk.draining ? 'warn' : TONES[String(trunk.state).toLowerCase()] ?? 'idle'}>${trunk.draining ? 'Drained' : words(trunk.state)}<//>`);
export const expiry = (s) => (s ? (s * 1000 < Date.now() ? 'expired' : `in ${span(s * 1000 - Date.now())}`) : '–');

const COLUMNS = [
  { head: 'Name', cell: (t) => html`<a href=${`#/trunks/${enc(t.name)}`}><${Peer} text=${t.name} /></a>` },
  { head: 'State', cell: (t) => html`<${TrunkState} trunk=${t} />` },
  { head: 'Kind', cell: (t) => [words(t.kind), t.role].filter(Boolean).join(', ') },
  { head: 'TLS', cell: (t) => words(t.tls) },
  { head: 'OPTIONS', cell: (t) => words(t.options) },
  { head: 'Calls', right: true, cell: (t) => number(t.calls) },
  { head: 'Reached', right: true, cell: (t) => (t.figures?.seizures ? `${number(t.figures.ner_percent, 1)} %` : '–') },
  { head: 'Mean length', right: true, cell: (t) => (t.figures?.answered ? `${number(t.figures.acd_s)} s` : '–') },
  { head: 'Certificate ends', right: true, cell: (t) => expiry(t.certificate_expiry_s) },
];

export const TrunkTable = ({ rows }) => html`<${Table} caption="Trunks" columns=${COLUMNS} rows=${rows} />`;

export function Trunks() {
  const asked = useData(trunks.value.size ? null : 'trunks');
  const rows = trunks.value.size ? [...trunks.value.values()] : asked.data?.trunks ?? [];
  return html`<${Head} title="Trunks" lead="Carriers and tenants that SIP goes to and comes from." tools=${html`<a class="button" href="#/config">Add one in the configuration</a>`} />
    <${Section} title="All trunks">${rows.length ? html`<${TrunkTable} rows=${rows} />` : html`<${Empty} title="No trunk is configured">A trunk is a block under <code>trunks:</code> of the configuration. <a href="#/config">Write one</a>, then let its doctor look at it.<//>`}<//>`;
}
