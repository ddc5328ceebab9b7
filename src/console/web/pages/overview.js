// SPDX-License-Identifier: Apache-2.0
// What the gateway does now, and what needs somebody.

import { useEffect, useMemo } from 'preact/hooks';
import { enc } from '../api.js';
import { config, openAlarms, overview, skew, trunks } from '../live.js';
import { Plot } from '../plot.js';
import { Badge, Empty, Figure, Figures, Head, Loaded, Peer, Section, Table, html, useData } from '../ui.js';
import { DASH, number, span, words } from '../words.js';
import { AlarmList } from './alarms.js';
import { CallTable, latestCalls } from './calls.js';
import { FAILURES } from './records.js';
import { TrunkTable, isTrunkDown, reach, worstFirst } from './trunks.js';

const SKEW_TOLD_MS = 30_000;
const FULL = 0.9, MOS_BAD = 3.5, DAYS_BAD = 14;
const isFull = (c) => Boolean(c.max) && c.live >= FULL * c.max;

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

/** What reaches its callee least often, and the certificate that ends first. */
const worstOf = (rows) => worstFirst(rows).find((t) => reach(t) <= 100);
const firstToEnd = (rows) => (rows ?? []).filter((c) => Number.isFinite(c.days_left)).toSorted((a, b) => a.days_left - b.days_left)[0];
const lastOf = (list) => (list ?? []).findLast((v) => v !== null);

const CallFigures = ({ calls: c, mos }) => html`
    <${Figure} label="Live calls" value=${number(c.live)} unit=${c.max ? `of ${number(c.max)}` : ''} tone=${isFull(c) ? 'bad' : ''} />
    <${Figure} label="New calls" value=${number(c.rate_s, 1)} unit="a second" />
    <${Figure} label="MOS" value=${number(mos ?? null, 2)} note="the latest mean" tone=${mos && mos < MOS_BAD ? 'bad' : ''} />`;

const TodayFigures = ({ today }) => html`
    <${Figure} label="Answered today" value=${number(today.asr, 1)} unit="%" note=${`${number(today.answered)} of ${number(today.calls)}; ${number(today.failed)} failed, ${number(today.refused)} refused`} />
    <${Figure} label="Post-dial delay" value=${number(today.pdd_ms)} unit="ms" note=${`mean length ${today.acd_s ? `${number(today.acd_s)} s` : DASH}`} />`;

const TrunkFigures = ({ trunks: t, worst }) => html`
    <${Figure} label="Trunks online" value=${number(t.online)} unit=${`of ${number(t.total)}`} tone=${t.online < t.total ? 'bad' : ''} />
    <${Figure} label="Worst trunk reaches" value=${worst ? number(reach(worst), 1) : DASH} unit="%" note=${worst ? html`<a href=${`#/trunks/${enc(worst.name)}`}><${Peer} text=${worst.name} /></a>` : 'too few calls so far'} />`;

const CertificateFigure = ({ ends }) => html`<${Figure} label="First certificate ends" value=${ends ? number(ends.days_left) : DASH} unit="days left" tone=${ends && ends.days_left < DAYS_BAD ? 'bad' : ''}
      note=${ends ? html`<a href="#/certificates">${words(ends.use)}</a>${ends.trunk && html` <${Peer} text=${ends.trunk} />`}` : ''} />`;

const MediaFigure = ({ media }) => html`<${Figure} label="Media" value=${media.connected ? (media.backend ?? 'connected') : 'not connected'} tone=${media.connected ? '' : 'bad'} note=${`${media.workers === 1 ? '1 worker' : `${number(media.workers)} workers`}, load ${number((media.load ?? 0) * 100)} %`} />`;

const Numbers = ({ now, rows, alarms, ends }) => html`<${Figures}>
    <${CallFigures} calls=${now.calls} mos=${lastOf(now.series?.mos)} /><${TodayFigures} today=${now.today} /><${TrunkFigures} trunks=${now.trunks} worst=${worstOf(rows)} />
    <${Figure} label="Alarms" value=${number(alarms)} unit="open" tone=${alarms ? 'bad' : ''} /><${CertificateFigure} ends=${ends} /><${MediaFigure} media=${now.media} /><//>`;

/** What is wrong besides the alarms: [tone, sentence, page, word of the link]. */
function needsOf({ now, rows, alarms, ends, pending }) {
  const told = new Set(alarms.map((a) => a.what ?? a.trunk)), { live, max } = now.calls;
  return [
    !now.media.connected && ['bad', 'The media program is not connected: no call has a sound.', 'system', 'Look at the machine'],
    pending && ['warn', 'A configuration is on probation: unless somebody confirms it, it is taken back.', 'config', 'Look at it'],
    isFull(now.calls) && ['warn', `${number(live)} of ${number(max)} calls are alive: soon new ones are refused.`, 'calls', 'See who calls'],
    ...rows.filter((t) => isTrunkDown(t) && !told.has(t.name)).slice(0, 10).map((t) => ['bad', `Trunk ${t.name} is down.`, `trunks/${enc(t.name)}`, 'See why']),
    ends && ends.days_left < DAYS_BAD && !alarms.some((a) => /certificate/i.test(a.kind)) && ['warn', ends.days_left < 0 ? 'A certificate has ended.' : `A certificate ends in ${number(ends.days_left)} days.`, 'certificates', 'See which'],
  ].filter(Boolean);
}

const Needs = ({ needs, alarms }) => (needs.length || alarms.length) > 0 && html`<${Section} title="Needs somebody">
    ${needs.length > 0 && html`<ul class="needs">${needs.map(([tone, sentence, page, word]) => html`<li key=${sentence}><${Badge} tone=${tone}>${tone === 'bad' ? 'Fault' : 'Soon'}<//> <${Peer} text=${sentence} /> <a href=${`#/${page}`}>${word}<span class="unseen">: ${sentence}</span></a></li>`)}</ul>`}
    ${alarms.length > 0 && html`<${AlarmList} rows=${alarms} />`}<//>`;

const FAILED_MAX = 5;

/** What went wrong last, with why. */
function Failures({ failed }) {
  const list = useData(`records?cause=any&limit=${FAILED_MAX}`);
  useEffect(() => {
    if (list.data) list.reload();
  }, [failed]);
  const rows = list.data?.records ?? [];
  return rows.length > 0 && html`<${Section} title="Went wrong last" tools=${html`<a href="#/records?cause=any">All of them</a>`}><${Table} caption="Calls that went wrong, latest first" columns=${FAILURES} rows=${rows} /><//>`;
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

const Skew = () => Math.abs(skew.value) >= SKEW_TOLD_MS && html`<p class="soft">The clock of this machine is ${span(skew.value)} ${skew.value > 0 ? 'behind' : 'ahead of'} the gateway's. What stands here is by the gateway's.</p>`;

export function Overview() {
  const asked = useData(overview.value ? null : 'overview');
  const certificates = useData('certificates', { every: 600_000 });
  const now = overview.value ?? asked.data;
  if (!now) return html`<${Head} title="Overview" /><${Loaded} of=${asked} />`;
  const rows = latestCalls(), alarms = openAlarms.value, all = [...trunks.value.values()];
  const isNew = !now.today.calls && !rows.length;
  const pending = config.value?.confirm_by ?? now.config?.confirm_by, ends = firstToEnd(certificates.data?.certificates);
  return html`<${Head} title="Overview" lead=${html`<${State} now=${now} />`} />
    <${Needs} needs=${needsOf({ now, rows: all, alarms, ends, pending })} alarms=${alarms} />
    <${Numbers} now=${now} rows=${all} alarms=${alarms.length} ends=${ends} />
    ${isNew ? html`<${FirstSteps} />` : html`<${Failures} failed=${now.today.failed + now.today.refused} />`}
    ${now.series?.live?.length > 1 && html`<${Section} title="The last minutes"><${Graphs} series=${now.series} /><//>`}
    <${Section} title="Live calls" tools=${html`<a href="#/calls">All<span class="unseen"> live calls</span></a>`}><${CallTable} rows=${rows.slice(0, 8)} /><//>
    <${Section} title="Trunks" tools=${html`<a href="#/trunks">All<span class="unseen"> trunks</span></a>`}>${all.length ? html`<${TrunkTable} rows=${worstFirst(all).slice(0, 8)} />` : html`<${Empty} title="No trunk is configured"><a href="#/config">Write one into the configuration</a>.<//>`}<//>
    <p class="soft">Sallyport ${words(now.version)} · instance ${now.instance} · configuration <code>${now.config?.version}</code></p>
    <${Skew} />`;
}
