// SPDX-License-Identifier: Apache-2.0
// The headless phone and the command call.mjs, against the pretended gateway.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('call.mjs', import.meta.url));

/** Runs call.mjs; `onWord` hears its progress. @returns {Promise<{status: number, report: any}>} */
async function runCall(mock, args, onWord = () => {}) {
  const demo = join(tmpdir(), `sallyport-demo-${process.pid}.json`);
  await writeFile(demo, JSON.stringify({ base: mock.base, users: { alice: { token: 'token-alice', numbers: [] } } }), { mode: 0o600 });
  try {
    return await new Promise((done) => {
      const child = execFile(process.execPath, [COMMAND, '--demo', demo, ...args], (error, out) =>
        done({ status: error?.code ?? 0, report: out ? JSON.parse(out) : null }),
      );
      child.stderr.on('data', (text) => onWord(String(text).trim()));
    });
  } finally {
    await rm(demo, { force: true });
  }
}

export const tests = {
  async 'command: places a call, hears the tone and its digits'({ mock }) {
    const { status, report } = await runCall(mock, ['--to', '+15550001000', '--seconds', '4', '--digits', '15#']);
    assert.equal(status, 0, JSON.stringify(report));
    assert.ok(Math.abs(report.heard.frequency_hz - 1004) < 2, JSON.stringify(report.heard));
    assert.ok(report.heard.purity > 0.9 && report.heard.level_dbfs > -3, JSON.stringify(report.heard));
    assert.equal(report.digits_heard, '15#');
    assert.match(report.codec, /^(opus|G722|PCM[UA])$/);
    assert.match(report.srtp, /AES/);
    assert.ok(report.received.packets > 100 && report.setup_ms > 0);
    assert.deepEqual(report.problems, []);
  },

  async 'command: receives a call'({ mock }) {
    const { status, report } = await runCall(mock, ['--action', 'receive', '--seconds', '3'], (word) => word === 'ready' && mock.incoming());
    assert.equal(status, 0, JSON.stringify(report));
    assert.ok(Math.abs(report.heard.frequency_hz - 1004) < 2, JSON.stringify(report.heard));
    assert.equal(report.end.reason, 'completed');
  },

  async 'command: a refused call and wrong use fail'({ mock }) {
    const refused = await runCall(mock, ['--to', '+15550001404']);
    assert.equal(refused.status, 1);
    assert.match(refused.report.error, /Your dialplan does not know/);
    assert.equal((await runCall(mock, ['--seconds', 'many', '--to', '1'])).status, 2);
  },
};
