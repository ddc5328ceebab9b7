// SPDX-License-Identifier: Apache-2.0
// Trunks and how they are.

import { enc, getWhole, mayAdmin, send } from '../api.js';
import { now, trunks } from '../live.js';
import { go } from '../router.js';
import { SettingsForm, useTrunkSchema } from '../settingsform.js';
import { Badge, Empty, Head, Peer, Section, Table, html, say, useData, useFilter } from '../ui.js';
import { number, span, words } from '../words.js';

const TONES = { up: 'good', active: 'good', online: 'good', down: 'bad', inactive: 'bad', offline: 'bad', drained: 'warn', draining: 'warn', warning: 'warn' };
/** Nobody knows until OPTIONS were answered, or were not. */
const stateWord = (state) => (String(state).toLowerCase() === 'unknown' ? 'Not asked yet' : words(state));
export const TrunkState = ({ trunk }) => (trunk.enabled === false ? html`<${Badge} tone="warn">Drained<//>` : html`<${Badge} tone=${TONES[String(trunk.state).toLowerCase()] ?? 'idle'}>${stateWord(trunk.state)}<//>`);
export const expiry = (s) => (s ? (s * 1000 < now.value ? 'expired' : `in ${span(s * 1000 - now.value)}`) : '–');

const COLUMNS = [
  { head: 'Name', by: (t) => t.name, cell: (t) => html`<a href=${`#/trunks/${enc(t.name)}`}><${Peer} text=${t.name} /></a>` },
  { head: 'State', by: (t) => t.state, cell: (t) => html`<${TrunkState} trunk=${t} />` },
  { head: 'Kind', cell: (t) => [words(t.kind), t.role].filter(Boolean).join(', ') },
  { head: 'TLS', cell: (t) => words(t.tls) },
  { head: 'OPTIONS', cell: (t) => words(t.options) },
  { head: 'Calls', right: true, by: (t) => t.calls, cell: (t) => number(t.calls) },
  { head: 'Reached', right: true, by: (t) => (t.figures?.seizures ? t.figures.ner_percent : null), cell: (t) => (t.figures?.seizures ? `${number(t.figures.ner_percent, 1)} %` : '–') },
  { head: 'Mean length', right: true, by: (t) => (t.figures?.answered ? t.figures.acd_s : null), cell: (t) => (t.figures?.answered ? `${number(t.figures.acd_s)} s` : '–') },
  { head: 'Certificate ends', right: true, by: (t) => t.certificate_expiry_s || null, cell: (t) => expiry(t.certificate_expiry_s) },
];

export const isTrunkDown = (t) => TONES[String(t.state).toLowerCase()] === 'bad' && t.enabled !== false;
/** Those that are down first, then those that reach least. */
export const worstFirst = (rows) => rows.toSorted((a, b) => isTrunkDown(b) - isTrunkDown(a) || reach(a) - reach(b) || a.name.localeCompare(b.name));
/** In percent; a trunk that nobody called is no bad one. */
export const reach = (t) => (t.figures?.seizures && !t.figures.weak_sample ? t.figures.ner_percent : 101);

export const TrunkTable = ({ rows }) => html`<${Table} caption="Trunks" columns=${COLUMNS} rows=${rows} cap />`;

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

const FEW = 10; // no filter for fewer

export function Trunks({ params }) {
  const asked = useData(trunks.value.size ? null : 'trunks', { ask: getWhole });
  const rows = trunks.value.size ? [...trunks.value.values()] : asked.data?.trunks ?? [];
  const { rows: shown, input, isSet } = useFilter(worstFirst(rows), (t) => [t.name, t.kind, t.state, t.fqdn, ...(t.targets ?? []).map((x) => x.uri)].join(' '));
  const adds = params.get('add') !== null && mayAdmin();
  return html`<${Head} title="Trunks" lead="Carriers and tenants that SIP goes to and comes from." tools=${mayAdmin() && !adds && html`<a class="button" href="#/trunks?add">Add a trunk</a>`} />
    ${adds && html`<${NewTrunk} />`}
    <${Section} title="All trunks" tools=${rows.length > FEW && input}>${isSet && !shown.length ? html`<${Empty} title="No trunk fits">Take something out of the filter.<//>` : rows.length ? html`<${TrunkTable} rows=${shown} />` : html`<${Empty} title="No trunk is configured">${mayAdmin() ? html`<a href="#/trunks?add">Add one</a>, then let its doctor look at it.` : 'An operator with the role admin adds one; then let its doctor look at it.'}<//>`}<//>`;
}
