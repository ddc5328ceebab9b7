// SPDX-License-Identifier: Apache-2.0
// Answers against what the OpenAPI document says of them: status, media type, schema (ajv, formats too), headers,
// problem documents and their codes.
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

export function deref(doc, thing) {
  return thing?.$ref ? thing.$ref.slice(2).split('/').reduce((at, key) => at[key], doc) : thing;
}

const media = (type) => String(type ?? '').split(';')[0].trim();

export class Answers {
  constructor(doc) {
    this.doc = doc;
    this.ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true });
    addFormats.default(this.ajv);
    this.ajv.addSchema({ $id: 'doc', components: { schemas: doc.components.schemas } });
    this.made = new Map();
    this.seen = new Map(); // operation → statuses that came
  }

  validator(name) {
    if (!this.made.has(name)) this.made.set(name, this.ajv.compile({ $ref: `doc#/components/schemas/${name}` }));
    return this.made.get(name);
  }

  /** What of a value doesn't fit a schema of the document, in words. */
  against(name, value) {
    const check = this.validator(name);
    return check(value) ? [] : check.errors.map((e) => `${e.instancePath || '/'} ${e.message} ${JSON.stringify(e.params)}`);
  }

  /** What is wrong with an answer to an operation: a list of words. headers have lower-case names, text is the body. */
  judge(op, status, headers, text) {
    const told = deref(this.doc, op.responses[status]);
    const seen = this.seen.get(op.operationId) ?? new Set();
    this.seen.set(op.operationId, seen.add(status));
    if (!told) return [`status ${status} is not documented`];
    const faults = this.headers(told, headers);
    const type = media(headers['content-type']);
    if (!told.content) return text ? [...faults, `a body where none is documented: ${text.slice(0, 80)}`] : faults;
    const range = told.content[type] ?? told.content['*/*'];
    if (!range) return [...faults, `${type} is not documented`];
    return type.endsWith('json') && type !== 'application/jsonl' ? [...faults, ...this.body(told, range, status, text)] : faults;
  }

  headers(told, headers) {
    const faults = [];
    for (const name of Object.keys(told.headers ?? {}))
      if (['ETag', 'Location', 'Retry-After', 'WWW-Authenticate'].includes(name) && !headers[name.toLowerCase()]) faults.push(`no ${name}`);
    for (const name of ['etag', 'location', 'retry-after', 'www-authenticate', 'set-cookie', 'link', 'accept', 'accept-patch'])
      if (headers[name] && !Object.keys(told.headers ?? {}).some((h) => h.toLowerCase() === name)) faults.push(`${name} is not documented`);
    return faults;
  }

  body(told, range, status, text) {
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      return [`no JSON: ${text.slice(0, 80)}`];
    }
    const faults = this.against(range.schema.$ref.split('/').pop(), value);
    if (!told['x-codes']) return faults;
    if (value.status !== Number(status)) faults.push(`the problem says ${value.status}`);
    if (!told['x-codes'].includes(value.code)) faults.push(`code ${value.code} is not documented with ${status}`);
    if (status === '422' && value.code !== 'idempotency' && !value.errors?.length) faults.push('a 422 that points at nothing');
    if (value.type !== `urn:sallyport:problem:${value.code}`) faults.push(`type ${value.type}`);
    return faults;
  }
}
