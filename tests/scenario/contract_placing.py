# SPDX-License-Identifier: Apache-2.0
"""Contract, sections 3, 4, 7, 8 and 11: placing calls: descriptions, refusals, what the telephone side makes of them."""
import asyncio
import json
import re
import time

from contract_client import TIME, candidate, check_description, contract, need, plain_offer

END_WORDS = set("completed busy declined no_answer canceled unreachable not_found forbidden policy rejected congestion trunk_failure "
                "media_failure timeout transferred replaced max_duration unauthorized operator server_shutdown gateway_restart "
                "answered_elsewhere".split())


def check_end(end, reason, by, sip="any", q850="any"):
    need(set(end) >= {"sip", "q850", "reason", "by", "detail"} and end["reason"] in END_WORDS, "end: %s" % end)
    need(end["reason"] == reason and end["by"] == by, "end should be %s by %s: %s" % (reason, by, end))
    need(sip == "any" or end["sip"] == sip, "end.sip should be %s: %s" % (sip, end))
    need(q850 == "any" or end["q850"] == q850, "end.q850 should be %s: %s" % (q850, end))


@contract("POST calls: 201 with Location, ETag and a complete answer")
async def placed(w):
    u = await w.user()
    offer = plain_offer(codecs=((111, "opus/48000/2"), (110, "telephone-event/48000"), (126, "telephone-event/8000"), (8, "PCMA/8000"), (0, "PCMU/8000")))
    r = await u.place("+15550199120", sdp=offer)
    call = r.body["id"]
    need(r.headers["Location"].endswith("/v1/calls/" + call) and re.match(r'^"[^"]+"$', r.headers["ETag"]), "headers: %s" % dict(r.headers))
    need(r.body["state"] == "connecting" and r.body["answer"]["type"] == "answer", "body: %s" % r)
    numbers, kinds = check_description(r.body["answer"]["sdp"], "passive", offer)
    need(kinds[numbers[0]] in ("opus/48000/2", "pcma/8000", "pcmu/8000"), "first codec of %s" % numbers)
    need(126 in numbers and kinds[126] == "telephone-event/8000", "telephone-event keeps its number: %s" % kinds)
    far = await w.far.incoming(u.numbers[0])
    s = await u.show(call)
    need(s["id"] == call and s["direction"] == "out" and s["state"] == "connecting" and s["hold"] == {"local": False, "remote": False},
         "snapshot: %s" % s)
    need(s["from"].get("tel") == u.numbers[0], "from: %s" % s["from"])
    need(s["to"] == {"tel": "+15550199120"} and TIME.match(s["created_at"]) and s["recording"] is False, "snapshot: %s" % s)
    need(s["early_media"] is False and s["etag"] == r.headers["ETag"] and s["media"]["ice"] and s["media"]["dtls"], "snapshot: %s" % s)
    need(not {"offer", "end", "ringing_at", "answered_at", "connected_at"} & set(s), "too early in a snapshot: %s" % s)
    far.refuse(486)


@contract("offers that are served: active, no candidates, odd candidates, more m-lines")
async def served(w):
    u = await w.user()
    odd = [candidate(address="abcd.local"), candidate(proto="tcp").replace("typ host", "typ host tcptype active"), "candidate:x 1 sctp 1 192.0.2.1 9 typ weird",
           candidate("srflx", "198.51.100.7")]
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n"
    second = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=rtpmap:0 PCMU/8000\r\n"
    event_first = ((126, "telephone-event/8000"), (0, "PCMU/8000"))
    for offer in (plain_offer(setup="active"), plain_offer(candidates=odd), plain_offer(after=video + second), plain_offer(codecs=event_first),
                  plain_offer(codecs=((96, "PCMU/8000"), (97, "telephone-event/8000"))), plain_offer(media="m=audio 9 UDP/TLS/RTP/SAVPF")):
        r = await u.place("600", sdp=offer)
        answer = r.body["answer"]["sdp"]
        check_description(answer, "passive", offer)
        ports = re.findall(r"^m=\w+ (\d+)", answer, re.M)
        need(len(ports) == offer.count("\r\nm=") and ports[0] != "0" and set(ports[1:]) <= {"0"}, "m-lines: %s" % answer)
        await u.want(204, "DELETE", "/v1/calls/" + r.body["id"])


@contract("offers that are not: 422 sdp, codec, no_audio, third_party_relay; 413")
async def not_served(w):
    u, v = await w.user(), await w.user()
    relay = candidate("relay", "203.0.113.9")
    no_audio = plain_offer().replace("m=audio", "m=video")
    cases = [("sdp", plain_offer(ufrag="")), ("sdp", plain_offer(fingerprint="")), ("sdp", plain_offer(mux=False)),
             ("sdp", plain_offer(media="m=audio 9 RTP/AVP")), ("sdp", "v=0\r\nnonsense"), ("sdp", ""),
             ("sdp", plain_offer(fingerprint="sha-1 " + ":".join(["AB"] * 20))), ("no_audio", no_audio),
             ("codec", plain_offer(codecs=((111, "speex/16000"),))), ("codec", plain_offer(codecs=((126, "telephone-event/8000"),))),
             ("policy:third_party_relay", plain_offer(candidates=[relay]))]
    for i, (code, offer) in enumerate(cases):
        r = await u.place("600", sdp=offer or " ", status=422, code=code)
        need("/v1/calls/c_" in r.body.get("instance", ""), "no instance: %s" % r)
        await u.want(404, "GET", r.body["instance"])
        await asyncio.sleep(0.05)
    await v.place("600", sdp=plain_offer(candidates=[relay, candidate()]))
    big = plain_offer(more="a=x-pad:" + "x" * 32768 + "\r\n")
    many = plain_offer(candidates=[candidate(port=1000 + i) for i in range(65)])
    wide = plain_offer(after="".join("m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:%d\r\n" % i for i in range(1, 17)))
    for offer in (big, many, wide):
        await v.place("600", sdp=offer, status=413)
    await v.place("600", sdp=plain_offer(candidates=[candidate(port=1000 + i) for i in range(64)]))
    need((await u.get("/v1/calls")).body["calls"] == [], "a refused call became a resource")


@contract("what is wrong in the body is 400 and names the member")
async def fields(w):
    u, v = await w.user(), await w.user()
    offer = {"type": "offer", "sdp": plain_offer()}
    good = {"to": {"tel": "600"}, "offer": offer}
    bad = [("/to", {"to": None}), ("/to", {"to": "600"}), ("/to", {"to": {}}), ("/to", {"to": {"tel": "600", "user": "u1"}}), ("/to", {"to": {"tel": 600}}),
           ("/offer", {"offer": None}), ("/offer", {"offer": "v=0"}), ("/offer", {"offer": {"type": "answer", "sdp": plain_offer()}}),
           ("/offer", {"offer": {"type": "offer"}}), ("/ring_timeout_s", {"ring_timeout_s": 4}), ("/ring_timeout_s", {"ring_timeout_s": 181}),
           ("/ring_timeout_s", {"ring_timeout_s": "60"}), ("/metadata", {"metadata": {"a": 1}}), ("/metadata", {"metadata": "x"}),
           ("/metadata", {"metadata": {"a": "x" * 4100}}), ("/features", {"features": []}), ("/features", {"features": {"ringback": "loud"}}),
           ("/features", {"features": {"network": "pigeon"}}), ("/from", {"from": 5})]
    for i, (pointer, change) in enumerate(bad):
        body = {k: x for k, x in dict(good, **change).items() if x is not None}
        r = await (u if i % 2 else v).want(400, "POST", "/v1/calls", body, code="field")
        need(r.body["errors"][0]["pointer"].startswith(pointer), "%s for %s" % (r, change))
        await asyncio.sleep(0.06)
    await asyncio.sleep(1)
    await u.want(201, "POST", "/v1/calls", dict(good, features={"network": "wifi", "ringback": "client", "x": 1}, unknown={"a": []}, ring_timeout_s=180))
    await v.want(201, "POST", "/v1/calls", dict(good, features={"ringback": "gateway", "network": "wired", "record": False}, ring_timeout_s=5, privacy="id"))
    await u.want(403, "POST", "/v1/calls", dict(good, features={"record": True}))


@contract("numbers: not_dialable, no_route, the dialplan's refusal, no such user, no groups")
async def numbers(w):
    u = await w.user()
    for tel, status, code in (("+123", 422, "not_dialable"), ("+1234567890123456", 422, "not_dialable"), ("abc", 422, "not_dialable"), ("", 422, "not_dialable"),
                              ("999", 422, "not_dialable"), ("*21#", 422, "not_dialable"), ("1" * 33, 422, "not_dialable"),
                              ("+1 555 0199120", 422, "not_dialable"), ("+19995550100", 422, "no_route"),
                              ("+15550199403", 403, "policy:dialplan"), ("+15550199404", 422, "no_route")):
        r = await u.place(tel, status=status, code=code)
        need("/v1/calls/c_" in r.body.get("instance", ""), "no instance: %s" % r)
        await asyncio.sleep(0.1)
    await u.place({"user": "nobody-of-ours"}, status=422)
    await u.place({"group": "standup"}, status=422)


@contract("a refused attempt has a record that instance names")
async def recorded(w):
    u = await w.user()
    bare = await w.user(scopes=["events.read"])
    cases = [(u, "+19995550100", {}, 422, "no_route"), (u, "600", {"sdp": plain_offer(ufrag="")}, 422, "sdp"), (u, "600", {"sdp": "v=0\r\nx"}, 422, "sdp"),
             (u, "600", {"from": "+15550000000"}, 403, "caller_id"), (u, "12#", {}, 422, "not_dialable"), (bare, "600", {}, 403, "scope")]
    for who, to, more, status, code in cases:
        r = await who.place(to, status=status, code=code, **more)
        record_id = r.body.get("instance", "").rsplit("/", 1)[-1]
        need(record_id.startswith("c_"), "no instance: %s" % r)
        need(await w.record(record_id, lambda text: '"refused"' in text and who.identity in text), "no record of a refusal: %s" % r)


@contract("from: the first of me.numbers, or one of them, else 403 caller_id")
async def caller_id(w):
    u = await w.user(numbers=["+15550300001", "+15550300002"])
    call = await u.call("+15550199121")
    far = await w.far.incoming("+15550300001")
    need("+15550300001" in far.invite.get("from"), "From: " + far.invite.get("from"))
    need((await u.show(call))["from"].get("tel") == "+15550300001", "from in the snapshot")
    far.refuse(486)
    for form in ("+15550300002", {"tel": "+15550300002"}):
        await u.call("+15550199121", **{"from": form})
        (await w.far.incoming("+15550300002")).refuse(486)
    await u.place("+15550199121", status=403, code="caller_id", **{"from": "+15550300003"})


@contract("emergency numbers need no from")
async def emergency(w):
    token = await asyncio.to_thread(w.gateway.token, "numberless", [], None)
    u = w.add("numberless", token["token"])
    need((await u.get("/v1/me")).body["numbers"] == [], "numbers")
    await u.place("+15550199122", status=403, code="caller_id")
    call = await u.call("112")
    far = await w.far.incoming(called="112")
    far.ring()
    await asyncio.sleep(0.2)
    need((await u.show(call))["state"] == "ringing", "an emergency call rings")
    await u.want(204, "DELETE", "/v1/calls/" + call)
    await far.wait("CANCEL")


@contract("privacy withholds the number")
async def privacy(w):
    u, v = await w.user(), await w.user()
    s = await v.stream("a")
    await u.call("+15550199123", privacy="id")
    far = await w.far.incoming(called="+15550199123")
    need("anonymous" in far.invite.get("from").lower() and u.numbers[0] not in far.invite.get("from"), "From: " + far.invite.get("from"))
    far.refuse(486)
    call = await u.call({"user": v.identity}, privacy="id")
    e = await s.wait("call.incoming", call)
    need(e.data["from"] == {"anonymous": True} and e.data["anonymous"] is True, "anonymous: %s" % e)
    need(u.identity not in json.dumps(e.data["from"]) and (await v.show(call))["from"] == {"anonymous": True}, "anonymous in the snapshot")
    await u.want(204, "DELETE", "/v1/calls/" + call)


@contract("metadata comes back in snapshots, in the record and to a native callee")
async def metadata(w):
    u, v = await w.user(), await w.user()
    s, data = await v.stream("a"), {"order": "4711", "näme": "ü\"\\"}
    call = await u.call({"user": v.identity}, metadata=data)
    e = await s.wait("call.incoming", call)
    need(e.data["metadata"] == data and (await u.show(call))["metadata"] == data and (await v.show(call))["metadata"] == data, "metadata: %s" % e)
    await u.want(204, "DELETE", "/v1/calls/" + call)
    need((await u.show(call))["metadata"] == data, "metadata after the end")
    need(await w.record(call, lambda text: "4711" in text), "no record with the metadata")


@contract("20 live calls, then 429 too_many_calls; an emergency call passes")
async def many(w):
    u = await w.user()
    calls = []
    for i in range(20):
        calls.append(await u.call("+15550199124"))
        (await w.far.incoming(u.numbers[0])).ring()
        await asyncio.sleep(0.12)
    r = await u.place("+15550199124", status=429, code="too_many_calls")
    need(r.headers["Retry-After"], "Retry-After")
    await u.place("911")
    for c in calls[:2]:
        await u.want(204, "DELETE", "/v1/calls/" + c)
    await asyncio.sleep(0.3)
    await u.place("+15550199124")
    for c in calls[2:]:
        await u.want(204, "DELETE", "/v1/calls/" + c)
        await asyncio.sleep(0.12)


@contract("ringing, early media when audio comes, answered, connected once, ended")
async def story(w):
    u = await w.user()
    s, p = await u.stream("a"), u.phone()
    r = await u.place("+15550199125", sdp=await p.offer(), device="a")
    call = r.body["id"]
    await p.accept(r.body["answer"]["sdp"])
    await s.wait("call.trying", call)
    far = await w.far.incoming(u.numbers[0])
    await p.up()
    need(not s.all("call.ringing", call), "ringing before the 180")
    far.ring()
    await s.wait("call.ringing", call)
    snap = await u.show(call)
    need(snap["state"] == "ringing" and TIME.match(snap["ringing_at"]), "snapshot while ringing: %s" % snap)
    await far.progress(on=False)
    await s.quiet("call.early_media", call, 0.6)
    far.rtp.on = True
    e = await s.wait("call.early_media", call, seconds=3)
    need(e.data["active"] is True, "early media: %s" % e)
    need((await u.show(call))["state"] == "early_media" and (await u.show(call))["early_media"] is True, "state with early media")
    await p.hears(1300)
    far.rtp.on = False
    at = time.monotonic()
    e = await s.wait("call.early_media", call, nth=2, seconds=6)
    need(e.data["active"] is False and 1 < e.at - at < 4, "early media ends: %s after %.1f s" % (e, e.at - at))
    far.rtp.on = True
    await s.wait("call.early_media", call, nth=3, seconds=3)
    await far.answer()
    await s.wait("call.answered", call)
    await s.wait("call.connected", call)
    snap = await u.show(call)
    need(snap["state"] == "connected" and TIME.match(snap["answered_at"]) and TIME.match(snap["connected_at"]), "connected: %s" % snap)
    need(snap["media"]["ice"] == "connected" and snap["media"]["dtls"] == "connected" and snap["media"].get("pair") and snap["media"].get("srtp"),
         "media of the snapshot: %s" % snap["media"])
    need(snap.get("codec") in ("PCMU", "PCMA", "G722", "opus") and snap["device"] == "a", "codec, device: %s" % snap)
    await p.hears(1300)
    await far.rtp.hears(700)
    states = s.all("media.state", call)
    need(states and states[-1].data["ice"] == "connected" and states[-1].data["dtls"] == "connected", "media.state: %s" % states)
    q = await s.wait("media.quality", call, seconds=12)
    d = q.data
    need(d["direction"] in ("up", "down") and 0 <= d["loss"] <= 1 and d["jitter_ms"] >= 0 and d["rtt_ms"] >= 0 and 1 <= d["mos"] <= 4.5, "quality: %s" % q)
    await s.wait("media.quality", call, seconds=8, where=lambda e: e.data["direction"] != d["direction"])
    far.bye()
    end = (await s.wait("call.ended", call)).data["end"]
    check_end(end, "completed", "remote", None)
    need(len(s.all("call.connected", call)) == 1 and len(s.all("call.answered", call)) == 1, "answered or connected twice")
    names = [e.name for e in s.all(call=call) if e.name.startswith("call.") and e.name != "call.early_media"]
    need(names == ["call.trying", "call.ringing", "call.answered", "call.connected", "call.ended"], "order: %s" % names)
    snap = await u.show(call)
    need(snap["state"] == "ended" and snap["end"] == end, "ended: %s" % snap)
    t = await u.stream("a", last=s.events[1].id)
    await t.wait("call.ended", call)
    need(not t.all("media.state") and not t.all("media.quality"), "media.* in the ring")


@contract("call.ended for each answer of the telephone side")
async def outcomes(w):
    cases = [(486, "busy", 17), (600, "busy", 17), (603, "declined", 21), (404, "not_found", 1), (480, "unreachable", None), (403, "forbidden", None),
             (503, None, None), (500, None, None), (484, None, None), (408, None, None)]

    async def one(status, reason, q850):
        u = await w.user()
        s = await u.stream()
        call = await u.call("+15550199126")
        (await w.far.incoming(u.numbers[0])).refuse(status)
        end = (await s.wait("call.ended", call)).data["end"]
        check_end(end, reason or end["reason"], "remote", status)
        need(end["q850"] in (None, q850) or q850 is None, "q850: %s" % end)
        need((await u.show(call))["end"] == end, "end in the snapshot")
        await u.close()
    for case in cases:
        await one(*case)


@contract("Q.850 of a Reason header is told")
async def q850(w):
    u = await w.user()
    s = await u.stream()
    call = await u.call("+15550199126")
    (await w.far.incoming(u.numbers[0])).refuse(480, 'Reason: Q.850;cause=19;text="No answer"\r\n')
    end = (await s.wait("call.ended", call)).data["end"]
    need(end["q850"] == 19 and end["sip"] == 480, "end: %s" % end)


@contract("nobody answers: no_answer after ring_timeout_s")
async def no_answer(w):
    u = await w.user()
    s = await u.stream()
    call = await u.call("+15550199127", ring_timeout_s=5)
    far = await w.far.incoming(u.numbers[0])
    far.ring()
    at = time.monotonic()
    end = (await s.wait("call.ended", call, seconds=8)).data["end"]
    check_end(end, "no_answer", "gateway")
    need(4 < time.monotonic() - at < 7, "after %.1f s" % (time.monotonic() - at))
    await far.wait("CANCEL")


@contract("a telephone side that is silent ends the call", slow=True)
async def silence(w):
    u = await w.user()
    s = await u.stream()
    w.far.mute.add("+15550199166")
    call = await u.call("+15550199166")
    end = (await s.wait("call.ended", call, seconds=40)).data["end"]
    need(end["reason"] in ("timeout", "trunk_failure", "unreachable", "no_answer") and end["by"] in ("gateway", "remote"), "end: %s" % end)


@contract("DELETE: the caller gives up, hangs up, a second time; for=self|everyone")
async def delete(w):
    u = await w.user()
    s = await u.stream()
    call = await u.call("+15550199128")
    far = await w.far.incoming(u.numbers[0])
    far.ring()
    await s.wait("call.ringing", call)
    await u.want(400, "DELETE", "/v1/calls/%s?for=nobody" % call)
    await u.want(204, "DELETE", "/v1/calls/" + call)
    await far.wait("CANCEL")
    check_end((await s.wait("call.ended", call)).data["end"], "canceled", "local")
    await u.want(204, "DELETE", "/v1/calls/" + call)
    call = await u.call("+15550199128")
    far = await w.far.incoming(u.numbers[0])
    await far.answer()
    await s.wait("call.answered", call)
    await u.want(204, "DELETE", "/v1/calls/%s?for=everyone" % call)
    await far.wait("BYE")
    check_end((await s.wait("call.ended", call)).data["end"], "completed", "local", None)
    await u.want(204, "DELETE", "/v1/calls/%s?for=self" % call)
    await u.want(404, "DELETE", "/v1/calls/c_nothing")
    other = await w.user()
    await other.want(404, "DELETE", "/v1/calls/" + call)


@contract("verbs on an ended call are 410, on another's 404; lists keep ended calls")
async def ended(w):
    u, other = await w.user(), await w.user()
    call, live = await u.call("600"), await u.call("600")
    verbs = [("hold", {}), ("resume", {}), ("dtmf", {"digits": "1"}), ("renegotiate", {"offer": {"type": "offer", "sdp": plain_offer()}}),
             ("telemetry", {"stats": []})]
    for verb, body in verbs + [("answer", {}), ("ringing", {}), ("reject", {"reason": "busy"})]:
        await other.want(404, "POST", "/v1/calls/%s/%s" % (call, verb), body, code="not_found")
    await other.want(404, "GET", "/v1/calls/" + call)
    await other.want(404, "PATCH", "/v1/calls/%s/ice" % call, raw=b"a=ice-ufrag:x\r\n", type_="application/trickle-ice-sdpfrag", If_Match="*")
    for verb, body in (("answer", {}), ("ringing", {}), ("reject", {"reason": "busy"})):
        await u.want(409, "POST", "/v1/calls/%s/%s" % (call, verb), body, code="wrong_state")
    await u.want(204, "DELETE", "/v1/calls/" + call)
    for verb, body in verbs:
        await u.want(410, "POST", "/v1/calls/%s/%s" % (call, verb), body)
    await u.want(410, "PATCH", "/v1/calls/%s/ice" % call, raw=b"a=ice-ufrag:x\r\n", type_="application/trickle-ice-sdpfrag", If_Match="*")
    snap = await u.show(call)
    need(snap["state"] == "ended" and snap["end"]["reason"] == "completed", "ended: %s" % snap)

    async def listed(query):
        return [c["id"] for c in (await u.want(200, "GET", "/v1/calls" + query)).body["calls"]]
    need(set(await listed("")) == {call, live} and await listed("?state=live") == [live] and await listed("?state=ended") == [call], "lists")
    for bad in ("?state=dead", "?limit=0", "?limit=x", "?cursor=%00"):
        await u.want(400, "GET", "/v1/calls" + bad)


@contract("GET calls: limit and cursor")
async def pages(w):
    u = await w.user()
    calls = [await u.call("600") for _ in range(5)]
    seen, query = [], "?limit=2"
    for _ in range(4):
        b = (await u.want(200, "GET", "/v1/calls" + query)).body
        need(len(b["calls"]) <= 2, "page: %d" % len(b["calls"]))
        seen += [c["id"] for c in b["calls"]]
        if "cursor" not in b:
            break
        query = "?limit=2&cursor=" + b["cursor"]
    need(sorted(seen) == sorted(calls) and len(seen) == 5, "pages: %s of %s" % (seen, calls))


@contract("the gateway's own echo and tone")
async def own(w):
    u = await w.user()
    s, p, q = await u.stream(), u.phone(700), u.phone(500)
    r = await u.place("600", sdp=await p.offer())
    await p.accept(r.body["answer"]["sdp"])
    await s.wait("call.answered", r.body["id"])
    await s.wait("call.connected", r.body["id"])
    await p.hears(700)
    r = await u.place("601", sdp=await q.offer())
    await q.accept(r.body["answer"]["sdp"])
    await s.wait("call.connected", r.body["id"])
    await q.hears(1004)


@contract("ringback by the gateway is heard while it rings, and ends")
async def ringback(w):
    u = await w.user()
    s, p = await u.stream(), u.phone()
    r = await u.place("+15550199129", sdp=await p.offer(), features={"ringback": "gateway"})
    await p.accept(r.body["answer"]["sdp"])
    far = await w.far.incoming(u.numbers[0])
    far.ring()
    await s.wait("call.ringing", r.body["id"])
    await p.up()
    end, loud = time.monotonic() + 7, False
    while not loud and time.monotonic() < end:
        await asyncio.sleep(0.2)
        part = p.heard[-1600:]
        loud = len(part) == 1600 and sum(x * x for x in part) / 1600 > 250000
    need(loud, "no ringback heard")
    await far.answer(hz=1300)
    await p.hears(1300)
