// SPDX-License-Identifier: Apache-2.0
// The phone page in Chromium against the pretended gateway. Usage: node run.mjs [--only text] [--shots folder]
// Prints `ok name` or `not ok name`, and at the end `N passed, N failed`.

import { parseArgs } from 'node:util';
import { launch } from './chrome.mjs';
import { makePeer } from './mock/peer.mjs';
import { Mock } from './mock/service.mjs';
import { tests as phoneTests } from './phone.mjs';
import { tests as clientTests } from './client.mjs';
import { blameless, runAll } from './runall.mjs';

const { values } = parseArgs({ options: { only: { type: 'string' }, shots: { type: 'string' } } });
const TEST_MS = 30_000;

const mock = await new Mock().listen();
const browser = await launch();
mock.peer = await makePeer(browser, mock.base);

/** A phone in a browser context of its own; whatever it says against itself fails the test. */
function opener(context, faults) {
  return async ({ token = 'token-alice', init, ready = true } = {}) => {
    const page = await context.newPage();
    page.on('pageerror', (error) => faults.push(`page error: ${error.message}`));
    page.on('console', (m) => {
      // A refused request is told on the console too: those are the tests' own doing.
      if (m.type() === 'error' && !/Failed to load resource/.test(m.text())) faults.push(`console: ${m.text()}`);
    });
    if (init) await page.addInitScript(init);
    await page.goto(`${mock.base}/phone${token ? `#token=${token}` : ''}`);
    if (token && ready) await page.locator('#status[data-ready="true"]').waitFor({ timeout: 8000 });
    return page;
  };
}

async function one(test) {
  mock.reset();
  const faults = [];
  const context = await browser.newContext({ permissions: ['microphone'], viewport: { width: 1024, height: 720 } });
  let timer;
  try {
    const late = new Promise((_, fail) => (timer = setTimeout(() => fail(new Error('took too long')), TEST_MS)));
    const shot = async (page, file) => values.shots && page.screenshot({ path: `${values.shots}/${file}.png`, animations: 'disabled' });
    await Promise.race([test({ open: opener(context, faults), mock, context, shot }), late]);
  } catch (error) {
    blameless(faults);
    throw error;
  } finally {
    clearTimeout(timer);
    await context.close();
  }
  blameless(faults);
}

const { status, line } = await runAll({ ...phoneTests, ...clientTests }, values.only, one);
await browser.close();
mock.close();
console.log(line);
process.exit(status);
