// SPDX-License-Identifier: Apache-2.0
// Focus is never lost: when what had it goes (a dialog is closed, a row is taken away), what opened it has it
// again, else the card around it, else the page. Without this a keyboard begins at the top each time.

/** What had focus last, and then who gets it, nearest first. */
let trail = [];

function trailOf(target) {
  const own = [target, target.closest('section, aside'), target.closest('main')].filter(Boolean);
  const before = target.closest('dialog, aside') ? trail.filter((e) => !e.closest('dialog, aside')) : [];
  return [target, ...before, ...own.slice(1)];
}

function mend() {
  if (document.activeElement !== document.body || !trail.length || trail[0].isConnected) return;
  const next = trail.find((e) => e.isConnected && !e.disabled);
  if (!next) return;
  if (/^(SECTION|ASIDE)$/.test(next.tagName)) next.setAttribute('tabindex', '-1');
  next.focus({ preventScroll: true });
}

/** @returns what ends it. */
export function keepFocus() {
  const note = (event) => (trail = trailOf(event.target));
  const watch = new MutationObserver(mend);
  document.addEventListener('focusin', note);
  watch.observe(document.body, { childList: true, subtree: true });
  return () => {
    document.removeEventListener('focusin', note);
    watch.disconnect();
    trail = [];
  };
}
