// SPDX-License-Identifier: Apache-2.0
// Records of calls: search, export.

import { useEffect, useState } from 'preact/hooks';
import { enc, mayOperate, maySecure, post, query } from '../api.js';
import { go } from '../router.js';
import { Badge, Confirm, Empty, Field, Head, Loaded, Peer, ProblemBox, Section, Table, Time, html, useAct, useList } from '../ui.js';
import { now } from '../live.js';
import { duration, fromInput, number, party, toInput, words, zone } from '../words.js';

const FIELDS = ['q', 'number', 'trunk', 'user', 'state', 'reason', 'since', 'until', 'max_mos', 'cause'];
const STATES = [['', 'Any'], ['live', 'Live'], ['ended', 'Ended'], ['refused', 'Refused by the gateway']];

const linkOf = (r) => `#/calls/${enc(r.call ?? r.id)}?record=${enc(r.id)}`;
export const bad = (r) => r.end && !r.answered_at && !/cancel|normal|busy|no_answer|declined/i.test(r.end.reason ?? ''); // a callee's own choice is no fault
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

const HOUR_MS = 3_600_000, DAY_MS = 24 * HOUR_MS;
const midnight = () => Date.parse(fromInput(`${toInput(now.peek()).slice(0, 10)}T00:00`));
/** Spans that are asked for most: name, from, to. */
const SPANS = [
  ['The last hour', () => [now.peek() - HOUR_MS]], ['Today', () => [midnight()]], ['Yesterday', () => [midnight() - DAY_MS, midnight()]],
  ['The last 7 days', () => [midnight() - 7 * DAY_MS]], ['The last 30 days', () => [midnight() - 30 * DAY_MS]],
];

function Spans({ wanted }) {
  const choose = (span) => {
    const [since, until] = span();
    go(`/records${query({ ...wanted, since: toInput(since), until: until && toInput(until) })}`);
  };
  return html`<div class="row tabs" role="group" aria-label="Spans of time">${SPANS.map(([name, span]) => html`<button type="button" class="small" onClick=${() => choose(span)}>${name}</button>`)}</div>`;
}

/** +49 (30) 123-45 as records have it. */
const inNumber = (text) => (/^\s*\+[\d ()./-]+$/.test(text) ? text.replace(/[^+\d]/g, '') : text.trim());
const isHalf = (q) => /^\d{2,}$/.test(q);

/** What may be wrong with a search that found nothing. */
function NoneFits({ wanted }) {
  const { q, number: whole } = wanted;
  if (isHalf(q)) return html`<${Empty} title="No record fits">A number is found by how it begins, as the record has it: <a href=${`#/records${query({ ...wanted, q: `+${q}` })}`}>search for +${q}</a>, or begin with the country.<//>`;
  if (whole) return html`<${Empty} title="No record fits"><code>Number</code> wants all of it. Of a part, put its beginning into another field: <a href=${`#/records${query({ ...wanted, number: '', q: whole })}`}>what begins with <${Peer} text=${whole} /></a>.<//>`;
  return html`<${Empty} title="No record fits">Take something out of the search.<//>`;
}

function Search({ params }) {
  const asked = () => Object.fromEntries(FIELDS.map((f) => [f, params.get(f) ?? '']));
  const [form, set] = useState(asked);
  useEffect(() => set(asked()), [params]); // a link that asks something else, "back": the form follows, focus stays
  const field = (name) => ({ name, value: form[name], onInput: (v) => set({ ...form, [name]: v }) });
  const submit = (event) => {
    event.preventDefault();
    go(`/records${query({ ...form, q: inNumber(form.q), number: inNumber(form.number) })}`);
  };
  return html`<${Spans} wanted=${form} /><form class="grid" role="search" onSubmit=${submit}>
    <${Field} label="Begins with" hint="A number or half of one, user, Call-ID" type="search" placeholder="+4930" ...${field('q')} />
    <${Field} label="Number, all of it" type="search" ...${field('number')} />
    <${Field} label="Trunk" ...${field('trunk')} />
    <${Field} label="User" ...${field('user')} />
    <${Field} label="State" options=${STATES} ...${field('state')} />
    <${Field} label="Reason" ...${field('reason')} />
    <${Field} label=${`Since, ${zone()}`} type="datetime-local" ...${field('since')} />
    <${Field} label=${`Until, ${zone()}`} type="datetime-local" ...${field('until')} />
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
  const asked = { ...wanted, since: fromInput(wanted.since), until: fromInput(wanted.until) };
  const path = query(asked);
  const list = useList('records', `records${path ? `${path}&limit=50` : '?limit=50'}`);
  const file = (format) => `/admin/v1/records/export${query({ ...asked, format })}`;
  const isFiltered = FIELDS.some((f) => wanted[f]);
  return html`<${Head} title="Records" lead="One for each call, kept as long as the configuration says. An export holds all that the search finds."
      tools=${mayOperate() && html`<a class="button" href=${file('csv')} download="records.csv">Export CSV</a><a class="button" href=${file('jsonl')} download="records.jsonl">Export JSON lines</a>`} />
    <${Section} title="Search"><${Search} params=${params} /><//>
    <${Section} title="Calls"><${Loaded} of=${list}>
      <${Table} caption="Records of calls" columns=${COLUMNS} rows=${list.rows} tone=${(r) => (bad(r) ? 'bad' : '')}
        empty=${isFiltered ? html`<${NoneFits} wanted=${wanted} />` : html`<${Empty} title="No call was recorded yet">The first call leaves its record here as soon as it begins.<//>`} />
      ${list.more && html`<p><button type="button" onClick=${list.more}>More</button></p>`}<//><//>
    ${maySecure() && html`<${Erase} />`}`;
}
