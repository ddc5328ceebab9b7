// SPDX-License-Identifier: Apache-2.0
// Who are you: a name and password, or a token.

import { useState } from 'preact/hooks';
import { login } from '../api.js';
import { Field, ProblemBox, html, useAct } from '../ui.js';

export function Login({ first }) {
  const [form, set] = useState({ user: '', password: '', token: '' });
  const [byToken, setByToken] = useState(false);
  const { act, problem, busy } = useAct();
  const field = (name) => ({ name, value: form[name], problem, onInput: (v) => set({ ...form, [name]: v }) });
  const submit = (event) => {
    event.preventDefault();
    act(() => login(byToken ? { token: form.token.trim() } : { user: form.user, password: form.password }));
  };
  return html`<main id="main" class="login" tabindex="-1"><form class="card" onSubmit=${submit} aria-labelledby="login-title">
    <h1 id="login-title">Sallyport</h1><p class="soft">The operators' console</p>
    <${ProblemBox} problem=${problem ?? first} />
    ${byToken ? html`<${Field} label="Token" type="password" required autocomplete="off" ...${field('token')} />`
      : html`<${Field} label="Name" required autocomplete="username" ...${field('user')} /><${Field} label="Password" type="password" required autocomplete="current-password" ...${field('password')} />`}
    <button class="primary" disabled=${busy}>Log in</button>
    <button type="button" class="link" onClick=${() => setByToken(!byToken)}>${byToken ? 'With a name and password' : 'With a token'}</button>
    <p class="soft">The first operator is made with the admin token: it is in the file that <code>admin.token_file</code> names.</p>
  </form></main>`;
}
