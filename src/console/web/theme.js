// SPDX-License-Identifier: Apache-2.0
// Light, dark, or as the system has it; kept in this browser.

import { signal } from '@preact/signals';
import { html } from './ui.js';

const KEY = 'sallyport.theme';
const NAMES = ['system', 'light', 'dark'];
const systemDark = matchMedia('(prefers-color-scheme: dark)');

function stored() {
  try {
    const name = localStorage.getItem(KEY);
    return NAMES.includes(name) ? name : 'system';
  } catch {
    return 'system';
  }
}

const chosen = signal(stored());
/** 'light' or 'dark': what is shown now. */
export const theme = signal('light');

function apply() {
  const name = chosen.value;
  if (name === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  theme.value = name === 'system' ? (systemDark.matches ? 'dark' : 'light') : name;
}
systemDark.addEventListener('change', apply);
apply();

function choose(name) {
  chosen.value = name;
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // A browser that keeps nothing: it holds until the page is closed.
  }
  apply();
}

export const ThemeSwitch = () => html`<label class="theme"><span class="unseen">Colours</span>
  <select onChange=${(e) => choose(e.target.value)}>${NAMES.map((n) => html`<option value=${n} selected=${n === chosen.value}>${n === 'system' ? 'As the system' : n === 'light' ? 'Light' : 'Dark'}</option>`)}</select></label>`;
