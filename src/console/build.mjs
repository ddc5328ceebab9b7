// SPDX-License-Identifier: Apache-2.0
// Bundles web/ into dist/, which is committed: a maintainer's step (npm ci && npm run build, Node 20 or
// later). --check: does dist say what the sources give? Whoever builds or runs the gateway needs no node.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const web = join(here, 'web'), dist = join(here, 'dist');
const LIMIT_BYTES = 120 * 1024;
const LIBRARIES = ['preact', '@preact/signals', '@preact/signals-core', 'htm', 'uplot'];

const short = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 12);

async function bundle() {
  const result = await build({
    entryPoints: [join(web, 'main.js')],
    bundle: true, minify: true, format: 'esm', target: ['es2022'], charset: 'utf8', legalComments: 'none', write: false,
    banner: { js: '/* SPDX-License-Identifier: Apache-2.0. Libraries: LICENSES.txt of src/console/dist. Made by src/console/build.mjs. */' },
  });
  return Buffer.from(result.outputFiles[0].contents);
}

async function style() {
  const plot = readFileSync(join(here, 'node_modules/uplot/dist/uPlot.min.css'), 'utf8');
  const own = readFileSync(join(web, 'console.css'), 'utf8');
  const { transform } = await import('esbuild');
  const css = await transform(`${plot}\n${own}`, { loader: 'css', minify: true, target: ['chrome123'] });
  return Buffer.from(`/* SPDX-License-Identifier: Apache-2.0 */\n${css.code}`);
}

function licences() {
  return LIBRARIES.map((name) => {
    const folder = join(here, 'node_modules', name);
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
    return `${name} ${version} (${license})\n${'-'.repeat(60)}\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  }).join('\n\n');
}

async function make() {
  const js = await bundle(), css = await style(), icon = readFileSync(join(web, 'icon.svg'));
  const names = { JS: `console.${short(js)}.js`, CSS: `console.${short(css)}.css`, ICON: `icon.${short(icon)}.svg` };
  const page = readFileSync(join(web, 'index.html'), 'utf8').replace(/@(JS|CSS|ICON)@/g, (_, k) => names[k]);
  return { 'index.html': Buffer.from(page), [names.JS]: js, [names.CSS]: css, [names.ICON]: icon, 'LICENSES.txt': Buffer.from(licences()) };
}

const sources = readdirSync(web, { recursive: true, withFileTypes: true }).filter((e) => e.isFile())
  .map((e) => join(e.parentPath ?? e.path, e.name).slice(web.length + 1)).sort();
// The same digest as tests/lint/console.py makes: names and bytes of the sources, and the versions.
const digest = createHash('sha256');
for (const name of [...sources.map((s) => `web/${s}`), 'package.json', 'build.mjs']) {
  const bytes = readFileSync(join(here, name));
  digest.update(`${name} ${bytes.length}\n`).update(bytes);
}

const files = await make();
files['sources.sha256'] = Buffer.from(`${digest.digest('hex')}\n`);
const sum = Object.entries(files).filter(([n]) => !/LICENSES|sha256/.test(n)).reduce((n, [, b]) => n + gzipSync(b, { level: 9 }).length, 0);
if (sum > LIMIT_BYTES) throw new Error(`${sum} bytes, gzipped: more than ${LIMIT_BYTES}`);

if (process.argv.includes('--check')) {
  const same = readdirSync(dist).sort().join() === Object.keys(files).sort().join() && Object.entries(files).every(([n, b]) => b.equals(readFileSync(join(dist, n))));
  console.log(same ? 'ok dist is what the sources give' : 'not ok dist is old: npm run build');
  process.exit(same ? 0 : 1);
}
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
for (const [name, bytes] of Object.entries(files)) writeFileSync(join(dist, name), bytes);
console.log(`${Object.keys(files).join(' ')}: ${sum} bytes gzipped of ${LIMIT_BYTES}`);
