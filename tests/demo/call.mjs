// SPDX-License-Identifier: Apache-2.0
// ./run call: one call each way between headless Chromium (the app) and baresip (the carrier), measured at
// both ends. Usage: node call.mjs --run build/run --ctrl PORT. Exit status 0 only if both calls carried
// the right sound both ways, with SRTP on both legs.

import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Carrier } from './carrier.mjs';
import { hear } from './hear.mjs';
import { printTable } from './table.mjs';

const { values: args } = parseArgs({ options: { run: { type: 'string' }, ctrl: { type: 'string' }, seconds: { type: 'string', default: '8' } } });
const here = dirname(fileURLToPath(import.meta.url));
const demo = JSON.parse(await readFile(join(args.run, 'demo.json'), 'utf8'));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const APP_HZ = 700; // what the browser's microphone hears
const CARRIER_HZ = 1004; // what the carrier plays
const APP_DBFS = -10;
const CALLS_IN = '+15550188001'; // the carrier's number that calls in
const DIGITS = { app: '159#', carrier: '2604' };

/** The app's end: a browser in a process of its own; its words and what it measured. */
function startPhone(...more) {
  const command = [join(here, '../browser/call.mjs'), '--demo', join(args.run, 'demo.json'), '--user', 'alice',
    '--tone', String(APP_HZ), `--level=${APP_DBFS}`, '--seconds', args.seconds, '--digits', DIGITS.app, ...more];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const phone = { words: '', text: '' };
  child.stdout.on('data', (bytes) => (phone.text += bytes));
  child.stderr.on('data', (bytes) => (phone.words += bytes));
  phone.done = new Promise((done) => child.on('close', done));
  phone.word = async (word, limit_ms) => {
    for (const end = Date.now() + limit_ms; Date.now() < end; await sleep(50)) {
      if (phone.words.split('\n').includes(word)) return;
      if (child.exitCode !== null) break;
    }
    throw new Error(`the browser did not get to "${word}": ${phone.words.trim() || 'no word'}`);
  };
  phone.result = async () => {
    await phone.done;
    try {
      return JSON.parse(phone.text);
    } catch {
      throw new Error(`the browser's report is missing: ${phone.words.trim()}`);
    }
  };
  return phone;
}

/** The record once it is closed. */
async function recordOf(id) {
  for (let tries = 0; tries < 40; tries++, await sleep(100)) {
    const answer = await fetch(`${demo.admin.url}/admin/v1/records/${id}`, { headers: { authorization: `Bearer ${demo.admin.token}` } });
    const record = answer.ok ? await answer.json() : null;
    if (record?.state === 'ended') return record;
  }
  throw new Error(`no closed record ${id}`);
}

async function carrierSays(carrier, number, digits) {
  await sleep(1500);
  await carrier.say('uafind', `sip:${number}@127.0.0.1`);
  for (const digit of digits) {
    await carrier.say('sndcode', digit);
    await sleep(250);
  }
}

async function placed(carrier) {
  await carrier.begin();
  const phone = startPhone('--action', 'place', '--to', demo.dial.tone);
  await phone.word('connected', 60_000);
  await carrierSays(carrier, demo.dial.tone, DIGITS.carrier);
  return { phone: await phone.result() };
}

async function received(carrier) {
  await carrier.begin();
  const phone = startPhone('--action', 'receive');
  await phone.word('ready', 60_000);
  const { host } = new URL(demo.trunks.demo.sip.replace('sips:', 'https://'));
  await carrier.say('uafind', `sip:${CALLS_IN}@127.0.0.1`);
  const from = Date.now();
  await carrier.say('dial', `sip:${demo.users.alice.numbers[0]}@${host}`);
  await carrier.event('CALL_ESTABLISHED', 30_000);
  const setup_ms = Date.now() - from;
  await phone.word('connected', 15_000);
  await carrierSays(carrier, CALLS_IN, DIGITS.carrier);
  return { phone: await phone.result(), carrier_setup_ms: setup_ms };
}

async function measure(carrier, run) {
  const call = { ...(await run(carrier)) };
  if (!call.phone.ok) throw new Error(call.phone.error ?? 'the call failed');
  await sleep(500); // the carrier closes its files
  const { heard } = await carrier.sounds();
  call.carrier = { heard: heard ? await hear(heard) : null, digits: carrier.digits() };
  call.record = await recordOf(call.phone.call);
  return call;
}

const legOf = (call, kind) => call.record.legs.find((leg) => leg.kind === kind) ?? {};

/** What is wrong with a call: an empty list is a good one. */
function faultsOf(call) {
  const faults = [];
  const expect = (good, text) => good || faults.push(text);
  const tone = (at, heard, hz, level) => {
    expect(heard, `${at} heard nothing`);
    if (!heard) return;
    expect(Math.abs(heard.frequency_hz - hz) < 5, `${at} heard ${heard.frequency_hz.toFixed(0)} Hz instead of ${hz}`);
    expect(heard.purity > 0.9, `${at} heard a tone with noise (purity ${heard.purity.toFixed(2)})`);
    if (level !== null) expect(Math.abs(heard.level_dbfs - level) < 3, `${at} heard ${heard.level_dbfs.toFixed(1)} dBFS instead of ${level}`);
  };
  tone('the browser', call.phone.heard, CARRIER_HZ, null);
  tone('the carrier', call.carrier.heard, APP_HZ, APP_DBFS);
  expect((call.phone.heard?.level_dbfs ?? -99) > -30, 'the browser hears the carrier too softly');
  expect(call.carrier.digits === DIGITS.app, `the carrier heard the digits "${call.carrier.digits}" instead of ${DIGITS.app}`);
  expect(call.phone.digits_heard === DIGITS.carrier, `the browser heard the digits "${call.phone.digits_heard}" instead of ${DIGITS.carrier}`);
  for (const kind of ['trunk', 'native']) {
    const leg = legOf(call, kind);
    expect(/^(AEAD_)?AES_/.test(leg.srtp ?? ''), `no SRTP on the ${kind} leg (${leg.srtp})`);
    const { rx, tx } = leg;
    expect(rx?.packets > 100 && tx?.packets > 100, `too few packets on the ${kind} leg`);
    expect((rx?.lost ?? 0) <= rx?.packets / 50, `${rx?.lost} of ${rx?.packets} packets lost on the ${kind} leg`);
  }
  return faults;
}

const calls = {};
let failed = false;
for (const [name, run] of Object.entries({ 'app → carrier': placed, 'carrier → app': received })) {
  const carrier = await Carrier.open(Number(args.ctrl), join(args.run, 'carrier'));
  try {
    calls[name] = await measure(carrier, run);
    calls[name].faults = faultsOf(calls[name]);
  } catch (error) {
    calls[name] = { faults: [error.message] };
    await carrier.say('hangup').catch(() => {});
  }
  carrier.close();
  failed ||= calls[name].faults.length > 0;
}
printTable(calls, legOf, DIGITS);
process.exit(failed ? 1 : 0);
