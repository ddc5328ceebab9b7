// SPDX-License-Identifier: Apache-2.0
// A pretended gateway for the operators' console: its files as the program serves them, and answers in the
// contract's shapes that hold, where a peer's text can stand, whatever text the test wants.

import { createServer } from 'node:http';
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../../../src/console/dist/', import.meta.url));
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const ago = (s) => new Date(Date.now() - s * 1000).toISOString();
const SDP = (port, codecs, extra = '') => `v=0\r\no=- 4861 ${port} IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio ${port} RTP/SAVP ${codecs}\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=crypto:1 AEAD_AES_256_GCM inline:(cut)\r\n${extra}a=ptime:20\r\n`;

const message = (start, cseq, from, sdp) => `${start}\r\nVia: SIP/2.0/TLS 192.0.2.10:5061;branch=z9hG4bK1f\r\nFrom: "${from}" <sip:+493012345@carrier.example>;tag=a1\r\nTo: <sip:+4989555@gw.example>\r\nCall-ID: 77f1@192.0.2.10\r\nCSeq: ${cseq}\r\nAuthorization: (cut)\r\nContent-Length: ${sdp?.length ?? 0}\r\n\r\n${sdp ?? ''}`;

function ladder(t) {
  let at = 0;
  const item = (ms, lane, dir, kind, title, text, data) => ({ t_us: (at += ms) * 1000, lane, dir, kind, title, peer: dir && lane === 'caller' ? '192.0.2.10:5061' : dir ? '198.51.100.4:443' : null, text: text ?? null, sdp: /v=0/.test(text ?? ''), data: data ?? null });
  return [
    item(0, 'caller', 'in', 'sip', `INVITE sip:+4989555@gw.example`, message('INVITE sip:+4989555@gw.example SIP/2.0', '1 INVITE', t, SDP(30012, '8 101'))),
    item(1, 'caller', 'out', 'sip', '100 Trying', message('SIP/2.0 100 Trying', '1 INVITE', t)),
    item(1, 'gateway', null, 'rule', 'Rule inbound-to-users', null, { rule: 'inbound-to-users', line: 14, config_version: '00a1' }),
    item(3, 'callee', 'out', 'event', 'call.incoming', JSON.stringify({ id: 'c_1', from: t, sdp: SDP(20000, '111') })),
    item(6, 'caller', 'out', 'sip', '180 Ringing', message('SIP/2.0 180 Ringing', '1 INVITE', t)),
    item(2400, 'callee', 'in', 'native', 'POST answer', JSON.stringify({ sdp: SDP(20002, '111') })),
    item(2, 'callee', null, 'ice', 'ICE checking → connected', null, { pair: '198.51.100.4:443 ↔ 192.0.2.1:20000' }),
    item(41, 'callee', null, 'dtls', 'DTLS connected', null, { suite: 'AEAD_AES_128_GCM' }),
    item(2, 'gateway', null, 'offer', 'Answer: PCMA, AEAD_AES_256_GCM'),
    item(2, 'caller', 'out', 'sip', '200 OK', message('SIP/2.0 200 OK', '1 INVITE', t, SDP(30010, '8 101'))),
    item(18, 'caller', 'in', 'sip', 'ACK', message('ACK sip:gw SIP/2.0', '1 ACK', t)),
    item(15000, 'caller', 'in', 'sip', 'INVITE (re-INVITE 2)', message('INVITE sip:gw SIP/2.0', '2 INVITE', t, SDP(30012, '8 101', 'a=sendonly\r\n'))),
    item(2, 'caller', 'out', 'sip', '200 OK', message('SIP/2.0 200 OK', '2 INVITE', t, SDP(30010, '8 101', 'a=recvonly\r\n'))),
    item(8000, 'media', null, 'media', `Wrong source ${t}`),
    item(13000, 'caller', 'in', 'sip', 'BYE', message('BYE sip:gw SIP/2.0', '3 BYE', t)),
    item(1, 'caller', 'out', 'sip', '503 Service Unavailable', message(`SIP/2.0 503 ${t}`, '3 BYE', t)),
  ];
}

const points = (from, bad) => Array.from({ length: 36 }, (_, i) => [2 + i, i > 24 && bad ? 0 : 50, i % 9 === 4 && bad ? 6 : 0, 1 + (i % 7) * 0.6, -22 - (i % 5), 0, bad && i > 24 ? 50 : 0]).slice(from);

function state(t) {
  const leg = (role, door, peer) => ({ role, door, kind: door, peer, state: 'live', remote_addr: '192.0.2.10:5061', media_addr: '192.0.2.10:30012', remote_user: t, sip_call_id: t, device: t, codec: 'PCMA', srtp: 'AEAD_AES_256_GCM', dtls: null, mos: 4.21, rtt_ms: 31.2, rx: { mos: 4.2 } });
  const call = (id, s) => ({ id, direction: 'in', state: 'answered', from: t, to: '+4989555', trunk: 'carrier', user: 'alice', started_at: ago(s), answered_at: ago(s - 3), duration_ms: s * 1000, codec: 'PCMA', mos: 4.21, cause: null, legs: [leg('caller', 'trunk', 'carrier'), leg('callee', 'native', 'alice')] });
  const trunk = (name, up) => ({ name, kind: 'carrier', role: null, base: null, fqdn: 'gw.example', enabled: true, state: up ? 'up' : 'down', tls: up ? 'ok' : 'refused', options: up ? 'answered' : 'silent', overall: up ? 'up' : 'down', last_status: 200, options_sent: 120, options_answered: 119, options_failed: 1, options_received: 118, last_received_ms: Date.now() - 12000, certificate_expiry_s: 1.9e9, peer_certificate_expiry_s: 1.85e9, calls: 2, targets: [{ uri: `sips:${name}.example:5061`, state: up ? 'up' : 'down' }], figures: { seizures: 812, answered: 655, ner_percent: 98.4, acd_s: 141, weak_sample: false }, registration: null });
  const end = { reason: 'refused', by: 'callee', sip: 486, q850: 17, rule: null, detail: t };
  const record = (i) => ({ ...call(`c_${i}`, 400 + 90 * i), id: `r_${i}`, call: `c_${i}`, state: 'ended', ended_at: ago(300 + 90 * i), ring_ms: 900, setup_ms: 3100, pdd_ms: 812, end: i % 3 ? { ...end, reason: 'normal', sip: 200, q850: 16 } : end, answered_at: i % 3 ? ago(390 + 90 * i) : null, cause_advice: i % 3 ? null : 'Have the carrier send to the port of our SDP', cause_text: i % 3 ? null : `Carrier sends to port 30012 but our SDP said 30010; it called itself ${t}` });
  return {
    overview: { now: ago(0), version: '0.5.0', instance: 'a1b2', started_at: ago(86400), ready: true, reasons: [], draining: false, config: { version: '00a1', confirm_by: null }, calls: { live: 2, max: 1000, rate_s: 1.2 }, today: { calls: 4810, answered: 3902, failed: 411, refused: 97, asr: 81.1, acd_s: 143, pdd_ms: 912 }, media: { connected: true, backend: 'io_uring', workers: 2, load: 0.14 }, trunks: { online: 1, total: 2 }, alarms: { open: 1 }, series: { step_s: 5, at: ago(0), live: Array.from({ length: 180 }, (_, i) => Math.round(30 + 12 * Math.sin(i / 17) + (i % 5))), rate: Array.from({ length: 180 }, (_, i) => 1 + Math.sin(i / 11) ** 2), failed: Array.from({ length: 180 }, (_, i) => (i % 40 < 4 ? 0.4 : 0)), mos: Array.from({ length: 180 }, (_, i) => 4.2 + 0.1 * Math.sin(i / 9)) } },
    calls: [call('c_live', 74), call('c_2', 12)],
    trunks: [trunk('carrier', true), trunk('tenant-a', false)],
    alarms: [{ id: 'a_1', kind: 'trunk_down', severity: 'critical', text: `The trunk does not answer: ${t}`, what: 'tenant-a', raised_at: ago(320), cleared_at: null, acked_by: null }, { id: 'a_2', kind: 'certificate', severity: 'warning', text: 'A certificate ends in 12 days', what: 'carrier', raised_at: ago(9000), cleared_at: ago(600), acked_by: 'eve' }],
    records: Array.from({ length: 12 }, (_, i) => record(i)),
    timeline: { call: 'c_live', started_at: ago(74), state: 'live', truncated: false, config_version: '00000000000000a1', cause: `Carrier sends to port 30012 but our SDP said 30010`, lanes: ['caller', 'gateway', 'callee', 'media'], items: ladder(t), media: [{ leg: 'caller', direction: 'rx', step_ms: 1000, points: points(0, true) }, { leg: 'caller', direction: 'tx', step_ms: 1000, points: points(0, false) }, { leg: 'callee', direction: 'rx', step_ms: 1000, points: points(0, false) }, { leg: 'callee', direction: 'tx', step_ms: 1000, points: points(0, false) }], client: [{ t_us: 4e6, leg: 'callee', data: { selected_pair: 'P1', stats: [{ type: 'inbound-rtp', kind: 'audio', packetsReceived: 200, packetsLost: 3, jitter: 0.004, totalSamplesReceived: 96000, concealedSamples: 960, audioLevel: 0.2 }, { type: 'remote-inbound-rtp', kind: 'audio', roundTripTime: 0.031 }, { type: 'media-source', kind: 'audio', audioLevel: 0 }, { type: 'codec', mimeType: t }] } }] },
    refusals: Array.from({ length: 6 }, (_, i) => ({ at: ago(30 * i), rule: ['unknown_source', 'not_dialable', 'rate'][i % 3], status: [403, 404, 503][i % 3], trunk: i % 2 ? 'carrier' : null, source: `203.0.113.${i}:5060`, from: t, to: '+4989555', detail: t, count: 1 + i * 7 })),
    bans: [{ addr: '203.0.113.9', why: t, until: ago(-3000), by: 'guard', hits: 4211 }],
    certificates: [{ use: 'service', trunk: null, file: '/etc/sallyport/service.pem', subject: 'CN=gw.example', names: ['gw.example', 'sip.example'], issuer: 'CN=Example CA', not_before: ago(8e6), not_after: ago(-3e6), days_left: 34, state: 'ok' }, { use: 'trunk', trunk: 'carrier', file: '/etc/sallyport/trunk.pem', subject: `CN=${t}`, names: [t], issuer: t, not_before: ago(8e6), not_after: ago(-1e6), days_left: 11, state: 'soon' }],
    audit: [{ seq: 2, at: ago(50), who: 'eve', role: 'admin', from: '127.0.0.1', verb: 'config.commit', what: t, before: 'a: 1\nb: 2', after: 'a: 1\nb: 3', hash: 'f00df00df00df00d' }, { seq: 1, at: ago(90), who: 'token', role: 'admin', from: '127.0.0.1', verb: 'login', what: 'eve', before: null, after: null, hash: 'beefbeefbeefbeef' }],
    users: [{ name: 'eve', role: 'admin', created_at: ago(90000), last_login_at: ago(60), locked: false }, { name: 'bob', role: 'viewer', created_at: ago(90000), last_login_at: null, locked: true }],
    tokens: [{ id: 't_1', name: 'prometheus', role: 'viewer', created_at: ago(9000), expires_at: ago(-9e6), last_used_at: ago(4) }],
    system: { version: '0.5.0', build: 'gcc 12.2, release', started_at: ago(86400), jailed: true, threads: [{ name: 'call', cpu_percent: 2.1 }, { name: 'media0', cpu_percent: 11.4 }], queues: { store: 0, log: 3 }, limits: { calls_max: 1000, streams_max: 1000 }, disk: { state_free_bytes: 9e10 } },
    config: { version: '00a1', etag: '"e1"', text: `# The demonstration\nnode:\n  name: gw\ntrunks:\n  - name: carrier\n    kind: carrier\n    password: (kept)\n`, files: [], pending: { confirm_by: ago(-200) } },
    history: [{ n: 3, at: ago(60), who: 'eve', comment: t, version: '00a1' }, { n: 2, at: ago(6000), who: 'eve', comment: 'first', version: '009f' }],
    routes: { etag: '"r"', file: 'plan.yaml', text: 'rules: []', rules: [{ name: 'inbound-to-users', line: 14, summary: 'Numbers of users ring them' }] },
    numbers: [{ number: '+4989555', user: 'alice', display: 'Alice', tenant: null }],
    doctor: { id: 'd_1', trunk: 'carrier', state: 'done', started_at: ago(90), ended_at: ago(20), checks: [{ id: 'tls_chain', group: 'TLS', title: 'Certificate chain', result: 'passed', seen: t, advice: null, ms: 41 }, { id: 'rtp_in', group: 'Media', title: 'RTP reaches us', result: 'failed', seen: `From ${t}`, advice: 'Open ports 30000 to 30999', ms: 2100 }, { id: 'prack', group: 'SIP', title: 'PRACK', result: 'not_offered', seen: null, advice: null, ms: 12 }], summary: { passed: 1, failed: 1, not_offered: 1 }, profile: { diff: '   - name: carrier\n-    prack: supported\n+    prack: off\n', patch: { prack: 'off' } } },
  };
}

const SCHEMA = { properties: { trunks: { items: { type: 'object', required: ['name', 'listener'], properties: { name: { type: 'string', description: 'Name of the trunk.' }, kind: { type: 'string', enum: ['carrier', 'direct-routing'], default: 'carrier', description: 'Whose rules hold.' }, listener: { type: 'string', description: 'The listener that its calls come to.' }, target: { type: 'string', description: 'SIP URI of outgoing calls.' }, peers: { type: 'array', items: { type: 'string' }, description: 'The peer itself.' }, max_calls: { type: 'integer', minimum: 1, maximum: 100000, default: 100, description: 'Live calls of the trunk.' }, options: { type: 'boolean', default: false, description: 'Whether we ask for its health.' }, doctor: { type: 'object', description: 'Numbers that tests may call.' }, note: { type: 'string', description: 'A note.' } } } } } };

const OPENAPI = { openapi: '3.1.0', info: { title: 'Sallyport', version: '1' }, paths: { '/admin/v1/calls': { get: { summary: 'Live calls', 'x-role': 'viewer', responses: { 200: { description: 'Calls' } } } }, '/admin/v1/calls/{id}': { delete: { summary: 'Ends a call', parameters: [{ name: 'id', in: 'path', schema: { type: 'string' } }], responses: { 204: { description: 'Done' } } } }, '/admin/v1/bans': { post: { summary: 'Bans an address', requestBody: { content: { 'application/json': { schema: { type: 'object', required: ['addr'], properties: { addr: { type: 'string', description: 'The address' } } } } } }, responses: { 201: { description: 'Made' } } } } } };

export class Operators {
  constructor() {
    this.nasty('Ann Other');
    this.files = new Map(readdirSync(DIST).filter((n) => TYPES[n.split('.').at(-1)]).map((n) => [n === 'index.html' ? '/' : `/console/${n}`, { type: TYPES[n.split('.').at(-1)], bytes: gzipSync(readFileSync(DIST + n)) }]));
    this.asked = [];
  }

  nasty(text) {
    this.s = state(text);
  }

  empty() {
    const s = state('');
    for (const k of ['calls', 'trunks', 'alarms', 'records', 'refusals', 'bans', 'certificates', 'audit', 'users', 'tokens', 'history', 'numbers']) s[k] = [];
    Object.assign(s, { doctor: null, routes: { rules: [] } });
    s.overview.today = { calls: 0, answered: 0, failed: 0, refused: 0, asr: null, acd_s: null, pdd_ms: null };
    this.s = s;
  }

  /** Many calls, each of them told again once a second. */
  crowd(n) {
    this.s.calls = Array.from({ length: n }, (_, i) => ({ ...this.s.calls[0], id: `c_${i}`, to: `+49100${String(i).padStart(3, '0')}` }));
    this.beats = true;
  }

  /** A call of n messages that took so many seconds, media told by ten seconds as the gateway does. */
  long(n, seconds) {
    const all = this.s.timeline.items;
    this.s.timeline.items = Array.from({ length: n }, (_, i) => ({ ...all[i % all.length], t_us: Math.floor((seconds * 1e6 * i) / n) }));
    for (const m of this.s.timeline.media) Object.assign(m, { step_ms: 10_000, points: Array.from({ length: Math.floor(seconds / 10) }, (_, i) => [10 * i, 500, i % 90 === 7 ? 60 : 0, 2 + (i % 5), -24, 0, 0]) });
  }

  /** A call as bad as they come: two hours, 500 messages, 30 re-INVITEs, and each of so many legs with media of its own. */
  worst(legs) {
    this.long(500, 7200);
    const { timeline, calls } = this.s, of = (n) => (n > 1 ? `callee${n}` : 'callee'), [again, ok] = [timeline.items[11], timeline.items[12]];
    timeline.lanes = ['caller', 'gateway', ...Array.from({ length: legs - 1 }, (_, i) => of(i + 1)), 'media'];
    timeline.items.forEach((i, n) => /^callee/.test(i.lane) && (i.lane = timeline.lanes[2 + (n % (legs - 1))]));
    for (let n = 0; n < 30; n++) timeline.items.push({ ...again, t_us: (100 + 200 * n) * 1e6, title: `INVITE (re-INVITE ${n + 1})` }, { ...ok, t_us: (100 + 200 * n) * 1e6 + 2000 });
    const media = timeline.media.slice(0, 2);
    timeline.media = timeline.lanes.filter((l) => l !== 'gateway' && l !== 'media').flatMap((leg) => media.map((m) => ({ ...m, leg })));
    calls[0].legs = timeline.media.filter((m) => m.direction === 'rx').map(({ leg }) => ({ ...calls[0].legs[0], role: leg, peer: leg }));
  }

  /** Nobody answers any more, open streams end; up() ends it. */
  down() {
    this.isDown = true;
    this.server.closeAllConnections();
  }

  up() {
    this.isDown = false;
  }

  async listen() {
    this.server = createServer((q, r) => this.serve(q, r));
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.base = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }

  async serve(request, reply) {
    const { pathname } = new URL(request.url, 'http://x');
    if (this.isDown) return request.destroy();
    const file = this.files.get(pathname);
    if (file) {
      reply.writeHead(200, { 'Content-Type': file.type, 'Content-Encoding': 'gzip', 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff' });
      return reply.end(file.bytes);
    }
    let text = '';
    for await (const piece of request) text += piece;
    const verb = `${request.method} ${pathname.replace('/admin/v1/', '')}`;
    this.asked.push({ verb, headers: request.headers, body: text ? JSON.parse(text) : null });
    if (verb === 'GET events' && !this.isOver) return this.events(reply);
    const [status, body, headers] = this.answer(verb, text ? JSON.parse(text) : {}, request);
    reply.writeHead(status, { 'Content-Type': status >= 400 ? 'application/problem+json' : 'application/json', ...headers });
    return reply.end(body === null ? undefined : JSON.stringify(body));
  }

  /** As the gateway does it: open streams end, and nobody is known any more. */
  endSession() {
    this.isOver = true;
    for (const reply of this.streams ?? []) reply.end();
  }

  /** All open streams tell everything again, as it is now. */
  retell() {
    for (const reply of this.streams ?? []) reply.retell();
  }

  events(reply) {
    (this.streams ??= new Set()).add(reply);
    reply.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const tell = (event, data) => reply.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    reply.retell = () => {
      tell('overview', { ...this.s.overview, now: ago(0) });
      for (const c of this.s.calls.slice(0, 100)) tell('call', c); // as the gateway does
      for (const t of this.s.trunks) tell('trunk', t);
      for (const a of this.s.alarms) tell('alarm', a);
      tell('config', { version: '00a1', confirm_by: this.s.config.pending?.confirm_by ?? null });
    };
    reply.retell();
    if (!this.beats) return;
    const beat = setInterval(() => this.s.calls.forEach((c) => tell('call', { ...c, mos: 4 + Math.random() / 4 })), 1000);
    reply.on('close', () => clearInterval(beat));
  }

  answer(verb, body, request) {
    const s = this.s, list = (noun, rows) => [200, { [noun]: rows, cursor: null }];
    const isIn = !this.isOver && /sallyport_session=x/.test(request.headers.cookie ?? '');
    if (verb === 'POST login') return body.token === 'right' || body.password === 'right' ? [200, { user: 'eve', role: 'admin' }, { 'Set-Cookie': 'sallyport_session=x; HttpOnly; SameSite=Strict; Path=/' }] : [401, { title: 'A valid token is needed', status: 401, detail: 'Name or password is wrong' }];
    if (!isIn && verb !== 'GET openapi.json') return [401, { title: 'A valid token is needed', status: 401 }];
    if (!verb.startsWith('GET') && request.headers['x-sallyport'] !== '1') return [403, { title: 'Not allowed', status: 403 }];
    if (this.refuses && !verb.startsWith('GET')) return this.refuses.length > 1 ? this.refuses.shift() : this.refuses[0];
    const simple = {
      'POST logout': () => [204, null, { 'Set-Cookie': 'sallyport_session=; Max-Age=0; Path=/' }], 'GET me': () => [200, { user: 'eve', role: 'admin', by: 'cookie', expires_at: ago(-900) }], 'GET overview': () => [200, { ...s.overview, now: ago(0) }], 'GET calls': () => this.page(request),
      'GET trunks': () => list('trunks', s.trunks), 'GET records': () => this.records(request), 'GET refusals': () => list('refusals', s.refusals), 'GET bans': () => list('bans', s.bans),
      'GET certificates': () => list('certificates', s.certificates), 'GET alarms': () => list('alarms', s.alarms), 'GET audit': () => list('audit', s.audit), 'GET audit/verify': () => [200, { ok: true, rows: 2, broken_at: null }],
      'GET users': () => list('users', s.users), 'GET api-tokens': () => list('tokens', s.tokens), 'GET system': () => [200, s.system], 'GET config': () => [200, s.config, { ETag: '"e1"' }], 'GET config/history': () => list('history', s.history),
      'GET routes': () => [200, s.routes], 'GET numbers': () => list('numbers', s.numbers), 'GET doctor': () => list('doctor', s.doctor ? [s.doctor] : []), 'GET doctor/d_1': () => [200, s.doctor], 'GET openapi.json': () => [200, OPENAPI], 'GET config/schema': () => [200, SCHEMA],
      'POST trunks': () => (body.listener ? [201, { name: body.name, etag: '"t9"', settings: body, status: null }] : [422, { title: 'Well-formed, but it cannot be served', status: 422, detail: 'is missing', errors: [{ pointer: '/listener', reason: 'is missing' }] }]),
      'PUT numbers/%2B49777': () => [200, { number: '+49777', user: body.user }], 'POST records/erase': () => [200, { erased: 3, live: 1 }],
      'POST trunks/carrier/diff': () => [200, { unified: '-    prack: supported\n+    prack: off\n', changes: [{ path: '/trunks/carrier/prack', old: 'supported', new: 'off', restart: false }], more: 0, reloadable: true, restart: [], errors: [], text: s.config.text + '    prack: off\n', etag: s.config.etag }],
      'POST config/validate': () => [200, { errors: body.text.includes('bogus') ? [{ file: 'sallyport.yaml', line: 3, pointer: '/node/bogus', rule: 'unknown', message: 'no such setting' }] : [] }],
      'POST config/diff': () => [200, { unified: '+', changes: [{ path: '/node/name', old: 'gw', new: 'gw2' }], reloadable: true, restart: [] }], 'POST config/replay': () => [200, { calls: 48210, changed: 312, refused: 4, list: [{ record: 'r_1', called: '+49', old: 'carrier', new: 'refused' }] }],
      'POST routes/test': () => [200, { number: body.called, rules: [{ rule: 'inbound-to-users', line: 14, fits: true, why: 'the number is +4989555' }], rule: 'inbound-to-users', called: body.called, caller: '+49', emergency: false, steps: ['ring user alice', 'then trunk carrier'] }],
      'POST bans': () => (/^\d/.test(body.addr) ? [201, body] : [422, { title: 'A member has a wrong value', status: 422, errors: [{ pointer: '/addr', reason: 'not an address' }] }]),
      'POST api-tokens': () => [201, { id: 't_2', token: 'spa_once' }],
    };
    return simple[verb]?.() ?? this.one(verb);
  }

  /** As strict as the gateway: what it does not know is no search. */
  records(request) {
    const q = new URL(request.url, 'http://x').searchParams, known = { state: /^(live|ended|refused)$/, max_mos: /^[1-5](\.\d)?$/, limit: /^\d+$/ };
    const wrong = [...q].find(([k, v]) => (known[k] ? !known[k].test(v) : !/^(q|number|trunk|user|reason|since|until|cause|cursor)$/.test(k)));
    return wrong ? [400, { title: 'A member is missing or has a wrong value', status: 400, errors: [{ pointer: wrong[0], reason: 'not known' }] }] : [200, { records: this.s.records.filter((r) => q.get('cause') !== 'any' || r.cause_text), cursor: null }];
  }

  page(request) {
    const q = new URL(request.url, 'http://x').searchParams, from = Number(q.get('cursor') ?? 0), to = from + Number(q.get('limit') ?? 100);
    return [200, { calls: this.s.calls.slice(from, to), cursor: to < this.s.calls.length ? String(to) : null }];
  }

  one(verb) {
    const s = this.s;
    if (/^GET calls\/[^/]+\/timeline$/.test(verb)) return [200, s.timeline];
    if (/^GET calls\//.test(verb)) return [404, { title: 'There is nothing here', status: 404 }];
    if (/^GET records\//.test(verb)) return [200, s.records[0] ?? {}];
    if (/^GET trunks\//.test(verb)) return [200, { name: 'carrier', etag: '"t1"', settings: { name: 'carrier', kind: 'carrier', note: 'x' }, status: s.trunks[0] }, { ETag: '"t1"' }];
    if (/^GET config\/history\//.test(verb)) return [200, { n: 2, text: '# old\n' }];
    return verb.startsWith('GET') ? [404, { title: 'There is nothing here', status: 404 }] : [200, { ok: true, id: 'd_1' }];
  }
}
