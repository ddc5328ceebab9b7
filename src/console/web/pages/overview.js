// SPDX-License-Identifier: Apache-2.0
// What the gateway does now, and what needs somebody.

import { useMemo } from 'preact/hooks';
import { calls, config, openAlarms, overview, trunks } from '../live.js';
import { Plot } from '../plot.js';
import { Badge, Empty, Figure, Figures, Head, Loaded, Peer, Section, html, useData } from '../ui.js';
import { number, span, words } from '../words.js';
import { AlarmList } from './alarms.js';
import { CallTable } from './calls.js';
import { TrunkTable } from './trunks.js';

const times = (series) => {
  const end = Date.parse(series.at) / 1000, n = series.live.length;
  return series.live.map((_, i) => end - (n - 1 - i) * series.step_s);
};

function Graphs({ series }) {
  const x = useMemo(() => times(series), [series]);
  const last = (list) => number(list.at(-1), 1);
  return html`<div class="plots">
    <${Plot} title="Live calls" say=${`Live calls over the last ${span(series.step_s * x.length * 1000)}: now ${last(series.live)}.`} x=${x} clock series=${[{ label: 'live', ink: 'one', y: series.live }]} />
    <${Plot} title="Calls a second, and failed" say=${`New calls a second: now ${last(series.rate)}, failed ${last(series.failed)}.`} x=${x} clock series=${[{ label: 'new', ink: 'one', y: series.rate }, { label: 'failed', ink: 'bad', y: series.failed }]} />
    <${Plot} title="MOS" say=${`Mean opinion score: now ${last(series.mos)}.`} x=${x} clock range=${() => [1, 5]} series=${[{ label: 'MOS', ink: 'three', y: series.mos }]} />
  </div>`;
}

function Numbers({ now }) {
  const { calls: c, today, media, trunks: t } = now;
  return html`<${Figures}>
    <${Figure} label="Live calls" value=${number(c.live)} unit=${c.max ? `of ${number(c.max)}` : ''} note=${`${number(c.rate_s, 1)} a second`} />
    <${Figure} label="Calls today" value=${number(today.calls)} note=${`${number(today.answered)} answered, ${number(today.failed)} failed, ${number(today.refused)} refused`} />
    <${Figure} label="Answered" value=${number(today.asr, 1)} unit="%" note="of those that were tried" />
    <${Figure} label="Mean length" value=${number(today.acd_s)} unit="s" />
    <${Figure} label="Post-dial delay" value=${number(today.pdd_ms)} unit="ms" />
    <${Figure} label="Trunks online" value=${number(t.online)} unit=${`of ${number(t.total)}`} tone=${t.online < t.total ? 'bad' : ''} />
    <${Figure} label="Media" value=${media.connected ? (media.backend ?? 'connected') : 'not connected'} tone=${media.connected ? '' : 'bad'} note=${`${media.workers === 1 ? '1 worker' : `${number(media.workers)} workers`}, load ${number((media.load ?? 0) * 100)} %`} />
  <//>`;
}

function State({ now }) {
  if (now.draining) return html`<${Badge} tone="warn">Draining: no new calls<//>`;
  if (now.ready) return html`<${Badge} tone="good">Ready for calls<//>`;
  return html`<${Badge} tone="bad">Not ready: <${Peer} text=${now.reasons?.join('; ') || 'no reason given'} /><//>`;
}

function FirstSteps() {
  return html`<${Section} title="First steps"><ol class="steps">
    <li><a href="#/config">Write a trunk into the configuration</a> and commit it, or take it from an example.</li>
    <li><a href="#/trunks">See it come online</a>: OPTIONS are answered, the certificate is known.</li>
    <li><a href="#/routing">Test a number</a> before anybody dials it.</li>
    <li>Place a call: it appears here by itself, and <a href="#/calls">its ladder</a> with it.</li></ol><//>`;
}

export function Overview() {
  const asked = useData(overview.value ? null : 'overview');
  const now = overview.value ?? asked.data;
  if (!now) return html`<${Head} title="Overview" /><${Loaded} of=${asked} />`;
  const rows = [...calls.value.values()], alarms = openAlarms.value;
  const isNew = !now.today.calls && !rows.length;
  return html`<${Head} title="Overview" lead=${html`<${State} now=${now} />`} />
    ${(config.value?.confirm_by ?? now.config?.confirm_by) && html`<p class="notice"><${Badge} tone="warn">A configuration waits to be confirmed<//> <a href="#/config">Look at it</a></p>`}
    <${Numbers} now=${now} />
    ${isNew && html`<${FirstSteps} />`}
    ${alarms.length > 0 && html`<${Section} title="Alarms"><${AlarmList} rows=${alarms} /><//>`}
    ${now.series?.live?.length > 1 && html`<${Section} title="The last minutes"><${Graphs} series=${now.series} /><//>`}
    <${Section} title="Live calls" tools=${html`<a href="#/calls">All</a>`}><${CallTable} rows=${rows.slice(0, 8)} /><//>
    <${Section} title="Trunks" tools=${html`<a href="#/trunks">All</a>`}>${trunks.value.size ? html`<${TrunkTable} rows=${[...trunks.value.values()].slice(0, 8)} />` : html`<${Empty} title="No trunk is configured"><a href="#/config">Write one into the configuration</a>.<//>`}<//>
    <p class="soft">Sallyport ${words(now.version)} · instance ${now.instance} · configuration <code>${now.config?.version}</code></p>`;
}
