// SPDX-License-Identifier: Apache-2.0
// The programs themselves: versions, threads, queues, limits; drain, support bundle, backup.

import { useState } from 'preact/hooks';
import { mayAdmin, mayOperate, post } from '../api.js';
import { overview } from '../live.js';
import { Badge, Confirm, Facts, Head, Loaded, Peer, ProblemBox, Section, Table, Time, html, useAct, useData } from '../ui.js';
import { bytes, number, words } from '../words.js';

/** "cpu percent" → "CPU, %": a name of the API as a head. */
const UNITS = { percent: '%', bytes: 'bytes', ms: 'ms', us: 'µs', s: 's', kb: 'kB', hz: 'Hz' };
const labelOf = (name) => {
  const [, what, unit] = /^(.+)_(percent|bytes|ms|us|s|kb|hz)$/.exec(name) ?? [null, name];
  const said = words(what).replace(/\b(cpu|rss|sip|tls|srtp|rtp|rtcp|ice|dtls|api|id|url|udp|tcp|ip|hep|http|sdp|dns|xdp|numa|pid|mos)\b/gi, (w) => w.toUpperCase());
  return unit && unit !== 'bytes' ? `${said}, ${UNITS[unit]}` : said;
};

const isPlain = (v) => v === null || typeof v !== 'object';

function Plain({ name, value }) {
  if (typeof value === 'boolean') return value ? 'Yes' : 'No';
  if (/_at$/.test(name) && value) return html`<${Time} at=${value} />`;
  if (/bytes/.test(name) && value > 9999) return bytes(value);
  return typeof value === 'number' ? number(value, Number.isInteger(value) ? 0 : 1) : html`<${Peer} text=${value} />`;
}

const Rows = ({ rows }) => html`<${Table} caption="Facts" rows=${rows} id=${(r, i) => i} columns=${[...new Set(rows.flatMap(Object.keys))].map((k) => ({ head: labelOf(k), right: typeof rows[0][k] === 'number', cell: (r) => html`<${Plain} name=${k} value=${r[k]} />` }))} />`;

/** Whatever the gateway says of itself: nested facts as nested lists. */
function Tree({ value }) {
  if (Array.isArray(value)) {
    if (value.every(isPlain)) return html`<${Peer} text=${value.join(', ')} />`;
    if (value.every((v) => !isPlain(v) && Object.values(v).every(isPlain))) return html`<${Rows} rows=${value} />`;
    return html`<div class="legs">${value.map((v, i) => html`<${Tree} key=${i} value=${v} />`)}</div>`;
  }
  return html`<${Facts} rows=${Object.entries(value).map(([k, v]) => [labelOf(k), isPlain(v) ? html`<${Plain} name=${k} value=${v} />` : html`<${Tree} value=${v} />`])} />`;
}

function Drain() {
  const [asks, setAsks] = useState(false);
  const { act, problem, busy } = useAct();
  const on = !overview.value?.draining;
  const drain = () => {
    setAsks(false);
    act(() => post('system/drain', on ? { on, deadline_s: 1800 } : { on }), on ? 'No new calls are taken.' : 'New calls are taken again.');
  };
  return html`<button type="button" disabled=${busy} class=${on ? 'danger' : 'primary'} onClick=${() => (on ? setAsks(true) : drain())}>${on ? 'Drain the gateway' : 'Take calls again'}</button>
    ${asks && html`<${Confirm} title="Drain the gateway?" action="Drain" danger onYes=${drain} onNo=${() => setAsks(false)}>No new calls are taken; those that are alive have 30 minutes to end.<//>`}<${ProblemBox} problem=${problem} />`;
}

function Backup() {
  const { act, problem, busy } = useAct();
  const [made, set] = useState(null);
  return html`<p><button type="button" disabled=${busy} onClick=${() => act(async () => set(await post('system/backup')), 'The backup is made.')}>Make a backup of the records</button></p>
    ${made && html`<${Tree} value=${made} />`}<${ProblemBox} problem=${problem} />`;
}

const alive = (n) => (n === 0 ? 'No call is alive: it can be stopped' : n === 1 ? '1 call is still alive' : `${number(n)} calls are still alive`);

export function System() {
  const system = useData('system', { every: 5000 });
  const plain = Object.entries(system.data ?? {}).filter(([k, v]) => isPlain(v) && k !== 'draining'); // the head says it
  const nested = Object.entries(system.data ?? {}).filter(([, v]) => !isPlain(v));
  return html`<${Head} title="System" lead=${overview.value && (overview.value.draining ? html`<${Badge} tone="warn">Draining<//> <a href="#/calls">${alive(overview.value.calls.live)}</a>` : html`<${Badge} tone=${overview.value.ready ? 'good' : 'bad'}>${overview.value.ready ? 'Ready' : 'Not ready'}<//>`)} tools=${mayOperate() && html`<${Drain} />`} />
    <${Loaded} of=${system}>
      <${Section} title="Facts"><${Tree} value=${Object.fromEntries(plain)} /><//>
      ${nested.map(([k, v]) => html`<${Section} key=${k} title=${labelOf(k)}><${Tree} value=${v} /><//>`)}
    <//>
    ${mayAdmin() && html`<${Section} title="Support and backup"><p><a class="button" href="/admin/v1/system/bundle" download="sallyport-bundle.tar.gz">Support bundle</a> <span class="soft">Logs, counters and configuration, without secrets.</span></p><${Backup} /><//>`}`;
}
