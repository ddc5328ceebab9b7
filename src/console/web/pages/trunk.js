// SPDX-License-Identifier: Apache-2.0
// One trunk: status, settings, and its doctor.

import { useEffect, useState } from 'preact/hooks';
import { enc, mayAdmin, mayOperate, get, post, query, remove, send } from '../api.js';
import { calls, trunks } from '../live.js';
import { go } from '../router.js';
import { SettingsForm, useTrunkSchema } from '../settingsform.js';
import { Badge, Confirm, Copy, Empty, Facts, Figure, Figures, Head, Loaded, Peer, Pre, ProblemBox, Section, Table, Time, html, say, useAct, useData } from '../ui.js';
import { number, words } from '../words.js';
import { CallTable } from './calls.js';
import { TrunkState, expiry } from './trunks.js';

const RESULTS = { passed: 'good', failed: 'bad', not_offered: 'idle', skipped: 'idle', running: 'info' };

const said = (v) => (v === 'unknown' ? 'Nothing seen yet' : words(v));

function Status({ row }) {
  const f = row.figures ?? {}, reg = row.registration;
  return html`<${Figures}>
      <${Figure} label="Calls" value=${number(row.calls)} />
      <${Figure} label="Tried" value=${number(f.seizures)} note=${`${number(f.answered)} answered`} />
      <${Figure} label="Reached" value=${number(f.seizures ? f.ner_percent : null, 1)} unit="%" note=${f.weak_sample ? 'network effectiveness; few calls so far' : 'network effectiveness'} />
      <${Figure} label="Mean length" value=${number(f.answered ? f.acd_s : null)} unit="s" />
      <${Figure} label="OPTIONS" value=${number(row.options_answered)} unit=${`of ${number(row.options_sent)}`} note=${`${number(row.options_received)} received`} /><//>
    <${Facts} rows=${[
      ['State', html`<${TrunkState} trunk=${row} />`], ['TLS', said(row.tls)], ['OPTIONS', `${said(row.options)}${row.last_status ? `, last answer ${row.last_status}` : ''}`],
      ['Name in TLS and SIP', html`<${Peer} text=${row.fqdn} />`], row.base && ['Base', html`<a href=${`#/trunks/${enc(row.base)}`}>${row.base}</a>`],
      row.last_received_ms > 0 && ['Last OPTIONS from it', html`<${Time} at=${row.last_received_ms} />`],
      ['Our certificate ends', expiry(row.certificate_expiry_s)], ['Its certificate ends', expiry(row.peer_certificate_expiry_s)],
      reg?.state && ['Registration', html`${words(reg.state)}${reg.last_status ? ` (${reg.last_status})` : ''}`],
    ]} />
    ${row.targets?.length > 0 && html`<${Table} caption="Targets" rows=${row.targets} id=${(t) => t.uri} columns=${[
      { head: 'Target', cell: (t) => html`<code><${Peer} text=${t.uri} /></code>` }, { head: 'State', cell: (t) => html`<${TrunkState} trunk=${t} />` }]} />`}
    ${reg?.bindings?.length > 0 && html`<${Table} caption="Who registered" rows=${reg.bindings} id=${(b) => b.contact} columns=${[
      { head: 'Contact', cell: (b) => html`<code><${Peer} text=${b.contact} /></code>` }, { head: 'From', cell: (b) => b.source }, { head: 'Until', cell: (b) => html`<${Time} at=${b.until_ms} />` }]} />`}`;
}

/** What differs, as a merge patch (RFC 7396): what stays keeps its comments in the file. */
function patchOf(before, after) {
  const patch = {};
  for (const key of Object.keys(before)) if (!(key in after)) patch[key] = null;
  for (const [key, value] of Object.entries(after)) if (JSON.stringify(value) !== JSON.stringify(before[key])) patch[key] = value;
  return patch;
}

function JsonForm({ settings, onSave, onCancel, onStale }) {
  const [text, setText] = useState(JSON.stringify(settings, null, 2));
  const { act, problem, busy } = useAct();
  const save = () => act(async () => {
    let body;
    try {
      body = JSON.parse(text);
    } catch (error) {
      throw Object.assign(new Error(error.message), { title: 'This is not JSON' });
    }
    await onSave(body);
  });
  return html`<${ProblemBox} problem=${problem} onReload=${onStale && (() => act(onStale))} /><label for="settings-text">Settings as JSON; secrets stay while they read (kept)</label>
    <textarea id="settings-text" class="code" rows="18" spellcheck="false" value=${text} onInput=${(e) => setText(e.target.value)}></textarea>
    <div class="row end"><button type="button" onClick=${onCancel}>Cancel</button><button type="button" class="primary" disabled=${busy} onClick=${save}>Save</button></div>`;
}

function Remove({ name, etag, onProblem }) {
  const [asks, setAsks] = useState(false);
  const { act, busy } = useAct();
  const gone = () => {
    setAsks(false);
    act(() => send('DELETE', `trunks/${enc(name)}`, { etag }).then(() => go('/trunks'), onProblem), 'The trunk was taken out.');
  };
  return html`<button type="button" class="danger" disabled=${busy} onClick=${() => setAsks(true)}>Take the trunk out</button>
    ${asks && html`<${Confirm} title=${`Take ${name} out of the configuration?`} action="Take out" danger onYes=${gone} onNo=${() => setAsks(false)}>Its calls go on, no new ones come or go. The history of the configuration can bring it back.<//>`}`;
}

/** What is changed goes as a merge patch, so that the rest stays as it is. */
function Settings({ name }) {
  const one = useData(`trunks/${enc(name)}`), schema = useTrunkSchema();
  const [how, setHow] = useState(null);
  const [refused, setRefused] = useState(null);
  const [newer, setNewer] = useState(null); // its tag, when somebody was faster: only what is changed here goes on top of theirs
  const settings = one.data?.settings;
  const close = () => {
    setHow(null);
    setNewer(null);
    setRefused(null);
    one.reload();
  };
  const stale = async () => setNewer((await get(`trunks/${enc(name)}`)).etag);
  const save = async (after) => {
    await send('PATCH', `trunks/${enc(name)}`, { body: patchOf(settings, after), etag: newer ?? one.data.etag });
    say('The trunk was changed.');
    close();
  };
  const tools = settings && mayAdmin() && how === null && html`${schema && html`<button type="button" onClick=${() => setHow('form')}>Edit</button>`}<button type="button" onClick=${() => setHow('json')}>Edit as JSON</button><${Remove} name=${name} etag=${one.data.etag} onProblem=${setRefused} />`;
  return html`<${Section} title="Settings" tools=${tools}><${ProblemBox} problem=${refused} onReload=${close} />${newer && html`<p class="notice" role="status">What you change here is put on top of what somebody else saved meanwhile. Save again.</p>`}<${Loaded} of=${one}>
      ${how === 'form' ? html`<${SettingsForm} schema=${schema} settings=${settings} action="Save" onSave=${save} onCancel=${close} onStale=${stale} />`
        : how === 'json' ? html`<${JsonForm} settings=${settings} onSave=${save} onCancel=${close} onStale=${stale} />`
          : html`<${Pre} label="Settings of this trunk" text=${JSON.stringify(settings ?? {}, null, 2)} />`}<//><//>`;
}

const CHECKS = [
  { head: 'Check', cell: (c) => html`<${Peer} text=${c.title} /> <small class="soft">${c.group}${c.rfc ? `, ${c.rfc}` : ''}</small>${c.proves && html`<br /><small class="soft">${c.proves}</small>`}` },
  { head: 'Result', cell: (c) => html`<${Badge} tone=${RESULTS[c.result] ?? 'idle'}>${words(c.result)}<//>` },
  { head: 'Seen', cell: (c) => html`<${Peer} text=${c.seen} />` },
  { head: 'What to change', cell: (c) => html`<${Peer} text=${c.advice} />` },
  { head: 'Took', right: true, cell: (c) => html`<span class="short">${number(c.ms)} ms</span>` },
];

const SKIPPED = [
  { head: 'Why', cell: (g) => html`<${Peer} text=${g.seen} />` },
  { head: 'What to change', cell: (g) => html`<${Peer} text=${g.advice} />` },
  { head: 'Checks', cell: (g) => html`<details><summary>${number(g.titles.length)} ${g.titles.length === 1 ? 'check' : 'checks'}</summary><${Peer} text=${g.titles.join('; ')} /></details>` },
];

/** What could not be tried, by its reason: most of them wait for one setting. */
function Skipped({ checks }) {
  const groups = new Map();
  for (const c of checks) {
    const key = `${c.seen} ${c.advice}`, g = groups.get(key) ?? { key, seen: c.seen, advice: c.advice, titles: [] };
    g.titles.push(c.title);
    groups.set(key, g);
  }
  const rows = [...groups.values()].sort((a, b) => b.titles.length - a.titles.length);
  return html`<h3>Could not be tried</h3><${Table} caption="Checks that were skipped, by reason" columns=${SKIPPED} rows=${rows} id=${(g) => g.key} />`;
}

function Report({ run }) {
  const s = run.summary;
  const isRunning = run.state === 'running';
  const made = run.checks.filter((c) => c.result !== 'skipped'), skipped = run.checks.filter((c) => c.result === 'skipped');
  const rows = isRunning ? made : made.toSorted((a, b) => (b.result === 'failed') - (a.result === 'failed'));
  return html`<div class="row examined"><span role="status">${isRunning ? html`<${Badge} tone="info">Running<//>` : html`<${Badge} tone=${s?.failed ? 'bad' : 'good'}>${words(run.state)}: ${number(s?.passed)} passed, ${number(s?.failed)} failed, ${number(s?.not_offered)} not offered${skipped.length ? `, ${number(skipped.length)} skipped` : ''}<//>`}</span>${isRunning && html`<span class="soft">${run.checks.length} checks so far</span>`}${run.detail && html`<${Peer} text=${run.detail} />`}<span class="grow"></span><a href=${`/admin/v1/doctor/${enc(run.id)}?format=html`} target="_blank" rel="noopener">Report to print</a> <a href=${`/admin/v1/doctor/${enc(run.id)}?format=text`} target="_blank" rel="noopener">as text</a><button type="button" class="tools small" onClick=${() => globalThis.print()}>Print</button></div>
    <${Table} caption="Checks of this trunk" columns=${CHECKS} rows=${rows} tone=${(c) => (c.result === 'failed' ? 'bad' : '')} empty=${html`<p class="soft">The first check is under way.</p>`} />
    ${skipped.length > 0 && html`<${Skipped} checks=${skipped} />`}
    ${run.profile?.diff && html`<${Profile} key=${run.id} run=${run} />`}`;
}

const CHANGES = [
  { head: 'Setting', cell: (c) => html`<code><${Peer} text=${c.path} /></code>` },
  { head: 'Now', cell: (c) => html`<${Peer} text=${c.old} />` },
  { head: 'Then', cell: (c) => html`<${Peer} text=${c.new} />` },
];

/** What a run proposes: read, looked at as a change of the file, taken into force on probation. */
function Profile({ run }) {
  const [change, setChange] = useState(null);
  const [isDone, setDone] = useState(false);
  const { act, problem, busy } = useAct();
  const look = () => act(async () => setChange(await post(`trunks/${enc(run.trunk)}/diff`, run.profile.patch)));
  const apply = () => act(async () => {
    await send('POST', 'config/commit', { body: { text: change.text, comment: `Trunk Doctor ${run.id}`, confirm_s: 300 }, etag: change.etag });
    setDone(true);
  }, 'Committed on probation: confirm it.');
  return html`<h3>Proposed profile</h3><p class="soft">What was learnt, as a change of the configuration. Nothing is changed by itself.</p>
    <${Pre} label="Proposed profile" text=${run.profile.diff} />
    <div class="row tools"><${Copy} text=${run.profile.diff} />${mayOperate() && !isDone && html`<button type="button" disabled=${busy} onClick=${look}>See what it changes</button>`}</div>
    ${change && !isDone && html`<h4>What changes</h4>${change.errors.length > 0 && html`<p role="alert"><${Badge} tone="bad">${change.errors.length} errors: it cannot be taken<//></p>`}
      <${Table} caption="Settings that the profile changes" columns=${CHANGES} rows=${change.changes} id=${(c) => c.path} /><${Pre} label="The file, line by line" text=${change.unified} />
      ${mayAdmin() && !change.errors.length && html`<div class="row end tools"><button type="button" class="primary" disabled=${busy} onClick=${apply}>Apply for five minutes, on probation</button></div>`}`}
    ${isDone && html`<p role="status"><${Badge} tone="warn">On probation<//> It is taken back in five minutes unless somebody <a href="#/config">confirms it</a>.</p>`}
    <${ProblemBox} problem=${problem} />`;
}

const LOOK_MS = 700, LOOK_AGAIN_MS = 3000; // while it runs; when it could not be asked

function Doctor({ name }) {
  const past = useData('doctor');
  const [id, setId] = useState(null);
  const shown = id ?? past.data?.runs?.find((r) => r.trunk === name)?.id ?? past.data?.doctor?.find((r) => r.trunk === name)?.id;
  const [run, setRun] = useState(null);
  const { act, problem, busy } = useAct();
  useEffect(() => {
    if (!shown) return undefined;
    let timer = 0, gone = false;
    const look = async () => {
      const next = await get(`doctor/${enc(shown)}`).catch(() => null);
      if (gone) return;
      if (next) setRun(next);
      if (!next || next.state === 'running') timer = setTimeout(look, next ? LOOK_MS : LOOK_AGAIN_MS);
    };
    look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [shown]);
  const start = () => act(async () => setId((await post(`trunks/${enc(name)}/doctor`)).id), 'The doctor has begun.');
  const running = run?.state === 'running';
  return html`<${Section} title="Doctor" tools=${mayOperate() && html`${running && html`<button type="button" onClick=${() => act(() => remove(`doctor/${enc(shown)}`))}>Stop</button>`}
      <button type="button" class="primary" disabled=${busy || running} onClick=${start}>${run ? 'Examine again' : 'Examine this trunk'}</button>`}>
    <${ProblemBox} problem=${problem} />
    ${run ? html`<${Report} run=${run} />` : html`<${Empty} title="Not examined yet">The doctor proves a trunk with real calls in a small budget of its own, before customers do: name, TLS, OPTIONS, RTP both ways, hold, digits, codecs. Each check says what was seen and what to change.<//>`}<//>`;
}

function Drain({ row }) {
  const [asks, setAsks] = useState(false);
  const { act, problem, busy } = useAct();
  if (!mayOperate()) return null;
  const on = row.enabled !== false;
  const drain = () => {
    setAsks(false);
    act(() => post(`trunks/${enc(row.name)}/drain`, { on }), on ? 'No new calls go to this trunk.' : 'The trunk takes calls again.');
  };
  return html`<button type="button" disabled=${busy} onClick=${() => (on ? setAsks(true) : drain())}>${on ? 'Drain' : 'Take calls again'}</button>
    ${asks && html`<${Confirm} title="Drain this trunk?" action="Drain" onYes=${drain} onNo=${() => setAsks(false)}>Its calls go on, new ones go another way or are refused.<//>`}<${ProblemBox} problem=${problem} />`;
}

export function Trunk({ id }) {
  const live = trunks.value.get(id);
  const asked = useData(live ? null : `trunks/${enc(id)}`);
  const row = live ?? asked.data?.status;
  const its = [...calls.value.values()].filter((c) => c.trunk === id || c.legs?.some((l) => l.peer === id));
  return html`<${Head} title=${html`<${Peer} text=${id} />`} lead=${html`Trunk ${row && html`<${TrunkState} trunk=${row} />`}`} tools=${row && html`<${Drain} row=${row} />`} />
    <nav class="next row" aria-label="Look further"><a href=${`#/records${query({ trunk: id, cause: 'any' })}`}>What went wrong with it</a><a href=${`#/records${query({ trunk: id })}`}>All its calls</a><a href="#/certificates">Certificates</a></nav>
    ${row ? html`<${Section} title="Status"><${Status} row=${row} /><//>` : html`<${Loaded} of=${asked}><p class="soft">No status yet.</p><//>`}
    <${Doctor} name=${id} />
    <${Section} title="Live calls of this trunk"><${CallTable} rows=${its.slice(0, 50)} /><//>
    <${Settings} name=${id} />`;
}
