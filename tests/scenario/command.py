# SPDX-License-Identifier: Apache-2.0
"""sallyport, the operators' command, against a live gateway: its verbs, exit statuses, texts of peers, completion."""
import json
import os
import re
import subprocess

import lab
from app import App
from group import Group
from house import TOP, check, wait_for
from sipua import Dialog, Rtp, audio_sdp

G = Group("command")
PROGRAM = os.environ.get("SALLYPORT_BUILD", TOP + "/build") + "/sallyport"


def run(house, *words, status=0, stdin=""):
    done = subprocess.run([PROGRAM, *words, "--config", house.dir + "/sallyport.yaml"], input=stdin, capture_output=True, text=True, timeout=30)
    check(done.returncode == status, "%s: exit %d, %s%s" % (words, done.returncode, done.stdout[-300:], done.stderr[-300:]))
    return done.stdout if status == 0 else done.stdout + done.stderr


def rows(name, pattern):
    with open(TOP + name, encoding="utf-8") as f:
        return re.findall(pattern, f.read(), re.M)


@G.scenario("each verb of the table is one of the API's, and tells what it takes")
def table(house):
    api = {(method, re.sub(r"\{\w+\}", "{}", path if "VERB_ROOT" not in flags else "/" + path))
           for method, path, flags in rows("/src/admin/verbs.def", r'^VERB\(\w+, (\w+), "([^"]*)".*, ([^,]*), "[^"]*"\)$')}
    own = rows("/src/app/cli_rows.def", r'^CLI\("([^"]*)", "(\w+)", "([^"]*)"')
    check(len(own) > 50, "rows: %d" % len(own))
    missing = ["%s: %s %s" % row for row in own if (row[1], re.sub(r"\{\w+\}", "{}", row[2].split("?")[0])) not in api]
    check(not missing, "not in the API: %s" % missing)
    for words, _, _ in own:
        told = run(house, *words.split(), "--help")
        check(told.startswith("Usage: sallyport " + words), "%s: %s" % (words, told))


@G.scenario("a call as operators see it: listed, shown, traced, hung up, in the records; --json is the API's document")
def calls(house):
    check("ready: true" in run(house, "status"), "status")
    check(json.loads(run(house, "status", "--json"))["ready"] is True, "status --json")
    check(run(house, "calls", "list").split()[0] == "id", "an empty table has its head")
    check("lab" in run(house, "trunks", "list"), "trunks")
    check("sallyport_calls_live" in run(house, "metrics"), "metrics")
    with App(house.demo, "bob") as bob, lab.agent(house) as sip, Rtp(900) as rtp:
        lab.call_in(house, sip, bob, rtp)
        call = bob.client.call
        check(call in run(house, "calls", "list"), "calls list")
        check("state: live" in run(house, "calls", "show", call), "calls show")
        for words, is_there in ((("--trunk", "lab"), True), (("--trunk", "demo"), False), (("--user", "bob", "--state", "live"), True),
                                (("--state", "ringing"), False), (("--limit", "1"), True)):
            check((call in run(house, "calls", "list", *words)) == is_there, "calls list %s" % (words,))
        check("state" in run(house, "calls", "list", "--state", "x", status=1), "a state that is none")
        check("INVITE" in run(house, "calls", "trace", call), "calls trace")
        run(house, "calls", "hangup", call)
        check(bob.wait("call.ended")["end"]["by"] == "gateway", "by whom")
    wait_for("the record", lambda: call in run(house, "records", "list", "--limit", "5"))
    lines = run(house, "records", "export", "--format", "jsonl").splitlines()
    check(any(json.loads(line)["id"] == call for line in lines), "export")


@G.scenario("a peer's text moves no cursor and turns no line around")
def sly(house):
    with App(house.demo, "bob") as bob, lab.agent(house) as sip:
        d = Dialog(sip, "+15550100002")
        head = d.head
        d.head = lambda *a, **k: head(*a, **k).replace("From: <", 'From: "\x1b[31mred\u202egnp.exe" <')
        d.invite(audio_sdp(40000))
        call = bob.wait("call.incoming")["call"]
        shown = run(house, "calls", "show", call) + run(house, "calls", "trace", call) + run(house, "calls", "list")
        check("\x1b" not in shown and "\u202e" not in shown, "raw: %r" % shown)
        d.cancel()
        d.ack(d.answer(300))


@G.scenario("operators, tokens, bans by the command; a password by a file; what is not allowed exits with 4")
def staff(house):
    run(house, "users", "add", "eve", "viewer", "--password", "-", stdin="a long enough password\n")
    check("eve" in run(house, "users", "list"), "users list")
    made = json.loads(run(house, "api-tokens", "add", "watch", "viewer", "--json"))
    file = house.dir + "/watch.token"
    with open(file, "w", encoding="ascii") as f:
        f.write(made["token"] + "\n")
    check("role: viewer" in run(house, "whoami", "--token-file", file), "whoami")
    told = run(house, "bans", "add", "192.0.2.7", "--token-file", file, status=4)
    check("security" in told, "403 names the role: %s" % told)
    run(house, "users", "set", "eve", "--role", "operator")
    check(re.search(r"^eve +operator", run(house, "users", "list"), re.M), "role")
    run(house, "users", "rm", "eve")
    check("eve" not in run(house, "users", "list"), "gone")
    run(house, "bans", "add", "192.0.2.7", "--why", "test")
    check("192.0.2.7" in run(house, "bans", "list"), "bans list")
    run(house, "bans", "rm", "192.0.2.7")
    check("ok: true" in run(house, "audit", "verify"), "audit")


@G.scenario("the configuration by the command: shown, judged, compared, committed until it is not confirmed")
def configuration(house):
    text = run(house, "config", "show")
    check("trunks:" in text, text[:200])
    bad = run(house, "config", "validate", "-", stdin=text.replace("trunks:", "trunkz:", 1), status=1)
    check("trunkz" in bad, bad)
    file = house.dir + "/next.yaml"
    with open(file, "w", encoding="utf-8") as f:
        f.write(text + "\n# a comment\n")
    check("+# a comment" in run(house, "config", "diff", file), "diff")
    told = run(house, "config", "commit", house.dir + "/none.yaml", status=2)
    check("none.yaml" in told, told)
    run(house, "config", "commit", file, "--comment", "by hand", "--confirm_s", "60")
    run(house, "config", "cancel")
    check("# a comment" not in run(house, "config", "show"), "taken back")
    check("by hand" in run(house, "config", "history"), "history")


@G.scenario("trunks, numbers and the dialplan by the command")
def entities(house):
    check("srtp" in run(house, "trunks", "show", "lab"), "trunks show")
    run(house, "trunks", "set", "lab", "max_calls=7")
    check("max_calls: 7" in run(house, "trunks", "show", "lab"), "trunks set")
    told = run(house, "trunks", "set", "lab", "max_calls=many", status=1)
    check("/settings/max_calls" in told, "the field is named: %s" % told)
    run(house, "trunks", "drain", "lab")
    check("enabled: false" in run(house, "trunks", "show", "lab"), "drained")
    run(house, "trunks", "undrain", "lab")
    number = run(house, "numbers", "list").splitlines()[1].split()[0]
    check(number.startswith("+"), number)
    plan = house.dir + "/plan-of-the-test.yaml"
    with open(plan, "w", encoding="utf-8") as f:
        f.write(run(house, "routes", "show") + "\n# seen\n")
    run(house, "routes", "set", plan)
    check("# seen" in run(house, "routes", "show"), "routes set")
    check("rule" in run(house, "routes", "test", "+15550100002", "--trunk", "lab"), "routes test")


@G.scenario("wrong words exit with 2, a gateway that is away with 3, refusals with 1")
def exits(house):
    run(house, "calls", "fly", status=2)
    run(house, "calls", "list", "--fly", status=2)
    run(house, "calls", "list", "--limit", "ten", status=2)
    run(house, "calls", "hangup", status=2)
    run(house, "status", "--url", "http://127.0.0.1:1", status=3)
    run(house, "status", "--url", house.demo["admin"]["url"] + "/")
    for words in (("calls", "hangup", "c_none"), ("users", "rm", "nobody"), ("trunks", "set", "none", "max_calls=1"), ("calls", "show", "..")):
        told = run(house, *words, status=1)
        check("404" in told, told)
    check("there is no verb 'openapi'" in run(house, "openapi", status=2), "a word that is none is named")
    check("'list'" in run(house, "refusals", "list", status=2), "a word too many is named")


@G.scenario("pages of a list end, also where its rows have equal keys")
def pages(house):
    whole = json.loads(house.admin("/admin/v1/certificates")[1])["certificates"]
    check(len(whole) > len({row["file"] for row in whole}), "two uses of one file: %s" % whole)
    seen, cursor = [], ""
    while len(seen) <= len(whole):
        page = json.loads(house.admin("/admin/v1/certificates?limit=1" + cursor)[1])
        seen += page["certificates"]
        if page["cursor"] is None:
            break
        cursor = "&cursor=" + page["cursor"]
    check([row["use"] for row in seen] == [row["use"] for row in whole], "pages: %s" % seen)
    names = ["page%d" % i for i in range(6)]
    for name in names:
        run(house, "users", "add", name, "viewer", "--password", "-", stdin="a long enough password\n")
    page = json.loads(run(house, "users", "list", "--limit", "2", "--json"))
    seen = [u["name"] for u in page["users"]]
    for name in (names[0], names[2]):  # one of the page before, and the one that the next begins with
        run(house, "users", "rm", name)
    while page["cursor"]:
        page = json.loads(run(house, "users", "list", "--limit", "2", "--cursor", page["cursor"], "--json"))
        seen += [u["name"] for u in page["users"]]
    check([n for n in seen if n.startswith("page")] == [n for n in names if n != names[2]], "rows that stayed are all seen: %s" % seen)
    for name in set(names) - {names[0], names[2]}:
        run(house, "users", "rm", name)


@G.scenario("what cannot be written was not done; a reader that has enough is no fault")
def outputs(house):
    line = PROGRAM + " %s --config " + house.dir + "/sallyport.yaml"
    for words in ("records export", "status", "metrics --json"):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(line % words, shell=True, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
        check(done.returncode == 1 and "No space" in done.stderr, "%s: %s" % (words, done))
    done = subprocess.run("set -o pipefail; " + line % "metrics" + " | head -1", shell=True, executable="/bin/bash", capture_output=True, text=True, timeout=30)
    check(done.stderr == "" and done.stdout.startswith("# HELP"), "a closed pipe: %s" % done)


@G.scenario("completion for bash: verbs, their second words, options")
def completion(house):
    script = subprocess.run([PROGRAM, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    ask = 'COMP_WORDS=(sallyport %s ""); COMP_CWORD=%d; _sallyport; echo "${COMPREPLY[@]}"'
    for words, n, wanted in (("", 1, "records"), ("records", 2, "export"), ("records list", 3, "--since")):
        got = subprocess.run(["bash", "-c", script + ask % (words, n)], capture_output=True, text=True, check=True).stdout
        check(wanted in got.split(), "%s: %s" % (words, got))
