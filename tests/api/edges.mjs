// SPDX-License-Identifier: Apache-2.0
// Cases at the edge of what JSON, HTTP and the document allow: what fits to the last character is taken, numbers and
// escapes of every kind, nulls of a merge patch, ETags, keys of idempotency, cursors, media types, and raw bytes.
import net from 'node:net';
import { Values } from './values.mjs';

const WIDE = ['💥', 'é', '漢', '\u200b'];

/** Each text of a query and each of a body, as long as the document allows, of characters of up to four bytes. */
async function lengths(door, viewer) {
  const values = new Values(door.doc);
  for (const op of door.ops) {
    for (const p of op.parameters.filter((q) => q.in === 'query' && values.type(values.schema(q.schema)) === 'string')) {
      const s = values.schema(p.schema);
      if (!s.maxLength || s.pattern || s.enum || p.name === 'cursor') continue;
      for (const c of WIDE) {
        const a = await door.raw(op.operationId, `${door.target(op)}?${p.name}=${encodeURIComponent(c.repeat(s.maxLength))}`);
        if (a.status === 400) door.fault(`${p.name} of ${s.maxLength} characters fits: ${a.told}`);
        const more = await door.raw(op.operationId, `${door.target(op)}?${p.name}=${encodeURIComponent(c.repeat(s.maxLength + 1))}`);
        if (more.status !== 400) door.fault(`${p.name} of one more does not: ${more.told}`);
      }
    }
    if (op.requestBody) await texts(door, op, values, viewer);
  }
}

/** Refused for another cause perhaps, but not for the length. */
async function texts(door, op, values, viewer) {
  const schema = op.requestBody.content['application/json'].schema, good = values.good(schema);
  const s = values.schema(schema), headers = { 'If-Match': '"stale"' };
  if (schema.$ref.endsWith('login')) return; // it would be throttled
  for (const [name, raw] of Object.entries(s.properties ?? {})) {
    const m = values.schema(raw);
    if (values.type(m) !== 'string' || !m.maxLength || m.maxLength > 1e5 || m.pattern || m.enum) continue;
    for (const c of WIDE.slice(0, 2)) {
      const a = await door.raw(op.operationId, door.target(op), { token: viewer, headers, body: JSON.stringify({ ...good, [name]: c.repeat(m.maxLength) }) });
      const b = await door.raw(op.operationId, door.target(op), { headers, body: JSON.stringify({ ...good, [name]: c.repeat(m.maxLength) }) });
      if ([a, b].some((r) => /characters|bytes/.test(r.doc?.errors?.find((e) => e.pointer === `/${name}`)?.reason ?? ''))) door.fault(`${name} of ${m.maxLength} characters fits: ${b.told}`);
    }
  }
}

/** What people write comes back as it was written. */
async function scripts(door) {
  const why = '💥é漢'.repeat(21).slice(0, 64), whole = Array.from(why).slice(0, 64).join('');
  await door.good('ban_new', 201, { body: { addr: '192.0.2.77', why: whole } });
  const ban = (await door.good('bans', 200)).doc?.bans.find((b) => b.addr === '192.0.2.77');
  if (ban?.why !== whole) door.fault(`why came back as ${ban?.why}`);
  await door.good('ban_del', 204, { params: { addr: '192.0.2.77' } });
  const comment = '漢💥'.repeat(100), config = (await door.good('config', 200)).doc;
  await door.good('config_commit', 200, { body: { text: `${config?.text}# é\n`, comment }, headers: { 'If-Match': '*' } });
  const line = (await door.good('config_history', 200, { params: { limit: 1 } })).doc?.history[0];
  if (line?.comment !== comment) door.fault(`the comment came back as ${line?.comment}`);
}

/** Text of a body, and what it has to become. */
async function json(door) {
  const put = (body) => door.raw('ban_new', '/admin/v1/bans', { body });
  const rows = [
    ['{"addr":"192.0.2.78","ttl_s":60.0}', 201], ['{"addr":"192.0.2.78","ttl_s":6e1}', 201], ['{"addr":"192.0.2.78","ttl_s":60.5}', 422, '/ttl_s'],
    ['{"addr":"192.0.2.78","ttl_s":9007199254740993}', 422, '/ttl_s'], ['{"addr":"192.0.2.78","ttl_s":-0}', 422, '/ttl_s'], ['{"addr":"192.0.2.78","ttl_s":-0.0}', 422, '/ttl_s'],
    ['{"addr":"192.0.2.78","ttl_s":1e300}', 422, '/ttl_s'], ['{"addr":"192.0.2.78","ttl_s":1e400}', 400], ['{"addr":"192.0.2.78","ttl_s":123456789012345678901234567890}', 400],
    ['{"addr":"192.0.2.78","addr":"192.0.2.79"}', 400], ['\ufeff{"addr":"192.0.2.78"}', 400], ['{"addr":"\\ud83d"}', 400], ['{"addr":"\\udca5\\ud83d"}', 400],
    ['{"addr":"192.0.2.78\\u0000"}', 400], ['{"addr\\u0000":"192.0.2.78"}', 400], ['{"addr":"192.0.2.78"} x', 400], ['{"addr":"192.0.2.78"}{}', 400], [' \t\r\n{"addr":"192.0.2.78"}\n ', 201],
    ['{"addr":"192.0.2.78",}', 400], ['{"addr":"192.0.2.78"/**/}', 400], ['{"\\u0061ddr":"192.0.2.78"}', 201], ['{"addr":"192.0.2.78","why":null}', 422, '/why'],
    ['{"addr":{"addr":1}}', 422, '/addr'], ['{"addr":"192.0.2.78","":1}', 422, '/'], ['{"addr":"192.0.2.78","a/b":1}', 422, '/a~1b'], ['{"addr":NaN}', 400], ['{"addr":"a\tb"}', 400],
  ];
  for (const [body, status, pointer] of rows) {
    const a = await put(body);
    if (a.status !== status || (pointer !== undefined && a.doc?.errors?.[0]?.pointer !== pointer)) door.fault(`${status} ${pointer ?? ''} was expected: ${a.told}`);
  }
  for (const depth of [30, 2000, 30000]) {
    const a = await put(`{"addr":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    if (![400, 413, 422].includes(a.status)) door.fault(`depth ${depth}: ${a.told}`);
  }
  await door.good('ban_del', 204, { params: { addr: '192.0.2.78' } });
}

/** Nulls of a merge patch at every depth; what is taken out is out, and nothing else. */
async function patches(door) {
  const params = { name: 'edge' }, headers = { 'If-Match': '*' };
  const settings = { name: 'edge', listener: 'lab', target: 'sip:127.0.0.1:5999', peers: ['127.0.0.8'], srtp: 'off', options: false, numbers: { country: '49', national: '0' }, headers: { in: [{ action: 'remove', name: 'X-A' }] } };
  await door.good('trunk_new', 201, { body: settings });
  const change = async (body, status = 200) => (await door.good('trunk_patch', status, { params, body, headers })).doc;
  let now = (await change({ numbers: { national: null } }))?.settings;
  if (now?.numbers?.country !== '49' || 'national' in (now?.numbers ?? {})) door.fault(`a null below: ${JSON.stringify(now)}`);
  now = (await change({ numbers: { none: null } }, 422), await change({ settings: { numbers: null, max_calls: null } }))?.settings;
  if (now?.numbers !== undefined || now?.headers?.in?.length !== 1) door.fault(`a null above: ${JSON.stringify(now)}`);
  now = (await change({ headers: { in: null, out: [] } }))?.settings;
  if (now?.headers?.in !== undefined) door.fault(`a null of a list: ${JSON.stringify(now)}`);
  const kept = await change({});
  if (JSON.stringify(kept?.settings) !== JSON.stringify(now)) door.fault('an empty patch changed something');
  for (const [body, pointer] of [[{ name: null }, '/name'], [{ headers: { in: [null] } }, '/headers/in/0'], [{ peers: [null] }, '/peers/0'], [{ settings: null }, '/settings'], [{ headers: { in: [{ action: null, name: 'x' }] } }, '/headers/in/0/action']]) {
    const a = await door.good('trunk_patch', 422, { params, body, headers });
    if (!a.doc?.errors?.[0]?.pointer.startsWith(pointer)) door.fault(`it should point at ${pointer}: ${a.told}`);
  }
  const etag = (await door.good('trunk', 200, { params })).headers.etag;
  for (const [list, status] of [['', 412], ['"a","b"', 412], [`"a",${etag}`, 200], [etag.replaceAll('"', ''), 412], [`W/${etag}`, 412], ['"', 412], [`${etag}x`, 412], [',,,', 412], ['"*"', 412], [' * ', 200], [`,${etag},`, 200]]) {
    const a = await door.raw('trunk_patch', '/admin/v1/trunks/edge', { body: '{}', headers: { 'If-Match': list } });
    if (a.status !== status) door.fault(`${status} was expected of If-Match ${list}: ${a.told}`);
  }
  await door.good('trunk_del', 204, { params, headers });
  await door.good('trunk_del', 404, { params, headers });
}

/** A key belongs to who used it, its verb, its path and its body; at the same time twice it is done once. */
async function keys(door, operator) {
  const key = { 'Idempotency-Key': `edge-${Date.now()}` }, body = JSON.stringify({ name: 'edge1', role: 'viewer' });
  const put = (headers, token = door.token, text = body) => door.raw('api_token_new', '/admin/v1/api-tokens', { headers, token, body: text });
  const both = await Promise.all([put(key), put(key), put(key), put(key)]);
  if (both.filter((a) => a.status === 201).length !== 1 || both.some((a) => ![201, 409].includes(a.status))) door.fault(`done more than once: ${both.map((a) => a.status)}`);
  if ((await put(key, door.token, body.replace('edge1', 'edge2'))).status !== 422) door.fault('another body with the same key');
  const validate = (token, headers) => door.raw('mint', '/admin/v1/tokens', { token, headers, body: '{"identity":"alice","scopes":["call.place"],"ttl_s":60}' });
  const [mine, theirs] = [await validate(door.token, key), await validate(operator, key)];
  if (mine.status !== 201 || theirs.status !== 201) door.fault(`another verb, another token: ${mine.status} ${theirs.status}`);
  for (const odd of ['', ' ', 'x'.repeat(129), 'x\ty', '\xe9']) {
    const a = await put({ 'Idempotency-Key': odd });
    if (a.status !== 400) door.fault(`the key ${JSON.stringify(odd)}: ${a.told}`);
  }
  const list = (await door.good('api_tokens', 200)).doc?.api_tokens.filter((t) => t.name === 'edge1');
  if (list?.length !== 1) door.fault(`${list?.length} tokens were made`);
  for (const t of list ?? []) await door.good('api_token_del', 204, { params: { id: t.id } });
}

/** Of other lists, of other filters, made up: a page or a refusal that names the parameter, never more. */
async function cursors(door) {
  const lists = door.ops.filter((op) => op.method === 'get' && op.parameters.some((p) => p.name === 'cursor'));
  const found = ['0.', '1.x', '1073741824.a', '18446744073709551615.x', '1_2', '9223372036854775807_9223372036854775807', '0', '00', '1', '4294967295', '-1', '.', '_', '1.%22', `${'9'.repeat(30)}.x`];
  for (const op of lists) {
    const a = await door.raw(op.operationId, `${door.target(op)}?limit=1`);
    if (a.doc?.cursor) found.push(encodeURIComponent(a.doc.cursor));
  }
  for (const op of lists)
    for (const c of found) {
      const a = await door.raw(op.operationId, `${door.target(op)}?limit=1&cursor=${c}`);
      if (a.status !== 200 && (a.status !== 400 || a.doc?.errors?.[0]?.pointer !== 'cursor')) door.fault(`cursor ${c}: ${a.told}`);
    }
}

async function kinds(door) {
  const me = (headers) => door.raw('self', '/admin/v1/me', { headers });
  for (const Accept of ['', '*/*', 'application/json', 'application/*;q=0.1', 'application/json;q=0', 'text/html', 'application/json+x, */*;q=0', 'x'.repeat(2000), ',;=', 'application/problem+json'])
    if (![200, 406].includes((await me({ Accept })).status)) door.fault(`Accept ${Accept}`);
  for (const Range of ['bytes=0-1', 'bytes=-1', 'bytes=9-1', 'items=1', 'x']) {
    const a = await me({ Range, 'If-Range': '"x"' });
    if (a.status !== 200 || a.doc?.role !== 'admin') door.fault(`Range ${Range}: ${a.told}`);
  }
  for (const [type, status] of [['application/json; charset=utf-8', 200], ['application/json;charset="utf-8"', 200], ['application/json ; x=y', 200], ['application/json, text/plain', 415], ['application/vnd.api+json', 415], ['application/', 415], ['application/jsonp', 415]]) {
    const a = await door.raw('config_validate', '/admin/v1/config/validate', { headers: { 'Content-Type': type }, body: '{"text":"x"}' });
    if (a.status !== status) door.fault(`${status} was expected of ${type}: ${a.told}`);
  }
  const page = await door.good('page', 200);
  for (const since of ['Thu, 01 Jan 1970 00:00:00 GMT', 'Fri, 31 Dec 2099 23:59:59 GMT', 'x'])
    if ((await door.raw('page', '/', { headers: { 'If-Modified-Since': since, 'If-None-Match': '"no"' } })).status !== 200) door.fault(`If-Modified-Since ${since}`);
  if (!page.headers.etag) door.fault('the console has no ETag');
}

/** Bytes on a connection: all that came back until it closes, or nothing more comes. */
function wire(door, parts) {
  return new Promise((resolve) => {
    let text = '';
    const s = net.connect(Number(door.url.port), door.url.hostname, async () => {
      for (const part of parts) {
        s.write(part, 'latin1');
        await new Promise((r) => setTimeout(r, 15));
      }
      s.end();
    });
    s.setTimeout(4000, () => s.destroy());
    s.on('data', (b) => (text += b.toString('latin1'))).on('error', () => {}).on('close', () => resolve(text));
  });
}

async function wires(door) {
  const head = `Host: ${door.url.host}\r\nAuthorization: Bearer ${door.token}\r\n`, type = 'Content-Type: application/json\r\n', close = 'Connection: close\r\n';
  const body = '{"text":"x"}', target = '/admin/v1/config/validate', length = `Content-Length: ${body.length}\r\n`;
  const rows = [
    ['chunked', [`POST ${target} HTTP/1.1\r\n${head}${type}${close}Transfer-Encoding: chunked\r\n\r\n`, '5;x=y\r\n{"tex\r\n', '7\r\nt":"x"}\r\n', '0\r\nX: y\r\n\r\n'], [200]],
    ['a chunk of no size', [`POST ${target} HTTP/1.1\r\n${head}${type}${close}Transfer-Encoding: chunked\r\n\r\n`, 'zz\r\n{}\r\n'], [400, 0]],
    ['a chunk of too much', [`POST ${target} HTTP/1.1\r\n${head}${type}${close}Transfer-Encoding: chunked\r\n\r\n`, 'ffffffffffffffffff\r\n{}\r\n'], [400, 413, 0]],
    ['100-continue', [`POST ${target} HTTP/1.1\r\n${head}${type}${close}${length}Expect: 100-continue\r\n\r\n`, body], [100, 200]],
    ['100-continue of nobody', [`POST ${target} HTTP/1.1\r\nHost: ${door.url.host}\r\n${type}${close}${length}Expect: 100-continue\r\n\r\n`], [401]],
    ['another Expect', [`POST ${target} HTTP/1.1\r\n${head}${type}${close}${length}Expect: a-miracle\r\n\r\n`, body], [417, 400, 200, 100, 200]],
    ['pipelined', [`GET /admin/v1/me HTTP/1.1\r\n${head}\r\nGET /none HTTP/1.1\r\n${head}\r\nPOST ${target} HTTP/1.1\r\n${head}${type}${length}\r\n${body}GET /admin/v1/me HTTP/1.1\r\n${head}${close}\r\n`], [200, 404, 200, 200]],
    ['garbage behind', [`POST ${target} HTTP/1.1\r\n${head}${type}${length}\r\n${body}\r\nnonsense\r\n\r\n`], [200, 400]],
    ['a length and chunks', [`POST ${target} HTTP/1.1\r\n${head}${type}${length}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin/v1/me HTTP/1.1\r\n${head}\r\n`], [400]],
    ['a length with a sign', [`POST ${target} HTTP/1.1\r\n${head}${type}Content-Length: +12\r\n\r\n${body}`], [400]],
    ['two lengths', [`POST ${target} HTTP/1.1\r\n${head}${type}${length}${length}\r\n${body}`], [400]],
    ['HTTP/1.0', [`GET /admin/v1/me HTTP/1.0\r\n${head}\r\n`], [200]],
    ['HTTP/2.0', [`GET /admin/v1/me HTTP/2.0\r\n${head}\r\n`], [505, 400, 0]],
    ['the preface of h2', ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'], [400, 405, 505, 0]],
    ['no version', ['GET /admin/v1/me\r\n\r\n'], [400, 505, 0]],
    ['OPTIONS', [`OPTIONS /admin/v1/users/x HTTP/1.1\r\n${head}${close}\r\n`], [204]],
    ['OPTIONS *', [`OPTIONS * HTTP/1.1\r\n${head}${close}\r\n`], [400, 404, 204]],
    ['TRACE', [`TRACE /admin/v1/me HTTP/1.1\r\n${head}${close}\r\n`], [405]],
    ['an unknown method', [`BREW /admin/v1/me HTTP/1.1\r\n${head}${close}\r\n`], [405]],
    ['an upgrade', [`GET /admin/v1/me HTTP/1.1\r\n${head}${close.replace('close', 'Upgrade, close')}Upgrade: websocket\r\n\r\n`], [200]],
  ];
  for (const [name, parts, statuses] of rows) {
    const text = await wire(door, parts), got = [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map((m) => Number(m[1]));
    const any = statuses.includes(0) || statuses[0] >= 400 || name === 'another Expect';
    const ok = any ? (got.length ? statuses.includes(got[0]) : statuses.includes(0)) : JSON.stringify(got) === JSON.stringify(statuses) || (name === 'garbage behind' && got[0] === 200);
    if (!ok || got.some((s) => s >= 500 && s !== 505)) door.fault(`${name}: ${got}: ${text.slice(0, 300)}`);
  }
  for (const op of ['/admin/v1/me', '/admin/v1/users', '/admin/v1/users/x', '/healthz', '/']) {
    const text = await wire(door, [`TRACE ${op} HTTP/1.1\r\n${head}${close}\r\n`]), allow = text.match(/\r\nAllow: ([^\r]*)/)?.[1] ?? '';
    const has = Object.keys(door.doc.paths[op.replace('/x', '/{name}')]).map((m) => m.toUpperCase());
    if (!text.includes(' 405 ') || has.some((m) => !allow.split(', ').includes(m))) door.fault(`Allow of ${op}: ${allow}, not ${has}`);
  }
}

/** Two operators commit over the same state at once: one of them, whoever it is, is told that he was late. */
async function races(door) {
  for (let i = 0; i < 4; i++) {
    const read = (await door.good('config', 200)).doc, etag = read?.etag;
    const put = (n) => door.raw('config_commit', '/admin/v1/config/commit', { headers: { 'If-Match': etag }, body: JSON.stringify({ text: `${read?.text}# ${i} ${n}\n`, comment: `of ${n}` }) });
    const all = await Promise.all([put(1), put(2), put(3)]), won = all.filter((a) => a.status === 200);
    if (won.length !== 1 || all.some((a) => ![200, 412, 409].includes(a.status))) door.fault(`a race of commits: ${all.map((a) => a.told)}`);
    const after = (await door.good('config', 200)).doc;
    if (after?.etag !== won[0]?.doc?.etag) door.fault('what is in force is not what was told');
  }
  const etag = (await door.good('config', 200)).doc?.etag;
  const drained = await Promise.all([door.ask('system_drain', { body: { on: true } }), door.ask('config_commit', { body: { comment: 'while draining', text: `${(await door.good('config', 200)).doc?.text}# drain\n` }, headers: { 'If-Match': etag } })]);
  if (drained.some((a) => a.status !== 200)) door.fault(`a commit while draining: ${drained.map((a) => a.told)}`);
  await door.good('system_drain', 200, { body: { on: false } });
}

/** While a commit waits: nothing else goes in; who confirms and who cancels at once, one of them was first. */
async function waiting(door) {
  const headers = { 'If-Match': '*' }, before = (await door.good('config', 200)).doc;
  for (let i = 0; i < 3; i++) {
    const text = `${(await door.good('config', 200)).doc?.text}# waits ${i}\n`;
    const done = (await door.good('config_commit', 200, { body: { text, confirm_s: 600 }, headers })).doc;
    const n = (await door.good('config_history', 200)).doc?.history.at(-1)?.n;
    await door.good('config_rollback', 409, { body: { n } });
    await door.good('config_commit', 409, { body: { text: before?.text }, headers });
    await door.good('routes_put', 409, { body: { text: `${(await door.good('routes', 200)).doc?.text}# no\n` }, headers });
    await door.good('number_put', 409, { params: { number: '+15550100099' }, body: { user: 'alice' }, headers });
    if ((await door.good('config', 200)).doc?.etag !== done?.etag) door.fault('a refused change changed something');
    const both = await Promise.all([door.ask('config_confirm'), door.ask('config_cancel'), door.ask('config_confirm')]);
    if (both.filter((a) => a.status === 200).length !== 1 || both.some((a) => ![200, 409].includes(a.status))) door.fault(`confirm and cancel: ${both.map((a) => a.told)}`);
    const after = (await door.good('config', 200)).doc, stays = both[1].status !== 200;
    if (after?.pending !== null || (after?.text === text) !== stays) door.fault(`it ${stays ? 'should stay' : 'should be gone'}`);
    const all = await Promise.all([door.ask('config_rollback', { body: { n: before?.n } }), door.ask('config_commit', { body: { text: `${after?.text}# beside\n` }, headers: { 'If-Match': after?.etag } })]);
    if (all[0].status !== 200 || ![200, 409, 412].includes(all[1].status)) door.fault(`roll back and commit: ${all.map((a) => a.told)}`);
  }
}

export async function edges(door, viewer) {
  const operator = (await door.good('api_token_new', 201, { body: { name: 'edge-operator', role: 'operator' } })).doc;
  for (const edge of [json, patches, kinds, cursors, scripts, wires, races, waiting]) await edge(door);
  await keys(door, operator?.token);
  await lengths(door, viewer);
}
