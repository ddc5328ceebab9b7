# SPDX-License-Identifier: Apache-2.0
"""Call records outlive what happens to the program: killed at random points under calls; backed up and restored."""
import os
import random
import re
import sqlite3
import subprocess
import threading
import time

from app import App
from group import Group
from house import TOP, Failed, check, wait_for
from operators import BOB, Own
from sipua import Dialog, audio_sdp

RECORDS = Group("records", shared=False)
LONG = Group("records-long", shared=False, long=True)
COMMAND = os.environ.get("SALLYPORT_BUILD", TOP + "/build") + "/sallyport"
COMMITTED_S = 0.4  # what was answered so long before is on the disk: batches are written each 50 ms, and synced


def database(house):
    with open(house.dir + "/sallyport.yaml", encoding="utf-8") as f:
        return re.search(r"^records:\n(?:  .*\n)*?  file: *(\S+)", f.read(), re.M).group(1)


def rows_of(house):
    """Call-ID → row, straight from the file, which others may read while it is written."""
    db = sqlite3.connect("file:%s?mode=ro" % database(house), uri=True, timeout=5)
    try:
        check(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok", "the file is not whole")
        names = ("caller_sip_call_id", "id", "state", "answered_ms", "ended_ms", "reason", "started_ms")
        rows = [dict(zip(names, row)) for row in db.execute("SELECT %s FROM records" % ", ".join(names))]
        check(len({r["id"] for r in rows}) == len(rows), "an id stands twice")
        keys = db.execute("SELECT count(*) FROM keys WHERE row NOT IN (SELECT row FROM records)").fetchone()[0]
        check(keys == 0, "%d keys of no record" % keys)
        return {r["caller_sip_call_id"]: r for r in rows}
    finally:
        db.close()


def is_new(house, victim):
    try:
        return house.pid("sallyportd") != victim and house.is_ready()
    except OSError:
        return False  # between two


def killed_round(house):
    """One call stands, others are refused one after the other, then the program is gone."""
    finals = {}
    with App(house.demo, "bob") as bob, house.lab() as sip:
        standing = Dialog(sip, BOB).invite(audio_sdp(4000))
        bob.answer(bob.incoming())
        standing.ack(standing.answer(200))
        victim, killed = house.pid("sallyportd"), []

        def kill():
            house.kill("sallyportd")
            killed.append(time.time())
        killer = threading.Timer(1.0 + random.random(), kill)
        killer.start()
        while not killed:
            d = Dialog(sip, "+15550190000").invite(audio_sdp(4000))
            time.sleep(0.01)  # a hundred a second; far more than the disk takes would be dropped, and counted
            try:
                d.ack(d.answer(300, seconds=0.5))
                finals[d.call_id] = time.time()
            except Failed:
                pass
        killer.join()
        wait_for("another sallyportd", lambda: is_new(house, victim), 15)
    return standing.call_id, {c for c, at in finals.items() if at < killed[0] - COMMITTED_S}, killed[0]


def kills(base, rounds=4):
    """./run gives up at the fifth death within a minute, unless it is told that they are meant."""
    with Own(base, "kills", env={"SALLYPORT_DEATHS": "1000"}) as house:
        wanted = set()
        for i in range(rounds):
            standing, refused, killed = killed_round(house)
            rows = rows_of(house)
            wanted |= refused | {standing}
            lost = wanted - set(rows)
            check(not lost, "round %d: %d of %d records are lost" % (i, len(lost), len(wanted)))
            row = rows[standing]
            check(row["answered_ms"] and row["reason"] == "gateway_restart" and row["state"] == 1, "round %d: %s" % (i, row))
            check(row["answered_ms"] <= row["ended_ms"] <= killed * 1000 + 50, "round %d: its end: %s" % (i, row))
            check(all(r["state"] != 0 for r in rows.values()), "round %d: a row is live still" % i)
        check(len(wanted) > 3 * rounds, "only %d records were at stake" % len(wanted))


@RECORDS.scenario("kill -9 under calls, four times: no record is lost, none stands twice, none is torn")
def kills_short(base):
    kills(base)


@LONG.scenario("kill -9 under calls, twenty times in a row")
def kills_long(base):
    kills(base, 20)


@RECORDS.scenario("a backup of the running database; restore only while it is stopped, and verified")
def restore(base):
    with Own(base, "restore") as house:
        with house.lab() as sip:
            for _ in range(3):
                d = Dialog(sip, "+15550190000").invite(audio_sdp(4000))
                d.ack(d.answer(300))
        wait_for("three records", lambda: len(house.records()) == 3)
        status, made = house.ask("POST", "/admin/v1/system/backup", house.demo["admin"]["token"], {}, True)
        check(status == 201 and made["records"] == 3, "backup: %d %s" % (status, made))

        def command(*words):
            return subprocess.run([COMMAND, "restore", *words, "--config", house.dir + "/sallyport.yaml"], capture_output=True,
                                  text=True, timeout=20, check=False)
        done = command("--check", made["file"])
        check(done.returncode == 0 and "3 records" in done.stdout, done.stdout + done.stderr)
        done = command(made["file"])
        check(done.returncode == 1 and "stop it first" in done.stderr, "while it runs: " + done.stdout + done.stderr)
        with open(house.dir + "/half.db", "wb") as half, open(made["file"], "rb") as whole:
            half.write(whole.read()[:5000])
        done = command("--check", house.dir + "/half.db")
        check(done.returncode == 1 and "no whole backup" in done.stderr, done.stdout + done.stderr)
        file, conf = database(house), house.dir + "/sallyport.yaml"
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        backup = made["file"]
        with open(backup, "rb") as f:
            content = f.read()
    # the same configuration, nothing running: the database is lost, and comes back
    os.makedirs(os.path.dirname(backup), exist_ok=True)
    with open(backup, "wb") as f:
        f.write(content)
    with open(conf, "w", encoding="utf-8") as f:
        f.write(text)
    done = command(backup)
    check(done.returncode == 0 and "restored: 3 records" in done.stdout, done.stdout + done.stderr)
    db = sqlite3.connect(file)
    check(db.execute("SELECT count(*) FROM records").fetchone()[0] == 3, "records after the restore")
    db.close()
