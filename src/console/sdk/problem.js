// SPDX-License-Identifier: Apache-2.0
// What went wrong, as an Error: a problem document (RFC 9457) of the gateway, or a failure to reach it.

export class Problem extends Error {
  /**
   * @param {{status?: number, code?: string, title?: string, detail?: string, retryAfter?: number|null,
   *   errors?: {pointer: string, reason: string}[], instance?: string}} from
   */
  constructor(from) {
    super(from.detail || from.title || from.code || 'The gateway refused the request');
    this.name = 'Problem';
    /** Last part of the problem's type; `network` and `timeout` are made here. @type {string} */
    this.code = from.code ?? 'unknown';
    /** HTTP status, 0 when there was no answer. @type {number} */
    this.status = from.status ?? 0;
    /** @type {string} */
    this.detail = from.detail ?? from.title ?? '';
    /** Seconds to wait before another try, null when none was told. @type {number|null} */
    this.retryAfter = from.retryAfter ?? null;
    /** Fields at fault. @type {{pointer: string, reason: string}[]} */
    this.errors = Array.isArray(from.errors) ? from.errors : [];
    /** Names the record of a refused call. @type {string|undefined} */
    this.instance = from.instance;
  }

  /** Reads the problem of a refused response. @param {Response} response @returns {Promise<Problem>} */
  static async of(response) {
    let doc = {};
    try {
      doc = JSON.parse(await response.text()) ?? {};
    } catch {
      // Not a problem document (a proxy's page, for example): the status has to do.
    }
    const type = typeof doc.type === 'string' ? doc.type.replace(/^urn:sallyport:problem:/, '') : undefined;
    const after = Number(doc.retry_after ?? response.headers.get('Retry-After') ?? NaN);
    return new Problem({
      status: response.status,
      code: doc.code ?? type,
      title: doc.title ?? `HTTP status ${response.status}`,
      detail: doc.detail,
      retryAfter: Number.isFinite(after) ? after : null,
      errors: doc.errors,
      instance: doc.instance,
    });
  }
}
