// SPDX-License-Identifier: Apache-2.0
// Figures and times as people read them. Absent is a dash.

import { signal } from '@preact/signals';

export const DASH = '–';
const absent = (v) => v === null || v === undefined || v === '';

export const number = (v, digits = 0) =>
  absent(v) || Number.isNaN(Number(v)) ? DASH : Number(v).toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });

export function bytes(v) {
  const k = Math.min(4, Math.floor(Math.log10(Math.max(1, v)) / 3));
  return `${number(v / 1000 ** k, k ? 1 : 0)} ${['B', 'kB', 'MB', 'GB', 'TB'][k]}`;
}

export const text = (v) => (absent(v) ? DASH : String(v));

const two = (n) => String(n).padStart(2, '0');

/** 3 723 000 ms → "1:02:03". */
export function duration(ms) {
  if (absent(ms)) return DASH;
  const s = Math.max(0, Math.floor(ms / 1000));
  const [h, m] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)];
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** How long ago, or until: "3 min", "2 days". */
export function span(ms) {
  const s = Math.abs(ms) / 1000;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 129_600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} days`;
}

export const instant = (v) => (absent(v) ? null : typeof v === 'number' ? new Date(v) : new Date(v));

/** Whether times are shown in UTC; else in the zone of this browser. */
export const isUtc = signal(false);

const own = new Intl.DateTimeFormat().resolvedOptions().timeZone.replace(/^.*\//, '').replace(/_/g, ' ');
/** This browser's own zone, as a person calls it. */
export const LOCAL = own === 'UTC' ? 'Local time' : `${own} time`;
export const zone = () => (isUtc.value ? 'UTC' : LOCAL);

/** What an input of type datetime-local says, "2026-01-31T10:00", meant in the zone that is chosen: as the API wants it. */
export const fromInput = (v) => (v && !Number.isNaN(Date.parse(v)) ? new Date(isUtc.value && /T[\d:]+$/.test(v) ? `${v}Z` : v).toISOString() : v);

/** The six parts of an instant in the zone that is chosen, two digits each. */
function parts(v) {
  const d = instant(v);
  if (!d || Number.isNaN(+d)) return null;
  const of = (name) => d[`get${isUtc.value ? 'UTC' : ''}${name}`]();
  return [of('FullYear'), two(of('Month') + 1), two(of('Date')), two(of('Hours')), two(of('Minutes')), two(of('Seconds'))];
}

export function clock(v) {
  const p = parts(v);
  return p ? p.slice(3).join(':') : DASH;
}

export function day(v) {
  const p = parts(v);
  return p ? p.slice(0, 3).join('-') : DASH;
}

/** An instant as such an input wants it. */
export const toInput = (v) => `${day(v)}T${clock(v).slice(0, 5)}`;

export const moment = (v) => (instant(v) ? `${day(v)} ${clock(v)}` : DASH);

/** A party of a call: text, or the object that the API makes of it. */
export function party(v) {
  if (absent(v)) return DASH;
  if (typeof v === 'string') return v;
  return v.display ?? v.tel ?? v.number ?? v.user ?? v.identity ?? JSON.stringify(v);
}

/** Control and bidirectional characters made visible, so that no text of a peer's reorders what we say. */
export const plain = (v) =>
  // eslint-disable-next-line no-control-regex
  String(v).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (c) => {
    const code = c.codePointAt(0);
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : code === 0x7f ? '\u2421' : `\\u${code.toString(16).padStart(4, '0')}`;
  });

/** One word of an API's state as a sentence's start. */
export const words = (v) => (absent(v) ? DASH : String(v).replace(/[_-]/g, ' ').replace(/^./, (c) => c.toUpperCase()));
