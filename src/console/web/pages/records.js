// SPDX-License-Identifier: Apache-2.0
// Records of calls: search, export.

import { useEffect, useState } from 'preact/hooks';
import { enc, mayOperate, maySecure, post, query } from '../api.js';
import { go } from '../router.js';
import { Badge, Confirm, Empty, Field, Head, Loaded, Peer, ProblemBox, Section, Table, Time, html, useAct, useList } from '../ui.js';
import { duration, number, party, words } from '../words.js';

const FIELDS = ['q', 'number', 'trunk', 'user', 'state', 'reason', 'since', 'until', 'max_mos', 'cause'];
const STATES = [['', 'Any'], ['live', 'Live'], ['ended', 'Ended'], ['refused', 'Refused by the gateway']];

const linkOf = (r) => `#/calls/${enc(r.call ?? r.id)}?record=${enc(r.id)}`;
export const bad = (r) => r.end && !r.answered_at && !/cancel|normal/i.test(r.end.reason ?? '');
export const mosOf = (r) => r.mos ?? (Math.min(...(r.legs ?? []).map((l) => l.mos ?? l.rx?.mos ?? 9)) < 9 ? Math.min(...r.legs.map((l) => l.mos ?? l.rx?.mos ?? 9)) : null);

const COLUMNS = [
  { head: 'Started', cell: (r) => html`<a href=${linkOf(r)}><${Time} at=${r.started_at} /></a>` },
  { head: 'From', cell: (r) => html`<${Peer} text=${party(r.from)} />` },
  { head: 'To', cell: (r) => html`<${Peer} text=${party(r.to)} />` },
  { head: 'End', cell: (r) => (r.end ? html`<${Badge} tone=${bad(r) ? 'bad' : r.cause_text ? 'warn' : r.answered_at ? 'good' : 'idle'}>${words(r.end.reason)}${r.end.sip ? ` ${r.end.sip}` : ''}<//>` : html`<${Badge} tone="info">${words(r.state)}<//>`) },
  { head: 'Cause', cell: (r) => html`<${Peer} text=${r.cause_text} />${r.cause_text && r.cause && html` <a class="soft" href=${`#/records${query({ cause: r.cause })}`}>all such<span class="unseen">: ${r.cause}</span></a>`}` },
  { head: 'Setup', right: true, cell: (r) => (r.setup_ms ? `${number(r.setup_ms)} ms` : '–') },
  { head: 'Length', right: true, cell: (r) => duration(r.duration_ms) },
  { head: 'MOS', right: true, cell: (r) => number(mosOf(r), 2) },
];

/** The few that a short list of failures needs. */
export const FAILURES = COLUMNS.filter((c) => ['Started', 'From', 'To', 'End', 'Cause'].includes(c.head));

/** 2026-01-31T10:00 of the local clock as the API wants it. */
const utc = (local) => (local && !Number.isNaN(Date.parse(local)) ? new Date(local).toISOString() : local);

function Search({ params }) {
  const asked = () => Object.fromEntries(FIELDS.map((f) => [f, params.get(f) ?? '']));
  const [form, set] = useState(asked);
  useEffect(() => set(asked()), [params]); // a link that asks something else, "back": the form follows, focus stays
  const field = (name) => ({ name, value: form[name], onInput: (v) => set({ ...form, [name]: v }) });
  const submit = (event) => {
    event.preventDefault();
    go(`/records${query(form)}`);
  };
  return html`<form class="grid" role="search" onSubmit=${submit}>
    <${Field} label="Begins with" hint="Number, user, Call-ID, Session-ID" type="search" ...${field('q')} />
    <${Field} label="Number" type="search" ...${field('number')} />
    <${Field} label="Trunk" ...${field('trunk')} />
    <${Field} label="User" ...${field('user')} />
    <${Field} label="State" options=${STATES} ...${field('state')} />
    <${Field} label="Reason" ...${field('reason')} />
    <${Field} label="Since" type="datetime-local" ...${field('since')} />
    <${Field} label="Until" type="datetime-local" ...${field('until')} />
    <${Field} label="Cause" hint="Its code (choose one in a row below), or any" ...${field('cause')} />
    <${Field} label="MOS at most" type="number" min="1" max="5" step="0.1" ...${field('max_mos')} />
    <div class="row end"><a class="button" href="#/records">Clear</a><button class="primary">Search</button></div>
  </form>`;
}

/** A person's wish to be forgotten. What is written to the audit log is that it was done, not whom it was about. */
function Erase() {
  const [form, set] = useState({ what: 'number', value: '' });
  const [asks, setAsks] = useState(false);
  const [done, setDone] = useState(null);
  const { act, problem, busy } = useAct();
  const submit = (event) => {
    event.preventDefault();
    setAsks(true);
  };
  const erase = () => {
    setAsks(false);
    act(async () => setDone(await post('records/erase', { [form.what]: form.value.trim() })));
  };
  return html`<${Section} title="Erase a person"><p class="soft">A number or a user is taken out of every record that is over; timelines of the calls go with it. It cannot be undone.</p>
    <form class="grid" onSubmit=${submit}><${Field} label="By" options=${[['number', 'Number'], ['user', 'User']]} name="what" value=${form.what} onInput=${(v) => set({ ...form, what: v })} />
      <${Field} label="Which" required name="value" value=${form.value} problem=${problem} pointer=${`/${form.what}`} onInput=${(v) => set({ ...form, value: v })} />
      <div class="row end"><button class="danger" disabled=${busy}>Erase…</button></div></form><${ProblemBox} problem=${problem} />
    ${done && html`<p role="status"><${Badge} tone="good">${number(done.erased)} records were cleared<//>${done.live > 0 && ` ${number(done.live)} calls are alive: erase again when they are over.`}</p>`}
    ${asks && html`<${Confirm} title="Erase for good?" action="Erase" danger onYes=${erase} onNo=${() => setAsks(false)}>All records of <${Peer} text=${form.value} /> lose who it was.<//>`}<//>`;
}

export function Records({ params }) {
  const wanted = Object.fromEntries(FIELDS.map((f) => [f, params.get(f) ?? '']));
  const asked = { ...wanted, since: utc(wanted.since), until: utc(wanted.until) };
  const path = query(asked);
  const list = useList('records', `records${path ? `${path}&limit=50` : '?limit=50'}`);
  const file = (format) => `/admin/v1/records/export${query({ ...asked, format })}`;
  const isFiltered = FIELDS.some((f) => wanted[f]);
  return html`<${Head} title="Records" lead="One for each call, kept as long as the configuration says."
      tools=${mayOperate() && html`<a class="button" href=${file('csv')} download="records.csv">Export CSV</a><a class="button" href=${file('jsonl')} download="records.jsonl">Export JSON lines</a>`} />
    <${Section} title="Search"><${Search} params=${params} /><//>
    <${Section} title="Calls"><${Loaded} of=${list}>
      <${Table} caption="Records of calls" columns=${COLUMNS} rows=${list.rows} tone=${(r) => (bad(r) ? 'bad' : '')}
        empty=${isFiltered ? html`<${Empty} title="No record fits">Take something out of the search.<//>` : html`<${Empty} title="No call was recorded yet">The first call leaves its record here as soon as it begins.<//>`} />
      ${list.more && html`<p><button type="button" onClick=${list.more}>More</button></p>`}<//><//>
    ${maySecure() && html`<${Erase} />`}`;
}
