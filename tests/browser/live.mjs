// SPDX-License-Identifier: Apache-2.0
// The phone against a running gateway: what only a real browser does. Usage: node live.mjs --demo FILE TEST.
// Exit status 0: it was as it should be; else the reason on standard error.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { launch } from './chrome.mjs';
import { HeadlessPhone, sleep } from './headless.mjs';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { demo: { type: 'string', default: 'build/run/demo.json' } } });
const demo = JSON.parse(await readFile(values.demo, 'utf8'));
const CARRIER_HZ = 1004;

async function hearsTone(phone) {
  let heard;
  for (let tries = 0; tries < 6; tries++) {
    heard = await phone.listen(800);
    if (heard && Math.abs(heard.frequency_hz - CARRIER_HZ) < 5 && heard.purity > 0.9) return;
  }
  assert.fail(`heard ${JSON.stringify(heard)}`);
}

async function withCall(run) {
  const phone = await HeadlessPhone.open({ base: demo.base, token: demo.users.alice.token });
  try {
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
    const silent = await phone.listen(800);
    assert.ok(silent.level_dbfs < -60, `the holder hears ${JSON.stringify(silent)}`);
    await phone.verb('resume');
    await phone.until('resumed', async () => (await phone.state()).state === 'connected', 5000);
    await hearsTone(phone);
  }),

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
