// SPDX-License-Identifier: Apache-2.0
// Where calls go, and a test of one number before anybody dials it.

import { useEffect, useState } from 'preact/hooks';
import { enc, mayAdmin, post, send } from '../api.js';
import { trunks } from '../live.js';
import { Badge, Confirm, Empty, Facts, Field, Head, Loaded, Peer, Pre, ProblemBox, Section, Table, html, useAct, useData, useFilter, useList } from '../ui.js';
import { fromInput, zone } from '../words.js';

const TRIALS = [
  { head: 'Rule', cell: (t) => html`<${Peer} text=${t.rule} />` },
  { head: 'Line', right: true, cell: (t) => t.line },
  { head: 'Fits', cell: (t) => html`<${Badge} tone=${t.fits ? 'good' : 'idle'}>${t.fits ? 'Yes' : 'No'}<//>` },
  { head: 'Why', cell: (t) => html`<${Peer} text=${t.why} />` },
];

function Outcome({ d }) {
  const refused = d.refused ?? null;
  return html`<div class="outcome" role="status"><p>${refused ? html`<${Badge} tone="bad">Refused with ${refused}<//>` : html`<${Badge} tone="good">By rule <${Peer} text=${d.rule} /><//>`}
      ${d.emergency && html` <${Badge} tone="warn">An emergency number<//>`}${d.fault && html` <${Badge} tone="bad"><${Peer} text=${d.fault} /><//>`}</p>
    <${Facts} rows=${[['Called goes out as', html`<code><${Peer} text=${d.called} /></code>`], ['Caller goes out as', html`<code><${Peer} text=${d.caller} /></code>`]]} />
    ${d.steps?.length > 0 && html`<h3>Steps</h3><ol class="steps">${d.steps.map((s) => html`<li><${Peer} text=${typeof s === 'string' ? s : JSON.stringify(s)} /></li>`)}</ol>`}
    ${d.rules?.length > 0 && html`<h3>Rules in order</h3><${Table} caption="Rules that were tried" columns=${TRIALS} rows=${d.rules} id=${(t, i) => i} />`}</div>`;
}

function NumberTest({ params }) {
  const [form, set] = useState(() => ({ called: params.get('called') ?? '', caller: params.get('caller') ?? '', trunk: params.get('trunk') ?? '', user: params.get('user') ?? '', at: '' }));
  const [result, setResult] = useState(null);
  const { act, problem, busy } = useAct();
  const field = (name) => ({ name, value: form[name], problem, onInput: (v) => set({ ...form, [name]: v }) });
  const submit = (event) => {
    event.preventDefault();
    const body = Object.fromEntries(Object.entries({ ...form, at: fromInput(form.at)?.slice(0, 16) }).filter(([, v]) => v));
    act(async () => setResult(await post('routes/test', body)));
  };
  const names = [['', 'No: from a user'], ...[...trunks.value.keys()].map((n) => [n, n])];
  return html`<${Section} title="Test a number"><form class="grid" onSubmit=${submit}>
      <${Field} label="Called number" required placeholder="+49301234567" ...${field('called')} />
      <${Field} label="Caller" ...${field('caller')} />
      <${Field} label="Comes from trunk" options=${names} ...${field('trunk')} />
      <${Field} label="Comes from user" ...${field('user')} />
      <${Field} label=${`At, ${zone()}`} type="datetime-local" hint="Empty: now" ...${field('at')} />
      <div class="row end"><button class="primary" disabled=${busy}>Test</button></div></form>
    <${ProblemBox} problem=${problem} />
    ${result ? html`<${Outcome} d=${result} />` : html`<p class="soft">Nothing is dialled: the plan is asked what it would do, rule by rule.</p>`}<//>`;
}

const RULES = [
  { head: 'Rule', cell: (r) => html`<${Peer} text=${r.name ?? r.rule} />` },
  { head: 'Line', right: true, cell: (r) => r.line },
  { head: 'What it does', cell: (r) => html`<${Peer} text=${r.summary ?? r.text ?? (r.steps ? JSON.stringify(r.steps) : null)} />` },
];
function GiveNumber({ etag, onDone, onReload }) {
  const [form, set] = useState({ number: '', user: '' });
  const { act, problem, busy } = useAct();
  const field = (name) => ({ name, value: form[name], problem, onInput: (v) => set({ ...form, [name]: v }) });
  const submit = (event) => {
    event.preventDefault();
    act(async () => {
      await send('PUT', `numbers/${enc(form.number.trim())}`, { body: { user: form.user.trim() }, etag });
      set({ number: '', user: '' });
      onDone();
    }, 'The number rings its user.');
  };
  return html`<form class="grid" onSubmit=${submit}>
    <${Field} label="Number" required placeholder="+49301234567" ...${field('number')} /><${Field} label="User" required ...${field('user')} />
    <div class="row end"><button class="primary" disabled=${busy}>Give the number</button></div></form><${ProblemBox} problem=${problem} onReload=${onReload} />`;
}

const NUMBERS_MAX = 10_000; // as many are asked for by themselves, page by page, so that the filter looks into all

function Numbers() {
  const list = useList('numbers', 'numbers?limit=500');
  const { rows, input, isSet } = useFilter(list.rows, (n) => `${n.number} ${n.user} ${n.display ?? ''}`);
  useEffect(() => {
    if (list.more && list.rows.length < NUMBERS_MAX) list.more();
  }, [Boolean(list.more), list.rows.length]);
  const [asks, setAsks] = useState(null);
  const { act, problem } = useAct();
  const etag = list.data?.etag;
  const drop = () => {
    setAsks(null);
    act(() => send('DELETE', `numbers/${enc(asks)}`, { etag }).finally(list.reload), `${asks} leads nowhere now.`);
  };
  const columns = [
    { head: 'Number', cell: (n) => html`<code><${Peer} text=${n.number} /></code>` },
    { head: 'User', cell: (n) => html`<${Peer} text=${n.user} />` },
    { head: 'Name', cell: (n) => html`<${Peer} text=${n.display} />` },
    ...(mayAdmin() ? [{ head: '', cell: (n) => html`<button type="button" class="small danger" onClick=${() => setAsks(n.number)}>Take away<span class="unseen"> ${n.number}</span></button>` }] : []),
  ];
  return html`<${Section} title="Numbers" tools=${list.rows.length > 10 && input}>${mayAdmin() && html`<${GiveNumber} etag=${etag} onDone=${list.reload} onReload=${list.reload} />`}<${ProblemBox} problem=${problem} /><${Loaded} of=${list}>
      <${Table} cap caption="Numbers" columns=${columns} rows=${rows} id=${(n) => n.number} empty=${isSet ? html`<${Empty} title="No number fits">Take something out of the filter.<//>` : html`<${Empty} title="No number leads to a user">${mayAdmin() ? 'Give one to a user, here or in the configuration.' : html`Users have their <code>numbers</code> in the configuration.`}<//>`} />${list.more && list.rows.length >= NUMBERS_MAX && html`<p><button type="button" onClick=${list.more}>More</button></p>`}<//>
    ${asks && html`<${Confirm} title=${`Take ${asks} away?`} action="Take away" danger onYes=${drop} onNo=${() => setAsks(null)}>Calls to it are refused or go where the dialplan says.<//>`}<//>`;
}

export function Routing({ params }) {
  const plan = useData('routes');
  return html`<${Head} title="Routing" lead="Which way a call goes." tools=${html`<a class="button" href="#/config">Edit in the configuration</a>`} />
    <${NumberTest} key=${params.toString()} params=${params} />
    <${Section} title="Dialplan" tools=${plan.data?.file && html`<code>${plan.data.file}</code>`}><${Loaded} of=${plan}>
      ${plan.data?.rules?.length > 0 && html`<${Table} caption="Rules of the dialplan" columns=${RULES} rows=${plan.data.rules} id=${(r, i) => i} />`}
      ${plan.data?.text ? html`<details><summary>The file</summary><${Pre} label="The dialplan" text=${plan.data.text} /></details>` : !plan.data?.rules?.length && html`<${Empty} title="No dialplan of your own">Numbers of the users ring them; everything else goes to the first trunk. Name a file under <code>routing.plan</code> to say more.<//>`}<//><//>
    <${Numbers} />`;
}
