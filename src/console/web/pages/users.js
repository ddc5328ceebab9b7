// SPDX-License-Identifier: Apache-2.0
// Operators, tokens of programs, tokens of the service's users.

import { useState } from 'preact/hooks';
import { enc, getWhole, mayAdmin, mayOperate, maySecure, me, post, remove, roles, send } from '../api.js';
import { Badge, Confirm, Copy, Empty, Field, Head, Loaded, Peer, ProblemBox, Section, Table, Time, html, useAct, useData } from '../ui.js';
import { now } from '../live.js';
import { words } from '../words.js';

const roleOptions = () => roles.filter((r) => r !== 'admin' || mayAdmin()).map((r) => [r, words(r)]);

/** What a role may, in short: roles.def has the whole. */
const MAY = { viewer: 'Sees all, changes nothing', operator: 'Sees; hangs up, drains, examines, acknowledges', security: 'Sees; bans, audit, digits, users', admin: 'Everything' };

function useForm(first) {
  const [form, set] = useState(first);
  const field = (name, problem) => ({ name, value: form[name], problem, onInput: (v) => set({ ...form, [name]: v }) });
  return { form, field, clear: () => set(first) };
}

function NewUser({ onDone }) {
  const { form, field, clear } = useForm({ name: '', role: 'viewer', password: '' });
  const { act, problem, busy } = useAct();
  const submit = (event) => {
    event.preventDefault();
    act(async () => {
      await post('users', form);
      clear();
      onDone();
    }, `${form.name} can log in here with this password.`);
  };
  return html`<form class="grid" onSubmit=${submit}>
    <${Field} label="Name" required autocomplete="off" ...${field('name', problem)} />
    <${Field} label="Role" options=${roleOptions()} hint=${MAY[form.role]} ...${field('role', problem)} />
    <${Field} label="Password" hint="12 characters or more" type="password" minlength="12" required autocomplete="new-password" ...${field('password', problem)} />
    <div class="row end"><button class="primary" disabled=${busy}>Add</button></div></form><${ProblemBox} problem=${problem} />`;
}

function Operators() {
  const list = useData('users', { ask: getWhole });
  const [gone, setGone] = useState(null);
  const { act, problem } = useAct();
  const patch = (u, body, done) => act(async () => {
    const { etag } = await send('GET', `users/${enc(u.name)}`);
    await send('PATCH', `users/${enc(u.name)}`, { body, etag });
    list.reload();
  }, done);
  const drop = (u) => {
    setGone(null);
    act(async () => {
      const { etag } = await send('GET', `users/${enc(u.name)}`);
      await remove(`users/${enc(u.name)}`, { etag });
      list.reload();
    }, `${u.name} is gone.`);
  };
  const columns = [
    { head: 'Name', cell: (u) => html`<${Peer} text=${u.name} />` },
    { head: 'Role', cell: (u) => html`<select aria-label=${`Role of ${u.name}`} value=${u.role} onChange=${(e) => patch(u, { role: e.target.value }, 'The role was changed.')}>${roles.map((r) => html`<option value=${r} selected=${r === u.role} disabled=${r === 'admin' && !mayAdmin()}>${words(r)}</option>`)}</select>` },
    { head: 'State', cell: (u) => (u.locked ? html`<${Badge} tone="warn">Locked<//>` : html`<${Badge} tone="good">Active<//>`) },
    { head: 'Last login', cell: (u) => html`<${Time} at=${u.last_login_at} />` },
    { head: 'Made', cell: (u) => html`<${Time} at=${u.created_at} />` },
    { head: '', cell: (u) => u.name !== me.value?.user && html`<button type="button" class="small" onClick=${() => patch(u, { locked: !u.locked }, u.locked ? 'Unlocked.' : 'Locked.')}>${u.locked ? 'Unlock' : 'Lock'}<span class="unseen"> ${u.name}</span></button> <button type="button" class="small danger" onClick=${() => setGone(u)}>Remove<span class="unseen"> ${u.name}</span></button>` },
  ];
  return html`<${Section} title="Operators"><${NewUser} onDone=${list.reload} /><${ProblemBox} problem=${problem} />
    <${Loaded} of=${list}><${Table} caption="Operators" columns=${columns} rows=${list.data?.users} id=${(u) => u.name} empty=${html`<${Empty} title="Nobody but the admin token">Add an operator for each person, so that the audit log can name who did what.<//>`} /><//>
    ${gone && html`<${Confirm} title=${`Remove ${gone.name}?`} action="Remove" danger onYes=${() => drop(gone)} onNo=${() => setGone(null)}>Who is logged in as this operator is logged out.<//>`}<//>`;
}

function Secret({ token }) {
  return html`<div class="notice" role="status"><p><strong>This is shown once.</strong> Keep it where secrets are kept.</p><p><code class="wrap">${token}</code></p><${Copy} text=${token} label="Copy the token" /></div>`;
}

function ApiTokens() {
  const list = useData('api-tokens', { ask: getWhole });
  const { form, field, clear } = useForm({ name: '', role: 'viewer', days: '90' });
  const [token, setToken] = useState(null);
  const { act, problem, busy } = useAct();
  const submit = (event) => {
    event.preventDefault();
    act(async () => {
      const made = await post('api-tokens', { name: form.name, role: form.role, expires_at: form.days ? new Date(now.value + form.days * 86_400_000).toISOString() : undefined });
      setToken(made.token);
      clear();
      list.reload();
    });
  };
  const columns = [
    { head: 'Name', cell: (t) => html`<${Peer} text=${t.name} />` },
    { head: 'Role', cell: (t) => words(t.role) },
    { head: 'Last used', cell: (t) => html`<${Time} at=${t.last_used_at} />` },
    { head: 'Ends', cell: (t) => html`<${Time} at=${t.expires_at} />` },
    { head: '', cell: (t) => html`<button type="button" class="small danger" onClick=${() => act(() => remove(`api-tokens/${enc(t.id)}`).then(list.reload), 'The token is void.')}>Revoke<span class="unseen"> ${t.name}</span></button>` },
  ];
  return html`<${Section} title="Tokens of programs"><form class="grid" onSubmit=${submit}>
      <${Field} label="What it is for" required ...${field('name', problem)} />
      <${Field} label="Role" options=${roleOptions()} hint=${MAY[form.role]} ...${field('role', problem)} />
      <${Field} label="Days" type="number" min="1" pointer="/expires_at" ...${field('days', problem)} />
      <div class="row end"><button class="primary" disabled=${busy}>Make</button></div></form>
    <${ProblemBox} problem=${problem} />${token && html`<${Secret} token=${token} />`}
    <${Loaded} of=${list}><${Table} caption="API tokens" columns=${columns} rows=${list.data?.api_tokens ?? list.data?.['api-tokens'] ?? list.data?.tokens} empty=${html`<${Empty} title="No program has a token">A monitoring system needs the role viewer, no more.<//>`} /><//><//>`;
}

function ServiceTokens() {
  const { form, field } = useForm({ identity: '', hours: '1' });
  const [token, setToken] = useState(null);
  const { act, problem, busy } = useAct();
  const submit = (event) => {
    event.preventDefault();
    act(async () => setToken(await post('tokens', { identity: form.identity, scopes: ['call.place', 'call.receive', 'call.control'], ttl_s: Math.round(form.hours * 3600) })));
  };
  return html`<${Section} title="Tokens of the service's users"><p class="soft">For phones and apps; your service makes them by <code>POST /admin/v1/tokens</code>. One by hand, to try:</p>
    <form class="grid" onSubmit=${submit}><${Field} label="User" required pointer="/identity" ...${field('identity', problem)} />
      <${Field} label="Hours" type="number" min="0.1" max="24" step="0.1" pointer="/ttl_s" ...${field('hours', problem)} />
      <div class="row end"><button class="primary" disabled=${busy}>Make</button></div></form>
    <${ProblemBox} problem=${problem} />${token && html`<${Secret} token=${token.token} />`}
    <${Revoke} /><//>`;
}

function Revoke() {
  const { form, field, clear } = useForm({ jti: '' });
  const { act, problem, busy } = useAct();
  const submit = (event) => {
    event.preventDefault();
    act(() => remove(`tokens/${enc(form.jti.trim())}`).then(clear), 'The token is void.');
  };
  return html`<h3>Revoke one</h3><form class="grid" onSubmit=${submit}><${Field} label="Its id" hint="The member jti" required ...${field('jti', problem)} />
    <div class="row end"><button class="danger" disabled=${busy}>Revoke</button></div></form><${ProblemBox} problem=${problem} />`;
}

/** Only who logged in by name has a password to change; all sessions of the name end with it. */
function MyPassword() {
  const { form, field, clear } = useForm({ old: '', new: '' });
  const { act, problem, busy } = useAct();
  const submit = (event) => {
    event.preventDefault();
    act(async () => {
      await post('me/password', form);
      clear();
      me.value = null;
    }, 'The password is changed: log in with it.');
  };
  return html`<${Section} title="Your password"><form class="grid" onSubmit=${submit}>
    <${Field} label="The old one" type="password" required autocomplete="current-password" ...${field('old', problem)} />
    <${Field} label="A new one" type="password" required autocomplete="new-password" ...${field('new', problem)} />
    <div class="row end"><button class="primary" disabled=${busy}>Change it</button></div></form><${ProblemBox} problem=${problem} /><//>`;
}

export function Users() {
  return html`<${Head} title="Users and tokens" lead=${html`You are <strong><${Peer} text=${me.value?.user} /></strong>, ${me.value?.role}.`} />
    ${maySecure() ? html`<${Operators} /><${ApiTokens} />` : html`<${Empty} title="Your role does not manage operators">That is for the roles security and admin.<//>`}
    ${mayOperate() && html`<${ServiceTokens} />`}
    ${me.value?.by === 'cookie' && me.value.user !== 'admin-token' && html`<${MyPassword} />`}`;
}
