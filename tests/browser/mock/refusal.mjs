// SPDX-License-Identifier: Apache-2.0
// A refusal of the pretended gateway; it becomes a problem document.

export class Refusal extends Error {
  /** @param {{status: number, code: string, detail: string, retry_after?: number}} of */
  constructor(of) {
    super(of.detail);
    Object.assign(this, of);
  }
}
