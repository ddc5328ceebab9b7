// SPDX-License-Identifier: Apache-2.0
// What the phone page has to do, one test a promise.

import assert from 'node:assert/strict';

/* global document, sessionStorage, location, window */

const card = (page, state) => page.locator(`.call-card${state ? `[data-state="${state}"]` : ''}`);
const press = (page, action) => page.locator(`[data-action="${action}"]`).first().click();
const text = (page, selector) => page.locator(selector).first().textContent();

async function until(what, check, limit_ms = 8000) {
  for (const end = Date.now() + limit_ms; Date.now() < end; ) {
    if (await check()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`did not come: ${what}`);
}

async function dial(page, number, state = 'connected') {
  await page.fill('#dial', number);
  await page.click('#call-button');
  if (state) await card(page, state).first().waitFor({ timeout: 8000 });
}

const hears = (page, mock, call) =>
  until('packets at the far end', async () => {
    const before = await mock.peer.received(call.id);
    await new Promise((done) => setTimeout(done, 200));
    return (await mock.peer.received(call.id)) > before;
  });

const lastCall = (mock) => [...mock.calls.values()].at(-1);
const count = (mock, pattern) => mock.log.filter((line) => pattern.test(line)).length;

const failMicrophone = (name) => `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '${name}'))`;

export const tests = {
  async 'login: without a link the page says what to do'({ open, shot }) {
    const page = await open({ token: null });
    assert.match(await text(page, '#login'), /link of your own/);
    assert.equal(await page.locator('#dialer').isVisible(), false);
    await shot(page, 'login');
  },

  async 'login: the token leaves the address bar and stays with the tab'({ open }) {
    const page = await open();
    assert.equal(await page.evaluate(() => location.hash), '');
    assert.equal(await page.evaluate(() => sessionStorage.getItem('sallyport.token')), 'token-alice');
    assert.equal(await text(page, '#me-name'), 'alice');
    assert.match(await text(page, '#me-numbers'), /\+1 555 010 0001/);
    await page.reload();
    await page.locator('#status[data-ready="true"]').waitFor();
  },

  async 'login: a bad token is told'({ open }) {
    const page = await open({ token: 'nobody', ready: false });
    await until('the reason', async () => /not valid/.test(await text(page, '#login-why')));
  },

  async 'login: a gateway that is away is tried again'({ open, mock }) {
    mock.faults.push({ match: /GET \/me/, status: 503, code: 'overload', detail: 'Too busy just now.', retry_after: 30 });
    const page = await open({ ready: false });
    await until('the notice', async () => /Too busy just now\. Try again in 30 s/.test(await text(page, '#notices')));
    await page.locator('#status[data-ready="true"]').waitFor({ timeout: 8000 });
    assert.equal(await page.locator('.notice').count(), 0);
  },

  async 'device: the same after a reload, another in a copied tab'({ open, context, mock }) {
    const page = await open();
    const name = () => page.evaluate(() => sessionStorage.getItem('sallyport.device'));
    const first = await name();
    await page.reload();
    await page.locator('#status[data-ready="true"]').waitFor();
    assert.equal(await name(), first);
    const copy = await context.newPage();
    await copy.addInitScript((d) => sessionStorage.setItem('sallyport.device', sessionStorage.getItem('sallyport.device') ?? d), first);
    await copy.goto(`${mock.base}/phone#token=token-alice`);
    await copy.locator('#status[data-ready="true"]').waitFor();
    assert.notEqual(await copy.evaluate(() => sessionStorage.getItem('sallyport.device')), first);
    assert.equal(mock.streams.size, 2);
  },

  async 'dial: a call is placed, answered and carries sound both ways'({ open, mock, shot }) {
    const page = await open();
    await shot(page, 'ready');
    await dial(page, '+1 (555) 000-1000');
    const call = lastCall(mock);
    assert.deepEqual(call.to, { tel: '+15550001000' });
    assert.equal(call.from.tel, '+15550100001');
    assert.equal(await card(page).getAttribute('data-call'), call.id);
    await hears(page, mock, call);
    await until('figures', async () => /(opus|G722|PCM[UA]).*lost/.test(await text(page, '.quality')));
    assert.match(await text(page, '.quality'), /Quality good \(MOS 4\.3\)/);
    await page.locator('.more summary').click();
    assert.match(await text(page, '.facts'), /packets, 0 lost/);
    await press(page, 'keypad');
    await page.locator('.keys.small [data-key="5"]').click();
    await page.locator('.digits-heard').waitFor();
    await shot(page, 'in-call');
    await until('candidates', () => count(mock, /PATCH .*ice/) > 0);
  },

  async 'dial: a plain number without a trunk shows the reason of the refusal'({ open, shot, mock }) {
    const page = await open();
    await dial(page, '5550404', null);
    await page.locator('.notice').waitFor();
    assert.match(await text(page, '.notice'), /Your dialplan does not know 5550404/);
    assert.equal(await card(page).count(), 0);
    assert.equal(await page.inputValue('#dial'), '5550404');
    await shot(page, 'error');
    await page.fill('#dial', '+15550001503');
    await page.click('#call-button');
    await until('trunk down', async () => /does not answer\. Try again in 30 s/.test(await text(page, '.notice')));
    assert.equal(count(mock, /POST \/calls$/), 2);
  },

  async 'dial: what is no number is not sent'({ open, mock }) {
    const page = await open();
    await dial(page, '12 34!', null);
    assert.match(await text(page, '#dial-hint'), /no number/);
    assert.equal(await page.getAttribute('#dial', 'aria-invalid'), 'true');
    assert.equal(count(mock, /POST \/calls$/), 0);
  },

  async 'dial: busy is told in words'({ open }) {
    const page = await open();
    await dial(page, '+15550001486', 'ended');
    assert.match(await text(page, '.state-text'), /^Busy/);
    assert.equal(await page.locator('[data-action]').count(), 0);
  },

  async 'dial: a lost answer is asked for again with the same key'({ open, mock, context }) {
    const page = await open();
    let lost = 0;
    await context.route('**/v1/calls', async (route) => {
      if (route.request().method() !== 'POST' || lost++ > 0) return route.fallback();
      await route.fetch();
      await route.abort('connectionreset');
    });
    await dial(page, '+15550001000');
    assert.equal(mock.calls.size, 1);
    assert.equal(count(mock, /POST \/calls$/), 2);
  },

  async 'dial: events before the 201 are not lost'({ open }) {
    const page = await open();
    await dial(page, '+15550001200');
  },

  async 'dial: ringback sounds until early media comes'({ open, mock }) {
    const init = `window.sounding = 0; window.AudioContext = class extends AudioContext {
      constructor(...more) { super(...more); window.sounding++; }
      close() { window.sounding--; return super.close(); } }`;
    const page = await open({ init });
    const sounding = () => page.evaluate(() => window.sounding);
    await dial(page, '+15550001183', 'ringing');
    assert.equal(await sounding(), 1);
    await card(page, 'early_media').waitFor();
    assert.equal(await sounding(), 0);
    mock.push('call.early_media', lastCall(mock).id, { active: false });
    mock.push('call.answered', lastCall(mock).id);
    await card(page, 'connected').waitFor();
    assert.equal(await sounding(), 0);
  },

  async 'dial: hanging up while it rings cancels'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001180', 'ringing');
    await press(page, 'hangup');
    await card(page, 'ended').waitFor();
    assert.equal(lastCall(mock).end.reason, 'canceled');
    assert.match(await text(page, '.state-text'), /Canceled/);
  },

  async 'dial: keypad, erase and keyboard'({ open, mock }) {
    const page = await open();
    for (const key of ['*', '2', '1', '#', '9']) await page.locator(`#dial-keys [data-key="${key}"]`).click();
    await page.click('#dial-erase');
    assert.equal(await page.inputValue('#dial'), '*21#');
    await page.locator('#dial-keys [data-key="0"]').click({ delay: 750 });
    assert.equal(await page.inputValue('#dial'), '*21#+');
    await page.fill('#dial', '112');
    await page.press('#dial', 'Enter');
    await card(page, 'connected').waitFor();
    assert.deepEqual(lastCall(mock).to, { tel: '112' });
  },

  async 'call: mute, hold, resume'({ open, mock, shot }) {
    const page = await open();
    await dial(page, '+15550001000');
    await press(page, 'mute');
    assert.equal(await page.getAttribute('[data-action="mute"]', 'aria-pressed'), 'true');
    await press(page, 'mute');
    await press(page, 'hold');
    await card(page, 'local_hold').waitFor();
    assert.match(await text(page, '.state-text'), /On hold by you/);
    await shot(page, 'hold');
    mock.push('call.held', lastCall(mock).id, { by: 'remote' });
    await until('both', async () => /both sides/.test(await text(page, '.state-text')));
    await press(page, 'resume');
    await card(page, 'remote_hold').waitFor();
    mock.push('call.resumed', lastCall(mock).id, { by: 'remote' });
    await card(page, 'connected').waitFor();
  },

  async 'call: digits by keypad and keyboard, heard ones are shown'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    await press(page, 'keypad');
    for (const key of '159') await page.locator(`.keys.small [data-key="${key}"]`).click();
    await page.keyboard.press('#');
    await until('digits', async () => /Heard 159#/.test(await text(page, '.dtmf-log')));
    assert.match(await text(page, '.dtmf-log'), /Sent 159#/);
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('.keys.small').isVisible(), false);
    assert.ok(count(mock, /dtmf$/) <= 4);
  },

  async 'call: hanging up leaves telemetry first, then ends'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    await hears(page, mock, lastCall(mock));
    await press(page, 'hangup');
    await card(page, 'ended').waitFor();
    assert.equal(lastCall(mock).end.reason, 'completed');
    const types = new Set(mock.telemetry.at(-1).stats.map((row) => row.type));
    for (const type of ['inbound-rtp', 'outbound-rtp', 'candidate-pair', 'codec']) assert.ok(types.has(type), type);
    const at = (pattern) => mock.log.findIndex((line) => pattern.test(line));
    assert.ok(at(/telemetry/) < at(/^DELETE/));
    await card(page).waitFor({ state: 'detached', timeout: 12_000 });
    assert.equal(await page.locator('#empty').isVisible(), true);
  },

  async 'incoming: rings, is answered, the far side hangs up'({ open, mock, shot }) {
    const page = await open();
    const call = await mock.incoming({ tel: '+15550123456', display: 'Ada Lovelace' });
    await card(page, 'ringing').waitFor();
    assert.equal(await text(page, '.who'), 'Ada Lovelace');
    assert.equal(await text(page, '.number'), '+1 555 012 3456');
    assert.match(await page.title(), /Incoming: Ada Lovelace/);
    await until('ringing', () => count(mock, /ringing$/) === 1);
    await shot(page, 'incoming');
    await press(page, 'answer');
    await card(page, 'connected').waitFor();
    await hears(page, mock, call);
    mock.end(call, { sip: null, q850: 16, reason: 'completed' });
    await card(page, 'ended').waitFor();
  },

  async 'incoming: answered, media comes later'({ open, mock }) {
    mock.slowAnswer = 1200;
    const page = await open();
    await mock.incoming();
    await card(page, 'ringing').waitFor();
    await press(page, 'answer');
    await card(page, 'connecting').waitFor();
    assert.equal(await page.locator('[data-action="answer"]').count(), 0);
    await card(page, 'connected').waitFor();
  },

  async 'login: a token that ends leaves the live call in sight'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    mock.users.clear();
    mock.dropStreams();
    await until('the notice', async () => /phone link again/.test(await page.locator('#notices').textContent()));
    assert.equal(await card(page, 'connected').isVisible(), true);
  },

  async 'incoming: rejected'({ open, mock }) {
    const page = await open();
    const call = await mock.incoming();
    await card(page, 'ringing').waitFor();
    await press(page, 'reject');
    await card(page, 'ended').waitFor();
    assert.equal(call.rejected, 'decline');
  },

  async 'incoming: what others wrote stays text'({ open, mock }) {
    const page = await open();
    await mock.incoming({ tel: '+15550123456', display: '<img src=x onerror="window.bad=1"><b>Eve' });
    await card(page, 'ringing').waitFor();
    assert.equal(await text(page, '.who'), '<img src=x onerror="window.bad=1"><b>Eve');
    assert.equal(await page.locator('.call-card img, .call-card b').count(), 0);
    assert.equal(await page.evaluate(() => window.bad), undefined);
  },

  async 'incoming: answered on another device'({ open, mock }) {
    const page = await open();
    const call = await mock.incoming({ anonymous: true });
    await card(page, 'ringing').waitFor();
    assert.equal(await text(page, '.who'), 'Number withheld');
    mock.push('call.answered_elsewhere', call.id, { device: 'desk' });
    await card(page, 'ended').waitFor();
    assert.match(await text(page, '.state-text'), /another device/);
  },

  async 'incoming: too late to answer is told'({ open, mock }) {
    const page = await open();
    const call = await mock.incoming();
    await card(page, 'ringing').waitFor();
    call.takenElsewhere = true;
    await press(page, 'answer');
    await card(page, 'ended').waitFor();
    assert.match(await text(page, '.state-text'), /another device/);
  },

  async 'waiting: answering the second call holds the first, resuming swaps'({ open, mock, shot }) {
    const page = await open();
    await dial(page, '+15550001000');
    const first = lastCall(mock);
    const second = await mock.incoming({ tel: '+15550123456' });
    await card(page, 'ringing').waitFor();
    assert.match(await text(page, '[data-action="answer"]'), /hold other call/);
    await shot(page, 'waiting');
    await press(page, 'answer');
    await page.locator(`[data-call="${second.id}"][data-state="connected"]`).waitFor();
    await page.locator(`[data-call="${first.id}"][data-state="local_hold"]`).waitFor();
    assert.equal(first.hold.local, true);
    await page.locator(`[data-call="${first.id}"] [data-action="resume"]`).click();
    await page.locator(`[data-call="${second.id}"][data-state="local_hold"]`).waitFor();
    await page.locator(`[data-call="${first.id}"][data-state="connected"]`).waitFor();
    await page.locator(`[data-call="${second.id}"] [data-action="hangup"]`).click();
    await page.locator(`[data-call="${second.id}"][data-state="ended"]`).waitFor();
    assert.equal(first.state, 'connected');
  },

  async 'waiting: rejecting the second says busy'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    const second = await mock.incoming();
    await page.locator(`[data-call="${second.id}"] [data-action="reject"]`).click();
    await page.locator(`[data-call="${second.id}"][data-state="ended"]`).waitFor();
    assert.equal(second.rejected, 'busy');
  },

  async 'reload: the call goes on'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    const call = lastCall(mock);
    await hears(page, mock, call);
    await page.reload();
    await page.locator(`[data-call="${call.id}"][data-state="connected"]`).waitFor();
    await hears(page, mock, call);
    assert.equal(mock.calls.size, 1);
    assert.equal(count(mock, /renegotiate$/), 1);
    await press(page, 'hangup');
    await card(page, 'ended').waitFor();
  },

  async 'reload: a ringing call rings again'({ open, mock }) {
    const page = await open();
    const call = await mock.incoming();
    await card(page, 'ringing').waitFor();
    await page.reload();
    await card(page, 'ringing').waitFor();
    assert.equal(await card(page).count(), 1);
    await press(page, 'answer');
    await card(page, 'connected').waitFor();
    await hears(page, mock, call);
  },

  async 'reload: the call of another device is offered, not taken'({ open, mock }) {
    const other = await open();
    await dial(other, '+15550001000');
    const call = lastCall(mock);
    const page = await open();
    await page.locator('[data-action="takeup"]').waitFor();
    assert.equal(count(mock, /renegotiate$/), 0);
    await press(page, 'takeup');
    await hears(page, mock, call);
    assert.equal(count(mock, /renegotiate$/), 1);
  },

  async 'stream: comes back with a new ticket and misses nothing'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    const call = lastCall(mock);
    const tickets = count(mock, /event-tickets/);
    mock.dropStreams();
    mock.push('call.held', call.id, { by: 'remote' });
    await card(page, 'remote_hold').waitFor();
    assert.equal(count(mock, /event-tickets/), tickets + 1);
    assert.match(mock.lastReplay, /^\d+$/);
    await page.locator('#status[data-ready="true"]').waitFor();
  },

  async 'stream: a call that ended meanwhile is seen by its snapshot'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    const call = lastCall(mock);
    mock.forgetful = true;
    mock.dropStreams();
    Object.assign(call, { state: 'ended', end: { reason: 'max_duration', by: 'gateway', sip: null } });
    await card(page, 'ended').waitFor();
    mock.forgetful = false;
    assert.match(await text(page, '.state-text'), /Longest time/);
  },

  async 'stream: drain is told and calls go on'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    mock.push('system.drain', null, { reconnect_to: mock.base, deadline_s: 1 });
    await until('another stream', () => count(mock, /event-tickets/) === 2);
    await page.locator('#status[data-ready="true"]').waitFor();
    assert.equal(await card(page, 'connected').count(), 1);
  },

  async 'media: restart with a fresh connection, through a glare'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    const call = lastCall(mock);
    await hears(page, mock, call);
    mock.faults.push({ match: /renegotiate/, status: 409, code: 'glare', detail: 'Not now.' });
    mock.push('media.restart', call.id, { reason: 'moved', fresh: true, deadline_s: 10 });
    await until('second try', () => count(mock, /renegotiate$/) === 2);
    await hears(page, mock, call);
    assert.equal(await card(page, 'connected').count(), 1);
    assert.equal(await text(page, '.card-problem'), '');
  },

  async 'media: restart on the same connection'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    const call = lastCall(mock);
    mock.push('media.restart', call.id, { reason: 'loss', fresh: false, deadline_s: 10 });
    await until('renegotiation', () => count(mock, /renegotiate$/) === 1);
    await hears(page, mock, call);
  },

  async 'media: a changed network restarts ICE by PATCH'({ open, mock }) {
    const page = await open();
    await dial(page, '+15550001000');
    const call = lastCall(mock);
    await hears(page, mock, call);
    const tag = call.etag;
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await until('a new tag', () => call.etag !== tag);
    await hears(page, mock, call);
    assert.equal(count(mock, /renegotiate$/), 0);
    assert.equal(await text(page, '.card-problem'), '');
  },

  async 'microphone: each failure is explained'({ open, mock, shot }) {
    const words = { NotAllowedError: /may not use the microphone/, NotFoundError: /No microphone was found/, NotReadableError: /in use by another program/ };
    for (const [name, wanted] of Object.entries(words)) {
      const page = await open({ init: failMicrophone(name) });
      await dial(page, '+15550001000', null);
      await page.locator('.notice').waitFor();
      assert.match(await text(page, '.notice'), wanted);
      if (name === 'NotAllowedError') await shot(page, 'microphone');
      await page.close();
    }
    assert.equal(mock.calls.size, 0);
  },

  async 'microphone: an insecure page says why it cannot call'({ open }) {
    const page = await open({ init: "Object.defineProperty(window, 'isSecureContext', { value: false })" });
    await page.locator('.notice').waitFor();
    assert.match(await text(page, '.notice'), /https/);
  },

  async 'microphone: an incoming call stays answerable after a failure'({ open, mock }) {
    const page = await open({ init: failMicrophone('NotReadableError') });
    await mock.incoming();
    await card(page, 'ringing').waitFor();
    await press(page, 'answer');
    await until('the reason', async () => /in use/.test(await text(page, '.card-problem')));
    assert.equal(await page.locator('[data-action="answer"]').isEnabled(), true);
    assert.equal(count(mock, /answer$/), 0);
  },

  async 'page: everything has a name and can be reached by keyboard'({ open }) {
    const page = await open();
    await dial(page, '+15550001000');
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll('button, input, select, summary')].filter(
        (node) => !(node.getAttribute('aria-label') || node.textContent.trim() || document.querySelector(`label[for="${node.id}"]`)),
      ).length,
    );
    assert.equal(nameless, 0);
    const seen = new Set();
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab');
      seen.add(await page.evaluate(() => document.activeElement.dataset.action ?? document.activeElement.id));
    }
    for (const wanted of ['dial', 'mute', 'hold', 'keypad', 'hangup']) assert.ok(seen.has(wanted), wanted);
  },

  async 'page: narrow and dark'({ open, mock, shot }) {
    const page = await open();
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
    await dial(page, '+15550001000');
    await mock.incoming({ tel: '+821012345678', display: 'Kim' });
    await card(page, 'ringing').waitFor();
    await shot(page, 'dark');
    await page.setViewportSize({ width: 360, height: 740 });
    await shot(page, 'dark-narrow');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${wide} px too wide`);
  },

  async 'library: credentials of relays are kept for half of their life, and go into the connection'({ open, mock }) {
    const page = await open({ token: null });
    mock.relays = [{ urls: ['turn:127.0.0.1:9?transport=udp', 'turns:127.0.0.1:9?transport=tcp'], username: '1:a', credential: 'b' }];
    mock.relaysUntil = new Date(Date.now() + 1200).toISOString();
    const asked = () => mock.log.filter((line) => line === 'POST /relay-credentials').length;
    const got = await page.evaluate(async () => {
      const { Client } = await import('/phone/sallyport.js');
      const { Peer } = await import('/phone/peer.js');
      const client = (window.client = new Client({ base: location.origin, token: 'token-alice', iceTransportPolicy: 'relay' }));
      const [ice] = [await client.ice(), await client.ice()];
      const told = { onStream() {}, onState() {}, onLost() {} };
      const peer = new Peer(ice, null, told);
      peer.refresh({ ...ice, iceServers: [{ ...ice.iceServers[0], username: '2:a' }] });
      const { iceServers, iceTransportPolicy, bundlePolicy } = peer.pc.getConfiguration();
      peer.close();
      return { policy: iceTransportPolicy, bundle: bundlePolicy, urls: iceServers[0].urls, name: iceServers[0].username };
    });
    assert.deepEqual(got, { policy: 'relay', bundle: 'max-bundle', urls: mock.relays[0].urls, name: '2:a' });
    assert.equal(asked(), 1);
    await page.waitForTimeout(800);
    await page.evaluate(() => window.client.ice());
    assert.equal(asked(), 2);
  },

  async 'library: numbers, fragments, words'({ open }) {
    const page = await open({ token: null });
    const got = await page.evaluate(async () => {
      const { targetOf } = await import('/phone/sallyport.js');
      const { makeFragment, withFragment, candidatesOf } = await import('/phone/sdp.js');
      const { telText, durationText, endText, gradeOf } = await import('/phone/words.js');
      const sdp = 'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:u1\r\na=ice-pwd:p1\r\na=mid:x\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n';
      const fragment = makeFragment(sdp, ['candidate:2 1 udp 1 192.0.2.2 9 typ host'], true);
      return {
        targets: ['+1 (555) 000-1000', '112', '*21#', 'bob', '+1', '12x', '', '+1234567890123456'].map(targetOf),
        fragment,
        merged: withFragment(sdp, fragment.replace('u1', 'u2').replace('p1', 'p2')),
        candidates: candidatesOf(fragment),
        words: [telText('+15551234567'), telText('+821012345678'), durationText(3_725_000), endText({ reason: 'policy', detail: 'third_party_proxy', sip: 403 }), gradeOf(2).text],
      };
    });
    assert.deepEqual(got.targets, [{ tel: '+15550001000' }, { tel: '112' }, { tel: '*21#' }, { user: 'bob' }, null, null, null, null]);
    assert.equal(got.fragment, 'a=ice-ufrag:u1\r\na=ice-pwd:p1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:x\r\na=candidate:2 1 udp 1 192.0.2.2 9 typ host\r\na=end-of-candidates\r\n');
    assert.match(got.merged, /c=IN IP4 0\.0\.0\.0\r\na=candidate:2 .*\r\na=end-of-candidates\r\na=ice-ufrag:u2\r\na=ice-pwd:p2\r\n/);
    assert.doesNotMatch(got.merged, /candidate:1 /);
    assert.deepEqual(got.candidates, [{ candidate: 'candidate:2 1 udp 1 192.0.2.2 9 typ host', sdpMid: 'x' }]);
    assert.deepEqual(got.words, ['+1 555 123 4567', '+82 101 234 5678', '1:02:05', 'Refused by a rule of the gateway: third party proxy (SIP 403)', 'Poor']);
  },
};
