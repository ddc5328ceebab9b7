// SPDX-License-Identifier: Apache-2.0
// The OpenAPI document: against the schema of OpenAPI 3.1, against Redocly's recommended rules (no error and no
// warning), and against rules of ours: lint.mjs FILE. Exit status 1 if something is wrong with it.
import { readFileSync } from 'node:fs';
import { createConfig, lintDocument, makeDocumentFromString, BaseResolver } from '@redocly/openapi-core';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Answers } from './answers.mjs';

const file = process.argv[2] ?? new URL('../../docs/api/openapi.json', import.meta.url).pathname;
const text = readFileSync(file, 'utf8');
const doc = JSON.parse(text);
const faults = [];

const validator = new Validator();
const result = await validator.validate(structuredClone(doc));
if (!result.valid) faults.push(JSON.stringify(result.errors, null, 1));
if (validator.version !== '3.1') faults.push(`version ${validator.version}`);

const config = await createConfig({ extends: ['recommended'] });
for (const p of await lintDocument({ document: makeDocumentFromString(text, file), config: config.styleguide, externalRefResolver: new BaseResolver() }))
  faults.push(`${p.severity} ${p.ruleId}: ${p.message} at ${p.location[0]?.pointer}`);

/** Every operation is named once, tagged by a tag that is told of, and all that it may answer has a schema. */
function operation(where, op, tags, ids) {
  if (!op.operationId || ids.has(op.operationId)) faults.push(`${where}: operationId is missing or there twice`);
  ids.add(op.operationId);
  if (!op.description) faults.push(`${where}: no description`);
  if (!op.summary) faults.push(`${where}: no summary`);
  if (op.tags?.length !== 1 || !tags.has(op.tags[0])) faults.push(`${where}: tag ${op.tags}`);
  if (!Object.keys(op.responses).some((s) => s.startsWith('2'))) faults.push(`${where}: no success`);
  if (op.responses.default || Object.keys(op.responses).some((s) => !/^\d{3}$/.test(s))) faults.push(`${where}: a status is not named`);
  for (const [status, r] of Object.entries(op.responses)) {
    const schema = r.content?.['application/json']?.schema;
    if (schema && !schema.$ref) faults.push(`${where}: ${status} has a schema without a name`);
    if (!r.$ref && !r.content && !['204', '304'].includes(status)) faults.push(`${where}: ${status} says nothing of its content`);
  }
  const body = op.requestBody?.content?.['application/json']?.schema;
  if (op.requestBody && !body?.$ref) faults.push(`${where}: a body without a name`);
}

const ids = new Set(), tags = new Set(doc.tags.map((t) => t.name));
for (const [path, item] of Object.entries(doc.paths)) {
  for (const [method, op] of Object.entries(item)) {
    operation(`${method} ${path}`, op, tags, ids);
    const named = (op.parameters ?? []).filter((p) => p.in === 'path').map((p) => p.name);
    const wanted = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
    if (named.join() !== wanted.join()) faults.push(`${method} ${path}: path parameters ${named}`);
  }
}
for (const [, where, name] of text.matchAll(/"#\/components\/(\w+)\/([\w.-]+)"/g)) if (!doc.components[where]?.[name]) faults.push(`no ${where}/${name}`);

const answers = new Answers(doc);
for (const [name, schema] of Object.entries(doc.components.schemas)) {
  if (!schema.description && !schema.type && !schema.anyOf && !schema.oneOf) faults.push(`schema ${name} says nothing`);
  for (const example of schema.examples ?? []) faults.push(...answers.against(name, example).map((f) => `the example of ${name}: ${f}`));
}
for (const f of faults) console.error(f);
console.log(`${ids.size} operations, ${Object.keys(doc.components.schemas).length} schemas, ${faults.length} faults`);
process.exit(faults.length ? 1 : 0);
