// SPDX-License-Identifier: Apache-2.0
// A pretended gateway: the REST and the events of native signaling as far as the phone uses them, with the
// rules that a client may break (tickets, tags, idempotency, order). Strict where the contract is.

import http from 'node:http';
import { CSP, asset } from './assets.mjs';
import { ROUTES, now } from './verbs.mjs';
import { Refusal } from './refusal.mjs';

const ALICE = {
  identity: 'alice',
  tenant: 'default',
  numbers: ['+15550100001', '+15550100002'],
  scopes: ['call.place', 'call.receive', 'call.control', 'events.read'],
};

export class Mock {
  users = new Map([['token-alice', ALICE]]);
  slowAnswer = undefined; // ms until an answered call is connected
  forgetful = false; // nothing is replayed
  calls = new Map();
  streams = new Set();
  ring = []; // events kept for replay
  log = []; // requests as `VERB path`
  telemetry = [];
  faults = []; // [{match: RegExp, status, code, detail}], each used once
  next = 1;
  #tickets = new Map();
  #keys = new Map();
  #lastId = 100;

  async listen() {
    this.server = http.createServer((req, res) => this.#serve(req, res));
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
    this.base = `http://localhost:${this.server.address().port}`;
    return this;
  }

  close() {
    this.dropStreams();
    this.server.closeAllConnections();
    this.server.close();
  }

  reset() {
    this.dropStreams();
    this.calls.clear();
    this.forgetful = false;
    this.slowAnswer = this.relays = this.relaysUntil = undefined;
    this.users = new Map([['token-alice', ALICE]]);
    this.log.length = this.telemetry.length = this.faults.length = this.ring.length = 0;
  }

  // HTTP ---------------------------------------------------------------------------------------

  async #serve(req, res) {
    const url = new URL(req.url, this.base);
    try {
      if (!url.pathname.startsWith('/v1/')) return await file(url.pathname, res);
      this.log.push(`${req.method} ${url.pathname.slice(3)}`);
      const body = await bodyOf(req);
      if (url.pathname === '/v1/events') this.#events(url, req, res);
      else await this.#api(url.pathname.slice(3), req, res, body);
    } catch (refusal) {
      problem(res, refusal);
    }
  }

  async #api(path, req, res, body) {
    const fault = this.faults.findIndex((f) => f.match.test(`${req.method} ${path}`));
    if (fault >= 0) throw new Refusal(this.faults.splice(fault, 1)[0]);
    if (path === '/bootstrap') return send(res, { body: { edges: [{ url: this.base, region: 'lab' }], region: 'lab', clock: now() } });
    const user = this.users.get((req.headers.authorization ?? '').replace('Bearer ', ''));
    if (!user) throw new Refusal({ status: 401, code: 'token_expired', detail: 'The token is not valid.' });
    const row = ROUTES.find(([verb, pattern]) => verb === req.method && pattern.test(path));
    if (!row) throw new Refusal({ status: 404, code: 'field', detail: `No such resource: ${path}` });
    const isJson = (req.headers['content-type'] ?? '').includes('json');
    const ask = { user, json: isJson ? JSON.parse(body || '{}') : body, headers: req.headers, device: req.headers['sallyport-device'] };
    const id = row[1].exec(path)[1];
    if (id) ask.call = this.#callOf(id, req.method);
    const key = req.headers['idempotency-key'];
    const work = async () => row[2](this, ask);
    send(res, await (key ? this.#onlyOnce(key, body, work) : work()));
  }

  #callOf(id, verb) {
    const call = this.calls.get(id);
    if (!call) throw new Refusal({ status: 404, code: 'field', detail: 'There is no such call.' });
    if (call.state === 'ended' && verb !== 'GET' && verb !== 'DELETE') {
      throw new Refusal({ status: 410, code: 'wrong_state', detail: 'The call is over.' });
    }
    return call;
  }

  #onlyOnce(key, body, work) {
    const known = this.#keys.get(key);
    if (known && known.body !== body) throw new Refusal({ status: 422, code: 'idempotency', detail: 'Same key, other body.' });
    if (known) return known.reply;
    const reply = work();
    this.#keys.set(key, { body, reply });
    return reply;
  }

  // Events -------------------------------------------------------------------------------------

  ticket(identity, device) {
    const ticket = `t${this.next++}`;
    this.#tickets.set(ticket, { identity, device });
    return ticket;
  }

  #events(url, req, res) {
    const name = url.searchParams.get('ticket');
    const ticket = this.#tickets.get(name);
    this.#tickets.delete(name); // single use
    if (!ticket) throw new Refusal({ status: 401, code: 'token_expired', detail: 'The ticket is spent.' });
    const device = url.searchParams.get('device') ?? ticket.device;
    for (const other of this.streams) if (device && other.device === device) other.res.end();
    const stream = { res, device };
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    res.write('retry: 2000\n\n');
    const live = [...this.calls.values()].filter((c) => c.state !== 'ended').map((c) => c.id);
    write(stream, null, 'system.hello', { identity: ticket.identity, region: 'lab', heartbeat_s: 15, oldest_id: 1, calls: live });
    this.#replay(stream, url.searchParams.get('last_event_id') ?? req.headers['last-event-id']);
    this.streams.add(stream);
    res.on('close', () => this.streams.delete(stream));
  }

  #replay(stream, last) {
    this.lastReplay = last;
    if (last === undefined || last === null) {
      for (const call of this.calls.values()) {
        if (call.incoming && call.state === 'ringing') write(stream, this.#lastId, 'call.incoming', call.incoming);
      }
    } else if (this.forgetful) write(stream, null, 'system.reset', {});
    else for (const e of this.ring) if (e.id > Number(last)) write(stream, e.id, e.name, e.data);
  }

  /** @param {string} name @param {string|null} call @param {object} [data] */
  push(name, call, data = {}) {
    const event = { id: ++this.#lastId, name, data: { v: 1, ts: now(), ...(call ? { call } : {}), ...data } };
    this.ring.push(event);
    for (const stream of this.streams) write(stream, event.id, name, event.data);
  }

  dropStreams() {
    for (const stream of this.streams) stream.res.destroy();
    this.streams.clear();
  }

  // Calls --------------------------------------------------------------------------------------

  end(call, end) {
    if (call.state === 'ended') return;
    call.state = 'ended';
    call.end = { sip: null, q850: null, by: 'remote', detail: null, ...end };
    this.push('call.ended', call.id, { end: call.end });
    this.peer.close(call.id);
  }

  /** A carrier calls. */
  async incoming(from = { tel: '+15550123456' }, more = {}) {
    const id = `c_${this.next++}`;
    const offer = { type: 'offer', sdp: await this.peer.offer(id) };
    const to = { tel: '+15550100001' };
    const hold = { local: false, remote: false };
    const call = { id, direction: 'in', state: 'ringing', from, to, etag: '"g1"', created_at: now(), hold };
    call.incoming = { v: 1, ts: now(), call: id, from, to, offer, etag: '"g1"', ring_timeout_s: 60, ...more };
    this.calls.set(id, call);
    this.push('call.incoming', id, call.incoming);
    return call;
  }
}

async function file(path, res) {
  const found = path === '/peer' ? { type: 'text/html', body: '<!doctype html>' } : await asset(path);
  if (!found) return res.writeHead(404).end();
  const policy = path === '/peer' ? {} : { 'Content-Security-Policy': CSP };
  res.writeHead(200, { 'Content-Type': found.type, 'Cache-Control': 'no-store', ...policy });
  res.end(found.body);
}

function problem(res, refusal) {
  const { status = 500, code = 'unknown', detail = String(refusal.stack), retry_after } = refusal;
  if (status === 500) console.error(refusal);
  const headers = { 'Content-Type': 'application/problem+json' };
  if (retry_after) headers['Retry-After'] = String(retry_after);
  res.writeHead(status, headers);
  res.end(JSON.stringify({ type: `urn:sallyport:problem:${code}`, title: code, status, detail, code, retry_after }));
}

function write({ res }, id, name, data) {
  res.write(`${id === null ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

function send(res, { status = 200, body, headers = {} }) {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const type = text === undefined ? {} : { 'Content-Type': 'application/json' };
  res.writeHead(status, { 'Cache-Control': 'no-store', ...type, ...headers });
  res.end(text);
}

async function bodyOf(req) {
  let text = '';
  for await (const piece of req) text += piece;
  return text;
}
