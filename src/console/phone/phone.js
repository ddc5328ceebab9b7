// SPDX-License-Identifier: Apache-2.0
// The page /phone: login, dialing, the cards of the calls, and what is said about it all.

import { Client, deviceName, forgetToken, ringerTone, takeToken, targetOf } from './sallyport.js';
import { Card, element, fillKeypad } from './cards.js';
import { letMicrophoneGo, microphone } from './mic.js';
import { STREAM, endText, errorText, partyText, stateText, telText } from './words.js';

const ENDED_MS = 8000;
const MEASURE_MS = 2000;

const at = (id) => document.getElementById(id);
const ringer = ringerTone();
/** @type {Map<import('./sallyport.js').Call, Card>} */
const cards = new Map();
let client = null;
let device = null;

// Words to the user ----------------------------------------------------------------------------

function announce(text) {
  at('announce').textContent = text;
}

/** @param {string} text @param {string} [key] one notice a key at a time */
function notice(text, key = text) {
  dropNotice(key);
  const close = element('button', { type: 'button', class: 'plain text' }, ['Dismiss']);
  const box = element('div', { class: 'notice', 'data-key': key }, [element('p', {}, [text]), close]);
  close.addEventListener('click', () => box.remove());
  at('notices').append(box);
  while (at('notices').children.length > 3) at('notices').firstChild.remove();
}

function dropNotice(key) {
  for (const box of [...at('notices').children]) if (box.dataset.key === key) box.remove();
}

function showStream({ state, problem }) {
  const status = at('status');
  status.dataset.state = state;
  status.dataset.ready = String(state === 'ready');
  at('status-text').textContent = STREAM[state] ?? state;
  if (state !== 'unauthorized') return;
  // A call outlives its token: it stays to be seen, and a new link takes it up.
  if ([...cards.keys()].some((call) => call.live)) notice(`${errorText(problem)} Open your phone link again.`, 'token');
  else askForLogin(errorText(problem));
}

function askForLogin(why) {
  at('login').hidden = false;
  at('dialer').hidden = at('calls').hidden = true;
  if (why) at('login-why').textContent = why;
  showStream({ state: 'closed' });
  at('status-text').textContent = STREAM.unauthorized;
}

// Calls ----------------------------------------------------------------------------------------

function activeCalls(but) {
  return [...cards.keys()].filter((call) => call !== but && call.live && call.answeredAt && call.hasMedia && !call.held.local);
}

async function holdOthers(but) {
  for (const call of activeCalls(but)) {
    await call.hold().catch((problem) => cards.get(call)?.fail(errorText(problem)));
  }
}

function addCard(call) {
  const known = cards.get(call);
  if (known) return known;
  const card = new Card(call, act);
  cards.set(call, card);
  call.addEventListener('change', showAll);
  call.addEventListener('end', () => ended(card));
  call.addEventListener('problem', ({ detail }) => card.fail(errorText(detail)));
  watchState(call);
  at('cards').prepend(card.root);
  card.play();
  showAll();
  return card;
}

function watchState(call) {
  let told = '';
  call.addEventListener('change', () => {
    const text = stateText(call);
    if (text === told || !call.live) return;
    told = text;
    announce(`${partyText(call.direction === 'in' ? call.from : call.to)}: ${text}`);
  });
}

function ended(card) {
  const { call } = card;
  announce(`Call with ${partyText(call.direction === 'in' ? call.from : call.to)}: ${endText(call.end)}`);
  card.work('');
  showAll();
  const hadFocus = card.root.contains(document.activeElement);
  if (hadFocus) at('dial').focus();
  setTimeout(() => removeCard(card), ENDED_MS);
  if (![...cards.keys()].some((other) => other.live)) letMicrophoneGo();
}

function removeCard(card) {
  card.audio.srcObject = null;
  card.root.remove();
  cards.delete(card.call);
  showAll();
}

function showAll() {
  const calls = [...cards.keys()];
  for (const [call, card] of cards) card.show({ busy: activeCalls(call).length > 0 });
  at('empty').hidden = calls.length > 0;
  const ringing = calls.filter((call) => call.ringsHere);
  // One who talks gets the card and the announcement, not the bell into the ear.
  if (ringing.length > 0 && activeCalls().length === 0) ringer.start();
  else ringer.stop();
  const who = ringing[0];
  document.title = who ? `Incoming: ${partyText(who.from)} · Sallyport` : calls.some((c) => c.live) ? 'In call · Sallyport' : 'Phone · Sallyport';
}

const ACTIONS = {
  async answer({ call }) {
    const track = await microphone();
    await holdOthers(call);
    await call.answer(track);
  },
  reject: ({ call }) => call.reject(activeCalls(call).length > 0 ? 'busy' : 'decline'),
  hangup: ({ call }) => call.hangup(),
  hold: ({ call }) => call.hold(),
  async resume({ call }) {
    await holdOthers(call);
    await call.resume();
  },
  mute: ({ call }) => call.mute(!call.muted),
  keypad: (card) => card.openKeypad(card.keypad.hidden),
  sound: (card) => card.play(),
  takeup: ({ call }) => takeUp(call),
};
const WORDS = { answer: 'Answering …', hold: 'Holding …', resume: 'Resuming …', takeup: 'Taking the call …', hangup: 'Hanging up …', reject: 'Declining …' };

async function act(action, card) {
  if (card.working && action !== 'hangup' && action !== 'reject') return;
  card.fail('');
  if (WORDS[action]) card.work(WORDS[action]);
  try {
    await ACTIONS[action](card);
  } catch (error) {
    card.fail(errorText(error));
  }
  if (WORDS[action]) card.work('');
  card.play();
  showAll();
}

async function takeUp(call) {
  await call.takeUp(await microphone());
}

async function dial(event) {
  event.preventDefault();
  const to = targetOf(at('dial').value);
  if (!to) return hint('That is no number. Try +1 555 123 4567, or digits such as 112 or *21#.');
  at('call-button').disabled = true;
  try {
    const track = await microphone();
    await holdOthers(null);
    await place(to, track);
    dropNotice('dial');
    at('dial').value = '';
    hint('');
  } catch (error) {
    notice(errorText(error), 'dial');
  }
  dialChanged();
}

async function place(to, track) {
  const call = client.prepare(to);
  const card = addCard(call);
  try {
    await call.place(track, { to, from: at('from').value || undefined });
  } catch (error) {
    removeCard(card);
    throw error;
  } finally {
    if (!call.live) track.stop();
  }
  card.play();
}

// After a reload: the calls of this tab go on here; those of other devices are offered.
async function takeUpCalls() {
  const snapshots = await client.list('live');
  for (const snapshot of snapshots) {
    if (snapshot.state === 'ended') continue;
    const ringing = snapshot.direction === 'in' && !snapshot.answered_at && snapshot.state !== 'early_media';
    if (ringing || client.calls.has(snapshot.id)) continue; // a ringing call comes by the stream
    const card = addCard(client.known(snapshot));
    if (snapshot.device === client.api.device) await act('takeup', card);
  }
}

// Dialing --------------------------------------------------------------------------------------

function hint(text) {
  at('dial-hint').textContent = text;
  at('dial').setAttribute('aria-invalid', String(text !== ''));
}

function dialChanged() {
  at('call-button').disabled = at('dial').value.trim() === '';
}

function typeDigit(key) {
  const field = at('dial');
  field.setRangeText(key, field.selectionStart, field.selectionEnd, 'end');
  hint('');
  dialChanged();
}

function eraseDigit() {
  const field = at('dial');
  const from = field.selectionStart === field.selectionEnd ? Math.max(0, field.selectionStart - 1) : field.selectionStart;
  field.setRangeText('', from, field.selectionEnd, 'end');
  dialChanged();
}

// Holding the key 0 down types a plus, as on every telephone.
function plusOnLongPress(button) {
  let timer = null;
  let typed = false;
  const stop = () => clearTimeout(timer);
  button.addEventListener('pointerdown', () => {
    typed = false;
    timer = setTimeout(() => {
      typed = true;
      typeDigit('+');
    }, 600);
  });
  for (const name of ['pointerup', 'pointerleave', 'pointercancel']) button.addEventListener(name, stop);
  button.addEventListener('click', (event) => typed && event.stopImmediatePropagation(), { capture: true });
}

function wireDialer() {
  fillKeypad(at('dial-keys'), typeDigit);
  plusOnLongPress(at('dial-keys').querySelector('[data-key="0"]'));
  at('dial-form').addEventListener('submit', dial);
  at('dial').addEventListener('input', () => {
    hint('');
    dialChanged();
  });
  at('dial-erase').addEventListener('click', eraseDigit);
}

// Start ----------------------------------------------------------------------------------------

function showMe(me) {
  at('me-name').textContent = me.identity;
  const numbers = me.numbers ?? [];
  at('me-numbers').replaceChildren(...(numbers.length ? numbers.map((n) => element('li', {}, [telText(n)])) : [element('li', {}, ['No number of your own'])]));
  at('from').replaceChildren(...numbers.map((n) => element('option', { value: n }, [telText(n)])));
  at('from-row').hidden = numbers.length < 2;
  const may = new Set(me.scopes ?? []);
  if (!may.has('call.receive')) at('empty-hint').textContent = 'Type a number and press Call. This login cannot be called.';
  if (!may.has('call.place')) notice('This login may be called, but may not place calls.', 'scope');
}

async function logIn(token) {
  device ??= await deviceName();
  // /phone?relay=only#token=…: sound goes by the gateway's relays only, for networks that pass nothing else.
  const iceTransportPolicy = new URLSearchParams(location.search).get('relay') === 'only' ? 'relay' : 'all';
  client = new Client({ base: location.origin, token, device, iceTransportPolicy });
  client.addEventListener('state', ({ detail }) => showStream(detail));
  client.addEventListener('incoming', ({ detail: call }) => {
    addCard(call);
    announce(`Incoming call from ${partyText(call.from)}`);
  });
  client.addEventListener('expiring', () => notice('This login ends in a minute. Open your phone link again to stay reachable.', 'token'));
  client.addEventListener('drain', () => notice('The gateway moves this phone to another place. Calls go on.', 'drain'));
  showMe(await client.me());
  dropNotice('start');
  at('dialer').hidden = at('calls').hidden = at('logout').hidden = false;
  await client.open();
  await takeUpCalls();
}

async function start() {
  const token = takeToken();
  if (!token) return askForLogin();
  try {
    await logIn(token);
  } catch (error) {
    if (error.status === 401) return askForLogin(errorText(error));
    notice(errorText(error), 'start');
    if (client.state === 'closed') setTimeout(start, 5000);
  }
}

at('logout').addEventListener('click', () => {
  forgetToken();
  location.reload();
});
addEventListener('hashchange', () => {
  if (location.hash.includes('token=') && takeToken()) location.reload();
});
setInterval(() => cards.forEach((card) => card.tick(Date.now())), 1000);
setInterval(() => cards.forEach((card) => card.measure()), MEASURE_MS);
if (!isSecureContext) notice(errorText({ name: 'InsecureContext' }), 'secure');
wireDialer();
start();
