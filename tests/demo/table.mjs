// SPDX-License-Identifier: Apache-2.0
// The table of ./run call.

const or = (value, unit = '') => (value === undefined || value === null ? '–' : `${value}${unit}`);
const tone = (heard) => (heard ? `${heard.frequency_hz.toFixed(1)} Hz at ${heard.level_dbfs.toFixed(1)} dBFS` : 'nothing');
const flow = (f) => (f ? `${f.packets} packets, ${f.lost} lost, ${f.jitter_ms.toFixed(1)} ms jitter` : '–');
const browserFlow = (f) => (f ? `${f.packets} packets, ${f.lost} lost, ${or(f.jitter_ms, ' ms')} jitter` : '–');

function rowsOf(call, leg, digits) {
  const [trunk, native] = [leg(call, 'trunk'), leg(call, 'native')];
  return [
    ['set-up, record (to the answer)', or(call.record.setup_ms, ' ms')],
    ['set-up, browser (to media)', or(call.phone.setup_ms, ' ms')],
    ['set-up, carrier', or(call.carrier_setup_ms, ' ms')],
    ['carrier leg: codec, SRTP', `${or(trunk.codec)}, ${or(trunk.srtp)}`],
    ['carrier → gateway', flow(trunk.rx)],
    ['gateway → carrier', flow(trunk.tx)],
    ['app leg: codec, SRTP', `${or(native.codec)}, ${or(native.srtp)} (${or(native.dtls)})`],
    ['app → gateway', flow(native.rx)],
    ['gateway → app', flow(native.tx)],
    ['browser says: codec, SRTP', `${or(call.phone.codec)}, ${or(call.phone.srtp)}`],
    ['browser received', browserFlow(call.phone.received)],
    ['browser sent', browserFlow(call.phone.sent)],
    ['browser heard', tone(call.phone.heard)],
    ['carrier heard', tone(call.carrier.heard)],
    ['digits carrier → browser', `sent ${digits.carrier}, heard ${call.phone.digits_heard || 'none'}`],
    ['digits browser → carrier', `sent ${digits.app}, heard ${call.carrier.digits || 'none'}`],
    ['ended', `${call.record.end?.reason} by ${call.record.end?.by}`],
    ['record', call.record.id],
  ];
}

export function printTable(calls, leg, digits) {
  for (const [name, call] of Object.entries(calls)) {
    console.log(`\n${name}\n${'─'.repeat(72)}`);
    if (call.record) for (const [what, value] of rowsOf(call, leg, digits)) console.log(`${what.padEnd(32)} ${value}`);
    console.log(call.faults.length ? call.faults.map((text) => `WRONG: ${text}`).join('\n') : 'right');
  }
  console.log();
}
