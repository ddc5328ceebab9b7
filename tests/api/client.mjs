// SPDX-License-Identifier: Apache-2.0
// Every operation of a live gateway by a client that is built from its document, with what fits (lives.mjs) and with
// what doesn't (odd.mjs, edges.mjs): client.mjs URL TOKEN CALL. CALL is a call that goes on ringing. Each answer is held against
// the document: status, headers, schema. No answer may be a 5xx, and each operation must have succeeded once.
import { Door } from './door.mjs';
import { edges } from './edges.mjs';
import { lives } from './lives.mjs';
import { odd } from './odd.mjs';

const [url, token, call] = process.argv.slice(2);
const door = await Door.open(url, token);
const began = Date.now();
const viewer = await lives(door, call);
const between = Date.now();
await odd(door, viewer);
const after = Date.now();
await edges(door, viewer);

for (const op of door.ops) {
  const seen = [...(door.answers.seen.get(op.operationId) ?? [])];
  if (!seen.some((s) => s[0] === '2')) door.fault(`${op.operationId} never succeeded: ${seen}`);
}
for (const f of door.faults.slice(0, 60)) console.error(f);
console.log(`${door.ops.length} operations, ${door.asked} requests (${between - began} ms well, ${after - between} ms badly, ${Date.now() - after} ms at the edge), ${door.faults.length} faults`);
process.exit(door.faults.length ? 1 : 0);
