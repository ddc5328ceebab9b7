# SPDX-License-Identifier: Apache-2.0
"""Contract, section 2: devices and event streams, and the end of a token (section 10)."""
import asyncio
import time

from contract_client import TIME, Missed, contract, need


async def make_event(u, device=None):
    """One call that makes events and ends: its id."""
    call = await u.call("600", device=device)
    await u.want(204, "DELETE", "/v1/calls/" + call)
    return call


@contract("a stream begins with retry and system.hello")
async def hello(w):
    u = await w.user()
    call = await u.call("600")
    s = await u.stream()
    need(s.first == "retry: 2000" and s.retry == 2000, "first line: %s" % s.first)
    h = s.events[0]
    need(h.name == "system.hello" and h.id is None, "first event: %s" % h)
    d = h.data
    need(d["identity"] == u.identity and d["region"] == "here" and d["heartbeat_s"] == 15, "hello: %s" % h)
    need(d["calls"] == [call] and isinstance(d["oldest_id"], int), "hello: %s" % h)
    await u.want(204, "DELETE", "/v1/calls/" + call)
    ended = await s.wait("call.ended", call)
    need(int(ended.id) >= d["oldest_id"], "oldest_id %s, then %s" % (d["oldest_id"], ended.id))
    need((await u.stream()).events[0].data["calls"] == [], "an ended call in hello")


@contract("a comment line every 15 s", slow=True)
async def heartbeat(w):
    u = await w.user()
    s, begin = await u.stream(), time.monotonic()
    await asyncio.sleep(33)
    need(len(s.comments) == 2 and 13 < s.comments[0] - begin < 17 and 13 < s.comments[1] - s.comments[0] < 17,
         "comments after %s" % [round(c - begin, 1) for c in s.comments])
    need(not s.ended, "an idle stream ended")


@contract("ids are decimal and strictly increase, over devices and streams")
async def ids(w):
    u = await w.user()
    a, b = await u.stream("a"), await u.stream("b")
    for device in ("a", "b", None, "a"):
        call = await make_event(u, device)
        await (b if device == "b" else a).wait("call.ended", call)
    for s in (a, b):
        got = [int(e.id) for e in s.events if e.id]
        need(got == sorted(set(got)) and got, "ids of %s: %s" % (s.device, got))
    both = sorted({int(e.id) for s in (a, b) for e in s.events if e.id})
    need(len(both) >= 8, "shared ids: %s" % both)


@contract("device by query and by header; bad names are 400")
async def names(w):
    u = await w.user()
    await u.stream("Az09_-" + "x" * 58)
    for bad in ("x" * 65, "a.b", "a%20b", "%C3%A9", ""):
        r = await u.get("/v1/events?device=" + bad)if bad else None
        need(r is None or r.status == 400, "device %s: %s" % (bad, r))
    await u.want(400, "GET", "/v1/me", device="a b")
    h = await u.stream(header_device="phone")
    call = await u.call("600", device="phone")
    await h.wait("call.trying", call)
    await u.want(204, "DELETE", "/v1/calls/" + call)


@contract("a second stream of the same name replaces the first")
async def replaced(w):
    u = await w.user()
    a, other = await u.stream("phone"), await u.stream("other")
    b = await u.stream("phone")
    await a.gone()
    call = await make_event(u, "phone")
    await b.wait("call.ended", call)
    need(not a.all(call=call) and not other.all(call=call), "events went to a stream that is not the device's")
    need(not other.ended, "the other device's stream ended")


@contract("a call of a named device is told there only, of none to all")
async def whose(w):
    u = await w.user()
    a, b, c = await u.stream("a"), await u.stream("b"), await u.stream()
    mine = await make_event(u, "a")
    await a.wait("call.ended", mine)
    shared = await make_event(u)
    for s in (a, b, c):
        await s.wait("call.ended", shared)
    need(not b.all(call=mine) and not c.all(call=mine), "another device's events")


@contract("Last-Event-ID replays what was missed, by header and by query")
async def replay(w):
    u = await w.user()
    s = await u.stream("a")
    first = await make_event(u, "a")
    await s.wait("call.ended", first)
    last = s.last_id()
    s.close()
    await asyncio.sleep(0.3)
    second, other = await make_event(u, "a"), await make_event(u, "b")
    for more in ({"last": last}, {"query_last": last}):
        t = await u.stream("a", **more)
        await t.wait("call.ended", second)
        need(not t.all(call=first) and not t.all(call=other) and not t.all("system.reset"), "replayed too much: %s" % t.events)
        need([e.name for e in t.all(call=second)][0] == "call.trying", "replay's order: %s" % t.events)
        ids = [int(e.id) for e in t.events if e.id]
        need(ids == sorted(ids) and min(ids) > last, "replayed ids %s after %s" % (ids, last))
    t = await u.stream("a", last=t.last_id())
    await asyncio.sleep(0.3)
    need(not t.all(call=second) and not t.all("system.reset"), "nothing was missed: %s" % t.events)
    third = await make_event(u, "a")
    await t.wait("call.ended", third)


@contract("system.reset for an unknown, malformed or future Last-Event-ID")
async def reset(w):
    u = await w.user()
    s = await u.stream("a")
    call = await make_event(u, "a")
    await s.wait("call.ended", call)
    last = s.last_id()
    for bad in ("5", "0", "x", "-1", "12x", str(last + 1000), str(2 ** 53), "9" * 30, "1.5"):
        for more in ({"last": bad}, {"query_last": bad}):
            t = await u.stream("a", **more)
            r = await t.wait("system.reset")
            need(r.id is None and t.events[1].name == "system.reset" and not t.all(call=call), "Last-Event-ID %s: %s" % (bad, t.events))
    t = await u.stream("a")
    await asyncio.sleep(0.2)
    need(len(t.events) == 1, "replayed without Last-Event-ID: %s" % t.events)


@contract("a ring of 256 events: older ones give system.reset", slow=True)
async def bounded(w):
    u = await w.user()
    s = await u.stream("a")
    first = await make_event(u, "a")
    early = await s.wait("call.ended", first)

    def kept():
        return [int(e.id) for e in s.events if e.id and e.name not in ("media.state", "media.quality")]

    while len(kept()) < 262:
        last = await make_event(u, "a")
        await asyncio.sleep(0.2)
    await s.wait("call.ended", last)
    got = kept()
    t = await u.stream("a", last=early.id)
    await t.wait("system.reset")
    t = await u.stream("a", last=got[-250])
    await t.wait("call.ended", last)
    need(not t.all("system.reset") and [int(e.id) for e in t.events if e.id] == got[-249:], "replay of 249: %d" % len(t.events))


@contract("event tickets: 201, one use, then 401")
async def tickets(w):
    u = await w.user()
    b = (await u.want(201, "POST", "/v1/event-tickets")).body
    need(b["expires_in"] == 60 and b["ticket"], "ticket: %s" % b)
    s = await u.stream("a", ticket=b["ticket"])
    need(s.events[0].data["identity"] == u.identity, "ticket's identity")
    await u.want(401, "GET", "/v1/events?device=a&ticket=" + b["ticket"], token=False)
    await u.want(401, "GET", "/v1/events?ticket=nonsense", token=False)
    await u.want(401, "GET", "/v1/events", token=False)
    call = await make_event(u, "a")
    await s.wait("call.ended", call)
    again = (await u.want(201, "POST", "/v1/event-tickets", {})).body["ticket"]
    need(again != b["ticket"], "the same ticket")
    t = await u.stream("a", ticket=again, query_last=s.events[1].id)
    await t.wait("call.ended", call)
    bare = await w.user(scopes=["call.place"])
    await bare.want(403, "POST", "/v1/event-tickets", code="scope")


@contract("event tickets live 60 s", slow=True)
async def ticket_age(w):
    u = await w.user()
    a, b = [(await u.want(201, "POST", "/v1/event-tickets")).body["ticket"] for _ in range(2)]
    await asyncio.sleep(54)
    await u.stream(ticket=a)
    await asyncio.sleep(7)
    await u.want(401, "GET", "/v1/events?ticket=" + b, token=False)


@contract("5 streams an identity, then 429")
async def limit(w):
    u = await w.user()
    streams = [await u.stream(d) for d in ("a", "b", "c", None, None)]
    r = await u.want(429, "GET", "/v1/events")
    need(r.headers["Retry-After"], "Retry-After")
    await u.want(429, "GET", "/v1/events?device=f")
    replaced_by = await u.stream("a")
    need(not replaced_by.ended, "a stream that replaces another one is not a sixth")
    streams[3].close()
    for _ in range(8):
        await asyncio.sleep(0.5)
        s = await u.stream()
        if s.reply and s.reply.status == 200:
            return
    raise Missed("the place of a closed stream is not given again")


@contract("token.expiring 60 s before, the stream ends at exp, its call goes on", slow=True)
async def expiry(w):
    u = await w.user(ttl_s=62)
    long_lived = w.add(u.identity, (await asyncio.to_thread(w.gateway.token, u.identity))["token"], u.numbers)
    begin = time.monotonic()
    s, keep = await u.stream("a"), await long_lived.stream("b")
    call = await u.call("+15550199111", device="b")
    far = await w.far.incoming(u.numbers[0])
    far.ring()
    e = await s.wait("token.expiring", seconds=10)
    need(TIME.match(e.data["at"]) and e.id is None, "token.expiring: %s" % e)
    need(time.monotonic() - begin < 8, "token.expiring came after %.1f s" % (time.monotonic() - begin))
    await s.gone(75)
    need(58 < time.monotonic() - begin < 70, "the stream ended after %.1f s" % (time.monotonic() - begin))
    snap = await long_lived.show(call)
    need(snap["state"] in ("connecting", "ringing", "ended"), "the call after its token: %s" % snap)
    need(snap["state"] != "ended" or snap["end"]["reason"] == "no_answer", "the call ended with its token: %s" % snap)
    need(not keep.ended, "another token's stream ended")


@contract("a lost stream ends the call only after a while; who never had one is not asked for it", slow=True)
async def lost(w):
    u, polling, back = await w.user(), await w.user(), await w.user()
    s, b = await u.stream("a"), await back.stream("a")
    watch = await u.stream("watch")
    call, free, kept = await u.call("+15550199112", device="a"), await polling.call("+15550199112"), await back.call("+15550199112", device="a")
    for x in (u, polling, back):
        (await w.far.incoming(x.numbers[0])).ring()
    s.close()
    b.close()
    begin = time.monotonic()
    await asyncio.sleep(5)
    need((await u.show(call))["state"] == "ringing", "the call ended with its stream")
    await back.stream("a")
    end = None
    while not end and time.monotonic() - begin < 12:
        await asyncio.sleep(0.5)
        end = (await u.show(call)).get("end")
    need(end and end["reason"] == "timeout" and end["detail"] == "stream_lost" and end["by"] == "gateway" and end["sip"] is None,
         "end of a call whose stream was lost: %s" % end)
    need((await polling.show(free))["state"] == "ringing" and (await back.show(kept))["state"] == "ringing", "calls that must go on")
    del watch


@contract("a nameless device that comes back by id misses nothing of its ringing call")
async def nameless_back(w):
    u = await w.user()
    s = await u.stream()
    far = await w.far.dial(u.numbers[0])
    e = await s.wait("call.incoming")
    call = e.data["call"]
    s.close()
    await asyncio.sleep(1)
    far.cancel()
    await asyncio.sleep(0.3)
    t = await u.stream(last=e.id)
    end = await t.wait("call.ended", call)
    need(end.data["end"]["reason"] == "canceled" and not t.all("call.incoming"), "replay: %s" % t.events)


@contract("a nameless device that closed does not keep a call ringing when the others reject")
async def nameless_ghost(w):
    u = await w.user()
    s = await u.stream()
    far = await w.far.dial(u.numbers[0])
    call = (await s.wait("call.incoming")).data["call"]
    s.close()
    await asyncio.sleep(1)
    t = await u.stream("named")
    await t.wait("call.incoming", call)
    await u.want(204, "POST", "/v1/calls/%s/reject" % call, {"reason": "busy"}, device="named")
    need((await far.answer_to_us(300)).status == 486, "the last reason is the call's")
