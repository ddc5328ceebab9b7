// SPDX-License-Identifier: Apache-2.0
// What the page says: states, reasons and problems in words.

export const STREAM = {
  closed: 'Not connected',
  connecting: 'Connecting …',
  ready: 'Ready',
  waiting: 'Connection lost, trying again …',
  unauthorized: 'Not logged in',
};

const STATES = {
  connecting: 'Connecting …',
  ringing: 'Ringing …',
  early_media: 'Announcement or ringing from far end',
  connected: 'In call',
  local_hold: 'On hold by you',
  remote_hold: 'On hold by the other side',
};

const REASONS = {
  completed: 'Call ended',
  busy: 'Busy',
  declined: 'Declined',
  no_answer: 'No answer',
  canceled: 'Canceled',
  unreachable: 'Not reachable',
  not_found: 'Number not found',
  forbidden: 'Not allowed',
  policy: 'Refused by a rule of the gateway',
  rejected: 'Refused',
  congestion: 'Lines are busy',
  trunk_failure: 'The carrier could not be reached',
  media_failure: 'No sound could be set up',
  timeout: 'Timed out',
  transferred: 'Transferred',
  replaced: 'Replaced by another call',
  max_duration: 'Longest time of a call reached',
  unauthorized: 'Not authorized',
  operator: 'Ended by the operator',
  server_shutdown: 'The gateway is stopping',
  gateway_restart: 'The gateway was started again',
  answered_elsewhere: 'Answered on another device',
};

const MICROPHONE = {
  NotAllowedError:
    'The browser may not use the microphone. Allow it for this page (the sign beside the address), then try again.',
  NotFoundError: 'No microphone was found. Plug one in, then try again.',
  NotReadableError: 'The microphone is in use by another program, or the system withholds it. Close that program, then try again.',
  InsecureContext: 'Browsers give the microphone to secure pages only. Open this page by https.',
};

/** State of a call in words. @param {import('../sdk/call.js').Call} call */
export function stateText(call) {
  if (call.state === 'ended') return endText(call.end);
  if (call.ringsHere) return 'Incoming call';
  if (call.held.local && call.held.remote) return 'On hold by both sides';
  return STATES[call.state] ?? call.state;
}

/** @param {{reason?: string, detail?: string, sip?: number|null}|null} end */
export function endText(end) {
  const reason = REASONS[end?.reason] ?? end?.reason ?? 'Call ended';
  const parts = [reason];
  if (end?.detail) parts.push(end.reason === 'policy' ? end.detail.replaceAll('_', ' ') : end.detail);
  const text = parts.join(': ');
  return end?.sip >= 300 && end.reason !== 'busy' ? `${text} (SIP ${end.sip})` : text;
}

/** @param {Error} error */
export function errorText(error) {
  if (MICROPHONE[error.name]) return MICROPHONE[error.name];
  if (error.name !== 'Problem') return `Something went wrong: ${error.message}`;
  const more = error.errors.map(({ pointer, reason }) => `${pointer}: ${reason}`).join('; ');
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : '';
  return `${error.detail || error.message}${more ? ` (${more})` : ''}${wait}`;
}

/** @param {{tel?: string, user?: string, group?: string, display?: string, anonymous?: boolean}|string|null} party */
export function partyText(party) {
  if (!party) return 'Unknown';
  if (typeof party === 'string') return telText(party);
  if (party.anonymous) return 'Number withheld';
  return party.display || (party.tel ? telText(party.tel) : (party.user ?? party.group ?? 'Unknown'));
}

/** The second line of a party: its number, where the first is a name. */
export function partyDetail(party) {
  return party?.display && party.tel ? telText(party.tel) : '';
}

/** +15551234567 → +1 555 123 4567; numbers of other plans in groups of three. @param {string} tel */
export function telText(tel) {
  const nanp = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(tel);
  if (nanp) return `+1 ${nanp[1]} ${nanp[2]} ${nanp[3]}`;
  if (!/^\+\d{7,}$/.test(tel)) return tel;
  return tel.replace(/^(\+\d{2})(\d+)$/, (_, country, rest) => `${country} ${rest.replace(/\d{3}(?=\d{2})/g, '$& ')}`);
}

/** @param {number} ms */
export function durationText(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, '0');
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

/** A grade in words: nothing is told by colour alone. @param {number|undefined} mos */
export function gradeOf(mos) {
  if (mos === undefined) return null;
  if (mos >= 4) return { grade: 'good', text: 'Good' };
  if (mos >= 3.3) return { grade: 'fair', text: 'Fair' };
  return { grade: 'poor', text: 'Poor' };
}
