// SPDX-License-Identifier: Apache-2.0
// Which rows of a ladder are shown: of one side, of one sort, with a word in them. Five hundred rows are no
// ladder without it.

import { laneTitle, lanesOf } from './ladder.js';
import { html } from './ui.js';
import { number } from './words.js';

const MESSAGES = ['sip', 'native', 'event'];
const SORTS = {
  all: ['Everything', () => true],
  messages: ['Messages', (i) => MESSAGES.includes(i.kind)],
  sdp: ['With SDP', (i) => i.sdp_text],
  transport: ['ICE, DTLS, media', (i) => ['ice', 'dtls', 'media'].includes(i.kind)],
  decisions: ['Decisions', (i) => ['rule', 'offer', 'state', 'note'].includes(i.kind)],
  faults: ['Faults', (i) => i.tone === 'bad'],
};

export const NO_SIFT = { lane: '', sort: 'all', word: '' };

export function sift(items, { lane, sort, word }) {
  const low = word.trim().toLowerCase();
  return items.filter((i) => (!lane || i.lane === lane) && SORTS[sort][1](i) && (!low || `${i.title}\n${i.peer ?? ''}\n${i.text ?? ''}`.toLowerCase().includes(low)));
}

/** The fault after the chosen row, else the first. */
export const nextFault = (items, chosen) => {
  const at = items.findIndex((i) => i.key === chosen), bad = items.filter((i) => i.tone === 'bad');
  return bad.find((i) => items.indexOf(i) > at) ?? bad[0];
};

/** props: timeline, items (all), shown (how many are left), value, onInput(value). */
export function Sift({ timeline, items, shown, value, onInput }) {
  const lanes = lanesOf(timeline).filter((lane) => items.some((i) => i.lane === lane));
  const side = (lane, title) => html`<button type="button" class="small" key=${lane} aria-pressed=${value.lane === lane} onClick=${() => onInput({ ...value, lane })}>${title}</button>`;
  return html`<div class="row sift"><div class="sides" role="group" aria-label="Side">${side('', 'All sides')}${lanes.map((lane) => side(lane, laneTitle(lane)))}</div>
    <label class="inline"><span class="unseen">Sort of row</span><select value=${value.sort} onChange=${(e) => onInput({ ...value, sort: e.target.value })}>${Object.entries(SORTS).map(([k, [title]]) => html`<option value=${k} selected=${k === value.sort}>${title}</option>`)}</select></label>
    <label class="inline">Find <input type="search" value=${value.word} onInput=${(e) => onInput({ ...value, word: e.target.value })} /></label>
    ${shown < items.length && html`<span class="soft" role="status">${number(shown)} of ${number(items.length)} rows</span><button type="button" class="link" onClick=${() => onInput(NO_SIFT)}>Show all</button>`}</div>`;
}
