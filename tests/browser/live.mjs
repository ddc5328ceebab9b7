// SPDX-License-Identifier: Apache-2.0
// The phone against a running gateway: what only a real browser does. Usage: node live.mjs --demo FILE TEST.
// Exit status 0: it was as it should be; else the reason on standard error.

/* global window */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { parseArgs } from 'node:util';
import { ENGINE, launch } from './chrome.mjs';
import { HeadlessPhone, sleep } from './headless.mjs';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { demo: { type: 'string', default: 'build/run/demo.json' } } });
const demo = JSON.parse(await readFile(values.demo, 'utf8'));
const CARRIER_HZ = 1004;

/** Without a sound card Firefox runs no AudioContext: there it is asked how loud the stream is. */
async function hearsSomething(phone) {
  let told;
  for (let tries = 0; tries < 20; tries++) {
    const before = (await phone.verb('figures'))?.received?.packets ?? 0;
    await sleep(300);
    told = (await phone.verb('figures'))?.received;
    if (told?.level > 0.05 && told.packets > before) return;
  }
  assert.fail(`heard ${JSON.stringify(told)}`);
}

async function hearsTone(phone) {
  if (ENGINE === 'firefox') return hearsSomething(phone);
  let heard;
  for (let tries = 0; tries < 6; tries++) {
    heard = await phone.listen(800);
    if (heard && Math.abs(heard.frequency_hz - CARRIER_HZ) < 5 && heard.purity > 0.9) return;
  }
  assert.fail(`heard ${JSON.stringify(heard)}`);
}

// Runs in the page: every peer connection is kept.
function watchConnections() {
  const Real = window.RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Real {
    constructor(...args) {
      super(...args);
      window.connections.push(this);
    }
  };
}

/** Which of its addresses the call goes over, and by which credentials. */
function pathOf(phone) {
  return phone.page.evaluate(async () => {
    const connection = window.connections.at(-1), stats = await connection.getStats();
    const all = [...stats.values()], transport = all.find((s) => s.type === 'transport');
    const pair = stats.get(transport?.selectedCandidatePairId);
    const ufrag = (d) => /a=ice-ufrag:(\S+)/.exec(d.sdp)[1];
    return {
      address: pair && stats.get(pair.localCandidateId)?.address,
      ufrag: ufrag(connection.localDescription),
      peer_ufrag: ufrag(connection.remoteDescription),
    };
  });
}

async function withCall(run, prepare) {
  const phone = await HeadlessPhone.open({ base: demo.base, token: demo.users.alice.token });
  try {
    if (prepare) await phone.page.evaluate(prepare);
    await phone.place({ tel: demo.dial.tone });
    await phone.whenConnected(15_000);
    await hearsTone(phone);
    await run(phone);
    assert.deepEqual(await phone.errors(), []);
    await phone.verb('hangup');
  } finally {
    await phone.close();
  }
}

const pairOf = (phone) => phone.verb('snapshot').then((s) => s.etag);

const tests = {
  'ice-restart': () => withCall(async (phone) => {
    const before = await pairOf(phone);
    await phone.verb('restartIce');
    await sleep(1500);
    assert.notEqual(await pairOf(phone), before, 'the tag did not change');
    await hearsTone(phone);
    assert.equal((await phone.state()).media.local, 'connected');
  }),

  'fresh-connection': () => withCall(async (phone) => {
    await phone.verb('renegotiate', { fresh: true });
    await sleep(1500);
    await hearsTone(phone);
  }),

  // Somebody else shuts UDP once we say "up": the call goes on through a relay.
  'udp-shut': () => withCall(async (phone) => {
    const id = (await phone.state()).id;
    assert.match((await phone.verb('figures')).pair, /^(host|prflx)\/udp/);
    process.stderr.write('up\n');
    await phone.until('a relayed pair', async () => /^relay\/(tcp|tls)/.test((await phone.verb('figures'))?.pair ?? ''), 40_000);
    await sleep(3000);
    await hearsTone(phone);
    assert.equal((await phone.state()).id, id);
  }),

  hold: () => withCall(async (phone) => {
    await phone.verb('hold');
    await phone.until('held', async () => (await phone.state()).state === 'local_hold', 5000);
    await sleep(1200);
    if (ENGINE === 'chromium') {
      const silent = await phone.listen(800);
      assert.ok(silent.level_dbfs < -60, `the holder hears ${JSON.stringify(silent)}`);
    }
    await phone.verb('resume');
    await phone.until('resumed', async () => (await phone.state()).state === 'connected', 5000);
    await hearsTone(phone);
  }),

  // Of a host with two networks (tests/scenario/roam.py): the one in use goes down, nothing is signaled.
  roam: () => withCall(async (phone) => {
    const first = await pathOf(phone);
    const name = Object.entries(networkInterfaces()).find(([, list]) => list.some((a) => a.address === first.address))?.[0];
    assert.ok(name, `no interface has ${first.address}`);
    execFileSync('ip', ['link', 'set', name, 'down']);
    let now = first;
    await phone.until('another address', async () => {
      now = await pathOf(phone);
      return now.address && now.address !== first.address;
    }, 25_000);
    await hearsTone(phone);
    assert.equal(now.ufrag, first.ufrag, 'ICE was restarted');
    assert.equal(now.peer_ufrag, first.peer_ufrag, 'ICE was restarted');
    console.log(JSON.stringify({ from: first.address, to: now.address, call: (await phone.state()).id }));
    execFileSync('ip', ['link', 'set', name, 'up']);
  }, watchConnections),

  // The page itself: log in by the link, dial, reload, hang up.
  async page() {
    const browser = await launch(['--ignore-certificate-errors']);
    const faults = [];
    try {
      const context = await browser.newContext({ permissions: ['microphone'], ignoreHTTPSErrors: true });
      const page = await context.newPage();
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('console', (m) => m.type() === 'error' && !/Failed to load resource/.test(m.text()) && faults.push(m.text()));
      await page.goto(`${demo.base}/phone#token=${demo.users.alice.token}`);
      await page.locator('#status[data-ready="true"]').waitFor({ timeout: 10_000 });
      assert.equal(new URL(page.url()).hash, '', 'the token stayed in the address bar');
      await page.fill('#dial', demo.dial.tone);
      await page.click('#call-button');
      const connected = page.locator('.call-card[data-state="connected"]');
      await connected.waitFor({ timeout: 15_000 });
      const id = await connected.getAttribute('data-call');
      await page.reload();
      await page.locator(`.call-card[data-call="${id}"][data-state="connected"]`).waitFor({ timeout: 15_000 });
      await page.locator('.quality', { hasText: /opus|G722|PCM[UA]/ }).waitFor({ timeout: 10_000 });
      await page.click(`[data-call="${id}"] [data-action="hangup"]`);
      await page.locator(`.call-card[data-call="${id}"][data-state="ended"]`).waitFor({ timeout: 5000 });
      assert.deepEqual(faults, []);
    } finally {
      await browser.close();
    }
  },
};

// A browser of another engine, in one go: digits, hold, ICE restart, a fresh connection.
tests.engine = () => withCall(async (phone) => {
  await phone.verb('dtmf', '159');
  await phone.verb('hold');
  await phone.until('held', async () => (await phone.state()).state === 'local_hold', 8000);
  await phone.verb('resume');
  await phone.until('resumed', async () => (await phone.state()).state === 'connected', 8000);
  await hearsTone(phone);
  const before = (await pathOf(phone)).ufrag, tag = await pairOf(phone);
  await phone.verb('restartIce');
  await phone.until('other credentials', async () => (await pathOf(phone)).ufrag !== before && (await pairOf(phone)) !== tag, 8000);
  await hearsTone(phone);
  await phone.verb('renegotiate', { fresh: true });
  await phone.until('a fresh connection', () => phone.page.evaluate(() => window.connections.length > 1), 8000);
  await hearsTone(phone);
}, watchConnections);

// Somebody calls bob once we say "up", listens, and ends it.
tests.receive = async () => {
  const phone = await HeadlessPhone.open({ base: demo.base, token: demo.users.bob.token });
  try {
    process.stderr.write('up\n');
    await phone.whenIncoming(20_000);
    await phone.answer();
    await phone.whenConnected(15_000);
    await hearsTone(phone);
    process.stderr.write('heard\n');
    await phone.whenEnded(20_000);
    assert.deepEqual(await phone.errors(), []);
  } finally {
    await phone.close();
  }
};

// What the operators' listener says.
const operators = async (path) =>
  (await fetch(`${demo.admin.url}/admin/v1/${path}`, { headers: { authorization: `Bearer ${demo.admin.token}` } })).json();

// Runs in the page: nothing may be played, as where autoplay is blocked.
function blockPlaying() {
  Object.defineProperty(window.HTMLMediaElement.prototype, 'srcObject', { set() {}, get: () => null });
  window.HTMLMediaElement.prototype.play = () => Promise.reject(new window.DOMException('blocked', 'NotAllowedError'));
}

// A page that plays nothing says so by its own statistics, and the call's cause is that.
tests.mute = async () => {
  const browser = await launch(['--ignore-certificate-errors']);
  try {
    const context = await browser.newContext({ permissions: ['microphone'], ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.addInitScript(blockPlaying);
    await page.goto(`${demo.base}/phone#token=${demo.users.alice.token}`);
    await page.locator('#status[data-ready="true"]').waitFor({ timeout: 10_000 });
    await page.fill('#dial', demo.dial.tone);
    await page.click('#call-button');
    const connected = page.locator('.call-card[data-state="connected"]');
    await connected.waitFor({ timeout: 15_000 });
    const id = await connected.getAttribute('data-call');
    let cause = null;
    for (let tries = 0; tries < 100 && !cause; tries++) {
      await sleep(250);
      const { calls } = await operators('calls');
      cause = calls.find((c) => c.id === id)?.cause;
    }
    assert.match(String(cause), /^app \(user alice\) plays nothing of what it receives \(\d+ packets came there\)/);
    await page.click(`[data-call="${id}"] [data-action="hangup"]`);
  } finally {
    await browser.close();
  }
};

const name = positionals[0];
if (!tests[name]) {
  console.error(`tests: ${Object.keys(tests).join(' ')}`);
  process.exit(2);
}
try {
  await tests[name]();
  process.exit(0);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
