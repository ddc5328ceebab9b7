// SPDX-License-Identifier: Apache-2.0
// The operators' console in Chromium against a pretended gateway: every page, light and dark, with axe-core.
// --live demo.json: against a running gateway instead; --brief: each page once. Usage: node console.mjs [--only text] [--shots folder]. Prints ok and not ok, then `N passed, N failed`.

/* global window, document */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ENGINE, launch } from './chrome.mjs';
import { PAGES, axe, colours, enter, noneRan, settle, visit, watched } from './consolepage.mjs';
import { blameless, runAll } from './runall.mjs';
import { states } from './consolestates.mjs';
import { brief, tasks } from './consoletasks.mjs';
import { Operators } from './mock/operators.mjs';
import { NASTY } from './nasty.mjs';
import { small } from './png.mjs';

const { values } = parseArgs({ options: { only: { type: 'string' }, shots: { type: 'string' }, live: { type: 'string' }, brief: { type: 'boolean' } } });

const tests = { ...states, ...tasks };

for (const [name, path] of Object.entries(PAGES)) {
  tests[`page ${name}: axe, light, dark, narrow`] = async ({ page, mock, shot }) => {
    await enter(page, mock.base);
    for (const scheme of ['light', 'dark']) {
      await colours(page, scheme);
      await page.goto('about:blank');
      await visit(page, mock.base, path);
      if (name === 'call') await page.locator('.ladder button').nth(12).click();
      assert.deepEqual(await axe(page), []);
      await shot(page, `${name}-${scheme}`);
    }
    await page.setViewportSize({ width: 400, height: 800 });
    if (ENGINE !== 'firefox') await colours(page, 'light');
    await settle(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 400, `${wide} px wide at 400`);
    assert.deepEqual(await axe(page), []);
    await shot(page, `${name}-narrow`);
  };
}

tests['texts of the network are text on every page'] = async ({ page, mock }) => {
  assert.ok(NASTY.length >= 50);
  mock.nasty(NASTY.slice(0, 40).join(' | '));
  await enter(page, mock.base);
  for (const path of Object.values(PAGES)) {
    await page.goto('about:blank');
    await visit(page, mock.base, path);
    await noneRan(page);
  }
  for (const text of NASTY) {
    mock.nasty(text);
    mock.retell();
    const probe = text.replace(/[^\x21-\x7e]/gu, ' ').trim().split(/\s+/)[0];
    await page.evaluate(() => (window.location.hash = '/alarms'));
    await page.waitForFunction((what) => document.querySelector('main td bdi')?.textContent.includes(what), probe);
    await page.evaluate(() => (window.location.hash = '/calls/c_live'));
    await page.waitForFunction((what) => document.querySelector('h1')?.textContent.includes(what), probe);
    await page.locator('.ladder button').first().click();
    await page.locator('.message-pane').waitFor();
    await noneRan(page);
    const shown = await page.locator('main').innerText();
    assert.ok(shown.includes(probe), `${JSON.stringify(text)} is not shown`);
    assert.doesNotMatch(shown, /[\u202a-\u202e\u2066-\u2069]/u);
  }
};

tests['empty pages say what to do first'] = async ({ page, mock, shot }) => {
  mock.empty();
  await enter(page, mock.base);
  for (const name of ['overview', 'calls', 'trunks', 'alarms', 'records', 'security', 'routing', 'certificates', 'users', 'config']) {
    await visit(page, mock.base, PAGES[name]);
    assert.ok(await page.locator('main .empty, main .steps').count(), name);
    assert.deepEqual(await axe(page), []);
    if (name === 'overview') await shot(page, 'empty-overview');
  }
};

tests['the keyboard goes all the way'] = async ({ page, mock }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/calls');
  await page.reload();
  await settle(page);
  await page.locator('main tbody a').first().waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => ({ href: document.activeElement.getAttribute('href') ?? '', ring: window.getComputedStyle(document.activeElement).outlineStyle }));
    assert.equal(at.ring, 'solid', 'focus is not seen');
    if (at.href.startsWith('#/calls/')) break;
  }
  await page.keyboard.press('Enter');
  await page.locator('.ladder').waitFor();
  await page.locator('.ladder button').first().focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.locator('.message-pane').waitFor();
  assert.match(await page.locator('.message-pane').innerText(), /100 Trying/);
  await page.locator('button', { hasText: 'Hang up' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('dialog[open]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
};

tests['the call page: differences of descriptions, cause'] = async ({ page, mock }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/calls/c_live');
  assert.match(await page.locator('.cause').innerText(), /30012 but our SDP said 30010/);
  await page.locator('.ladder button', { hasText: 're-INVITE 2' }).click();
  await page.locator('button', { hasText: 'SDP against the one before' }).click();
  assert.match(await page.locator('.diff .come').innerText(), /\+ a=sendonly/);
  await page.locator('button', { hasText: "SDP against the other side's" }).click();
  assert.match(await page.locator('.diff .gone').first().innerText(), /- .*30010/);
  assert.deepEqual(await axe(page), []);
  const told = page.locator('table', { hasText: 'What the app measured' });
  assert.match(await told.innerText(), /31 ms[\s\S]*1\.0 %[\s\S]*-14 dB[\s\S]*silent/);
  assert.equal(await page.locator('.plot canvas').count(), 3);
  const lane = page.locator('.lane svg').first(), { width } = await lane.boundingBox();
  await lane.click({ position: { x: (width * 17.4) / 38.5, y: 10 } });
  await page.locator('.message-pane h2', { hasText: 're-INVITE 2' }).waitFor();
  assert.ok((await page.locator('.cell.bad').count()) > 5);
};

tests['log in, wrong, right, out'] = async ({ page, mock, shot }) => {
  await page.goto(mock.base);
  await page.locator('input[name=user]').fill('eve');
  await page.locator('input[name=password]').fill('wrong');
  await page.keyboard.press('Enter');
  await page.locator('[role=alert]').waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, 'login-light');
  await page.locator('input[name=password]').fill('right');
  await page.keyboard.press('Enter');
  await page.locator('nav').waitFor();
  await page.locator('button', { hasText: 'Log out' }).click();
  await page.locator('input[name=user]').waitFor();
};

tests['a session that ends elsewhere leads back to the login'] = async ({ page, mock }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/calls');
  mock.endSession();
  await page.locator('input[name=user]').waitFor({ timeout: 10_000 });
};

tests['a refused change points at its field'] = async ({ page, mock }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/security');
  await page.locator('input[name=addr]').fill('nobody');
  await page.locator('button', { hasText: /^Ban$/ }).click();
  await page.locator('input[name=addr][aria-invalid=true]').waitFor();
  assert.match(await page.locator('.problem').innerText(), /\/addr not an address/);
  const sent = mock.asked.find((a) => a.verb === 'POST bans');
  assert.equal(sent.headers['x-sallyport'], '1');
  assert.ok(sent.headers['idempotency-key']);
};

tests['the configuration: errors, changes, replay, commit with If-Match'] = async ({ page, mock, shot }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/config');
  const area = page.locator('#config-text');
  await area.fill(`${await area.inputValue()}bogus: 1\n`);
  await page.locator('button', { hasText: 'Validate' }).click();
  await page.locator('button', { hasText: 'Line 3' }).click();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'config-text');
  await page.locator('button', { hasText: 'What changes?' }).click();
  await page.locator('.diff .come', { hasText: 'bogus: 1' }).waitFor();
  await page.locator('button', { hasText: 'Replay' }).click();
  await page.getByText('312 of 48,210 calls would go another way').waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, 'config-diff');
  await page.locator('button', { hasText: /^Commit$/ }).click();
  await page.locator('.said', { hasText: 'Committed' }).waitFor();
  const sent = mock.asked.find((a) => a.verb === 'POST config/commit');
  assert.equal(sent.headers['if-match'], '"e1"');
  assert.equal(sent.body.confirm_s, 300);
};

tests['the doctor\'s report prints alone and light, its profile is looked at and applied on probation'] = async ({ page, mock, shot }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/trunks/carrier');
  await page.getByRole('button', { name: 'See what it changes' }).click();
  await page.getByText('/trunks/carrier/prack').waitFor();
  assert.deepEqual(mock.asked.find((a) => a.verb === 'POST trunks/carrier/diff').body, { prack: 'off' });
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  assert.deepEqual(await page.locator('main > .card').evaluateAll((all) => all.filter((e) => e.offsetParent).map((e) => e.querySelector('h2').textContent)), ['Doctor']);
  assert.equal(await page.getByRole('button', { name: /Print|Apply|Examine/ }).filter({ visible: true }).count(), 0);
  assert.equal(await page.evaluate(() => window.getComputedStyle(document.body).colorScheme), 'light');
  await shot(page, 'doctor-print');
  await page.emulateMedia({ media: 'screen', colorScheme: 'light' });
  await page.getByRole('button', { name: 'Apply for five minutes' }).click();
  await page.getByText('confirms it').waitFor();
  const sent = mock.asked.find((a) => a.verb === 'POST config/commit');
  assert.equal(sent.body.confirm_s, 300);
  assert.ok(sent.body.text.endsWith('prack: off\n') && sent.body.comment.startsWith('Trunk Doctor d_'));
  assert.equal(sent.headers['if-match'], mock.s.config.etag);
};

tests['a trunk is added and changed by a form that shows what was refused at its field'] = async ({ page, mock, shot }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/trunks');
  await page.getByRole('link', { name: 'Add a trunk' }).click();
  await page.locator('input[name=name]').fill('second');
  await page.locator('textarea[name=peers]').fill('192.0.2.7\n192.0.2.8');
  await page.getByLabel('One more setting').selectOption('max_calls');
  await page.getByRole('button', { name: 'Put it in' }).click();
  await page.locator('input[name=max_calls]').fill('7');
  await page.getByRole('button', { name: 'Add the trunk' }).click();
  await page.locator('input[name=listener][aria-invalid=true]').waitFor();
  assert.deepEqual(await axe(page), []);
  await shot(page, 'trunk-form');
  await page.locator('input[name=listener]').fill('public');
  await page.getByRole('button', { name: 'Add the trunk' }).click();
  await page.locator('.said', { hasText: 'in force' }).waitFor();
  assert.deepEqual(mock.asked.filter((a) => a.verb === 'POST trunks').at(-1).body, { name: 'second', kind: 'carrier', listener: 'public', target: '', peers: ['192.0.2.7', '192.0.2.8'], max_calls: 7 });
  await visit(page, mock.base, '/trunks/carrier');
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await page.getByRole('button', { name: 'Take out note' }).click();
  await page.locator('select[name=kind]').selectOption('direct-routing');
  await page.locator('input[name=listener]').fill('public');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.said', { hasText: 'was changed' }).waitFor();
  const sent = mock.asked.find((a) => a.verb === 'PATCH trunks/carrier');
  assert.deepEqual([sent.body, sent.headers['if-match']], [{ note: null, kind: 'direct-routing', listener: 'public' }, '"t1"']);
};

tests['numbers are given and taken, a person is erased, times are told in UTC'] = async ({ page, mock }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/routing');
  await page.locator('input[name=number]').fill('+49777');
  await page.locator('input[name=user]').last().fill('bob');
  await page.getByRole('button', { name: 'Give the number' }).click();
  await page.locator('.said', { hasText: 'rings its user' }).waitFor();
  await page.getByRole('button', { name: 'Take away +4989555' }).click();
  await page.locator('dialog[open]').waitFor();
  assert.deepEqual(await axe(page), []);
  await page.getByRole('button', { name: 'Take away', exact: true }).click();
  await page.locator('.said', { hasText: 'leads nowhere' }).waitFor();
  await visit(page, mock.base, '/records');
  await page.locator('select[name=state]').selectOption('refused');
  await page.locator('input[name=max_mos]').fill('3.5');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await settle(page);
  assert.equal(await page.locator('main .problem').count(), 0);
  await page.locator('input[name=value]').fill('+49777');
  await page.getByRole('button', { name: 'Erase…' }).click();
  await page.getByRole('button', { name: 'Erase', exact: true }).click();
  await page.getByText('3 records were cleared').waitFor();
  assert.deepEqual(mock.asked.find((a) => a.verb === 'POST records/erase').body, { number: '+49777' });
  await page.getByLabel('Times').selectOption('utc');
  const time = page.locator('main tbody time').first();
  assert.equal(await time.innerText(), (await time.getAttribute('datetime')).slice(0, 19).replace('T', ' '));
};

tests['a thousand calls that change are one list that can be used'] = async ({ page, mock }) => {
  mock.crowd(1000);
  await enter(page, mock.base);
  await visit(page, mock.base, '/calls');
  await page.getByText('1,000 alive').waitFor();
  await page.evaluate(() => {
    window.slow = [];
    new window.PerformanceObserver((list) => window.slow.push(...list.getEntries().map((e) => e.duration))).observe({ entryTypes: ['longtask'] });
  });
  await page.locator('input[type=search]').fill('+49100999');
  await page.waitForFunction(() => document.querySelectorAll('main tbody tr').length === 1);
  await page.waitForTimeout(2500);
  const slow = await page.evaluate(() => window.slow);
  console.log(`# 1,000 calls, each told again every second: ${slow.length} tasks over 50 ms in 2.5 s, the longest ${Math.round(Math.max(0, ...slow))} ms`);
  assert.equal(await page.locator('nav .count').first().textContent(), '1000 alive');
  await page.locator('input[type=search]').fill('');
  await page.getByText('200 of 1,000 are shown').waitFor();
  await page.getByRole('button', { name: 'To', exact: true }).dblclick();
  assert.match(await page.locator('th[aria-sort=descending]').innerText(), /To/);
  assert.match(await page.locator('main tbody tr').first().innerText(), /\+49100999/);
};

tests['ten thousand numbers and a hundred trunks are found by a word'] = async ({ page, mock }) => {
  mock.s.numbers = Array.from({ length: 10_000 }, (_, i) => ({ number: `+4989${String(i).padStart(6, '0')}`, user: `u${i}`, display: null, tenant: null }));
  mock.s.trunks = Array.from({ length: 100 }, (_, i) => ({ ...mock.s.trunks[i === 70 ? 1 : 0], name: `trunk-${i}` }));
  await enter(page, mock.base);
  await visit(page, mock.base, '/routing');
  await page.getByText('200 of 10,000 are shown').waitFor();
  await page.locator('main input[type=search]').fill('u9998');
  await page.locator('td code', { hasText: '+4989009998' }).waitFor();
  await visit(page, mock.base, '/trunks');
  assert.match(await page.locator('main tbody tr').first().innerText(), /trunk-70[\s\S]*Down/);
  await page.locator('main input[type=search]').fill('trunk-42');
  await page.waitForFunction(() => document.querySelectorAll('main tbody tr').length === 1);
};

tests['an etag of a header is used where the body has none'] = async ({ page, mock }) => {
  await enter(page, mock.base);
  await visit(page, mock.base, '/routing');
  await page.locator('input[name=called]').fill('+4989555');
  await page.locator('button', { hasText: /^Test$/ }).click();
  await page.locator('.outcome', { hasText: 'inbound-to-users' }).waitFor();
  assert.deepEqual(await axe(page), []);
};

/* Against a running gateway --------------------------------------------------------------------- */

const liveTests = {};
const ask = async (demo, path) => (await fetch(`${demo.admin.url}/admin/v1/${path}`, { headers: { Authorization: `Bearer ${demo.admin.token}` } })).json();
const probeOf = (text) => text.replace(/[^\x21-\x7e]/gu, ' ').trim().split(/\s+/)[0].slice(0, 60);

/** The pages, with a call that is alive and one that was refused. */
async function livePages(demo) {
  const [{ calls }, { records }] = [await ask(demo, 'calls'), await ask(demo, 'records?limit=20')];
  const past = records.find((r) => r.state !== 'live');
  return { ...PAGES, call: `/calls/${calls[0].id}`, record: `/calls/${past.call ?? past.id}?record=${past.id}`, trunk: '/trunks/lab' };
}

/** Pictures for the documentation show no folder of the machine that they were made on. */
async function neutral(route, demo) {
  if (/\/events$/.test(route.request().url())) return route.continue();
  const response = await route.fetch(), text = await response.text();
  const [top, run] = [demo.ca.replace(/\/certs\/.*/, ''), values.live.replace(/\/[^/]*$/, '')];
  return route.fulfill({ response, body: text.replaceAll(top, '/opt/sallyport').replaceAll(run, '/var/lib/sallyport') });
}

async function ladderShot(page, scheme, shot) {
  const row = page.locator('.ladder button', { hasText: '200 OK' }).first();
  if (!(await row.count())) return;
  await row.click();
  await page.locator('.ladder').evaluate((e) => window.scrollTo(0, e.getBoundingClientRect().top + window.scrollY - 140));
  await page.waitForTimeout(200);
  await shot(page, `ladder-${scheme}`);
}

liveTests['changes by hand: an operator, a token, a ban, a number test, a commit on probation and its confirmation'] = async ({ page, demo }) => {
  await enter(page, demo.admin.url, demo.admin.token);
  const press = (name) => page.getByRole('button', { name, exact: true }).first().click();
  const told = (text) => page.locator('.said', { hasText: text }).waitFor({ timeout: 8000 });
  await visit(page, demo.admin.url, '/users');
  await page.locator('input[name=name]').first().fill('eve');
  await page.locator('input[name=password]').fill('correct horse battery');
  await press('Add');
  await told('can log in');
  await page.getByLabel('Role of eve').selectOption('operator');
  await told('The role was changed');
  await page.locator('input[name=name]').nth(1).fill('prometheus');
  await page.getByRole('button', { name: 'Make', exact: true }).first().click();
  await page.locator('code', { hasText: /^spa_/ }).waitFor();
  await page.locator('input[name=identity]').fill('bob');
  await page.getByRole('button', { name: 'Make', exact: true }).nth(1).click();
  await page.getByText('This is shown once').nth(1).waitFor();

  await visit(page, demo.admin.url, '/security');
  await page.locator('input[name=addr]').fill('203.0.113.77');
  await press('Ban');
  await page.getByRole('button', { name: 'Lift the ban of 203.0.113.77' }).click();
  await told('is heard again');

  await visit(page, demo.admin.url, '/routing');
  await page.locator('input[name=called]').fill('+15550100002');
  await page.getByLabel('Comes from trunk').selectOption('lab');
  await press('Test');
  await page.locator('.outcome', { hasText: 'to bob' }).waitFor();

  await visit(page, demo.admin.url, '/config');
  const area = page.locator('#config-text'), text = await area.inputValue();
  await area.fill(`${text}\n# looked at\nnode2: {}\n`);
  await press('Validate');
  await page.locator('.problem', { hasText: 'node2' }).waitFor();
  await area.fill(`${text}\n# looked at\n`);
  await press('Validate');
  await page.getByText('No errors').waitFor();
  await press('What changes?');
  await page.locator('.diff .come', { hasText: '# looked at' }).waitFor();
  await press('Replay yesterday\'s calls');
  await page.getByText(/calls would go another way/).waitFor();
  await page.locator('input[name=comment]').fill('by hand');
  await press('Commit');
  await told('on probation');
  await press('Keep it');
  await told('Confirmed');
  await page.locator('td', { hasText: 'by hand' }).first().waitFor();

  await visit(page, demo.admin.url, '/audit');
  await press('Verify the chain');
  await page.getByText(/Whole: /).waitFor();
  assert.ok((await page.locator('tbody tr').count()) >= 6);
};

liveTests['every page: axe, light and dark, narrow, texts are text'] = async ({ page, demo, shot }) => {
  if (values.shots) await page.route('**/admin/v1/**', (route) => neutral(route, demo));
  await enter(page, demo.admin.url, demo.admin.token);
  for (const [name, path] of Object.entries(await livePages(demo))) {
    for (const scheme of ['light', 'dark']) {
      await colours(page, scheme);
      await page.goto('about:blank');
      await visit(page, demo.admin.url, path);
      assert.deepEqual(await axe(page), [], name);
      await noneRan(page);
      const problems = await page.locator('main .problem').allInnerTexts();
      assert.deepEqual(problems, [], name);
      await page.waitForTimeout(600); // a second event of the stream, figures in place
      await shot(page, `${name}-${scheme}`);
      if (name === 'call') await ladderShot(page, scheme, shot);
    }
    await page.setViewportSize({ width: 400, height: 800 });
    await page.waitForTimeout(150);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 400, `${name} is too wide at 400`);
    await page.setViewportSize({ width: 1280, height: 800 });
  }
};

liveTests['from the printed address to the ladder of a call of the phone'] = async ({ page, demo }) => {
  const start = Date.now();
  await enter(page, demo.admin.url, demo.admin.token);
  const context = await browser.newContext({ permissions: ['microphone'], ignoreHTTPSErrors: true });
  try {
    const phone = await context.newPage();
    await phone.goto(`${demo.base}/phone#token=${demo.users.alice.token}`);
    await phone.locator('#status[data-ready="true"]').waitFor({ timeout: 10_000 });
    await phone.fill('#dial', demo.dial.tone);
    await phone.click('#call-button');
    await phone.locator('.call-card[data-state="connected"]').waitFor({ timeout: 15_000 });
    await page.getByRole('link', { name: 'Live calls' }).first().click();
    await page.locator('main tr', { hasText: demo.dial.tone }).locator('a').first().click();
    await page.locator('.ladder button', { hasText: 'INVITE' }).first().click();
    await page.locator('.message-pane', { hasText: 'CSeq' }).waitFor();
    await page.locator('.cell.good').nth(8).waitFor({ timeout: 15_000 });
    console.log(`# ladder and media after ${((Date.now() - start) / 1000).toFixed(1)} s`);
    await phone.click('[data-action="hangup"]');
    await page.locator('.head .badge', { hasText: 'Ended' }).waitFor({ timeout: 10_000 });
    await page.locator('.ladder button', { hasText: 'BYE' }).first().waitFor({ timeout: 10_000 });
    await page.locator('main .facts', { hasText: 'Ended by' }).waitFor({ timeout: 10_000 });
    assert.match(await page.locator('h1').innerText(), new RegExp(demo.dial.tone.replace('+', '\\+')));
    await visit(page, demo.admin.url, '/records?state=ended&max_mos=4.9&number=%2B15550100001');
    assert.equal(await page.locator('main .problem').count(), 0);
  } finally {
    await context.close();
  }
};

liveTests['files: policy, types, tags; nothing else is served'] = async ({ demo }) => {
  const page = await fetch(`${demo.admin.url}/`), html = await page.text();
  assert.match(page.headers.get('content-security-policy'), /default-src 'none'.*require-trusted-types-for 'script'/);
  assert.doesNotMatch(page.headers.get('content-security-policy'), /unsafe/);
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
  assert.equal(page.headers.get('cache-control'), 'no-cache');
  for (const [path] of html.matchAll(/\/console\/[\w.]+/g)) {
    const file = await fetch(demo.admin.url + path);
    assert.equal(file.status, 200, path);
    assert.match(file.headers.get('cache-control'), /immutable/);
    await file.arrayBuffer();
    assert.equal((await fetch(demo.admin.url + path, { headers: { 'If-None-Match': file.headers.get('etag') } })).status, 304);
  }
  for (const path of ['/console/', '/console/x.js', '/console/..%2fetc', '/index.html']) assert.equal((await fetch(demo.admin.url + path)).status, 404, path);
};

liveTests['the list comes by the stream, and the ladder of the call with it'] = async ({ page, demo }) => {
  await enter(page, demo.admin.url, demo.admin.token);
  await visit(page, demo.admin.url, '/calls');
  await page.locator('main tbody a').first().click();
  await page.locator('.ladder button', { hasText: 'INVITE' }).first().click();
  await page.locator('.message-pane', { hasText: 'Call-ID' }).waitFor();
  await noneRan(page);
};

liveTests['each text of a SIP peer is text on its record'] = async ({ page, demo }) => {
  await enter(page, demo.admin.url, demo.admin.token);
  const { records } = await ask(demo, 'records?limit=200');
  const past = records.filter((r) => r.state !== 'live');
  assert.ok(past.length >= 50, `${past.length} records`);
  let shown = 0;
  for (const r of past) {
    await page.goto('about:blank');
    await visit(page, demo.admin.url, `/calls/${r.call ?? r.id}?record=${r.id}`);
    const invite = page.locator('.ladder button').first();
    if (await invite.count()) await invite.click();
    await noneRan(page);
    const text = await page.locator('main').innerText();
    assert.doesNotMatch(text, /[\u202a-\u202e\u2066-\u2069]/u);
    if (NASTY.some((n) => probeOf(n).length > 3 && text.includes(probeOf(n)))) shown++;
  }
  assert.ok(shown >= 40, `only ${shown} of ${past.length} show their text`);
};

/* Running --------------------------------------------------------------------------------------- */

async function one(test) {
  const demo = values.live && JSON.parse(readFileSync(values.live, 'utf8'));
  const mock = demo ? null : await new Operators().listen(), faults = [];
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const shot = async (page, file) => {
    if (!values.shots) return;
    mkdirSync(values.shots, { recursive: true });
    const told = faults.length;
    writeFileSync(`${values.shots}/${file}.png`, small(await page.screenshot({ animations: 'disabled', caret: 'initial', fullPage: /narrow/.test(file) })));
    if (ENGINE === 'firefox') faults.length = told; // the driver's own style, to take a picture
  };
  try {
    const page = await watched(context, faults);
    await test({ page, mock, demo, shot, context });
  } catch (error) {
    blameless(faults); // why it failed
    throw error;
  } finally {
    await context.close();
    mock?.close();
  }
  blameless(faults);
}

// What only Chromium is told from without: paper.
if (ENGINE === 'firefox') delete tests['the doctor\'s report prints alone and light, its profile is looked at and applied on probation'];

let browser;
if (process.argv[1]?.endsWith('/console.mjs')) {
  browser = await launch();
  const { status, line } = await runAll(values.live ? liveTests : values.brief ? brief : tests, values.only, one);
  await browser.close();
  console.log(line);
  process.exit(status);
}
