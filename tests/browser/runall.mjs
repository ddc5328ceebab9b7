// SPDX-License-Identifier: Apache-2.0
// Runs tests of a browser one after the other. They wait in real time on machines that others use too: what failed
// runs once more and is told as "again", as units and scenarios are. What a page said against itself (an error, a
// refusal of its policy, what ran that should not) stands as it is.

/** A fault of a page, that no second run undoes. */
export class PageFault extends Error {}

async function tried(run, name, test) {
  for (const word of ['again', 'not ok']) {
    const error = await run(test).then(() => null, (e) => e);
    if (!error) return 'ok';
    const last = word === 'not ok' || error instanceof PageFault;
    console.log(`${last ? 'not ok' : word} ${name}\n  ${String(error.message).split('\n').slice(0, 24).join('\n  ')}`);
    if (last) return 'not ok';
  }
  return 'not ok';
}

/** tests: name to test; run(test) rejects where it fails. Prints a line for each, then `N passed, N failed`; gives the exit status. */
export async function runAll(tests, only, run) {
  let [passed, failed] = [0, 0];
  for (const [name, test] of Object.entries(tests)) {
    if (only && !name.includes(only)) continue;
    if ((await tried(run, name, test)) === 'ok') {
      console.log(`ok ${name}`);
      passed++;
    } else failed++;
  }
  return { status: failed === 0 && passed > 0 ? 0 : 1, line: `${passed} passed, ${failed} failed` };
}

/** Throws what a page said against itself. */
export function blameless(faults) {
  if (faults.length > 0) throw new PageFault(faults.join('\n'));
}
