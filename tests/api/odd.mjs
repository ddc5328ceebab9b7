// SPDX-License-Identifier: Apache-2.0
// Every operation with what doesn't fit: each member wrong in each way, bodies that are none, other media types, odd
// bytes in the path, odd queries, too small a role, no credential. What is refused points at the fault.
import { NO_OBJECT, ODD_QUERIES, ODD_SEGMENTS, Values } from './values.mjs';

const SETTINGS = /trunk_(body|change)$/; // lives.mjs: judged by the configuration itself
const LONG = new Set(['listen', 'metrics', 'openapi', 'page', 'file', 'bundle', 'config_schema']); // big or endless answers

const refused = (s) => s >= 400 && s < 500;

/** 422, and the first error is there. */
function points(door, a, pointer) {
  const at = a.doc?.errors?.[0]?.pointer;
  if (a.status !== 422 || at !== pointer) door.fault(`422 at ${pointer} was expected, not ${a.status} at ${at}: ${a.told}`);
}

async function members(door, op, values, headers) {
  const schema = op.requestBody.content['application/json'].schema, value = values.good(schema);
  for (const [body, pointer] of values.wrong(schema, value)) {
    const a = await door.raw(op.operationId, door.target(op), { body: JSON.stringify(body), headers });
    if (op.operationId === 'login' && a.status === 422) continue; // either of two forms: it points at what is missing
    points(door, a, pointer);
  }
}

async function bodies(door, op, headers) {
  const target = door.target(op);
  for (const body of NO_OBJECT) {
    const a = await door.raw(op.operationId, target, { body, headers });
    if (!refused(a.status)) door.fault(`a refusal was expected: ${a.told}`);
  }
  for (const type of ['text/xml', 'application/json-seq', '', 'application/x-www-form-urlencoded', 'json']) {
    const a = await door.raw(op.operationId, target, { body: '{}', headers: { ...headers, 'Content-Type': type } });
    if (a.status !== 415) door.fault(`415 was expected of ${type}: ${a.told}`);
  }
  const large = await door.raw(op.operationId, target, { body: 'x', headers: { ...headers, 'Content-Length': 1 } });
  if (!refused(large.status)) door.fault(`a refusal was expected: ${large.told}`);
}

async function paths(door, op, headers, body) {
  if (!op.path.includes('{')) return;
  for (const segment of ODD_SEGMENTS) {
    const a = await door.raw(op.operationId, door.target(op, segment), { body, headers });
    const known = op.operationId === 'ban_del' || op.operationId === 'number_put'; // an id of another kind
    if (!refused(a.status) && !known) door.fault(`a refusal was expected: ${a.told}`);
  }
}

async function queries(door, op) {
  for (const p of op.parameters.filter((q) => q.in === 'query')) {
    for (const v of ODD_QUERIES[p.name] ?? ['%00', '%', 'x'.repeat(5000), `a&${p.name}=b`]) {
      const a = await door.raw(op.operationId, `${door.target(op)}?${p.name}=${v}`.replaceAll(' ', '%20'));
      if (a.status === 400 && a.doc?.code === 'field' && a.doc.errors[0].pointer !== p.name) door.fault(`it should name ${p.name}: ${a.told}`);
      if (['limit', 'min_mos', 'max_mos', 'format', 'rows', 'state'].includes(p.name) && !refused(a.status)) door.fault(`a refusal was expected: ${a.told}`);
    }
  }
}

/** A parameter that the operation doesn't have, one that is there twice: 400 that names it; by HEAD too. */
async function strangers(door, op, headers, body) {
  const target = door.target(op), asked = op.parameters.filter((q) => q.in === 'query').map((q) => q.name);
  const wrong = [['surprise=1', 'surprise'], ['__proto__=1', '__proto__'], ['%C3%A9=1', 'é'], [`${'y'.repeat(50)}`, 'y'.repeat(50)], ['=', '']];
  if (!asked.includes('limit')) wrong.push(['limit=1', 'limit'], ['cursor=x', 'cursor']);
  for (const name of asked) wrong.push([`${name}s=1`, `${name}s`]);
  for (const [query, name] of wrong) {
    const a = await door.raw(op.operationId, `${target}?${query}`, { headers, body });
    if (a.status !== 400 || a.doc?.code !== 'field' || a.doc.errors?.[0]?.pointer !== name) door.fault(`400 that names ${name} was expected: ${a.told}`);
  }
}

/** A read by HEAD has the same status and no body; who sends very much without a credential is told so. */
async function others(door, op) {
  const target = door.target(op);
  if (op.method === 'get' && op.operationId !== 'listen') {
    const statuses = [await door.head(op, target), await door.head(op, `${target}?surprise=1`), (await door.raw(op.operationId, target)).status];
    if (statuses[0] !== statuses[2] || statuses[1] !== 400) door.fault(`HEAD ${target}: ${statuses}`);
  }
  if (op.requestBody && op.security?.length) {
    const a = await door.raw(op.operationId, target, { token: null, body: `{"a":"${'x'.repeat(1 << 20)}"}` });
    if (a.status !== 401) door.fault(`401 was expected: ${a.told}`);
  }
}

/** Nobody, and somebody whose role is too small. */
async function credentials(door, op, viewer, headers, body) {
  if (op['x-role'] === 'none' || op['x-role'] === 'nobody' || op.security?.length === 0) return;
  for (const [token, status] of [[null, 401], ['spa_wrong', 401], ['x'.repeat(3000), 401]]) {
    const a = await door.raw(op.operationId, door.target(op), { token, headers, body });
    if (a.status !== status) door.fault(`${status} was expected: ${a.told}`);
  }
  if (op['x-role'] === 'viewer') return;
  const a = await door.raw(op.operationId, door.target(op), { token: viewer, headers, body });
  if (a.status !== 403 || a.doc?.code !== 'role' || !a.doc.detail.includes(op['x-role'])) door.fault(`403 that names ${op['x-role']} was expected: ${a.told}`);
}

async function one(door, op, values, viewer) {
  const matched = op.parameters.some((p) => p.name === 'If-Match');
  const headers = matched ? { 'If-Match': '"stale"' } : {};
  const body = op.requestBody ? JSON.stringify(values.good(op.requestBody.content['application/json'].schema)) : undefined;
  await credentials(door, op, viewer, headers, body);
  if (matched) {
    const a = await door.raw(op.operationId, door.target(op), { body });
    if (a.status !== 428) door.fault(`428 was expected: ${a.told}`);
  }
  if (op.requestBody) {
    if (!SETTINGS.test(op.requestBody.content['application/json'].schema.$ref)) await members(door, op, values, headers);
    await bodies(door, op, headers);
  } else if (op.method !== 'get') {
    points(door, await door.raw(op.operationId, door.target(op), { body: '{"surprise":1}', headers }), '/surprise');
  } else {
    const a = await door.raw(op.operationId, door.target(op), { body: '{}' });
    if (!refused(a.status)) door.fault(`a read takes no body: ${a.told}`);
  }
  await strangers(door, op, headers, body);
  await others(door, op);
  if (LONG.has(op.operationId)) return;
  await paths(door, op, headers, body);
  await queries(door, op);
}

/** All of them, a few at a time. */
export async function odd(door, viewer) {
  const values = new Values(door.doc), left = [...door.ops];
  const walk = async () => {
    for (let op = left.shift(); op; op = left.shift()) await one(door, op, values, viewer);
  };
  await Promise.all(Array.from({ length: 6 }, walk));
}
