# SPDX-License-Identifier: Apache-2.0
"""Contract, section 5: being called: own offers, ringing, answers, rejects, who comes late, who is not there."""
import asyncio
import time

from contract_client import check_description, contract, ice_of, need, plain_answer, plain_offer
from contract_placing import check_end


async def rung(w, devices, caller=None, **members):
    """A callee with streams of these names and a call that rings there: (callee, streams, call id, far or caller)."""
    u = await w.user()
    streams = [await u.stream(d) for d in devices]
    if caller:
        call = await caller.call({"user": u.identity}, **members)
        side = caller
    else:
        side = await w.far.dial(u.numbers[0])
        call = None
    events = [await s.wait("call.incoming", call) for s in streams]
    return u, streams, events, side


@contract("call.incoming: each device an offer of its own")
async def incoming(w):
    u, streams, events, far = await rung(w, ["a", "b", None])
    for e in events:
        d = e.data
        need(d["call"].startswith("c_") and d["offer"]["type"] == "offer" and d["etag"].startswith('"'), "incoming: %s" % e)
        need(d["from"]["tel"] == "+15550188001" and d["to"] == {"tel": u.numbers[0]}, "from, to: %s" % e)
        need(5 <= d["ring_timeout_s"] <= 180 and d.get("anonymous") in (False, None) and d.get("verified", "none") == "none", "incoming: %s" % e)
        check_description(d["offer"]["sdp"], "actpass")
    need(len({e.data["call"] for e in events}) == 1, "several ids for one call")
    need(len({ice_of(e.data["offer"]["sdp"]) for e in events}) == 3 and len({e.data["etag"] for e in events}) == 3, "shared credentials or etag")
    call = events[0].data["call"]
    snap = await u.show(call, device="b")
    need(snap["direction"] == "in" and snap["state"] == "ringing" and snap["offer"] == events[1].data["offer"] and snap["etag"] == events[1].data["etag"],
         "device's snapshot: %s" % snap)
    need(snap["from"]["tel"] == "+15550188001", "from: %s" % snap)
    need([c["id"] for c in (await u.get("/v1/calls")).body["calls"]] == [call], "one call, one entry")
    need((await u.stream("c")).events[0].data["calls"] == [call], "one call, one id in hello")
    await u.want(204, "POST", "/v1/calls/%s/ringing" % call, device="a")
    m = await far.answer_to_us(180)
    need(m.status == 180, "ringing: %s" % m.first)
    far.cancel()
    for s in streams:
        end = await s.wait("call.ended", call)
        check_end(end.data["end"], "canceled", "remote")
    need((await far.answer_to_us()).status == 487, "canceled call")
    await u.want(410, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": plain_answer(events[0].data["offer"]["sdp"])}},
                 code="canceled", device="a")


@contract("a native caller is a user; call.ringing comes by POST ringing")
async def native_pair(w):
    u = await w.user()
    s = await u.stream("x")
    v, streams, events, _ = await rung(w, ["a"], u, ring_timeout_s=50)
    e, call = events[0], events[0].data["call"]
    need(e.data["from"]["user"] == u.identity and e.data["from"].get("display", "").startswith("User"), "from: %s" % e)
    need(e.data["ring_timeout_s"] == 50, "ring_timeout_s: %s" % e)
    await s.quiet("call.ringing", call, 0.3)
    await v.want(204, "POST", "/v1/calls/%s/ringing" % call)
    await s.wait("call.ringing", call)
    a = await u.show(call)
    b = await v.show(call)
    need(a["state"] == "ringing" and b["state"] == "ringing" and a["direction"] == "out" and b["direction"] == "in", "%s %s" % (a, b))
    need(a["to"] == {"user": v.identity} and b["from"]["user"] == u.identity, "parties: %s %s" % (a, b))
    need("offer" not in a and a["from"] != {}, "caller's snapshot: %s" % a)
    await u.want(409, "POST", "/v1/calls/%s/reject" % call, {"reason": "busy"}, code="wrong_state")
    await u.want(204, "DELETE", "/v1/calls/" + call)
    check_end((await streams[0].wait("call.ended", call)).data["end"], "canceled", "remote")
    check_end((await s.wait("call.ended", call)).data["end"], "canceled", "local")


@contract("dialling a user's number rings the user")
async def by_number(w):
    u, v = await w.user(), await w.user()
    s = await v.stream("a")
    call = await u.call(v.numbers[0])
    e = await s.wait("call.incoming", call)
    need(e.data["from"]["user"] == u.identity and e.data["to"] == {"tel": v.numbers[0]}, "incoming: %s" % e)
    await u.want(204, "DELETE", "/v1/calls/" + call)


@contract("answered: 200 when DTLS is up; the others get answered_elsewhere and nothing after it")
async def answered(w):
    u, (a, b, c), events, far = await rung(w, ["a", "b", "c"])
    call, p = events[0].data["call"], u.phone()
    sdp = await p.answer(events[0].data["offer"]["sdp"])
    at = time.monotonic()
    r = await u.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": sdp}}, device="a")
    need(r.body["id"] == call and r.body["state"] == "connected", "answer: %s" % r)
    ok = await far.answer_to_us()
    need(ok.status == 200 and time.monotonic() - at < 1.5, "200 after %.1f s" % (time.monotonic() - at))
    need(p.pc.connectionState == "connected" or (await p.up(1)) is None, "the 200 came before the media")
    far.ack(ok)
    for s in (b, c):
        e = await s.wait("call.answered_elsewhere", call)
        need(e.data.get("device") == "a", "answered_elsewhere: %s" % e)
    other = plain_answer(events[1].data["offer"]["sdp"])
    await u.want(409, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": other}}, device="b", code="answered_elsewhere")
    await a.wait("call.connected", call)
    need(not a.all("call.answered", call), "the callee got call.answered for its own answer")
    await p.hears(1300)
    await far.rtp.hears(700)
    await u.want(204, "DELETE", "/v1/calls/" + call, device="a")
    await far.wait("BYE")
    check_end((await a.wait("call.ended", call)).data["end"], "completed", "local", None)
    await asyncio.sleep(0.3)
    for s in (b, c):
        need(s.all(call=call)[-1].name == "call.answered_elsewhere" and len(s.all("call.answered_elsewhere", call)) == 1, "after answered_elsewhere: %s" % s.all(call=call))
    need(len(a.all("call.connected", call)) == 1, "connected twice")
    need((await u.show(call))["end"]["reason"] == "completed", "the call's end: %s" % (await u.show(call)))


@contract("two native users: media both ways, connected once on both sides")
async def pair_media(w):
    u, v = await w.user(), await w.user()
    s, t = await u.stream("x"), await v.stream("y")
    p, q = u.phone(700), v.phone(900)
    r = await u.place({"user": v.identity}, sdp=await p.offer())
    call = r.body["id"]
    await p.accept(r.body["answer"]["sdp"])
    e = await t.wait("call.incoming", call)
    sdp = await q.answer(e.data["offer"]["sdp"])
    await v.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": sdp}})
    await s.wait("call.answered", call)
    await s.wait("call.connected", call)
    await t.wait("call.connected", call)
    await p.hears(900)
    await q.hears(700)
    await v.want(204, "POST", "/v1/calls/%s/telemetry" % call, {"stats": [{"type": "inbound-rtp"}], "selected_pair": {}})
    await v.want(204, "DELETE", "/v1/calls/" + call)
    check_end((await s.wait("call.ended", call)).data["end"], "completed", "remote", None)
    need(len(s.all("call.connected", call)) == len(t.all("call.connected", call)) == 1 and not t.all("call.answered", call), "connected, answered")


@contract("an answer that brings no media: 200 after 1.5 s, media_failure 10 s later", slow=True)
async def no_media(w):
    u, (a,), events, far = await rung(w, ["a"])
    call, at = events[0].data["call"], time.monotonic()
    await u.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": plain_answer(events[0].data["offer"]["sdp"])}})
    ok = await far.answer_to_us()
    need(ok.status == 200 and 1 < time.monotonic() - at < 2.5, "200 after %.1f s" % (time.monotonic() - at))
    far.ack(ok)
    e = await a.wait("call.ended", call, seconds=14)
    check_end(e.data["end"], "media_failure", "gateway")
    need(9 < time.monotonic() - at < 14, "after %.1f s" % (time.monotonic() - at))
    await far.wait("BYE")
    need(not a.all("call.connected", call), "connected without media")


@contract("reject: busy and unavailable stop one device, decline all; the last reason is the call's")
async def reject(w):
    for reason, status in (("busy", 486), ("unavailable", 480)):
        u, (a, b), events, far = await rung(w, ["a", "b"])
        call = events[0].data["call"]
        await u.want(204, "POST", "/v1/calls/%s/reject" % call, {"reason": "unavailable" if reason == "busy" else "busy"}, device="a")
        await a.wait("call.ended", call)
        await b.quiet("call.ended", call, 0.3)
        need((await u.show(call, device="b"))["state"] == "ringing", "the other device rings on")
        await u.want(400, "POST", "/v1/calls/%s/reject" % call, {"reason": "tired"}, device="b", code="field")
        await u.want(204, "POST", "/v1/calls/%s/reject" % call, {"reason": reason}, device="b")
        await b.wait("call.ended", call)
        need((await far.answer_to_us()).status == status, "%s: %s" % (reason, (await far.answer_to_us()).first))
    for last in ("POST", "DELETE"):
        u, (a, b), events, far = await rung(w, ["a", "b"])
        call = events[0].data["call"]
        if last == "POST":
            await u.want(204, "POST", "/v1/calls/%s/reject" % call, {"reason": "decline"}, device="a")
        else:
            await u.want(204, "DELETE", "/v1/calls/" + call, device="a")
        for s in (a, b):
            end = (await s.wait("call.ended", call)).data["end"]
            need(end["reason"] == "declined" and end["by"] == "local", "end: %s" % end)
        need((await far.answer_to_us()).status == 603, "decline")
    u = await w.user()
    s = await u.stream()
    v, (a,), events, _ = await rung(w, ["a"], u)
    await v.want(204, "POST", "/v1/calls/%s/reject" % events[0].data["call"], {"reason": "busy"})
    check_end((await s.wait("call.ended", events[0].data["call"])).data["end"], "busy", "remote")


@contract("a stream that opens while the call rings gets its call.incoming")
async def late(w):
    u, (a,), events, far = await rung(w, ["a"])
    call = events[0].data["call"]
    b = await u.stream("b")
    e = await b.wait("call.incoming", call)
    need(ice_of(e.data["offer"]["sdp"]) != ice_of(events[0].data["offer"]["sdp"]), "a late device has the first one's offer")
    a.close()
    again = await u.stream("a")
    e2 = await again.wait("call.incoming", call)
    need(e2.data["offer"] == events[0].data["offer"] and e2.data["etag"] == events[0].data["etag"], "the same device, another offer")
    replay = await u.stream("a", last=e2.id)
    await replay.quiet("call.incoming", call, 0.4)
    p = u.phone()
    sdp = await p.answer(e.data["offer"]["sdp"])
    await u.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": sdp}}, device="b")
    far.ack(await far.answer_to_us())
    await p.hears(1300)
    await replay.wait("call.answered_elsewhere", call)


@contract("nobody connected: 5 s, then 480; who comes in time is rung")
async def offline(w):
    u, v, x = await w.user(), await w.user(), await w.user()
    far, at = await w.far.dial(u.numbers[0]), time.monotonic()
    s = await x.stream()
    native = await x.call({"user": u.identity})
    other = await w.far.dial(v.numbers[0])
    await asyncio.sleep(2.5)
    t = await v.stream("a")
    e = await t.wait("call.incoming")
    m = await far.answer_to_us()
    need(m.status == 480 and 4 < time.monotonic() - at < 7, "%s after %.1f s" % (m.first, time.monotonic() - at))
    check_end((await s.wait("call.ended", native)).data["end"], "unreachable", "gateway")
    need(not other.messages or all(m.status < 200 for m in other.messages), "who came in time is rung on")
    other.cancel()
    await t.wait("call.ended", e.data["call"])


@contract("provisional answer: SIP 183 and early media, then the final one is {}")
async def provisional(w):
    u, (a, b), events, far = await rung(w, ["a", "b"])
    call, p = events[0].data["call"], u.phone()
    sdp = await p.answer(events[0].data["offer"]["sdp"])
    body = {"answer": {"type": "answer", "sdp": sdp}, "provisional": True}
    await u.want(200, "POST", "/v1/calls/%s/answer" % call, body, device="a")
    m = await far.answer_to_us(183)
    need(m.status == 183 and "m=audio" in m.body, "provisional: %s" % m.first)
    far._follow(m.body)
    await far.rtp.hears(700)
    need((await u.show(call, device="a"))["state"] == "early_media", "state: %s" % (await u.show(call, device="a"))["state"])
    await b.quiet("call.answered_elsewhere", call, 0.2)
    await u.want(200, "POST", "/v1/calls/%s/answer" % call, body, device="a")
    await u.want(409, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": plain_answer(events[0].data["offer"]["sdp"])}},
                 device="a", code="wrong_state")
    r = await u.want(200, "POST", "/v1/calls/%s/answer" % call, {}, device="a")
    need(r.body == {"id": call, "state": "connected"}, "final: %s" % r)
    ok = await far.answer_to_us()
    need(ok.status == 200, "final: %s" % ok.first)
    far.ack(ok)
    await b.wait("call.answered_elsewhere", call)
    await a.wait("call.connected", call)
    await p.hears(1300)
    q = u.phone(900)
    r = await u.want(200, "POST", "/v1/calls/%s/renegotiate" % call, {"offer": {"type": "offer", "sdp": await q.offer()}}, device="a")
    await q.accept(r.body["answer"]["sdp"])
    await far.rtp.hears(900)


@contract("warm answer: media up without a 183, then {} or the same SDP")
async def warm(w):
    u, (a,), events, far = await rung(w, ["a"])
    call, p = events[0].data["call"], u.phone()
    sdp = await p.answer(events[0].data["offer"]["sdp"])
    await u.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": sdp}, "provisional": True, "early_media": False})
    await p.up()
    need(not [m for m in far.messages if m.status == 183], "a 183 for a warm answer")
    at = time.monotonic()
    await u.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": sdp}})
    ok = await far.answer_to_us()
    need(ok.status == 200 and time.monotonic() - at < 0.8, "200 after %.1f s" % (time.monotonic() - at))
    far.ack(ok)
    await p.hears(1300)
    await u.want(409, "POST", "/v1/calls/%s/answer" % call, {}, code="wrong_state")


@contract("answers that are wrong: 400, 422, then the right one")
async def wrong(w):
    u, (a,), events, far = await rung(w, ["a"])
    call, offer = events[0].data["call"], events[0].data["offer"]["sdp"]
    path = "/v1/calls/%s/answer" % call
    await u.want(400, "POST", path, {}, code="field")
    await u.want(400, "POST", path, {"answer": {"type": "offer", "sdp": plain_answer(offer)}}, code="field")
    await u.want(400, "POST", path, {"answer": {"type": "answer", "sdp": plain_answer(offer)}, "provisional": "yes"}, code="field")
    for bad in ({"ufrag": ""}, {"fingerprint": ""}, {"mux": False}):
        await u.want(422, "POST", path, {"answer": {"type": "answer", "sdp": plain_answer(offer, **bad)}}, code="sdp")
    relay = "candidate:1 1 udp 1 203.0.113.9 4000 typ relay raddr 0.0.0.0 rport 0"
    await u.want(422, "POST", path, {"answer": {"type": "answer", "sdp": plain_answer(offer, candidates=[relay])}}, code="policy:third_party_relay")
    need((await u.show(call))["state"] == "ringing", "a refused answer changed the call")
    await u.want(200, "POST", path, {"answer": {"type": "answer", "sdp": plain_answer(offer)}})
    far.cancel()


@contract("not rung is 404; without call.receive a stream is not rung")
async def not_rung(w):
    u = await w.user()
    deaf = w.add(u.identity, (await asyncio.to_thread(w.gateway.token, u.identity, None, ["events.read"]))["token"])
    d, a = await deaf.stream("deaf"), await u.stream("a")
    far = await w.far.dial(u.numbers[0])
    e = await a.wait("call.incoming")
    await d.quiet("call.incoming", seconds=0.3)
    call, sdp = e.data["call"], plain_answer(e.data["offer"]["sdp"])
    other = await w.user()
    await other.want(404, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": sdp}})
    await u.want(404, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": sdp}}, device="never-seen")
    need((await u.show(call, device="a"))["state"] == "ringing", "the call rings on")
    far.cancel()


@contract("unnamed: one of two nameless streams answers by its own offer")
async def nameless(w):
    for which in (0, 1):
        u, (a, b), events, far = await rung(w, [None, None])
        call, p = events[0].data["call"], u.phone()
        sdp = await p.answer(events[which].data["offer"]["sdp"])
        await u.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": sdp}})
        ok = await far.answer_to_us()
        need(ok.status == 200, "answer: %s" % ok.first)
        far.ack(ok)
        await (a, b)[which].wait("call.connected", call)
        await p.hears(1300)
        await (b, a)[which].wait("call.answered_elsewhere", call)
        await u.want(204, "DELETE", "/v1/calls/" + call)
        await (a, b)[which].wait("call.ended", call)


@contract("named streams, but an answer without the header")
async def headless(w):
    u, (a, b), events, far = await rung(w, ["a", "b"])
    call, p = events[1].data["call"], u.phone()
    sdp = await p.answer(events[1].data["offer"]["sdp"])
    await u.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": sdp}})
    far.ack(await far.answer_to_us())
    await b.wait("call.connected", call)
    e = await a.wait("call.answered_elsewhere", call)
    need(e.data.get("device") == "b", "answered_elsewhere: %s" % e)
    await p.hears(1300)


@contract("anonymous and withheld callers")
async def anonymous(w):
    u = await w.user()
    s = await u.stream()
    far = await w.far.dial(u.numbers[0], caller="anonymous", more="Privacy: id\r\n")
    e = await s.wait("call.incoming")
    need(e.data["from"] == {"anonymous": True} and e.data["anonymous"] is True, "from: %s" % e)
    far.cancel()


@contract("PATCH ice of a ringing device; a ringing call is not renegotiated or held")
async def ringing_verbs(w):
    u, (a,), events, far = await rung(w, ["a"])
    call, d = events[0].data["call"], events[0].data
    frag = b"a=mid:0\r\na=candidate:1 1 udp 2122260223 192.0.2.9 4000 typ host\r\n"
    kind = "application/trickle-ice-sdpfrag"
    await u.want(428, "PATCH", "/v1/calls/%s/ice" % call, raw=frag, type_=kind, code="ice_tag")
    await u.want(412, "PATCH", "/v1/calls/%s/ice" % call, raw=frag, type_=kind, If_Match='"other"', code="ice_tag")
    await u.want(204, "PATCH", "/v1/calls/%s/ice" % call, raw=frag, type_=kind, If_Match=d["etag"])
    for verb, body in (("hold", {}), ("resume", {}), ("renegotiate", {"offer": {"type": "offer", "sdp": plain_offer()}})):
        await u.want(409, "POST", "/v1/calls/%s/%s" % (call, verb), body, code="wrong_state")
    far.cancel()
