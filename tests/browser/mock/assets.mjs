// SPDX-License-Identifier: Apache-2.0
// The page's files as the gateway serves them: the same paths, types and policy.

import { readFile } from 'node:fs/promises';

const ROOT = new URL('../../../src/console/', import.meta.url);
const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };

const header = await readFile(new URL('assets.h', ROOT), 'utf8');
/** The policy as the C header states it. */
export const CSP = [...header.slice(header.indexOf('#define ASSETS_CSP')).matchAll(/"([^"]*)"/g)].map((m) => m[1]).join('');

/** @param {string} path of the URL @returns {Promise<{type: string, body: Buffer}|null>} */
export async function asset(path) {
  if (path === '/phone') return { type: 'text/html; charset=utf-8', body: await readFile(new URL('phone/index.html', ROOT)) };
  const match = /^\/phone\/([a-z]+\.(css|js|svg))$/.exec(path);
  if (!match) return null;
  for (const folder of ['phone/', 'sdk/']) {
    try {
      return { type: `${TYPES[match[2]]}; charset=utf-8`, body: await readFile(new URL(folder + match[1], ROOT)) };
    } catch {
      // In the other folder, or nowhere.
    }
  }
  return null;
}
