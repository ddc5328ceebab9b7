// SPDX-License-Identifier: Apache-2.0
// Which lines two texts share: the longest common subsequence, for descriptions and configurations of a few hundred lines.

const LINES_MAX = 2000;

/** @returns {{sign: ' '|'+'|'-', text: string}[]} */
export function lines(before, after) {
  const a = before.split(/\r?\n/), b = after.split(/\r?\n/);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const same = (text) => ({ sign: ' ', text });
  const middle = between(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  return [...a.slice(0, head).map(same), ...middle, ...a.slice(a.length - tail).map(same)];
}

const AROUND = 3; // lines beside a change that are shown

/** The same, where long runs that nobody changed are one row. */
export function folded(list) {
  const isNear = new Uint8Array(list.length);
  list.forEach((l, i) => l.sign !== ' ' && isNear.fill(1, Math.max(0, i - AROUND), i + AROUND + 1));
  const out = [];
  for (let i = 0, end; i < list.length; i = end) {
    for (end = i + 1; end < list.length && isNear[end] === isNear[i]; ) end++;
    if (isNear[i] || end - i <= 2 * AROUND) out.push(...list.slice(i, end));
    else out.push({ sign: '⋯', text: `${end - i} lines are the same` });
  }
  return out;
}

function between(a, b) {
  const gone = (text) => ({ sign: '-', text }), come = (text) => ({ sign: '+', text });
  if (a.length > LINES_MAX || b.length > LINES_MAX) return [...a.map(gone), ...b.map(come)];
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i * width + j] = a[i] === b[j] ? common[(i + 1) * width + j + 1] + 1 : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
  const out = [];
  let i = 0, j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      out.push({ sign: ' ', text: a[i] });
      i++;
      j++;
    } else if (common[(i + 1) * width + j] >= common[i * width + j + 1]) out.push(gone(a[i++]));
    else out.push(come(b[j++]));
  }
  return [...out, ...a.slice(i).map(gone), ...b.slice(j).map(come)];
}

/** The body of a SIP message or of JSON that is a description; '' when there is none. */
export function sdpOf(text) {
  const at = text?.search(/^v=0\r?$/m) ?? -1;
  if (at >= 0) return text.slice(at).trim();
  const inner = /"sdp"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(text ?? '');
  try {
    return inner ? JSON.parse(inner[1]).trim() : '';
  } catch {
    return '';
  }
}
