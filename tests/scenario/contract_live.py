# SPDX-License-Identifier: Apache-2.0
"""Contract, sections 1 and 6: live calls: PATCH ice, renegotiation, a reloaded page, hold, digits, telemetry, devices, the end."""
import asyncio
import re
import time

from contract_client import candidate, check_description, contract, ice_of, need, plain_offer
from contract_placing import check_end

FRAG = "application/trickle-ice-sdpfrag"


async def to_far(w, device=None, stream=True, media=True, hz=700):
    """An answered call to the telephone: (user, stream, phone, call id, far, reply)."""
    u = await w.user()
    s = await u.stream(device) if stream else None
    p = u.phone(hz)
    r = await u.place("+15550199130", sdp=await p.offer() if media else plain_offer(), device=device)
    if media:
        await p.accept(r.body["answer"]["sdp"])
    far = await w.far.incoming(u.numbers[0])
    await far.answer()
    if s:
        await s.wait("call.answered", r.body["id"])
    if s and media:
        await s.wait("call.connected", r.body["id"])
    return u, s, p, r.body["id"], far, r


@contract("PATCH ice: 428, 412, 204, restart 200 with a new tag, 400, 413, 415")
async def ice(w):
    u = await w.user()
    offer = plain_offer()
    r = await u.place("600", sdp=offer)
    call, tag, path = r.body["id"], r.headers["ETag"], "/v1/calls/%s/ice" % r.body["id"]
    ufrag, pwd = ice_of(offer)
    mine = "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n" % (ufrag, pwd)
    lines = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2122260223 192.0.2.9 4000 typ host\r\na=end-of-candidates\r\n"

    async def patch(status, text, code=None, **more):
        return await u.want(status, "PATCH", path, raw=text.encode(), type_=more.pop("kind", FRAG), code=code, **more)
    await patch(428, mine + lines, "ice_tag")
    await patch(412, mine + lines, "ice_tag", If_Match='"stale"')
    await patch(204, mine + lines, If_Match=tag)
    await patch(204, "a=candidate:1 1 udp 2122260223 192.0.2.9 4000 typ host\r\n", If_Match=tag)
    await patch(415, mine + lines, kind="application/json", If_Match=tag)
    await patch(400, "what is this", If_Match=tag)
    fresh = "a=ice-ufrag:newU\r\na=ice-pwd:%s\r\n" % ("n" * 24)
    await patch(412, fresh + lines, "ice_tag", If_Match=tag)
    before = ice_of(r.body["answer"]["sdp"])
    a = await patch(200, fresh + lines, If_Match="*")
    need(a.headers["Content-Type"].split(";")[0] == FRAG, "type of a restart's answer")
    new, text = a.headers["ETag"], a.raw.decode()
    need(new != tag and re.match(r'^"[^"]+"$', new), "tag after a restart: %s" % new)
    need(ice_of(text) != before and "a=candidate:" in text, "restart's answer: %s" % text)
    need((await u.show(call))["etag"] == new, "etag of the snapshot")
    await patch(412, fresh + lines, "ice_tag", If_Match=tag)
    await patch(204, fresh + lines, If_Match=new)
    await u.want(405, "GET", path)
    await u.want(404, "PATCH", "/v1/calls/c_other/ice", raw=lines.encode(), type_=FRAG, If_Match=new)
    many = "".join("a=candidate:%d 1 udp 1 192.0.2.9 %d typ host\r\n" % (i, 1000 + i) for i in range(65))
    r = await u.ask("PATCH", path, raw=(fresh + many).encode(), type_=FRAG, If_Match=new)
    need(r.status in (400, 413), "65 candidates: %s" % r)


@contract("an ICE restart leaves the old pair's media alone until it nominates")
async def old_pair(w):
    u, s, p, call, far, r = await to_far(w)
    fresh = "a=ice-ufrag:newU\r\na=ice-pwd:%s\r\n" % ("n" * 24)
    await u.want(200, "PATCH", "/v1/calls/%s/ice" % call, raw=fresh.encode(), type_=FRAG, If_Match="*")
    await asyncio.sleep(1)
    await p.hears(1300)
    await far.rtp.hears(700)


@contract("renegotiate: same fingerprint, new ufrag is a restart")
async def renegotiate(w):
    u = await w.user()
    offer = plain_offer()
    r = await u.place("600", sdp=offer)
    call, path = r.body["id"], "/v1/calls/%s/renegotiate" % r.body["id"]
    same = await u.want(200, "POST", path, {"offer": {"type": "offer", "sdp": offer}})
    need(ice_of(same.body["answer"]["sdp"]) == ice_of(r.body["answer"]["sdp"]), "credentials changed without a restart")
    need(same.headers["ETag"] == r.headers["ETag"], "the tag changed without a restart")
    finger = re.search(r"a=fingerprint:(.*)\r", offer).group(1)
    again = plain_offer(fingerprint=finger)
    a = await u.want(200, "POST", path, {"offer": {"type": "offer", "sdp": again}})
    sdp = a.body["answer"]["sdp"]
    check_description(sdp, "passive", again)
    need(ice_of(sdp) != ice_of(r.body["answer"]["sdp"]) and a.headers["ETag"] != r.headers["ETag"], "a restart's answer")
    need(re.search("a=fingerprint:.*", sdp).group(0) == re.search("a=fingerprint:.*", r.body["answer"]["sdp"]).group(0), "the gateway's fingerprint changed")
    need((await u.show(call))["etag"] == a.headers["ETag"], "etag")
    await u.want(400, "POST", path, {}, code="field")
    await u.want(422, "POST", path, {"offer": {"type": "offer", "sdp": plain_offer(mux=False)}}, code="sdp")
    await u.want(422, "POST", path, {"offer": {"type": "offer", "sdp": plain_offer(codecs=((111, "speex/16000"),))}}, code="codec")
    relay = candidate("relay", "203.0.113.9")
    await u.want(422, "POST", path, {"offer": {"type": "offer", "sdp": plain_offer(candidates=[relay])}}, code="policy:third_party_relay")
    need((await u.show(call))["state"] == "connected", "a refused renegotiation changed the call")


@contract("a reloaded page takes its call up by renegotiate alone; the old association goes on until then")
async def reload(w):
    u, s, p, call, far, r = await to_far(w, device="tab")
    await p.hears(1300)
    live = [c["id"] for c in (await u.get("/v1/calls?state=live")).body["calls"]]
    need(live == [call], "list: %s" % live)
    q = u.phone(900)
    offer = await q.offer()
    a = await u.want(200, "POST", "/v1/calls/%s/renegotiate" % call, {"offer": {"type": "offer", "sdp": offer}}, device="tab")
    need(a.headers["ETag"] != r.headers["ETag"], "the tag of a new association")
    await p.hears(1300)
    await q.accept(a.body["answer"]["sdp"])
    await q.up()
    await q.hears(1300)
    await far.rtp.hears(900)
    need((await u.show(call))["state"] == "connected" and not s.all("call.ended", call), "the call after a reload")
    need(len(s.all("call.connected", call)) == 1, "connected again")
    await p.silent(1300)
    z = u.phone(1100)
    a = await u.want(200, "POST", "/v1/calls/%s/renegotiate" % call, {"offer": {"type": "offer", "sdp": await z.offer()}}, device="tab")
    await z.accept(a.body["answer"]["sdp"])
    await z.hears(1300)
    await far.rtp.hears(1100)


@contract("another device takes the call up: its events go there")
async def moved(w):
    u, s, p, call, far, r = await to_far(w, device="desk")
    t = await u.stream("mobile")
    q = u.phone(900)
    a = await u.want(200, "POST", "/v1/calls/%s/renegotiate" % call, {"offer": {"type": "offer", "sdp": await q.offer()}}, device="mobile")
    await q.accept(a.body["answer"]["sdp"])
    await q.hears(1300)
    need((await u.show(call))["device"] == "mobile", "device of the snapshot")
    n = len([e for e in s.all(call=call) if e.name.startswith("call.")])
    far.bye()
    await t.wait("call.ended", call)
    await asyncio.sleep(0.3)
    need(len([e for e in s.all(call=call) if e.name.startswith("call.") and e.name != "call.updated"]) <= n and not s.all("call.ended", call),
         "events went on to the old device")
    u, s, p, call, far, r = await to_far(w, device="desk", media=False)
    t = await u.stream("mobile")
    await u.want(202, "POST", "/v1/calls/%s/hold" % call, device="mobile")
    await t.wait("call.held", call)
    await t.wait("operation.succeeded", call)
    for e in t.all("call.updated"):
        need(isinstance(e.data["call"], dict) and e.data["call"]["id"] == call and "device" in e.data["changed"], "call.updated: %s" % e)
    await u.want(204, "DELETE", "/v1/calls/" + call)


@contract("a device that lost the ringing may act on the call")
async def loser(w):
    u = await w.user()
    a, b = await u.stream("a"), await u.stream("b")
    far = await w.far.dial(u.numbers[0])
    e = await a.wait("call.incoming")
    p, call = u.phone(), e.data["call"]
    await u.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": await p.answer(e.data["offer"]["sdp"])}}, device="a")
    far.ack(await far.answer_to_us())
    await b.wait("call.answered_elsewhere", call)
    need((await u.show(call, device="b"))["state"] == "connected", "the call as the other device sees it")
    await u.want(202, "POST", "/v1/calls/%s/hold" % call, device="b")
    await b.wait("call.held", call)
    await u.want(204, "DELETE", "/v1/calls/" + call, device="b")
    await far.wait("BYE")


@contract("hold and resume, toward a telephone")
async def hold(w):
    u, s, p, call, far, r = await to_far(w)
    path = "/v1/calls/%s/" % call
    await u.want(409, "POST", path + "resume", code="wrong_state")
    op = (await u.want(202, "POST", path + "hold", {})).body["operation_id"]
    held = await s.wait("call.held", call)
    done = await s.wait("operation.succeeded", call)
    need(held.data["by"] == "local" and done.data["operation_id"] == op and done.data["verb"] == "hold", "%s %s" % (held, done))
    need(int(held.id) < int(done.id), "the operation's end came first")
    snap = await u.show(call)
    need(snap["state"] == "local_hold" and snap["hold"] == {"local": True, "remote": False}, "held: %s" % snap)
    await u.want(409, "POST", path + "hold", code="wrong_state")
    await far.wait("INVITE", lambda m: not m.status and m is not far.invite)
    need(far.directions[-1] in ("sendonly", "inactive"), "the telephone was told %s" % far.directions)
    before = p.packets
    await p.silent(1300)
    await far.rtp.silent(700)
    need(p.packets > before, "no packets to the holder")
    op = (await u.want(202, "POST", path + "resume")).body["operation_id"]
    resumed = await s.wait("call.resumed", call)
    await s.wait("operation.succeeded", call, where=lambda e: e.data["operation_id"] == op)
    need(resumed.data["by"] == "local" and (await u.show(call))["state"] == "connected", "resumed: %s" % resumed)
    await p.hears(1300)
    await far.rtp.hears(700)
    need(far.directions[-1] == "sendrecv", "the telephone was told %s" % far.directions)


@contract("hold by the telephone; both hold")
async def remote_hold(w):
    u, s, p, call, far, r = await to_far(w)
    await far.reinvite("sendonly")
    e = await s.wait("call.held", call)
    need(e.data["by"] == "remote", "held: %s" % e)
    snap = await u.show(call)
    need(snap["state"] == "remote_hold" and snap["hold"] == {"local": False, "remote": True}, "held: %s" % snap)
    await u.want(202, "POST", "/v1/calls/%s/hold" % call)
    await s.wait("call.held", call, where=lambda e: e.data["by"] == "local")
    snap = await u.show(call)
    need(snap["state"] == "local_hold" and snap["hold"] == {"local": True, "remote": True}, "both: %s" % snap)
    await u.want(202, "POST", "/v1/calls/%s/resume" % call)
    await s.wait("call.resumed", call)
    need((await u.show(call))["state"] == "remote_hold", "the telephone still holds")
    await far.reinvite("sendrecv")
    await s.wait("call.resumed", call, where=lambda e: e.data["by"] == "remote")
    need((await u.show(call))["state"] == "connected", "nobody holds")
    await p.hears(1300)


@contract("hold between two native users; sendonly by renegotiate is hold")
async def native_hold(w):
    u, v = await w.user(), await w.user()
    s, t = await u.stream("x"), await v.stream("y")
    p, q = u.phone(700), v.phone(900)
    offer = await p.offer()
    r = await u.place({"user": v.identity}, sdp=offer)
    call = r.body["id"]
    await p.accept(r.body["answer"]["sdp"])
    e = await t.wait("call.incoming", call)
    await v.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": await q.answer(e.data["offer"]["sdp"])}})
    await s.wait("call.connected", call)
    await v.want(202, "POST", "/v1/calls/%s/hold" % call)
    need((await t.wait("call.held", call)).data["by"] == "local" and (await s.wait("call.held", call)).data["by"] == "remote", "held by")
    need((await u.show(call))["state"] == "remote_hold" and (await v.show(call))["state"] == "local_hold", "states")
    await v.want(202, "POST", "/v1/calls/%s/resume" % call)
    need((await s.wait("call.resumed", call)).data["by"] == "remote", "resumed by")
    await p.hears(900)
    for direction, name in (("sendonly", "call.held"), ("sendrecv", "call.resumed"), ("inactive", "call.held")):
        n = len(t.all(name, call))
        held = offer.replace("a=sendrecv", "a=" + direction)
        await u.want(200, "POST", "/v1/calls/%s/renegotiate" % call, {"offer": {"type": "offer", "sdp": held}})
        await t.wait(name, call, nth=n + 1)
        need((await v.show(call))["state"] == ("connected" if direction == "sendrecv" else "remote_hold"), "far state after " + direction)
        need((await u.show(call))["state"] == ("connected" if direction == "sendrecv" else "local_hold"), "own state after " + direction)


@contract("dtmf: what is wrong is 400")
async def digits_form(w):
    u = await w.user()
    call = await u.call("600")
    path = "/v1/calls/%s/dtmf" % call
    for pointer, body in (("/digits", {}), ("/digits", {"digits": ""}), ("/digits", {"digits": "1" * 65}), ("/digits", {"digits": "E"}), ("/digits", {"digits": "a"}),
                          ("/digits", {"digits": 5}), ("/duration_ms", {"digits": "1", "duration_ms": 39}), ("/duration_ms", {"digits": "1", "duration_ms": 2001}),
                          ("/gap_ms", {"digits": "1", "gap_ms": 29}), ("/gap_ms", {"digits": "1", "gap_ms": 2001}), ("/gap_ms", {"digits": "1", "gap_ms": "70"})):
        r = await u.want(400, "POST", path, body, code="field")
        need(r.body["errors"][0]["pointer"] == pointer, "%s: %s" % (body, r))
        await asyncio.sleep(0.05)


@contract("dtmf: digits go out in order, with their lengths; the operation ends after the last")
async def digits_out(w):
    u, s, p, call, far, r = await to_far(w)
    path = "/v1/calls/%s/dtmf" % call
    at = time.monotonic()
    one = (await u.want(202, "POST", path, {"digits": "12,#D"})).body["operation_id"]
    two = (await u.want(202, "POST", path, {"digits": "*0", "duration_ms": 200, "gap_ms": 100})).body["operation_id"]
    first = await s.wait("operation.succeeded", call, where=lambda e: e.data["operation_id"] == one)
    second = await s.wait("operation.succeeded", call, where=lambda e: e.data["operation_id"] == two)
    need(first.data["verb"] == "dtmf" and first.at < second.at, "order of the operations")
    need(first.at - at > 1.3, "a pause of 1 s: %.2f" % (first.at - at))
    await asyncio.sleep(0.2)
    got = "".join(d for d, _ in far.rtp.digits)
    need(got == "12#D*0", "digits at the telephone: %s" % far.rtp.digits)
    need(all(80 <= ms <= 140 for _, ms in far.rtp.digits[:4]) and all(180 <= ms <= 240 for _, ms in far.rtp.digits[4:]), "lengths: %s" % far.rtp.digits)
    await far.rtp.hears(700)


@contract("dtmf to a side that took no telephone-event: operation.failed with a problem")
async def digits_nowhere(w):
    u, v = await w.user(), await w.user()
    s, t, p, q = await u.stream(), await v.stream(), u.phone(700), v.phone(900)
    r = await u.place({"user": v.identity}, sdp=await p.offer())
    call = r.body["id"]
    await p.accept(r.body["answer"]["sdp"])
    e = await t.wait("call.incoming", call)
    sdp = await q.answer(e.data["offer"]["sdp"])
    need("telephone-event" not in sdp, "this stack has telephone-event now")
    await v.want(200, "POST", "/v1/calls/%s/answer" % call, {"answer": {"type": "answer", "sdp": sdp}})
    await s.wait("call.connected", call)
    op = (await u.want(202, "POST", "/v1/calls/%s/dtmf" % call, {"digits": "1"})).body["operation_id"]
    e = await s.wait("operation.failed", call)
    problem = e.data["problem"]
    need(e.data["operation_id"] == op and e.data["verb"] == "dtmf" and problem["type"].startswith("urn:sallyport:problem:") and problem["detail"], "failed: %s" % e)
    await p.hears(900)


@contract("dtmf.received: telephone-event and INFO, once a digit, at its end")
async def digits_in(w):
    u, s, p, call, far, r = await to_far(w)
    for d in "5#":
        far.rtp.digit(d)
        await asyncio.sleep(0.5)
    for i, d in enumerate("5#"):
        e = await s.wait("dtmf.received", call, nth=i + 1)
        need(e.data["digit"] == d and e.data["source"] == "rtp" and 60 <= e.data["ms"] <= 240, "digit: %s" % e)
    far.request("INFO", more="")
    body = "Signal=7\r\nDuration=160\r\n"
    far.cseq += 1
    far.far.transport.sendto(("INFO %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKinfo%d\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
                              "CSeq: %d INFO\r\nContent-Type: application/dtmf-relay\r\nContent-Length: %d\r\n\r\n%s" %
                              (far.target, far.far.port, far.cseq, far.local, far.remote, far.id, far.cseq, len(body), body)).encode(), far.far.gateway)
    e = await s.wait("dtmf.received", call, nth=3)
    need(e.data["digit"] == "7" and e.data["source"] == "info" and e.data["ms"] == 160, "digit by INFO: %s" % e)
    need(len(s.all("dtmf.received", call)) == 3, "digits told twice")


@contract("telemetry lands in the call record")
async def telemetry(w):
    u, s, p, call, far, r = await to_far(w, media=False)
    await u.want(400, "POST", "/v1/calls/%s/telemetry" % call, {"stats": {}}, code="field")
    await u.want(204, "POST", "/v1/calls/%s/telemetry" % call, {"stats": [{"type": "candidate-pair", "mark": "zebra-17"}], "selected_pair": {"local": "x"}})
    far.bye()
    await s.wait("call.ended", call)
    need(await w.record(call, lambda text: "zebra-17" in text), "no record with the telemetry")


@contract("a call without streams is driven by polling alone")
async def polling(w):
    u, s, p, call, far, r = await to_far(w, stream=False)
    await p.up()
    await p.hears(1300)
    snap = await u.show(call)
    need(snap["state"] == "connected" and snap["connected_at"], "snapshot: %s" % snap)
    await asyncio.sleep(10)
    need((await u.show(call))["state"] == "connected", "a call without streams ended")
    far.bye()
    for _ in range(30):
        snap = await u.show(call)
        if snap["state"] == "ended":
            break
        await asyncio.sleep(0.1)
    check_end(snap["end"], "completed", "remote", None)


@contract("a caller's answer without media: the call ends media_failure after 10 s", slow=True)
async def caller_without_media(w):
    u, s, p, call, far, r = await to_far(w, media=False)
    at = time.monotonic()
    end = (await s.wait("call.ended", call, seconds=14)).data["end"]
    check_end(end, "media_failure", "gateway")
    need(8 < time.monotonic() - at < 13, "after %.1f s" % (time.monotonic() - at))
    need(not s.all("call.connected", call), "connected without media")


@contract("consent lost: media.state lost, the telephone is held, 30 s more; taken up meanwhile it goes on", slow=True)
async def consent(w):
    u, s, p, call, far, r = await to_far(w)
    v, t, q, other, far2, _ = await to_far(w)
    await p.pc.close()
    await q.pc.close()
    at = time.monotonic()
    await s.wait("media.state", call, seconds=40, where=lambda e: e.data["ice"] == "lost")
    lost = time.monotonic() - at
    need(24 < lost < 36, "lost after %.1f s" % lost)
    e = await s.wait("media.restart", call)
    need(e.data["reason"] == "loss" and e.data["fresh"] is False and e.data["deadline_s"] == 30, "media.restart: %s" % e)
    await far.wait("INVITE", lambda m: not m.status and m is not far.invite)
    z = v.phone(900)
    a = await v.want(200, "POST", "/v1/calls/%s/renegotiate" % other, {"offer": {"type": "offer", "sdp": await z.offer()}})
    await z.accept(a.body["answer"]["sdp"])
    await z.hears(1300)
    await far2.rtp.hears(900)
    end = (await s.wait("call.ended", call, seconds=40)).data["end"]
    check_end(end, "media_failure", "gateway")
    need(28 < time.monotonic() - at - lost < 33, "ended %.1f s after the loss" % (time.monotonic() - at - lost))
    need((await v.show(other))["state"] == "connected", "the call that was taken up")


@contract("ended calls answer 200 for 10 minutes, then 404", slow=True, only_long=True)
async def forgotten(w):
    u = await w.user()
    call = await u.call("600")
    await u.want(204, "DELETE", "/v1/calls/" + call)
    await asyncio.sleep(590)
    await u.show(call)
    await asyncio.sleep(30)
    await u.want(404, "GET", "/v1/calls/" + call)


@contract("drain: system.drain, 503 drain, calls end server_shutdown", when="last")
async def drain(w):
    u, s, p, call, far, r = await to_far(w)
    w.gateway.ask_to_end()
    e = await s.wait("system.drain")
    need(e.id is None and e.data["reconnect_to"] == w.base and isinstance(e.data["deadline_s"], int), "drain: %s" % e)
    end = (await s.wait("call.ended", call)).data["end"]
    check_end(end, "server_shutdown", "gateway")
    await far.wait("BYE")
    await s.gone()
