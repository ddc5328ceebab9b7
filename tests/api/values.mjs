// SPDX-License-Identifier: Apache-2.0
// Values that fit a schema of the document, and values that don't, each with where the fault lies.
import { deref } from './answers.mjs';

export class Values {
  constructor(doc) {
    this.doc = doc;
  }

  schema(raw) {
    const s = deref(this.doc, raw) ?? {};
    return s.anyOf ? this.schema(s.anyOf[0]) : s;
  }

  type(s) {
    return Array.isArray(s.type) ? s.type[0] : s.type;
  }

  /** A value that fits. */
  good(raw, name = '') {
    const s = this.schema(raw);
    if (s.examples) return structuredClone(s.examples[0]);
    if (s.enum) return s.enum[0];
    switch (this.type(s)) {
      case 'string':
        if (s.format === 'date-time') return '2099-01-31T23:59:59Z';
        return 'abc'.padEnd(s.minLength ?? 0, 'x').slice(0, s.maxLength ?? 64);
      case 'integer':
      case 'number':
        return s.minimum ?? 1;
      case 'boolean':
        return false;
      case 'array':
        return Array.from({ length: Math.max(s.minItems ?? 0, 1) }, () => this.good(s.items, name));
      case 'object':
        return Object.fromEntries(Object.entries(s.properties ?? {}).map(([k, v]) => [k, this.good(v, k)]));
      default:
        return {};
    }
  }

  /** Values of one member that don't fit; every kind of JSON that it is not, and its limits. */
  bad(raw) {
    const s = this.schema(raw), type = this.type(s), nullable = Array.isArray(s.type) || deref(this.doc, raw)?.anyOf;
    const kinds = { string: 'text', integer: 5, boolean: true, array: [], object: { a: 1 } };
    if (!type) return [];
    const list = Object.entries(kinds).filter(([k]) => k !== type && !(type === 'number' && k === 'integer')).map(([, v]) => v);
    if (!nullable) list.push(null);
    if (s.enum) list.push('none of them', '');
    if (s.format === 'date-time') list.push('yesterday', '2027-13-99', '');
    if (type === 'string' && s.minLength) list.push('');
    if (type === 'string' && s.maxLength < 1e5) list.push('x'.repeat(s.maxLength + 1), '💥'.repeat(s.maxLength + 1));
    if (type === 'string' && s.pattern) list.push(...['é', 'a\nb', '💥'].map((t) => t.padEnd(s.minLength ?? 0, 'x')));
    if (type === 'integer') list.push(1.5, 1e300, -9e15);
    if (s.maximum !== undefined) list.push(s.maximum + 1);
    if (s.minimum !== undefined) list.push(s.minimum - 1);
    if (type === 'array' && s.maxItems) list.push(Array.from({ length: s.maxItems + 1 }, () => this.good(s.items)));
    return list;
  }

  /** [a body, the pointer to its fault] for a schema of an object and a value that fits it. */
  * wrong(raw, value) {
    const s = this.schema(raw);
    for (const [name, member] of Object.entries(s.properties ?? {})) {
      for (const v of this.bad(member)) yield [{ ...value, [name]: v }, `/${name}`];
      const inner = this.schema(member.type === 'array' ? member.items : member);
      if (this.type(inner) !== 'object' || !inner.properties || !(name in value)) continue;
      const at = member.type === 'array' ? `/${name}/0` : `/${name}`, one = member.type === 'array' ? value[name][0] : value[name];
      for (const [body, pointer] of this.wrong(inner, one)) yield [{ ...value, [name]: member.type === 'array' ? [body] : body }, at + pointer];
    }
    for (const name of s.required ?? []) {
      const { [name]: _, ...rest } = value;
      yield [rest, `/${name}`];
    }
    if (s.additionalProperties === false) {
      yield [{ ...value, surprise: 1 }, '/surprise'];
      yield [{ ...value, 'a/b~c': null }, '/a~1b~0c'];
    }
  }
}

/** Bodies that are no JSON object, or none that may be: texts of a request. */
export const NO_OBJECT = ['[]', '"x"', '5', 'null', 'true', '{', '{"a":1', '{"a":1,"a":2}', '['.repeat(200), `{"a":${'['.repeat(100)}${']'.repeat(100)}}`, '\u0000', '{"a":1e999}',
  `{"a":${'9'.repeat(400)}}`, '{"a":"\\u0000"}', '{"a":"\\ud800"}', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), '{"a":01}', "{'a':1}", '<x/>', 'a=1'];

/** Path segments as they stand on the wire. */
export const ODD_SEGMENTS = ['%00', 'a%00b', '%2f', '%2e%2e%2f%2e%2e', '%ff%fe', '%c0%af', '%', '%zz', '%e2%82', 'x'.repeat(300), 'x'.repeat(9000), '%F0%9F%92%A9', '%3Cscript%3E', 'a%0d%0aX:%20y', '-1', '0',
  '9'.repeat(40), '%27%20OR%201=1', '{}', 'a;b', '*', '%20', '%7f'];

export const ODD_QUERIES = { limit: ['0', '501', '-1', 'abc', '', '1.5', '1e2', '%31%00', '99999999999999999999', '1&limit=2', ' 1'], cursor: ['', 'x', '-1', '1', '1.%ff', '99999999999999999999.a', '%00', 'x'.repeat(500), '%'],
  since: ['yesterday', '2027-13-99T00:00:00Z', '', '%00', '-1', '2027-01-01'], until: ['soon', '1&until=2'], state: ['LIVE', '', 'x'.repeat(100)], format: ['xml', ''], rows: ['x'], min_mos: ['0', '6', 'nan', 'inf', '1e0x'], max_mos: ['-1', 'x'],
  numbers: ['maybe'] };
