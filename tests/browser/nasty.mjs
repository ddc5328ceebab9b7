// SPDX-License-Identifier: Apache-2.0
// Texts that a SIP peer may send where a name stands. Each must come out as text, on every page.

const long = 'A'.repeat(900);
export const NASTY = [
  '<script>window.pwned=1</script>', '<img src=x onerror="window.pwned=1">', '"><svg onload=window.pwned=1>', "'><script>window.pwned=1</script>",
  '</title><script>window.pwned=1</script>', '</textarea><script>window.pwned=1</script>', '</pre><iframe src=javascript:window.pwned=1>', 'javascript:window.pwned=1',
  '<a href="javascript:window.pwned=1">x</a>', '<svg><script>window.pwned=1</script></svg>', '<math><mtext></form><form><mglyph><style></math><img src onerror=window.pwned=1>',
  '{{constructor.constructor("window.pwned=1")()}}', '${window.pwned=1}', '`${window.pwned=1}`', '<%= window.pwned=1 %>', '#{window.pwned=1}',
  '__proto__', 'constructor', 'toString', '[object Object]', 'null', 'undefined', 'NaN', '-0', '0x1F', '1e309',
  "' OR '1'='1", "'; DROP TABLE records; --", '" onmouseover="window.pwned=1', "' onfocus='window.pwned=1' autofocus='", '<b>bold</b>', '&lt;b&gt;', '&amp;&quot;&#39;', '<!-- comment -->', '<![CDATA[ x ]]>',
  '\\u003cscript\\u003e', '%3Cscript%3E', '../../etc/passwd', '..\\..\\windows', 'a\tb', 'q"quote"q', "it's", 'back\\slash', '=cmd|\' /C calc\'!A0', '+1+1', '@SUM(A1)',
  '\u202egnp.exe', '\u2066isolate\u2069', 'zero\u200bwidth', '\ufeffmark', 'ünïcödé', '日本語', '🙂🙂', 'a\u0301\u0301\u0301\u0301', 'مرحبا', 'שלום', '\u2028line\u2029sep', '%s%s%n', '$(reboot)', '`reboot`', '; rm -rf /', '|| true', '\u0085nel', '\u007f', long,
];
