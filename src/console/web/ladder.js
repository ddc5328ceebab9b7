// SPDX-License-Identifier: Apache-2.0
// The ladder of a call: both legs' messages, events, ICE and DTLS on one clock, one row each. A row is a
// button; the ladder is one stop of the tab key, arrow keys walk its rows. Rows that stay are not drawn anew.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { sdpOf } from './diff.js';
import { Peer, html } from './ui.js';
import * as words from './words.js';

const GAP_US = 1_000_000;
const TITLES = { caller: 'Caller', gateway: 'Sallyport', callee: 'Callee', callee2: 'Second callee', media: 'Media' };
const KINDS = { sip: 'SIP', native: 'API', event: 'Event', ice: 'ICE', dtls: 'DTLS', offer: 'Offer', rule: 'Rule', media: 'Media', state: 'State', note: 'Note' };

/** Lanes in the order in which they stand: the gateway between its two sides, media at the right. */
export function lanesOf(timeline) {
  const used = new Set([...(timeline.lanes ?? []), ...timeline.items.map((i) => i.lane)]);
  const rest = [...used].filter((lane) => !['caller', 'gateway', 'media'].includes(lane)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return ['caller', 'gateway', ...rest, ...(used.has('media') ? ['media'] : [])];
}

export const laneTitle = (lane) => TITLES[lane] ?? words.words(lane).replace(/(\d+)$/, ' $1');

/** good, bad, warn or idle: what a row's title says of itself. */
export function toneOf(item) {
  const status = /^(?:SIP\/2\.0 )?([1-6])\d\d\b/.exec(item.title)?.[1];
  if (status) return { 1: 'idle', 2: 'good', 3: 'warn' }[status] ?? 'bad';
  const said = item.title.replace(/\b0 (lost|failed)/g, ''); // of the sums at the end, none is no fault
  if (/fail|refus|error|lost|timeout|timed out|wrong|reject|denied|expired|one-way|no media/i.test(said)) return 'bad';
  if (/no audio|dropped/i.test(said)) return 'warn';
  return /connected|completed|answered|verified|selected/i.test(item.title) ? 'good' : 'idle';
}

export const stamp = (us) => `${(us / 1e6).toFixed(3)}`;

/** Whom the descriptions of a message can be held against: the one before of the same side, the offer or
 * answer that it belongs to (same leg, other side), and the last one of the other leg. */
function comparisons(item, before) {
  const other = Object.entries(before).filter(([k]) => !k.startsWith(`${item.lane} `)).map(([, v]) => v).sort((a, b) => b.at - a.at)[0];
  const list = [
    ['the one before', before[`${item.lane} ${item.dir}`]],
    ["the other side's", before[`${item.lane} ${item.dir === 'in' ? 'out' : 'in'}`]],
    ["the other leg's", other],
  ];
  return list.filter(([, v]) => v).map(([label, v]) => ({ label, text: v.text }));
}

/** Each item with what the page needs: its place, its tone, and what its description can be held against. */
export function itemsOf(timeline) {
  const lanes = lanesOf(timeline), before = {}, twins = new Map();
  const keyOf = (item) => {
    const name = `${item.t_us} ${item.lane} ${item.dir} ${item.title}`, n = (twins.get(name) ?? 0) + 1;
    twins.set(name, n);
    return `${name} ${n}`;
  };
  const sorted = timeline.items.map((item, index) => ({ ...item, index })).sort((a, b) => a.t_us - b.t_us || a.index - b.index);
  return sorted.map((item, at) => {
    const sdp = item.text ? sdpOf(item.text) : '';
    const row = { ...item, at, key: keyOf(item), tone: toneOf(item), lane_at: Math.max(0, lanes.indexOf(item.lane)), sdp_text: sdp, sdp_against: sdp ? comparisons(item, before) : [] };
    if (sdp) before[`${item.lane} ${item.dir}`] = { at, text: sdp };
    return row;
  });
}

/** Grid lines of an arrow between two lanes' middles; each lane is two columns wide. */
function arrow(item, gateway) {
  const side = item.lane_at;
  const from = item.dir === 'in' ? side : gateway, to = item.dir === 'in' ? gateway : side;
  return { place: `${2 * Math.min(from, to) + 2} / ${2 * Math.max(from, to) + 2}`, way: from < to ? 'right' : 'left' };
}

const kindOf = (item) => KINDS[item.kind] ?? words.words(item.kind);

function spoken(item) {
  const way = item.dir ? (item.dir === 'in' ? `from ${laneTitle(item.lane)}` : `to ${laneTitle(item.lane)}`) : `at ${laneTitle(item.lane)}`;
  return `${stamp(item.t_us)} s, ${kindOf(item)}, ${way}: `;
}

/** A point may be as wide as three lanes where it has neighbours, and two at an edge. */
function pointPlace(at, n) {
  if (at === 0 || at === n - 1) return { gridColumn: at === 0 ? '1 / span 4' : `${2 * at - 1} / span 4`, justifySelf: at === 0 ? 'start' : 'end' };
  return { gridColumn: `${2 * at - 1} / span 6` };
}

/** The call's own id says nothing in its own ladder: the rest of a path needs the room. */
const brief = (title, call) => (call && title.length > 24 ? title.replace(call, '…') : title);

function Mark({ item, gateway, lanes, call }) {
  const label = html`<span class="kind" aria-hidden="true">${kindOf(item)}</span> <${Peer} text=${brief(item.title, call)} />${item.sdp || item.sdp_text ? html` <span class="sdp">SDP</span>` : ''}`;
  if (item.dir && item.lane_at !== gateway) {
    const { place, way } = arrow(item, gateway);
    return html`<span class=${`arrow ${way} ${item.tone} ${item.kind}`} style=${{ gridColumn: place }}><span class="label" style=${{ maxWidth: `${Math.round(100 * (lanes - Math.min(gateway, item.lane_at) - 0.6) / Math.abs(gateway - item.lane_at))}%` }}>${label}</span></span>`;
  }
  return html`<span class=${`point ${item.tone} ${item.kind}`} style=${pointPlace(item.lane_at, lanes)}><span class="label">${label}</span></span>`;
}

const STEPS = { ArrowDown: (at) => at + 1, ArrowUp: (at) => at - 1, Home: () => 0, End: (at, n) => n - 1, PageDown: (at, n) => Math.min(n - 1, at + 10), PageUp: (at) => Math.max(0, at - 10) };

function walk(event) {
  const step = !event.ctrlKey && !event.metaKey && !event.altKey && STEPS[event.key];
  const list = step && [...event.currentTarget.querySelectorAll('button')];
  const next = list && list[step(list.indexOf(document.activeElement), list.length)];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

/** The tab key comes to one row: the one that had focus last, else the chosen one, else the first. */
function restOn(list, wanted) {
  const old = list.querySelector('[tabindex="0"]'), next = wanted ?? old ?? list.querySelector('[aria-pressed="true"]') ?? list.querySelector('button');
  if (!next || next === old) return;
  if (old) old.tabIndex = -1;
  next.tabIndex = 0;
}

function Row({ item, gap, isChosen, gateway, lanes, call, onChoose }) {
  return useMemo(() => html`<li>
    ${gap > GAP_US && html`<p class="gap">${words.number(gap / 1e6, 1)} s pass</p>`}
    <button type="button" tabindex="-1" data-key=${item.key} aria-pressed=${isChosen} onClick=${() => onChoose(isChosen ? null : item.key)}>
      <span class="at" aria-hidden="true">${stamp(item.t_us)}</span><span class="unseen">${spoken(item)}</span>
      <span class="track"><${Mark} item=${item} gateway=${gateway} lanes=${lanes} call=${call} /></span>
    </button></li>`, [item.key, item.sdp, gap, isChosen, gateway, lanes]);
}

const ROWS = 150, ROWS_MS = 30;

/** Of a long ladder the first screens at once, then the others, so that no turn of the page is long. */
function useGrowing(all, isWhole) {
  const [n, set] = useState(ROWS);
  useEffect(() => {
    const timer = n < all.length && setTimeout(() => set(n + ROWS), ROWS_MS);
    return () => clearTimeout(timer);
  }, [n, all.length]);
  return isWhole || n >= all.length ? all : all.slice(0, n);
}

const FEW_LANES = 6, LANE_REM = 9;
const MANY = 120; // from here on, rows out of sight are not laid out

/** props: timeline, items (those to show), chosen (key or null), onChoose(key). */
export function Ladder({ timeline, items: all, chosen, onChoose }) {
  const items = useGrowing(all, Boolean(chosen));
  const lanes = lanesOf(timeline), gateway = lanes.indexOf('gateway');
  const list = useRef(), isWide = lanes.length > FEW_LANES;
  const shape = { '--columns': 2 * lanes.length, '--lane': `${100 / lanes.length}%`, '--wide': `${lanes.length * LANE_REM}rem` };
  useEffect(() => restOn(list.current));
  useEffect(() => {
    const row = chosen && [...list.current.querySelectorAll('button')].find((b) => b.dataset.key === chosen);
    if (row) restOn(list.current, row);
    row?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  return html`<div class=${`ladder ${isWide ? 'wide' : ''} ${items.length > MANY ? 'many' : ''}`} style=${shape} onKeyDown=${walk} onFocusIn=${(e) => e.target.matches('button') && restOn(list.current, e.target)}>
    <div class="lanes" aria-hidden="true"><span class="at">s</span><span class="track">${lanes.map((lane, i) => html`<span style=${{ gridColumn: `${2 * i + 1} / span 2` }}>${laneTitle(lane)}</span>`)}</span></div>
    <ol ref=${list} aria-label="Messages and events in order of time" aria-describedby="ladder-hint">${items.map((item, i) => html`<${Row} key=${item.key} item=${item} gap=${i ? item.t_us - items[i - 1].t_us : 0}
      isChosen=${chosen === item.key} gateway=${gateway} lanes=${lanes.length} call=${timeline.call} onChoose=${onChoose} />`)}</ol>
  </div>`;
}
