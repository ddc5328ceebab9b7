#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speaks to the admin server of tests/thread/gate.c: who may ask, and until when."""
import http.client
import json
import os
import sqlite3
import ssl
import subprocess
import sys
import time


def make(folder):
    """Authorities and certificates of the second server's tests, by openssl."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def authority(name):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                "-keyout", name + ".key", "-out", name + ".pem")

    def issue(name, subject, extensions, ca="ca", days="2"):
        with open(os.path.join(folder, name + ".ext"), "w") as f:
            f.write("".join(line + "\n" for line in extensions))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject, "-keyout", name + ".key", "-out", name + ".csr")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-days", days, "-extfile", name + ".ext", "-out", name + ".pem")
        os.chmod(os.path.join(folder, name + ".key"), 0o600)

    client = ["extendedKeyUsage=clientAuth", "keyUsage=digitalSignature"]
    authority("ca")
    authority("other")
    issue("server", "/CN=127.0.0.1", ["subjectAltName=IP:127.0.0.1", "extendedKeyUsage=serverAuth"])
    issue("ann", "/CN=Ann", client + ["subjectAltName=email:ann@Example.org"])
    issue("ci", "/CN=ci", client + ["subjectAltName=URI:spiffe://example.org/ci,DNS:other.example.org"])
    issue("box", "/CN=box", ["subjectAltName=DNS:BOX.example.org"])
    issue("sec", "/CN=Sec Officer", client)
    issue("none", "/CN=none", client + ["subjectAltName=email:none@example.org,DNS:xbox.example.org,URI:spiffe://example.org/CI"])
    issue("upper", "/CN=none", client + ["subjectAltName=email:ANN@example.org"])
    issue("twice", "/CN=Sec Officer/CN=none", client)
    issue("forged", "/CN=box", client + ["subjectAltName=DNS:box.example.org"], ca="other")
    issue("purpose", "/CN=box", ["subjectAltName=DNS:box.example.org", "extendedKeyUsage=serverAuth"])
    issue("usage", "/CN=box", ["subjectAltName=DNS:box.example.org", "keyUsage=keyEncipherment"])
    issue("worn", "/CN=worn", client, days="-1")


if sys.argv[1] == "make":
    try:
        make(sys.argv[2])
    except FileNotFoundError:
        sys.exit(77)
    sys.exit(0)

PORT, TOKEN, DIR, TLS_PORT = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
ADMIN = {"Authorization": "Bearer " + TOKEN}
ENDS_S = 1.5  # a second, and what a loaded machine adds
failed = 0


def check(ok, what):
    global failed
    if not ok:
        failed += 1
        print("FAILED: %s" % (what,))


def ask(method, path, body=None, head=None, door=None):
    c = door or http.client.HTTPConnection("127.0.0.1", PORT, timeout=8)
    h = {"Content-Type": "application/json"} if body is not None else {}
    h.update(head or {})
    c.request(method, "/admin/v1" + path, body if body is None or isinstance(body, (str, bytes)) else json.dumps(body), h)
    a = c.getresponse()
    text = a.read()
    if not door:
        c.close()
    return a, json.loads(text) if text and "json" in (a.getheader("Content-Type") or "") else None


def cookie_of(answer):
    return (answer.getheader("Set-Cookie") or "").split(";")[0]


def login(body, head=None):
    a, j = ask("POST", "/login", body, head)
    check(a.status == 200, (body, a.status, j))
    return {"Cookie": cookie_of(a), "X-Sallyport": "1"}


class Stream:
    """An open stream of events."""

    def __init__(self, head):
        self.door = http.client.HTTPConnection("127.0.0.1", PORT, timeout=8)
        self.door.request("GET", "/admin/v1/events", None, head)
        self.answer = self.door.getresponse()
        check(self.answer.status == 200, self.answer.status)
        while self.answer.readline() not in (b"event: overview\n", b""):
            pass

    def seconds_to_end(self):
        began = time.monotonic()
        try:
            while self.answer.readline():
                pass
        except (ConnectionError, http.client.HTTPException):
            pass
        except TimeoutError:
            return 99
        finally:
            self.door.close()
        return time.monotonic() - began

    def is_open(self):
        self.door.sock.settimeout(1.2)
        try:
            while self.answer.readline():
                pass
            return False
        except TimeoutError:
            return True


def etag(path):
    return ask("GET", path, head=ADMIN)[0].getheader("ETag")


def user(name, role):
    a, j = ask("POST", "/users", {"name": name, "role": role, "password": "correct horse " + name}, ADMIN)
    check(a.status == 201, j)


def patch(name, body):
    a, j = ask("PATCH", "/users/" + name, body, dict(ADMIN, **{"If-Match": etag("/users/" + name)}))
    check(a.status == 200, j)


# --- a stream ends with what opened it -------------------------------------------------------------------
for name in ("out", "gone", "locked", "word", "role", "own"):
    user(name, "operator")
token = ask("POST", "/api-tokens", {"name": "t", "role": "viewer"}, ADMIN)[1]
TESTS = {
    "out": lambda head: ask("POST", "/logout", head=head),
    "gone": lambda head: ask("DELETE", "/users/gone", head=dict(ADMIN, **{"If-Match": etag("/users/gone")})),
    "locked": lambda head: patch("locked", {"locked": True}),
    "word": lambda head: patch("word", {"password": "another horse 1"}),
    "role": lambda head: patch("role", {"role": "viewer"}),
    "own": lambda head: ask("POST", "/me/password", {"old": "correct horse own", "new": "another horse 2"}, head),
}
other = Stream(ADMIN)
for name, end in TESTS.items():
    mine = login({"user": name, "password": "correct horse " + name})
    stream = Stream(mine)
    end(mine)
    took = stream.seconds_to_end()
    check(took < ENDS_S, "%s: the stream ended after %.1f s" % (name, took))
    check(ask("GET", "/events" if name != "role" else "/users", head=mine)[0].status == (401 if name != "role" else 403), name + ": afterwards")
bearer = {"Authorization": "Bearer " + token["token"]}
mine = login({"token": token["token"]})
streams = [Stream(bearer), Stream(mine)]
check(ask("DELETE", "/api-tokens/" + token["id"], head=ADMIN)[0].status == 204, "revoked")
for stream in streams:
    check(stream.seconds_to_end() < ENDS_S, "a stream outlived its token")
soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
token = ask("POST", "/api-tokens", {"name": "short", "role": "viewer", "expires_at": soon}, ADMIN)[1]
streams = [Stream({"Authorization": "Bearer " + token["token"]})]
user("idle", "viewer")
mine = login({"user": "idle", "password": "correct horse idle"})
streams.append(Stream(mine))  # sessions idle for three seconds
for stream in streams:
    took = stream.seconds_to_end()
    check(took < 5 + ENDS_S, "expired: ended after %.1f s" % took)
check(ask("GET", "/events", head=mine)[0].status == 401, "an idle session")
check(other.is_open(), "the stream of another went too")

# --- bodies ------------------------------------------------------------------------------------------------
user("body", "viewer")
for kind, ok in (("application/json", True), ("application/merge-patch+json", True), ("application/merge-patch+json; charset=utf-8", True),
                 ("APPLICATION/JSON;charset=UTF-8", True), ("text/plain", False), ("application/json-patch+json", False), ("", False)):
    a, j = ask("PATCH", "/users/body", b'{"locked":false}', dict(ADMIN, **{"If-Match": etag("/users/body"), "Content-Type": kind}))
    check(a.status == (200 if ok else 415), (kind, a.status, j))
    check(ok or a.getheader("Accept-Patch") == "application/merge-patch+json, application/json", a.getheaders())
a, j = ask("POST", "/login", b"{}", {"Content-Type": "application/merge-patch+json"})
check(a.status == 415 and a.getheader("Accept") == "application/json", (a.status, a.getheaders()))

# --- a browser that is led astray -----------------------------------------------------------------------
user("web", "security")
mine = login({"user": "web", "password": "correct horse web"})
here = "http://127.0.0.1:%d" % PORT


def change(head):
    return ask("POST", "/bans", {"addr": "x"}, head)[0].status


check(change(dict(mine, Origin=here)) == 422, "a page of ours")
for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:%d" % PORT, "http://localhost:%d" % PORT):
    check(change(dict(mine, Origin=origin)) == 403, origin)
    check(ask("POST", "/login", {"user": "web", "password": "correct horse web"}, {"Origin": origin})[0].status == 403, "login from " + origin)
    check(change(dict(ADMIN, Origin=origin)) == 422, "a token is no cookie: " + origin)
check(change({"Cookie": mine["Cookie"]}) == 403, "without X-Sallyport")
check(change(dict(mine, **{"X-Sallyport": "2"})) == 403, "with another")
for host, ok in (("127.0.0.1:%d" % PORT, True), ("127.0.0.1", True), ("localhost:%d" % PORT, True), ("rebound.example:%d" % PORT, False),
                 ("127.0.0.1.rebound.example", False), ("127.0.0.2", False), ("", False)):
    check(ask("GET", "/me", head=dict(mine, Host=host))[0].status in ((200,) if ok else (400, 421)), "Host " + host)

# --- logins ---------------------------------------------------------------------------------------------


def login_from(address, user, password):
    c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=8, source_address=(address, 0))
    status = ask("POST", "/login", {"user": user, "password": password}, door=c)[0].status
    c.close()
    return status


user("chief", "viewer")
user("mole", "viewer")
seen = [login_from("127.0.0.9", "chief", "wrong %d" % i) for i in range(7)]
check(seen[:5] == [401] * 5 and seen[-1] == 429, seen)
check(login_from("127.0.0.8", "chief", "correct horse chief") == 200, "another address is not locked out")
seen = []
for i in range(4):  # one's own login between guesses does not wipe them away
    seen += [login_from("127.0.0.7", "chief", "wrong"), login_from("127.0.0.7", "chief", "wrong"), login_from("127.0.0.7", "mole", "correct horse mole")]
check(seen.count(401) <= 6 and seen[-1] == 429, seen)
check(login_from("127.0.0.6", "mole", "oops") == 401 and login_from("127.0.0.6", "mole", "correct horse mole") == 200, "a slip of the fingers")
old = login({"user": "web", "password": "correct horse web"})
new = login({"user": "web", "password": "correct horse web"}, old)
check(old["Cookie"] != new["Cookie"] and ask("GET", "/me", head=old)[0].status == 401 and ask("GET", "/me", head=new)[0].status == 200, "a login ends the session before")
a, _ = ask("POST", "/login", {"user": "web", "password": "correct horse web"}, {"Cookie": "sallyport_session=" + "A" * 43})
check("A" * 43 not in a.getheader("Set-Cookie"), "nobody chooses the session for somebody else")
for name in ("nobody", "Admin-Token"):
    check(ask("POST", "/users", {"name": name, "role": "viewer", "password": "y" * 12}, ADMIN)[0].status == 422, "a name that the audit uses")
times = {}
for name in ("web", "nobody-at-all"):
    began = time.monotonic()
    for i in range(4):
        login_from("127.0.1.%d" % i, name, "wrong")
    times[name] = time.monotonic() - began
check(0.4 < times["web"] / times["nobody-at-all"] < 2.5, "unknown users take as long as known ones: %s" % times)

# --- a token is for the header only ----------------------------------------------------------------------
mine = login({"user": "web", "password": "correct horse web"})
for query in ("token", "access_token", "authorization", "sallyport_session"):
    check(ask("GET", "/me?%s=%s" % (query, TOKEN))[0].status == 401, "in the address: " + query)
for head in ({"Authorization": "Basic " + TOKEN}, {"Authorization": TOKEN}, {"Cookie": "sallyport_session=" + TOKEN}, {"X-Sallyport": TOKEN},
             {"Cookie": "token=" + TOKEN}, {"Authorization": "Bearer " + mine["Cookie"].split("=", 1)[1]},
             {"Cookie": "%s; %s" % (mine["Cookie"], mine["Cookie"])}):
    check(ask("GET", "/me", head=head)[0].status == 401, head)

# --- methods -----------------------------------------------------------------------------------------------
for method in ("HEAD", "TRACE", "CONNECT", "PROPFIND", "get", "POST"):
    status = ask(method, "/users")[0].status
    check(status in (400, 401, 405, 501), (method, status))
    status = ask(method, "/users", head=dict(mine))[0].status
    check(status == (200 if method == "HEAD" else status) and (method == "HEAD" or status in (400, 405, 422, 501)), (method, status))
check(ask("HEAD", "/users", head=login({"user": "idle", "password": "correct horse idle"}))[0].status == 403, "HEAD asks for the role too")
a, _ = ask("OPTIONS", "/users", head={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"})
check(a.status == 403 and not a.getheader("Access-Control-Allow-Origin"), "a preflight")
for path in ("/me", "/users", "/api-tokens", "/config", "/login", "/none"):
    a, _ = ask("GET", path, head=ADMIN)
    check(a.getheader("Cache-Control") == "no-store" and not a.getheader("Access-Control-Allow-Origin"), (path, a.getheaders()))

# --- the audit tells what was refused -------------------------------------------------------------------
def audit(query, status=None, tries=30):
    for _ in range(tries):  # the keeper writes within half a second
        rows = [r for r in ask("GET", "/audit?limit=500&" + query, head=ADMIN)[1]["audit"] if status in (None, r["status"])]
        if rows:
            return rows
        time.sleep(0.1)
    return []


user("spy", "viewer")
spy = login({"user": "spy", "password": "correct horse spy"})
for _ in range(3):
    check(ask("GET", "/users", head=spy)[0].status == 403, "a viewer")
for name in ("spy", "hunter2 is my password"):
    check(ask("POST", "/login", {"user": name, "password": "wrong wrong"})[0].status == 401, name)
check(ask("GET", "/me", head={"Authorization": "Bearer spa_wrong"})[0].status == 401, "a wrong token")
rows = audit("who=spy&verb=users")
check(rows and rows[0]["status"] == 403 and rows[0]["role"] == "viewer" and rows[0]["from"] == "127.0.0.1" and rows[0]["what"] == "/admin/v1/users", rows)
check(audit("who=spy&verb=login", 401), "a failed login of somebody known")
check(audit("who=unknown&verb=login") and not audit("what=hunter2", tries=1), "what somebody typed for a name is not told")
check(audit("who=nobody&verb=self", 401), "a wrong token is told")
check(ask("POST", "/config/confirm", {}, ADMIN)[0].status >= 400 and audit("verb=config_confirm")[0]["status"] >= 400, "a commit that fails is told")
since = audit("who=spy&verb=login", 401)[0]["at"]
check(all(r["at"] >= since for r in audit("since=" + since)) and all(r["at"] < since for r in audit("until=" + since)), "since and until")
for bad in ("since=x", "until=5", "limit=0", "cursor=x", "who=a&who=b"):
    check(ask("GET", "/audit?" + bad, head=ADMIN)[0].status == 400, bad)
    check(bad[0] in "lc" or ask("GET", "/audit/export?" + bad, head=ADMIN)[0].status == 400, bad)
c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=8)
c.request("GET", "/admin/v1/audit/export?verb=login", None, ADMIN)
a = c.getresponse()
lines = [json.loads(line) for line in a.read().splitlines()]
check(a.status == 200 and a.getheader("Content-Type") == "application/jsonl" and lines == audit("verb=login"), "the export says what the list says")
check(ask("GET", "/audit/export", head=spy)[0].status == 403, "for the role security")
a, j = ask("GET", "/audit/verify", head=ADMIN)
check(j["ok"] and j["first"] == 1 and j["reason"] is None, j)
check(os.stat(DIR + "/audit.key").st_mode & 0o777 == 0o600, "the key")
with sqlite3.connect(DIR + "/operators.db") as db:  # who has the database and not the key: the last rows go, the head is bent to fit
    db.execute("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")
    db.execute("UPDATE audit_seal SET (seq, hash) = (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1)")
db.close()
a, j = ask("GET", "/audit/verify", head=ADMIN)
check(not j["ok"] and j["reason"] == "head not ours", j)
user("later", "viewer")
a, j = ask("GET", "/audit/verify", head=ADMIN)
check(not j["ok"] and j["reason"] == "not vouched for" and j["broken_at"] < audit("verb=user_new")[0]["seq"], j)

# --- certificates --------------------------------------------------------------------------------------------


def tls(name):
    trust = ssl.create_default_context(cafile=DIR + "/ca.pem")
    if name:
        trust.load_cert_chain(DIR + "/" + name + ".pem", DIR + "/" + name + ".key")
    return http.client.HTTPSConnection("127.0.0.1", TLS_PORT, timeout=8, context=trust)


def by(name, method="GET", path="/me", body=None, head=None):
    try:
        return ask(method, path, body, head, tls(name))
    except (ssl.SSLError, ConnectionError, http.client.HTTPException) as e:
        return None, {"broken": str(e)}


SCRIPT = {"X-Sallyport": "1"}
for name, who, role in (("ann", "ann", "viewer"), ("ci", "ci", "operator"), ("box", "box", "admin"), ("sec", "sec", "security")):
    a, j = by(name)
    check(a and a.status == 200 and (j["user"], j["role"], j["by"]) == (who, role, "certificate") and j["expires_at"], (name, j))
for name in (None, "none", "upper", "twice", "forged", "purpose", "usage", "worn"):
    a, j = by(name)
    check(a is None and name in ("usage", "forged", "worn") or a and a.status == 401, (name, a and a.status, j))
    a, j = by(name, head=ADMIN)
    check(a is None or a.status == 200 and j["by"] == "token", (name, "a token may still be used", j))
check(by("box", head={"Authorization": "Bearer wrong"})[0].status == 401, "a wrong token is not mended by a certificate")
a, j = by("ann", "POST", "/users", {"name": "x", "role": "viewer", "password": "y" * 12}, SCRIPT)
check(a.status == 403 and j["code"] == "role" and "security" in j["detail"], j)
a, j = by("ann", "POST", "/config/confirm", {}, SCRIPT)
check(a.status == 403 and "the role admin" in j["detail"], j)
NEW = {"name": "eve", "role": "viewer", "password": "correct horse eve"}
check(by("sec", "POST", "/users", NEW)[0].status == 403, "a browser shows certificates by itself: no change without X-Sallyport")
check(by("sec", "POST", "/users", NEW, dict(SCRIPT, Origin="https://evil.example"))[0].status == 403, "nor from another page")
check(by("sec", "POST", "/users", NEW, SCRIPT)[0].status == 201, "the right role")
row = by("box", path="/audit?limit=1")[1]["audit"][0]
check((row["who"], row["role"], row["verb"]) == ("certificate:sec", "security", "user_new"), row)
check(by("sec", "POST", "/me/password", {"old": "x", "new": "y" * 12}, SCRIPT)[0].status == 403, "it has no password")
a, j = by("ann", "POST", "/login", {"user": "eve", "password": "correct horse eve"})
check(a.status == 200 and "; Secure" in a.getheader("Set-Cookie"), a.getheaders())
check(by("ann", head={"Cookie": cookie_of(a)})[1]["user"] == "eve", "a session goes before the certificate")
check(by("ann", head={"Cookie": "sallyport_session=over"})[1]["user"] == "ann", "but not one that is over")

# a row that is taken out ends what it opened
door = tls("ann")
kept = tls("ann")
check(ask("GET", "/me", door=kept)[0].status == 200, "before")
door.request("GET", "/admin/v1/events")
stream = door.getresponse()
check(stream.status == 200, stream.status)
open(DIR + "/fewer", "w").close()
began = time.monotonic()
while stream.readline():
    pass
check(time.monotonic() - began < ENDS_S, "the stream of a certificate whose row is gone")
check(ask("GET", "/me", door=kept)[0].status == 401 and by("ann")[0].status == 401 and by("box")[0].status == 200, "the row is gone")

sys.exit(1 if failed else 0)
