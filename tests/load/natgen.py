#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The native users of make bench-signaling: each has an event stream and answers every call.incoming at once
with a description that no media follow (so the gateway's 200 goes out after its wait for DTLS). Nothing
is done but what an answer needs. natgen.py BASE CA < a token a line; says "ready" when all streams stand."""
import asyncio
import contextlib
import json
import os
import re
import secrets
import ssl
import subprocess
import sys

USERS = 10
POSTERS = 4  # connections of each user for its requests
SERVICE = "  commands_per_s: 10000\n  calls_per_identity: 10000\n  streams_per_identity: 5"


def users():
    """name: what its numbers begin with; the generator puts eight digits behind it."""
    return {f"user{i:02d}": f"+16{i:02d}" for i in range(USERS)}


@contextlib.contextmanager
def answering(gateway, names, core):
    tokens = "".join(gateway.token(name)["token"] + "\n" for name in names)
    process = subprocess.Popen(["taskset", "-c", str(core), sys.executable, os.path.abspath(__file__), gateway.base, gateway.ca],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(tokens)
    process.stdin.close()
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the native users did not connect")
        yield
    finally:
        process.kill()
        process.wait()


def answer(mid):
    ufrag, pwd = secrets.token_hex(4), secrets.token_hex(12)
    return ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE %s\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
            "c=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:%s\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:sha-256 %s\r\n"
            "a=setup:active\r\na=sendrecv\r\na=rtpmap:0 PCMU/8000\r\n"
            "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
            % (mid, mid, ufrag, pwd, ":".join(["AB"] * 32)))


class User:
    def __init__(self, host, port, context, token):
        self.host, self.port, self.context = host, port, context
        self.head = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        self.due = asyncio.Queue()
        self.ready = asyncio.Event()

    async def connect(self):
        return await asyncio.open_connection(self.host, self.port, ssl=self.context, server_hostname=self.host)

    async def post(self):
        reader, writer = await self.connect()
        while True:
            call, mid = await self.due.get()
            body = json.dumps({"answer": {"type": "answer", "sdp": answer(mid)}})
            writer.write((f"POST /v1/calls/{call}/answer HTTP/1.1\r\n{self.head}Content-Type: application/json\r\n"
                          f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = re.search(r"content-length: (\d+)", head)
            text = await reader.readexactly(int(size.group(1)) if size else 0)
            if " 200 " not in head.split("\r\n", 1)[0]:
                print(head, text, file=sys.stderr)

    async def listen(self):
        reader, writer = await self.connect()
        writer.write(f"GET /v1/events HTTP/1.1\r\n{self.head}Accept: text/event-stream\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if " 200 " not in head:
            raise RuntimeError(head)
        is_chunked, name, text = "chunked" in head, "", b""
        while True:
            if is_chunked:
                size = int((await reader.readline()).split(b";")[0], 16)
                text += (await reader.readexactly(size + 2))[:-2]
            else:
                text += await reader.read(65536)
            *lines, text = text.split(b"\n")
            for line in lines:
                if line.startswith(b"event:"):
                    name = line[6:].strip()
                elif line.startswith(b"data:") and name == b"call.incoming":
                    data = json.loads(line[5:])
                    mid = re.search(r"a=mid:(\S+)", data["offer"]["sdp"]).group(1)
                    self.due.put_nowait((data["call"], mid))
            self.ready.set()


async def main():
    host, port = re.match(r"https://([^:/]+):(\d+)", sys.argv[1]).groups()
    context = ssl.create_default_context(cafile=sys.argv[2])
    all_users = [User(host, int(port), context, line.strip()) for line in sys.stdin]
    tasks = [asyncio.ensure_future(job) for u in all_users for job in [u.listen()] + [u.post() for _ in range(POSTERS)]]
    await asyncio.wait([asyncio.ensure_future(asyncio.gather(*(u.ready.wait() for u in all_users)))] + tasks,
                       return_when=asyncio.FIRST_COMPLETED)
    print("ready", flush=True)
    for ended in asyncio.as_completed(tasks):
        await ended


if __name__ == "__main__":
    asyncio.run(main())
