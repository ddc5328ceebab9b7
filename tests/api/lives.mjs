// SPDX-License-Identifier: Apache-2.0
// The life of each kind of thing by its operations, as an operator leads it: made, read, changed with its ETag, listed
// page by page, taken away; and what is refused on the way. Returns a viewer's token.
import http from 'node:http';
import { Values } from './values.mjs';

const PASSWORD = 'correct horse staple';

/** A change with no, a stale, a weak If-Match is refused; with the right one among others it is done. */
async function matched(door, id, params, body, etag, status) {
  await door.good(id, 428, { params, body });
  await door.good(id, 412, { params, body, headers: { 'If-Match': '"stale"' } });
  await door.good(id, 412, { params, body, headers: { 'If-Match': `W/${etag}` } });
  return door.good(id, status, { params, body, headers: { 'If-Match': `"other", ${etag}` } });
}

/** A read of what one has already. */
async function unchanged(door, id, params = {}) {
  const a = await door.good(id, 200, { params }), etag = a.headers.etag;
  if (a.doc?.etag !== undefined && a.doc.etag !== etag) door.fault(`${id}: the member etag is not the header`);
  for (const tag of [etag, `"x", ${etag}`, `W/${etag}`, '*']) await door.good(id, 304, { params, headers: { 'If-None-Match': tag } });
  await door.good(id, 200, { params, headers: { 'If-None-Match': '"other"' } });
  return a;
}

/** All pages of one row each are the list; the last one's cursor is null. */
async function pages(door, id, noun, most = 5) {
  let cursor = null, n = 0;
  do {
    const a = await door.good(id, 200, { params: { limit: 1, ...(cursor ? { cursor } : {}) } });
    n += a.doc?.[noun]?.length ?? 0;
    cursor = a.doc?.cursor;
    if (cursor && !a.headers.link?.includes('rel="next"')) door.fault(`${id}: no Link to the next page`);
    if (!cursor && a.headers.link) door.fault(`${id}: a Link behind the last page`);
    if (cursor) {
      const next = new URL(a.headers.link?.match(/<([^>]*)>/)?.[1] ?? '/', door.url);
      if (next.searchParams.get('cursor') !== cursor || next.searchParams.get('limit') !== '1') door.fault(`${id}: the Link leads elsewhere: ${a.headers.link}`);
    }
  } while (cursor && --most);
  if (!n) door.fault(`${id}: an empty list`);
}

async function staff(door) {
  const made = await door.good('user_new', 201, { body: { name: 'ann', role: 'operator', password: PASSWORD } });
  if (made.headers.location !== '/admin/v1/users/ann' || made.headers.etag !== made.doc?.etag) door.fault(`user_new: ${JSON.stringify(made.headers)}`);
  const there = await door.good('user_new', 409, { body: { name: 'ann', role: 'viewer', password: PASSWORD } });
  if (there.doc?.code !== 'exists') door.fault(there.told);
  const params = { name: 'ann' }, read = await unchanged(door, 'user', params);
  const changed = await matched(door, 'user_patch', params, { role: 'security' }, read.headers.etag, 200);
  if (changed.doc?.role !== 'security' || changed.headers.etag === read.headers.etag) door.fault(`user_patch: ${changed.told}`);
  await session(door);
  await pages(door, 'users', 'users');
  await matched(door, 'user_del', params, undefined, (await door.good('user', 200, { params })).headers.etag, 204);
  await door.good('user', 404, { params });
}

/** By cookie: a change needs X-Sallyport; one's own password. */
async function session(door) {
  const login = await door.raw('login', '/admin/v1/login', { token: null, body: JSON.stringify({ user: 'ann', password: PASSWORD }) });
  await door.raw('login', '/admin/v1/login', { token: null, body: JSON.stringify({ user: 'ann', password: 'wrong horse staple' }) });
  await door.raw('login', '/admin/v1/login', { token: null, body: JSON.stringify({ token: door.token }) });
  const Cookie = login.headers['set-cookie']?.split(';')[0], change = { Cookie, 'X-Sallyport': '1' };
  const me = await door.raw('self', '/admin/v1/me', { token: null, headers: { Cookie } });
  if (me.doc?.by !== 'cookie' || me.doc.user !== 'ann') door.fault(me.told);
  const body = JSON.stringify({ old: PASSWORD, new: 'another horse staple' });
  const forged = await door.raw('my_password', '/admin/v1/me/password', { token: null, headers: { Cookie }, body });
  if (forged.status !== 403 || forged.doc?.code !== 'forbidden') door.fault(forged.told);
  const done = await door.raw('my_password', '/admin/v1/me/password', { token: null, headers: change, body });
  if (done.status !== 204) door.fault(done.told);
  const again = await door.raw('login', '/admin/v1/login', { token: null, body: JSON.stringify({ user: 'ann', password: 'another horse staple' }) });
  const out = await door.raw('logout', '/admin/v1/logout', { token: null, headers: { Cookie: again.headers['set-cookie']?.split(';')[0], 'X-Sallyport': '1' } });
  if (out.status !== 204) door.fault(out.told);
}

async function tokens(door) {
  const made = await door.good('api_token_new', 201, { body: { name: 'viewer', role: 'viewer', expires_at: null }, headers: { 'Idempotency-Key': 'once' } });
  const twice = await door.good('api_token_new', 409, { body: { name: 'viewer', role: 'viewer', expires_at: null }, headers: { 'Idempotency-Key': 'once' } });
  if (JSON.stringify(twice.doc).includes('spa_')) door.fault(`a secret was told twice: ${twice.told}`);
  const gone = await door.good('api_token_new', 201, { body: { name: 'soon', role: 'operator', expires_at: '2099-01-01T00:00:00Z' } });
  await pages(door, 'api_tokens', 'api_tokens');
  await door.good('api_token_del', 204, { params: { id: gone.doc?.id } });
  const minted = await door.good('mint', 201, { body: { identity: 'alice', scopes: ['call.place'], ttl_s: 60 } });
  await door.good('revoke', 204, { params: { jti: minted.doc?.jti } });
  return made.doc?.token;
}

async function border(door) {
  const body = { addr: '192.0.2.7', ttl_s: 600, why: 'scans' }, headers = { 'Idempotency-Key': 'k'.repeat(128) };
  await door.good('ban_new', 201, { body, headers });
  const again = await door.good('ban_new', 201, { body, headers });
  if (again.headers['idempotent-replayed'] !== 'true') door.fault(`it was done again: ${again.told}`);
  const other = await door.good('ban_new', 422, { body: { ...body, why: 'others' }, headers });
  if (other.doc?.code !== 'idempotency') door.fault(other.told);
  await door.good('ban_new', 400, { body, headers: { 'Idempotency-Key': 'k'.repeat(129) } });
  await door.good('ban_new', 201, { body: { addr: '2001:db8::7' } });
  await pages(door, 'bans', 'bans');
  for (const addr of ['192.0.2.7', '2001:db8::7']) await door.good('ban_del', 204, { params: { addr } });
  await pages(door, 'refusals', 'refusals');
  await door.good('refusals', 200, { params: { since: '2020-01-01T00:00:00Z', rule: 'none' } });
  const alarms = await door.good('alarms', 200);
  await pages(door, 'alarms', 'alarms');
  const acked = await door.good('alarm_ack', 200, { params: { id: alarms.doc?.alarms[0]?.id } });
  if (!acked.doc?.acked_by) door.fault(acked.told);
}

async function trunks(door) {
  const settings = { name: 'bench', listener: 'lab', target: 'sip:127.0.0.1:5999', peers: ['127.0.0.9'], srtp: 'off', options: false }, params = { name: 'bench' };
  await door.good('trunks', 200);
  await pages(door, 'trunks', 'trunks');
  const made = await door.good('trunk_new', 201, { body: settings });
  if (made.headers.location !== '/admin/v1/trunks/bench') door.fault(`trunk_new: ${made.headers.location}`);
  await door.good('trunk_new', 422, { body: { settings } });
  for (const on of [true, false]) {
    const drained = await door.good('trunk_drain', 200, { params, body: { on } });
    if (drained.doc?.settings.enabled === on) door.fault(`trunk_drain: ${drained.told}`);
  }
  let read = await unchanged(door, 'trunk', params);
  await door.good('trunk_diff', 200, { params, body: { max_calls: 7 } });
  read = await matched(door, 'trunk_patch', params, { max_calls: 7 }, read.headers.etag, 200);
  if (read.doc?.settings.max_calls !== 7) door.fault(`trunk_patch: ${read.told}`);
  const inner = await door.good('trunk_patch', 200, { params, body: { settings: { max_calls: null } }, headers: { 'If-Match': read.headers.etag, 'Content-Type': 'application/merge-patch+json' } });
  if ('max_calls' in (inner.doc?.settings ?? {})) door.fault(`null takes a setting out: ${inner.told}`);
  read = await matched(door, 'trunk_put', params, inner.doc, inner.headers.etag, 200);
  await settingsWrong(door, params, settings);
  await matched(door, 'trunk_del', params, undefined, read.headers.etag, 204);
  await door.good('trunk', 404, { params });
}

/** Each setting wrong in each way: 422 that points at it, below "settings" where it stands there. */
async function settingsWrong(door, params, settings) {
  const values = new Values(door.doc), schema = door.doc.components.schemas.trunk_settings, headers = { 'If-Match': '*' };
  const wrong = [...Object.entries(schema.properties).map(([name, member]) => [name, values.bad(member)[0]]), ['surprise', 1]];
  for (const [name, v] of wrong) {
    for (const nested of [false, true]) {
      const body = nested ? { settings: { ...settings, [name]: v } } : { ...settings, [name]: v };
      const a = await door.good('trunk_put', 422, { params, body, headers }), pointer = `${nested ? '/settings' : ''}/${name}`;
      if (!a.doc?.errors?.some((e) => e.pointer === pointer || e.pointer.startsWith(`${pointer}/`))) door.fault(`it should point at ${pointer}: ${a.told}`);
    }
  }
  const both = await door.good('trunk_put', 422, { params, body: { settings, surprise: 1 }, headers });
  if (both.doc?.errors?.[0]?.pointer !== '/surprise') door.fault(both.told);
}

async function numbers(door) {
  const params = { number: '+15550100077' };
  await pages(door, 'numbers', 'numbers');
  let read = await unchanged(door, 'numbers');
  read = await matched(door, 'number_put', params, { user: 'alice' }, read.headers.etag, 200);
  if (!read.doc?.numbers.some((n) => n.number === params.number && n.user === 'alice')) door.fault(`number_put: ${read.told.slice(0, 200)}`);
  await door.good('number_put', 422, { params, body: { user: 'nobody' }, headers: { 'If-Match': '*' } });
  await matched(door, 'number_del', params, undefined, read.headers.etag, 204);
}

async function routes(door) {
  const read = await unchanged(door, 'routes');
  await matched(door, 'routes_put', {}, { text: `${read.doc?.text}# looked at\n` }, read.headers.etag, 200);
  await door.good('routes_put', 422, { body: { text: 'rules: [' }, headers: { 'If-Match': '*' } });
  for (const body of [{ called: '+15550100001' }, { called: '+15550100001', trunk: 'lab' }, { called: '+15550100001', trunk: 'lab', plan: read.doc?.text }]) await door.good('routes_test', 200, { body });
  for (const [body, pointer] of [[{ called: '1', trunk: 'no' }, '/trunk'], [{ called: '1', user: 'no' }, '/user'], [{ called: '1', at: 'noon' }, '/at']]) {
    const a = await door.good('routes_test', 422, { body });
    if (a.doc?.errors?.[0]?.pointer !== pointer) door.fault(a.told);
  }
}

async function config(door) {
  const read = await unchanged(door, 'config'), text = `${read.doc?.text}# a line\n`;
  await door.good('config_schema', 200);
  await door.good('config_validate', 200, { body: { text } });
  await door.good('config_validate', 200, { body: { text: 'nonsense: [' } });
  await door.good('config_diff', 200, { body: { text: text.replace('max_calls', 'max_calls') } });
  await door.good('config_diff', 200, { body: { text: `${text}\nsurprise: 1\n` } });
  await door.good('config_replay', 200, { body: { hours: 1 } });
  await door.good('config_confirm', 409);
  await matched(door, 'config_commit', {}, { text, comment: 'a line', confirm_s: 600 }, read.doc?.etag, 200);
  await door.good('config', 200);
  await door.good('config_confirm', 200);
  const done = await door.good('config_commit', 200, { body: { text: `${text}# one more\n`, confirm_s: 600 }, headers: { 'If-Match': '*' } });
  await door.good('config_commit', 409, { body: { text: `${text}# two more\n` }, headers: { 'If-Match': '*' } });
  await door.good('config_cancel', 200);
  await door.good('config_commit', 412, { body: { text }, headers: { 'If-Match': done.headers.etag } });
  const history = await door.good('config_history', 200, { params: { limit: 5 } });
  const first = history.doc?.history.at(-1)?.n;
  await pages(door, 'config_history', 'history');
  await door.good('config_entry', 200, { params: { n: first } });
  await door.good('config_rollback', 200, { body: { n: first, comment: 'back' } });
  await door.good('config_rollback', 404, { body: { n: 999999 } });
}

async function calls(door, call) {
  const params = { id: call }, rows = await door.good('calls', 200);
  if (!rows.doc?.calls.some((c) => c.id === call)) door.fault(`the call is not listed: ${rows.told}`);
  await door.good('capture', 202, { params, body: { seconds: 1 } });
  for (const id of ['call', 'timeline', 'pcap', 'digits']) await door.good(id, 200, { params });
  await events(door, async () => {
    await door.good('call_del', 204, { params });
    await door.good('call_del', 404, { params });
  });
}

/** A stream for a while, and what is done once it shows a call: each event is one that the document tells of, and each kind that must comes. */
async function events(door, then) {
  const data = Object.fromEntries(door.doc.components.schemas.event.oneOf.map((e) => [e.properties.event.const, e.properties.data.$ref.split('/').pop()]));
  const wanted = new Set(['overview', 'call', 'call.gone', 'trunk', 'config']); // alarm and trunk.gone come where there is cause
  await new Promise((resolve) => {
    const q = http.get({ host: door.url.hostname, port: door.url.port, path: '/admin/v1/events', headers: { Authorization: `Bearer ${door.token}` } }, (r) => {
      for (const f of door.answers.judge(door.byId.listen, String(r.statusCode), r.headers, '{}')) door.fault(`events: ${f}`);
      let text = '';
      r.on('data', (b) => {
        text += b;
        for (let end = text.indexOf('\n\n'); end >= 0; text = text.slice(end + 2), end = text.indexOf('\n\n')) {
          const [, event, json] = text.slice(0, end).match(/^event: (\S+)\ndata: (.*)$/) ?? [];
          if (event) for (const f of door.answers.against(data[event] ?? 'none', JSON.parse(json))) door.fault(`event ${event}: ${f}`);
          if (event === 'call' && wanted.has(event)) then();
          wanted.delete(event);
        }
        if (!wanted.size) q.destroy();
      }).on('close', resolve);
    });
    q.on('error', resolve);
    setTimeout(() => q.destroy(), 6000).unref();
  });
  if (wanted.size) door.fault(`events that did not come: ${[...wanted]}`);
}

async function records(door) {
  const rows = await door.good('records', 200);
  await pages(door, 'records', 'records');
  await door.good('record', 200, { params: { id: rows.doc?.records[0]?.id } });
  for (const params of [{ state: 'ended' }, { since: '2020-01-01T00:00:00Z', until: '2099-01-01T00:00:00Z' }, { min_mos: 1.5, max_mos: 5 }, { q: '+1555', trunk: 'lab', number: '+15550100001' }]) await door.good('records', 200, { params });
  for (const params of [{}, { format: 'jsonl' }, { format: 'csv', rows: 'legs' }, { format: 'jsonl', rows: 'attempts' }]) await door.good('records_export', 200, { params });
  await door.good('records_erase', 200, { body: { number: '+15550199999' } });
  await door.good('records_erase', 422, { body: { number: '+15550199999', user: 'alice' } });
}

async function doctor(door) {
  const started = await door.good('doctor_start', 202, { params: { name: 'lab' } }), params = { id: started.doc?.id };
  await door.good('doctor_start', 409, { params: { name: 'lab' } });
  await pages(door, 'doctor_list', 'runs');
  await door.good('doctor_show', 200, { params });
  await door.good('doctor_show', 200, { params: { ...params, format: 'html' } });
  await door.good('doctor_stop', 204, { params });
  await door.good('doctor_show', 200, { params });
}

async function program(door) {
  for (const id of ['health', 'ready', 'metrics', 'openapi', 'overview', 'certificates', 'system', 'bundle', 'audit_verify', 'self']) await door.good(id, 200);
  await door.good('metrics', 200, { headers: { Accept: 'application/openmetrics-text' } });
  await door.good('system_drain', 200, { body: { on: false, deadline_s: null } });
  const made = await Promise.all(Array.from({ length: 4 }, () => door.ask('backup')));
  if (made.filter((a) => a.status === 201).length !== 1 || made.some((a) => ![201, 409].includes(a.status))) door.fault(`one backup a second: ${made.map((a) => a.told)}`);
  const page = await unchanged(door, 'page');
  await unchanged(door, 'file', { name: page.text.match(/console\/([\w.-]+)/)?.[1] });
  await pages(door, 'audit', 'audit', 3);
  await door.good('audit_export', 200, { params: { verb: 'trunk_new' } });
  await pages(door, 'certificates', 'certificates');
}

/** Each alone, so that what the log says is of one of them. */
export async function lives(door, call) {
  const viewer = await tokens(door);
  for (const life of [program, staff, border, trunks, numbers, routes, config, records, doctor]) await life(door);
  await calls(door, call);
  return viewer;
}
