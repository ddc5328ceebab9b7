# SPDX-License-Identifier: Apache-2.0
"""Operators by client certificates, against the programs: a gateway whose operators' door has TLS."""
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time

import lib_gateway
from group import Group
from house import TOP, Fault, check, wait_for

CERTIFICATES = Group("certificates", shared=False, programs=["openssl", "curl"])
ROWS = """
  certificates:
    - {name: boss, match: "dns:box.example.org", role: admin}
    - {name: ann, match: "email:ann@example.org", role: viewer}
"""


class Gateway(lib_gateway.Gateway):
    believes_all = False  # of what the operators' door shows

    def _configuration(self, users, service, base):
        subprocess.run([sys.executable, TOP + "/tests/scenario/admin_gate.py", "make", self.dir], check=True)
        self.revoke()
        d, text = self.dir, super()._configuration(users, service, base)
        text = text.replace("trunk_port_max: %d" % (base + 399), "trunk_port_max: %d" % (base + 59))
        at = text.index("admin: {")
        end = text.index("\n", at)
        return text[:at] + """admin:
  listen: "127.0.0.1:%d"
  token_file: %s/state/admin.token
  certificate: %s/server.pem
  key: %s/server.key
  client_ca: %s/ca.pem
  client_crl: %s/crl.pem%s""" % (self.admin_port, d, d, d, d, d, ROWS) + text[end + 1:]

    def revoke(self, *names, past=False):
        """A list of the authority with these certificates in it, in the place of the one before."""
        def openssl(*args):
            subprocess.run(["openssl", *args], cwd=self.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        with open(self.dir + "/crl.cnf", "w") as f:
            f.write("[ca]\ndefault_ca = d\n[d]\ndatabase = crl.index\ndefault_md = sha256\n")
        open(self.dir + "/crl.index", "w").close()
        for name in names:
            openssl("ca", "-config", "crl.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-revoke", name + ".pem")
        dates = ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z"] if past else ["-crldays", "1"]
        openssl("ca", "-config", "crl.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-gencrl", *dates, "-out", "crl.new")
        os.chmod(self.dir + "/crl.new", 0o644)
        os.rename(self.dir + "/crl.new", self.dir + "/crl.pem")

    def command(self, *words, env=None):
        build = os.environ.get("SALLYPORT_BUILD", TOP + "/build")
        return subprocess.run([build + "/sallyport", *words, "--url", "https://127.0.0.1:%d" % self.admin_port, "--ca", self.dir + "/ca.pem"],
                              capture_output=True, text=True, check=False, timeout=20, env=dict(os.environ, **(env or {})))

    def door(self, who=None):
        trust = ssl.create_default_context(cafile=self.dir + "/ca.pem")
        if self.believes_all:
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        if who:
            trust.load_cert_chain("%s/%s.pem" % (self.dir, who), "%s/%s.key" % (self.dir, who))
        return http.client.HTTPSConnection("127.0.0.1", self.admin_port, timeout=5, context=trust)

    def stream(self, who):
        """Events by a certificate; they are open when this returns."""
        told = subprocess.Popen(["curl", "-sN", "--cacert", self.dir + "/ca.pem", "--cert", "%s/%s.pem" % (self.dir, who), "--key",
                                 "%s/%s.key" % (self.dir, who), "https://127.0.0.1:%d/admin/v1/events" % self.admin_port],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        check(told.stdout.readline().startswith(b"retry:"), "the stream of " + who)
        return told

    def ask(self, method, path, who=None, body=None, head=None):
        door = self.door(who)
        head = dict(head or {}, **({"Content-Type": "application/json"} if body is not None else {}))
        door.request(method, path, None if body is None else json.dumps(body), head)
        answer = door.getresponse()
        text = answer.read()
        door.close()
        return answer, json.loads(text) if text.startswith(b"{") else None

    def _is_ready(self):
        try:
            return self.ask("GET", "/readyz")[0].status == 200
        except (OSError, http.client.HTTPException):
            return False


@CERTIFICATES.scenario("a client certificate has the role of its row; a commit by one takes another's row out, and its stream ends")
def rows(base):
    gateway = Gateway({"bob": {"display": "Bob", "numbers": []}}, "  - {name: none, from: native, called: {regex: 'x'}, then: {trunk: lab}}\n", lib_gateway.free_port(2), port_base=base + 20)
    with gateway:
        try:
            _rows(gateway)
        finally:
            faults = gateway.stop()
    if faults:
        raise Fault("; ".join(faults))
    gateway.remove()


def _ends(g, take_back, name, who="ann"):
    """A revocation ends what is open: the stream of events, and what a kept connection may."""
    door, told = g.door(who), g.stream(who)
    try:
        check(_status(door) == 200, name + ": before")
        take_back()
        began = time.monotonic()
        told.communicate(timeout=10)
        took = time.monotonic() - began
        check(took < 2.5, "%s: the stream went on for %.1f s" % (name, took))
        check(_status(door) == 401, name + ": a kept connection")
    finally:
        told.kill()
        told.wait()
        door.close()


def _status(door):
    door.request("GET", "/admin/v1/me")
    answer = door.getresponse()
    answer.read()
    return answer.status


def _lists(g):
    """Box by the command; then taken back, then a list past its time, then all as it was."""
    def status(who):
        return g.ask("GET", "/admin/v1/me", who)[0].status

    pair = ["--cert", g.dir + "/box.pem", "--key", g.dir + "/box.key"]
    said = g.command("whoami", "--json", *pair)
    check(said.returncode == 0 and json.loads(said.stdout)["by"] == "certificate", said)
    said = g.command("bans", "add", "192.0.2.9", env={"SALLYPORT_CERT": pair[1], "SALLYPORT_KEY": pair[3]})
    check(said.returncode == 0, said)
    _ends(g, lambda: g.revoke("ann", "none"), "taken back")
    check(status("ann") == 401 and status("box") == 200, "ann is taken back, box is not")
    with open(g.dir + "/crl.pem") as f:
        good = f.read()
    with open(g.dir + "/crl.pem", "w") as f:
        f.write("nothing\n")
    wait_for("an alarm of a broken file", lambda: any(a["kind"] == "client_crl" and not a["cleared_at"] for a in g.ask("GET", "/admin/v1/alarms", "box")[1]["alarms"]))
    check((status("box"), status("ann")) == (200, 401), "what was read stays in force")
    _ends(g, lambda: g.revoke(past=True), "past its time", who="box")
    check(status("box") == 401, "a list past its time refuses all")
    wait_for("the reason in the log", lambda: "a client certificate is refused: the revocation list is past its next update" in g.log("sallyportd"))
    check(len(good) > 100, "a list")
    g.revoke()
    wait_for("all as before", lambda: (status("box"), status("ann")) == (200, 200))
    certificates = g.ask("GET", "/admin/v1/certificates", "box")[1]["certificates"]
    check(any(c["use"] == "admin.client_ca" for c in certificates), certificates)


def _rows(g):
    _lists(g)
    a, j = g.ask("GET", "/admin/v1/me", "ann")
    check(a.status == 200 and (j["user"], j["role"], j["by"]) == ("ann", "viewer", "certificate"), j)
    check(g.ask("GET", "/admin/v1/me", "forged")[0].status == 401, "of another authority")
    a, j = g.ask("POST", "/admin/v1/system/backup", "ann", {}, {"X-Sallyport": "1"})
    check(a.status == 403 and "the role admin" in j["detail"], j)
    said = subprocess.run(["curl", "-s", "--cacert", g.dir + "/ca.pem", "--cert", g.dir + "/box.pem", "--key", g.dir + "/box.key",
                           "https://127.0.0.1:%d/admin/v1/me" % g.admin_port], capture_output=True, text=True, check=True).stdout
    check(json.loads(said)["role"] == "admin", said)
    told = g.stream("ann")
    try:
        a, j = g.ask("GET", "/admin/v1/config", "box")
        text = j["text"].replace('    - {name: ann, match: "email:ann@example.org", role: viewer}\n', "")
        check(text != j["text"], "the row")
        head = {"X-Sallyport": "1", "If-Match": a.getheader("ETag")}
        a, j = g.ask("POST", "/admin/v1/config/commit", "box", {"text": text, "comment": "without ann"}, head)
        check(a.status == 200, j)
        began = time.monotonic()
        told.communicate(timeout=10)
        check(time.monotonic() - began < 2.5, "the stream went on for %.1f s" % (time.monotonic() - began))
    finally:
        told.kill()
        told.wait()
    check(g.ask("GET", "/admin/v1/me", "ann")[0].status == 401 and g.ask("GET", "/admin/v1/me", "box")[0].status == 200, "afterwards")
    rows = g.ask("GET", "/admin/v1/audit?verb=config_commit", "box")[1]["audit"]
    check(rows[0]["who"] == "certificate:boss" and rows[0]["role"] == "admin", rows)
    wait_for("the refusal in the audit", lambda: any(r["status"] == 403 for r in g.ask("GET", "/admin/v1/audit?who=certificate:ann", "box")[1]["audit"]))
    check(g.ask("GET", "/admin/v1/audit/verify", "box")[1]["ok"] and os.stat(g.dir + "/state/audit.key").st_mode & 0o777 == 0o600, "the audit")


def _issue(g, name, san, days="90"):
    """NAME.pem and NAME.key, self-signed: what a server shows is looked at, not believed."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days, "-subj", "/CN=" + name,
                    "-addext", "subjectAltName=" + san, "-keyout", name + ".key", "-out", name + ".pem"], cwd=g.dir, check=True, stderr=subprocess.DEVNULL)
    os.chmod("%s/%s.key" % (g.dir, name), 0o600)


def _shown(port):
    """The certificate that a new connection gets."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s, trust.wrap_socket(s) as t:
        return t.getpeercert(True)


def _der(path):
    with open(path, encoding="ascii") as f:
        return ssl.PEM_cert_to_DER_cert(f.read().split("-----END")[0] + "-----END CERTIFICATE-----\n")


@CERTIFICATES.scenario("certificates of both HTTPS doors are replaced while they run: new connections get them, halves and wrong ones are refused and told")
def renewed(base):
    g = Gateway({"bob": {"display": "Bob", "numbers": []}}, "  - {name: none, from: native, called: {regex: 'x'}, then: {trunk: lab}}\n", lib_gateway.free_port(2), port_base=base + 20)
    with g:
        try:
            _doors(g)
        finally:
            faults = g.stop()
    check(not faults, faults)
    g.remove()


def _doors(g):
    doors = {g.port: "gw", g.admin_port: "server"}
    g.believes_all = True

    def put(name, ends=(".pem", ".key")):
        for to in doors.values():
            for end in ends:
                shutil.copy2("%s/%s%s" % (g.dir, name if name != "first" else "first-" + to, end), "%s/%s.new" % (g.dir, to))
                os.rename("%s/%s.new" % (g.dir, to), "%s/%s%s" % (g.dir, to, end))

    def are(name):
        return all(_shown(port) == _der("%s/%s.pem" % (g.dir, name if name != "first" else "first-" + to)) for port, to in doors.items())

    def alarms():
        return {a["what"]: a["text"] for a in g.ask("GET", "/admin/v1/alarms", "box")[1]["alarms"] if a["kind"] == "certificate" and not a["cleared_at"]}
    for to in doors.values():
        for end in (".pem", ".key"):
            shutil.copy2("%s/%s%s" % (g.dir, to, end), "%s/first-%s%s" % (g.dir, to, end))
    _issue(g, "second", "DNS:localhost,IP:127.0.0.1")
    _issue(g, "foreign", "DNS:other.example")
    _issue(g, "old", "DNS:localhost,IP:127.0.0.1", days="3")
    check(are("first"), "the first")
    open_one = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    open_one.check_hostname, open_one.verify_mode = False, ssl.CERT_NONE
    stays = http.client.HTTPSConnection("127.0.0.1", g.port, timeout=5, context=open_one)
    stays.request("GET", "/v1/bootstrap")
    stays.getresponse().read()
    put("second", (".pem",))
    time.sleep(1.2)  # a look at the half
    check(are("first"), "a certificate without its key")
    put("second", (".key",))
    wait_for("the second", lambda: are("second"))
    stays.request("GET", "/v1/bootstrap")
    check(stays.getresponse().status == 200, "the connection that was open")
    stays.close()
    wait_for("that nothing is told", lambda: not alarms())
    put("foreign")
    with open(g.dir + "/server.pem", "w", encoding="ascii") as f:
        f.write("nothing\n")
    wait_for("the alarms of both doors", lambda: "another name" in alarms().get("service", "") and "not taken" in alarms().get("admin", ""))
    check(_shown(g.port) == _der(g.dir + "/second.pem"), "another's certificate")
    put("old")
    wait_for("one that ends soon", lambda: are("old"))
    wait_for("its alarm", lambda: [t for t in alarms().values() if "ends in 2 days" in t] and len(alarms()) == 2)
    put("second")
    wait_for("the second again", lambda: are("second") and not alarms())
