// SPDX-License-Identifier: Apache-2.0
// Who changed what, each row chained to the one before by its hash.

import { useState } from 'preact/hooks';
import { get, maySecure } from '../api.js';
import { Diff } from '../message.js';
import { Badge, Empty, Head, Loaded, Peer, ProblemBox, Section, Table, Time, html, useAct, useFilter, useList } from '../ui.js';
import { number } from '../words.js';

const textOf = (v) => (v === null || v === undefined ? '' : typeof v === 'string' ? v : JSON.stringify(v, null, 1));
function Change({ row }) {
  const [before, after] = [textOf(row.before), textOf(row.after)];
  if (!before && !after) return '–';
  return html`<details><summary>${before && after ? 'Before and after' : after ? 'What came' : 'What went'}</summary><${Diff} before=${before} after=${after} label=${`Change ${row.seq}`} /></details>`;
}

const COLUMNS = [
  { head: 'No', right: true, cell: (a) => number(a.seq) },
  { head: 'At', cell: (a) => html`<${Time} at=${a.at} />` },
  { head: 'Who', cell: (a) => html`<${Peer} text=${a.who} /> <small class="soft">${a.role}</small>` },
  { head: 'From', cell: (a) => html`<code><${Peer} text=${a.from} /></code>` },
  { head: 'Did', cell: (a) => html`<${Peer} text=${a.verb} />` },
  { head: 'To', cell: (a) => html`<${Peer} text=${a.what} />` },
  { head: 'Change', cell: (a) => html`<${Change} row=${a} />` },
  { head: 'Hash', cell: (a) => html`<code title=${a.hash}>${String(a.hash ?? '').slice(0, 10)}</code>` },
];

function Verify() {
  const [result, set] = useState(null);
  const { act, problem, busy } = useAct();
  return html`<button type="button" disabled=${busy} onClick=${() => act(async () => set(await get('audit/verify')))}>Verify the chain</button>
    <span role="status">${result && (result.ok ? html`<${Badge} tone="good">Whole: ${number(result.rows)} rows<//>` : html`<${Badge} tone="bad">${{ 'head not ours': 'Cut off or written anew: its head is not ours, row', 'not vouched for': 'Was cut off or written anew once, up to row' }[result.reason] ?? 'Broken at row'} ${number(result.broken_at)}<//>`)}</span><${ProblemBox} problem=${problem} />`;
}

const isLogin = (a) => /^log(in|out)/.test(a.verb);
const KINDS = { all: ['Everything', () => true], changes: ['Without logins', (a) => !isLogin(a)], logins: ['Logins only', isLogin] };

export function Audit() {
  const may = maySecure();
  const list = useList('audit', may ? 'audit?limit=100' : null);
  const [kind, setKind] = useState('all');
  const { rows, input, isSet } = useFilter(list.rows.filter(KINDS[kind][1]), (a) => JSON.stringify([a.who, a.role, a.from, a.verb, a.what, a.before, a.after]));
  const tools = html`<label class="inline">Show <select onChange=${(e) => setKind(e.target.value)}>${Object.entries(KINDS).map(([k, [name]]) => html`<option value=${k} selected=${k === kind}>${name}</option>`)}</select></label>${input}`;
  if (!may) return html`<${Head} title="Audit" /><${Empty} title="Your role does not see this">The audit log is for the roles security and admin.<//>`;
  return html`<${Head} title="Audit" lead="Every change, written before it was acknowledged." tools=${html`<${Verify} />`} />
    <${Section} title="Changes" tools=${tools}><${Loaded} of=${list}><${Table} caption="Audit log, latest first" columns=${COLUMNS} rows=${rows} id=${(a) => a.seq} empty=${isSet || list.rows.length ? html`<${Empty} title="No row fits">${list.more ? 'Older ones are not loaded yet: press More, or take something out of the filter.' : 'Take something out of the filter.'}<//>` : html`<${Empty} title="Nothing was changed yet" />`} />
      ${list.more && html`<p><button type="button" onClick=${list.more}>More</button></p>`}<//><//>`;
}
