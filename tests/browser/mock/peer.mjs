// SPDX-License-Identifier: Apache-2.0
// The gateway's end of the media: peer connections in a page of their own, which send a tone.

/* global window, RTCPeerConnection, AudioContext, document */

function inPage() {
  const legs = new Map();
  const complete = (pc) =>
    pc.iceGatheringState === 'complete'
      ? Promise.resolve()
      : new Promise((done) => pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && done()));

  function make(id) {
    legs.get(id)?.close();
    const pc = new RTCPeerConnection();
    const context = (window.tones ??= new AudioContext());
    const tone = context.createOscillator();
    tone.frequency.value = 1004;
    const out = context.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    pc.tone = out.stream;
    pc.ontrack = ({ streams }) => {
      const audio = document.createElement('audio'); // Chromium decodes only what somebody plays
      audio.muted = true;
      audio.srcObject = streams[0];
      audio.play().catch(() => {});
    };
    legs.set(id, pc);
    return pc;
  }

  // As the gateway does: G.711 and telephone-event, nothing else.
  const narrow = (sdp) => {
    const lines = sdp.split('\r\n');
    const wanted = lines.flatMap((l) => /^a=rtpmap:(\d+) (PCMU|PCMA|telephone-event)\/8000/.exec(l)?.[1] ?? []);
    return lines
      .map((l) => (l.startsWith('m=audio') ? `${l.split(' ').slice(0, 3).join(' ')} ${wanted.join(' ')}` : l))
      .filter((l) => {
        const pt = /^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)/.exec(l)?.[1];
        return !pt || wanted.includes(pt);
      })
      .join('\r\n');
  };

  const printOf = (sdp) => /a=fingerprint:(.*)/.exec(sdp ?? '')?.[1];

  window.legs = {
    async answer(id, sdp) {
      let pc = legs.get(id);
      if (!pc || printOf(pc.remoteDescription?.sdp) !== printOf(sdp)) pc = make(id);
      await pc.setRemoteDescription({ type: 'offer', sdp: narrow(sdp) });
      if (!pc.getSenders().some((s) => s.track)) pc.addTrack(pc.tone.getAudioTracks()[0], pc.tone);
      await pc.setLocalDescription(await pc.createAnswer());
      await complete(pc);
      return pc.localDescription.sdp;
    },
    async restart(id, fragment) {
      const pc = legs.get(id);
      const of = (key) => new RegExp(`a=${key}:(.*)\r`).exec(fragment)[1];
      const sdp = pc.remoteDescription.sdp
        .replace(/a=ice-ufrag:.*\r/g, `a=ice-ufrag:${of('ice-ufrag')}\r`)
        .replace(/a=ice-pwd:.*\r/g, `a=ice-pwd:${of('ice-pwd')}\r`)
        .replace(/a=(candidate|end-of-candidates).*\r\n/g, '')
        .replace(/a=setup:\w+/g, 'a=setup:actpass');
      await pc.setRemoteDescription({ type: 'offer', sdp });
      await pc.setLocalDescription(await pc.createAnswer());
      await complete(pc);
      const kept = /^(m=audio|a=(ice-ufrag|ice-pwd|mid|candidate|end-of-candidates))/;
      return pc.localDescription.sdp.split('\r\n').filter((l) => kept.test(l)).join('\r\n');
    },
    async offer(id) {
      const pc = make(id);
      pc.addTrack(pc.tone.getAudioTracks()[0], pc.tone);
      const offer = await pc.createOffer();
      await pc.setLocalDescription({ type: 'offer', sdp: narrow(offer.sdp) });
      await complete(pc);
      return pc.localDescription.sdp;
    },
    accept: (id, sdp) => legs.get(id).setRemoteDescription({ type: 'answer', sdp }),
    async candidates(id, fragment) {
      for (const [, candidate] of fragment.matchAll(/a=(candidate:[^\r]*)/g)) {
        await legs.get(id)?.addIceCandidate({ candidate, sdpMid: '0' });
      }
    },
    async received(id) {
      if (!legs.has(id)) return 0;
      for (const row of (await legs.get(id).getStats()).values()) if (row.type === 'inbound-rtp') return row.packetsReceived;
      return 0;
    },
    close(id) {
      legs.get(id)?.close();
      legs.delete(id);
    },
  };
}

/** @param {import('playwright-core').Browser} browser @param {string} base */
export async function makePeer(browser, base) {
  const page = await browser.newPage();
  await page.goto(`${base}/peer`);
  await page.evaluate(inPage);
  const verb = (name) => (...args) => page.evaluate(([n, a]) => window.legs[n](...a), [name, args]);
  return Object.fromEntries(['answer', 'restart', 'offer', 'accept', 'candidates', 'received', 'close'].map((n) => [n, verb(n)]));
}
