# SPDX-License-Identifier: Apache-2.0
"""A gateway of its own for one scenario: ./run with own ports and folder, the operators' door, the carrier."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Failed(Exception):
    """What a scenario says when it did not see what it should."""


class Fault(Failed):
    """What no slow machine explains, and no second run excuses: a crash, a sanitizer's report, an answer of 500, a hang."""


def check(good, text):
    if not good:
        raise Failed(text)


def wait_for(what, test, seconds=10, step=0.05):
    """The first true value of test(), or Failed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = test()
        if found:
            return found
        time.sleep(step)
    raise Failed("did not come within %s s: %s" % (seconds, what))


class House:
    def __init__(self, base, name, template=None, env=None, prefix=()):
        self.base, self.name, self.prefix = base, name, list(prefix)
        self.dir = tempfile.mkdtemp(prefix="sp-%s-" % name.replace(" ", "-"))
        os.chmod(self.dir, 0o755)
        self.env = dict(os.environ, SALLYPORT_PORT_BASE=str(base), SALLYPORT_RUN=self.dir, SALLYPORT_BUILT="1",
                        SALLYPORT_LOG_LEVEL="debug")
        if template:
            self.env["SALLYPORT_TEMPLATE"] = template
        self.env.update(env or {})
        self.proc, self.killed = None, set()

    def __enter__(self):
        self.out = open(self.dir + "/run.log", "w")
        self.proc = subprocess.Popen(["setpriv", "--pdeathsig", "TERM"] + self.prefix + [TOP + "/run"], env=self.env, stdin=subprocess.DEVNULL, stdout=self.out,
                                     stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_for("the gateway's start", self._started, 45)
        except Failed:
            self._end()
            self._judge(excused=128 + signal.SIGTERM)  # asked before it had a handler
            raise Failed("./run did not start: " + open(self.dir + "/run.log").read()[-1500:])
        self.demo = json.load(open(self.dir + "/demo.json"))
        return self

    def _started(self):
        if self.proc.poll() is not None:
            raise Failed("ended")
        return os.path.exists(self.dir + "/demo.json")

    def _end(self):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(120)  # fifteen seconds for each program that hangs, and a look at where
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
                self.out.write("./run did not end by itself\n")
        self.out.close()

    def _internal(self):
        """How often it answered 500, as far as it lives to tell."""
        try:
            return self.metric("sallyport_http_internal_total")
        except (OSError, http.client.HTTPException, Failed):
            return 0

    def _ends(self):
        """(program, pid, exit status, asked or died) of each that ended, as ./run saw it."""
        try:
            with open(self.dir + "/ends") as f:
                return [(name, int(pid), int(status), word) for name, pid, status, word in map(str.split, f)]
        except OSError:
            return []

    def _judge(self, excused=0):
        for program in ("sallyportd", "media"):  # where they were built with sanitizers
            said = self._said(program)
            at = max(said.find("Sanitizer:"), said.find("runtime error:"))
            if at >= 0:
                raise Fault("%s: %s" % (program, said[max(0, at - 100):at + 2500]))
        said = open(self.dir + "/run.log", errors="replace").read()
        hung = re.search(r"(sallyport|\./run).* did not end by itself", said)
        if hung:
            raise Fault(said[hung.start():hung.start() + 6000])
        for program, pid, status, word in self._ends():
            if (word == "died" or status not in (0, excused)) and pid not in self.killed:
                raise Fault("%s %d %s with status %d: %s" % (program, pid, word, status, self.log(program)[-1500:]))

    def __exit__(self, kind, error, trace):
        internal = self._internal()
        self._end()
        self._judge()
        if internal:
            raise Fault("%d answers of 500" % internal)
        if kind is None:
            shutil.rmtree(self.dir, ignore_errors=True)

    def port(self, name):
        return self.base + {"service": 0, "admin": 1, "tls": 2, "lab": 3, "lab_peer": 4, "ctrl": 5, "native": 8, "relay": 9, "relay_tls": 10}[name]

    def pid(self, program):
        def written():  # ./run truncates the file before it writes the next one's number
            return open("%s/%s.pid" % (self.dir, program)).read().strip()
        return int(wait_for("the process id of " + program, written, 5))

    def kill(self, program, sign=signal.SIGKILL):
        """Ends one of its programs on purpose; its process id."""
        pid = self.pid(program)
        self.killed.add(pid)
        os.kill(pid, sign)
        return pid

    def log(self, program="sallyportd"):
        return open("%s/%s.log" % (self.dir, program), errors="replace").read()

    def _said(self, program):
        return self.log(program) if os.path.exists("%s/%s.log" % (self.dir, program)) else ""

    # The operators' door ---------------------------------------------------------------------------

    def admin(self, path):
        url = urllib.parse.urlsplit(self.demo["admin"]["url"])
        door = http.client.HTTPConnection(url.hostname, url.port, timeout=5)
        door.request("GET", path, headers={"Authorization": "Bearer " + self.demo["admin"]["token"]})
        answer = door.getresponse()
        body = answer.read().decode()
        door.close()
        return answer.status, body

    def records(self):
        status, body = self.admin("/admin/v1/records?limit=50")
        check(status == 200, "records: %d %s" % (status, body))
        return json.loads(body)["records"]

    def record(self, where, seconds=8):
        """The newest record that fits, once it is closed."""
        return wait_for("a closed record", lambda: next((r for r in self._records_or_none()
                                                         if r["state"] != "live" and where(r)), None), seconds, 0.2)

    def _records_or_none(self):
        try:
            return self.records()
        except (OSError, Failed, http.client.HTTPException):
            return []

    def is_ready(self):
        try:
            return self.admin("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def metric(self, name):
        """The sum of a metric's rows whose line starts with that text; 0 where there is none."""
        total = 0.0
        for line in self.admin("/metrics")[1].splitlines():
            if line.startswith(name) and not line.startswith("#"):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def live_calls(self):
        return json.loads(self.admin("/admin/v1/calls")[1])["calls"]


class Carrier:
    """The demonstration carrier by its control socket: netstrings of JSON."""

    def __init__(self, port, host="127.0.0.1"):
        self.host = host
        self.socket = socket.create_connection((host, port), timeout=5)
        self.rest, self.events, self.answers = b"", [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, seconds=0.05):
        self.socket.settimeout(seconds)
        try:
            self.rest += self.socket.recv(65536)
        except (TimeoutError, socket.timeout):
            pass
        while b":" in self.rest:
            size, _, rest = self.rest.partition(b":")
            if len(rest) <= int(size):
                break
            message = json.loads(rest[:int(size)])
            self.rest = rest[int(size) + 1:]
            (self.events if message.get("event") else self.answers).append(message)

    def say(self, command, params=""):
        text = json.dumps({"command": command, "params": params}).encode()
        n = len(self.answers)
        self.socket.sendall(b"%d:%s," % (len(text), text))
        wait_for("the carrier's answer to " + command, lambda: self.read() or len(self.answers) > n, 5, 0)
        return self.answers[-1]["data"]

    def wait(self, kind, seconds=10, after=0):
        wait_for("the carrier's " + kind, lambda: self.read() or any(e["type"] == kind for e in self.events[after:]), seconds, 0)
        return next(e for e in self.events[after:] if e["type"] == kind)

    def digits(self):
        self.read()
        return "".join(e["param"] for e in self.events if e["type"] == "CALL_DTMF_START")

    def dial(self, number, port, host="127.0.0.1"):
        self.say("uafind", "sip:+15550188001@" + self.host)
        self.say("dial", "sip:%s@%s:%d" % (number, host, port))
