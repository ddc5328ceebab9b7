// SPDX-License-Identifier: Apache-2.0
// Requests to the operators' door: by the client that is built from the document (openapi-client-axios), and raw, as
// no client would write them. Each answer is judged (answers.mjs); what is wrong is collected.
import http from 'node:http';
import { OpenAPIClientAxios } from 'openapi-client-axios';
import { Answers, deref } from './answers.mjs';

export class Door {
  static async open(url, token) {
    const door = new Door();
    const text = await (await fetch(`${url}/admin/v1/openapi.json`)).text();
    door.url = new URL(url);
    door.token = token;
    door.faults = [];
    door.asked = 0;
    door.agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
    door.doc = JSON.parse(text);
    door.answers = new Answers(door.doc);
    door.ops = Object.entries(door.doc.paths).flatMap(([path, item]) => Object.entries(item).map(([method, op]) => ({ ...op, path, method, parameters: (op.parameters ?? []).map((p) => deref(door.doc, p)) })));
    door.byId = Object.fromEntries(door.ops.map((op) => [op.operationId, op]));
    const plain = { Authorization: `Bearer ${token}` };
    const api = new OpenAPIClientAxios({ definition: JSON.parse(text), withServer: { url }, axiosConfigDefaults: { headers: plain, httpAgent: door.agent, validateStatus: () => true, timeout: 15000, maxRedirects: 0, responseType: 'text', transformResponse: (t) => t } });
    door.client = await api.init();
    return door;
  }

  fault(what) {
    this.faults.push(what);
  }

  /** What is wrong with an answer by the document; always: no 5xx that the operation doesn't own up to. */
  judged(op, what, status, headers, text) {
    this.asked++;
    const told = `${what}: ${status} ${text.slice(0, 240)}`;
    for (const f of this.answers.judge(op, String(status), headers, text)) this.fault(`${f}: ${told}`);
    if (status >= 500 && op.operationId !== 'ready') this.fault(`a 5xx: ${told}`);
    let doc = null;
    if (/json/.test(headers['content-type'] ?? '')) {
      try {
        doc = JSON.parse(text);
      } catch { /* told above, or lines of JSON */ }
    }
    return { status, headers, text, doc, told };
  }

  /** By the client of the document: params of path and query by name. */
  async ask(id, { params = {}, body, headers = {} } = {}) {
    const op = this.byId[id], what = `${id} ${JSON.stringify(params)} ${JSON.stringify(body)?.slice(0, 160) ?? ''}`;
    try {
      const a = await this.client.paths[op.path][op.method](params, body, { headers: body === undefined ? headers : { 'Content-Type': 'application/json', ...headers } });
      return this.judged(op, what, a.status, { ...a.headers }, String(a.data ?? ''));
    } catch (e) {
      this.fault(`${what}: ${e.message}`);
      return { status: 0, headers: {}, text: '', doc: null, told: what };
    }
  }

  /** The same, and this status. */
  async good(id, status, wish = {}) {
    const a = await this.ask(id, wish);
    if (a.status !== status) this.fault(`${status} was expected: ${a.told}`);
    return a;
  }

  /** As it stands: target is path and query on the wire; headers by name, token null sends none. */
  async raw(id, target, { body, headers = {}, token = this.token } = {}) {
    const op = this.byId[id], what = `${op.method} ${target.slice(0, 120)} ${body === undefined ? '' : String(body).slice(0, 120)}`;
    const head = { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...(body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }), ...headers };
    try {
      const [answer, text] = await new Promise((resolve, reject) => {
        const q = http.request({ host: this.url.hostname, port: this.url.port, agent: this.agent, method: op.method.toUpperCase(), path: target, headers: head, timeout: 15000 }, (r) => {
          const parts = [];
          r.on('data', (b) => parts.push(b)).on('end', () => resolve([r, Buffer.concat(parts).toString('utf8')])).on('error', reject);
        });
        q.on('error', reject).on('timeout', () => q.destroy(new Error('no answer'))).end(body);
      });
      const flat = Object.fromEntries(Object.entries(answer.headers).map(([k, v]) => [k, String(v)]));
      return this.judged(op, what, answer.statusCode, flat, text);
    } catch (e) {
      this.fault(`${what}: ${e.message}`);
      return { status: 0, headers: {}, text: '', doc: null, told: what };
    }
  }

  /** HEAD: the status; a body, or bytes behind the answer, is an error of the parser. */
  head(op, target) {
    this.asked++;
    return new Promise((resolve) => {
      const q = http.request({ host: this.url.hostname, port: this.url.port, agent: this.agent, method: 'HEAD', path: target, headers: { Authorization: `Bearer ${this.token}` }, timeout: 15000 }, (r) => r.resume().on('end', () => resolve(r.statusCode)));
      q.on('timeout', () => q.destroy(new Error('no answer'))).on('error', (e) => {
        this.fault(`HEAD ${target}: ${e.message}`);
        resolve(0);
      }).end();
    });
  }

  /** The path of an operation with a segment for each of its parameters, as it stands on the wire. */
  target(op, segment = 'none') {
    return op.path.replace(/\{\w+\}/g, () => segment);
  }
}
