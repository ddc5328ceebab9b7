// SPDX-License-Identifier: Apache-2.0
// What tests of the operators' console share: its pages, how one is opened and waited for, axe-core, and a page
// whose every fault is kept.

/* global window, document */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { ENGINE } from './chrome.mjs';
import { PageFault, blameless } from './runall.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

export const PAGES = {
  overview: '/', calls: '/calls', call: '/calls/c_live', record: '/calls/c_1?record=r_1', trunks: '/trunks', trunk: '/trunks/carrier', alarms: '/alarms', records: '/records', security: '/security',
  audit: '/audit', routing: '/routing', config: '/config', certificates: '/certificates', users: '/users', system: '/system', api: '/api',
};

/** Colours are judged where they stand, not on their way: a transition of a pressed button is waited for. */
export async function axe(page) {
  await page.evaluate(() => Promise.all(document.getAnimations().filter((a) => Number.isFinite(a.effect.getComputedTiming().endTime)).map((a) => a.finished.catch(() => {}))));
  await page.evaluate(AXE);
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ['violations'] }), RULES);
  return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)} ${n.any[0]?.message ?? n.failureSummary ?? ''}`));
}

/** A page whose every fault is kept: errors, refusals of the content security policy, what ran that should not. */
export async function watched(context, faults) {
  const page = await context.newPage();
  page.on('pageerror', (e) => /Firefox can.t establish a connection/.test(e.message) || faults.push(`page error: ${e.message}`)); // its word for a stream that ended
  page.on('console', (m) => m.type() === 'error' && !/Failed to load resource/.test(m.text()) && faults.push(`console: ${m.text()}`));
  page.on('dialog', (d) => faults.push(`dialog: ${d.message()}`) && d.dismiss());
  await page.exposeFunction('violated', (what) => faults.push(`policy: ${what}`));
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => window.violated(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`)));
  return page;
}

/** light or dark, from the next load on. Firefox is told by nobody from without: there the page's own choice is taken. */
export async function colours(page, scheme) {
  if (ENGINE !== 'firefox') return page.emulateMedia({ colorScheme: scheme });
  return page.addInitScript((name) => /^http/.test(window.location.href) && window.origin !== 'null' && window.localStorage.setItem('sallyport.theme', name), scheme);
}

/** No text of the network became anything but text. */
export async function noneRan(page) {
  if (await page.evaluate(() => window.pwned)) throw new PageFault('a text of the network was run');
  const strange = await page.evaluate(() => [...document.querySelectorAll('main script, main iframe, main img, main [onerror], main [onload], main [onfocus], main math, main a[href^="javascript"]')].map((e) => `${e.tagName} ${e.textContent}`));
  blameless(strange);
}

/** What the page's main thread worked while this ran, in ms of its own, whoever else the machine worked for; null where the
 * browser does not tell. */
export async function worked(page, run) {
  if (ENGINE === 'firefox') return run().then(() => null);
  const session = await page.context().newCDPSession(page);
  const told = async () => (await session.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration').value * 1000;
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const before = await told();
  await run();
  const ms = (await told()) - before;
  await session.detach();
  return Math.round(ms);
}

export async function settle(page) {
  await page.waitForFunction(() => document.querySelector('main h1') && ![...document.querySelectorAll('main [role=status]')].some((e) => e.textContent === 'Loading…'), null, { timeout: 8000 });
  await page.waitForTimeout(250); // what comes by the stream is drawn every 200 ms
}

export async function visit(page, base, path) {
  await page.goto(`${base}/#${path}`);
  await settle(page);
}

export async function enter(page, base, token = 'right') {
  await page.goto(`${base}/#token=${token}`);
  await page.locator('nav').waitFor({ state: 'attached' });
  assert.doesNotMatch(page.url(), /token=/);
}
