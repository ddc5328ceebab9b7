// SPDX-License-Identifier: Apache-2.0
// The little of SDP that a client touches itself: fragments for trickle ICE (RFC 8840) and what a
// restart's fragment changes in the gateway's description.

const lines = (sdp) => sdp.split(/\r?\n/).filter((line) => line !== '');
const valueOf = (list, key) => list.find((line) => line.startsWith(`a=${key}:`))?.slice(key.length + 3);

/** ICE credentials of a description. @param {string} sdp @returns {{ufrag?: string, pwd?: string}} */
export function credentialsOf(sdp) {
  const list = lines(sdp);
  return { ufrag: valueOf(list, 'ice-ufrag'), pwd: valueOf(list, 'ice-pwd') };
}

/**
 * A fragment for PATCH ice.
 * @param {string} sdp our own description
 * @param {string[]} candidates `candidate:…` lines
 * @param {boolean} complete no more will come
 */
export function makeFragment(sdp, candidates, complete) {
  const list = lines(sdp);
  const { ufrag, pwd } = credentialsOf(sdp);
  const media = list.find((line) => line.startsWith('m=')) ?? 'm=audio 9 UDP/TLS/RTP/SAVPF 0';
  const out = [`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`, media, `a=mid:${valueOf(list, 'mid') ?? '0'}`];
  for (const candidate of candidates) out.push(`a=${candidate}`);
  if (complete) out.push('a=end-of-candidates');
  return `${out.join('\r\n')}\r\n`;
}

/** Candidates of a fragment, ready for addIceCandidate. @param {string} fragment */
export function candidatesOf(fragment) {
  let mid = '0';
  const found = [];
  for (const line of lines(fragment)) {
    if (line.startsWith('a=mid:')) mid = line.slice(6);
    if (line.startsWith('a=candidate:')) found.push({ candidate: line.slice(2), sdpMid: mid });
  }
  return found;
}

/**
 * The gateway's description with the credentials and candidates of a restart.
 * @param {string} answer the answer in force
 * @param {string} fragment what PATCH ice gave back
 */
export function withFragment(answer, fragment) {
  const { ufrag, pwd } = credentialsOf(fragment);
  const fresh = lines(fragment).filter((line) => /^a=(candidate:|end-of-candidates)/.test(line));
  const out = [];
  let placed = false;
  for (const line of lines(answer)) {
    if (/^a=(candidate:|end-of-candidates)/.test(line)) continue;
    if (line.startsWith('a=ice-ufrag:')) out.push(`a=ice-ufrag:${ufrag}`);
    else if (line.startsWith('a=ice-pwd:')) out.push(`a=ice-pwd:${pwd}`);
    else out.push(line);
    // Candidates belong to the first m-section: behind its m= and c= lines, before other attributes.
    if (!placed && line.startsWith('m=')) placed = 'next';
    else if (placed === 'next') {
      out.push(...fresh);
      placed = true;
    }
  }
  return `${out.join('\r\n')}\r\n`;
}
