// SPDX-License-Identifier: Apache-2.0
// Requests to /admin/v1, by cookie. What it refuses is thrown as a Problem (RFC 9457).

import { signal } from '@preact/signals';

/** Who is logged in: undefined until known, null when nobody is. */
export const me = signal(undefined);
const ROLES = ['viewer', 'operator', 'security', 'admin'];
export const isRole = (...roles) => roles.includes(me.value?.role) || me.value?.role === 'admin';
export const mayOperate = () => isRole('operator', 'security');
export const maySecure = () => isRole('security');
export const mayAdmin = () => me.value?.role === 'admin';
export const roles = ROLES;

export class Problem extends Error {
  constructor(status, doc) {
    super(doc?.detail ?? doc?.title ?? (status ? `The gateway answered ${status}` : 'The gateway cannot be reached'));
    Object.assign(this, { status, code: doc?.code, title: doc?.title, errors: doc?.errors ?? [], doc });
  }
}

const isChange = (method) => method !== 'GET';

function headersOf(method, { body, etag, key }) {
  const headers = { Accept: 'application/json' };
  if (isChange(method)) headers['X-Sallyport'] = '1';
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (etag) headers['If-Match'] = etag;
  if (key ?? method === 'POST') headers['Idempotency-Key'] = key ?? crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  return headers;
}

async function bodyOf(response) {
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    return null;
  }
}

/** @returns {Promise<{data: any, etag: string|null, status: number}>} */
export async function send(method, path, options = {}) {
  const url = path.startsWith('/') ? path : `/admin/v1/${path}`;
  let response;
  try {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    response = await fetch(url, { method, headers: headersOf(method, options), body, credentials: 'same-origin', signal: options.signal });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, null);
  }
  const data = await bodyOf(response);
  if (response.ok) return { data, etag: response.headers.get('ETag'), status: response.status };
  if (response.status === 401 && path !== 'login') me.value = null;
  throw new Problem(response.status, data);
}

export const get = (path, options) => send('GET', path, options).then((r) => r.data);
const PAGES_MAX = 20;

/** All pages of a list, as one: {noun: rows, cursor}. The cursor is null unless there are more than 10,000 rows. */
export async function getWhole(path, options) {
  const whole = await get(`${path}?limit=500`, options);
  const noun = Object.keys(whole).find((k) => Array.isArray(whole[k]));
  for (let n = 1; whole.cursor && n < PAGES_MAX; n++) {
    const page = await get(`${path}?limit=500&cursor=${encodeURIComponent(whole.cursor)}`, options);
    whole[noun].push(...page[noun]);
    whole.cursor = page.cursor;
  }
  return whole;
}
export const post = (path, body = {}, options = {}) => send('POST', path, { ...options, body }).then((r) => r.data);
export const remove = (path, options) => send('DELETE', path, options).then((r) => r.data);

/** A query from what is set: {since: '', user: 'a'} → "?user=a". */
export function query(values) {
  const set = Object.entries(values).filter(([, v]) => v !== '' && v !== null && v !== undefined);
  return set.length ? `?${new URLSearchParams(set)}` : '';
}

export const enc = encodeURIComponent;

/** The token of the address bar's fragment (./run prints such an address), taken out of it at once. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token) history.replaceState(null, '', `${location.pathname}#/`);
  return token;
}

export async function login(body) {
  await post('login', body);
  me.value = await get('me');
}

/** Asks again; a gateway that cannot be reached says nothing about who is logged in. */
export async function whoAmI() {
  try {
    me.value = await get('me');
  } catch (problem) {
    if (me.value === undefined || problem.status === 401) me.value = null;
  }
}

export async function logout() {
  try {
    await post('logout');
  } finally {
    me.value = null;
  }
}
