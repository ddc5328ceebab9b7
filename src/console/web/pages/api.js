// SPDX-License-Identifier: Apache-2.0
// The API as its own document says it.

import { useState } from 'preact/hooks';
import { Badge, Copy, Empty, Head, Loaded, Section, html, useData } from '../ui.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const TONES = { get: 'good', post: 'info', put: 'warn', patch: 'warn', delete: 'bad' };

function operationsOf(doc) {
  return Object.entries(doc.paths ?? {}).flatMap(([path, item]) => METHODS.filter((m) => item[m]).map((method) => ({ path, method, ...item[method], parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])] })));
}

const refName = (ref) => ref?.split('/').at(-1);
const resolve = (doc, thing) => (thing?.$ref ? thing.$ref.replace('#/', '').split('/').reduce((at, k) => at?.[k], doc) : thing);
const typeOf = (schema) => (schema?.$ref ? refName(schema.$ref) : Array.isArray(schema?.type) ? schema.type.join(' or ') : schema?.type ?? '');

function Members({ doc, schema }) {
  const full = resolve(doc, schema);
  const rows = Object.entries(full?.properties ?? {});
  if (!rows.length) return html`<p class="soft">${typeOf(schema) || 'Any'}</p>`;
  return html`<dl class="facts">${rows.map(([k, v]) => html`<div key=${k}><dt><code>${k}</code>${full.required?.includes(k) ? ' *' : ''}</dt><dd>${typeOf(v)} ${v.enum ? v.enum.join(', ') : ''} <span class="soft">${v.description ?? ''}</span></dd></div>`)}</dl>`;
}

function Operation({ doc, op }) {
  const body = resolve(doc, op.requestBody)?.content;
  const schema = body && Object.values(body)[0]?.schema;
  const role = op['x-role'] ?? op['x-sallyport-role'];
  const curl = `curl ${op.method === 'get' ? '' : `-X ${op.method.toUpperCase()} `}-H "Authorization: Bearer $TOKEN" ${schema ? `-H 'Content-Type: application/json' -d '{}' ` : ''}${location.origin}${op.path.replace('{', '\\{').replace('}', '\\}')}`;
  return html`<details class="operation"><summary><${Badge} tone=${TONES[op.method]}>${op.method.toUpperCase()}<//> <code>${op.path}</code> <span>${op.summary}</span>${role && html` <small class="soft">${role}</small>`}</summary>
    ${op.description && html`<p>${op.description}</p>`}
    ${op.parameters.length > 0 && html`<h4>Parameters</h4><dl class="facts">${op.parameters.map((p) => resolve(doc, p)).map((p) => html`<div><dt><code>${p?.name}</code></dt><dd>${p?.in} ${typeOf(p?.schema)} <span class="soft">${p?.description ?? ''}</span></dd></div>`)}</dl>`}
    ${schema && html`<h4>Body</h4><${Members} doc=${doc} schema=${schema} />`}
    <h4>Answers</h4><dl class="facts">${Object.entries(op.responses ?? {}).map(([status, r]) => html`<div><dt>${status}</dt><dd>${resolve(doc, r)?.description}</dd></div>`)}</dl>
    <p><code class="wrap">${curl}</code> <${Copy} text=${curl} /></p></details>`;
}

export function Api() {
  const doc = useData('openapi.json');
  const [wanted, setWanted] = useState('');
  const all = doc.data ? operationsOf(doc.data) : [];
  const rows = all.filter((o) => `${o.method} ${o.path} ${o.summary ?? ''}`.toLowerCase().includes(wanted.toLowerCase()));
  const groups = Map.groupBy ? Map.groupBy(rows, (o) => o.path.replace('/admin/v1', '').split('/')[1]) : new Map([['all', rows]]);
  return html`<${Head} title="API" lead=${doc.data && `${doc.data.info?.title ?? ''} ${doc.data.info?.version ?? ''}: everything of this console, for programs.`} tools=${html`<a class="button" href="/admin/v1/openapi.json" download="openapi.json">openapi.json</a>`} />
    <${Loaded} of=${doc}>
      <p><label class="inline">Filter <input type="search" value=${wanted} onInput=${(e) => setWanted(e.target.value)} /></label></p>
      ${rows.length ? [...groups].map(([name, list]) => html`<${Section} key=${name} title=${name || 'root'} id=${`api-${name}`}>${list.map((op) => html`<${Operation} key=${op.method + op.path} doc=${doc.data} op=${op} />`)}<//>`) : html`<${Empty} title="No verb fits">Take something out of the filter.<//>`}<//>`;
}
