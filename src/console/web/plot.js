// SPDX-License-Identifier: Apache-2.0
// Lines over time (uPlot), in the theme's colours, with a sentence for who cannot see them.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { theme } from './theme.js';
import { html } from './ui.js';
import { duration, clock as hours } from './words.js';

const HEIGHT = 150;
const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]]; // lines differ by more than colour

/** A colour of the stylesheet as the canvas wants it. */
function colour(host, name) {
  const probe = document.createElement('i');
  probe.className = `ink-${name}`;
  host.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function axes(host, { clock, unit }) {
  const ink = colour(host, 'soft'), line = colour(host, 'line');
  const common = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 }, font: '11px system-ui, sans-serif' };
  // A short stretch has several ticks in a minute: then the seconds are said, too.
  const values = (_, ticks) => ticks.map((s) => (clock ? hours(s * 1000).slice(0, ticks.length > 1 && ticks[1] - ticks[0] < 60 ? 8 : 5) : ticks.at(-1) < 120 ? `${s} s` : duration(s * 1000)));
  return [
    { ...common, size: 28, space: 68, values },
    { ...common, size: 48, values: (_, ticks) => ticks.map((v) => `${+v.toFixed(2)}${unit ?? ''}`) },
  ];
}

/** A value between two gaps is no line: it is a point. */
const isNone = (y) => y === null || y === undefined;
const alone = (u, i, isShown) => (isShown ? null : u.data[i].flatMap((y, at, all) => (!isNone(y) && isNone(all[at - 1]) && isNone(all[at + 1]) ? [at] : [])));

function optionsOf(host, props) {
  const { series, clock, sync, range, unit, spanOf } = props;
  // Where no cursor stands, the last value is told.
  const value = (u, v, i, at) => {
    const told = at === null || at === undefined ? u.data[i].findLast((y) => y !== null && y !== undefined) : v;
    return told === null || told === undefined ? '–' : `${+told.toFixed(2)}${unit ?? ''}`;
  };
  return {
    width: host.clientWidth || 320,
    height: props.height ?? HEIGHT,
    cursor: { sync: sync ? { key: sync } : undefined, points: { size: 6 }, y: false, drag: { x: false, y: false } },
    legend: { live: true },
    scales: { x: { time: Boolean(clock), ...(props.span && { range: () => spanOf.current }) }, y: { range: range ?? ((_, min, max) => [Math.min(0, min ?? 0), Math.max(max ?? 0, props.least ?? 1)]) } },
    axes: axes(host, props),
    series: [
      { label: clock ? 'at' : 's', value: (u, s) => {
        const told = s ?? u.data[0].at(-1);
        return told === undefined ? '–' : clock ? hours(told * 1000) : told.toFixed(0);
      } },
      ...series.map((s, i) => ({ label: s.label, stroke: colour(host, s.ink), width: 1.75, dash: DASHES[i % DASHES.length], points: { show: false, size: 4, filter: alone }, value, spanGaps: false })),
    ],
  };
}

/** props: title, say (the sentence), x (seconds), series [{label, ink, y}], clock, unit, sync, span. */
export function Plot(props) {
  const ref = useRef();
  const plot = useRef(), spanOf = useRef();
  spanOf.current = props.span; // a call that goes on needs no new plot each second
  const data = [props.x, ...props.series.map((s) => s.y)];
  const shape = JSON.stringify([props.series.map((s) => [s.label, s.ink]), props.unit, theme.value]);
  useEffect(() => {
    const host = ref.current;
    plot.current = new uPlot(optionsOf(host, { ...props, spanOf }), data, host);
    const watch = new ResizeObserver(() => plot.current?.setSize({ width: host.clientWidth, height: props.height ?? HEIGHT }));
    watch.observe(host);
    return () => {
      watch.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [props.x, ...props.series.map((s) => s.y)]);
  return html`<figure class="plot"><figcaption>${props.title}</figcaption><div ref=${ref} aria-hidden="true"></div><p class="unseen">${props.say}</p></figure>`;
}
