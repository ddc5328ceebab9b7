// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium, headless, with a pretended microphone; with BROWSER=firefox Debian's Firefox ESR, driven by
// WebDriver BiDi.

import { chromium, firefox } from 'playwright-core';

export const ENGINE = process.env.BROWSER ?? 'chromium';

const ARGS = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  // Two pages on one machine without a network: loopback counts as an interface, names of mDNS do not resolve.
  '--allow-loopback-in-peer-connection', '--disable-features=WebRtcHideLocalIpsWithMdns',
];

// Firefox plays no file as its microphone: its pretended one is a sine.
const PREFS = {
  'media.navigator.permission.disabled': true, 'media.navigator.streams.fake': true, 'media.navigator.audio.fake_frequency': 1004,
  'media.autoplay.default': 0, 'media.autoplay.blocking_policy': 0, 'media.autoplay.block-webaudio': false, 'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false, 'media.gmp-manager.updateEnabled': false,
  'layout.css.prefers-color-scheme.content-override': 1, 'extensions.update.enabled': false, 'app.update.enabled': false,
};

/** @param {string[]} [more] further switches of Chromium @param {object} [prefs] further preferences of Firefox */
export function launch(more = [], prefs = {}) {
  if (ENGINE === 'firefox') {
    const executablePath = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
    return firefox.launch({ channel: 'moz-firefox', executablePath, headless: true, firefoxUserPrefs: { ...PREFS, ...prefs } });
  }
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [...ARGS, ...more],
  });
}
