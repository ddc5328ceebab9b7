#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lint of the house: floors, one door for each area, one library in one area, symbols that collide
with the libraries' prefixes. Prints each fault as file:line: text; exit status 1 if there is one."""
import pathlib
import re
import sys

FLOOR = {"base": 0, "console": 0, "wire": 1, "codec": 1, "conf": 1, "mset": 2, "flow": 2, "guard": 2, "route": 2,
         "stir": 2, "store": 2, "trace": 2, "web": 2, "media": 3, "revise": 3, "call": 4, "trunk": 5, "native": 5, "admin": 5, "doctor": 5, "app": 6}
OPEN_FLOOR = 1  # floors 0 and 1 are open libraries: any of their headers

# header prefix -> areas, or single files, that may include it
LIBRARY = {
    "sofia-sip/": {"trunk"},
    "srtp2/": {"flow"},
    "openssl/": {"flow", "base/hmac.c", "stir", "trunk", "web"},
    "gnutls/": {"web"},
    "microhttpd.h": {"web"},
    "jansson.h": {"web", "native", "admin", "doctor", "app/trunks.c", "app/live.c", "app/bans.c", "app/cli_api.h", "app/cli_view.h", "stir", "revise"},
    "curl/": {"stir", "admin/push.c", "app/cli_api.c"},
    "zlib.h": {"admin/tarball.c"},
    "sqlite3.h": {"store"},
    "sodium.h": {"admin/password.c", "trace"},
    "yaml.h": {"conf", "route"},
    "pcre2.h": {"route"},
    "seccomp.h": {"base/jail.c"},
    "liburing.h": {"flow", "media"},
    "opus.h": {"codec"},
    "spandsp": {"codec"},
    "speex/": {"codec"},
    "ogg/": {"codec"},
}
# OpenSSL in trunk: only its TLS rooms, which know no SIP
TRUNK_TLS = re.compile(r"src/trunk/(?!.*(inbound|outbound|dialog|agent))")
# prefixes of our libraries' symbols: a function of ours of such a name would silently replace theirs
TAKEN = re.compile(r"^(sip|su|msg|http|nua|nta|tport|soa|stun|sres|sdp|auth|url|tls|srtp|MHD|sqlite3|json|yaml|"
                   r"pcre2|gnutls|SSL|EVP|BIO|X509|seccomp|opus|speex|ogg|g722|plc|dtmf|jitter_buffer)_")
INTERPOSED = {"src/trunk/sofia_tls.c", "src/trunk/sofia_hooks.c", "src/trunk/sofia_send.c"}
FUNCTION = re.compile(r"^(?!static\b|typedef\b|#|extern\b|return\b|else\b)[A-Za-z_][\w \t\*]*?\b(\w+)\([^;]*\)?\s*\{?$")
MAX_LINES = 700

faults = []


def fault(path, line, text):
    faults.append(f"{path}:{line}: {text}")


def parts_of(area):
    """The door and the headers of its own area that it includes: what it shows."""
    todo, seen = [f"{area}/{area}.h"], set()
    while todo:
        h = todo.pop()
        p = pathlib.Path("src") / h
        if h not in seen and p.exists():
            seen.add(h)
            todo += re.findall(r'#\s*include\s+"(' + area + r'/[^"]+)"', p.read_text())
    return seen


def check_include(path, area, number, line):
    m = re.match(r'#\s*include\s+["<]([^">]+)[">]', line)
    if not m:
        return
    header = m.group(1)
    for prefix, areas in LIBRARY.items():
        if header.startswith(prefix) and area not in areas and f"{area}/{path.name}" not in areas:
            fault(path, number, f"{header} is not this area's library (docs/architecture.md)")
    if header.startswith("openssl/") and area == "trunk" and not TRUNK_TLS.match(str(path)):
        fault(path, number, f"{header}: OpenSSL belongs to the TLS rooms of trunk")
    other = header.split("/")[0] if "/" in header else None
    if other not in FLOOR or other == area:
        return
    if FLOOR[other] >= FLOOR[area]:
        fault(path, number, f"{header}: floor {FLOOR[other]} from floor {FLOOR[area]} looks up or sideways")
    if FLOOR[other] > OPEN_FLOOR and header not in door_parts[other]:
        fault(path, number, f"{header}: from outside only the door {other}/{other}.h")


def check_names(path, number, line):
    m = FUNCTION.match(line)
    if m and TAKEN.match(m.group(1)) and str(path) not in INTERPOSED:
        fault(path, number, f"{m.group(1)}: this prefix belongs to a library")


door_parts = {a: parts_of(a) for a in FLOOR}
for path in sorted(pathlib.Path("src").rglob("*.[ch]")):
    area = path.parts[1]
    if area not in FLOOR:
        fault(path, 1, f"{area} is no area of the house")
        continue
    text = path.read_text().splitlines()
    if not text or "SPDX-License-Identifier: Apache-2.0" not in text[0]:
        fault(path, 1, "the first line names the licence")
    if len(text) > MAX_LINES:
        fault(path, len(text), f"{len(text)} lines: split the room by noun (at most {MAX_LINES})")
    for number, line in enumerate(text, 1):
        check_include(path, area, number, line)
        if path.suffix == ".c":
            check_names(path, number, line)
print("\n".join(faults) or "the house is in order")
sys.exit(1 if faults else 0)
