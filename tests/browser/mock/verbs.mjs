// SPDX-License-Identifier: Apache-2.0
// The verbs of the pretended gateway: a table of rows, and what the far side of a number does.

import { Refusal } from './refusal.mjs';

export const now = () => new Date().toISOString();
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const ufragOf = (sdp) => /a=ice-ufrag:([^\r\n]*)/.exec(sdp)?.[1];

// Told by the number's last three digits.
const FAR = {
  async 486(mock, call) {
    mock.push('call.ringing', call.id);
    await pause(200);
    mock.end(call, { sip: 486, q850: 17, reason: 'busy', by: 'remote' });
  },
  async 183(mock, call) {
    mock.push('call.ringing', call.id);
    await pause(500);
    call.state = 'early_media';
    mock.push('call.early_media', call.id, { active: true }); // an announcement, for ever
  },
  async 180(mock, call) {
    call.state = 'ringing';
    mock.push('call.ringing', call.id); // and rings on
  },
  // Answered at once: all of its events are out before the 201.
  async 200(mock, call) {
    Object.assign(call, { state: 'connected', answered_at: now() });
    for (const name of ['call.trying', 'call.ringing', 'call.answered', 'call.connected']) mock.push(name, call.id);
  },
  async other(mock, call) {
    call.state = 'ringing';
    mock.push('call.trying', call.id);
    mock.push('call.ringing', call.id);
    await pause(250);
    if (call.state === 'ended') return;
    Object.assign(call, { state: 'connected', answered_at: now() });
    mock.push('call.answered', call.id);
    mock.push('call.connected', call.id);
    mock.push('media.quality', call.id, { direction: 'down', loss: 0, jitter_ms: 2, rtt_ms: 1, mos: 4.3 });
  },
};

async function place(mock, { json, device }) {
  const tel = json.to?.tel ?? '';
  if (tel.endsWith('404')) throw new Refusal({ status: 422, code: 'not_dialable', detail: `Your dialplan does not know ${tel}.` });
  if (tel.endsWith('503')) throw new Refusal({ status: 503, code: 'trunk_down', detail: 'The carrier "demo" does not answer.', retry_after: 30 });
  if (json.offer?.type !== 'offer') throw new Refusal({ status: 400, code: 'field', detail: '/offer is missing' });
  const id = `c_${mock.next++}`;
  const hold = { local: false, remote: false };
  const call = { id, direction: 'out', state: 'connecting', from: { tel: json.from }, to: json.to, device, etag: '"g1"', created_at: now(), hold };
  mock.calls.set(id, call);
  const sdp = await mock.peer.answer(id, json.offer.sdp);
  call.remoteUfrag = ufragOf(json.offer.sdp);
  const far = (FAR[tel.slice(-3)] ?? FAR.other)(mock, call);
  far.catch((error) => console.error(error));
  await pause(60);
  return { status: 201, headers: { Location: `/v1/calls/${id}`, ETag: call.etag }, body: { id, state: call.state, answer: { type: 'answer', sdp } } };
}

async function answer(mock, { json, call, device }) {
  if (call.takenElsewhere) throw new Refusal({ status: 409, code: 'answered_elsewhere', detail: 'Another device was first.' });
  if (call.direction === 'out') throw new Refusal({ status: 409, code: 'wrong_state', detail: 'The callee answers.' });
  await mock.peer.accept(call.id, json.answer.sdp);
  Object.assign(call, { state: 'connected', device, answered_at: now(), remoteUfrag: ufragOf(json.answer.sdp) });
  setTimeout(() => mock.push('call.connected', call.id), mock.slowAnswer ?? 50);
  return { body: { id: call.id, state: mock.slowAnswer ? 'ringing' : 'connected' } };
}

async function patchIce(mock, { json, call, headers }) {
  const tag = headers['if-match'];
  if (!tag) throw new Refusal({ status: 428, code: 'ice_tag', detail: 'If-Match is missing.' });
  const restart = ufragOf(json) !== call.remoteUfrag;
  if (restart ? tag !== '*' : tag !== call.etag) throw new Refusal({ status: 412, code: 'ice_tag', detail: `Stale tag ${tag}.` });
  if (!restart) {
    await mock.peer.candidates(call.id, json);
    return { status: 204 };
  }
  const fragment = await mock.peer.restart(call.id, json);
  call.remoteUfrag = ufragOf(json);
  call.etag = `"g${mock.next++}"`;
  return { body: fragment, headers: { ETag: call.etag, 'Content-Type': 'application/trickle-ice-sdpfrag' } };
}

async function renegotiate(mock, { json, call, device }) {
  const sdp = await mock.peer.answer(call.id, json.offer.sdp);
  call.remoteUfrag = ufragOf(json.offer.sdp);
  call.etag = `"g${mock.next++}"`;
  call.device = device;
  return { body: { answer: { type: 'answer', sdp } }, headers: { ETag: call.etag } };
}

// The outcome is out before the 202: a client must bear it.
const operation = (verb, work) => (mock, ask) => {
  const operation_id = `op_${mock.next++}`;
  work(mock, ask);
  mock.push('operation.succeeded', ask.call.id, { operation_id, verb });
  return { status: 202, body: { operation_id } };
};

const holding = (held) => (mock, { call }) => {
  if (call.hold.local === held) throw new Refusal({ status: 409, code: 'wrong_state', detail: held ? 'It is held already.' : 'It is not held.' });
  call.hold.local = held;
  call.state = held ? 'local_hold' : 'connected';
  mock.push(held ? 'call.held' : 'call.resumed', call.id, { by: 'local' });
};

// The far side echoes the digits.
const echo = (mock, { call, json }) => {
  for (const digit of json.digits) mock.push('dtmf.received', call.id, { digit, ms: 100, source: 'rtp' });
};

function hangup(mock, { call }) {
  mock.end(call, { reason: call.answered_at ? 'completed' : 'canceled', by: 'local' });
  return { status: 204 };
}

function reject(mock, { call, json }) {
  call.rejected = json.reason;
  mock.end(call, { reason: 'declined', by: 'local' });
  return { status: 204 };
}

function telemetry(mock, { json, call }) {
  mock.telemetry.push({ call: call.id, ...json });
  return { status: 204 };
}

function snapshot(call) {
  const { id, direction, state, hold, from, to, device, created_at, answered_at, etag, end } = call;
  return { id, direction, state, hold, from, to, device, created_at, answered_at, recording: false, early_media: false, media: {}, etag, end };
}

const listed = (mock) => [...mock.calls.values()].filter((c) => c.state !== 'ended').map(snapshot);
const inAnHour = () => new Date(Date.now() + 3.6e6).toISOString();

export const ROUTES = [
  ['GET', /^\/me$/, (mock, { user }) => ({ body: user })],
  ['POST', /^\/relay-credentials$/, (mock) => ({ body: { iceServers: mock.relays ?? [], expires_at: mock.relaysUntil ?? inAnHour() } })],
  ['POST', /^\/event-tickets$/, (mock, { user, device }) => ({ status: 201, body: { ticket: mock.ticket(user.identity, device), expires_in: 60 } })],
  ['POST', /^\/calls$/, place],
  ['GET', /^\/calls$/, (mock) => ({ body: { calls: listed(mock) } })],
  ['GET', /^\/calls\/([^/]+)$/, (mock, { call }) => ({ body: snapshot(call), headers: { ETag: call.etag } })],
  ['DELETE', /^\/calls\/([^/]+)$/, hangup],
  ['PATCH', /^\/calls\/([^/]+)\/ice$/, patchIce],
  ['POST', /^\/calls\/([^/]+)\/ringing$/, () => ({ status: 204 })],
  ['POST', /^\/calls\/([^/]+)\/answer$/, answer],
  ['POST', /^\/calls\/([^/]+)\/reject$/, reject],
  ['POST', /^\/calls\/([^/]+)\/renegotiate$/, renegotiate],
  ['POST', /^\/calls\/([^/]+)\/hold$/, operation('hold', holding(true))],
  ['POST', /^\/calls\/([^/]+)\/resume$/, operation('resume', holding(false))],
  ['POST', /^\/calls\/([^/]+)\/dtmf$/, operation('dtmf', echo)],
  ['POST', /^\/calls\/([^/]+)\/telemetry$/, telemetry],
];
