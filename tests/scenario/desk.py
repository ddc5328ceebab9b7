# SPDX-License-Identifier: Apache-2.0
"""What operators see and order by their door: overview, events, calls, refusals, bans, alarms, draining; every operation by a
client that is built from the OpenAPI document."""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from app import App
from configs import Desk
from group import Group
from house import TOP, Failed, check, wait_for
from operators import call_lab
from sipua import Dialog, audio_sdp

DESK = Group("desk", shared=False)


class Api(Group):
    def lacks(self):
        if not shutil.which("node") or not os.path.isdir(TOP + "/tests/api/node_modules/ajv-formats"):
            return "needs node and npm ci in tests/api"
        return super().lacks()


API = Api("api", shared=False)


class Events:
    """One open stream, read by a thread."""

    def __init__(self, house):
        self.door = http.client.HTTPConnection("127.0.0.1", house.port("admin"), timeout=60)
        self.door.request("GET", "/admin/v1/events", headers={"Authorization": "Bearer " + house.demo["admin"]["token"]})
        self.socket = self.door.sock
        self.answer = self.door.getresponse()
        self.seen, self.over = [], False
        if self.answer.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        kind = None
        try:
            for line in self.answer:
                line = line.decode().rstrip("\n")
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    self.seen.append((kind, json.loads(line[6:])))
        except (OSError, ValueError, AttributeError):
            pass
        self.over = True

    def of(self, kind):
        return [data for k, data in list(self.seen) if k == kind]

    def wait(self, what, test, kind, seconds=6):
        return wait_for(what, lambda: next((d for d in self.of(kind) if test(d)), None), seconds)

    def close(self):
        """Not door.close(): that waits for the thread that reads."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


def ringing(house, sip, number="+15550100001"):
    """A call of the lab that goes on ringing or is answered; its id."""
    before = {c["id"] for c in house.live_calls()}
    d = Dialog(sip, number).invite(audio_sdp(4000))
    row = wait_for("a live call", lambda: next((c for c in house.live_calls() if c["id"] not in before), None))
    return d, row


@DESK.scenario("the overview and the events show a call from its first second to its end, which an operator orders")
def live(base):
    with Desk(base, "desk live") as house, house.lab() as sip, App(house.demo, "alice") as alice:
        wait_for("media", lambda: house.good("GET", "/overview")["media"]["connected"])
        events = Events(house)
        check(events.answer.status == 200 and events.answer.getheader("Content-Type") == "text/event-stream", "stream")
        first = events.wait("the snapshot", lambda d: True, "overview")
        check(first["ready"] and first["calls"]["live"] == 0 and first["media"]["connected"] and first["trunks"]["total"] >= 1, str(first))
        check([k for k, _ in events.seen][0] == "overview" and len(events.of("trunk")) >= first["trunks"]["total"], str(events.seen)[:300])
        d, row = ringing(house, sip)
        check(row["direction"] == "in" and row["state"] in ("trying", "ringing") and row["trunk"] and row["legs"], str(row))
        events.wait("the call's event", lambda c: c["id"] == row["id"], "call")
        events.wait("it is counted", lambda o: o["calls"]["live"] == 1 and o["today"]["calls"] == 1, "overview")
        one = house.good("GET", "/calls/" + row["id"])
        check(one["id"] == row["id"] and house.ask_desk("GET", "/calls/c_none")[0] == 404, str(one))
        late = Events(house)
        late.wait("a late one sees it too", lambda c: c["id"] == row["id"], "call")
        house.good("DELETE", "/calls/" + row["id"], status=204)
        gone = d.answer(300)
        check(gone and gone.status == 480, str(gone and gone.text()))
        d.ack(gone)
        events.wait("its end", lambda c: c["id"] == row["id"], "call.gone")
        late.wait("its end there", lambda c: c["id"] == row["id"], "call.gone")
        check(house.ask_desk("DELETE", "/calls/" + row["id"])[0] == 404, "twice")
        record = house.record(lambda r: r["call"] == row["id"] or r["id"] == row["id"])
        check(record["end"]["reason"] == "operator", str(record["end"]))
        listener = house.good("GET", "/trunks/lab")["settings"]["listener"]
        made = house.good("POST", "/trunks", {"name": "shortly", "listener": listener, "peers": ["192.0.2.77"]}, status=201)
        late.wait("a trunk that comes", lambda t: t["name"] == "shortly", "trunk")
        house.good("DELETE", "/trunks/shortly", etag=made["etag"], status=204)
        late.wait("and goes", lambda t: t["name"] == "shortly", "trunk.gone")
        series = wait_for("a sample", lambda: house.good("GET", "/overview")["series"]["live"], 8)
        check(len(series) <= 180, "the ring")
        for e in (events, late):
            e.close()
        audit = house.good("GET", "/audit")["audit"]
        check([r["verb"] for r in audit if r["what"].endswith(row["id"])] == ["call_del"], str(audit)[:300])
        check(house.good("GET", "/audit/verify")["ok"], "the chain")


@DESK.scenario("refusals of one kind are told as one; a ban is in force at once and lifted; alarms come, are seen to, and go")
def border(base):
    with Desk(base, "desk border") as house, house.lab() as sip:
        for _ in range(3):
            check(call_lab(sip, "+15550100055").status == 404, "nobody has that number")
        row = wait_for("refusals", lambda: next((r for r in house.good("GET", "/refusals")["refusals"] if r["count"] == 3), None))
        check(row["status"] == 404 and row["to"] == "+15550100055" and row["source"] and row["at"], str(row))
        check(house.good("GET", "/refusals?rule=none")["refusals"] == [], "by rule")
        for query, found in (("rule=" + row["rule"], 3), ("source=127.0.0.0/8", 3), ("source=127.0.0.1&trunk=" + row["trunk"], 3), ("source=192.0.2.0/24", 0), ("trunk=none", 0),
                             ("until=2020-01-01T00:00:00Z", 0), ("since=1960-01-01t00:00:00z", 3), ("since=2099-01-01T00:00:00Z", 0)):
            page = house.good("GET", "/refusals?" + query)
            check(sum(r["count"] for r in page["refusals"]) == found and page["cursor"] is None and page["looked"] <= 3, "%s: %s" % (query, page))
        cursor, told = "", 0
        for _ in range(9):  # by pages of one row
            page = house.good("GET", "/refusals?limit=1" + cursor)
            told += sum(r["count"] for r in page["refusals"])
            cursor = "&cursor=%s" % page["cursor"]
            if not page["cursor"]:
                break
        check(told == 3, "%d by pages" % told)
        check(house.ask_desk("GET", "/refusals?source=nowhere")[0] == 400 and house.ask_desk("GET", "/refusals?source=127.0.0.1/8")[0] == 400, "no network")
        check(house.ask_desk("GET", "/refusals?since=soon")[0] == 400, "since")

        made = house.good("POST", "/bans", {"addr": "192.0.2.7", "why": "scans", "ttl_s": 600}, status=201)
        rows = house.good("GET", "/bans")["bans"]
        check(made["addr"] == "192.0.2.7" and [(b["addr"], b["why"], b["by"]) for b in rows] == [("192.0.2.7", "scans", "admin-token")], str(rows))
        status, problem = house.ask_desk("POST", "/bans", {"addr": "nowhere"})
        check(status == 422 and problem["errors"][0]["pointer"] == "/addr", str(problem))
        house.good("DELETE", "/bans/192.0.2.7", status=204)
        check(house.ask_desk("DELETE", "/bans/192.0.2.7")[0] == 404 and house.good("GET", "/bans")["bans"] == [], "lifted")

        certificates = house.good("GET", "/certificates")["certificates"]
        check(any(c["use"] == "service" and c["state"] in ("ok", "soon") and c["names"] and c["days_left"] >= 0 for c in certificates), str(certificates))
        system = house.good("GET", "/system")
        check(system["process"]["threads"] > 2 and system["disk"]["free_bytes"] > 0 and system["build"]["version"], str(system))

        events = Events(house)
        os.kill(house.pid("media"), signal.SIGSTOP)
        house.kill("media")
        alarm = events.wait("the alarm", lambda a: a["kind"] == "media_lost" and not a["cleared_at"], "alarm", 10)
        check(alarm["severity"] == "critical", str(alarm))
        acked = house.good("POST", "/alarms/%s/ack" % alarm["id"])
        check(acked["acked_by"] == "admin-token" and house.ask_desk("POST", "/alarms/none/ack")[0] == 404, str(acked))
        told = house.good("GET", "/alarms")["alarms"]
        check(any(a["id"] == alarm["id"] and a["acked_by"] for a in told), str(told))
        events.close()


@DESK.scenario("draining refuses new calls and says so; it can be taken back; with a deadline it ends the program")
def drain(base):
    with Desk(base, "desk drain") as house, house.lab() as sip:
        house.good("POST", "/system/drain", {"on": True})
        wait_for("draining is told", lambda: house.admin("/readyz")[0] == 503 and house.good("GET", "/overview")["draining"])
        check(call_lab(sip, "+15550100001").status == 503, "a new call")
        house.good("POST", "/system/drain", {"on": False})
        wait_for("ready", house.is_ready)
        check(house.ask_desk("POST", "/system/drain", {"on": "yes"})[0] == 422, "a wrong type")
        pid = house.pid("sallyportd")
        house.killed.add(pid)
        house.good("POST", "/system/drain", {"on": True, "deadline_s": 30})
        wait_for("its end", lambda: not alive(pid), 10)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def rss_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


def half_sent(house, n, token, length, sent):
    """So many connections from several addresses, each with the beginning of a body."""
    held = []
    head = "POST /admin/v1/config/validate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % length
    head += "Authorization: Bearer %s\r\n\r\n" % token if token else "\r\n"
    for i in range(n):
        s = socket.create_connection(("127.0.0.1", house.port("admin")), timeout=5, source_address=("127.0.1.%d" % (i // 150), 0))
        s.setblocking(False)
        with contextlib.suppress(OSError):  # a refusal may be there already
            s.send(head.encode() + b" " * sent)
        held.append(s)
    return held


@DESK.scenario("1,000 half-sent bodies, of who may and of nobody, take a bounded memory; others are served beside them")
def bodies(base):
    with Desk(base, "half sent") as house:
        pid, token = house.pid("sallyportd"), house.demo["admin"]["token"]
        before = rss_kb(pid)
        for who, sent in ((None, 60_000), (token, 90_000)):
            began, most, held = time.monotonic(), 0, half_sent(house, 1000, who, 4 << 20, sent)
            check(house.good("GET", "/me")["role"] == "admin", "another request beside them")
            for _ in range(20):
                most = max(most, house.metric('sallyport_http_body_bytes{server="admin"}'))
                time.sleep(0.02)
            grown = rss_kb(pid) - before
            print("%d half-sent bodies of %s: %d bytes held, %d KB more, %.1f s" % (len(held), "who may" if who else "nobody", most, grown, time.monotonic() - began))
            check(most <= (64 << 20 if who else 0) and grown < (64 << 10 if who else 0) + (40 << 10), "%d bytes, %d KB more" % (most, grown))
            check(not who or most > 8 << 20, "none of them came in")
            for s in held:
                s.close()
            wait_for("all is given back", lambda: house.metric('sallyport_http_body_bytes{server="admin"}') == 0)


@DESK.scenario("150 listeners get each second's overview, and others are served")
def listeners(base):
    with Desk(base, "desk listeners") as house:
        many = [Events(house) for _ in range(150)]
        check(all(e.answer.status == 200 for e in many), "150 streams")
        begun = [len(e.of("overview")) for e in many]
        time.sleep(3.2)
        got = [len(e.of("overview")) - n for e, n in zip(many, begun)]
        check(min(got) >= 2, "overviews of 3 s: %s" % sorted(got)[:5])
        status, _ = house.admin("/metrics")
        check(status == 200, "others are served")
        for e in many:
            e.close()


@API.scenario("the document lints clean, and a client built from it asks every operation well and badly: each answer is as it says, none is a 5xx")
def client(base):
    with Desk(base, "api") as house, house.lab() as sip, App(house.demo, "alice"):
        file = house.dir + "/openapi.json"
        with open(file, "w") as f:
            f.write(house.admin("/admin/v1/openapi.json")[1])
        served, here = json.load(open(file)), json.load(open(TOP + "/docs/api/openapi.json"))
        check(served == here, "what is served is not docs/api/openapi.json")
        node(["lint.mjs", file])
        house.kill("media")  # for an alarm
        wait_for("media again", lambda: house.log().count("media process connected") == 2)
        wait_for("the alarm", lambda: house.good("GET", "/alarms")["alarms"])
        for _ in range(2):
            check(call_lab(sip, "+15550100055").status == 404, "nobody has that number")
        wait_for("ready", house.is_ready)
        _, row = ringing(house, sip)
        house.good("DELETE", "/calls/" + row["id"], status=204)
        wait_for("a record of a call for the page's jobs", lambda: any(r["call"] for r in house.records()[:1]))
        ringing(house, sip)
        page(house)  # it hangs up
        _, row = ringing(house, sip)
        wait_for("refusals", lambda: len(house.records()) >= 3)
        node(["client.mjs", "http://127.0.0.1:%d" % house.port("admin"), house.demo["admin"]["token"], row["id"]])
        check(house.good("GET", "/audit/verify")["ok"], "the chain")


def node(argv):
    done = subprocess.run(["node"] + argv, cwd=TOP + "/tests/api", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    if done.returncode != 0:
        raise Failed("%s: %s" % (argv[0], done.stdout.decode(errors="replace")[-9000:]))


def page(house):
    """Every block of docs/api/README.md, as it stands, in one shell."""
    with open(TOP + "/docs/api/README.md") as f:
        blocks = re.findall(r"^```sh\n(.*?)^```$", f.read(), re.M | re.S)
    check(len(blocks) >= 11, "%d blocks" % len(blocks))
    script = "set -eu -o pipefail\n" + "".join("echo; echo block %d >&2\n%s" % (i, b) for i, b in enumerate(blocks))
    told = {"GW": "http://127.0.0.1:%d" % house.port("admin"), "TOKEN": house.demo["admin"]["token"]}
    done = subprocess.run(["bash", "-c", script], cwd=house.dir, env=dict(os.environ, **told), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    if done.returncode != 0:
        raise Failed("docs/api/README.md: %s" % done.stdout.decode(errors="replace")[-1500:])
    check(b"event: overview" in done.stdout and os.path.getsize(house.dir + "/call.pcap") > 24, "what the page's jobs gave")
