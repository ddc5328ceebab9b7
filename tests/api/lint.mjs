// SPDX-License-Identifier: Apache-2.0
// The OpenAPI document against the schema of OpenAPI 3.1: lint.mjs FILE. Exit status 1 if it isn't one.
import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';

const file = process.argv[2] ?? new URL('../../docs/api/openapi.json', import.meta.url);
const doc = JSON.parse(readFileSync(file, 'utf8'));
const validator = new Validator();
const result = await validator.validate(doc);
const faults = result.valid ? [] : [JSON.stringify(result.errors, null, 1)];
if (validator.version !== '3.1') faults.push(`version ${validator.version}`);

const ids = new Set();
for (const [path, item] of Object.entries(doc.paths)) {
  for (const [method, op] of Object.entries(item)) {
    const where = `${method} ${path}`;
    if (!op.operationId || ids.has(op.operationId)) faults.push(`${where}: operationId is missing or there twice`);
    ids.add(op.operationId);
    if (!op.summary) faults.push(`${where}: no summary`);
    if (!Object.keys(op.responses).some((s) => s.startsWith('2'))) faults.push(`${where}: no success`);
    const named = (op.parameters ?? []).filter((p) => p.in === 'path').map((p) => p.name);
    const wanted = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
    if (named.join() !== wanted.join()) faults.push(`${where}: path parameters ${named}`);
  }
}
const text = JSON.stringify(doc);
for (const [, where, name] of text.matchAll(/"#\/components\/(\w+)\/([\w-]+)"/g)) if (!doc.components[where]?.[name]) faults.push(`no ${where}/${name}`);
for (const f of faults) console.error(f);
console.log(`${ids.size} operations, ${faults.length} faults`);
process.exit(faults.length ? 1 : 0);
