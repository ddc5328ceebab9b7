// SPDX-License-Identifier: Apache-2.0
// The operators' console on a bad evening: the ways from what is seen to what is done about it, another zone and a
// wrong clock, large text, a call as bad as they come.

/* global window, document */

import assert from 'node:assert/strict';
import { ENGINE, launch } from './chrome.mjs';
import { PAGES, axe, colours, enter, noneRan, settle, visit, watched, worked } from './consolepage.mjs';
import { NASTY } from './nasty.mjs';
import { blameless } from './runall.mjs';

export const tasks = {};

/** Every page once, and what is worst about each: what another engine is asked in ./check. */
export const brief = {
  'every page: axe, policy, texts of the network, dark, narrow': async ({ page, mock }) => {
    mock.nasty(NASTY.slice(0, 40).join(' | '));
    await colours(page, 'dark');
    await enter(page, mock.base);
    for (const [name, path] of Object.entries(PAGES)) {
      await visit(page, mock.base, path);
      assert.deepEqual(await axe(page), [], name);
      await noneRan(page);
      await page.setViewportSize({ width: 400, height: 800 });
      await page.waitForFunction(() => document.documentElement.scrollWidth <= 400, null, { timeout: 3000 }).catch(() => assert.fail(`${name} is too wide at 400`));
      await page.setViewportSize({ width: 1280, height: 800 });
    }
  },
};

/** A page of another kind of person: their zone, language, clock. */
async function asOther(page, options, run) {
  const faults = [], context = await page.context().browser().newContext({ viewport: { width: 1280, height: 800 }, ...options });
  try {
    await run(await watched(context, faults));
  } finally {
    await context.close();
  }
  blameless(faults);
}

// Runs in the page before all else: its clock is off by so much.
function wrongClock(by_ms) {
  const Real = window.Date;
  window.Date = class extends Real {
    constructor(...parts) {
      super(...(parts.length ? parts : [Real.now() + by_ms]));
    }

    static now() {
      return Real.now() + by_ms;
    }
  };
}

const asks = (page, pattern, run) => Promise.all([page.waitForRequest(pattern, { timeout: 8000 }), run()]).then(([r]) => new URL(r.url()).searchParams);

tasks['another zone, a clock five minutes off: ages are the gateway\'s, a search means the zone that is shown'] = ({ page: first, mock }) =>
  asOther(first, { timezoneId: 'Asia/Kolkata', locale: 'ar-EG' }, async (page) => {
    await page.addInitScript(wrongClock, -300_000);
    await enter(page, mock.base);
    await visit(page, mock.base, '/');
    await page.getByText('The clock of this machine is 5 min behind').waitFor();
    await visit(page, mock.base, '/calls');
    await page.locator('main tbody tr', { hasText: /1:[1-5]\d/ }).first().waitFor();
    await visit(page, mock.base, '/records');
    const shown = await page.locator('main tbody time').first().evaluate((e) => [e.textContent, e.dateTime]);
    assert.equal(new Date(`${shown[0].replace(' ', 'T')}+05:30`).toISOString().slice(0, 19), shown[1].slice(0, 19));
    await page.locator('input[name=since]').fill('2026-01-31T10:00');
    const search = () => page.getByRole('button', { name: 'Search', exact: true }).click();
    assert.equal((await asks(page, /records\?.*since=/, search)).get('since'), '2026-01-31T04:30:00.000Z');
    await page.getByLabel('Times').selectOption('utc');
    await page.getByText('Since, UTC').waitFor();
    await page.locator('input[name=q]').fill('+49 (30) 123-45');
    const asked = await asks(page, /records\?.*q=/, search);
    assert.deepEqual([asked.get('since'), asked.get('q')], ['2026-01-31T10:00:00.000Z', '+493012345']);
    const day = await asks(page, /records\?.*until=/, () => page.getByRole('button', { name: 'Yesterday' }).click());
    assert.match(`${day.get('since')} ${day.get('until')}`, /T00:00:00\.000Z .*T00:00:00\.000Z$/);
    assert.equal(Date.parse(day.get('until')) - Date.parse(day.get('since')), 86_400_000);
    assert.doesNotMatch(await page.locator('main').innerText(), /[\u0660-\u0669\u06f0-\u06f9]/u); // figures are read aloud to carriers
  });

tasks['twice the size of letters, at 1280 and at 400: nothing is lost'] = async ({ mock }) => {
  const browser = await launch(['--blink-settings=defaultFontSize=32,defaultFixedFontSize=26'], { 'font.size.variable.x-western': 32, 'font.size.monospace.x-western': 26 });
  const faults = [];
  try {
    const page = await watched(await browser.newContext({ viewport: { width: 1280, height: 800 } }), faults);
    await enter(page, mock.base);
    assert.equal(await page.evaluate(() => window.getComputedStyle(document.body).fontSize), '28px');
    for (const width of [1280, 400]) {
      await page.setViewportSize({ width, height: 800 });
      for (const [name, path] of Object.entries(PAGES)) {
        await page.evaluate((hash) => (window.location.hash = hash), path);
        await settle(page);
        assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${name} is too wide at ${width}`);
        const cut = await page.evaluate(() => [...document.querySelectorAll('main button:not(.ladder button), main h2, .badge')].filter((e) => e.scrollWidth > e.clientWidth + 2 && e.clientWidth).map((e) => e.textContent));
        assert.deepEqual(cut, [], `${name} at ${width}`);
      }
    }
  } finally {
    await browser.close();
  }
  blameless(faults);
};

tasks['from a call that failed: its trunk, where the number would go, other calls of it'] = async ({ page, mock }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/calls/c_1?record=r_1');
  const next = page.getByRole('navigation', { name: 'Look further' });
  await next.getByRole('link', { name: /Where would/ }).click();
  await page.locator('input[name=called]').waitFor();
  assert.equal(await page.locator('input[name=called]').inputValue(), '+4989555');
  assert.equal(await page.getByLabel('Comes from trunk').inputValue(), 'carrier');
  await page.goBack();
  assert.equal((await asks(page, /records\?.*number=/, () => next.getByRole('link', { name: 'Calls with +4989555' }).click())).get('number'), '+4989555');
  await page.goBack();
  await next.getByRole('link', { name: 'Trunk carrier' }).click();
  await page.locator('h1', { hasText: 'carrier' }).waitFor();
  const asked = await asks(page, /records\?.*cause=/, () => next.getByRole('link', { name: 'What went wrong' }).click());
  assert.deepEqual([asked.get('trunk'), asked.get('cause')], ['carrier', 'any']);
  mock.s.records = [];
  await visit(page, mock.base, '/records?q=4930');
  await page.getByRole('link', { name: 'search for +4930' }).waitFor();
  assert.deepEqual(await axe(page), []);
};

tasks['a scanner is banned from the row of its refusal; what is in force is not gone back to; the audit log is sifted'] = async ({ page, mock }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/security');
  await page.getByRole('button', { name: 'Ban… 203.0.113.0:5060' }).click();
  await page.waitForFunction(() => document.activeElement.name === 'addr' && document.activeElement.value === '203.0.113.0');
  assert.deepEqual(await axe(page), []);
  await page.getByRole('button', { name: 'Ban', exact: true }).click();
  await page.locator('.said', { hasText: 'is banned' }).waitFor();
  assert.deepEqual(mock.asked.find((a) => a.verb === 'POST bans').body, { addr: '203.0.113.0', why: 'unknown_source', ttl_s: 3600 });
  mock.s.config.version = mock.s.history[0].version;
  await visit(page, mock.base, '/config');
  await page.getByRole('button', { name: 'Earlier ones' }).click();
  const rows = page.locator('main tr', { has: page.locator('td') });
  await rows.filter({ hasText: 'In force' }).waitFor();
  assert.equal(await rows.filter({ hasText: 'In force' }).getByRole('button').count(), 0);
  await visit(page, mock.base, '/audit');
  await page.getByLabel('Show').selectOption('changes');
  assert.equal(await page.locator('main tbody tr').count(), 1);
  await page.locator('main input[type=search]').fill('nobody');
  await page.getByText('No row fits').waitFor();
};

tasks['a small change of a long file is seen at once; checks that were skipped are told by their reason; how far a drain is'] = async ({ page, mock }) => {
  mock.s.config.text = Array.from({ length: 300 }, (_, i) => `line${i}: 1`).join('\n');
  Object.assign(mock.s.overview, { draining: true, calls: { live: 1, max: 1000, rate_s: 0 } });
  mock.s.doctor.checks.push(...Array.from({ length: 40 }, (_, i) => ({ id: `s${i}`, group: 'call', title: `Try ${i}`, result: 'skipped', seen: 'no test number is set', advice: 'Set doctor.number', ms: 0 })));
  await enter(page, mock.base);
  await visit(page, mock.base, '/config');
  await page.locator('#config-text').fill(mock.s.config.text.replace('line250: 1', 'line250: 2'));
  await page.getByRole('button', { name: 'What changes?' }).click();
  await page.locator('.diff .come', { hasText: 'line250: 2' }).waitFor();
  assert.deepEqual(await page.locator('.diff .alike').allInnerTexts().then((all) => all.map((t) => t.trim())), ['⋯ 247 lines are the same', '⋯ 46 lines are the same']);
  await visit(page, mock.base, '/trunks/carrier');
  await page.locator('main', { hasText: '40 skipped' }).waitFor();
  await page.locator('summary', { hasText: '40 checks' }).click();
  await page.getByText('Try 0; Try 1').waitFor();
  assert.deepEqual(await axe(page), []);
  await visit(page, mock.base, '/system');
  await page.getByRole('link', { name: '1 call is still alive' }).waitFor();
};

for (const legs of [6, 13]) { // the gateway's timeline has 15 lanes at most
  tasks[`two hours, 560 messages, ${legs} legs: quickly drawn, walked by keys`] = async ({ page, mock, shot }) => {
    mock.worst(legs);
    await enter(page, mock.base);
    await visit(page, mock.base, '/');
    const drawn = await worked(page, async () => {
      await page.evaluate(() => (window.location.hash = '/calls/c_live'));
      await page.locator('.ladder button').nth(559).waitFor({ state: 'attached' });
    });
    console.log(`# two hours, 560 messages, ${legs} legs: ${drawn} ms of the page's thread to draw`);
    assert.ok(!(drawn > 1000), `${drawn} ms`);
    assert.ok((await page.locator('.cell').count()) <= 2 * legs * 60, 'seconds that are alike are not joined');
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 1280, 'too wide');
    const named = await page.locator('.ladder .lanes').innerText();
    assert.match(named.replace(/\s+/g, ' '), legs > 10 ? /Callee 9 Callee 10/ : /Callee Second callee Callee 3/);
    const label = await page.locator('.ladder button .label').nth(10).boundingBox();
    assert.ok(label.width > 30, 'a row says nothing');
    await page.locator('.ladder button').first().focus();
    for (const [key, at] of [['End', 559], ['PageUp', 549], ['ArrowDown', 550], ['Home', 0], ['ArrowDown', 1]]) {
      await page.keyboard.press(key);
      assert.equal(await page.evaluate(() => [...document.querySelectorAll('.ladder button')].indexOf(document.activeElement)), at, key);
    }
    await page.keyboard.press('Enter');
    await page.locator('.message-pane').waitFor();
    if (ENGINE === 'chromium') assert.deepEqual(await axe(page), []);
    await shot(page, `worst-${legs}`);
  };
}
