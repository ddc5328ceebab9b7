// SPDX-License-Identifier: Apache-2.0
// Certificates in use and when they end.

import { enc, getWhole } from '../api.js';
import { trunks } from '../live.js';
import { Badge, Empty, Head, Loaded, Peer, Section, Table, Time, html, useData } from '../ui.js';
import { number, words } from '../words.js';

const TONES = { ok: 'good', soon: 'warn', expired: 'bad', unreadable: 'bad' };
const COLUMNS = [
  { head: 'State', cell: (c) => html`<${Badge} tone=${TONES[c.state] ?? 'idle'}>${c.state === 'soon' ? 'Ends soon' : words(c.state)}<//>` },
  { head: 'Used for', cell: (c) => html`${words(c.use)}${c.trunk && (trunks.value.has(c.trunk) ? html` <a href=${`#/trunks/${enc(c.trunk)}`}>${c.trunk}</a>` : html` <${Peer} text=${c.trunk} />`)}` },
  { head: 'Names', cell: (c) => html`<${Peer} text=${c.names?.join(', ') || c.subject} />` },
  { head: 'Issuer', cell: (c) => html`<${Peer} text=${c.issuer} />` },
  { head: 'Ends', cell: (c) => html`<${Time} at=${c.not_after} />` },
  { head: 'Days left', right: true, cell: (c) => number(c.days_left) },
  { head: 'File', cell: (c) => html`<code class="path"><${Peer} text=${c.file} /></code>` },
];

export function Certificates() {
  const list = useData('certificates', { ask: getWhole });
  return html`<${Head} title="Certificates" lead="Files are looked at by themselves: a new one is taken without a restart." tools=${html`<button type="button" onClick=${list.reload}>Look again</button>`} />
    <${Section} title="In use"><${Loaded} of=${list}><${Table} caption="Certificates" columns=${COLUMNS} rows=${list.data?.certificates} id=${(c, i) => i} tone=${(c) => (TONES[c.state] === 'bad' ? 'bad' : '')}
      empty=${html`<${Empty} title="No certificate is configured">TLS trunks and the service need one: <code>cert_file</code> and <code>key_file</code> in the <a href="#/config">configuration</a>.<//>`} /><//><//>`;
}
