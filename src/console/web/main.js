// SPDX-License-Identifier: Apache-2.0
// The frame around every page: who is logged in, where we are, what is wrong, and the one event stream.

import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { login, logout, me, takeToken, whoAmI } from './api.js';
import { keepFocus } from './focus.js';
import * as live from './live.js';
import { look, place } from './router.js';
import { ThemeSwitch, ZoneSwitch, isNarrow } from './theme.js';
import { Badge, Empty, Peer, Said, html, say } from './ui.js';
import { clock, plain } from './words.js';
import { Alarms } from './pages/alarms.js';
import { Api } from './pages/api.js';
import { Audit } from './pages/audit.js';
import { Call } from './pages/call.js';
import { Calls } from './pages/calls.js';
import { Certificates } from './pages/certificates.js';
import { Config } from './pages/config.js';
import { Login } from './pages/login.js';
import { Overview } from './pages/overview.js';
import { Records } from './pages/records.js';
import { Routing } from './pages/routing.js';
import { Security } from './pages/security.js';
import { System } from './pages/system.js';
import { Trunk } from './pages/trunk.js';
import { Trunks } from './pages/trunks.js';
import { Users } from './pages/users.js';

const GROUPS = [
  ['Now', [['overview', 'Overview', Overview], ['calls', 'Live calls', Calls, Call], ['trunks', 'Trunks', Trunks, Trunk], ['alarms', 'Alarms', Alarms]]],
  ['Past', [['records', 'Records', Records], ['security', 'Security', Security], ['audit', 'Audit', Audit]]],
  ['Set up', [['routing', 'Routing', Routing], ['config', 'Configuration', Config], ['certificates', 'Certificates', Certificates], ['users', 'Users and tokens', Users]]],
  ['Machine', [['system', 'System', System], ['api', 'API', Api]]],
];
const PAGES = new Map(GROUPS.flatMap(([, list]) => list.map(([name, title, All, One]) => [name, { title, All, One }])));

/** How this person sees it, and who that is: in the head, or on a narrow screen in the menu. */
const Own = () => html`<${ZoneSwitch} /><${ThemeSwitch} /><span class="who"><${Peer} text=${me.value.user} /> <small class="soft">${me.value.role}</small></span><button type="button" class="small" onClick=${logout}>Log out</button>`;

function Nav({ isOpen, onGo }) {
  const here = place.value.params?.get('record') ? 'records' : place.value.page, alarms = live.openAlarms.value.length;
  return html`<nav id="nav" class=${isOpen ? 'open' : ''} aria-label="Pages">${GROUPS.map(([group, list]) => html`<div key=${group}><h2>${group}</h2><ul>${list.map(([name, title]) => html`<li>
    <a href=${`#/${name}`} aria-current=${here === name ? 'page' : undefined} onClick=${onGo}>${title}${name === 'alarms' && alarms > 0 && html` <span class="count">${alarms}<span class="unseen"> open</span></span>`}${name === 'calls' && live.calls.value.size > 0 && html` <span class="count calm">${live.calls.value.size}<span class="unseen"> alive</span></span>`}</a></li>`)}</ul></div>`)}${isNarrow.value && html`<div class="own"><${Own} /></div>`}</nav>`;
}

const LINKS = { open: ['good', 'Live'], waiting: ['idle', 'Connecting'], lost: ['bad', 'Not live: trying again'] };
const Link = () => html`<span class="link-state" role="status"><${Badge} tone=${LINKS[live.link.value][0]}>${LINKS[live.link.value][1]}<//></span>`;

const LOST_MS = 4000; // a stream that is opened anew at once is no news

/** What stands on the page is old: since when, said once. */
function Lost() {
  const since = live.lostSince.value;
  if (!since || live.now.value - since < LOST_MS) return null;
  return html`<p class="notice lost" role="alert"><strong>The gateway has not answered since ${clock(since)}.</strong> What stands here is from then. This page tries again by itself.</p>`;
}

function Bar({ isOpen, onMenu }) {
  return html`<header class="bar"><button type="button" class="menu" aria-expanded=${isOpen} aria-controls="nav" onClick=${onMenu}>Menu</button>
    <a class="brand" href="#/">Sallyport</a><${Link} /><span class="grow"></span>${!isNarrow.value && html`<${Own} />`}</header>`;
}

function Page() {
  const { page, thing, params } = place.value;
  const found = PAGES.get(page);
  if (!found || (thing && !found.One)) return html`<h1>There is no such page</h1><${Empty} title="Choose one from the menu" />`;
  return thing ? html`<${found.One} key=${`${page}/${thing}`} id=${thing} params=${params} />` : html`<${found.All} key=${page} params=${params} />`;
}

/** On a new page: its title (with how many alarms are open), and focus at its beginning, as a load would do. */
function useArrival(main) {
  const { page, thing } = place.value, alarms = live.openAlarms.value.length;
  const first = useRef(true);
  useEffect(() => {
    document.title = `${alarms ? `(${alarms}) ` : ''}${thing ? `${thing} · ` : ''}${PAGES.get(page)?.title ?? 'Not found'} · Sallyport`;
  }, [page, thing, alarms]);
  useEffect(() => {
    if (!first.current) main.current?.focus({ preventScroll: true });
    if (!first.current) scrollTo(0, 0);
    first.current = false;
  }, [page, thing]);
}

/** A new alarm is said once, on whatever page; those that stood before the page was opened are not. */
function useAlarmBell() {
  const known = useRef(null);
  const open = live.openAlarms.value;
  useEffect(() => {
    if (live.link.value !== 'open') return;
    const fresh = known.current && open.filter((a) => !known.current.has(a.id));
    if (fresh?.length) say(fresh.length === 1 ? `Alarm: ${plain(fresh[0].text)}` : `${fresh.length} new alarms`);
    if (known.current || open.length || live.overview.value) known.current = new Set([...(known.current ?? []), ...open.map((a) => a.id)].slice(-1000));
  }, [open]);
}

function Frame() {
  const [isOpen, setOpen] = useState(false);
  const main = useRef();
  useArrival(main);
  useAlarmBell();
  useEffect(() => {
    live.open();
    const letFocus = keepFocus();
    return () => {
      live.close();
      letFocus();
    };
  }, []);
  const skip = (event) => {
    event.preventDefault();
    main.current.focus();
  };
  const close = () => { // a link of the menu goes with it: focus is where it led to
    setOpen(false);
    if (isOpen) main.current.focus({ preventScroll: true });
  };
  const keys = (event) => {
    if (event.key !== 'Escape' || !isOpen) return;
    setOpen(false);
    document.querySelector('.menu').focus();
  };
  return html`<div class="page" onKeyDown=${keys}><a class="skip" href="#main" onClick=${skip}>To the page</a><${Bar} isOpen=${isOpen} onMenu=${() => setOpen(!isOpen)} />
    <div class="frame"><${Nav} isOpen=${isOpen} onGo=${close} /><main id="main" ref=${main} tabindex="-1"><${Lost} /><${Page} /></main></div><${Said} /></div>`;
}

function App({ first }) {
  if (me.value === undefined) return html`<p class="soft center" role="status">Loading…</p>`;
  return me.value ? html`<${Frame} />` : html`<${Login} first=${first} />`;
}

let refused = null;
async function begin() {
  const token = takeToken();
  look();
  if (!token) return whoAmI();
  try {
    return await login({ token });
  } catch (problem) {
    refused = problem;
    me.value = null;
    return undefined;
  }
}

const host = document.getElementById('app');
render(html`<${App} />`, host);
begin().then(() => render(html`<${App} first=${refused} />`, host));
addEventListener('hashchange', () => {
  if (location.hash.startsWith('#token=')) begin();
});
