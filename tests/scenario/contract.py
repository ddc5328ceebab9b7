#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The service door against its contract: a client written from native-signaling.md alone talks to both real programs.

contract.py [--long] [--only TEXT] [--jobs N]; SALLYPORT_BUILD names another build folder. Prints a line for each check.
"""
import argparse
import asyncio
import base64
import json
import secrets
import ssl
import sys
import time
import traceback

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

import contract_doors
import contract_far
import contract_live
import contract_placing
import contract_ringing
import contract_streams
import lib_gateway
from contract_client import Api, Missed

USERS = 400
ROOMS = (contract_doors, contract_streams, contract_placing, contract_ringing, contract_live)
RULES = """  - {name: emergency, from: native, called: ["112", "911"], then: {trunk: lab}, emergency: true}
  - {name: lab, from: native, called: {regex: '\\+155501991\\d\\d'}, then: {trunk: lab}}
  - {name: refused, from: native, called: "+15550199403", then: {refuse: 403}}
  - {name: gone, from: native, called: "+15550199404", then: {refuse: 404}}
  - {name: echo, from: native, called: "600", then: echo}
  - {name: tone, from: native, called: "601", then: tone}
"""


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class World:
    """What each check gets: the gateway, the telephone side, new identities."""

    def __init__(self, gateway, far):
        self.gateway, self.far, self.base = gateway, far, gateway.base
        self.ssl = ssl.create_default_context(cafile=gateway.ca)
        self.taken, self.apis = 0, []

    def number(self, n):
        return "+1555020%04d" % n

    async def user(self, scopes=None, ttl_s=3600, numbers=None):
        """An Api of an identity that nobody else uses."""
        self.taken += 1
        name, own = "u%d" % self.taken, [self.number(self.taken)]
        token = await asyncio.to_thread(self.gateway.token, name, numbers, scopes, ttl_s)
        return self.add(name, token["token"], own if numbers is None else numbers)

    def add(self, name, token, numbers=()):
        api = Api(self.base, self.ssl, name, token, numbers)
        self.apis.append(api)
        return api

    async def record(self, call, where=lambda text: True):
        """The text of a call's record, once it fits; None if it does not within 4 s."""
        for _ in range(40):
            try:
                text = json.dumps(await asyncio.to_thread(self.gateway.admin, "GET", "/admin/v1/records/" + call))
                if where(text):
                    return text
            except OSError:
                pass
            await asyncio.sleep(0.1)
        return None

    def sign(self, head=None, **claims):
        """A token of ours by the gateway's own key."""
        with open(self.gateway.dir + "/state/token.key", "rb") as f:
            key = serialization.load_pem_private_key(f.read(), None)
        now = int(time.time())
        body = {"iss": self.base, "aud": "sallyport", "sub": "u1", "scope": "call.place events.read", "iat": now, "nbf": now,
                "exp": now + 600, "jti": secrets.token_hex(8)}
        body.update(claims)
        text = b64(json.dumps({"alg": "ES256", "typ": "JWT", "kid": self.kid, **(head or {})}).encode()) + "." + b64(
            json.dumps({k: v for k, v in body.items() if v is not None}).encode())
        r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return text + "." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


class View:
    """One check's share of the world: what it made is closed at its end."""

    def __init__(self, world):
        self.world, self.mine = world, []

    def __getattr__(self, name):
        return getattr(self.world, name)

    async def user(self, *args, **more):
        api = await self.world.user(*args, **more)
        self.mine.append(api)
        return api

    def add(self, *args, **more):
        api = self.world.add(*args, **more)
        self.mine.append(api)
        return api


async def run_one(world, name, fn, word="not ok"):
    """What went wrong, or None."""
    begin, view = time.monotonic(), View(world)
    try:
        await asyncio.wait_for(fn(view), 700 if fn.only_long else 150)
        fault = None
    except Missed as e:
        at = traceback.extract_tb(e.__traceback__)
        line = [f for f in at if f.filename.endswith(sys.modules[fn.__module__].__file__.rsplit("/", 1)[-1])][-1].lineno
        fault = "line %d: %s" % (line, e)
    except Exception:  # a check's own fault is a failure too
        fault = traceback.format_exc()
    for api in view.mine:
        try:
            await asyncio.wait_for(api.close(), 5)
        except Exception as e:
            fault = fault or "closing: %r" % e
    print("%s contract: %s (%.1f s)" % (word if fault else "ok", name, time.monotonic() - begin), flush=True)
    if fault:
        print("  " + fault.replace("\n", "\n  "), flush=True)
    return fault


def collect(args):
    together, alone, last = [], [], []
    for room in ROOMS:
        for fn in vars(room).values():
            if not getattr(fn, "contract", None) or fn.__module__ != room.__name__:
                continue
            if args.room and room.__name__ != "contract_" + args.room:
                continue
            if args.only and args.only not in fn.contract and args.only != fn.__name__:
                continue
            if fn.only_long and not args.long:
                continue
            {"together": together, "alone": alone, "last": last}[fn.when].append((fn.contract, fn))
    together.sort(key=lambda c: not c[1].slow)
    return together, alone, last


async def run_all(gateway, args):
    results, again = [], []
    far = await contract_far.Far(gateway.far_port).open(gateway.sip_port)
    world = World(gateway, far)
    probe = await world.user()
    world.kid = (await probe.get("/.well-known/jwks.json")).body["keys"][0]["kid"]
    await probe.close()
    together, alone, last = collect(args)
    jobs, slow_jobs = asyncio.Semaphore(args.jobs), asyncio.Semaphore(40)

    async def guarded(name, fn):
        async with slow_jobs if fn.slow else jobs:
            if await run_one(world, name, fn, "again"):  # so many at once want their sound in time
                again.append((name, fn))
            else:
                results.append((name, None))

    await asyncio.gather(*(guarded(n, f) for n, f in together))
    for name, fn in again + alone + last:
        results.append((name, await run_one(world, name, fn)))
    far.close()
    return results


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--long", action="store_true")
    p.add_argument("--only")
    p.add_argument("--room", help="doors, streams, placing, ringing or live")
    p.add_argument("--jobs", type=int, default=6)
    p.add_argument("--keep", action="store_true")
    args = p.parse_args()
    users = {"u%d" % n: {"display": "User %d" % n, "numbers": ["+1555020%04d" % n]} for n in range(1, USERS + 1)}
    rules = RULES + "".join('  - {name: n%d, called: "+1555020%04d", then: {user: u%d}}\n' % (n, n, n) for n in range(1, USERS + 1))
    service = "  origins: [\"https://app.example\"]\n  stream_lost_s: 8\n"
    gateway = lib_gateway.Gateway(users, rules, lib_gateway.free_port(2), service)
    with gateway:
        results = asyncio.run(run_all(gateway, args))
    faults = gateway.stop()
    for f in faults:
        print("not ok contract: the programs' end\n  " + f)  # door.py knows this line
    bad = sum(1 for _, f in results if f) + len(faults)
    print("%d passed, %d failed" % (len(results) - bad + len(faults), bad))
    if bad or args.keep:
        print("logs: " + gateway.dir)
    else:
        gateway.remove()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
