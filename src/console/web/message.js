// SPDX-License-Identifier: Apache-2.0
// What was clicked in the ladder: the message as it was captured (secrets were cut out when it was), and how
// its description differs from others of the call.

import { useEffect, useRef, useState } from 'preact/hooks';
import { folded, lines } from './diff.js';
import { laneTitle, stamp } from './ladder.js';
import { Copy, Facts, Peer, html } from './ui.js';
import { plain } from './words.js';

const DIFF_CLASSES = { '+': 'come', '-': 'gone', '⋯': 'alike' };
/** Two texts, line by line; signs besides colours. */
export function Diff({ before, after, label }) {
  return html`<pre class="diff" tabindex="0" role="region" aria-label=${label}>${folded(lines(before, after)).map((l) => html`<span class=${DIFF_CLASSES[l.sign]}>${l.sign} ${plain(l.text)}${'\n'}</span>`)}</pre>`;
}

const shown = (text) => plain(text.replace(/\r\n/g, '\n'));

function Data({ data }) {
  const rows = Object.entries(data).filter(([, v]) => v !== null && v !== false).map(([k, v]) => [k.replace(/_/g, ' '), html`<${Peer} text=${typeof v === 'object' ? JSON.stringify(v) : v} />`]);
  return rows.length > 0 && html`<${Facts} rows=${rows} />`;
}

/** The head of a message, with the names of its fields set off. */
function Text({ text }) {
  return html`<pre class="message" tabindex="0" role="region" aria-label="The message">${shown(text).split('\n').map((line, i) => {
    const field = i > 0 && /^([A-Za-z][\w-]*:)(.*)$/.exec(line);
    return field ? html`<b>${field[1]}</b>${field[2]}${'\n'}` : `${line}\n`;
  })}</pre>`;
}

/** One step in the ladder as it is shown; the button stays under the finger at the ends. */
const Step = ({ to, sign, label, onChoose }) => html`<button type="button" class="small" aria-disabled=${to ? undefined : 'true'} onClick=${() => to && onChoose(to.key)}><span aria-hidden="true">${sign}</span><span class="unseen">${label}</span></button>`;

/** props: item, items (the rows that are shown: previous and next are of these), onChoose(key or null). */
export function Message({ item, items, onChoose }) {
  const [wanted, setView] = useState(''); // the name of what it is held against: it holds from message to message
  const view = item.sdp_against.findIndex((c) => c.label === wanted);
  const against = item.sdp_against[view];
  const at = items.findIndex((i) => i.key === item.key);
  const pane = useRef();
  useEffect(() => pane.current.scrollTo?.(0, 0), [item.key]);
  const keys = (event) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    onChoose(null);
  };
  return html`<aside ref=${pane} class="card message-pane" aria-labelledby="message-title" onKeyDown=${keys}>
    <header><h2 id="message-title"><${Peer} text=${item.title} /></h2>
      <div class="tools"><span class="soft">${at < 0 ? '–' : at + 1} of ${items.length}</span><span class="unseen" role="status">Row ${at + 1}: ${plain(item.title)}</span>
        <${Step} to=${items[at - 1]} sign="↑" label="The row before" onChoose=${onChoose} /><${Step} to=${items[at + 1]} sign="↓" label="The next row" onChoose=${onChoose} />
        ${item.text && html`<${Copy} text=${item.text} />`}<button type="button" class="small" onClick=${() => onChoose(null)}>Close</button></div></header>
    <p class="soft">${stamp(item.t_us)} s · ${laneTitle(item.lane)}${item.dir ? (item.dir === 'in' ? ' → Sallyport' : ' ← Sallyport') : ''}${item.peer && html` · <${Peer} text=${item.peer} />`}</p>
    ${item.data && html`<${Data} data=${item.data} />`}
    ${item.sdp_against.length > 0 && html`<div class="row tabs" role="group" aria-label="View">
      <button type="button" class="small" aria-pressed=${view < 0} onClick=${() => setView('')}>Message</button>
      <span class="soft" aria-hidden="true">SDP against</span>${item.sdp_against.map((c, i) => html`<button type="button" class="small" key=${c.label} aria-pressed=${view === i} onClick=${() => setView(c.label)}><span class="unseen">SDP against </span>${c.label}</button>`)}</div>`}
    ${against
      ? against.text === item.sdp_text
        ? html`<p>The description is the same.</p>`
        : html`<${Diff} before=${against.text} after=${item.sdp_text} label=${`Differences against ${against.label}`} />`
      : item.text ? html`<${Text} text=${item.text} />` : !item.data && html`<p class="soft">There is no more to it than its title.</p>`}
  </aside>`;
}
