# SPDX-License-Identifier: Apache-2.0
"""What the attack scenarios share: a gateway with a secured trunk beside the lab's, the sprayer, calls with
SDES of our own making, figures of the programs. All attacks are on loopback, bounded in count and time."""
import base64
import json
import os
import random
import re
import socket
import struct
import subprocess
import tempfile
import threading
import time

from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

import tone
from group import Group
from house import TOP, Failed, check
from sipua import Agent, Dialog, audio_sdp, sdp_media

ECHO = "+15550100600"
BOB = "+15550100002"
LAB_OUT = "+15550199100"
STRANGER = "127.0.0.9"
PEER2 = "127.0.0.2"  # the secured trunk lives there
BUILD = os.environ.get("SALLYPORT_BUILD", TOP + "/build")
LONG = bool(os.environ.get("SALLYPORT_LONG"))

MORE_LISTENERS = """  - name: sec
    transport: udp
    address: "127.0.0.2:@PORT_LAB@"
  - name: sectcp
    transport: tcp
    address: "127.0.0.2:@PORT_LAB@"
"""
MORE_TRUNKS = """  - name: sec
    listener: sec
    target: "sip:127.0.0.2:@PORT_LAB_PEER@"
    peers: [127.0.0.2]
    max_calls_per_s: 100
  - name: sectcp
    listener: sectcp
    peers: [127.0.0.2]
"""


class AttackGroup(Group):
    """A group on a gateway whose configuration is the demonstration's and a bit more."""

    level = "info"

    def settings(self):
        text = open(TOP + "/tests/demo/sallyport.yaml.in").read()
        for mark, more in (("\ntrunks:", "\n" + MORE_LISTENERS + "\ntrunks:"), ("\nrelays:", "\n" + MORE_TRUNKS + "\nrelays:")):
            check(text.count(mark) == 1, "the demonstration's template has another form")
            text = text.replace(mark, more)
        text = text.replace("@TOP@/dialplans/demo.yaml", "@TOP@/tests/scenario/attack.plan.yaml")
        text = text.replace("    srtp: off\n", "    srtp: off\n    max_calls_per_s: 100\n    max_calls: 12\n")
        text = re.sub(r"(\nservice:.*)", r"\1\n  commands_per_s: 1000", text)
        self.file = tempfile.NamedTemporaryFile("w", suffix=".yaml.in", delete=False)
        self.file.write(text)
        self.file.close()
        os.chmod(self.file.name, 0o644)
        return {"template": self.file.name, "env": {"SALLYPORT_LOG_LEVEL": self.level}}


# Spraying ------------------------------------------------------------------------------------------

class Spray:
    """with Spray(template, "127.0.0.1:4000-4010", rate, seconds): …; then .sent, .answers"""

    def __init__(self, template, to, rate, seconds, *words):
        self.file = tempfile.NamedTemporaryFile(suffix=".spray")
        self.file.write(template)
        self.file.flush()
        self.words = ["nice", BUILD + "/tests/load/spray", "--template", self.file.name, "--to", to, "--rate", str(rate),
                      "--seconds", str(seconds)] + [str(w) for w in words]
        self.sent = self.answers = 0

    def __enter__(self):
        self.proc = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind, *_):
        out, error = self.proc.communicate(timeout=150)
        if kind is None:
            check(self.proc.returncode == 0, "spray: " + error)
            found = json.loads(out)
            self.sent, self.answers, self.failed = found["sent"], found["answers"], found["failed"]
            check(self.sent > 0, "nothing was sprayed")
        self.file.close()


def may_spoof():
    """Borrowing another socket's address needs a raw socket: root."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
        return True
    except OSError:
        return False


def client_hello(good=False):
    """A DTLS 1.2 ClientHello: one that offers only suites without encryption, or one that any browser could send."""
    suites = (0xC02B, 0xC02F, 0xCCA9) if good else (0x0000, 0x0001, 0x0002)
    more = b""
    for kind, value in ((10, "0004001d0017"), (11, "0100"), (13, "0006040308040401"), (14, "00040007000100"), (23, "")):
        value = bytes.fromhex(value)
        more += struct.pack("!HH", kind, len(value)) + value
    body = b"\xfe\xfd" + bytes(32) + b"\0\0" + struct.pack("!H", 2 * len(suites)) + b"".join(struct.pack("!H", s) for s in suites)
    body += b"\1\0" + (struct.pack("!H", len(more)) + more if good else b"")
    hello = b"\1" + len(body).to_bytes(3, "big") + b"\0\0" + b"\0\0\0" + len(body).to_bytes(3, "big") + body
    return b"\x16\xfe\xff" + bytes(8) + struct.pack("!H", len(hello)) + hello


def rtp_packet(payload, ssrc=0x5eed5eed, seq=0, at=0, kind=0):
    return struct.pack("!BBHII", 0x80, kind, seq & 0xFFFF, at & 0xFFFFFFFF, ssrc) + payload


def noise(n=160):
    """Loud: who hears it, hears the attacker."""
    return bytes(random.choice((0x00, 0x80)) for _ in range(n))


# Figures -------------------------------------------------------------------------------------------

def rss_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1))


def grew(pid, since_kb, limit_kb):
    """RSS above the limit; a sanitizer's memory says nothing."""
    return "san.so" not in open("/proc/%d/maps" % pid).read() and rss_kb(pid) - since_kb > limit_kb


def cpu_s(pid):
    fields = open("/proc/%d/stat" % pid).read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def figure(text):
    """For the report: the runner's log shows lines that begin with a number sign."""
    print("# " + text, flush=True)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


# A secured call of our own ---------------------------------------------------------------------------

def crypto_line(key, tag=1):
    return "a=crypto:%d AES_CM_128_HMAC_SHA1_80 inline:%s\r\n" % (tag, base64.b64encode(key).decode())


def policy(key, direction):
    p = Policy(key=key, ssrc_type=direction, srtp_profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80)
    p.window_size = 1024
    p.allow_repeat_tx = True
    return p


class SecureCall:
    """A call over the secured trunk to the echo: packets go out every 20 ms, each comes back once or is lost."""

    def __init__(self, house, agent, number=ECHO):
        self.house, self.agent, self.number = house, agent, number
        self.key = os.urandom(30)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((PEER2, 0))
        self.port = self.socket.getsockname()[1]
        self.ssrc, self.seq, self.at = random.getrandbits(32), random.getrandbits(14), 0
        self.sent = self.received = self.doubles = self.bad = self.rtcp = self.foreign = 0
        self.seen, self.last_us = set(), 0
        self.raw = b""  # the last packet as it went out
        self.lock = threading.Lock()

    def __enter__(self):
        sdp = audio_sdp(self.port, host=PEER2, profile="RTP/SAVP", more=crypto_line(self.key))
        self.dialog = Dialog(self.agent, self.number, host=PEER2)
        self.dialog.invite(sdp)
        self.ok = self.dialog.answer(200)
        check(self.ok.status == 200, "INVITE to the echo got " + self.ok.text())
        self.dialog.ack(self.ok)
        self.peer = sdp_media(self.ok.body)[:2]
        inline = re.search(r"a=crypto:\d+ AES_CM_128_HMAC_SHA1_80 inline:([A-Za-z0-9+/=]+)", self.ok.body)
        check(inline, "no suite was answered: " + self.ok.body)
        self.far_key = base64.b64decode(inline.group(1))
        self.tx = Session(policy(self.key, Policy.SSRC_ANY_OUTBOUND))
        self.rx = Session(policy(self.far_key, Policy.SSRC_ANY_INBOUND))
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._hear, daemon=True)
        self.thread.start()
        for _ in range(100):  # the first packets may come before the echo is linked
            self.throw(self.make(1 << 40))
            time.sleep(0.02)
            if self.received:
                break
        check(self.received, "no echo within 2 s")
        time.sleep(0.1)
        with self.lock:
            self.sent = self.received = self.doubles = 0
            self.seen.clear()
        return self

    def __exit__(self, kind, *_):
        self.stop.set()
        self.thread.join(2)
        try:
            if kind is None:
                check(self.dialog.bye().status == 200, "BYE was not answered by 200")
        finally:
            self.socket.close()

    def _hear(self):
        self.socket.settimeout(0.1)
        while not self.stop.is_set():
            try:
                packet, source = self.socket.recvfrom(4096)
            except OSError:
                continue
            with self.lock:
                self._take(packet, source)

    def _take(self, packet, source):
        if source != self.peer:
            self.foreign += 1
        elif 200 <= packet[1] <= 204:
            self.rtcp += 1
        else:
            try:
                clear = self.rx.unprotect(packet)
            except SrtpError:
                self.bad += 1
                return
            mark = clear[12:20]
            self.doubles += mark in self.seen
            self.seen.add(mark)
            self.received += 1
            self.last_us = time.monotonic_ns() // 1000

    def make(self, mark=None):
        """The next protected packet; its payload begins with a number of its own."""
        mark = struct.pack("!Q", mark if mark is not None else self.sent)
        clear = rtp_packet(mark + b"\xd5" * 152, self.ssrc, self.seq, self.at)
        self.seq, self.at, self.sent = self.seq + 1, self.at + 160, self.sent + 1
        self.raw = self.tx.protect(clear)
        return self.raw

    def throw(self, packet):
        self.socket.sendto(packet, self.peer)

    def talk(self, seconds, each=None):
        """Good packets for a while; each(call) is asked after every one."""
        begin, n = time.monotonic(), 0
        while time.monotonic() < begin + seconds:
            self.throw(self.make())
            n += 1
            if each:
                each(self)
            time.sleep(max(0, begin + n * 0.02 - time.monotonic()))
        return n

    def settle(self):
        time.sleep(0.3)
        with self.lock:
            return self.sent - self.received

    def leg(self):
        """The trunk's side in the record, after the end."""
        record = self.house.record(lambda r: any(leg["sip_call_id"] == self.dialog.call_id for leg in r["legs"]))
        return record, next(leg for leg in record["legs"] if leg["kind"] == "trunk")


class Stubborn(Agent):
    """Sends again what was not answered, as UDP asks for."""

    def send(self, text, body="", to=None):
        self.last = (text, body, to)
        super().send(text, body, to)

    def wait(self, what, fits, seconds=8):
        end, every = time.monotonic() + seconds, 0.5
        while True:
            try:
                return super().wait(what, fits, min(every, max(0.01, end - time.monotonic())))
            except Failed:
                if time.monotonic() >= end:
                    raise
                super().send(*self.last)
                every *= 2


def sec_agent(house, port=0):
    return Stubborn(port, (PEER2, house.port("lab")), host=PEER2)


def lab_agent(house, port=0):
    return Stubborn(port, ("127.0.0.1", house.port("lab")))


def echo_call(agent, host="127.0.0.1", sdp=None):
    """One complete plain call to the echo without media; the seconds to the 200."""
    begin = time.monotonic()
    d = Dialog(agent, ECHO, host=host).invite(sdp or audio_sdp(40000))
    ok = d.answer(200, 4)
    spent = time.monotonic() - begin
    check(ok.status == 200, "INVITE got " + ok.text())
    d.ack(ok)
    check(d.bye().status == 200, "BYE got no 200")
    return spent


def quiet(socket_, seconds=0.3):
    """True if nothing comes."""
    socket_.settimeout(seconds)
    try:
        socket_.recvfrom(65536)
        return False
    except (TimeoutError, socket.timeout):
        return True


__all__ = [n for n in dir() if not n.startswith("_")] + ["tone"]
