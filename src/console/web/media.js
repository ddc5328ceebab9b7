// SPDX-License-Identifier: Apache-2.0
// Seconds of media as the timeline has them, [t_s, packets, lost, jitter_ms, level_db, auth_failures,
// wrong_source], joined by direction: the last minute by the second, what was before by ten.

import { laneTitle } from './ladder.js';
import { number } from './words.js';

const STEP = 7; // where waysOf() puts how long a point stands for, in seconds

/** @returns {{leg: string, direction: string, points: number[][]}[]} */
export function waysOf(timeline) {
  const ways = new Map();
  for (const part of timeline.media ?? []) {
    const key = `${part.leg} ${part.direction}`, way = ways.get(key) ?? { leg: part.leg, direction: part.direction, points: [] };
    way.points.push(...part.points.map((p) => [...p.slice(0, STEP), (part.step_ms ?? 1000) / 1000]));
    ways.set(key, way);
  }
  for (const way of ways.values()) way.points.sort((a, b) => a[0] - b[0]);
  const order = (w) => `${w.leg === 'caller' ? 0 : w.leg} ${w.direction}`;
  return [...ways.values()].sort((a, b) => order(a).localeCompare(order(b), 'en', { numeric: true }));
}

export const stepOf = (point) => point[STEP];
export const wayName = (w) => (w.direction === 'rx' ? `${laneTitle(w.leg)} → us` : `Us → ${laneTitle(w.leg).toLowerCase()}`);

/** good, warn, bad, or none where nothing came. */
export function gradeOf([, packets, lost, , , auth, wrong]) {
  if (auth || wrong) return 'bad';
  if (!packets) return 'none';
  const share = lost / (packets + lost);
  return share > 0.05 ? 'bad' : share > 0.005 ? 'warn' : 'good';
}

export function sumOf(points) {
  const at = (k) => points.reduce((sum, p) => sum + (p[k] ?? 0), 0);
  const [packets, lost, auth, wrong] = [at(1), at(2), at(5), at(6)];
  const parts = [`${number(packets)} packets`, `${number(packets + lost ? (100 * lost) / (packets + lost) : 0, 1)} % lost`];
  if (auth) parts.push(`${number(auth)} failed authentication`);
  if (wrong) parts.push(`${number(wrong)} from a wrong source`);
  return parts.join(', ');
}

/** The last second of the call's clock. */
export function endOf(timeline) {
  const ends = (timeline.media ?? []).flatMap((m) => m.points.map((p) => p[0] + (m.step_ms ?? 1000) / 1000));
  return Math.max(1, ...timeline.items.map((i) => i.t_us / 1e6), ...ends);
}
