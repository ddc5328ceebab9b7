// SPDX-License-Identifier: Apache-2.0
// The configuration as a document: edit, validate, see what changes, ask yesterday's calls, commit, take back.

import { useEffect, useRef, useState } from 'preact/hooks';
import { get, mayAdmin, mayOperate, post, send } from '../api.js';
import { now } from '../live.js';
import { Diff } from '../message.js';
import { Badge, Confirm, Empty, Field, Head, Loaded, Peer, ProblemBox, Section, Table, Time, html, useAct, useData } from '../ui.js';
import { number, words } from '../words.js';

const Left = ({ until }) => `${number(Math.max(0, Math.round((Date.parse(until) - now.value) / 1000)))} s`;

function Pending({ until, onDone }) {
  const { act, problem, busy } = useAct();
  const run = (verb, done) => act(() => post(`config/${verb}`).then(onDone), done);
  return html`<div class="notice"><p><${Badge} tone="warn">On probation<//> <span role="status">This configuration is taken back by itself unless somebody confirms it</span>: <span role="timer"><${Left} until=${until} /> left</span>.</p>
    ${mayAdmin() && html`<div class="row"><button type="button" class="primary" disabled=${busy} onClick=${() => run('confirm', 'Confirmed: it stays.')}>Keep it</button><button type="button" disabled=${busy} onClick=${() => run('cancel', 'Taken back.')}>Take it back now</button></div>`}<${ProblemBox} problem=${problem} /></div>`;
}

/** Errors of a candidate; a click goes to the line. */
function Errors({ errors, onLine }) {
  if (!errors) return null;
  if (!errors.length) return html`<p role="status"><${Badge} tone="good">No errors<//></p>`;
  return html`<div class="problem" role="alert"><p><strong>${errors.length} ${errors.length === 1 ? 'error' : 'errors'}</strong></p><ul>${errors.map((e) => html`<li>${e.line ? html`<button type="button" class="link" onClick=${() => onLine(e.line)}>Line ${e.line}</button> ` : ''}<code><${Peer} text=${e.pointer ?? e.path ?? ''} /></code> <${Peer} text=${e.message ?? e.reason} /></li>`)}</ul></div>`;
}

const CHANGES = [
  { head: 'Setting', cell: (c) => html`<code><${Peer} text=${c.path} /></code>` },
  { head: 'Now', cell: (c) => html`<${Peer} text=${c.old === null ? null : String(c.old)} />` },
  { head: 'Then', cell: (c) => html`<${Peer} text=${c.new === null ? null : String(c.new)} />` },
];

function Changes({ diff, before, after }) {
  if (!diff) return null;
  const isSame = !diff.unified && !diff.changes?.length;
  return html`<h3>What changes</h3>${isSame ? html`<p>Nothing: the text says the same.</p>` : html`
    <p>${diff.reloadable === false || diff.restart?.length ? html`<${Badge} tone="warn">Needs a restart for ${diff.restart?.join(', ')}<//>` : html`<${Badge} tone="good">Taken without a restart<//>`}</p>
    ${diff.changes?.length > 0 && html`<${Table} caption="Settings that change" columns=${CHANGES} rows=${diff.changes} id=${(c) => c.path} />`}
    <${Diff} before=${before} after=${after} label="Line by line" />`}`;
}

const MOVED = [
  { head: 'Call', cell: (r) => html`<code><${Peer} text=${r.record} /></code>` },
  { head: 'Called', cell: (r) => html`<${Peer} text=${r.called} />` },
  { head: 'Went', cell: (r) => html`<${Peer} text=${r.old} />` },
  { head: 'Would go', cell: (r) => html`<${Peer} text=${r.new} />` },
];
const Replay = ({ replay }) => replay && html`<h3>Replay</h3><p role="status"><${Badge} tone=${replay.refused ? 'bad' : replay.changed ? 'warn' : 'good'}>${number(replay.changed)} of ${number(replay.calls)} calls would go another way, ${number(replay.refused)} would be refused${replay.emergency ? `; ${number(replay.emergency)} emergency calls among them` : ''}<//></p>
  ${replay.list?.length > 0 && html`<${Table} caption="Calls that would go another way" columns=${MOVED} rows=${replay.list.slice(0, 100)} id=${(r, i) => i} />`}`;

/** Somebody else was faster: their text becomes what is compared with, ours stays in the field. */
function Overtaken({ onLook }) {
  return html`<div class="row"><button type="button" onClick=${onLook}>Compare with what is in force now, keep my text</button></div>`;
}

function CommitForm({ candidate, etag, onDone, onLook }) {
  const [form, set] = useState({ comment: '', minutes: '5', force: false });
  const { act, problem, busy } = useAct();
  const field = (name) => ({ name, value: form[name], problem, onInput: (v) => set({ ...form, [name]: v }) });
  const submit = (event) => {
    event.preventDefault();
    const confirm_s = Math.round(Number(form.minutes) * 60);
    act(async () => {
      await send('POST', 'config/commit', { body: { ...candidate, comment: form.comment, ...(confirm_s > 0 && { confirm_s }), ...(form.force && { force: true }) }, etag });
      onDone();
    }, confirm_s > 0 ? 'Committed on probation: confirm it.' : 'Committed.');
  };
  return html`<form class="grid" onSubmit=${submit}><${Field} label="Comment" ...${field('comment')} />
    <${Field} label="Minutes on probation" type="number" min="0" max="1440" hint="It is taken back unless confirmed. 0: at once for good" pointer="/confirm_s" ...${field('minutes')} />
    ${(problem?.status === 422 || form.force) && html`<${Field} label="Commit although calls would be refused" type="checkbox" ...${field('force')} />`}
    <div class="row end"><button class="primary" disabled=${busy}>Commit</button></div></form><${ProblemBox} problem=${problem} />${problem?.status === 412 && html`<${Overtaken} onLook=${onLook} />`}`;
}

/** The file and the dialplans that it names, as one candidate. */
const textsOf = (config) => ({ main: config.text, ...Object.fromEntries((config.files ?? []).map((f) => [f.name, f.text])) });

function useCandidate(config) {
  const files = config.files ?? [];
  const first = textsOf(config);
  const [texts, setTexts] = useState(first);
  const changed = files.filter((f) => texts[f.name] !== f.text);
  const isChanged = texts.main !== config.text || changed.length > 0;
  const candidate = { text: texts.main, ...(changed.length && { files: changed.map((f) => ({ name: f.name, text: texts[f.name] })) }) };
  return { names: ['main', ...files.map((f) => f.name)], first, texts, isChanged, candidate, edit: (name, text) => setTexts({ ...texts, [name]: text }), undo: () => setTexts(first) };
}

/** The cursor to a line of the text, for a click on an error. */
function showLine(area, line) {
  const rows = area.value.split('\n'), from = rows.slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(from, from + (rows[line - 1]?.length ?? 0));
  area.scrollTop = (line - 4) * parseFloat(getComputedStyle(area).lineHeight);
}

const titleOf = (name) => (name === 'main' ? 'The file' : name);

function Text({ c, shown, setShown, area, onInput }) {
  return html`${c.names.length > 1 && html`<div class="row tabs" role="group" aria-label="Files">${c.names.map((n) => html`<button type="button" class="small" aria-pressed=${n === shown} onClick=${() => setShown(n)}>${titleOf(n)}${c.texts[n] !== c.first[n] ? ', changed' : ''}</button>`)}</div>`}
    <label for="config-text" class="unseen">${titleOf(shown)}</label>
    <textarea id="config-text" ref=${area} class="code" rows="24" spellcheck="false" wrap="off" readonly=${!mayAdmin()} value=${c.texts[shown]} onInput=${(e) => onInput(e.target.value)}></textarea>`;
}

function Editor({ config: opened, onDone }) {
  const [config, setConfig] = useState(opened);
  const c = useCandidate(config);
  const [shown, setShown] = useState('main');
  const [seen, setSeen] = useState({});
  const { act, problem, busy } = useAct();
  const area = useRef();
  const ask = (verb, body = {}) => act(async () => {
    const result = await post(`config/${verb}`, { ...c.candidate, ...body });
    setSeen((s) => ({ ...s, [verb]: result }));
  });
  const edit = (text) => {
    c.edit(shown, text);
    setSeen({});
  };
  const undo = () => {
    c.undo();
    setSeen({});
  };
  const look = () => act(async () => {
    setConfig(await get('config'));
    setSeen({ diff: await post('config/diff', c.candidate) });
  });
  return html`<${Text} c=${c} shown=${shown} setShown=${setShown} area=${area} onInput=${edit} />
    ${!mayAdmin() && html`<p class="soft">The role admin changes it; yours looks${mayOperate() ? ' and validates' : ''}.</p>`}
    ${mayOperate() && html`<div class="row"><button type="button" disabled=${busy} onClick=${() => ask('validate')}>Validate</button><button type="button" disabled=${busy || !c.isChanged} onClick=${() => ask('diff')}>What changes?</button>
      <button type="button" disabled=${busy || !c.isChanged} onClick=${() => ask('replay', { hours: 24 })}>Replay yesterday's calls</button>${c.isChanged && html`<button type="button" onClick=${undo}>Undo the edit</button>`}</div>`}
    <${ProblemBox} problem=${problem} />
    <${Errors} errors=${seen.validate?.errors ?? seen.diff?.errors} onLine=${(line) => showLine(area.current, line)} />
    <${Changes} diff=${seen.diff} before=${c.first[shown]} after=${c.texts[shown]} /><${Replay} replay=${seen.replay} />
    ${c.isChanged && mayAdmin() && html`<h3>Commit</h3><${CommitForm} key=${config.etag} candidate=${c.candidate} etag=${config.etag} onDone=${onDone} onLook=${look} />`}`;
}

function History({ current, version, etag, onDone, turn }) {
  const list = useData('config/history');
  const [shown, setShown] = useState(null);
  const [asks, setAsks] = useState(null);
  const { act, problem } = useAct();
  useEffect(list.reload, [turn]);
  const show = (h) => act(async () => setShown({ n: h.n, text: (await get(`config/history/${h.n}`)).text }));
  const back = (h) => {
    setAsks(null);
    act(() => post('config/rollback', { n: h.n }, { etag }).then(onDone), `Configuration ${h.n} is in force.`);
  };
  const isNow = (h) => h.version === version && h.n === list.data.history.find((x) => x.version === version).n;
  const columns = [
    { head: 'No', right: true, cell: (h) => number(h.n) },
    { head: 'At', cell: (h) => html`<${Time} at=${h.at} />` },
    { head: 'Who', cell: (h) => html`<${Peer} text=${h.who} />` },
    { head: 'Comment', cell: (h) => (h.comment || !h.of ? html`<${Peer} text=${h.comment} />` : html`<span class="soft">${words(h.how)}, of number ${number(h.of)}</span>`) },
    { head: 'Version', cell: (h) => html`<code>${String(h.version ?? '').slice(0, 16)}</code>${isNow(h) && html` <${Badge} tone="good">In force<//>`}` },
    { head: '', cell: (h) => !isNow(h) && html`<button type="button" class="small" onClick=${() => show(h)}>Compare<span class="unseen"> number ${h.n} with now</span></button>${mayAdmin() && html` <button type="button" class="small" onClick=${() => setAsks(h)}>Roll back<span class="unseen"> to number ${h.n}</span></button>`}` },
  ];
  return html`<${Section} title="History"><${ProblemBox} problem=${problem} /><${Loaded} of=${list}>
      <${Table} caption="Configurations that were in force" columns=${columns} rows=${list.data?.history} id=${(h) => h.n} empty=${html`<${Empty} title="No change yet">Each commit is kept here with who made it, and can be gone back to.<//>`} /><//>
    ${shown && html`<h3>From number ${shown.n} to now</h3><${Diff} before=${shown.text ?? ''} after=${current} label=${`Number ${shown.n} against now`} />`}
    ${asks && html`<${Confirm} title=${`Roll back to number ${asks.n}?`} action="Roll back" onYes=${() => back(asks)} onNo=${() => setAsks(null)}>Calls go on; new ones follow the old configuration.<//>`}<//>`;
}

function toHistory() {
  const card = document.getElementById('h-history')?.closest('.card');
  card?.scrollIntoView();
  card?.querySelector('button')?.focus({ preventScroll: true });
}

export function Config() {
  const config = useData('config');
  const [turn, setTurn] = useState(0);
  const done = () => {
    config.reload();
    setTurn((t) => t + 1);
  };
  const until = config.data?.pending?.confirm_by;
  return html`<${Head} title="Configuration" lead=${config.data && html`Version <code>${config.data.version}</code>. Secrets read <code>(kept)</code> and stay as they are.`}
      tools=${html`<button type="button" onClick=${toHistory}>Earlier ones, and back to them</button>`} />
    ${until && html`<${Pending} until=${until} onDone=${done} />`}
    <${Section} title="The file"><${Loaded} of=${config}><${Editor} key=${config.data?.etag} config=${config.data ?? { text: '' }} onDone=${done} /><//><//>
    <${History} current=${config.data?.text ?? ''} version=${config.data?.version} etag=${config.data?.etag} onDone=${done} turn=${turn} />`;
}
