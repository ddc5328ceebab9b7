#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The receiver of records under tests/thread/push.c: away, refusing, slow, silent after it took a batch, then
well. It takes at most four records for a while (413), and chokes on one of them (422) until it saw it alone twice.
Prints its port; at SIGTERM it says whether N records came, each event once but for repeats by the same id with the
same content, all signed."""
import hashlib
import hmac
import http.server
import json
import signal
import sys
import threading
import time

SECRET, WANTED, AWAY_S = sys.argv[1].encode(), int(sys.argv[2]), float(sys.argv[3])
# what is done with the nth request: a status; "slow"; "silent": taken, but nobody says so
PLAN = [500, 503, "silent", 200, "slow", 429, "silent", 404, 200] + ["small"] * 9
CHOKES_ON = "c_0200"
events, requests, faults, repeats, alone = {}, [0], [], [0], [0]


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        n, requests[0] = requests[0], requests[0] + 1
        what = PLAN[n] if n < len(PLAN) else 200
        what = self.choke(json.loads(body)["events"], what)
        if what == "slow":
            time.sleep(0.7)
        if what in (200, "slow", "silent"):
            self.take(body)
        if what == "silent":
            self.close_connection = True
            return
        self.send_response(200 if what == "slow" else what)
        self.send_header("Content-Length", "0")
        self.end_headers()

    @staticmethod
    def choke(batch, what):
        if any(e["record"]["id"] == CHOKES_ON for e in batch) and alone[0] < 2:
            alone[0] += len(batch) == 1
            return 422
        return what if what != "small" else 413 if len(batch) > 4 else 200

    def take(self, body):
        t, mac = [part.split("=", 1)[1] for part in self.headers["Sallyport-Signature"].split(",")]
        good = hmac.new(SECRET, t.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(good, mac) or abs(time.time() - int(t)) > 60:
            faults.append("a signature")
        doc = json.loads(body)
        if doc["version"] != 1 or not 0 < len(doc["events"]) <= 20:
            faults.append("a batch of %d" % len(doc["events"]))
        for e in doc["events"]:
            if e["event"] in events:
                repeats[0] += 1
                if events[e["event"]] != e["record"]:
                    faults.append("another record by the same id")
            events[e["event"]] = e["record"]


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver, bind_and_activate=False)
server.server_bind()
print(server.server_address[1], flush=True)


def serve():
    time.sleep(AWAY_S)
    server.server_activate()
    server.serve_forever(0.05)


def end(*_):
    ids = [r["id"] for r in events.values()]
    if sorted(ids) != ["c_%04d" % i for i in range(WANTED)]:
        faults.append("%d records, %d of them different, of %d" % (len(ids), len(set(ids)), WANTED))
    if not repeats[0]:
        faults.append("nothing was ever sent again: the test tests nothing")
    print("%d requests, %d repeats, faults: %s" % (requests[0], repeats[0], faults[:3]), file=sys.stderr)
    raise SystemExit(1 if faults else 0)


signal.signal(signal.SIGTERM, end)
threading.Thread(target=serve, daemon=True).start()
while True:
    signal.pause()
