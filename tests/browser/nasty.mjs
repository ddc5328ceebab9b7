// SPDX-License-Identifier: Apache-2.0
// Texts that a SIP peer may send where a name stands. Each must come out as text, on every page.

import { readFileSync } from 'node:fs';

export const NASTY = JSON.parse(readFileSync(new URL('nasty.json', import.meta.url), 'utf8'));
