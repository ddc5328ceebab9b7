# SPDX-License-Identifier: Apache-2.0
"""Both programs are ended again and again, at moments nobody chose: while they start, in the middle of calls, with operators'
streams open, exports, tests of trunks and captures running; asked twice, or with the other program killed. They end by
themselves, in time, with status 0, and no sanitizer has a word to say. SALLYPORT_ROUNDS: how many rounds (40);
SALLYPORT_SEED: what is drawn."""
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import lib_gateway
from group import Group
from house import Failed, Fault
from sipua import audio_sdp

ENDINGS = Group("endings", shared=False, long=True)
END_S = 20  # three seconds for goodbyes, half a second a door, what a disk takes; sanitizers are slow
RULES = """  - {name: out, from: any, called: {regex: '\\+1555019.*'}, then: {trunk: lab}}
  - {name: alice, called: "+15550100001", then: {user: alice}}
"""
MORE = """  - {name: tls, transport: tls, address: "127.0.0.1:%d", certificate: %s/gw.pem, key: %s/gw.key, ca: %s/ca.pem}
"""
SILENT = "  - {name: silent, listener: tls, target: \"sip:localhost:%d;transport=tls\", peers: [127.0.0.1], options_interval_s: 5}\n"


class Gateway(lib_gateway.Gateway):
    """With TLS: its trunk's far end takes connections and says nothing."""

    def _configuration(self, users, service, base):
        self.silent = socket.create_server(("127.0.0.1", 0))
        text = super()._configuration(users, service, base).replace("srtp: off", "srtp: off, doctor: {number: \"+15550190001\"}")
        text = text.replace("trunk_port_max: %d" % (base + 399), "trunk_port_max: %d" % (base + 79))
        at = text.index("\n", text.index("listeners:")) + 1
        text = text[:at] + text[at:].replace("users:\n", SILENT % self.silent.getsockname()[1] + "users:\n")
        row = "listeners:\n  - {name: lab, transport: udp, address: \"127.0.0.1:%d\"}\n" % self.sip_port
        return text.replace(text[text.index("listeners:"):at], row + MORE % (lib_gateway.free_port(), self.dir, self.dir, self.dir))

    def _program(self, name):
        os.environ["TSAN_OPTIONS"] = "log_path=%s/report.%s:exitcode=99:halt_on_error=0" % (self.dir, name)
        super()._program(name)

    def is_over(self, name):
        return self.programs[name].poll() is not None


class Far(threading.Thread):
    """A carrier: answers every INVITE, says 200 to all else, calls in, sends some packets."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.port, self.over, self.n = self.socket.getsockname()[1], False, 0

    def call(self, to, number):
        self.n += 1
        body = audio_sdp(4000)
        self.socket.sendto(("INVITE sip:%s@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\n"
                            "From: <sip:+15550123456@127.0.0.1>;tag=t%d\r\nTo: <sip:%s@127.0.0.1>\r\nCall-ID: end-%d-%d\r\nCSeq: 1 INVITE\r\n"
                            "Contact: <sip:far@127.0.0.1:%d>\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s" %
                            (number, self.port, self.n, self.n, number, self.port, self.n, self.port, len(body), body)).encode(), ("127.0.0.1", to))

    def _reply(self, m, peer):
        if m.status or m.method == "ACK":
            if m.status >= 200 and m.method == "INVITE":
                self._ack(m, peer)
            return
        head = "SIP/2.0 200 OK\r\n" + "".join("Via: %s\r\n" % v for v in m.all("via"))
        to = m.get("to") + ("" if ";tag=" in m.get("to") else ";tag=far")
        head += "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:far@127.0.0.1:%d>\r\n" % (
            m.get("from"), to, m.get("call-id"), m.get("cseq"), self.port)
        body = audio_sdp(4002) if m.method == "INVITE" else ""
        head += "Content-Type: application/sdp\r\n" if body else ""
        self.socket.sendto((head + "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode(), peer)

    def _ack(self, m, peer):
        uri = m.get("contact").partition("<")[2].partition(">")[0] or "sip:gw@127.0.0.1"
        self.socket.sendto(("ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKa%d\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\n"
                            "Call-ID: %s\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n" %
                            (uri, self.port, random.getrandbits(40), m.get("from"), m.get("to"), m.get("call-id"))).encode(), peer)

    def run(self):
        from contract_far import Message  # not above: that suite keeps the ICE of its whole process on loopback
        while not self.over:
            with contextlib.suppress(OSError):
                data, peer = self.socket.recvfrom(65536)
                self._reply(Message(data), peer)
        self.socket.close()


class Operator(threading.Thread):
    """Asks one thing after the other until nobody answers."""

    def __init__(self, gateway, draw):
        super().__init__(daemon=True)
        self.gateway, self.draw, self.over, self.calls, self.alarms = gateway, draw, False, ["none"], ["none"]

    def _ask(self, method, path, body=None):
        ask = urllib.request.Request("http://127.0.0.1:%d%s" % (self.gateway.admin_port, path), method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": "Bearer " + self.token, "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(ask, timeout=3) as answer:
                return answer.read(100000)
        except urllib.error.HTTPError as refused:
            return refused.read(1000)

    def _one(self):
        calls, alarm = self.draw.choice(self.calls), self.draw.choice(self.alarms)
        method, path, body = self.draw.choice([
            ("GET", "/calls", None), ("GET", "/alarms", None), ("GET", "/overview", None), ("GET", "/records?limit=50", None),
            ("GET", "/calls/%s/timeline" % calls, None), ("GET", "/calls/%s/pcap" % calls, None), ("POST", "/calls/%s/capture" % calls, {"seconds": 5}),
            ("GET", "/records/export?format=csv", None), ("GET", "/audit/export", None), ("POST", "/alarms/%s/ack" % alarm, None),
            ("POST", "/bans", {"address": "192.0.2.%d" % self.draw.randrange(250), "seconds": 60, "why": "test"}), ("GET", "/bans", None),
            ("POST", "/trunks/lab/doctor", None), ("GET", "/doctor", None), ("GET", "/config", None), ("GET", "/system/bundle", None),
            ("POST", "/system/backup", None), ("GET", "/trunks", None), ("DELETE", "/calls/%s" % calls, None),
            ("POST", "/config/replay", {"hours": 1, "plan": "rules:\n" + RULES})])
        text = self._ask(method, "/admin/v1" + path, body)
        if path in ("/calls", "/alarms"):
            found = [row["id"] for row in json.loads(text)[path[1:]]]
            if path == "/calls":
                self.calls = found or ["none"]
            else:
                self.alarms = found or ["none"]

    def run(self):
        while not self.over:
            try:
                with open(self.gateway.dir + "/state/admin.token", encoding="ascii") as f:
                    self.token = f.read().strip()
                self._one()
            except (OSError, ValueError, KeyError, urllib.error.URLError):
                time.sleep(0.02)
            except Exception as other:  # http.client's many
                if not isinstance(other, __import__("http.client").client.HTTPException):
                    raise


def listen(gateway, streams):
    """One more open stream, read by nobody."""
    with contextlib.suppress(OSError):
        s = socket.create_connection(("127.0.0.1", gateway.admin_port), 1)
        with open(gateway.dir + "/state/admin.token", encoding="ascii") as f:
            s.sendall(("GET /admin/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n" % f.read().strip()).encode())
        streams.append(s)


def stacks(pid):
    return subprocess.run(["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all bt 14"], capture_output=True, text=True, check=False).stdout


def ended(gateway, name, signals):
    """Asks it to end and waits for it."""
    p = gateway.programs[name]
    for _ in range(signals):
        if p.poll() is None:
            p.terminate()
            time.sleep(0.01)
    try:
        p.wait(END_S)
    except subprocess.TimeoutExpired:
        where = stacks(p.pid) if lib_gateway.shutil.which("gdb") else ""
        p.kill()
        p.wait()
        raise Fault("%s did not end within %d s\n%s" % (name, END_S, where)) from None


def judge(gateway, killed):
    for name, p in gateway.programs.items():
        early = p.returncode in (-signal.SIGTERM, -signal.SIGHUP) and "started" not in gateway.log(name)  # before it has a handler of its own
        if p.returncode != 0 and name != killed and not early:
            raise Fault("%s ended with %s: %s" % (name, p.returncode, gateway.log(name)[-1500:]))
    for f in sorted(os.listdir(gateway.dir)):
        if f.startswith("report."):
            with open(os.path.join(gateway.dir, f), encoding="utf-8", errors="replace") as report:
                raise Fault("a sanitizer: " + report.read(6000))


def load(gateway, far, draw, streams, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not gateway.is_over("sallyportd"):
        far.call(gateway.sip_port, draw.choice(["+15550190001", "+15550190002", "+15550100001"]))
        if len(streams) < 6:
            listen(gateway, streams)
        if draw.random() < 0.05:
            gateway.programs["sallyportd"].send_signal(signal.SIGHUP)
        time.sleep(draw.random() * 0.05)


def one_round(base, draw):
    far, streams = Far(), []
    gateway = Gateway({"alice": {"display": "Alice", "numbers": ["+15550100001"]}}, RULES, far.port, port_base=base + 20)
    operators = [Operator(gateway, random.Random(draw.random())) for _ in range(3)]
    far.start()
    gateway._program("sallyport-media")
    gateway._program("sallyportd")
    [o.start() for o in operators]
    killed = None
    try:
        for _ in range(draw.choice([0, 400, 400, 400])):  # in one round of four it is not waited for
            if gateway._is_ready() or gateway.is_over("sallyportd"):
                break
            time.sleep(0.05)
        load(gateway, far, draw, streams, draw.choice([0.05, 0.3, 0.6, 1.0, 2.0]) + draw.random())
        if draw.random() < 0.2:
            killed = draw.choice(["sallyportd", "sallyport-media"])
            gateway.programs[killed].kill()
        order = ["sallyportd", "sallyport-media"]
        if draw.random() < 0.3:
            order.reverse()
        for name in order:
            if name != killed:
                ended(gateway, name, draw.choice([1, 1, 2, 3]))
        gateway.programs[killed].wait() if killed else None
        judge(gateway, killed)
    finally:
        for thread in operators + [far]:
            thread.over = True
        for s in streams + [gateway.silent]:
            s.close()
        for p in gateway.programs.values():
            if p.poll() is None:
                p.kill()
            p.wait()
    if not os.environ.get("SALLYPORT_KEEP"):
        gateway.remove()


@ENDINGS.scenario("whenever they are asked to, both programs end in time, with status 0")
def whenever(base):
    seed = os.environ.get("SALLYPORT_SEED") or str(random.getrandbits(32))
    draw = random.Random(seed)
    for n in range(int(os.environ.get("SALLYPORT_ROUNDS", "40"))):
        try:
            one_round(base, draw)
        except Failed as fault:
            raise type(fault)("round %d of seed %s: %s" % (n, seed, fault)) from None
