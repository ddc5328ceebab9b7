// SPDX-License-Identifier: Apache-2.0
// Light, dark, or as the system has it; local time or UTC. Kept in this browser.

import { signal } from '@preact/signals';
import { html } from './ui.js';
import { LOCAL, isUtc } from './words.js';

const KEY = 'sallyport.theme', ZONE = 'sallyport.zone';
const NAMES = ['system', 'light', 'dark'];
const narrow = matchMedia('(max-width: 46rem)');
/** Whether the stylesheet's narrow form holds. */
export const isNarrow = signal(narrow.matches);
narrow.addEventListener('change', () => (isNarrow.value = narrow.matches));

const systemDark = matchMedia('(prefers-color-scheme: dark)');

function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key, name) {
  try {
    localStorage.setItem(key, name);
  } catch {
    // A browser that keeps nothing: it holds until the page is closed.
  }
}

const chosen = signal(NAMES.includes(stored(KEY)) ? stored(KEY) : 'system');
isUtc.value = stored(ZONE) === 'utc';
/** 'light' or 'dark': what is shown now. */
export const theme = signal('light');

function apply() {
  const name = chosen.value;
  if (name === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  theme.value = name === 'system' ? (systemDark.matches ? 'dark' : 'light') : name;
  document.documentElement.dataset.shown = theme.value; // what was drawn in its inks, for the printer
}
systemDark.addEventListener('change', apply);
apply();

function choose(name) {
  chosen.value = name;
  store(KEY, name);
  apply();
}

function chooseZone(name) {
  isUtc.value = name === 'utc';
  store(ZONE, name);
}

export const ZoneSwitch = () => html`<label class="theme"><span class="unseen">Times</span>
  <select onChange=${(e) => chooseZone(e.target.value)}><option value="local" selected=${!isUtc.value}>${LOCAL}</option><option value="utc" selected=${isUtc.value}>UTC</option></select></label>`;

export const ThemeSwitch = () => html`<label class="theme"><span class="unseen">Colours</span>
  <select onChange=${(e) => choose(e.target.value)}>${NAMES.map((n) => html`<option value=${n} selected=${n === chosen.value}>${n === 'system' ? 'As the system' : n === 'light' ? 'Light' : 'Dark'}</option>`)}</select></label>`;
