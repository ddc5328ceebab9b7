// SPDX-License-Identifier: Apache-2.0
// From the top: tests/browser/node_modules/.bin/eslint -c tests/browser/eslint.config.mjs src/console tests/browser

import js from '@eslint/js';

const names = (text) => Object.fromEntries(text.split(/\s+/).map((name) => [name, 'readonly']));

const COMMON = names('console setTimeout clearTimeout setInterval clearInterval URL URLSearchParams AbortController fetch crypto Event');
const BROWSER = names(`window document location history navigator sessionStorage isSecureContext addEventListener
  removeEventListener EventTarget CustomEvent EventSource AudioContext MediaStream RTCPeerConnection Response
  localStorage matchMedia getComputedStyle ResizeObserver Blob scrollTo MutationObserver requestAnimationFrame`);

const RULES = {
  'prefer-const': 'error',
  eqeqeq: ['error', 'smart'],
  'no-eval': 'error',
  'no-implied-eval': 'error',
  'no-new-func': 'error',
  'no-shadow': 'error',
  'no-var': 'error',
  complexity: ['error', 16],
  'max-lines': ['error', 600],
  'max-lines-per-function': ['error', { max: 60, skipComments: true }],
  'no-restricted-properties': [
    'error',
    ...['innerHTML', 'outerHTML', 'insertAdjacentHTML'].map((property) => ({ property, message: 'Text of the network is text: textContent.' })),
  ],
};

export default [
  { ignores: ['**/node_modules/**', 'src/console/dist/**'] },
  js.configs.recommended,
  { files: ['src/console/**/*.mjs'], languageOptions: { globals: { ...COMMON, process: 'readonly', Buffer: 'readonly' } } },
  { files: ['src/console/**/*.js'], languageOptions: { sourceType: 'module', globals: { ...COMMON, ...BROWSER } }, rules: RULES },
  {
    files: ['tests/browser/**/*.mjs'],
    languageOptions: { globals: { ...COMMON, process: 'readonly', Buffer: 'readonly' } },
    rules: { ...RULES, 'max-lines-per-function': 'off' },
  },
];
