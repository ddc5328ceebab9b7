// SPDX-License-Identifier: Apache-2.0
// What changes by itself: one event stream fills these signals, whatever page is shown.

import { batch, computed, signal } from '@preact/signals';
import { get, whoAmI } from './api.js';

export const overview = signal(null);
export const calls = signal(new Map());
export const trunks = signal(new Map());
export const alarms = signal(new Map());
export const config = signal(null);
/** 'waiting', 'open' or 'lost'. */
export const link = signal('waiting');
/** Since when it is lost, in ms; 0 while it is not. */
export const lostSince = signal(0);

export const openAlarms = computed(() => [...alarms.value.values()].filter((a) => !a.cleared_at));

/** How far this machine's clock is from the gateway's, in ms: positive when ours is behind. */
export const skew = signal(0);
const SKEW_MS = 1500; // nearer than this is the way of a message

/** The clock of every running figure, the gateway's: one tick a second for the whole page. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now() + skew.value), 1000);

function heard(row) {
  const far = Date.parse(row.now) - Date.now();
  if (Math.abs(far - skew.value) > SKEW_MS) {
    skew.value = Math.abs(far) > SKEW_MS ? far : 0;
    now.value = Date.now() + skew.value;
  }
  overview.value = row;
}

const FLUSH_MS = 200; // what came meanwhile is drawn at once: a thousand calls change faster than a page should
const STORES = { call: calls, trunk: trunks, alarm: alarms };
const KEYS = { call: 'id', trunk: 'name', alarm: 'id' };

const CALLS_PAGE = 500, CALLS_MAX = 2000;
const gone = new Set(); // calls that ended while the others are asked for

let source = null;
let timer = 0, flushTimer = 0;
let waiting = []; // [kind, key, row or null]
let isFresh = false; // a snapshot begins: what was shown before it goes with the first flush

function flush() {
  flushTimer = 0;
  const next = {};
  const opened = (kind) => (next[kind] ??= new Map(isFresh ? [] : STORES[kind].value));
  if (isFresh) Object.keys(STORES).forEach(opened);
  for (const [kind, key, row] of waiting) row ? opened(kind).set(key, row) : opened(kind).delete(key);
  waiting = [];
  isFresh = false;
  batch(() => Object.entries(next).forEach(([kind, map]) => (STORES[kind].value = map)));
}

function put(kind, key, row) {
  waiting.push([kind, key, row]);
  flushTimer ||= setTimeout(flush, FLUSH_MS);
}

const HANDLERS = { overview: heard, config: (row) => (config.value = row) };
for (const [kind, key] of Object.entries(KEYS)) {
  HANDLERS[kind] = (row) => put(kind, row[key], row);
  HANDLERS[`${kind}.gone`] = (row) => {
    if (kind === 'call' && gone.size < CALLS_MAX) gone.add(row[key]);
    put(kind, row[key], null);
  };
}

/** The stream begins with the latest calls only: the others are asked for, what the stream said meanwhile counts. */
async function callsBefore() {
  let cursor = '';
  gone.clear();
  for (let n = 0; cursor !== null && n < CALLS_MAX; n += CALLS_PAGE) {
    const page = await get(`calls?limit=${CALLS_PAGE}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`).catch(() => ({ calls: [], cursor: null }));
    const told = new Set(waiting.filter(([kind]) => kind === 'call').map(([, id]) => id));
    for (const row of page.calls) if (!told.has(row.id) && !gone.has(row.id) && (isFresh || !calls.value.has(row.id))) put('call', row.id, row);
    cursor = page.cursor;
  }
}

export function open() {
  close();
  link.value = 'waiting';
  source = new EventSource('/admin/v1/events');
  source.onopen = () => {
    waiting = [];
    isFresh = true; // a snapshot of everything comes first
    flushTimer ||= setTimeout(flush, FLUSH_MS);
    callsBefore();
    if (link.value === 'lost') whoAmI(); // meanwhile it may be another role's
    link.value = 'open';
    lostSince.value = 0;
  };
  source.onerror = () => {
    link.value = 'lost';
    lostSince.value ||= now.value;
    if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    whoAmI(); // the stream ends with the session: then the login page stands instead
    timer = setTimeout(open, 3000);
  };
  for (const [name, handler] of Object.entries(HANDLERS)) {
    source.addEventListener(name, (event) => {
      try {
        handler(JSON.parse(event.data));
      } catch {
        // Half an event: the next one says the same again.
      }
    });
  }
}

export function close() {
  clearTimeout(timer);
  clearTimeout(flushTimer);
  flushTimer = 0;
  source?.close();
  source = null;
}
