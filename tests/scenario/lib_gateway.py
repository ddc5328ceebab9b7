# SPDX-License-Identifier: Apache-2.0
"""Starts both programs of a gateway on loopback with a configuration of the caller's, and mints tokens for it."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SALLYPORT_BUILD", os.path.join(TOP, "build"))
ALL_SCOPES = ["call.place", "call.receive", "call.control", "relay.issue", "events.read"]


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def openssl(*args):
    subprocess.run(("openssl",) + args, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Gateway:
    """users: {name: {"display", "numbers"}}; rules: text of the dialplan's rules; service: more settings."""

    def __init__(self, users, rules, far_port, service="", port_base=None):
        self.dir = tempfile.mkdtemp(prefix="sp-contract-")
        self.far_port = far_port
        base = port_base or 20000 + os.getpid() % 200 * 50
        self.port, self.admin_port = free_port(), free_port()
        self.sip_port = free_port(socket.SOCK_DGRAM)
        self.native_port = free_port(socket.SOCK_DGRAM)
        self.base = "https://localhost:%d" % self.port
        self.programs = {}
        self._certificate()
        self._write("plan.yaml", "rules:\n" + rules)
        self._write("sallyport.yaml", self._configuration(users, service, base))

    def _write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            f.write(text)

    def _certificate(self):
        d = self.dir
        self.ca = d + "/ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-keyout", d + "/ca.key", "-out", self.ca, "-subj", "/CN=contract root")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", d + "/gw.key",
                "-out", d + "/gw.csr", "-subj", "/CN=localhost")
        self._write("san", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", d + "/gw.csr", "-CA", self.ca, "-CAkey", d + "/ca.key", "-CAcreateserial", "-days",
                "2", "-out", d + "/gw.pem", "-extfile", d + "/san")
        os.chmod(d + "/gw.key", 0o600)

    def _configuration(self, users, service, base):
        me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        d = self.dir
        text = f"""node: {{region: here, user: {me}, run_dir: {d}, state_dir: {d}/state, log_level: debug}}
media:
  socket: {d}/media.sock
  native_port: {self.native_port}
  trunk_port_min: {base}
  trunk_port_max: {base + 399}
  addresses: [{{address: 127.0.0.1}}]
service:
  listen: "127.0.0.1:{self.port}"
  edge: "localhost:{self.port}"
  certificate: {d}/gw.pem
  key: {d}/gw.key
  token_key: {d}/state/token.key
  hosts: ["127.0.0.1"]
{service}
admin: {{listen: "127.0.0.1:{self.admin_port}", token_file: {d}/state/admin.token}}
records: {{file: {d}/state/records.db}}
dialplan: {d}/plan.yaml
listeners: [{{name: lab, transport: udp, address: "127.0.0.1:{self.sip_port}"}}]
trunks:
  - {{name: lab, listener: lab, target: "sip:127.0.0.1:{self.far_port}", peers: [127.0.0.1], srtp: off, max_calls_per_s: 200}}
users:
"""
        for name, user in users.items():
            text += "  - {name: %s, display: %s, numbers: %s}\n" % (name, json.dumps(user["display"]), json.dumps(user["numbers"]))
        os.makedirs(d + "/state", mode=0o700)
        return text

    def _program(self, name):
        env = dict(os.environ)
        for tool in ("ASAN", "UBSAN"):
            env[tool + "_OPTIONS"] = "log_path=%s/report.%s:halt_on_error=0:exitcode=99:print_stacktrace=1" % (self.dir, name)
        env["LSAN_OPTIONS"] = "suppressions=%s/tests/lsan.supp" % TOP
        out = open("%s/%s.log" % (self.dir, name), "ab")
        self.programs[name] = subprocess.Popen([os.path.join(BUILD, name), "--config", self.dir + "/sallyport.yaml"],
                                               stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env,
                                               start_new_session=True)

    def __enter__(self):
        self._program("sallyport-media")
        self._program("sallyportd")
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self._is_ready():
                self.admin_token = open(self.dir + "/state/admin.token", encoding="ascii").read().strip()
                return self
            if any(p.poll() is not None for p in self.programs.values()):
                break
            time.sleep(0.1)
        self.stop()
        raise RuntimeError("the gateway did not start: " + self.log("sallyportd")[-1500:] + self.log("sallyport-media")[-500:])

    def _is_ready(self):
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/readyz" % self.admin_port, timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def log(self, name):
        with open("%s/%s.log" % (self.dir, name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def admin(self, method, path, body=None):
        ask = urllib.request.Request("http://127.0.0.1:%d%s" % (self.admin_port, path), method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": "Bearer " + self.admin_token, "Content-Type": "application/json"})
        with urllib.request.urlopen(ask, timeout=5) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def token(self, identity, numbers=None, scopes=None, ttl_s=3600):
        body = {"identity": identity, "scopes": ALL_SCOPES if scopes is None else scopes, "ttl_s": ttl_s}
        if numbers is not None:
            body["numbers"] = numbers
        return self.admin("POST", "/admin/v1/tokens", body)

    def shell_token(self, *args):
        return subprocess.run([os.path.join(BUILD, "sallyportd"), "--config", self.dir + "/sallyport.yaml", "--mint-token", *args],
                              capture_output=True, text=True, check=True).stdout.strip()

    def pause(self, name):
        self.programs[name].send_signal(signal.SIGSTOP)

    def go_on(self, name):
        self.programs[name].send_signal(signal.SIGCONT)

    def ask_to_end(self):
        self.programs["sallyportd"].send_signal(signal.SIGTERM)

    def stop(self):
        """Ends both; the list of what went wrong: exit codes, sanitizers' reports."""
        faults = ["%d answers of 500" % n for n in [self._internal()] if n]
        for name in ("sallyportd", "sallyport-media"):
            p = self.programs.get(name)
            if not p:
                continue
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.terminate()
            try:
                p.wait(25)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
                faults.append(name + " did not end by itself")
            if p.returncode != 0:
                faults.append("%s ended with %s" % (name, p.returncode))
        faults += ["sanitizer report %s/%s" % (self.dir, f) for f in sorted(os.listdir(self.dir)) if f.startswith("report.")]
        return faults

    def _internal(self):
        """How often it answered 500, as far as it lives to tell."""
        ask = urllib.request.Request("http://127.0.0.1:%d/metrics" % self.admin_port)
        try:
            with open(self.dir + "/state/admin.token", encoding="ascii") as f:
                ask.add_header("Authorization", "Bearer " + f.read().strip())
            with urllib.request.urlopen(ask, timeout=3) as answer:
                return sum(int(float(line.rsplit(" ", 1)[1])) for line in answer.read().decode().splitlines()
                           if line.startswith("sallyport_http_internal_total"))
        except (OSError, ValueError):
            return 0

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def __exit__(self, *_):
        pass
