#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speaks to the test server of tests/thread/web_guards.c in raw bytes and checks each guard."""
import json
import os
import socket
import ssl
import sys
import time
import warnings

warnings.simplefilter("ignore", DeprecationWarning)
MODE, PORT, TOKEN, EXPIRED, DIR = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
failed = 0


def check(ok, what):
    global failed
    if not ok:
        failed += 1
        print("FAILED (%s): %s" % (MODE, what))


def dial(version=None, small=False):
    s = socket.socket()
    if small:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    s.settimeout(8)
    s.connect(("127.0.0.1", PORT))
    if MODE == "tls":
        c = ssl.create_default_context(cafile=DIR + "/cert.pem")
        if version:
            c.minimum_version = ssl.TLSVersion.TLSv1
            c.maximum_version = version
            c.set_ciphers("ALL:@SECLEVEL=0")
        s = c.wrap_socket(s, server_hostname="edge.example")
    return s


def read_all(s):
    out = b""
    try:
        while True:
            b = s.recv(65536)
            if not b:
                break
            out += b
    except (TimeoutError, socket.timeout):
        out += b"<timeout>"
    except (ConnectionError, ssl.SSLError):
        pass
    return out


def raw(data, shut=False):
    s = dial()
    s.sendall(data)
    out = read_all(s)
    s.close()
    return out


class Answer:
    def __init__(self, text):
        head, _, self.body = text.partition(b"\r\n\r\n")
        lines = head.decode("latin1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if " " in lines[0] else 0
        self.headers = {}
        for l in lines[1:]:
            k, _, v = l.partition(":")
            self.headers.setdefault(k.strip().lower(), v.strip())

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


def ask(method, target, headers=(), body=b"", host="edge.example"):
    h = ["%s %s HTTP/1.1" % (method, target), "Host: " + host, "Connection: close"]
    h += ["%s: %s" % x for x in headers]
    if body or method in ("POST", "PUT", "PATCH"):
        h.append("Content-Length: %d" % len(body))
    return Answer(raw(("\r\n".join(h) + "\r\n\r\n").encode("latin1") + body))


JSON = ("Content-Type", "application/json")
BEARER = ("Authorization", "Bearer " + TOKEN)


def counts():
    return ask("GET", "/v1/count").json()


def plain_requests():
    a = ask("GET", "/v1/echo?q=a%20b%2Fc+d")
    check(a.status == 200 and a.json()["q"] == "a b/c d", "echo of a query: %r" % a.body)
    check(a.headers.get("x-content-type-options") == "nosniff", "nosniff")
    check(a.headers.get("cache-control") == "no-store", "no-store")
    check(ask("GET", "/v1/echo?q=%00").json()["query"] == -22, "NUL in a query")
    check(ask("GET", "/v1/echo?q=a&q=b").json()["query"] == -22, "a member twice")
    a = ask("POST", "/v1/echo", [JSON, ("Sallyport-Device", "d1"), ("Idempotency-Key", "k")], b'{"a":1}')
    check(a.json() and a.json()["body"] == '{"a":1}' and a.json()["device"] == "d1" and a.json()["key"] == "k",
          "echo of a body: %r" % a.body)
    check(ask("POST", "/v1/echo").status == 200, "an absent body needs no type")
    a = ask("HEAD", "/v1/echo")
    check(a.status == 200 and not a.body and int(a.headers["content-length"]) > 10, "HEAD as GET")
    a = ask("PATCH", "/v1/calls/c_1%2D/ice", [("Content-Type", "application/trickle-ice-sdpfrag")], b"a=x")
    check(a.status == 200 and a.json()["param"] == "c_1-", "a parameter: %r" % a.body)
    a = ask("GET", "/phone")
    check(a.status == 200 and a.body.endswith(b"fixed") and a.headers["cache-control"] == "max-age=60", "direct row")
    check(ask("GET", "/v1/echo", host="127.0.0.1:%d" % PORT).status == 200, "Host by address")
    chunked = b"POST /v1/echo HTTP/1.1\r\nHost: edge.example\r\nConnection: close\r\nContent-Type: application/json\r\n" \
              b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    a = Answer(raw(chunked))
    check(a.status == 200 and a.json()["body"] == "{}", "a chunked body: %r" % a.body)


def paths():
    for target in ("/", "/v1", "/v1/echo/", "//v1/echo", "/v1/../v1/echo", "/v1%2fecho", "/v1/calls/a%2fb/ice",
                   "/v1/calls/%00/ice", "/V1/echo", "/v1/calls//ice", "/phone/../../etc/passwd", "/etc/passwd"):
        a = ask("GET", target)
        check(a.status in (404, 405) and "problem+json" in a.headers.get("content-type", ""), target)
    a = ask("DELETE", "/v1/echo")
    check(a.status == 405 and a.headers.get("allow") == "GET, HEAD, POST, OPTIONS", "405: %r" % a.headers)
    check(a.json().get("type") == "urn:sallyport:problem:method" and a.json().get("status") == 405, "problem document")
    check(ask("HEAD", "/v1/stream").status == 405, "HEAD of a stream")
    check(ask("BREW", "/v1/echo").status == 405, "unknown method")
    check(ask("OPTIONS", "/v1/echo").headers.get("allow") == "GET, HEAD, POST, OPTIONS", "OPTIONS")


def framing():
    smuggled = b"GET /v1/echo?q=smuggled HTTP/1.1\r\nHost: edge.example\r\n\r\n"
    before = counts()["asked"]
    out = raw(b"POST /v1/echo HTTP/1.1\r\nHost: edge.example\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
              b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled)
    check(Answer(out).status == 400 and out.count(b"HTTP/1.1") == 1 and b"smuggled" not in out, "CL with TE: %r" % out)
    check(counts()["asked"] == before + 1, "the owner was asked by a smuggled request")
    for name, head in {
        "two Content-Length": b"Content-Length: 0\r\nContent-Length: 5\r\n",
        "Content-Length of no number": b"Content-Length: +5\r\n",
        "negative Content-Length": b"Content-Length: -1\r\n",
        "other coding": b"Transfer-Encoding: gzip, chunked\r\n",
        "identity coding": b"Transfer-Encoding: identity\r\n",
        "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "space before the colon": b"Content-Length : 5\r\n",
        "two tokens": b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        "control character": b"X-A: a\x01b\r\n",
        "control character in a name": b"X\x0bA: a\r\n",
    }.items():
        out = raw(b"POST /v1/echo HTTP/1.1\r\nHost: edge.example\r\n" + head + b"\r\n" + smuggled)
        check((not out or 400 <= Answer(out).status < 500) and b"smuggled" not in out, "%s: %r" % (name, out[:200]))
    out = raw(b"GET /v1/echo HTTP/1.1\r\nHost: edge.example\r\nContent-Length: 60\r\n\r\n" + smuggled)
    check(Answer(out).status == 400 and b"smuggled" not in out, "GET with a body: %r" % out[:200])
    for name, line in {"NUL": b"/v1/echo\0x", "tab": b"/v1/echo\tx", "space": b"/v1/echo x", "DEL": b"/v1/\x7f",
                       "8 bit": b"/v1/\xe4", "absolute form": b"http://edge.example/v1/echo", "fragment": b"/v1/echo#x",
                       "star": b"*"}.items():
        out = raw(b"GET " + line + b" HTTP/1.1\r\nHost: edge.example\r\nConnection: close\r\n\r\n")
        check(not out or 400 <= Answer(out).status < 500, "%s in the target: %r" % (name, out[:300]))
    for name, head in {"none": b"", "two": b"Host: edge.example\r\nHost: edge.example\r\n", "unknown": b"Host: evil.example\r\n",
                       "rebound": b"Host: 127.0.0.2\r\n", "empty": b"Host: \r\n", "list": b"Host: edge.example, evil\r\n",
                       "user": b"Host: edge.example@evil\r\n", "bad port": b"Host: edge.example:x\r\n"}.items():
        out = raw(b"GET /v1/echo HTTP/1.1\r\n" + head + b"Connection: close\r\n\r\n")
        check(not out or Answer(out).status in (400, 421), "Host %s: %r" % (name, out[:200]))


def sizes():
    check(ask("POST", "/v1/echo", [JSON], b" " * 1024).status == 200, "body at the limit")
    a = ask("POST", "/v1/echo", [JSON], b" " * 1025)
    check(a.status == 413 and a.json().get("code") == "too_large", "body past the limit")
    out = raw(b"POST /v1/echo HTTP/1.1\r\nHost: edge.example\r\nContent-Type: application/json\r\n"
              b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b" " * 1024 + b"\r\n1\r\n \r\n0\r\n\r\n")
    check(Answer(out).status == 413, "chunked past the limit: %r" % out[:100])
    out = raw(b"POST /v1/echo HTTP/1.1\r\nHost: edge.example\r\nContent-Length: 99999999999999999999\r\n\r\n")
    check(not out or Answer(out).status in (400, 413), "huge Content-Length: %r" % out[:100])
    check(ask("GET", "/v1/echo?" + "a" * 5000).status == 431, "long target")
    check(ask("GET", "/v1/echo", [("X-%d" % i, "a") for i in range(80)]).status == 431, "many headers")
    out = raw(b"GET /v1/echo HTTP/1.1\r\nHost: edge.example\r\nX: " + b"a" * 40000 + b"\r\n\r\n")
    check(not out or 400 <= Answer(out).status < 500, "long header: %r" % out[:100])
    for t in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
        a = ask("POST", "/v1/echo", [("Content-Type", t)], b"{}")
        check(a.status == 415 and a.json().get("code") == "media_type", "type %r: %d" % (t, a.status))
    check(ask("POST", "/v1/echo", [("Content-Type", "Application/JSON; charset=utf-8")], b"{}").status == 200, "charset")


def tokens():
    a = ask("GET", "/v1/me")
    check(a.status == 401 and a.headers.get("www-authenticate", "").startswith("Bearer"), "no token")
    check(ask("GET", "/v1/me", [("Authorization", "Basic eA==")]).status == 401, "Basic")
    check(ask("GET", "/v1/me", [("Authorization", "Bearer x.y.z")]).status == 401, "a bad token")
    a = ask("GET", "/v1/me", [("Authorization", "Bearer " + EXPIRED)])
    check(a.status == 401 and a.json().get("code") == "token_expired", "expired: %r" % a.body)
    a = ask("GET", "/v1/me", [BEARER])
    check(a.status == 200 and a.json()["identity"] == "alice", "a good token: %r" % a.body)
    a = ask("POST", "/v1/relay", [BEARER])
    check(a.status == 403 and a.json().get("code") == "scope", "scope: %r" % a.body)
    check(ask("GET", "/v1/ticket").json().get("claims") is False, "optional, absent")
    check(ask("GET", "/v1/ticket", [BEARER]).json().get("claims") is True, "optional, good")
    check(ask("GET", "/v1/ticket", [("Authorization", "Bearer x")]).status == 401, "optional, bad")


def cors():
    app = ("Origin", "https://app.example")
    a = ask("GET", "/v1/echo", [app])
    check(a.headers.get("access-control-allow-origin") == "https://app.example" and a.headers.get("vary") == "Origin" and
          a.headers.get("access-control-expose-headers") == "Location, ETag, Retry-After", "CORS: %r" % a.headers)
    for o in ("https://app.example.evil", "http://app.example", "https://APP.example", "null", "https://app.example:443"):
        check("access-control-allow-origin" not in ask("GET", "/v1/echo", [("Origin", o)]).headers, "origin " + o)
    a = ask("OPTIONS", "/v1/echo", [app, ("Access-Control-Request-Method", "POST")])
    check(a.status == 204 and a.headers.get("access-control-max-age") == "600" and
          "POST" in a.headers.get("access-control-allow-methods", "") and
          "Sallyport-Device" in a.headers.get("access-control-allow-headers", ""), "preflight: %r" % a.headers)
    a = ask("OPTIONS", "/v1/echo", [("Origin", "https://evil"), ("Access-Control-Request-Method", "POST")])
    check(a.status == 403 and "access-control-allow-methods" not in a.headers, "preflight of a stranger")
    check("access-control-allow-origin" in ask("GET", "/v1/me", [app]).headers, "CORS on a problem")


def deadlines():
    s = dial()
    began = time.time()
    try:
        for b in b"GET /v1/echo HTTP/1.1\r\nHost: edge.example\r\nX: " + b"a" * 200:
            s.sendall(bytes([b]))
            time.sleep(0.1)
    except OSError:
        pass
    check(1 < time.time() - began < 4, "a byte at a time lasted %.1f s" % (time.time() - began))
    s = dial()
    began = time.time()
    s.sendall(b"POST /v1/echo HTTP/1.1\r\nHost: edge.example\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n")
    try:
        for _ in range(100):
            s.sendall(b" ")
            time.sleep(0.1)
    except OSError:
        pass
    check(1 < time.time() - began < 4, "a slow body lasted %.1f s" % (time.time() - began))
    began = time.time()
    s = socket.create_connection(("127.0.0.1", PORT), timeout=8)
    check(read_all(s) == b"" and time.time() - began < 4, "a silent connection")
    began = time.time()
    a = ask("GET", "/v1/slow")
    check(a.status == 504 and time.time() - began < 3, "an owner that does not answer: %d" % a.status)


def limits():
    held = []
    for _ in range(60):
        try:
            held.append(socket.create_connection(("127.0.0.1", PORT), timeout=5))
        except OSError:
            break
    time.sleep(0.2)
    open_ = 0
    for s in held:
        s.settimeout(0.01)
        try:
            open_ += s.recv(1) != b""
        except (TimeoutError, socket.timeout):
            open_ += 1
        except OSError:
            pass
    check(open_ <= 40, "%d connections of one address" % open_)
    for s in held:
        s.close()
    time.sleep(0.3)
    check(ask("GET", "/v1/echo").status == 200, "after the connections were closed")


def keep_alive():
    s = dial()
    for i in range(3):
        s.sendall(b"GET /v1/echo?q=%d HTTP/1.1\r\nHost: edge.example\r\n\r\n" % i)
        out = b""
        while b'"claims"' not in out or not out.endswith(b"}"):
            out += s.recv(4096)
        check(Answer(out).json().get("q") == str(i), "request %d of one connection" % i)
    s.sendall(b"GET /v1/echo?q=a HTTP/1.1\r\nHost: edge.example\r\n\r\nGET /v1/me HTTP/1.1\r\nHost: edge.example\r\n"
              b"Connection: close\r\n\r\n")
    out = read_all(s)
    check(out.count(b"HTTP/1.1 ") == 2 and b"401" in out, "two requests in one packet: %r" % out)


def nothing_is_left():
    """A connection's request has the memory of the one before: nothing of that one is seen."""
    s = dial()
    sdp = b"a=mid:0\r\n"
    for head in (f"GET /v1/ticket HTTP/1.1\r\n{': '.join(BEARER)}\r\nSallyport-Device: d1\r\n", None,
                 "PATCH /v1/calls/secret/ice HTTP/1.1\r\nContent-Type: application/trickle-ice-sdpfrag\r\n"
                 f"Content-Length: {len(sdp)}\r\n", None):
        s.sendall((head or "GET /v1/echo HTTP/1.1\r\n").encode() + b"Host: edge.example\r\n\r\n" + (sdp if head and "PATCH" in head else b""))
        out = b""
        while b'"claims"' not in out or not out.endswith(b"}"):
            out += s.recv(4096)
        a = Answer(out).json()
        if head:
            check(a["claims"] if "ticket" in head else a["param"] == "secret", "the request before: %r" % a)
        else:
            check(not a["claims"] and not a["identity"] and not a["params"] and not a["param"] and a["device"] is None and not a["body"],
                  "left behind: %r" % a)
    s.close()


def until(s, out, want, seconds):
    s.settimeout(seconds)
    try:
        while want not in out:
            b = s.recv(65536)
            if not b:
                break
            out += b
    except (TimeoutError, socket.timeout):
        pass
    return out


def half_sent():
    """Thirty half-sent bodies, another whole one beside them, then their ends."""
    head = b"POST /v1/echo HTTP/1.1\r\nHost: edge.example\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n"
    began = time.time()
    held = [dial() for _ in range(30)]
    for s in held:
        s.sendall(head + b" " * 1000)
    while counts()["bodies"] < 19000 and time.time() - began < 1:
        pass
    most, other, answers = counts()["bodies"], ask("POST", "/v1/echo", [JSON], b" " * 1000), []
    for s in held:
        s.sendall(b" " * 24)
    for s in held:
        answers.append(Answer(until(s, b"", b"}", 3)).status)
        s.close()
    return time.time() - began, most, other, answers


def bodies():
    """They are held up to a known amount in all; what has no room is told so, and all is given back."""
    for _ in range(8):
        took, most, other, answers = half_sent()
        if took < 1:  # else requests came near their deadline
            break
    check(19000 < most <= 20500, "%d bytes of bodies" % most)
    check(other.status == 503 and other.json().get("code") == "overload" and "retry-after" in other.headers, "no room: %d %r" % (other.status, other.body))
    check(set(answers) == {200, 503} and 15 <= answers.count(200) <= 20, answers)
    check(ask("POST", "/v1/echo", [JSON], b" " * 1000).status == 200, "room again")
    began = time.time()
    while counts()["bodies"] and time.time() - began < 3:
        time.sleep(0.02)
    check(counts()["bodies"] == 0, "all was given back")
    for path, status, n, reads in (("/v1/relay", 401, 1 << 20, True), ("/none", 404, 60000, True), ("/none", 404, 1 << 20, False)):
        s = dial()  # what is refused is read on, that it may be told, but not held; of no row, only what is small
        s.sendall(b"POST %s HTTP/1.1\r\nHost: edge.example\r\nContent-Length: %d\r\n\r\n" % (path.encode(), n))
        if reads:
            s.sendall(b" " * n)
        out = read_all(s) if not reads else until(s, b"", b"}", 3)
        check(Answer(out).status == status, "%s with %d bytes: %r" % (path, n, out[:200]))
        s.close()
    check(counts()["bodies"] == 0, "no body of what is refused is held")


def streams():
    before = counts()
    s = dial()
    s.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: edge.example\r\n\r\n")
    out = until(s, b"", b"id: 3", 3)
    check(b"text/event-stream" in out and b"retry: 2000\n\n" in out and out.index(b"retry") < out.index(b"id: 1") <
          out.index(b"id: 3"), "events: %r" % out)
    began = time.time()
    out = until(s, b"", b":\n\n", 3)
    check(b":\n\n" in out and time.time() - began < 1, "heartbeat: %r" % out)
    check(counts()["streams"] == before["streams"] + 1, "one stream is open")
    s.close()
    time.sleep(1.2)
    now = counts()
    check(now["streams"] == before["streams"] and now["closed"] == before["closed"] + 1 and now["cookie"] == 4711,
          "the owner is told that a stream closed: %r %r" % (before, now))
    s = dial()
    s.sendall(b"GET /v1/flood HTTP/1.1\r\nHost: edge.example\r\n\r\n")
    began = time.time()
    while counts()["closed"] < before["closed"] + 2 and time.time() - began < 20:
        time.sleep(0.5)
    check(counts()["closed"] == before["closed"] + 2, "a reader that never reads is closed")
    s.close()
    held = [dial() for _ in range(8)]
    for s in held:
        s.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: edge.example\r\n\r\n")
    check(all(b"id: 3" in until(s, b"", b"id: 3", 3) for s in held), "eight streams")
    # they stay open: the server must end them when it stops


def chunks(out):
    """What the chunks of an answer hold."""
    body, out = b"", out.split(b"\r\n\r\n", 1)[1]
    while b"\r\n" in out:
        size, rest = out.split(b"\r\n", 1)
        n = int(size, 16)
        if len(rest) < n + 2:
            break
        body, out = body + rest[:n], rest[n + 2:]
    return body


def numbers(s, last, before=b""):
    """Of the events (kind, number) as they came after what was read before, each whole; and all that was read."""
    got, out = [], before + until(s, b"", b"%06d." % last, 5) + until(s, b"", b":\n\n", 3)
    for event in chunks(out).split(b"\n\n")[1:]:
        if event and event != b":":
            kind, data = event.split(b"\n")
            check(len(event) == 1022 and data.startswith(b"data: "), "an event is whole: %r" % event[:80])
            got.append((kind[7:], int(data[6:12])))
    return got, out


def listeners():
    open_before = counts()["streams"]
    s = dial()
    s.sendall(b"GET /v1/listen HTTP/1.1\r\nHost: edge.example\r\n\r\n")
    check(b"000099." in until(s, b"", b"000099.", 3), "the scene comes at once")
    ask("POST", "/v1/cast", [JSON], b"{}")
    late = dial(small=True)
    late.sendall(b"GET /v1/listen HTTP/1.1\r\nHost: edge.example\r\n\r\n")
    got, out = numbers(late, 199)
    check(got == [(b"scene", i) for i in range(100)] + [(b"cast", i) for i in range(100, 200)],
          "who comes later has the scene and what was cast since: %r" % [got[:2], got[-2:]])
    for body in (b'{"tight": 1}', b"{}"):  # more than their sockets take from now on: it goes out in parts
        ask("POST", "/v1/cast", [JSON], body)
    got = [number for kind, number in numbers(late, 399, out)[0]]
    check(got == list(range(400)), "who reads late has each event once, and whole: %r" % [len(got), got[-2:]])
    s.close()
    late.close()
    began = time.time()
    while counts()["streams"] > open_before and time.time() - began < 5:
        time.sleep(0.05)
    slow = dial()
    slow.sendall(b"GET /v1/listen HTTP/1.1\r\nHost: edge.example\r\n\r\n")
    until(slow, b"", b"retry", 3)
    lagging = counts()["lagging"]
    for _ in range(60):
        ask("POST", "/v1/cast", [JSON], b'{"much": 1}')
        if counts()["lagging"] > lagging:
            break
    began = time.time()
    while counts()["lagging"] <= lagging and time.time() - began < 5:
        time.sleep(0.05)  # streams are looked at ten times a second
    check(counts()["lagging"] > lagging, "who reads nothing is closed: %r" % counts())
    slow.close()


def versions():
    for v in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        try:
            dial(v)
            check(False, "%s was taken" % v)
        except (ssl.SSLError, ConnectionError):
            pass
    check(dial().version() == "TLSv1.3", "TLS 1.3")
    check(dial(ssl.TLSVersion.TLSv1_2).version() == "TLSv1.2", "TLS 1.2")


tests = [plain_requests, paths, framing, sizes, tokens, cors, keep_alive, nothing_is_left, streams, listeners]
if MODE == "plain":
    tests[-1:-1] = [bodies, deadlines, limits]
else:
    tests.insert(0, versions)
for t in tests:
    began = time.time()
    try:
        t()
    except Exception as e:  # one that broke is one that failed
        check(False, "%s: %r" % (t.__name__, e))
    if os.environ.get("VERBOSE"):
        print("%s %.1f s" % (t.__name__, time.time() - began))
sys.exit(1 if failed else 0)
