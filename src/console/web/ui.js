// SPDX-License-Identifier: Apache-2.0
// Pieces that every page is made of. Text of the network goes through <Peer>: a text node, in its own direction.

import { h, Fragment } from 'preact';
import { useCallback, useEffect, useId, useRef, useState } from 'preact/hooks';
import { signal } from '@preact/signals';
import htm from 'htm';
import { get, me } from './api.js';
import { link } from './live.js';
import * as words from './words.js';

export const html = htm.bind(h);
export { Fragment };

/** Numbers and names stay on one line where there is room. */
const isShort = (text) => String(text).length <= 20;

/** What a peer sent: isolated, so that it cannot reorder its neighbours. */
export const Peer = ({ text }) => (text === null || text === undefined || text === '' ? words.DASH : html`<bdi class=${isShort(text) ? 'short' : undefined}>${words.plain(text)}</bdi>`);

export function Time({ at, short }) {
  const d = words.instant(at);
  if (!d || Number.isNaN(+d)) return words.DASH;
  return html`<time datetime=${d.toISOString()} title=${d.toISOString()}>${short ? words.clock(at) : words.moment(at)}</time>`;
}

const SIGNS = { good: '●', bad: '▲', warn: '◆', idle: '○', info: '■' };
/** A state: sign, word and colour, so that none is alone. */
export const Badge = ({ tone = 'idle', children }) => html`<span class=${`badge ${tone}`}><span aria-hidden="true">${SIGNS[tone] ?? SIGNS.idle}</span> ${children}</span>`;

export const Figure = ({ label, value, unit, note, tone }) => html`
  <div class=${`figure ${tone ?? ''}`}><dt>${label}</dt><dd><b>${value}</b>${unit && value !== words.DASH && html` <span>${unit}</span>`}${note && html`<small>${note}</small>`}</dd></div>`;
export const Figures = ({ children }) => html`<dl class="figures">${children}</dl>`;

export const Facts = ({ rows }) => html`<dl class="facts">${rows.filter(Boolean).map(([k, v]) => html`<div key=${k}><dt>${k}</dt><dd>${v ?? words.DASH}</dd></div>`)}</dl>`;

export const Empty = ({ title, children }) => html`<div class="empty"><p><strong>${title}</strong></p>${children && html`<p>${children}</p>`}</div>`;

/** What can be done about a refusal, where its own words do not say. */
const WAYS_OUT = {
  0: () => 'Does the gateway run, and does this machine reach it? The page tries again by itself as soon as it answers.',
  403: () => `You are logged in with the role ${me.value?.role ?? 'of nobody'}: ask somebody with a higher one, or log in as another.`,
  412: () => 'Somebody else changed it meanwhile: the audit log says who. What you wrote is still here.',
  429: () => 'Wait a little, then try again.',
};

/** A refused request, with the fields that it points at and a way out. onReload: after 412, loads what is there now. */
export function ProblemBox({ problem, onReload }) {
  if (!problem) return null;
  return html`<div class="problem" role="alert">
    <p><strong>${problem.title ?? 'That did not work'}</strong>${problem.status ? html` <span class="soft">(${problem.status})</span>` : ''}</p>
    ${problem.message && problem.message !== problem.title && !problem.errors?.some((e) => e.reason === problem.message) && html`<p><${Peer} text=${problem.message} /></p>`}
    ${WAYS_OUT[problem.status] && html`<p>${WAYS_OUT[problem.status]()}</p>`}
    ${problem.errors?.length > 0 && html`<ul>${problem.errors.map((e) => html`<li><code><${Peer} text=${e.pointer ?? (e.line ? `${e.file ?? ''}:${e.line}` : '/')} /></code> <${Peer} text=${e.reason ?? e.message} /></li>`)}</ul>`}
    ${problem.status === 412 && onReload && html`<p><button type="button" class="small" onClick=${onReload}>Load what is there now, keep what I wrote</button></p>`}
  </div>`;
}

export const Section = ({ title, tools, children, id, wide }) => html`
  <section class=${`card ${wide ? 'wide' : ''}`} aria-labelledby=${id ?? slug(title)}>
    <header><h2 id=${id ?? slug(title)}>${title}</h2>${tools && html`<div class="tools">${tools}</div>`}</header>
    ${children}
  </section>`;

export const slug = (title) => `h-${title.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;

export const Head = ({ title, lead, tools }) => html`<div class="head"><div><h1>${title}</h1>${lead && html`<p class="soft">${lead}</p>`}</div>${tools && html`<div class="tools">${tools}</div>`}</div>`;

const CAP = 200; // as many rows of a long list are drawn
const compare = (a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b)));

/** Rows by the column whose head was pressed: up, down, as they came. What is absent comes last. */
function useOrder(columns, rows) {
  const [{ head, way }, set] = useState({ head: null, way: 0 });
  const by = columns.find((c) => c.head === head)?.by;
  const sorted = !by || !way ? rows : rows.toSorted((a, b) => {
    const [x, y] = [by(a), by(b)], absent = (v) => v === null || v === undefined || v === '';
    return absent(x) - absent(y) || way * compare(x, y);
  });
  const press = (c) => set(c.head !== head ? { head: c.head, way: 1 } : { head, way: way === 1 ? -1 : way === -1 ? 0 : 1 });
  return { sorted, press, wayOf: (c) => (c.head === head ? way : 0) };
}

function Heading({ column: c, way, onPress }) {
  if (!c.by) return html`<th scope="col" class=${c.right ? 'right' : ''}>${c.head || html`<span class="unseen">Actions</span>`}</th>`;
  return html`<th scope="col" class=${c.right ? 'right' : ''} aria-sort=${way ? (way > 0 ? 'ascending' : 'descending') : undefined}><button type="button" class="order" onClick=${onPress}>${c.head}<span aria-hidden="true">${way ? (way > 0 ? '▲' : '▼') : '↕'}</span></button></th>`;
}

/** Columns: {head, cell(row), right, by(row): what it can be ordered by}. On a narrow screen each row is a card
 * with the heads beside its cells. cap: no more than CAP rows are drawn. */
export function Table({ caption, columns, rows, id = (r, i) => r.id ?? r.name ?? i, empty, tone, cap }) {
  const { sorted, press, wayOf } = useOrder(columns, rows ?? []);
  if (!rows?.length) return empty ?? html`<${Empty} title="Nothing here" />`;
  const shown = cap ? sorted.slice(0, CAP) : sorted;
  return html`<table><caption class="unseen">${caption}</caption>
    <thead><tr>${columns.map((c) => html`<${Heading} key=${c.head} column=${c} way=${wayOf(c)} onPress=${() => press(c)} />`)}</tr></thead>
    <tbody>${shown.map((row, i) => html`<tr key=${id(row, i)} class=${tone?.(row) ?? ''}>
      ${columns.map((c) => html`<td class=${c.right ? 'right' : ''} data-head=${c.head ?? ''}><div>${c.cell(row)}</div></td>`)}</tr>`)}</tbody></table>
    ${shown.length < rows.length && html`<p class="soft">${words.number(CAP)} of ${words.number(rows.length)} are shown: filter for the others.</p>`}`;
}

/** A list, sifted by a word: {rows, input, isSet}. textOf: what of a row is looked into. */
export function useFilter(all, textOf) {
  const [wanted, setWanted] = useState('');
  const low = wanted.trim().toLowerCase();
  const input = html`<label class="inline">Filter <input type="search" value=${wanted} onInput=${(e) => setWanted(e.target.value)} /></label>`;
  return { rows: low ? all.filter((row) => textOf(row).toLowerCase().includes(low)) : all, isSet: Boolean(low), input };
}

/** A labelled input; `problem` marks it when one of its errors points here. */
export function Field({ label, hint, name, value, onInput, type = 'text', options, problem, pointer, ...rest }) {
  const id = useId();
  const error = problem?.errors?.find((e) => e.pointer === (pointer ?? `/${name}`));
  const about = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;
  const common = { id, name, 'aria-describedby': about, 'aria-invalid': error ? 'true' : undefined, ...rest };
  return html`<div class=${`field ${type}`}>
    <label for=${id}>${label}</label>
    ${options
      ? html`<select ...${common} value=${value} onChange=${(e) => onInput(e.target.value)}>${options.map(([v, t]) => html`<option value=${v} selected=${v === value}>${t ?? v}</option>`)}</select>`
      : type === 'checkbox'
        ? html`<input ...${common} type="checkbox" checked=${value} onChange=${(e) => onInput(e.target.checked)} />`
        : type === 'lines'
          ? html`<textarea ...${common} class="code" spellcheck="false" value=${value} onInput=${(e) => onInput(e.target.value)}></textarea>`
          : html`<input ...${common} type=${type} value=${value} onInput=${(e) => onInput(e.target.value)} />`}
    ${hint && html`<small id=${`${id}-hint`} class="soft">${hint}</small>`}
    ${error && html`<small id=${`${id}-error`} class="error">${error.reason}</small>`}
  </div>`;
}

/** What a path answers: {data, problem, busy, reload}. path null: nothing is asked. ask: get, or getWhole for all pages. */
export function useData(path, { every, ask = get } = {}) {
  const [state, set] = useState({ data: null, problem: null, busy: true });
  const [turn, setTurn] = useState(0);
  const isAsked = useRef(false); // a slow line: what is on its way is waited for, not asked anew
  useEffect(() => {
    if (!path) return undefined;
    const abort = new AbortController();
    isAsked.current = true;
    set((s) => ({ ...s, busy: true }));
    ask(path, { signal: abort.signal }).then(
      (data) => set({ data, problem: null, busy: false }),
      (problem) => problem.name !== 'AbortError' && set((s) => ({ data: s.data, problem, busy: false })),
    ).finally(() => {
      if (!abort.signal.aborted) isAsked.current = false;
    });
    return () => {
      isAsked.current = false;
      abort.abort();
    };
  }, [path, turn]);
  const reload = useCallback(() => setTurn((t) => t + 1), []);
  const isUnreached = Boolean(state.problem) && [0, 502, 503, 504].includes(state.problem.status);
  useEffect(() => {
    if (isUnreached && link.value === 'open') reload();
  }, [link.value]);
  useEffect(() => {
    const timer = every && setInterval(() => !document.hidden && !isAsked.current && reload(), every);
    return () => clearInterval(timer);
  }, [every]);
  return { ...state, reload };
}

/** Pages of a list that has a cursor: {rows, more, ...}. */
export function useList(noun, path) {
  const [extra, setExtra] = useState([]);
  const [cursor, setCursor] = useState(null);
  const [failed, setFailed] = useState(null);
  const first = useData(path);
  useEffect(() => {
    setExtra([]);
    setCursor(first.data?.cursor ?? null);
  }, [first.data]);
  const more = async () => {
    try {
      const page = await get(`${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`);
      setExtra((rows) => [...rows, ...page[noun]]);
      setCursor(page.cursor);
    } catch (problem) {
      setFailed(problem);
    }
  };
  const rows = [...(first.data?.[noun] ?? []), ...extra];
  return { ...first, problem: first.problem ?? failed, rows, more: cursor ? more : null };
}

/** What waits, failed, or is empty; else the children. */
export function Loaded({ of, children }) {
  if (of.problem && !of.data) return html`<${ProblemBox} problem=${of.problem} />`;
  if (!of.data) return html`<p class="soft loading" role="status">Loading…</p>`;
  return html`${of.problem && html`<${ProblemBox} problem=${of.problem} />`}${children}`;
}

/** Runs one change at a time and keeps what refused it. */
export function useAct() {
  const [state, set] = useState({ busy: false, problem: null });
  const act = async (fn, done) => {
    set({ busy: true, problem: null });
    try {
      const result = await fn();
      set({ busy: false, problem: null });
      if (done) say(done);
      return result;
    } catch (problem) {
      set({ busy: false, problem });
      if (problem.errors?.length) requestAnimationFrame(() => document.querySelector('main [aria-invalid=true]')?.focus());
      return undefined;
    }
  };
  return { ...state, act, forget: () => set({ busy: false, problem: null }) };
}

const said = signal('');
let saidTimer = 0;
/** One polite sentence, for eyes and screen readers. */
export function say(sentence) {
  said.value = sentence;
  clearTimeout(saidTimer);
  saidTimer = setTimeout(() => (said.value = ''), 6000);
}
export const Said = () => html`<div class="said" role="status" aria-live="polite">${said.value && html`<p>${said.value}</p>`}</div>`;

/** A question before what cannot be taken back. The native dialog keeps focus inside and gives it back. */
export function Confirm({ title, children, action, onYes, onNo, danger }) {
  const ref = useRef();
  const id = useId();
  useEffect(() => {
    ref.current?.showModal();
  }, []);
  return html`<dialog ref=${ref} aria-labelledby=${id} onClose=${onNo} onCancel=${onNo}>
    <h2 id=${id}>${title}</h2><div class="said-more">${children}</div>
    <div class="row end"><button type="button" onClick=${onNo}>Cancel</button>
    <button type="button" class=${danger ? 'danger' : 'primary'} onClick=${onYes}>${action}</button></div>
  </dialog>`;
}

export function Copy({ text, label = 'Copy' }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say('Copied.');
    } catch {
      say('The browser does not allow it: select the text and copy it.');
    }
  };
  return html`<button type="button" class="small" onClick=${copy}>${label}</button>`;
}

/** A block of text as it is, scrolled and reached by keyboard. */
export const Pre = ({ text, label }) => html`<pre class="message" tabindex="0" role="region" aria-label=${label}>${words.plain(text ?? '')}</pre>`;

export const Bar = ({ value, max = 1, label }) => html`<meter min="0" max=${max} value=${value} aria-label=${label}></meter>`;
