// SPDX-License-Identifier: Apache-2.0
// Where we are: #/page/thing?query. The address can be kept and sent.

import { computed, signal } from '@preact/signals';

const hash = signal(location.hash);
addEventListener('hashchange', () => (hash.value = location.hash));

export const place = computed(() => {
  const [path, search = ''] = (hash.value.startsWith('#/') ? hash.value.slice(2) : '').split('?');
  const [page, ...rest] = path.split('/');
  const thing = rest.length ? decode(rest.join('/')) : null;
  return { page: page || 'overview', thing, params: new URLSearchParams(search) };
});

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function go(path) {
  location.hash = `#${path}`;
}
/** After the fragment was replaced without an event. */
export const look = () => (hash.value = location.hash);
