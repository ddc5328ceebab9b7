// SPDX-License-Identifier: Apache-2.0
// What changes by itself: one event stream fills these signals, whatever page is shown.

import { computed, signal } from '@preact/signals';
import { get, me } from './api.js';

export const overview = signal(null);
export const calls = signal(new Map());
export const trunks = signal(new Map());
export const alarms = signal(new Map());
export const config = signal(null);
/** 'waiting', 'open' or 'lost'. */
export const link = signal('waiting');

export const openAlarms = computed(() => [...alarms.value.values()].filter((a) => !a.cleared_at));

let source = null;
let timer = 0;

function keep(store, key, row) {
  const next = new Map(store.value);
  next.set(key, row);
  store.value = next;
}

function drop(store, key) {
  const next = new Map(store.value);
  if (next.delete(key)) store.value = next;
}

const HANDLERS = {
  overview: (row) => (overview.value = row),
  call: (row) => keep(calls, row.id, row),
  'call.gone': (row) => drop(calls, row.id),
  trunk: (row) => keep(trunks, row.name, row),
  'trunk.gone': (row) => drop(trunks, row.name),
  alarm: (row) => keep(alarms, row.id, row),
  config: (row) => (config.value = row),
};

function clear() {
  for (const store of [calls, trunks, alarms]) store.value = new Map();
}

/** The stream ends with the session: without one, back to the login (api.js); with another role, show that. */
async function ask() {
  try {
    me.value = await get('me');
  } catch {
    // Refused: api.js has seen to it. Not reached: the stream tries again.
  }
}

export function open() {
  close();
  link.value = 'waiting';
  source = new EventSource('/admin/v1/events');
  source.onopen = () => {
    clear(); // a snapshot of everything comes first
    if (link.value === 'lost') ask();
    link.value = 'open';
  };
  source.onerror = () => {
    link.value = 'lost';
    if (source?.readyState !== EventSource.CLOSED) return;
    timer = setTimeout(open, 3000);
    ask();
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
  source?.close();
  source = null;
}
