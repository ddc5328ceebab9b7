# SPDX-License-Identifier: Apache-2.0
"""Hard days of the records: a disk that is full, a file that is broken; calls go on, operators are told, nothing
that was promised is lost."""
import http.client
import json
import os
import shutil
import signal
import sqlite3

from app import App
from consumer import SECRET, Consumer, certificate
from group import Group
from house import check, wait_for
from operators import BOB, Own
from recordslast import is_new
from sipua import Dialog, audio_sdp

HARD = Group("hard days", shared=False, root=True, programs=["unshare", "openssl"])
MOUNT = 'mkdir -p "$SALLYPORT_RUN/state" && mount -t tmpfs -o size=40m,mode=700,uid=65534 none "$SALLYPORT_RUN/state" && exec "$@"'


class Asked(Own):
    def get(self, path):
        return self.ask("GET", "/admin/v1/" + path, self.demo["admin"]["token"], None, True)[1]

    def alarms(self):
        return {a["kind"]: a["text"] for a in self.get("alarms")["alarms"] if not a["cleared_at"]}

    def commit(self):
        def door(method, path, body=None, etag=""):
            c = http.client.HTTPConnection("127.0.0.1", self.port("admin"), timeout=10)
            head = {"Authorization": "Bearer " + self.demo["admin"]["token"], "Content-Type": "application/json", "If-Match": etag}
            c.request(method, "/admin/v1/config" + path, body, head)
            a = c.getresponse()
            return a.status, a.getheader("ETag"), json.loads(a.read())
        _, etag, doc = door("GET", "")
        text = doc["text"].replace("\nlisteners:", "\n# changed\nlisteners:", 1)
        status, _, doc = door("POST", "/commit", json.dumps({"text": text, "comment": "c"}), etag)
        return status, doc

    def again(self, sign=signal.SIGKILL):
        """It is ended, and what ./run starts in its place is ready."""
        victim = self.kill("sallyportd", sign)
        wait_for("another sallyportd", lambda: is_new(self, victim), 30)


class Small(Asked):
    """Its state folder is a small disk of its own, seen from outside through /proc."""

    def __init__(self, base, name):
        super().__init__(base, name, prefix=["unshare", "-m", "sh", "-c", MOUNT, "sh"])

    def state(self, name):
        return "/proc/%d/root%s/state/%s" % (self.proc.pid, self.dir, name)


class Pushing(Asked):
    """It sends its records to a consumer on this machine."""

    def __init__(self, base, name):
        super().__init__(base, name, env={"SALLYPORT_DEATHS": "100"})
        for authority in ("one", "two"):
            certificate(self.dir, authority)
        self.ca = self.dir + "/consumer.pem"
        self.trust("one")
        self.consumer = Consumer(self.dir, "one")
        with open(self.dir + "/push", "wb", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(SECRET)
        if os.geteuid() == 0:
            shutil.chown(self.dir + "/push", "nobody")

    def trust(self, name):
        shutil.copy(self.dir + "/" + name + ".pem", self.ca + ".new")
        os.rename(self.ca + ".new", self.ca)

    def write_template(self, text):
        line = "  file: @STATE@/records.db\n"
        check(line in text, "the template")
        return text.replace(line, line + '  push: {url: "https://127.0.0.1:%d/records", secret_file: %s/push, ca: %s, batch: 4}\n'
                            % (self.consumer.port, self.dir, self.ca))

    def later(self, hours):
        """So long ago, as the spool has it, everything was put that waits."""
        db = sqlite3.connect(self.dir + "/state/records.db", timeout=10)
        n = db.execute("UPDATE spool SET at_ms=at_ms-?", (hours * 3600000,)).rowcount
        db.commit()
        db.close()
        return n


def refused(sip, n):
    """Call-IDs of calls that no rule leads anywhere."""
    ids = set()
    for _ in range(n):
        d = Dialog(sip, "+15550190000").invite(audio_sdp(4000))
        d.ack(d.answer(300))
        ids.add(d.call_id)
    return ids


def fill(path):
    with open(path, "wb", buffering=0) as f:
        for size in (65536, 4096):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass


@HARD.scenario("the disk is full: calls go on, it is told, nothing is changed half; killed meanwhile it comes back; no record is lost")
def disk_full(base):
    with Small(base, "full") as house, App(house.demo, "bob") as bob, house.lab() as sip:
        wanted = refused(sip, 3)
        wait_for("the reserve", lambda: os.path.exists(house.state("reserve")))
        fill(house.state("filled"))
        d = Dialog(sip, BOB).invite(audio_sdp(4000))
        bob.answer(bob.incoming())
        d.ack(d.answer(200))
        wanted |= refused(sip, 5) | {d.call_id}
        told = wait_for("the alarm", lambda: house.alarms().get("records_failing"))
        check("full" in told, told)
        wait_for("that the audit fails", lambda: "audit_failing" in house.alarms())
        status, problem = house.commit()
        check(status == 503 and "audit" in problem["detail"], "%d %s" % (status, problem))
        check("# changed" not in house.get("config")["text"], "the running configuration")
        check(len(house.live_calls()) == 1, "the call")
        check("records cannot be written: " in house.log(), "the log")
        os.unlink(house.state("filled"))
        wait_for("that all is well", lambda: house.is_ready() and not {"records_failing", "audit_failing"} & set(house.alarms()))
        wait_for("that all is written", lambda: house.metric("sallyport_records_waiting") == 0)
        fill(house.state("filled"))
        house.again()
        check("given free" in house.log() and not os.path.exists(house.state("reserve")), "the reserve")
        wanted |= refused(sip, 2)
        wait_for("that all is written", lambda: house.metric("sallyport_records_waiting") == 0)
        os.unlink(house.state("filled"))
        ids = {leg["sip_call_id"] for r in house.records() for leg in r["legs"] if leg}
        check(wanted <= ids, "lost: %d of %d" % (len(wanted - ids), len(wanted)))
        cut = house.record(lambda r: r["answered_at"])
        check(cut["end"]["reason"] == "gateway_restart" and cut["legs"][0]["sip_call_id"] == d.call_id, cut)
        verdict = house.get("audit/verify")
        check(verdict["ok"], verdict)
        check(house.commit()[0] == 200 and "# changed" in house.get("config")["text"], "a commit afterwards")


@HARD.scenario("the file of records is broken: it is put aside, a new one is begun, at a start and in mid-life")
def broken_file(base):
    with Small(base, "broken") as house, house.lab() as sip:
        def kept():
            return [f for f in os.listdir(house.state("")) if ".broken-" in f and not f.endswith("-wal")]

        def ids():
            return {r["legs"][0]["sip_call_id"] for r in house._records_or_none()}
        for at_start in (False, True):
            old = refused(sip, 12)
            wait_for("their records", lambda: old <= ids())
            house.again(signal.SIGTERM)  # the log is folded into the file
            with open(house.state("records.db"), "r+b") as f:
                for at in range(4096, os.fstat(f.fileno()).st_size, 4096):
                    f.seek(at)
                    f.write(b"\xa5" * 4096)
            if at_start:
                house.again()
            new = refused(sip, 12)
            wait_for("the new records", lambda: new <= ids())
            check(house.is_ready() and not old & ids(), "ready, with a new file")
            wait_for("the alarm", lambda: "records_broken" in house.alarms())
            check(len(kept()) == 1 + at_start, kept())


@HARD.scenario("records reach a consumer that is away, resets, refuses, moves, changes its certificate, over kill -9: once each, signed, in order")
def push(base):
    with Pushing(base, "push") as house, house.consumer as far, house.lab() as sip:
        def told(ids):
            return ids <= {r["legs"][0]["sip_call_id"] for r in list(far.events.values())}

        def waiting(n):
            wait_for("%d that wait" % n, lambda: house.metric("sallyport_push_waiting") == n)
        all_ids = refused(sip, 6)
        waiting(6)
        check(house.later(3) == 6, "the spool")
        wait_for("the alarm", lambda: "push_behind" in house.alarms())
        far.modes[:] = ["reset", 301, "silent", 500, 413]
        far.start()
        house.again()  # it comes again at once, and after half a second, one, two
        wait_for("a batch that was taken, though nobody said so", lambda: len(far.modes) <= 2, 20)
        house.again()
        wait_for("the first", lambda: told(all_ids), 20)
        check(far.repeats and far.paths == {"/records"}, "%d repeats, %s" % (far.repeats, far.paths))
        waiting(0)
        far.wear(house.dir, "two")
        requests, more = far.requests, refused(sip, 3)
        wait_for("that it is seen", lambda: "SSL" in house.log().split("takes records again")[-1])
        check(far.requests == requests, "a request to who has another's certificate")
        house.trust("two")
        wait_for("the others", lambda: told(more), 20)
        check(not far.faults, far.faults)
        check([int(e.split("-")[0]) for e in far.order] == list(range(1, len(far.order) + 1)), far.order)
        ids = [r["id"] for r in far.events.values()]
        check(len(ids) == len(set(ids)) == 9, "%d events of %d records" % (len(ids), len(set(ids))))
        waiting(0)
        far.modes[:] = [503] * 100
        refused(sip, 2)
        waiting(2)
        house.later(24 * 8)
        house.again()
        alarm = wait_for("the alarm of what is lost", lambda: house.alarms().get("push_lost"))
        check("2 since the start" in alarm and house.metric('sallyport_push_records_total{result="given_up"}') == 2, alarm)
