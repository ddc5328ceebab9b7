// SPDX-License-Identifier: Apache-2.0
// What needs somebody, and what needed somebody.

import { enc, getWhole, mayOperate, post } from '../api.js';
import { alarms } from '../live.js';
import { Badge, Empty, Head, Loaded, Peer, ProblemBox, Section, Table, Time, html, useAct, useData } from '../ui.js';
import { words } from '../words.js';

const TONES = { critical: 'bad', error: 'bad', warning: 'warn', info: 'info' };
const WEIGHT = ['critical', 'error', 'warning', 'info'];

/** Those that are open have no end to show. */
export function AlarmList({ rows }) {
  const { act, problem } = useAct();
  const ack = (a) => act(() => post(`alarms/${enc(a.id)}/ack`), 'Acknowledged.');
  const columns = [
    { head: 'Severity', cell: (a) => html`<${Badge} tone=${TONES[a.severity] ?? 'idle'}>${words(a.severity)}<//>` },
    { head: 'What', cell: (a) => html`<${Peer} text=${a.text} />` },
    { head: 'Where', cell: (a) => html`<${Peer} text=${a.what ?? a.trunk} />` },
    { head: 'Since', cell: (a) => html`<${Time} at=${a.raised_at} />` },
    { head: 'Over', cell: (a) => html`<${Time} at=${a.cleared_at} />` },
    { head: 'Seen by', cell: (a) => (a.acked_by ? html`<${Peer} text=${a.acked_by} />` : mayOperate() && !a.cleared_at ? html`<button type="button" class="small" onClick=${() => ack(a)}>Acknowledge<span class="unseen">: ${a.text}</span></button>` : '–') },
  ];
  const sorted = [...rows].sort((a, b) => WEIGHT.indexOf(a.severity) - WEIGHT.indexOf(b.severity) || String(b.raised_at).localeCompare(String(a.raised_at)));
  const isPast = rows.some((a) => a.cleared_at);
  return html`<${ProblemBox} problem=${problem} /><${Table} caption="Alarms" columns=${isPast ? columns : columns.filter((c) => c.head !== 'Over')} rows=${sorted} />`;
}

export function Alarms() {
  const asked = useData('alarms', { ask: getWhole });
  const by = new Map((asked.data?.alarms ?? []).map((a) => [a.id, a]));
  for (const [id, a] of alarms.value) by.set(id, a);
  const rows = [...by.values()], open = rows.filter((a) => !a.cleared_at), past = rows.filter((a) => a.cleared_at);
  return html`<${Head} title="Alarms" lead=${open.length ? `${open.length} open` : 'None is open'} />
    <${Section} title="Open"><${Loaded} of=${asked}>${open.length ? html`<${AlarmList} rows=${open} />` : html`<${Empty} title="All is well">Trunks that fall silent, certificates that end and limits that are reached are told here, and on every page's head.<//>`}<//><//>
    ${past.length > 0 && html`<${Section} title="Over"><${AlarmList} rows=${past} /><//>`}`;
}
