// SPDX-License-Identifier: Apache-2.0
// The whole call on one clock: ticks of signaling above, the four directions of media below, a cell a second.

import { useId } from 'preact/hooks';
import { endOf, gradeOf, stepOf, sumOf, wayName, waysOf } from './media.js';
import { html } from './ui.js';
import { duration } from './words.js';

const WIDTH = 1000, HEIGHT = 22;
const GROUPS = [
  ['Caller', (i) => i.lane === 'caller' && i.kind !== 'ice' && i.kind !== 'dtls'],
  ['Callee', (i) => /^callee/.test(i.lane) && i.kind !== 'ice' && i.kind !== 'dtls'],
  ['ICE and DTLS', (i) => i.kind === 'ice' || i.kind === 'dtls'],
  ['Decisions', (i) => i.lane === 'gateway' && ['rule', 'offer', 'state', 'note', 'event'].includes(i.kind)],
];
const CELLS = 240; // as many of a direction can be told apart
const WORSE = ['none', 'good', 'warn', 'bad'];
const TALL = { good: 8, warn: 13, bad: 18, none: 2 };

/** Neighbours of one grade as one cell. */
function joined(cells) {
  const runs = [];
  for (const c of cells) {
    const last = runs.at(-1);
    if (last && last.grade === c.grade && c.at - (last.at + last.step) < c.step / 2) last.step = c.at + c.step - last.at;
    else runs.push({ ...c });
  }
  return runs;
}

/** Seconds as cells; those of a long call are joined, and the worst of them is shown. */
function cellsOf(points, end) {
  if (points.length <= CELLS) return points.map((p) => ({ at: p[0], grade: gradeOf(p), step: stepOf(p) }));
  const step = end / CELLS, cells = new Map();
  for (const p of points) {
    const at = Math.floor(p[0] / step) * step, grade = gradeOf(p), old = cells.get(at);
    if (!old || WORSE.indexOf(grade) > WORSE.indexOf(old.grade)) cells.set(at, { at, grade, step: Math.max(step, stepOf(p)) });
  }
  return joined([...cells.values()]);
}

/** Ticks that would stand on one another are one. */
function ticksOf(list, x) {
  const ticks = new Map();
  for (const i of list) {
    const at = Math.round(x(i.t_us / 1e6)), old = ticks.get(at);
    if (!old || i.tone === 'bad') ticks.set(at, { at, tone: i.tone });
  }
  return [...ticks.values()];
}

const mark = (s) => (s < 20 ? `${s.toFixed(1)} s` : duration(s * 1000));

function Track({ label, note, onPoint, children }) {
  const id = useId();
  const point = (event) => onPoint(event.offsetX / event.currentTarget.clientWidth);
  return html`<div class="lane"><span class="name" id=${id}>${label}</span>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-labelledby=${id} onClick=${point}><line x1="0" x2=${WIDTH} y1=${HEIGHT - 1} y2=${HEIGHT - 1} class="base" />${children}</svg>
    <span class="note">${note}</span></div>`;
}

/** A click chooses what is nearest in time; who has no pointer walks the ladder below. */
export function Strip({ timeline, items, chosen, onChoose }) {
  const end = endOf(timeline), x = (s) => Math.min(WIDTH - 2, (s / end) * WIDTH);
  const choose = (list) => (share) => {
    const far = (i) => Math.abs(i.t_us / 1e6 - share * end), near = list.reduce((best, i) => (far(i) < far(best) ? i : best), list[0]);
    onChoose(near.key);
  };
  const groups = GROUPS.map(([label, belongs]) => [label, items.filter(belongs)]).filter(([, list]) => list.length);
  const marks = !chosen ? null : html`<rect class="cursor" x=${x(chosen.t_us / 1e6)} y="0" width="2.5" height=${HEIGHT} />`;
  return html`<div class="strip">
    ${groups.map(([label, list]) => html`<${Track} key=${label} label=${label} onPoint=${choose(list)} note=${`${list.length} ${list.length === 1 ? 'event' : 'events'}`}>
      ${ticksOf(list, x).map((i) => html`<rect class=${`tick ${i.tone}`} x=${i.at} y=${i.tone === 'bad' ? 0 : 6} width="2.5" height=${HEIGHT} />`)}${marks}<//>`)}
    ${waysOf(timeline).map((m) => html`<${Track} key=${`${m.leg} ${m.direction}`} label=${wayName(m)} onPoint=${choose(items)} note=${sumOf(m.points)}>
      ${cellsOf(m.points, end).map(({ at, grade, step }) => html`<rect class=${`cell ${grade}`} x=${x(at)} y=${HEIGHT - TALL[grade]} width=${Math.max(1, (step / end) * WIDTH - 0.6)} height=${TALL[grade]} />`)}${marks}<//>`)}
    <div class="lane scale" aria-hidden="true"><span class="name"></span><span class="ends"><span>0:00</span><span>${mark(end / 2)}</span><span>${mark(end)}</span></span><span class="note"></span></div>
  </div>`;
}
