// SPDX-License-Identifier: Apache-2.0
// One call of a headless browser against a running gateway; prints what was measured as JSON.
//
//   node call.mjs --demo build/run/demo.json --action place --to +15550001000 --seconds 8 --digits 159
//   node call.mjs --demo build/run/demo.json --action receive --user bob --timeout 30
//
// --wav file | --tone hz [--level dbfs]  what the microphone hears; --hangup far waits for the other side to end
// it; --policy relay: media by relays only. Progress goes to standard error, a word a line: ready incoming
// connected ended. Exit status: 0 the call stood for its time, 1 it did not, 2 wrong use.

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { HeadlessPhone, sleep } from './headless.mjs';

const OPTIONS = {
  demo: { type: 'string', default: 'build/run/demo.json' },
  action: { type: 'string', default: 'place' },
  user: { type: 'string', default: 'alice' },
  to: { type: 'string' },
  from: { type: 'string' },
  seconds: { type: 'string', default: '6' },
  timeout: { type: 'string', default: '30' },
  digits: { type: 'string', default: '' },
  hangup: { type: 'string', default: 'self' },
  policy: { type: 'string', default: 'all' },
  wav: { type: 'string' },
  tone: { type: 'string', default: '1004' },
  level: { type: 'string', default: '-10' },
};

const say = (word) => process.stderr.write(`${word}\n`);

function wrongUse(text) {
  say(`call.mjs: ${text}`);
  process.exit(2);
}

function readArguments() {
  let values;
  try {
    ({ values } = parseArgs({ options: OPTIONS }));
  } catch (error) {
    wrongUse(error.message);
  }
  if (!['place', 'receive'].includes(values.action)) wrongUse('--action is place or receive');
  if (values.action === 'place' && !values.to) wrongUse('--to is missing: the number to call');
  for (const name of ['seconds', 'timeout', 'tone', 'level']) {
    values[name] = Number(values[name]);
    if (!Number.isFinite(values[name])) wrongUse(`--${name} is a number`);
  }
  return values;
}

async function begin(phone, args) {
  const limit_ms = args.timeout * 1000;
  if (args.action === 'place') {
    const to = /^[+0-9*#]/.test(args.to) ? { tel: args.to } : { user: args.to };
    await phone.place(to, args.from ? { from: args.from } : {});
  } else {
    await phone.whenIncoming(limit_ms);
    say('incoming');
    await phone.answer();
  }
  await phone.whenConnected(limit_ms);
  say('connected');
}

// Listens for the call's time; digits go out in its first half, so that an echo of them comes back in time.
async function stand(phone, args) {
  const settle_ms = 1000;
  await sleep(settle_ms);
  if (args.digits) await phone.verb('dtmf', args.digits);
  await sleep(args.digits.length * 200);
  const left_ms = Math.max(800, args.seconds * 1000 - settle_ms - args.digits.length * 200);
  // Both ends need a full window after the digits.
  await sleep(Math.min(1000, left_ms / 3));
  const heard = await phone.listen(left_ms - Math.min(1000, left_ms / 3));
  return { heard, figures: await phone.verb('figures') };
}

async function finish(phone, args) {
  if (args.hangup === 'far') await phone.whenEnded(args.timeout * 1000);
  else await phone.verb('hangup');
  say('ended');
  return (await phone.state()).end;
}

function reportOf(args, times, { heard, figures }) {
  return {
    action: args.action,
    setup_ms: Math.max(times.connected_ms ?? 0, times.media_ms ?? 0),
    times,
    codec: figures?.codec,
    srtp: figures?.srtp,
    dtls: figures?.dtls,
    pair: figures?.pair,
    sent: figures?.sent,
    received: figures?.received,
    rtt_ms: figures?.rtt_ms,
    heard,
  };
}

const args = readArguments();
const demo = JSON.parse(await readFile(args.demo, 'utf8'));
const user = demo.users?.[args.user] ?? wrongUse(`${args.demo} knows no user ${args.user}`);

const result = { ok: false };
let phone;
try {
  phone = await HeadlessPhone.open({ base: demo.base, token: user.token, policy: args.policy, wav: args.wav, tone_hz: args.tone, tone_dbfs: args.level });
  say('ready');
  await begin(phone, args);
  const measured = await stand(phone, args);
  Object.assign(result, reportOf(args, await phone.times(), measured), { digits_sent: args.digits, digits_heard: await phone.digits() });
  result.call = (await phone.state()).id;
  result.end = await finish(phone, args);
  result.problems = await phone.errors();
  result.ok = measured.figures !== null;
  if (!result.ok) result.error = 'the call ended early';
} catch (error) {
  result.error = error.message.split('\n')[0];
  result.call ??= (await phone?.state().catch(() => null))?.id;
  await phone?.verb('hangup').catch(() => {});
}
await phone?.close();
console.log(JSON.stringify(result, null, 2));
process.exit(result.ok ? 0 : 1);
