// SPDX-License-Identifier: Apache-2.0
// The microphone: opened for the first call, shared by all, let go with the last.

const WANT = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } };

let shared = null;

/**
 * A track of its own for one call, so that each call has its own mute.
 * @returns {Promise<MediaStreamTrack>} throws what the browser throws, or `InsecureContext`
 */
export async function microphone() {
  if (!isSecureContext || !navigator.mediaDevices) {
    throw Object.assign(new Error('not a secure context'), { name: 'InsecureContext' });
  }
  if (!shared || shared.readyState === 'ended') {
    const stream = await navigator.mediaDevices.getUserMedia(WANT);
    shared = stream.getAudioTracks()[0];
  }
  return shared.clone();
}

/** No call needs it any more: the browser's recording sign goes out. */
export function letMicrophoneGo() {
  shared?.stop();
  shared = null;
}
