// SPDX-License-Identifier: Apache-2.0
// The REST half of the contract: one request function with token, device, deadline, and the few
// retries that are safe.

import { Problem } from './problem.js';

const TIMEOUT_MS = 15_000;
const TRIES = 3;

/** @param {number} ms */
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A key for one creating POST; the same key again is the same request. */
export function idempotencyKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

export class Api {
  /** @param {{base: string, token: string, device?: string}} options base without `/v1` */
  constructor({ base, token, device }) {
    this.base = base.replace(/\/+$/, '');
    this.token = token;
    this.device = device;
  }

  /** @param {string} path below `/v1` */
  url(path) {
    return `${this.base}/v1${path}`;
  }

  /**
   * Sends a request and gives its answer; throws a Problem. A lost answer is asked for again where the
   * method or a key makes that harmless; 429 and 503 are obeyed when the wait is short.
   * @param {string} method
   * @param {string} path
   * @param {{json?: unknown, text?: string, type?: string, ifMatch?: string, key?: string, wait?: boolean,
   *   token?: boolean}} [options] `wait: false`: give 429 and 503 to the caller at once
   * @returns {Promise<{status: number, body: any, etag: string|null, location: string|null}>}
   */
  async request(method, path, options = {}) {
    const harmless = method === 'GET' || method === 'DELETE' || options.key !== undefined;
    for (let tried = 1; ; tried++) {
      try {
        return await this.#once(method, path, options);
      } catch (problem) {
        const pause = pauseBefore(problem, tried, harmless, options.wait !== false);
        if (pause === null) throw problem;
        await sleep(pause);
      }
    }
  }

  async #once(method, path, options) {
    const headers = {};
    if (options.token !== false) headers.Authorization = `Bearer ${this.token}`;
    if (this.device) headers['Sallyport-Device'] = this.device;
    if (options.key) headers['Idempotency-Key'] = options.key;
    if (options.ifMatch) headers['If-Match'] = options.ifMatch;
    let body;
    if (options.json !== undefined) {
      headers['Content-Type'] = 'application/json';
      body = JSON.stringify(options.json);
    } else if (options.text !== undefined) {
      headers['Content-Type'] = options.type;
      body = options.text;
    }
    const response = await answerOf(this.url(path), { method, headers, body });
    if (!response.ok) throw await Problem.of(response);
    return read(response);
  }
}

async function answerOf(url, init) {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), TIMEOUT_MS);
  try {
    return await fetch(url, { ...init, cache: 'no-store', credentials: 'omit', redirect: 'error', signal: deadline.signal });
  } catch {
    throw deadline.signal.aborted
      ? new Problem({ code: 'timeout', detail: 'The gateway did not answer in time.' })
      : new Problem({ code: 'network', detail: 'The gateway could not be reached. Check the network.' });
  } finally {
    clearTimeout(timer);
  }
}

async function read(response) {
  const text = response.status === 204 ? '' : await response.text();
  const isJson = (response.headers.get('Content-Type') ?? '').includes('json');
  return {
    status: response.status,
    body: isJson && text ? JSON.parse(text) : text || null,
    etag: response.headers.get('ETag'),
    location: response.headers.get('Location'),
  };
}

// Milliseconds to wait before the next try, null when there is none.
function pauseBefore(problem, tried, harmless, mayWait) {
  if (!(problem instanceof Problem) || tried >= TRIES) return null;
  const spread = 200 * 2 ** tried * (0.5 + Math.random());
  if (problem.status === 0) return harmless ? spread : null;
  // The first try is still being worked on: its answer is what we want.
  if (problem.status === 409 && problem.code === 'idempotency') return spread;
  const busy = problem.status === 429 || problem.status === 503 || (problem.status === 504 && harmless);
  if (!busy || !mayWait) return null;
  const told = (problem.retryAfter ?? 0) * 1000;
  return told > 3000 ? null : Math.max(told, spread);
}
