// SPDX-License-Identifier: Apache-2.0
// A trunk's settings as a form, made of the schema that the gateway gives: each setting with what it means,
// what it may be, and what was refused about it. JSON beside it for who has the text.

import { useState } from 'preact/hooks';
import { Field, ProblemBox, html, useAct, useData } from './ui.js';

const isLines = (schema) => schema.type === 'array' && schema.items?.type === 'string';
const isJson = (schema) => schema.type === 'object' || (schema.type === 'array' && !isLines(schema));
const pretty = (value) => JSON.stringify(value, null, 2);

/** What stands in the input, and back. */
const shown = (schema, value) => (isLines(schema) ? (value ?? []).join('\n') : isJson(schema) ? pretty(value ?? {}) : schema.type === 'boolean' ? Boolean(value) : String(value ?? ''));

function valueOf(key, schema, input) {
  if (schema.type === 'boolean') return input;
  if (schema.type === 'integer') return /^\d+$/.test(input) ? Number(input) : input;
  if (isLines(schema)) return input.split('\n').map((line) => line.trim()).filter(Boolean);
  if (!isJson(schema)) return input;
  try {
    return JSON.parse(input);
  } catch (error) {
    throw Object.assign(new Error(`${key} is not JSON`), { title: 'A setting cannot be read', errors: [{ pointer: `/${key}`, reason: error.message }] });
  }
}

/** An error about a part of a setting stands at the setting. */
const atSetting = (problem) => problem && { ...problem, title: problem.title, message: problem.message, status: problem.status, errors: (problem.errors ?? []).map((e) => ({ pointer: `/${String(e.pointer ?? '').split('/')[1] ?? ''}`, reason: String(e.pointer ?? '').split('/').length > 2 ? `${e.pointer}: ${e.reason}` : e.reason })) };

const bounds = (schema) => [schema.minimum !== undefined && `${schema.minimum} to ${schema.maximum}`, isLines(schema) && 'one a line', schema.default !== undefined && schema.default !== null && `else ${typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default)}`].filter(Boolean).join('; ');

function Setting({ name, schema, value, problem, onInput, onDrop }) {
  const common = { label: name, name, value, onInput, problem, pointer: `/${name}`, hint: [schema.description, bounds(schema) && `(${bounds(schema)})`].filter(Boolean).join(' ') };
  const input = schema.enum ? html`<${Field} ...${common} options=${schema.enum.map((v) => [v, v])} />`
    : schema.type === 'boolean' ? html`<${Field} ...${common} type="checkbox" />`
      : isLines(schema) || isJson(schema) ? html`<${Field} ...${common} type="lines" rows=${Math.min(12, Math.max(2, value.split('\n').length))} />`
        : html`<${Field} ...${common} inputmode=${schema.type === 'integer' ? 'numeric' : undefined} autocomplete="off" />`;
  return html`<div class="setting">${input}${onDrop && html`<button type="button" class="small" onClick=${onDrop}>Take out<span class="unseen"> ${name}</span></button>`}</div>`;
}

/** The schema of one trunk out of that of the whole configuration. */
export function useTrunkSchema() {
  const asked = useData('config/schema');
  return asked.data?.properties?.trunks?.items ?? null;
}

const start = (schema, settings) => Object.fromEntries(Object.keys(schema.properties).filter((k) => k in settings || schema.required?.includes(k)).map((k) => [k, shown(schema.properties[k], settings[k] ?? schema.properties[k].default)]));

/** props: schema, settings (what it says now), action (the button's word), onSave(settings), onCancel, onStale (after a 412: asks for what is there now). */
export function SettingsForm({ schema, settings, action, onSave, onCancel, onStale }) {
  const [form, set] = useState(() => start(schema, settings));
  const [more, setMore] = useState('');
  const { act, problem, busy } = useAct();
  const keys = Object.keys(schema.properties), absent = keys.filter((k) => !(k in form));
  const submit = (event) => {
    event.preventDefault();
    act(async () => onSave(Object.fromEntries(Object.entries(form).map(([k, input]) => [k, valueOf(k, schema.properties[k], input)]))));
  };
  const add = () => {
    if (!more) return;
    set({ ...form, [more]: shown(schema.properties[more], schema.properties[more].default) });
    setMore('');
  };
  const drop = (key) => set(Object.fromEntries(Object.entries(form).filter(([k]) => k !== key)));
  return html`<form onSubmit=${submit}><${ProblemBox} problem=${problem} onReload=${onStale && (() => act(onStale))} />
    <div class="settings">${keys.filter((k) => k in form).map((k) => html`<${Setting} key=${k} name=${k} schema=${schema.properties[k]} value=${form[k]} problem=${atSetting(problem)}
      onInput=${(v) => set({ ...form, [k]: v })} onDrop=${schema.required?.includes(k) ? null : () => drop(k)} />`)}</div>
    <div class="row"><label class="inline">One more setting <select value=${more} onChange=${(e) => setMore(e.target.value)}><option value="">Choose…</option>${absent.map((k) => html`<option value=${k}>${k}</option>`)}</select></label>
      <button type="button" disabled=${!more} onClick=${add}>Put it in</button>${more && html`<small class="soft">${schema.properties[more].description}</small>`}</div>
    <div class="row end"><button type="button" onClick=${onCancel}>Cancel</button><button class="primary" disabled=${busy}>${action}</button></div></form>`;
}
