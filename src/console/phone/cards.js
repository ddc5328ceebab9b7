// SPDX-License-Identifier: Apache-2.0
// A call as the page shows it. Text of the network enters as text nodes only.

import { durationText, gradeOf, partyDetail, partyText, stateText } from './words.js';

const SVG = 'http://www.w3.org/2000/svg';
const ICONS = {
  answer: 'M6 3.5h3l1.6 4.4-2 1.6a11 11 0 0 0 5.9 5.9l1.6-2 4.4 1.6v3a2 2 0 0 1-2.2 2A16.5 16.5 0 0 1 4 5.7 2 2 0 0 1 6 3.5z',
  hangup: 'M3 14.5v-2.2c5-5 13-5 18 0v2.2l-4.3 1.3-1.2-3.2a10 10 0 0 0-7 0l-1.2 3.2z',
  mute: 'M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM6 11a6 6 0 0 0 12 0M12 17v4',
  hold: 'M8.5 5v14M15.5 5v14',
  resume: 'M8 5l11 7-11 7z',
  keypad: 'M6 5h.01M12 5h.01M18 5h.01M6 11h.01M12 11h.01M18 11h.01M6 17h.01M12 17h.01M18 17h.01',
};
ICONS.reject = ICONS.hangup;
ICONS.takeup = ICONS.answer;
ICONS.sound = 'M4 9.5h3.5L12 6v12l-4.5-3.5H4zM15.5 9a4.5 4.5 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11';

export const KEYS = [
  ['1', ''], ['2', 'ABC'], ['3', 'DEF'],
  ['4', 'GHI'], ['5', 'JKL'], ['6', 'MNO'],
  ['7', 'PQRS'], ['8', 'TUV'], ['9', 'WXYZ'],
  ['*', ''], ['0', '+'], ['#', ''],
];
const KEY_NAMES = { '*': 'star', '#': 'hash' };

/** @param {string} name @param {Record<string, string>} [attributes] @param {(Node|string)[]} [children] */
export function element(name, attributes = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/** Twelve keys; `press` gets the key's character. @param {HTMLElement} into @param {(key: string) => void} press */
export function fillKeypad(into, press) {
  for (const [key, letters] of KEYS) {
    const button = element('button', { type: 'button', class: 'key', 'data-key': key }, [key, element('small', { 'aria-hidden': 'true' }, [letters])]);
    button.setAttribute('aria-label', KEY_NAMES[key] ?? key);
    button.addEventListener('click', () => press(key));
    into.append(button);
  }
}

/**
 * The card of one call.
 * `act(action, card)` is asked for: answer reject hangup hold resume mute takeup; `more` is the page's word on
 * the others: `{busy: boolean}` there is another call to be held by answering.
 */
export class Card {
  #act;
  #buttons = new Map();
  #sent = '';
  #heard = '';
  #mos;

  /** @param {import('../sdk/call.js').Call} call @param {(action: string, card: Card) => void} act */
  constructor(call, act) {
    this.call = call;
    this.#act = act;
    this.working = '';
    this.#build();
    call.addEventListener('change', () => this.show());
    call.addEventListener('dtmf', ({ detail }) => this.#hear(detail));
    call.addEventListener('quality', ({ detail }) => (this.#mos = detail.direction === 'down' ? detail.mos : this.#mos));
    call.addEventListener('stream', () => this.play());
  }

  #build() {
    this.who = element('h3', { class: 'who' });
    this.number = element('p', { class: 'number' });
    this.state = element('span', { class: 'state-text' });
    this.time = element('span', { class: 'time' });
    this.quality = element('p', { class: 'quality' });
    this.facts = element('dl', { class: 'facts' });
    this.details = element('details', { class: 'more' }, [element('summary', {}, ['Connection details']), this.facts]);
    this.problem = element('p', { class: 'card-problem', role: 'alert' });
    this.actions = element('div', { class: 'actions' });
    this.keypad = element('div', { class: 'keys small', role: 'group', 'aria-label': 'Keypad of this call' });
    this.dtmf = element('p', { class: 'dtmf-log', 'aria-live': 'polite' });
    this.audio = element('audio', { autoplay: '' });
    fillKeypad(this.keypad, (key) => this.press(key));
    this.root = element('article', { class: 'call-card', tabindex: '-1' }, [
      element('div', { class: 'card-head' }, [
        element('div', {}, [this.who, this.number]),
        element('p', { class: 'state' }, [this.state, this.time]),
      ]),
      this.quality, this.problem, this.actions, this.keypad, this.dtmf, this.details, this.audio,
    ]);
    this.root.addEventListener('keydown', (event) => this.#key(event));
    this.openKeypad(false);
    this.show();
  }

  // Buttons ------------------------------------------------------------------------------------

  #button(action, label, kind = '') {
    let button = this.#buttons.get(action);
    if (!button) {
      button = element('button', { type: 'button', 'data-action': action }, [icon(action), element('span')]);
      button.addEventListener('click', () => this.#act(action, this));
      this.#buttons.set(action, button);
    }
    button.className = `action ${kind}`;
    setText(button.lastChild, label);
    button.disabled = this.working !== '' && action !== 'hangup' && action !== 'reject';
    return button;
  }

  #wanted(busy) {
    const call = this.call;
    if (!call.live) return [];
    if (call.ringsHere) {
      return [
        this.#button('answer', busy ? 'Answer, hold other call' : 'Answer', 'go'),
        this.#button('reject', 'Decline', 'stop'),
      ];
    }
    if (!call.hasMedia && call.id) return [this.#button('takeup', 'Take call here', 'go'), this.#button('hangup', 'Hang up', 'stop')];
    const wanted = [];
    if (call.answeredAt || call.state === 'early_media') {
      const mute = this.#button('mute', call.muted ? 'Unmute' : 'Mute');
      mute.setAttribute('aria-pressed', String(call.muted));
      wanted.push(mute);
    }
    if (call.answeredAt) wanted.push(call.held.local ? this.#button('resume', 'Resume') : this.#button('hold', 'Hold'));
    if (call.answeredAt || call.state === 'early_media') {
      const keypad = this.#button('keypad', 'Keypad');
      keypad.setAttribute('aria-expanded', String(!this.keypad.hidden));
      wanted.push(keypad);
    }
    if (this.silent) wanted.push(this.#button('sound', 'Play sound', 'go'));
    return [...wanted, this.#button('hangup', 'Hang up', 'stop')];
  }

  /** Shows what the call is now. @param {{busy?: boolean}} [more] */
  show(more = {}) {
    if (more.busy !== undefined) this.busy = more.busy;
    const call = this.call;
    this.root.dataset.state = call.ringsHere ? 'ringing' : call.state;
    this.root.dataset.direction = call.direction;
    this.root.dataset.call = call.id ?? '';
    const party = call.direction === 'in' ? call.from : call.to;
    setText(this.who, partyText(party));
    setText(this.number, partyDetail(party));
    this.root.setAttribute('aria-label', `Call with ${partyText(party)}`);
    setText(this.state, this.working || stateText(call));
    const wanted = this.#wanted(this.busy);
    if (wanted.length !== this.actions.children.length || wanted.some((b, i) => b !== this.actions.children[i])) {
      this.actions.replaceChildren(...wanted);
    }
    this.quality.hidden = this.details.hidden = !call.live || !call.hasMedia;
    if (!call.live) this.openKeypad(false);
  }

  /** Something takes a while: its name stands where the state was. @param {string} text */
  work(text) {
    this.working = text;
    this.show();
  }

  /** @param {string} text */
  fail(text) {
    setText(this.problem, text);
  }

  // Sound and digits ---------------------------------------------------------------------------

  play() {
    if (this.audio.srcObject !== this.call.stream) this.audio.srcObject = this.call.stream;
    if (!this.call.stream) return;
    this.audio.play().then(
      () => this.#setSilent(false),
      (error) => error.name === 'NotAllowedError' && this.#setSilent(true),
    );
  }

  #setSilent(silent) {
    if (this.silent === silent) return;
    this.silent = silent;
    this.show();
  }

  openKeypad(open) {
    this.keypad.hidden = !open;
    this.#buttons.get('keypad')?.setAttribute('aria-expanded', String(open));
    if (open) this.keypad.querySelector('button').focus();
  }

  press(key) {
    this.#sent = (this.#sent + key).slice(-32);
    this.#showDigits();
    this.call.dtmf(key).catch((problem) => this.fail(problem.detail || problem.message));
  }

  #key(event) {
    if (this.keypad.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') {
      this.openKeypad(false);
      this.#buttons.get('keypad')?.focus();
    } else if (/^[0-9*#]$/.test(event.key)) {
      event.preventDefault();
      this.press(event.key);
    }
  }

  #hear(digit) {
    this.#heard = (this.#heard + digit).slice(-32);
    this.#showDigits();
  }

  #showDigits() {
    const parts = [];
    if (this.#sent) parts.push(element('span', { class: 'digits-sent' }, [`Sent ${this.#sent}`]));
    if (this.#heard) parts.push(element('span', { class: 'digits-heard' }, [`Heard ${this.#heard}`]));
    this.dtmf.replaceChildren(...parts);
  }

  // Figures ------------------------------------------------------------------------------------

  /** Once a second. @param {number} now_ms */
  tick(now_ms) {
    const since = this.call.answeredAt?.getTime();
    if (this.call.live) setText(this.time, since ? durationText(now_ms - since) : '');
  }

  async measure() {
    const figures = await this.call.figures().catch(() => null);
    if (!figures || !this.call.live) return;
    const grade = gradeOf(this.#mos);
    const told = [];
    if (grade) told.push(`Quality ${grade.text.toLowerCase()} (MOS ${this.#mos.toFixed(1)})`);
    if (figures.codec) told.push(figures.codec);
    if (figures.received.packets) told.push(`${percent(figures.loss)} lost`);
    if (figures.rtt_ms !== undefined) told.push(`${Math.round(figures.rtt_ms)} ms`);
    this.quality.dataset.grade = grade?.grade ?? '';
    setText(this.quality, told.join(' · '));
    this.facts.replaceChildren(...factsOf(figures, this.call));
  }
}

const percent = (share) => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
const inMs = (value) => (value === undefined ? '–' : `${value} ms`);

function factsOf(figures, call) {
  const { received, sent } = figures;
  const rows = [
    ['Call', call.id ?? ''],
    ['Media', [figures.codec, figures.srtp].filter(Boolean).join(', ')],
    ['Received', `${received.packets} packets, ${received.lost} lost, jitter ${inMs(received.jitter_ms)}`],
    ['Sent', `${sent.packets} packets, ${sent.lost} lost, jitter ${inMs(sent.jitter_ms)}`],
    ['Round trip', inMs(figures.rtt_ms)],
    ['Path', figures.pair ?? '–'],
  ];
  return rows.flatMap(([name, value]) => [element('dt', {}, [name]), element('dd', {}, [value])]);
}

// Text that stays is not written again: screen readers and selections keep their place.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
