// SPDX-License-Identifier: Apache-2.0
// One call, live or ended: the cause in a sentence, the clock, the ladder of both legs, how it sounded.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { enc, mayOperate, maySecure, get, post, query, remove } from '../api.js';
import { BrowserStats } from '../browserstats.js';
import { Ladder, itemsOf } from '../ladder.js';
import { calls, now } from '../live.js';
import { endOf, wayName, waysOf } from '../media.js';
import { Message } from '../message.js';
import { Plot } from '../plot.js';
import { go } from '../router.js';
import { NO_SIFT, Sift, nextFault, sift } from '../sift.js';
import { Strip } from '../strip.js';
import { Badge, Confirm, Empty, Facts, Head, Loaded, Peer, ProblemBox, Section, Table, Time, html, useAct, useData } from '../ui.js';
import { DASH, duration, number, party, words } from '../words.js';

const CAPTURE_S = 30;
const INKS = ['one', 'two', 'three', 'four'];

/** Seconds of every direction on one axis. */
function seriesOf(media, pick) {
  const at = new Map(media.flatMap((m) => m.points.map((p) => [p[0], p[0]])));
  const x = [...at.keys()].sort((a, b) => a - b);
  const series = media.map((m, i) => {
    const by = new Map(m.points.map((p) => [p[0], pick(p)]));
    return { label: wayName(m), ink: INKS[i % INKS.length], y: x.map((t) => by.get(t) ?? null) };
  });
  return { x, series };
}

const PLOTS = [
  ['Loss', '%', (p) => (p[1] + p[2] ? (100 * p[2]) / (p[1] + p[2]) : null), 2],
  ['Jitter', 'ms', (p) => p[3], 10],
  ['Level', 'dB', (p) => p[4], 0],
];

/** A plot's lines as a sentence: what is usual, and the farthest from it. */
function toldOf({ series, unit }) {
  return series.map(({ label, y }) => {
    const told = y.filter((v) => v !== null);
    return told.length ? `${label}: ${number(told.reduce((sum, v) => sum + v, 0) / told.length, 1)} ${unit} on average, from ${number(Math.min(...told), 1)} to ${number(Math.max(...told), 1)}` : `${label}: nothing`;
  }).join('; ');
}

function Quality({ timeline }) {
  const media = useMemo(() => waysOf(timeline), [timeline]);
  const span = useMemo(() => [0, endOf(timeline)], [timeline]);
  const plots = useMemo(() => PLOTS.map(([title, unit, pick, least]) => ({ title, unit, least, ...seriesOf(media, pick) })), [timeline]);
  if (!media.some((m) => m.points.length)) return html`<${Empty} title="No packets were counted">Media figures come once the call is answered, second by second.<//>`;
  return html`<div class="plots">${plots.map((p) => html`<${Plot} ...${p} key=${p.title} title=${`${p.title}, ${p.unit}`} say=${`${p.title} by direction. ${toldOf(p)}`} sync="call" span=${span} unit="" />`)}</div>`;
}

const peer = (text) => text && html`<${Peer} text=${text} />`;
const isTrunk = (leg) => (leg.door ?? leg.kind) === 'trunk';
const LEG_FACTS = [
  ['Door', (l) => l.door ?? l.kind], ['State', (l) => l.state && words(l.state)], ['Peer', (l) => (isTrunk(l) && l.peer ? html`<a href=${`#/trunks/${enc(l.peer)}`}>${peer(l.peer)}</a>` : peer(l.peer))],
  ['Signaling address', (l) => peer(l.remote_addr ?? l.address)], ['Media address', (l) => peer(l.media_addr)], ['Remote user', (l) => peer(l.remote_user)],
  ['Call-ID', (l) => peer(l.sip_call_id)], ['Device', (l) => peer(l.device)], ['Codec', (l) => l.codec ?? l.media?.codec], ['SRTP', (l) => l.srtp], ['DTLS', (l) => l.dtls],
  ['MOS', (l) => l.mos && number(l.mos, 2)], ['Round trip', (l) => l.rtt_ms && `${number(l.rtt_ms, 1)} ms`],
];

const FEW_LEGS = 4;

/** Both legs side by side, fact by fact. */
function Legs({ legs }) {
  const rows = LEG_FACTS.map(([name, of]) => ({ name, cells: legs.map(of) })).filter((r) => r.cells.some(Boolean));
  const columns = [{ head: 'Leg', cell: (r) => html`<span class="soft">${r.name}</span>` }, ...legs.map((leg, i) => ({ head: leg.role ? words(leg.role) : leg.peer, cell: (r) => r.cells[i] || DASH }))];
  const table = html`<${Table} caption="Facts of the legs" columns=${columns} rows=${rows} id=${(r) => r.name} />`;
  return html`<${Section} title="Legs">${legs.length > FEW_LEGS ? html`<div class="scroll" tabindex="0" role="region" aria-label="Facts of the legs">${table}</div>` : table}<//>`;
}

const endFacts = (row, end) => [
  ['Ended', html`<${Time} at=${row.ended_at} short />`], ['Ended by', words(end.by)], ['Reason', html`<${Peer} text=${words(end.reason)} />`],
  end.sip && ['SIP status', end.sip], end.q850 && ['Q.850', end.q850], end.rule && ['Rule', end.rule], end.detail && ['Detail', html`<${Peer} text=${end.detail} />`],
];

const factsOf = (row, version) => [
  ['From', html`<${Peer} text=${party(row.from)} />`], ['To', html`<${Peer} text=${party(row.to)} />`],
  ['Direction', words(row.direction)], ['Started', html`<${Time} at=${row.started_at ?? row.created_at} />`],
  ['Answered', html`<${Time} at=${row.answered_at} short />`], ['Duration', duration(row.ended_at || !row.answered_at ? row.duration_ms : now.value - Date.parse(row.answered_at))],
  row.pdd_ms && ['Post-dial delay', `${number(row.pdd_ms)} ms`], row.mos && ['MOS', number(row.mos, 2)],
  ...(row.end ? endFacts(row, row.end) : []), ['Configuration', html`<a href="#/config"><code>${version}</code></a>`],
];

/** Where whoever asks why goes next. */
function Next({ row }) {
  const trunks = [...new Set((row.legs ?? []).filter(isTrunk).map((l) => l.peer).filter(Boolean))];
  const [from, to] = [party(row.from), party(row.to)], inbound = row.direction === 'in';
  const test = query({ called: to, caller: from, ...(inbound ? { trunk: trunks[0] } : { user: row.user ?? row.identity }) });
  return html`<nav class="next row" aria-label="Look further">
    ${trunks.map((name) => html`<a href=${`#/trunks/${enc(name)}`}>Trunk <${Peer} text=${name} /></a>`)}
    <a href=${`#/routing${test}`}>Where would this number go now?</a>
    ${to !== DASH && html`<a href=${`#/records${query({ number: to })}`}>Calls with <${Peer} text=${to} /></a>`}
    ${from !== DASH && html`<a href=${`#/records${query({ number: from })}`}>Calls with <${Peer} text=${from} /></a>`}</nav>`;
}

function Cause({ text, advice, isLive }) {
  if (text) return html`<p class="cause"><span aria-hidden="true">▲</span> <span><strong class="unseen">Cause: </strong><${Peer} text=${text} />${advice && html`<small class="advice"><strong>What to do:</strong> <${Peer} text=${advice} /></small>`}</span></p>`;
  return html`<p class="cause calm"><span aria-hidden="true">●</span> <span>${isLive ? 'Nothing is wrong with this call so far.' : 'Nothing went wrong with this call.'}</span></p>`;
}

const RECORD_MS = 500, RECORD_TRIES = 8; // the record is written after the end

/** The live row while there is one, then the record; between them what was known last. */
function useCall(id, recordId) {
  const live = calls.value.get(id), last = useRef(null), tries = useRef(0);
  if (live) last.current = live;
  const record = useData(live ? null : `records/${enc(recordId ?? id)}`);
  const isEarly = !live && (record.data ? record.data.state === 'live' : record.problem?.status === 404);
  useEffect(() => {
    const timer = isEarly && tries.current++ < RECORD_TRIES ? setTimeout(record.reload, RECORD_MS) : 0;
    return () => clearTimeout(timer);
  }, [isEarly, record.data, record.problem]);
  // Opened by its address, a call is alive as its record says until the stream has told of it.
  return { row: live ?? record.data ?? last.current, isLive: Boolean(live) || (!last.current && record.data?.state === 'live') };
}

function Digits({ id }) {
  const { act, problem, busy } = useAct();
  const [legs, setLegs] = useState(null);
  if (!maySecure()) return null;
  const show = () => act(async () => setLegs((await get(`calls/${enc(id)}/digits`)).legs));
  return html`<${Section} title="Digits"><p class="soft">Stored sealed. Looking at them is written to the audit log.</p>
    <${ProblemBox} problem=${problem} />
    ${legs ? legs.length ? html`<${Facts} rows=${legs.map((l) => [words(l.role), html`<code><${Peer} text=${l.digits || 'none'} /></code>`])} />` : html`<p>No digits were pressed.</p>`
      : html`<button type="button" disabled=${busy} onClick=${show}>Show the digits</button>`}<//>`;
}

function Tools({ id, isLive, row, timeline }) {
  const [asks, setAsks] = useState(false);
  const { act, problem } = useAct();
  const hangUp = () => {
    setAsks(false);
    act(() => remove(`calls/${enc(id)}`), 'The call is being ended.');
  };
  const file = () => URL.createObjectURL(new Blob([JSON.stringify({ record: row, timeline }, null, 1)], { type: 'application/json' }));
  const save = (event) => (event.currentTarget.href = file());
  const capture = () => act(() => post(`calls/${enc(id)}/capture`, { seconds: CAPTURE_S }), `The headers of all its media packets are kept for ${CAPTURE_S} seconds; the pcap has them.`);
  return html`${isLive && mayOperate() && html`<button type="button" onClick=${capture}>Capture ${CAPTURE_S} s<span class="unseen"> of all media headers</span></button>`}
    ${mayOperate() && html`<a class="button" href=${`/admin/v1/calls/${enc(id)}/pcap`} download=${`${id}.pcap`}>pcap</a>`}
    <a class="button" href="#/calls" download=${`${id}.json`} onClick=${save}>JSON</a>
    ${isLive && mayOperate() && html`<button type="button" class="danger" onClick=${() => setAsks(true)}>Hang up</button>`}
    ${asks && html`<${Confirm} title="End this call?" action="Hang up" danger onYes=${hangUp} onNo=${() => setAsks(false)}>Both sides are sent a BYE at once.<//>`}
    <${ProblemBox} problem=${problem} />`;
}

function useChosen(items) {
  const [chosen, setChosen] = useState(null), [value, setValue] = useState(NO_SIFT);
  const shown = useMemo(() => sift(items, value), [items, value]);
  return { item: items.find((i) => i.key === chosen), choose: setChosen, value, setValue, shown };
}

function Timeline({ timeline }) {
  const items = useMemo(() => itemsOf(timeline), [timeline]);
  const { item, choose, value, setValue, shown } = useChosen(items);
  const faults = items.filter((i) => i.tone === 'bad').length;
  const jump = () => {
    setValue(NO_SIFT);
    choose(nextFault(items, item?.key).key);
  };
  if (!items.length) return html`<${Section} title="Ladder"><${Empty} title="Nothing was captured for this call">The setting <code>records.trace</code> says of which calls a timeline is kept: all, failed, sampled or none.<//><//>`;
  const tools = html`${timeline.truncated && html`<${Badge} tone="warn">The middle was cut: the ring was full<//>`}${faults > 0 && html`<button type="button" class="small" onClick=${jump}>${faults === 1 ? 'The fault' : `Next of ${faults} faults`}</button>`}`;
  return html`<${Section} title="One clock"><${Strip} timeline=${timeline} items=${items} chosen=${item} onChoose=${choose} /><//>
    <div class=${`talk ${item ? 'with-message' : ''}`}>
      <${Section} title="Ladder" tools=${tools}>
        <${Sift} timeline=${timeline} items=${items} shown=${shown.length} value=${value} onInput=${setValue} />
        <p class="soft" id="ladder-hint">Choose a row for its message. ↑ and ↓ walk, Esc closes.</p>
        ${shown.length ? html`<${Ladder} timeline=${timeline} items=${shown} chosen=${item?.key ?? null} onChoose=${choose} />` : html`<${Empty} title="No row fits">Take something out of the filter.<//>`}<//>
      ${item && html`<${Message} item=${item} items=${shown} onChoose=${choose} />`}
    </div>
    <${Section} title="Quality"><${Quality} timeline=${timeline} /><//>`;
}

function Rest({ row, timeline }) {
  return html`${row && html`<${Section} title="Facts"><${Facts} rows=${factsOf(row, timeline?.config_version ?? row.config_version)} /><//>`}
    ${row?.legs?.length > 0 && html`<${Legs} legs=${row.legs} />`}
    ${timeline?.client?.length > 0 && html`<${Section} title="What the browser measured"><${BrowserStats} client=${timeline.client} /><//>`}`;
}

const LIVE_MS = 1000, LONG_MS = 4000, LONG = 300; // of a long ladder, not each second
const AFTER_MS = [150, 1500]; // the last messages come with the end; then what is kept is written

function useTimeline(id, isLive) {
  const [every, setEvery] = useState(LIVE_MS), was = useRef(false);
  const timeline = useData(`calls/${enc(id)}/timeline`, { every: isLive ? every : 0 });
  useEffect(() => setEvery(timeline.data?.items.length > LONG ? LONG_MS : LIVE_MS), [timeline.data]);
  useEffect(() => {
    const timers = was.current && !isLive ? AFTER_MS.map((ms) => setTimeout(timeline.reload, ms)) : [];
    was.current = isLive;
    return () => timers.forEach(clearTimeout);
  }, [isLive]);
  return timeline;
}

export function Call({ id, params }) {
  const { row, isLive } = useCall(id, params.get('record'));
  const timeline = useTimeline(id, isLive);
  const title = row ? `${party(row.from)} → ${party(row.to)}` : id;
  return html`<${Head} title=${html`<${Peer} text=${title} />`} lead=${html`${isLive ? html`<${Badge} tone="good">Live<//>` : html`<${Badge}>Ended<//>`} <code><${Peer} text=${id} /></code>`}
      tools=${html`<${Tools} id=${id} isLive=${isLive} row=${row} timeline=${timeline.data} />`} />
    ${(row || timeline.data) && html`<${Cause} text=${timeline.data?.cause ?? row?.cause_text} advice=${row?.cause_advice} isLive=${isLive} />`}${row && html`<${Next} row=${row} />`}
    <${Loaded} of=${timeline}><${Timeline} timeline=${timeline.data} /><//>
    <${Rest} row=${row} timeline=${timeline.data} />
    <${Digits} id=${id} />
    <p><a href="#/records" onClick=${(e) => history.length > 1 && (e.preventDefault(), go('/records'))}>All records</a></p>`;
}
