# SPDX-License-Identifier: Apache-2.0
"""Contract, sections 1, 10 and 11: what needs no call: bootstrap, tokens, scopes, credentials, errors, CORS, limits."""
import asyncio
import calendar
import json
import time

from contract_client import TIME, contract, need, plain_offer

ALLOW = {"authorization", "content-type", "if-match", "if-none-match", "idempotency-key", "last-event-id", "sallyport-device"}


def words(text):
    return {w.strip().lower() for w in (text or "").split(",")}


@contract("bootstrap needs no token")
async def bootstrap(w):
    u = await w.user()
    b = (await u.want(200, "GET", "/v1/bootstrap", token=False)).body
    need(b["edges"][0] == {"url": w.base, "region": "here"} and b["region"] == "here" and TIME.match(b["clock"]), "bootstrap: %s" % b)
    head = await u.want(200, "HEAD", "/v1/bootstrap", token=False)
    need(head.raw == b"", "HEAD with a body")
    keys = (await u.want(200, "GET", "/.well-known/jwks.json", token=False)).body["keys"]
    need(keys and all(k.get("kid") and k["kty"] in ("EC", "OKP") and "d" not in k for k in keys), "jwks: %s" % keys)


@contract("me says who the token is")
async def me(w):
    u = await w.user()
    b = (await u.want(200, "GET", "/v1/me")).body
    need(b == {"identity": u.identity, "tenant": "default", "numbers": u.numbers,
               "scopes": ["call.place", "call.receive", "call.control", "relay.issue", "events.read"]}, "me: %s" % b)
    need((await u.want(200, "HEAD", "/v1/me")).raw == b"", "HEAD with a body")


@contract("tokens: what is not ours is 401")
async def tokens(w):
    u, now = await w.user(), int(time.time())
    await u.want(401, "GET", "/v1/me", token=False)
    await u.want(401, "GET", "/v1/me", token="nonsense")
    await u.want(200, "GET", "/v1/me", token=w.sign())
    need((await u.get("/v1/me", token=w.sign())).body["tenant"] == "default", "tenant that is absent")
    need((await u.get("/v1/me", token=w.sign(tenant="acme"))).body["tenant"] == "acme", "tenant")
    await u.want(401, "GET", "/v1/me", token=w.sign(exp=now - 120, iat=now - 600, nbf=now - 600), code="token_expired")
    await u.want(200, "GET", "/v1/me", token=w.sign(nbf=now + 30, iat=now + 30))
    for claims in ({"iss": "https://elsewhere"}, {"aud": "other"}, {"exp": now + 90000}, {"nbf": now + 300}, {"sub": None},
                   {"exp": None}):
        await u.want(401, "GET", "/v1/me", token=w.sign(**claims))
    for head in ({"alg": "none"}, {"alg": "HS256"}, {"kid": "unknown"}):
        await u.want(401, "GET", "/v1/me", token=w.sign(head))
    broken = w.sign()
    await u.want(401, "GET", "/v1/me", token=broken[:-8] + ("A" if broken[-8] != "A" else "B") + broken[-7:])


@contract("tokens: issued and revoked by the operators' door, minted at a shell")
async def issuer(w):
    token = await asyncio.to_thread(w.gateway.token, "u3", ["+15550777"], ["call.place"], 120)
    u = w.add("u3", token["token"])
    b = (await u.want(200, "GET", "/v1/me")).body
    need(b["numbers"] == ["+15550777"] and b["scopes"] == ["call.place"], "me of an issued token: %s" % b)
    left = calendar.timegm(time.strptime(token["expires_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.time()
    need(100 < left <= 121, "expires_at: %s" % token)
    await asyncio.to_thread(w.gateway.admin, "DELETE", "/admin/v1/tokens/" + token["jti"])
    await u.want(401, "GET", "/v1/me")
    shell = await asyncio.to_thread(w.gateway.shell_token, "u4", "--scopes", "call.place,events.read")
    b = (await u.want(200, "GET", "/v1/me", token=shell)).body
    need(b["identity"] == "u4" and b["scopes"] == ["call.place", "events.read"], "me of a minted token: %s" % b)


@contract("a missing scope is 403")
async def scopes(w):
    u = await w.user(scopes=["group.join"])
    for method, path, body in (("POST", "/v1/relay-credentials", {}), ("POST", "/v1/event-tickets", {}),
                               ("GET", "/v1/events", None), ("POST", "/v1/calls", {"to": {"tel": "600"}, "offer": {"type": "offer", "sdp": plain_offer()}}),
                               ("DELETE", "/v1/calls/c_x", None), ("POST", "/v1/calls/c_x/answer", {}), ("POST", "/v1/calls/c_x/hold", {}),
                               ("POST", "/v1/calls/c_x/ringing", {}), ("POST", "/v1/calls/c_x/reject", {"reason": "busy"})):
        await u.want(403, method, path, body, code="scope")
    await u.want(200, "GET", "/v1/me")


@contract("relay credentials")
async def relay(w):
    u = await w.user()
    for body, seconds in ((None, 3600), ({}, 3600), ({"ttl_s": 60}, 60), ({"ttl_s": 86400, "unknown": [1]}, 86400)):
        b = (await u.want(200, "POST", "/v1/relay-credentials", body)).body
        need(b["iceServers"] == [] and TIME.match(b["expires_at"]), "credentials: %s" % b)  # no relay is configured here
        left = calendar.timegm(time.strptime(b["expires_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.time()
        need(abs(left - seconds) < 5, "expires_at for ttl %d: %s" % (seconds, b))
    for bad in (59, 86401, "600", 60.5, True):
        r = await u.want(400, "POST", "/v1/relay-credentials", {"ttl_s": bad})
        need(r.code == "field" and r.body["errors"][0]["pointer"] == "/ttl_s", "ttl_s %r: %s" % (bad, r))


@contract("paths, methods, bodies: 404, 405, 400, 413, 415")
async def forms(w):
    u = await w.user()
    for path in ("/", "/v1", "/v1/nothing", "/v1/calls/c_x/nothing", "/v1/me/", "/v1//me", "/V1/me"):
        await u.want(404, "GET", path)
    r = await u.want(405, "DELETE", "/v1/me")
    need({"get", "head"} <= words(r.headers["Allow"]), "Allow: " + r.headers["Allow"])
    r = await u.want(405, "PUT", "/v1/calls")
    need({"get", "post"} <= words(r.headers["Allow"]), "Allow: " + r.headers["Allow"])
    r = await u.want(405, "HEAD", "/v1/events")
    need("head" not in words(r.headers["Allow"]), "HEAD of a stream in Allow")
    for raw in (b"{", b"[]", b"null", b'"x"', b'{"ttl_s":60,"ttl_s":61}', b'{"a":"\xff"}', b"{} {}"):
        await u.want(400, "POST", "/v1/relay-credentials", raw=raw, type_="application/json", code="bad_json")
    await u.want(200, "POST", "/v1/relay-credentials", raw=b"{}", type_="application/json; charset=utf-8")
    await u.want(415, "POST", "/v1/relay-credentials", raw=b"{}", type_="text/plain")
    big = json.dumps({"pad": "x" * 65400}).encode()
    await u.want(200, "POST", "/v1/relay-credentials", raw=big, type_="application/json")
    await asyncio.sleep(1)
    await u.want(413, "POST", "/v1/relay-credentials", raw=big + b" " * 200, type_="application/json")


@contract("a name of the gateway as Host, and no other")
async def host(w):
    u = await w.user()
    r = await u.ask("GET", "/v1/me", Host="evil.example")
    need(r.status == 421, "unknown Host: %s" % r)


@contract("CORS: an exact list")
async def cors(w):
    u, good = await w.user(), "https://app.example"
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": ", ".join(ALLOW)}
    r = await u.ask("OPTIONS", "/v1/calls", token=False, Origin=good, **ask)
    h = r.headers
    need(r.status in (200, 204) and h.get("Access-Control-Allow-Origin") == good, "preflight: %d %s" % (r.status, dict(h)))
    need(ALLOW <= words(h.get("Access-Control-Allow-Headers")), "allowed headers: %s" % h.get("Access-Control-Allow-Headers"))
    need({"get", "post"} <= words(h.get("Access-Control-Allow-Methods")), "allowed methods: %s" % h.get("Access-Control-Allow-Methods"))
    need(h.get("Access-Control-Max-Age") == "600", "preflight's age")
    need("origin" in words(h.get("Vary")), "Vary: Origin")
    r = await u.ask("OPTIONS", "/v1/calls/c_x/ice", token=False, Origin=good, **{"Access-Control-Request-Method": "PATCH"})
    need("patch" in words(r.headers.get("Access-Control-Allow-Methods")), "PATCH in the preflight")
    for bad in ("https://evil.example", "https://app.example.evil", "http://app.example", "null"):
        r = await u.ask("OPTIONS", "/v1/calls", token=False, Origin=bad, **ask)
        need("Access-Control-Allow-Origin" not in r.headers, "CORS for " + bad)
        r = await u.ask("GET", "/v1/me", Origin=bad)
        need("Access-Control-Allow-Origin" not in r.headers, "CORS for " + bad)
    for path, token in (("/v1/me", True), ("/v1/calls/c_x", True), ("/v1/me", False), ("/v1/bootstrap", False)):
        r = await u.get(path, token=token, Origin=good)
        need(r.headers.get("Access-Control-Allow-Origin") == good, "CORS of %s, %d" % (path, r.status))
        need({"location", "etag", "retry-after"} <= words(r.headers.get("Access-Control-Expose-Headers")), "exposed headers of " + path)
    async with u.session.get(w.base + "/v1/events", headers={"Authorization": "Bearer " + u.token, "Origin": good}) as r:
        need(r.headers.get("Access-Control-Allow-Origin") == good, "CORS of the stream")


@contract("Idempotency-Key on what creates")
async def idempotency(w):
    u, other = await w.user(), await w.user()
    a = await u.want(201, "POST", "/v1/event-tickets", {}, Idempotency_Key="one")
    need("Idempotent-Replayed" not in a.headers, "the first answer says replayed")
    b = await u.want(201, "POST", "/v1/event-tickets", {}, Idempotency_Key="one")
    need(a.body == b.body and b.headers.get("Idempotent-Replayed") == "true", "replay: %s %s" % (b, dict(b.headers)))
    d = await u.want(201, "POST", "/v1/event-tickets", Idempotency_Key="one")
    need(a.body == d.body, "an absent body is {}")
    c = await other.want(201, "POST", "/v1/event-tickets", {}, Idempotency_Key="one")
    need(c.body != a.body and "Idempotent-Replayed" not in c.headers, "keys of two identities")
    await u.want(200, "POST", "/v1/relay-credentials", {"ttl_s": 60}, Idempotency_Key="two")
    await u.want(422, "POST", "/v1/relay-credentials", {"ttl_s": 61}, code="idempotency", Idempotency_Key="two")
    for key in ("x" * 129, "a b", "\u00e9"):
        await u.want(400, "POST", "/v1/relay-credentials", {}, Idempotency_Key=key)
    await u.want(200, "POST", "/v1/relay-credentials", {}, Idempotency_Key="~" * 128)


@contract("Idempotency-Key: the same call is not placed twice")
async def idempotent_call(w):
    u = await w.user()
    body = {"to": {"tel": "+15550199110"}, "offer": {"type": "offer", "sdp": plain_offer()}}
    a = await u.want(201, "POST", "/v1/calls", body, Idempotency_Key="k1")
    b = await u.want(201, "POST", "/v1/calls", body, Idempotency_Key="k1")
    need(a.body == b.body and b.headers.get("Location") == a.headers["Location"] and b.headers.get("ETag") == a.headers["ETag"],
         "replayed 201: %s" % dict(b.headers))
    need(b.headers.get("Idempotent-Replayed") == "true", "no Idempotent-Replayed")
    need(len((await u.get("/v1/calls")).body["calls"]) == 1, "two calls of one key")
    bad = dict(body, to={"tel": "+19995550100"})
    c = await u.want(422, "POST", "/v1/calls", bad, code="no_route", Idempotency_Key="k2")
    d = await u.want(422, "POST", "/v1/calls", bad, code="no_route", Idempotency_Key="k2")
    need(d.headers.get("Idempotent-Replayed") == "true" and c.body == d.body, "replayed refusal")
    await u.want(204, "DELETE", "/v1/calls/" + a.body["id"])


@contract("Idempotency-Key: still in flight is 409; one renegotiation at a time is 409 glare", when="alone")
async def in_flight(w):
    u = await w.user()
    live = await u.call("600")
    body = {"to": {"tel": "600"}, "offer": {"type": "offer", "sdp": plain_offer()}}
    w.gateway.pause("sallyport-media")
    try:
        waiting = [asyncio.create_task(u.post("/v1/calls", body, Idempotency_Key="slow")),
                   asyncio.create_task(u.post("/v1/calls/%s/renegotiate" % live, {"offer": {"type": "offer", "sdp": plain_offer()}}))]
        await asyncio.sleep(0.3)
        r = await u.post("/v1/calls", body, Idempotency_Key="slow")
        need(r.status == 409, "in flight: %s" % r)
        await u.want(409, "POST", "/v1/calls/%s/renegotiate" % live, {"offer": {"type": "offer", "sdp": plain_offer()}}, code="glare")
    finally:
        w.gateway.go_on("sallyport-media")
    first, second = await asyncio.gather(*waiting)
    need(first.status == 201 and second.status == 200, "after the pause: %s; %s" % (first, second))


@contract("10 commands a second, then 429")
async def rate(w):
    u = await w.user()
    replies = await asyncio.gather(*(u.post("/v1/relay-credentials", {}) for _ in range(40)))
    got = [r.status for r in replies]
    need(set(got) == {200, 429} and 10 <= got.count(200) <= 30, "40 commands at once: %s" % got)
    late = next(r for r in replies if r.status == 429)
    need(int(late.headers["Retry-After"]) == late.body.get("retry_after"), "retry_after: %s" % late)
    await u.want(200, "GET", "/v1/me")
    call = (await u.want(201, "POST", "/v1/calls", {"to": {"tel": "911"}, "offer": {"type": "offer", "sdp": plain_offer()}})).body["id"]
    await asyncio.sleep(int(late.headers["Retry-After"]) + 1)
    await u.want(204, "DELETE", "/v1/calls/" + call)
    await u.want(200, "POST", "/v1/relay-credentials", {})
