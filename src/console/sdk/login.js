// SPDX-License-Identifier: Apache-2.0
// Who this tab is: the token of its link, and a device name that lives as long as the tab.

const TOKEN = 'sallyport.token';
const DEVICE = 'sallyport.device';

/**
 * Takes the token out of `#token=…` and out of the address bar, keeps it for this tab, and gives it.
 * @returns {string|null}
 */
export function takeToken() {
  const match = /^#(?:.*&)?token=([^&]*)/.exec(location.hash);
  if (match) {
    history.replaceState(history.state, '', location.pathname + location.search);
    sessionStorage.setItem(TOKEN, decodeURIComponent(match[1]));
  }
  return sessionStorage.getItem(TOKEN);
}

export function forgetToken() {
  sessionStorage.removeItem(TOKEN);
}

const newName = () => `web-${[...crypto.getRandomValues(new Uint8Array(6))].map((b) => b.toString(16).padStart(2, '0')).join('')}`;

/**
 * A device name for this tab, the same after a reload. A duplicated tab copies the storage of the first:
 * a lock tells, and the copy gets a name of its own, or the two would take the stream from each other.
 * @returns {Promise<string>}
 */
export async function deviceName() {
  let name = sessionStorage.getItem(DEVICE) ?? newName();
  // The page before a reload lets go of its lock a moment late.
  for (let tried = 0; !(await holdName(name)); tried++) {
    if (tried >= 10) name = newName();
    else await new Promise((done) => setTimeout(done, 50));
  }
  sessionStorage.setItem(DEVICE, name);
  return name;
}

function holdName(name) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((done) => {
    navigator.locks
      .request(`sallyport-device-${name}`, { ifAvailable: true }, (lock) => {
        done(lock !== null);
        return lock === null ? undefined : new Promise(() => {});
      })
      .catch(() => done(true));
  });
}
