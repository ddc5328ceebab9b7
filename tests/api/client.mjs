// SPDX-License-Identifier: Apache-2.0
// Every operation of a live gateway by a client that is built from its document (openapi-client-axios), with values
// that fit the schemas and with values that don't: client.mjs URL TOKEN. No answer may be a 5xx, what is refused is a
// problem document, and a value that doesn't fit its schema is never taken.
import { OpenAPIClientAxios } from 'openapi-client-axios';
import { Answers } from './answers.mjs';

const [url, token] = process.argv.slice(2);
// What would end the gateway, or the session of who asks; each has its own scenario.
const CALM = { system_drain: { on: false } };
const SKIP = new Set(['listen']);
const MUTE = new Set(['config_commit', 'config_rollback', 'config_confirm', 'config_cancel']);
// An honest 503 of a thing that isn't there, such as a spool or a bundle: named, so that no other goes by.
const MAY_LACK = new Set();

const text = await (await fetch(`${url}/admin/v1/openapi.json`)).text();
const api = new OpenAPIClientAxios({ definition: JSON.parse(text), withServer: { url }, axiosConfigDefaults: { headers: { Authorization: `Bearer ${token}` }, validateStatus: () => true, timeout: 15000, maxRedirects: 0, responseType: 'text', transformResponse: (t) => t } });
const client = await api.init();
const answers = new Answers(JSON.parse(text));
const faults = [];
let asked = 0, fine = 0;

const told = Object.fromEntries(Object.values(answers.doc.paths).flatMap((item) => Object.values(item).map((op) => [op.operationId, op])));
const op_of = (id) => told[id];

function deref(schema) {
  if (!schema?.$ref) return schema ?? {};
  return schema.$ref.slice(2).split('/').reduce((at, key) => at[key], api.document);
}

const typeOf = (schema) => (Array.isArray(schema.type) ? schema.type[0] : schema.type);

/** A value that fits. */
function good(raw, name = '') {
  const schema = deref(raw);
  if (schema.enum) return schema.enum[0];
  switch (typeOf(schema)) {
    case 'string':
      if (schema.format === 'date-time') return '2099-01-31T23:59:59Z';
      if (/addr/.test(name)) return '192.0.2.99';
      return (/password|new|old/.test(name) ? 'correct horse staple ' : 'abc').padEnd(schema.minLength ?? 0, 'x').slice(0, schema.maxLength ?? 64);
    case 'integer':
    case 'number':
      return schema.minimum ?? 1;
    case 'boolean':
      return false;
    case 'array':
      return Array.from({ length: Math.max(schema.minItems ?? 0, 1) }, () => good(schema.items, name));
    case 'object':
      return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([k, v]) => [k, good(v, k)]));
    default:
      return {};
  }
}

/** Values that don't. */
function bad(raw) {
  const schema = deref(raw), list = [];
  switch (typeOf(schema)) {
    case 'string':
      list.push(5, [], {}, true);
      if (schema.enum) list.push('none of them');
      if (schema.maxLength < 1e5) list.push('x'.repeat(schema.maxLength + 1));
      if (schema.minLength) list.push('');
      if (schema.format === 'date-time') list.push('yesterday', '2027-13-99');
      break;
    case 'integer':
      list.push('5', 1.5, []);
      if (!Array.isArray(schema.type)) list.push(null);
      if (schema.maximum !== undefined) list.push(schema.maximum + 1);
      if (schema.minimum !== undefined) list.push(schema.minimum - 1);
      break;
    case 'boolean':
      list.push('yes', 0);
      break;
    case 'array':
      list.push({}, 'x');
      if (schema.maxItems) list.push(Array.from({ length: schema.maxItems + 1 }, () => good(schema.items)));
      break;
    case 'object':
      list.push([], 'x', 7);
      break;
    default:
  }
  return list;
}

const NASTY = ['a', '%', '\u0000', '<script>', "' OR 1=1 --", 'ünï', '💥', 'x'.repeat(250), '{}', '-1', '9'.repeat(40), 'a;b', 'a?b#c', '\r\nX: y'];

async function ask(op, params, body, headers, wish) {
  let answer;
  try {
    answer = await client.paths[op.path][op.method](params, body, { headers });
  } catch (e) {
    faults.push(`${op.operationId}: ${e.message} with ${JSON.stringify(params)}`);
    return;
  }
  asked++;
  const what = `${op.method} ${op.path} ${JSON.stringify(params)} ${JSON.stringify(body)?.slice(0, 120)}: ${answer.status} ${String(answer.data).slice(0, 160)}`;
  if (answer.status >= 500 && !MAY_LACK.has(op.operationId)) faults.push(what);
  if (answer.status < 300) fine++;
  if (answer.status >= 400) {
    const type = String(answer.headers['content-type']);
    if (!type.startsWith('application/problem+json') && op.operationId !== 'ready') faults.push(`no problem document: ${what}`);
  }
  for (const f of answers.judge(op_of(op.operationId), String(answer.status), answer.headers, String(answer.data ?? ''))) faults.push(`${f}: ${what}`);
  if (wish && !wish(answer.status)) faults.push(`wrong: ${what}`);
}

const body_of = (op) => deref(op.requestBody?.content?.['application/json']?.schema);
const path_of = (op, value) => Object.fromEntries((op.parameters ?? []).map(deref).filter((p) => p.in === 'path').map((p) => [p.name, value]));

for (const op of api.getOperations()) {
  if (SKIP.has(op.operationId)) continue;
  const headers = (op.parameters ?? []).map(deref).some((p) => p.name === 'If-Match') ? { 'If-Match': '"stale"' } : {};
  const schema = op.requestBody ? body_of(op) : null;
  const value = schema ? (CALM[op.operationId] ?? good(schema)) : undefined;
  const queries = (op.parameters ?? []).map(deref).filter((p) => p.in === 'query');
  await ask(op, path_of(op, 'none'), MUTE.has(op.operationId) ? { text: 'nothing' } : value, headers);
  for (const q of queries) await ask(op, { ...path_of(op, 'none'), [q.name]: good(q.schema, q.name) }, value, headers);
  for (const q of queries) for (const v of NASTY) await ask(op, { ...path_of(op, 'none'), [q.name]: v }, value, headers);
  for (const v of NASTY) if (/\{/.test(op.path)) await ask(op, path_of(op, v), value, headers);
  if (headers['If-Match']) await ask(op, path_of(op, 'none'), value, {}, (s) => s === 428 || s === 401 || s === 403);
  if (!schema) continue;
  const refused = (s) => s >= 400 && s < 500;
  for (const [name, member] of Object.entries(schema.properties ?? {}))
    for (const v of bad(member)) await ask(op, path_of(op, 'none'), { ...value, [name]: v }, headers, refused);
  for (const name of schema.required ?? []) {
    const { [name]: _, ...rest } = value;
    await ask(op, path_of(op, 'none'), rest, headers, refused);
  }
  if (schema.additionalProperties === false) await ask(op, path_of(op, 'none'), { ...value, surprise: 1 }, headers, refused);
  for (const text of ['[]', '"x"', '{', '{"a":1,"a":2}', `${'['.repeat(200)}`, '\u0000']) await ask(op, path_of(op, 'none'), text, { ...headers, 'Content-Type': 'application/json' }, refused);
  await ask(op, path_of(op, 'none'), '<x/>', { ...headers, 'Content-Type': 'text/xml' }, (s) => s === 415 || s === 428);
}
for (const f of faults.slice(0, 40)) console.error(f);
console.log(`${api.getOperations().length} operations, ${asked} requests, ${fine} successes, ${faults.length} faults`);
process.exit(faults.length || fine < 20 ? 1 : 0);
