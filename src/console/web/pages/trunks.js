// SPDX-License-Identifier: Apache-2.0
// Trunks and how they are.

import { enc, mayAdmin, send } from '../api.js';
import { trunks } from '../live.js';
import { go } from '../router.js';
import { SettingsForm, useTrunkSchema } from '../settingsform.js';
import { Badge, Empty, Head, Peer, Section, Table, html, say, useData } from '../ui.js';
import { number, span, words } from '../words.js';

const TONES = { up: 'good', active: 'good', online: 'good', down: 'bad', inactive: 'bad', offline: 'bad', drained: 'warn', draining: 'warn', warning: 'warn' };
export const TrunkState = ({ trunk }) => (trunk.enabled === false ? html`<${Badge} tone="warn">Drained<//>` : html`<${Badge} tone=${TONES[String(trunk.state).toLowerCase()] ?? 'idle'}>${words(trunk.state)}<//>`);
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

function NewTrunk() {
  const schema = useTrunkSchema();
  const add = async (settings) => {
    const made = await send('POST', 'trunks', { body: settings });
    say('The trunk is in force.');
    go(`/trunks/${enc(made.data?.name ?? settings.name)}`);
  };
  return html`<${Section} title="A new trunk"><p class="soft">It is in force as soon as it is added. Where its calls may come from is said by <code>peers</code>, where calls to it go by <code>target</code>.</p>
    ${schema ? html`<${SettingsForm} schema=${schema} settings=${{ kind: 'carrier', target: '', peers: [] }} action="Add the trunk" onSave=${add} onCancel=${() => go('/trunks')} />` : html`<p class="soft" role="status">Loading…</p>`}<//>`;
}

export function Trunks({ params }) {
  const asked = useData(trunks.value.size ? null : 'trunks?limit=500');
  const rows = trunks.value.size ? [...trunks.value.values()] : asked.data?.trunks ?? [];
  const adds = params.get('add') !== null && mayAdmin();
  return html`<${Head} title="Trunks" lead="Carriers and tenants that SIP goes to and comes from." tools=${mayAdmin() && !adds && html`<a class="button" href="#/trunks?add">Add a trunk</a>`} />
    ${adds && html`<${NewTrunk} />`}
    <${Section} title="All trunks">${rows.length ? html`<${TrunkTable} rows=${rows} />` : html`<${Empty} title="No trunk is configured">${mayAdmin() ? html`<a href="#/trunks?add">Add one</a>, then let its doctor look at it.` : 'An operator with the role admin adds one; then let its doctor look at it.'}<//>`}<//>`;
}
