#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speaks to the admin server of tests/thread/admin.c."""
import base64
import csv
import http.client
import io
import json
import os
import sys
import tarfile

PORT, TOKEN, DIR = int(sys.argv[1]), sys.argv[2], sys.argv[3]
failed = 0


def check(ok, what):
    global failed
    if not ok:
        failed += 1
        print("FAILED: %s" % (what,))


def ask(method, path, body=None, token=TOKEN, raw=False):
    c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=8)
    h = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        h["Authorization"] = "Bearer " + token
    c.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body), h)
    a = c.getresponse()
    text = a.read()
    c.close()
    return a, text if raw else (json.loads(text) if text else None)


a, text = ask("GET", "/healthz", token=None, raw=True)
check(a.status == 200 and text == b"ok\n", text)
a, j = ask("GET", "/readyz", token=None)
check(a.status == 200 and j == {"ready": True, "reasons": []}, j)
open(DIR + "/draining", "w").close()
a, j = ask("GET", "/readyz", token=None)
check(a.status == 503 and j == {"ready": False, "reasons": ["draining"]}, j)

for method, path in (("GET", "/metrics"), ("GET", "/admin/v1/calls"), ("GET", "/admin/v1/records"),
                     ("GET", "/admin/v1/records/c_01"), ("POST", "/admin/v1/tokens"), ("DELETE", "/admin/v1/tokens/x")):
    for token in (None, "wrong", TOKEN[:-1], TOKEN + "x"):
        a, j = ask(method, path, token=token)
        check(a.status == 401 and a.getheader("WWW-Authenticate") and j["code"] == "unauthorized", (method, path, token, j))

a, text = ask("GET", "/metrics", raw=True)
lines = text.decode().split("\n")
check(a.status == 200 and a.getheader("Content-Type").startswith("text/plain; version=0.0.4"), a.getheaders())
check("sallyport_test 7" in lines and "sallyport_records_committed_total 12" in lines, text)
check(any(l.startswith('sallyport_http_refused_total{server="admin",rule="token"} 24') for l in lines), text)
check(len([l for l in lines if l.startswith("# TYPE sallyport_http_answers_total")]) == 1, "TYPE once a name")

a, j = ask("GET", "/admin/v1/calls")
check(a.status == 200 and j == {"calls": [{"id": "c_live"}], "cursor": None}, j)
a, j = ask("GET", "/admin/v1/calls?limit=1")
check(a.status == 200 and j == {"calls": [{"id": "c_live"}], "cursor": "7"}, j)
a, j = ask("GET", "/admin/v1/calls?limit=1&cursor=7")
check(a.status == 200 and j == {"calls": [], "cursor": None}, j)
check(ask("GET", "/admin/v1/calls?trunk=carrier")[1]["calls"] == [], "by trunk")
many = [{"id": i} for i in range(30)]
check(ask("GET", "/admin/v1/calls?trunk=many")[1] == {"calls": many, "cursor": None}, "all of many, made in pieces")
a, j = ask("GET", "/admin/v1/calls?trunk=many&limit=20")
check(j == {"calls": many[:20], "cursor": "20"} and "limit=20&cursor=20" in a.getheader("Link"), (j, a.getheader("Link")))
check(ask("GET", "/admin/v1/calls?trunk=many&limit=20&cursor=20")[1] == {"calls": many[20:], "cursor": None}, "the rest of many")
for bad in ("limit=0", "limit=501", "cursor=x", "cursor=7&cursor=7"):
    check(ask("GET", "/admin/v1/calls?" + bad)[0].status == 400, bad)

a, j = ask("GET", "/admin/v1/records")
check(a.status == 200 and [r["id"] for r in j["records"]] == ["c_%02d" % i for i in range(11, -1, -1)] and j["cursor"] is None, j)
r = j["records"][0]
check(r["from"].startswith("<script>") and r["started_at"] == "2027-01-15T08:00:11.000Z" and r["setup_ms"] == 1500 and
      r["duration_ms"] == 3500 and r["metadata"] == {"a": 11} and r["telemetry"] is None, r)
leg = r["legs"][0]
check(leg["kind"] == "trunk" and leg["rx"] == {"packets": 100, "bytes": 17200, "lost": 3, "jitter_ms": 2.5, "mos": None,
                                               "auth_failures": 1} and leg["mos"] == 4.31 and leg["codec"] is None, leg)
check(a.getheader("Content-Type") == "application/json" and a.getheader("X-Content-Type-Options") == "nosniff", "type")
seen, cursor = [], ""
while True:
    a, j = ask("GET", "/admin/v1/records?limit=5" + cursor)
    seen += [r["id"] for r in j["records"]]
    if j["cursor"] is None:
        break
    cursor = "&cursor=" + j["cursor"]
check(len(seen) == 12 and len(set(seen)) == 12, seen)
check(len(ask("GET", "/admin/v1/records?state=refused")[1]["records"]) == 4, "state")
check(len(ask("GET", "/admin/v1/records?number=%2B14255550101")[1]["records"]) == 6, "number")
check(len(ask("GET", "/admin/v1/records?since=2027-01-15T08:00:10Z")[1]["records"]) == 2, "since")
check(len(ask("GET", "/admin/v1/records?until=2027-01-15T08:00:02Z")[1]["records"]) == 2, "until")
for q, n in (("q=call-1", 3), ("q=%2B1425555", 12), ("trunk=two", 1), ("max_mos=3", 1), ("min_mos=4.3&max_mos=5", 11), ("user=nobody", 0), ("tenant=x", 0)):
    check(len(ask("GET", "/admin/v1/records?" + q)[1]["records"]) == n, q)
check(r["billing_id"] == "call-11@far" and r["pdd_ms"] == 1500 and r["ring_ms"] is None, r)


def export(query):
    a, text = ask("GET", "/admin/v1/records/export" + query, raw=True)
    check(a.status == 200 and a.getheader("Transfer-Encoding") == "chunked", (query, a.status, a.getheaders()))
    return text.decode()


rows = list(csv.DictReader(io.StringIO(export(""), newline="")))
check([r["id"] for r in rows] == ["c_%02d" % i for i in range(11, -1, -1)], rows)
check(rows[4]["identity"] == "'=1+cmd|' /c calc'!A0" and rows[3]["identity"] == 'ali,"ce"' and rows[0]["to"] == "+14255550101", rows[4])
check(rows[0]["caller_rx_lost"] == "3" and rows[0]["setup_ms"] == "1500" and rows[0]["callee_peer"] == "", rows[0])
lines = [json.loads(l) for l in export("?format=jsonl&state=refused").splitlines()]
check([l["id"] for l in lines] == ["c_09", "c_06", "c_03", "c_00"], lines)
rows = list(csv.DictReader(io.StringIO(export("?rows=legs"))))
check(len(rows) == 12 and rows[0]["record"] == "c_11" and rows[0]["role"] == "caller" and rows[0]["mos"] == "4.310", rows)
rows = [json.loads(l) for l in export("?rows=attempts&format=jsonl").splitlines()]
check([(r["record"], r["trunk"], r.get("sip")) for r in rows] == [("c_08", "one", 503), ("c_08", "two", None)], rows)
check(export("?user=nobody&format=jsonl") == "", "an export of nothing")
for q in ("format=xml", "rows=x", "since=x", "state=x", "min_mos=6", "max_mos=nan"):
    check(ask("GET", "/admin/v1/records/export?" + q)[0].status == 400, q)
for q in ("state=x", "limit=0", "limit=501", "limit=5x", "since=yesterday", "cursor=zz", "number=" + "1" * 99, "state=live&state=live"):
    a, j = ask("GET", "/admin/v1/records?" + q)
    check(a.status == 400 and j["code"] == "field", (q, j))
a, j = ask("GET", "/admin/v1/records/c_03")
check(a.status == 200 and j["state"] == "refused" and j["end"]["sip"] == 403 and j["answered_at"] is None, j)
check(ask("GET", "/admin/v1/records/c_99")[0].status == 404, "no such record")

wish = {"identity": "alice", "numbers": ["+14255550100", "112"], "scopes": ["call.place", "events.read"], "ttl_s": 600}
a, j = ask("POST", "/admin/v1/tokens", wish)
check(a.status == 201 and set(j) == {"token", "jti", "expires_at"}, j)
part = j["token"].split(".")[1]
claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
check(claims["sub"] == "alice" and claims["tenant"] == "default" and claims["scope"] == "call.place events.read" and
      claims["numbers"] == wish["numbers"] and claims["exp"] - claims["iat"] == 600 and claims["aud"] == "sallyport" and
      claims["iss"] == "https://edge.example" and claims["jti"] == j["jti"], claims)
a, _ = ask("DELETE", "/admin/v1/tokens/" + j["jti"])
check(a.status == 204, a.status)
check(ask("DELETE", "/admin/v1/tokens/" + j["jti"])[0].status == 204, "a second time")
check(ask("DELETE", "/admin/v1/tokens/nonsense")[0].status == 404, "an id of nobody")
for change, pointer in (({"x": 1}, "/x"), ({"a/b~": 1}, "/a~1b~0"), ({"ttl_s": None}, "/ttl_s"), ({"identity": ""}, "/identity"), ({"identity": 1}, "/identity"), ({"identity": "a b"}, "/identity"),
                        ({"tenant": "a/b"}, "/tenant"), ({"scopes": []}, "/scopes"), ({"scopes": ["root"]}, "/scopes"),
                        ({"scopes": ["call.place call.control"]}, "/scopes"), ({"scopes": "call.place"}, "/scopes"),
                        ({"ttl_s": 0}, "/ttl_s"), ({"ttl_s": 86401}, "/ttl_s"), ({"ttl_s": "60"}, "/ttl_s"),
                        ({"ttl_s": 1 << 40}, "/ttl_s"), ({"numbers": ["+1"]}, "/numbers"), ({"numbers": [5]}, "/numbers"),
                        ({"numbers": ["+14255550100", 5]}, "/numbers/1"), ({"numbers": ["1"] * 17}, "/numbers"), ({"numbers": {}}, "/numbers")):
    a, j = ask("POST", "/admin/v1/tokens", dict(wish, **change))
    check(a.status == 422 and j["code"] == "field" and j["errors"][0]["pointer"].startswith(pointer), (change, j))
for body in ("", "[]", "{", '{"identity":"a","identity":"b"}', "nul"):
    a, j = ask("POST", "/admin/v1/tokens", body)
    check(a.status == (400 if body else 422), (body, j))


# --- operators: users, sessions, tokens, roles, audit ---------------------------------------------------


def raw_ask(method, path, body=None, **headers):
    c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=8)
    h = {k.replace("_", "-"): v for k, v in headers.items()}
    if body is not None:
        h["Content-Type"] = "application/json"
    c.request(method, "/admin/v1" + path, None if body is None else json.dumps(body), h)
    a = c.getresponse()
    text = a.read()
    c.close()
    return a, json.loads(text) if text else None


ADMIN = {"Authorization": "Bearer " + TOKEN}
PASSWORD = {"ann": "correct horse 1", "sec": "battery staple 2"}
a, j = raw_ask("GET", "/me", **ADMIN)
check(a.status == 200 and j == {"user": "admin-token", "role": "admin", "by": "token", "expires_at": None}, j)
for name, role in (("ann", "operator"), ("sec", "security")):
    a, j = raw_ask("POST", "/users", {"name": name, "role": role, "password": PASSWORD[name]}, **ADMIN)
    check(a.status == 201 and j["name"] == name and j["role"] == role and j["last_login_at"] is None and not j["locked"], j)
    check(a.getheader("ETag") == j["etag"] and a.getheader("Location") == "/admin/v1/users/" + name, a.getheaders())
a, j = raw_ask("POST", "/users", {"name": "ann", "role": "viewer", "password": "x" * 12}, **ADMIN)
check(a.status == 409 and j["code"] == "exists", j)
for body, pointer in (({"name": "a b", "role": "viewer", "password": "x" * 12}, "/name"), ({"name": "b", "role": "root", "password": "x" * 12}, "/role"),
                      ({"name": "b", "role": "viewer", "password": "short"}, "/password"), ({"name": "b", "role": "viewer"}, "/password"),
                      ({"name": "b", "role": "viewer", "password": "x" * 12, "admin": True}, "/admin")):
    a, j = raw_ask("POST", "/users", body, **ADMIN)
    check(a.status == 422 and j["errors"][0]["pointer"] == pointer, (body, j))


def login(body):
    a, j = raw_ask("POST", "/login", body)
    cookie = (a.getheader("Set-Cookie") or "").split(";")[0]
    return a, j, {"Cookie": cookie, "X-Sallyport": "1"}


a, j, ann = login({"user": "ann", "password": PASSWORD["ann"]})
check(a.status == 200 and j == {"user": "ann", "role": "operator"}, j)
text = a.getheader("Set-Cookie")
check("HttpOnly" in text and "SameSite=Strict" in text and "Path=/" in text and "Secure" not in text, text)
a, j = raw_ask("GET", "/me", **ann)
check(a.status == 200 and j["by"] == "cookie" and j["user"] == "ann" and j["expires_at"], j)
a, j = raw_ask("GET", "/users", **ann)
check(a.status == 403 and j["code"] == "role" and "security" in j["detail"], j)
a, j = raw_ask("POST", "/tokens", wish, Cookie=ann["Cookie"])
check(a.status == 403 and "X-Sallyport" in j["detail"], j)
check(raw_ask("POST", "/tokens", wish, **ann)[0].status == 201, "an operator mints")
a, j, sec = login({"user": "sec", "password": PASSWORD["sec"]})
check(raw_ask("POST", "/tokens", wish, **sec)[0].status == 403, "security mints no tokens of the service")
a, j = raw_ask("POST", "/users", {"name": "boss", "role": "admin", "password": "x" * 12}, **sec)
check(a.status == 403 and "admin" in j["detail"], j)
check(raw_ask("POST", "/api-tokens", {"name": "t", "role": "admin"}, **sec)[0].status == 403, "no admin token either")
a, j = raw_ask("GET", "/users?limit=1", **sec)
check([u["name"] for u in j["users"]] == ["ann"] and j["cursor"], j)
a, j = raw_ask("GET", "/users?limit=1&cursor=" + j["cursor"], **sec)
check([u["name"] for u in j["users"]] == ["sec"] and j["cursor"] is None, j)
check(raw_ask("GET", "/users?limit=501", **sec)[0].status == 400 and raw_ask("GET", "/users?cursor=x", **sec)[0].status == 400, "page")
check("hash" not in json.dumps(j) and "argon2" not in json.dumps(j), j)

# ETag
a, j = raw_ask("GET", "/users/ann", **sec)
etag = a.getheader("ETag")
check(raw_ask("PATCH", "/users/ann", {"role": "viewer"}, **sec)[0].status == 428, "no If-Match")
check(raw_ask("PATCH", "/users/ann", {"role": "viewer"}, If_Match='"x"', **sec)[0].status == 412, "stale")
check(raw_ask("PATCH", "/users/ann", {"role": "viewer"}, If_Match="W/" + etag, **sec)[0].status == 412, "weak")
check(raw_ask("PATCH", "/users/ann", {"role": "admin"}, If_Match=etag, **sec)[0].status == 403, "not to admin")
a, j = raw_ask("PATCH", "/users/ann", {"role": "viewer"}, If_Match=etag, **sec)
check(a.status == 200 and j["role"] == "viewer" and a.getheader("ETag") != etag, j)
check(raw_ask("PATCH", "/users/ann", {"role": "operator"}, If_Match=etag, **sec)[0].status == 412, "the old one")
check(raw_ask("POST", "/tokens", wish, **ann)[0].status == 403, "the role counts at once")
etag = a.getheader("ETag")
check(raw_ask("GET", "/me", **ann)[0].status == 200, "still there")
a, j = raw_ask("PATCH", "/users/ann", {"locked": True}, If_Match=etag, **sec)
check(a.status == 200 and j["locked"] and raw_ask("GET", "/me", **ann)[0].status == 401, "locked: the session ends")
check(login({"user": "ann", "password": PASSWORD["ann"]})[0].status == 401, "and there is no other")
check(raw_ask("GET", "/users/none", **sec)[0].status == 404, "nobody")

# one's own password
check(raw_ask("POST", "/me/password", {"old": "wrong wrong wrong", "new": "y" * 12}, **sec)[0].status == 401, "the old one is wrong")
check(raw_ask("POST", "/me/password", {"old": PASSWORD["sec"], "new": "y" * 12}, **sec)[0].status == 204, "new")
check(raw_ask("GET", "/me", **sec)[0].status == 401, "the sessions end")
a, j, sec = login({"user": "sec", "password": "y" * 12})
check(a.status == 200, j)

# API tokens
a, j = raw_ask("POST", "/api-tokens", {"name": "ci", "role": "viewer", "expires_at": "2099-01-01T00:00:00Z"}, **sec)
check(a.status == 201 and j["token"].startswith("spa_") and j["by"] == "sec" and j["expires_at"] == "2099-01-01T00:00:00.000Z", j)
ci, token_id = {"Authorization": "Bearer " + j["token"]}, j["id"]
check(raw_ask("GET", "/records", **ci)[0].status == 200 and raw_ask("GET", "/users", **ci)[0].status == 403, "a viewer")
check(raw_ask("GET", "/me", **ci)[1]["user"] == "ci", "its name")
a, j = raw_ask("GET", "/api-tokens", **sec)
check([t["id"] for t in j["api_tokens"]] == [token_id] and "token" not in j["api_tokens"][0] and j["api_tokens"][0]["last_used_at"], j)
a, j, by_token = login({"token": ci["Authorization"][7:]})
check(a.status == 200 and j["role"] == "viewer" and raw_ask("GET", "/me", **by_token)[1]["by"] == "cookie", j)
for when in ("2020-01-01T00:00:00Z", "soon", 5):
    check(raw_ask("POST", "/api-tokens", {"name": "x", "role": "viewer", "expires_at": when}, **sec)[0].status == 422, when)
check(raw_ask("DELETE", "/api-tokens/" + token_id, **sec)[0].status == 204 and raw_ask("GET", "/me", **ci)[0].status == 401, "gone")
check(raw_ask("GET", "/me", **by_token)[0].status == 401, "with the session that it opened")
check(raw_ask("DELETE", "/api-tokens/" + token_id, **sec)[0].status == 404, "twice")

# Idempotency-Key
key = {"Idempotency-Key": "k1"}
body = {"name": "twice", "role": "viewer", "password": "z" * 12}
a, first = raw_ask("POST", "/users", body, **ADMIN, **key)
b, second = raw_ask("POST", "/users", body, **ADMIN, **key)
check(a.status == b.status == 201 and first == second and b.getheader("Idempotent-Replayed") == "true" and not a.getheader("Idempotent-Replayed"), second)
a, j = raw_ask("POST", "/users", dict(body, role="operator"), **ADMIN, **key)
check(a.status == 422 and j["code"] == "idempotency", j)
check(raw_ask("POST", "/users", body, **ADMIN, Idempotency_Key="k2")[0].status == 409, "another key")
a, j = raw_ask("POST", "/api-tokens", {"name": "o", "role": "viewer"}, **ADMIN, **key)
a, j = raw_ask("POST", "/api-tokens", {"name": "o", "role": "viewer"}, **ADMIN, **key)
check(a.status == 409 and "spa_" not in json.dumps(j), j)
check(raw_ask("POST", "/users", body, **ADMIN, Idempotency_Key="k" * 129)[0].status == 400, "a long key")

# the audit
a, j = raw_ask("GET", "/audit?limit=500", **sec)
told = [(r["verb"], r["who"], r["what"]) for r in j["audit"]]
check(("user_patch", "sec", "/admin/v1/users/ann") in told and ("login", "ann", "/admin/v1/login") in told and ("mint", "ann", "/admin/v1/tokens") in told, told)
row = [r for r in j["audit"] if r["verb"] == "user_patch"][-1]
check(row["before"]["role"] == "operator" and row["after"] == {"role": "viewer"} and row["from"] == "127.0.0.1" and row["role"] == "security", row)
text = json.dumps(j)
check(not any(p in text for p in list(PASSWORD.values()) + ["y" * 12, "z" * 12, "argon2", TOKEN]) and "spa_" not in text, "no secret in the audit")
a, j = raw_ask("GET", "/audit/verify", **sec)
now = len(raw_ask("GET", "/audit?limit=500", **sec)[1]["audit"])  # gathered refusals are written when their time comes
check(a.status == 200 and j["ok"] and len(told) <= j["rows"] <= now < 500 and j["broken_at"] is None, j)
check(raw_ask("GET", "/audit", **ann)[0].status == 401, "who is locked sees nothing")

# logout, and the throttle last: it counts by address too
check(raw_ask("POST", "/logout", **sec)[0].status == 204 and raw_ask("GET", "/me", **sec)[0].status == 401, "logout")
for body in ({}, {"user": "a"}, {"token": "x", "user": "a"}, {"user": 5, "password": "x"}):
    check(raw_ask("POST", "/login", body)[0].status == 422, body)
seen = [login({"user": u, "password": "wrong"})[0] for u in ["nobody", "sec"] * 5]
check([a.status for a in seen][:4] == [401] * 4 and seen[-1].status == 429 and int(seen[-1].getheader("Retry-After")) >= 1, [a.status for a in seen])  # and one of a locked user before
check(login({"user": "sec", "password": "y" * 12})[0].status == 429, "even the right one waits")

# --- erasure, backup, bundle ----------------------------------------------------------------------------
for body in ({}, {"number": "+14255550101", "user": "x"}, {"number": "1"}, {"who": "x"}, {"user": 5}):
    a, j = ask("POST", "/admin/v1/records/erase", body)
    check(a.status == 422, (body, j))
a, j = ask("POST", "/admin/v1/system/backup")
check(a.status == 201 and j["records"] == 12 and j["file"].startswith(DIR + "/backups/records-"), j)
check(os.stat(j["file"]).st_mode & 0o777 == 0o600 and os.stat(DIR + "/backups").st_mode & 0o077 == 0, "modes")
a, j = ask("POST", "/admin/v1/records/erase", {"number": "+14255550101"})
check(a.status == 200 and j == {"erased": 6, "live": 0}, j)
check(ask("GET", "/admin/v1/records?number=%2B14255550101")[1]["records"] == [], "they are gone")
check([r["to"] for r in ask("GET", "/admin/v1/records")[1]["records"]].count("erased") == 6, "as erased")
a, j = ask("GET", "/admin/v1/audit?limit=20")
rows = [r for r in j["audit"] if r["verb"] == "records_erase" or "erase" in r["what"]]
check(rows and "+14255550101" not in json.dumps(j["audit"]), rows)
for query, shown in (("", False), ("?numbers=true", True)):
    a, raw = ask("GET", "/admin/v1/system/bundle" + query, raw=True)
    check(a.status == 200 and a.getheader("Content-Type") == "application/gzip", a.getheaders())
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as tar:
        files = {m.name: tar.extractfile(m).read().decode() for m in tar.getmembers()}
    check({"sallyport/system.json", "sallyport/ready.json", "sallyport/overview.json", "sallyport/metrics.txt",
           "sallyport/alarms.json", "sallyport/schema.sql"} <= set(files), sorted(files))
    check("CREATE TABLE records" in files["sallyport/schema.sql"] and "sallyport_records_committed_total 12" in files["sallyport/metrics.txt"], "content")
    check(TOKEN not in "".join(files.values()) and "+14255550100" not in "".join(files.values()), "secrets, numbers")
check(ask("GET", "/admin/v1/system/bundle?numbers=x")[0].status == 400, "numbers=x")
sys.exit(1 if failed else 0)
