// SPDX-License-Identifier: Apache-2.0
// The event stream of a device: opened by a ticket, because a plain EventSource cannot send a header. A
// spent ticket opens nothing, so the reconnect is ours: new ticket, last_event_id, growing pauses.

const EVENTS = [
  'system.hello', 'system.reset', 'system.drain', 'token.expiring',
  'call.incoming', 'call.trying', 'call.ringing', 'call.early_media', 'call.answered', 'call.connected',
  'call.updated', 'call.held', 'call.resumed', 'call.transfer.progress', 'call.transfer.succeeded',
  'call.transfer.failed', 'call.answered_elsewhere', 'call.ended',
  'media.candidates', 'media.offer', 'media.answer', 'media.restart', 'media.state', 'media.quality',
  'dtmf.received', 'participant.added', 'participant.updated', 'participant.removed',
  'operation.succeeded', 'operation.failed',
];
const PAUSE_MS = 250;
const PAUSE_MAX_MS = 15_000;

export class EventStream {
  #api;
  #onEvent;
  #onState;
  #source = null;
  #timer = null;
  #lastId = '';
  #failures = 0;
  #epoch = 0;

  /**
   * @param {import('./api.js').Api} api
   * @param {(name: string, data: any) => void} onEvent
   * @param {(state: 'connecting'|'ready'|'waiting'|'unauthorized'|'closed', problem?: Error) => void} onState
   */
  constructor(api, onEvent, onState) {
    this.#api = api;
    this.#onEvent = onEvent;
    this.#onState = onState;
  }

  /** Opens the stream, or opens it anew. The events missed in between are replayed. */
  async open() {
    this.#stop();
    const epoch = this.#epoch;
    this.#onState('connecting');
    try {
      const { body } = await this.#api.request('POST', '/event-tickets', { json: {} });
      if (epoch === this.#epoch) this.#listen(body.ticket);
    } catch (problem) {
      if (epoch === this.#epoch) this.#failed(problem);
    }
  }

  close() {
    this.#stop();
    this.#onState('closed');
  }

  #stop() {
    this.#epoch++;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #listen(ticket) {
    const query = new URLSearchParams({ ticket });
    if (this.#api.device) query.set('device', this.#api.device);
    if (this.#lastId) query.set('last_event_id', this.#lastId);
    const source = new EventSource(this.#api.url(`/events?${query}`));
    this.#source = source;
    for (const name of EVENTS) source.addEventListener(name, (event) => this.#take(source, name, event));
    source.onerror = () => {
      if (source === this.#source) this.#failed();
    };
  }

  #take(source, name, event) {
    if (source !== this.#source) return;
    if (event.lastEventId) this.#lastId = event.lastEventId;
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      return; // Not of this contract.
    }
    if (name === 'system.hello') {
      this.#failures = 0;
      this.#onState('ready');
    }
    this.#onEvent(name, data);
  }

  #failed(problem) {
    this.#stop();
    if (problem?.status === 401 || problem?.status === 403) {
      this.#onState('unauthorized', problem);
      return;
    }
    this.#onState('waiting', problem);
    const pause = Math.min(PAUSE_MS * 2 ** this.#failures++, PAUSE_MAX_MS);
    const told = (problem?.retryAfter ?? 0) * 1000;
    this.#timer = setTimeout(() => this.open(), Math.max(told, pause * (0.5 + Math.random())));
  }
}
