// SPDX-License-Identifier: Apache-2.0
// Who was refused, who is banned.

import { useEffect, useRef, useState } from 'preact/hooks';
import { enc, getWhole, maySecure, post, remove } from '../api.js';
import { Badge, Empty, Field, Head, Loaded, Peer, ProblemBox, Section, Table, Time, html, useAct, useData } from '../ui.js';
import { number } from '../words.js';

const REFUSALS = [
  { head: 'Last', cell: (r) => html`<${Time} at=${r.at} />` },
  { head: 'Rule', cell: (r) => html`<${Badge} tone="warn"><${Peer} text=${r.rule} /><//>` },
  { head: 'Status', right: true, cell: (r) => r.status },
  { head: 'Source', cell: (r) => html`<code><${Peer} text=${r.source} /></code>` },
  { head: 'Trunk', cell: (r) => html`<${Peer} text=${r.trunk} />` },
  { head: 'From', cell: (r) => html`<${Peer} text=${r.from} />` },
  { head: 'To', cell: (r) => html`<${Peer} text=${r.to} />` },
  { head: 'Detail', cell: (r) => html`<${Peer} text=${r.detail} />` },
  { head: 'Times', right: true, cell: (r) => number(r.count) },
];

/** 192.0.2.7:5060 and [2001:db8::1]:5060 without the port. */
const hostOf = (source) => /^\[(.+)\](?::\d+)?$/.exec(source)?.[1] ?? /^([\d.]+)(?::\d+)?$/.exec(source)?.[1] ?? source;

function BanForm({ asked, onDone }) {
  const [form, set] = useState({ addr: '', why: '', minutes: '60' });
  const box = useRef();
  useEffect(() => {
    if (!asked) return;
    set({ addr: hostOf(asked.source), why: asked.rule, minutes: '60' });
    box.current.scrollIntoView({ block: 'center' });
    box.current.querySelector('input').focus();
  }, [asked]);
  const { act, problem, busy } = useAct();
  const field = (name) => ({ name, value: form[name], problem, onInput: (v) => set({ ...form, [name]: v }) });
  const submit = (event) => {
    event.preventDefault();
    act(async () => {
      await post('bans', { addr: form.addr, why: form.why || undefined, ttl_s: Math.round(Number(form.minutes) * 60) || undefined });
      set({ addr: '', why: '', minutes: '60' });
      onDone();
    }, 'The address is banned.');
  };
  return html`<form class="grid" ref=${box} onSubmit=${submit}>
    <${Field} label="Address" hint="Or a network: 192.0.2.0/24" required placeholder="192.0.2.7" ...${field('addr')} />
    <${Field} label="Why" ...${field('why')} />
    <${Field} label="Minutes" type="number" min="1" pointer="/ttl_s" ...${field('minutes')} />
    <div class="row end"><button class="primary" disabled=${busy}>Ban</button></div></form><${ProblemBox} problem=${problem} />`;
}

function Bans({ asked }) {
  const bans = useData('bans', { ask: getWhole, every: 10_000 });
  const { act, problem } = useAct();
  const lift = (addr) => act(() => remove(`bans/${enc(addr)}`).then(bans.reload), `${addr} is heard again.`);
  const columns = [
    { head: 'Address', cell: (b) => html`<code><${Peer} text=${b.addr} /></code>` },
    { head: 'Why', cell: (b) => html`<${Peer} text=${b.why} />` },
    { head: 'By', cell: (b) => html`<${Peer} text=${b.by} />` },
    { head: 'Until', cell: (b) => html`<${Time} at=${b.until} />` },
    { head: 'Dropped', right: true, cell: (b) => number(b.hits) },
    ...(maySecure() ? [{ head: '', cell: (b) => html`<button type="button" class="small" onClick=${() => lift(b.addr)}>Lift<span class="unseen"> the ban of ${b.addr}</span></button>` }] : []),
  ];
  return html`<${Section} title="Bans"><${ProblemBox} problem=${problem} />${maySecure() && html`<${BanForm} asked=${asked} onDone=${bans.reload} />`}
    <${Loaded} of=${bans}><${Table} caption="Banned addresses" columns=${columns} rows=${bans.data?.bans} id=${(b) => b.addr} empty=${html`<${Empty} title="Nobody is banned">Who fails to prove itself again and again is banned by itself for a while.<//>`} /><//><//>`;
}

export function Security() {
  const [asked, ask] = useState(null);
  const columns = maySecure() ? [...REFUSALS, { head: '', cell: (r) => r.source && html`<button type="button" class="small" onClick=${() => ask({ ...r })}>Ban…<span class="unseen"> ${r.source}</span></button>` }] : REFUSALS;
  const list = useData('refusals?limit=500', { every: 5000 });
  return html`<${Head} title="Security" lead="Calls and requests that a rule refused, and addresses that are not heard." />
    <${Section} title="Refusals"><${Loaded} of=${list}><${Table} caption="Refusals, latest first" columns=${columns} rows=${list.data?.refusals} id=${(r, i) => i}
      empty=${html`<${Empty} title="Nothing was refused since the start">Each refusal stands here with the rule that made it.<//>`} /><//><//>
    <${Bans} asked=${asked} />`;
}
