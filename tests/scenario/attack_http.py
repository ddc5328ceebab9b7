# SPDX-License-Identifier: Apache-2.0
"""Attacks on the service door and the operators' door: requests at the edge of HTTP, slow clients, readers that
never read, bodies that grow, tokens that are not ours, while calls go on."""
import base64
import json
import re
import socket
import ssl
import threading
import time

from app import App
from attack import LONG, STRANGER, AttackGroup, echo_call, fds, figure, grew, lab_agent, percentile, rss_kb
from house import check

G = AttackGroup("attack-http")


def dial(house, door, source="127.0.0.1"):
    s = socket.socket()
    s.settimeout(6)
    s.bind((source, 0))
    s.connect(("127.0.0.1", house.port(door)))
    if door == "service":
        s = ssl.create_default_context(cafile=house.demo["ca"]).wrap_socket(s, server_hostname="localhost")
    return s


def read_all(s):
    out = b""
    try:
        while True:
            more = s.recv(65536)
            if not more:
                return out
            out += more
    except (TimeoutError, socket.timeout):
        return out + b"<timeout>"
    except (ConnectionError, ssl.SSLError):
        return out


def ask(house, door, data):
    s = dial(house, door)
    try:
        s.sendall(data)
    except (ConnectionError, ssl.SSLError):
        pass
    out = read_all(s)
    s.close()
    return out


def statuses(answer):
    return [int(m) for m in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def host(house, door):
    return "localhost:%d" % house.port(door) if door == "service" else "127.0.0.1:%d" % house.port(door)


def token(house, door):
    return house.demo["users"]["alice"]["token"] if door == "service" else house.demo["admin"]["token"]


def probes(house, door):
    """(name, bytes, statuses that are right; () is: closed without a word is right too)."""
    h, path = host(house, door), "/v1/me" if door == "service" else "/admin/v1/calls"
    put = "/v1/calls" if door == "service" else "/admin/v1/tokens"
    good = "Authorization: Bearer %s\r\n" % token(house, door)
    end = "Connection: close\r\n\r\n"

    def get(target=path, head="Host: %s\r\n" % h, more=good, version="HTTP/1.1", method="GET"):
        return ("%s %s %s\r\n%s%s%s" % (method, target, version, head, more, end)).encode("latin1")

    def post(body, more="", kind="application/json", length=None):
        return ("POST %s HTTP/1.1\r\nHost: %s\r\n%s%sContent-Type: %s\r\nContent-Length: %s\r\n%s" % (
            put, h, good, more, kind, len(body) if length is None else length, end)).encode("latin1") + body

    smuggled = b"0\r\n\r\nDELETE /v1/calls/x HTTP/1.1\r\nHost: " + h.encode() + b"\r\n\r\n"
    deep = b'{"a":' * 2000 + b"1" + b"}" * 2000
    return [
        ("a good one", get(), (200,)),
        ("no Host", get(head=""), (400,)),
        ("two Hosts", get(head="Host: %s\r\nHost: evil.example\r\n" % h), (400,)),
        ("another Host", get(head="Host: evil.example\r\n"), (400, 421)),
        ("Host with a path", get(head="Host: %s/x\r\n" % h), (400, 421)),
        ("Content-Length and Transfer-Encoding", post(smuggled, "Transfer-Encoding: chunked\r\n"), (400,)),
        ("Transfer-Encoding twice", post(smuggled, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), (400,)),
        ("Transfer-Encoding with a tab", post(smuggled, "Transfer-Encoding:\tchunked\r\n"), (400,)),
        ("two Content-Lengths", post(b"{}", "Content-Length: 7\r\n"), (400,)),
        ("Content-Length -1", post(b"{}", length="-1"), (400, 413)),
        ("Content-Length +2", post(b"{}", length="+2"), (400,)),
        ("Content-Length 2e9", post(b"{}", length="2000000000"), (400, 413)),
        ("Content-Length of 30 digits", post(b"{}", length="9" * 30), (400, 413)),
        ("no token", get(more=""), (401,)),
        ("another token", get(more="Authorization: Bearer %s\r\n" % ("A" * 40)), (401,)),
        ("two tokens", get(more=good + "Authorization: Bearer x\r\n"), (400, 401)),
        ("token in the query", get(path + "?access_token=" + token(house, door), more=""), (400, 401)),
        ("Basic", get(more="Authorization: Basic %s\r\n" % base64.b64encode(b"a:b").decode()), (401,)),
        ("NUL in the target", get(path + "\0"), (400, 404)),
        ("NUL in a header", get(more=good + "X: a\0b\r\n"), (400, 200)),
        ("escaped NUL", get(path + "%00"), (400, 404)),
        ("dot dot", get("/../../etc/passwd"), (400, 404)),
        ("escaped dot dot", get("/%2e%2e/%2e%2e/etc/passwd"), (400, 404)),
        ("double slash", get("//" + path[1:]), (400, 404)),
        ("back slash", get("/..\\..\\etc\\passwd"), (400, 404)),
        ("absolute target elsewhere", get("http://evil.example" + path), (400, 404, 421)),
        ("asterisk", get("*", method="OPTIONS"), (200, 204, 400, 401, 404, 405)),
        ("a long target", get(path + "?" + "a" * 20000), (400, 404, 414, 431)),
        ("a long header", get(more=good + "X: %s\r\n" % ("a" * 60000)), (400, 413, 431)),
        ("many headers", get(more=good + "X: a\r\n" * 3000), (400, 413, 431)),
        ("TRACE", get(method="TRACE"), (400, 404, 405, 501)),
        ("CONNECT", get(method="CONNECT"), (400, 404, 405, 501)),
        ("a verb of nobody's", get(method="BREW"), (400, 404, 405, 501)),
        ("method override", get(more=good + "X-HTTP-Method-Override: DELETE\r\n"), (200,)),
        ("HTTP/0.9", ("GET " + path + "\r\n\r\n").encode(), (400, 401, 505)),
        ("HTTP/3.0", get(version="HTTP/3.0"), (400, 505)),
        ("folded header", get(more=good + "X: a\r\n b\r\n"), (200, 400)),
        ("space before the colon", get(more=good + "X : a\r\n"), (200, 400)),
        ("bare line feeds", get().replace(b"\r\n", b"\n"), (200, 400)),
        ("no JSON", post(b"nul"), (400,)),
        ("deep JSON", post(deep), (400, 413)),
        ("JSON with NUL", post(b'{"identity":"a\\u0000b"}'), (400, 422)),
        ("JSON of a wrong type", post(b'[1,2,3]'), (400, 422)),
        ("double keys", post(b'{"to":{"tel":"1"},"to":{"tel":"2"},"identity":"a","identity":"b"}'), (400, 422)),
        ("a huge number", post(b'{"ttl_s":1e999,"to":{"tel":1e999}}'), (400, 422)),
        ("a form", post(b"a=b", kind="application/x-www-form-urlencoded"), (415,)),
        ("another charset", post(b"{}", kind="application/json; charset=utf-7"), (400, 415, 422)),
        ("a big body", post(b'{"x":"' + b"a" * (2 << 20) + b'"}'), (413,)),
        ("no UTF-8", post(b'{"identity":"\xff\xfe"}'), (400, 422)),
        ("upgrade", get(more=good + "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n"), (200, 400, 404)),
        ("Expect of nobody's", post(b"{}", "Expect: 200-maybe\r\n"), (400, 417, 422)),
    ]


def edge(house, door):
    bad, slow, secrets = [], 0, (token(house, door),)
    list_ = probes(house, door)
    for name, data, right in list_:
        begin = time.monotonic()
        answer = ask(house, door, data)
        spent = time.monotonic() - begin
        slow = max(slow, spent if b"<timeout>" not in answer else 0)
        got = statuses(answer)
        if len(got) == 2 and got[0] == got[1] >= 400 and b"Connection: close" in answer:
            got = got[:1]  # the library answers some broken lengths twice; then the connection ends
        if len(got) > 1 or (got and got[0] not in right) or b"<timeout>" in answer or (not got and 200 in right and len(right) == 1):
            bad.append("%s: %s %r" % (name, got, answer[-120:] if b"<timeout>" in answer else answer[:160]))
        if any(s.encode() in answer for s in secrets) or b"root:" in answer:
            bad.append(name + ": the answer shows a secret")
    figure("A15 %s: %d probes, %d wrong, slowest %.0f ms" % (door, len(list_), len(bad), slow * 1e3))
    check(not bad, "\n".join(bad))
    check(statuses(ask(house, door, list_[0][1])) == [200], "a good request after all that")


@G.scenario("A15: the edge suite against the service door")
def edge_service(house):
    edge(house, "service")


@G.scenario("A15: the edge suite against the operators' door")
def edge_admin(house):
    edge(house, "admin")


@G.scenario("A15: headers of pages and answers: CSP without unsafe, no sniffing, no framing; CORS for nobody")
def headers(house):
    h = host(house, "service")
    page = ask(house, "service", ("GET /phone HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % h).encode())
    head = page.split(b"\r\n\r\n")[0].decode().lower()
    check(statuses(page) == [200], head)
    csp = next((line for line in head.split("\r\n") if line.startswith("content-security-policy:")), "")
    check(csp and "unsafe" not in csp and "frame-ancestors 'none'" in csp and "default-src" in csp, "CSP: " + csp)
    check("x-content-type-options: nosniff" in head, head)
    for door, path in (("service", "/v1/me"), ("admin", "/admin/v1/calls")):
        answer = ask(house, door, ("OPTIONS %s HTTP/1.1\r\nHost: %s\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: "
                                   "GET\r\nConnection: close\r\n\r\n" % (path, host(house, door))).encode()).decode("latin1").lower()
        check("access-control-allow-origin" not in answer, "CORS for a stranger: " + answer[:300])


class Slow:
    """n connections of one address, each doing what each(socket, turn) does."""

    def __init__(self, house, door, n, each, source=STRANGER, tls=False):
        self.house, self.door, self.n, self.each, self.source, self.tls = house, door, n, each, source, tls
        self.open, self.ended, self.refused = [], 0, 0
        self.stop = threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(20)
        for s in self.open:
            s.close()

    def _run(self):
        turn = 0
        while not self.stop.is_set():
            for _ in range(max(0, min(20, self.n - len(self.open) - self.ended - self.refused))):
                self._connect()
            for s in list(self.open):
                try:
                    self.each(s, turn)
                except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    pass
                except OSError:
                    self.open.remove(s)
                    s.close()
                    self.ended += 1
            turn += 1
            time.sleep(0.05)

    def _connect(self):
        try:
            if self.tls:
                s = dial(self.house, self.door, self.source)
            else:
                s = socket.socket()
                s.settimeout(1)
                s.bind((self.source, 0))
                s.connect(("127.0.0.1", self.house.port(self.door)))
            s.setblocking(False)
            self.open.append(s)
        except OSError:
            self.refused += 1


def drip(house, door):
    text = ("GET / HTTP/1.1\r\nHost: %s\r\nX: " % host(house, door)).encode() + b"a" * 4000

    def each(s, turn):
        s.send(text[turn % len(text):turn % len(text) + 1])
    return each


def drip_body(house, door):
    path = "/v1/calls" if door == "service" else "/admin/v1/tokens"
    text = ("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n"
            % (path, host(house, door), token(house, door))).encode()

    def each(s, turn):
        s.send(text if turn == 0 else b" ")
    return each


@G.scenario("A14: slow requests and bodies, silent TLS: good ones are served, calls go on, slow ones end")
def slowloris(house):
    pid = house.pid("sallyportd")
    for door, name, each, tls in (("service", "silent TLS", lambda s, turn: None, False),
                                  ("service", "a header byte at a time", drip(house, "service"), True),
                                  ("service", "a body byte at a time", drip_body(house, "service"), True),
                                  ("admin", "a header byte at a time", drip(house, "admin"), False)):
        good = ("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n" % (
            "/v1/me" if door == "service" else "/admin/v1/calls", host(house, door), token(house, door))).encode()
        rss, open_fds, times, calls, peak = rss_kb(pid), fds(pid), [], [], 0
        with Slow(house, door, 100 if tls else 300, each, tls=tls) as slow, lab_agent(house) as sip:
            begin = time.monotonic()
            while time.monotonic() < begin + (60 if LONG else 3):
                at = time.monotonic()
                check(statuses(ask(house, door, good)) == [200], "a good request beside slow ones")
                times.append(time.monotonic() - at)
                calls.append(echo_call(sip))
                peak = max(peak, fds(pid))
                time.sleep(0.02)
        figure("A14 %s, %s: %d open, %d ended, %d refused (descriptors %d -> %d); %d requests, median %.1f ms, worst %.1f ms; %d calls, worst "
               "%.1f ms; RSS %d -> %d KB" % (door, name, len(slow.open), slow.ended, slow.refused, open_fds, peak, len(times),
                                             percentile(times, 0.5) * 1e3, max(times) * 1e3, len(calls), max(calls) * 1e3, rss, rss_kb(pid)))
        check(percentile(times, 0.5) < 0.25 and max(times) < 1.5, "good requests took %.0f ms, worst %.0f ms" % (percentile(times, 0.5) * 1e3, max(times) * 1e3))
        check(max(calls) < 1, "a call took %.2f s" % max(calls))
        check(peak - open_fds < 270, "one address may hold %d connections" % (peak - open_fds))


@G.scenario("A14: a request has an absolute deadline, however busy its bytes")
def deadline(house):
    spent = {}
    threads = [threading.Thread(target=dripped, args=(house, door, spent)) for door in ("service", "admin")]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    figure("A14: dripping requests were ended after %s" % ", ".join("%.1f s (%s)" % (s, door) for door, s in spent.items()))
    check(len(spent) == 2 and max(spent.values()) < 12, "still open")


def dripped(house, door, spent):
    s, begin, each = dial(house, door), time.monotonic(), drip(house, door)
    s.sendall(("GET / HTTP/1.1\r\nHost: %s\r\nX: " % host(house, door)).encode())
    s.settimeout(0.4)
    turn = 60
    while time.monotonic() < begin + 14:
        try:
            each(s, turn)
            s.recv(100)  # an end, or an answer
            break
        except (TimeoutError, socket.timeout):
            turn += 1
        except OSError:
            break
    spent[door] = time.monotonic() - begin
    s.close()


def stream(house, who):
    s = dial(house, "service", who)
    s.sendall(("GET /v1/events?device=r%d HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: text/event-stream\r\n\r\n" % (
        s.getsockname()[1], host(house, "service"), token(house, "service"))).encode())
    return s


@G.scenario("A16: event streams: a limit for each identity, readers that never read are let go, memory bounded")
def idle_readers(house):
    pid = house.pid("sallyportd")
    rss, open_fds = rss_kb(pid), fds(pid)
    first = [stream(house, "127.0.0.1") for _ in range(12)]
    heads = []
    for s in first:
        s.settimeout(3)
        heads.append(s.recv(12)[9:12])
    check(heads.count(b"200") == 5 and heads.count(b"429") == 7, "streams of one identity: %s" % heads)
    for s in first:
        s.close()
    # Many identities, each with streams that are never read.
    tokens, readers = [], []
    url = "127.0.0.1:%d" % house.port("admin")
    n = 500 if LONG else 100
    for i in range(n // 5):
        body = json.dumps({"identity": "reader%d" % i, "scopes": ["events.read", "call.receive"], "ttl_s": 600}).encode()
        answer = ask(house, "admin", ("POST /admin/v1/tokens HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                                      "Content-Length: %d\r\nConnection: close\r\n\r\n" % (url, token(house, "admin"), len(body))).encode() + body)
        tokens.append(json.loads(answer.split(b"\r\n\r\n", 1)[1])["token"])
    refused = 0
    for i in range(n):
        try:
            s = dial(house, "service", "127.0.%d.%d" % (10 + i // 50, 1 + i % 50))
            s.sendall(("GET /v1/events?device=d%d HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n" % (
                i, host(house, "service"), tokens[i % len(tokens)])).encode())
            readers.append(s)
        except OSError:
            refused += 1
    time.sleep(0.5)
    with lab_agent(house) as sip:
        times = [echo_call(sip) for _ in range(20)]
    each = (rss_kb(pid) - rss) / max(1, len(readers))
    figure("A16: %d idle streams (%d refused), %.1f KB each, descriptors %d -> %d; calls beside: worst %.1f ms"
           % (len(readers), refused, each, open_fds, fds(pid), max(times) * 1e3))
    check(len(readers) == n, "%d streams were refused" % refused)
    check(not grew(pid, rss, 64 * len(readers)), "%.1f KB a stream" % each)
    begin = time.monotonic()
    for s in readers:
        s.close()
    again = [stream(house, "127.0.0.1") for _ in range(4)]
    for s in again:
        s.settimeout(3)
        check(s.recv(12)[9:12] in (b"200", b"429"), "no stream after the storm")
        s.close()
    figure("A16: %d streams closed and new ones there after %.2f s" % (n, time.monotonic() - begin))


@G.scenario("A15: guessing tokens: refused each time, nothing learnt, nothing blocked for others")
def guessing(house):
    good = token(house, "service")
    head, body, mac = good.split(".")

    def b64(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    forged = [b64(b'{"alg":"none","typ":"JWT"}') + "." + body + ".", b64(b'{"alg":"HS256","typ":"JWT"}') + "." + body + "." + mac,
              head + "." + b64(json.dumps(dict(claims, sub="root")).encode()) + "." + mac, head + "." + body + "." + mac[:-2] + "AA",
              head + "." + body, head + ".." + mac, good + ".", good * 20,
              head + "." + b64(json.dumps(dict(claims, exp=1)).encode()) + "." + mac, "..", "", "A" * 8000]
    for t in forged:
        for path in ("/v1/me", "/v1/calls", "/v1/events"):
            answer = ask(house, "service", ("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n"
                                            % (path, host(house, "service"), t)).encode())
            check(statuses(answer) in ([401], [400], [431], [413]), "%s with %s… got %r" % (path, t[:50], answer[:100]))
    admin = token(house, "admin")
    begin = time.monotonic()
    for i in range(200):
        guess = admin[:-1] + "0123456789abcdefghij"[i % 20]
        if guess != admin:
            answer = ask(house, "admin", ("GET /admin/v1/calls HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n"
                                          % (host(house, "admin"), guess)).encode())
            check(statuses(answer)[0] in (401, 429), "a guess got %r" % answer[:80])
    figure("A15: %d forged tokens and 200 guesses refused (%.1f s)" % (len(forged), time.monotonic() - begin))
    check(house.is_ready(), "the operators' door is not well")


VERBS = [("POST", "/v1/calls"), ("POST", "/v1/calls/%s/hold"), ("POST", "/v1/calls/%s/resume"), ("POST", "/v1/calls/%s/dtmf"),
         ("POST", "/v1/calls/%s/renegotiate"), ("POST", "/v1/calls/%s/telemetry"), ("POST", "/v1/calls/%s/answer"),
         ("POST", "/v1/calls/%s/ringing"), ("POST", "/v1/calls/%s/reject"), ("PATCH", "/v1/calls/%s/ice"),
         ("POST", "/v1/relay-credentials"), ("POST", "/v1/event-tickets"), ("GET", "/v1/calls/%s"), ("GET", "/v1/calls")]
SEEDS = [{"to": {"tel": "600"}, "offer": {"type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
          "c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 " + ":".join(["AB"] * 32) +
          "\r\na=setup:actpass\r\na=mid:0\r\na=rtcp-mux\r\na=rtpmap:0 PCMU/8000\r\n"}, "metadata": {"a": "b"}, "ring_timeout_s": 30,
          "features": {"ringback": "client"}, "privacy": "id", "from": "+15550100001"},
         {"digits": "123", "duration_ms": 100, "gap_ms": 50}, {"ttl_s": 600}, {"reason": "busy", "code": "x"},
         {"answer": {"type": "answer", "sdp": "v=0\r\n"}, "provisional": False, "final": True},
         {"jitter_ms": 1.5, "mos": 4.1, "samples": [{"t": 1, "v": 2}]}]
ODD = [None, True, False, 0, -1, 1 << 53, -(1 << 63), 1.5e308, "", "x" * 5000, "\0", "\u202e", "\ud800", [], {}, [[]], [1] * 300, {"type": "offer"},
       "+1", "600", "../../x", "%s%n", "a\r\nb", {"tel": "600"}]


def mutate(rng, value):
    """Something like it: members lost, doubled, of other types, texts cut and bent."""
    if rng.random() < 0.15:
        return rng.choice(ODD)
    if isinstance(value, dict):
        out = {k: mutate(rng, v) for k, v in value.items() if rng.random() < 0.9}
        if rng.random() < 0.2:
            out[rng.choice(["to", "sdp", "x", "", "offer", "a" * 300])] = rng.choice(ODD)
        return out
    if isinstance(value, list):
        return [mutate(rng, v) for v in value] * rng.choice((0, 1, 1, 2))
    if isinstance(value, str) and value and rng.random() < 0.4:
        at = rng.randrange(len(value))
        return rng.choice((value[:at], value[at:], value[:at] + rng.choice("\r\n\0 ;:=/é") + value[at:], value * 3,
                           "\r\n".join(rng.sample(value.split("\r\n"), len(value.split("\r\n"))))))
    return value


@G.scenario("bent bodies to every verb: problems, never a 5xx of ours, never a hang")
def bent_bodies(house):
    import http.client
    import random
    seed = random.randrange(1 << 32)
    rng, seen, worst = random.Random(seed), {}, 0
    context = ssl.create_default_context(cafile=house.demo["ca"])
    with App(house.demo, "alice", device="bent") as app:
        app.place("600")
        call = app.client.call
        door = http.client.HTTPSConnection("localhost", house.port("service"), context=context, timeout=6)
        begin = time.monotonic()
        while time.monotonic() < begin + (60 if LONG else 5):
            method, path = rng.choice(VERBS)
            path = path.replace("%s", rng.choice((call,) * 12 + ("c_none", "x" * 200, "%00", "..")))
            body = json.dumps(mutate(rng, rng.choice(SEEDS)))
            kind = "application/json"
            if method == "PATCH":
                body, kind = rng.choice(("", "a=ice-ufrag:x\r\n", "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n" * rng.randrange(60))), "application/trickle-ice-sdpfrag"
            data = body.encode("utf-8", "surrogatepass")
            if rng.random() < 0.1 and data:
                data = data[:rng.randrange(len(data))]
            at = time.monotonic()
            headers = {"Authorization": "Bearer " + token(house, "service"), "Content-Type": kind, "Sallyport-Device": "bent"}
            if rng.random() < 0.2:
                headers["Idempotency-Key"] = rng.choice(("k", "x" * 300, "a b"))
            if rng.random() < 0.5:
                headers["If-Match"] = rng.choice(("*", '"x"', "", "\"" + "y" * 400 + "\""))
            try:
                door.request(method, path, body=data if method != "GET" else None, headers=headers)
                answer = door.getresponse()
                answer.read()
            except (http.client.HTTPException, ConnectionError):
                door.close()
                continue
            spent = time.monotonic() - at
            worst = max(worst, spent if answer.status != 201 else 0)
            seen[answer.status] = seen.get(answer.status, 0) + 1
            check(answer.status < 500 or answer.status == 503, "seed %d: %s %s %s got %d" % (seed, method, path, body[:300], answer.status))
        door.close()
        for c in house.live_calls():
            try:
                app.run(app.client.ask("DELETE", "/calls/" + c["id"]))
            except Exception:  # another's, or over
                pass
    figure("bent bodies: %d requests, answers %s, slowest %.0f ms (seed %d)" % (sum(seen.values()), dict(sorted(seen.items())), worst * 1e3, seed))
    check(worst < 0.5, "an answer took %.2f s" % worst)
    check(sum(seen.values()) > 100 and house.is_ready(), "the gateway is not well")
