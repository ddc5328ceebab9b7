#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speaks to the admin server of tests/thread/admin.c."""
import base64
import csv
import http.client
import io
import json
import sys

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
check(a.status == 200 and j == {"calls": [{"id": "c_live"}]}, j)

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
check(len(ask("GET", "/admin/v1/records?until=1800000002000")[1]["records"]) == 2, "until")
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
sys.exit(1 if failed else 0)
