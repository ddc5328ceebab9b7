# SPDX-License-Identifier: Apache-2.0
"""The configuration as a document of the operators' door: commit, difference, commit confirmed, crash, history."""
import http.client
import json
import re
import time
import urllib.parse

from app import App
from group import Group
from house import check, wait_for
from operators import Own, call_lab

CONFIGS = Group("configs", shared=False)


class Desk(Own):
    """A gateway whose operators' door is asked in JSON."""

    def config_file(self):
        return self.dir + "/sallyport.yaml"

    def ask_desk(self, method, path, body=None, etag=None, seconds=10):
        url = urllib.parse.urlsplit(self.demo["admin"]["url"])
        door = http.client.HTTPConnection(url.hostname, url.port, timeout=seconds)
        head = {"Authorization": "Bearer " + self.demo["admin"]["token"], "Content-Type": "application/json"}
        if etag:
            head["If-Match"] = etag
        door.request(method, "/admin/v1" + path, None if body is None else json.dumps(body), head)
        answer = door.getresponse()
        text = answer.read()
        door.close()
        return answer.status, json.loads(text) if text else None

    def good(self, method, path, body=None, etag=None, status=200):
        got, doc = self.ask_desk(method, path, body, etag)
        check(got == status, "%s %s: %d %s" % (method, path, got, doc))
        return doc

    def config(self):
        return self.good("GET", "/config")

    def commit(self, text, **more):
        return self.good("POST", "/config/commit", dict(more, text=text), self.config()["etag"])

    def on_disk(self):
        return open(self.config_file()).read()


def quieter(text):
    check("commands_per_s" not in text, "the sample has commands_per_s now")
    new = re.sub(r"(?m)^(service:.*\n)", r"\1  # how fast\n  commands_per_s: 77\n", text, count=1)
    check(new != text, "the sample has no section service")
    return new


@CONFIGS.scenario("a commit is in force, in the file and in the history; stale and wrong ones change nothing")
def commit(base):
    with Desk(base, "commit") as house:
        before = house.config()
        check(before["text"] == house.on_disk() and before["pending"] is None and before["files"][0]["text"], str(before)[:300])
        text = quieter(before["text"])
        diff = house.good("POST", "/config/diff", {"text": text})
        check([c["path"] for c in diff["changes"]] == ["service.commands_per_s"] and diff["changes"][0]["new"] == "77"
              and diff["changes"][0]["old"] is None and diff["reloadable"] and "+  commands_per_s: 77" in diff["unified"], "diff: %s" % diff)
        check(house.ask_desk("POST", "/config/commit", {"text": text})[0] == 428, "without If-Match")
        check(house.ask_desk("POST", "/config/commit", {"text": text}, '"old"')[0] == 412, "a stale ETag")
        status, problem = house.ask_desk("POST", "/config/commit", {"text": text.replace("77", "77 a second")}, before["etag"])
        check(status == 422 and problem["errors"][0]["pointer"] == "/service/commands_per_s", "%d %s" % (status, problem))
        status, problem = house.ask_desk("POST", "/config/commit", {"text": text, "colour": 1}, before["etag"])
        check(status == 422 and problem["errors"][0]["pointer"] == "/colour", "%d %s" % (status, problem))
        check(house.config() == before and house.on_disk() == before["text"], "a refused commit left something behind")
        done = house.commit(text, comment="faster")
        after = house.config()
        check(house.on_disk() == text and after["text"] == text and after["version"] != before["version"]
              and done["etag"] == after["etag"] and done["confirm_by"] is None, "after: %s" % done)
        wait_for("the log", lambda: "configuration %d in force" % done["n"] in house.log())
        history = house.good("GET", "/config/history")["history"]
        check([(h["how"], h["comment"]) for h in history] == [("commit", "faster"), ("start", "")] and history[0]["who"], str(history))
        check(house.good("GET", "/config/history/%d" % history[1]["n"])["text"] == before["text"], "the text of history")
        house.good("POST", "/config/rollback", {"n": history[1]["n"]})
        check(house.on_disk() == before["text"] and house.config()["version"] == before["version"], "rolled back")
        check(house.ask_desk("POST", "/config/rollback", {"n": 999})[0] == 404, "no such number")


@CONFIGS.scenario("the dialplan is part of it; one that refuses everything needs force")
def plan(base):
    with Desk(base, "plan") as house:
        now = house.config()
        name, text = now["files"][0]["name"], now["files"][0]["text"]
        more = text.replace("rules:\n", "rules:\n  - {name: never, called: \"+15550199999\", then: {refuse: 603}}\n", 1)
        house.good("POST", "/config/commit", {"files": [{"name": name, "text": more}]}, now["etag"])
        check(open(house.plan).read() == more and house.config()["text"] == now["text"], "the dialplan's file")
        for bad in ("../plan.yaml", "/etc/passwd", "other.yaml"):
            status, problem = house.ask_desk("POST", "/config/commit", {"files": [{"name": bad, "text": "x"}]}, house.config()["etag"])
            check(status == 422 and problem["errors"][0]["pointer"] == "/files/0/name", "%s: %d %s" % (bad, status, problem))
        nothing = {"files": [{"name": name, "text": "rules:\n  - {name: no, then: {refuse: 403}}\n"}]}
        status, problem = house.ask_desk("POST", "/config/commit", nothing, house.config()["etag"])
        check(status == 422 and problem["errors"][0]["pointer"] == "/rules", "%d %s" % (status, problem))
        check(open(house.plan).read() == more, "the refused plan is in the file")
        house.good("POST", "/config/commit", dict(nothing, force=True), house.config()["etag"])
        check("refuse: 403" in open(house.plan).read(), "forced")


@CONFIGS.scenario("a commit that nobody confirms goes back by itself; confirmed it stays, canceled it goes")
def confirmed(base):
    with Desk(base, "confirmed") as house:
        before = house.config()["text"]
        text = quieter(before)
        done = house.commit(text, confirm_s=2)
        check(done["confirm_by"] and house.config()["pending"]["confirm_by"] == done["confirm_by"], str(done))
        check(house.ask_desk("POST", "/config/commit", {"text": before}, house.config()["etag"])[0] == 409, "one at a time")
        wait_for("the way back", lambda: house.on_disk() == before and house.config()["pending"] is None, 8)
        check(house.config()["text"] == before and house.good("GET", "/config/history")["history"][0]["how"] == "timeout", "back")
        house.commit(text, confirm_s=2)
        house.good("POST", "/config/confirm")
        time.sleep(2.5)
        check(house.on_disk() == text and house.config()["pending"] is None, "confirmed")
        check(house.ask_desk("POST", "/config/confirm")[0] == 409, "nothing waits")
        house.commit(before, confirm_s=60)
        house.good("POST", "/config/cancel")
        check(house.on_disk() == text, "canceled")


@CONFIGS.scenario("kill -9 while a commit waits: the next start has the old configuration")
def crash(base):
    with Desk(base, "crash") as house:
        before = house.config()["text"]
        house.commit(quieter(before), confirm_s=600)
        old = house.kill("sallyportd")
        wait_for("another sallyportd", lambda: house.pid("sallyportd") != old and house.is_ready(), 20)
        check(house.on_disk() == before and house.config()["text"] == before and house.config()["pending"] is None, "it stayed")
        check(house.good("GET", "/config/history")["history"][0]["how"] == "crash", "history")
        check("was not confirmed before the program ended" in house.log(), "the log says nothing of it")


@CONFIGS.scenario("replay tells which of the calls that there were would go another way")
def replay(base):
    with Desk(base, "replay") as house, house.lab() as sip:
        for i in range(4):
            call_lab(sip, "+1555019%04d" % (i % 2))
        with App(house.demo, "alice") as alice:
            call = alice.place(house.demo["dial"]["tone"])
            alice.wait("call.connected", call=call)
            alice.hangup()
            house.record(lambda r: r["id"] == call)
        wait_for("the records", lambda: len(house.records()) >= 5)
        same = house.good("POST", "/config/replay", {"hours": 1})
        check(same["calls"] == 5 and same["changed"] == same["refused"] == 0 and same["list"] == [], "the same: %s" % same)
        plan = house.config()["files"][0]["text"]
        other = plan.replace("rules:\n", "rules:\n  - {name: closed, from: native, then: {refuse: 603}}\n"
                                          "  - {name: new, called: \"+15550190001\", then: {user: bob}}\n", 1)
        found = house.good("POST", "/config/replay", {"plan": other, "hours": 1})
        check(found["calls"] == 5 and found["changed"] == 3 and found["refused"] == 1, "another plan: %s" % found)
        moved = {m["record"]: m for m in found["list"]}
        check(moved[call]["new"] == "refused with 603 by rule closed" and "trunk demo" in moved[call]["old"], str(moved[call]))
        check(sum("user bob" in m["new"] and "404" in m["old"] for m in found["list"]) == 2, str(found["list"]))
        status, problem = house.ask_desk("POST", "/config/replay", {"plan": "rules: 1\n"})
        check(status == 422 and problem["errors"], "%d %s" % (status, problem))


@CONFIGS.scenario("a file edited by hand is not written over; SIGHUP takes it up and notes it")
def by_hand(base):
    with Desk(base, "hand") as house:
        now = house.config()
        text = quieter(now["text"])
        with open(house.config_file(), "w") as f:
            f.write(text)
        status, problem = house.ask_desk("POST", "/config/commit", {"text": now["text"] + "# x\n"}, now["etag"])
        check(status == 409 and "by hand" in problem["detail"], "%d %s" % (status, problem))
        house.reload("configuration reloaded")
        check(house.config()["text"] == text and house.good("GET", "/config/history")["history"][0]["how"] == "reload", "history")


@CONFIGS.scenario("trunks, numbers and the dialplan as single things: ETags, merge patch, pointers; comments elsewhere survive")
def single(base):
    with Desk(base, "single") as house:
        text = house.on_disk()
        with open(house.config_file(), "w") as f:
            f.write("# kept by all\n" + text)
        house.reload("configuration reloaded")
        name = house.good("GET", "/trunks")["trunks"][0]["name"]
        one = house.good("GET", "/trunks/" + name)
        check(one["name"] == name == one["settings"]["name"] and "status" in one, str(one))
        check(house.ask_desk("PATCH", "/trunks/" + name, {"max_calls": 7})[0] == 428, "without If-Match")
        check(house.ask_desk("PATCH", "/trunks/" + name, {"max_calls": 7}, '"x"')[0] == 412, "a stale ETag")
        status, problem = house.ask_desk("PATCH", "/trunks/" + name, {"settings": {"srtp": "perhaps"}}, one["etag"])
        check(status == 422 and problem["errors"][0]["pointer"] == "/settings/srtp", "%d %s" % (status, problem))
        status, problem = house.ask_desk("PATCH", "/trunks/" + name, {"numbers": {"colour": "red"}}, one["etag"])
        check(status == 422 and problem["errors"][0]["pointer"] == "/numbers/colour", "%d %s" % (status, problem))
        status, problem = house.ask_desk("PATCH", "/trunks/" + name, {"max_calls": "7"}, one["etag"])
        check(status == 422 and problem["errors"][0]["pointer"] == "/max_calls", "%d %s" % (status, problem))
        status, problem = house.ask_desk("PUT", "/trunks/" + name, dict(one["settings"], name="other"), one["etag"])
        check(status == 422 and problem["errors"][0]["pointer"] == "/name", "%d %s" % (status, problem))
        for body, pointer in (({"name": "other", "settings": one["settings"]}, "/name"), ({"settings": None}, "/settings"),
                              ({"settings": {"peers": ["127.0.0.1", None]}}, "/settings/peers/1"),
                              ({"settings": {"target": "sip:x\n- name: y"}}, "/settings/target")):
            status, problem = house.ask_desk("PATCH", "/trunks/" + name, body, one["etag"])
            check(status == 422 and problem["errors"][0]["pointer"] == pointer, "%s: %d %s" % (pointer, status, problem))
        check(house.good("GET", "/trunks/" + name) == one, "a refused change left something behind")
        changed = house.good("PATCH", "/trunks/" + name, {"max_calls": 7, "hold": None}, one["etag"])
        check(changed["settings"]["max_calls"] == 7 and changed["etag"] != one["etag"] and "hold" not in changed["settings"], str(changed))
        check(house.good("GET", "/trunks/" + name) == changed and house.on_disk().startswith("# kept by all\n"), "read again")
        comments = [line for line in text.splitlines() if line.lstrip().startswith("#") and not line.startswith("  ")]
        check(all(line in house.on_disk() for line in comments), "comments elsewhere are lost")
        entry = house.good("GET", "/config/history")["history"][0]
        check(entry["comment"] == "PATCH trunks/" + name, str(entry))
        # Keys that only root could read stay as they were loaded: no reason for an alarm.
        check("Permission denied" not in house.log(), "a commit read keys anew that nobody changed")
        fresh = {"name": "fresh", "listener": one["settings"]["listener"], "peers": ["198.51.100.77"], "target": "sip:198.51.100.77"}
        if one["settings"].get("kind"):
            fresh = dict(one["settings"], name="fresh", peers=["fresh.example.net"], fqdn="fresh.example.org")
        new = house.good("POST", "/trunks", fresh, status=201)
        check(house.ask_desk("POST", "/trunks", fresh)[0] == 422, "twice")
        wait_for("the new trunk", lambda: any(t["name"] == "fresh" for t in house.good("GET", "/trunks")["trunks"]))
        check(house.ask_desk("DELETE", "/trunks/fresh", None, new["etag"])[0] == 204, "taken out")
        check(house.ask_desk("GET", "/trunks/fresh")[0] == 404, "gone")
        beside = {"name": fresh.pop("name"), "settings": fresh}
        new = house.good("POST", "/trunks", beside, status=201)
        check(new["settings"]["name"] == "fresh", "the name beside the settings, as GET tells it: %s" % new)
        check(house.ask_desk("DELETE", "/trunks/fresh", None, new["etag"])[0] == 204, "taken out")

        numbers = house.good("GET", "/numbers")
        have = {n["number"]: n["user"] for n in numbers["numbers"]}
        check(have.get("+15550100001") == "alice", str(have))
        moved = house.good("PUT", "/numbers/%2B15550100001", {"user": "bob"}, numbers["etag"])
        check({n["number"]: n["user"] for n in moved["numbers"]}["+15550100001"] == "bob", str(moved))
        check(house.ask_desk("PUT", "/numbers/%2B15550100001", {"user": "bob"}, numbers["etag"])[0] == 412, "stale numbers")
        status, problem = house.ask_desk("PUT", "/numbers/%2B15550100001", {"user": "nobody"}, moved["etag"])
        check(status == 422 and problem["errors"][0]["pointer"] == "/user", "%d %s" % (status, problem))
        status, problem = house.ask_desk("PUT", "/numbers/12", {"user": "bob"}, moved["etag"])
        check(status == 422, "%d %s" % (status, problem))
        check(house.ask_desk("DELETE", "/numbers/%2B15550100001", None, moved["etag"])[0] == 204, "the number is gone")

        routes = house.good("GET", "/routes")
        check(routes["text"] == open(house.plan).read() and routes["rules"][0]["summary"] and routes["file"] == "plan.yaml", str(routes)[:300])
        status, problem = house.ask_desk("PUT", "/routes", {"text": "rules:\n  - {name: x, then: {user: nobody}}\n"}, routes["etag"])
        check(status == 422 and problem["errors"], "%d %s" % (status, problem))
        longer = routes["text"].replace("rules:\n", "rules:\n  - {name: never, called: \"+15550199999\", then: {refuse: 603}}\n", 1)
        test = house.good("POST", "/routes/test", {"called": "+15550199999", "plan": longer})
        check(test["refused"] == 603 and test["rule"] == "never" and test["rules"][-1]["fits"], str(test))
        check(house.good("PUT", "/routes", {"text": longer}, routes["etag"])["rules"][0]["name"] == "never", "the plan")
        test = house.good("POST", "/routes/test", {"called": "+15550199999", "at": "2026-12-24T17:30"})
        check(test["refused"] == 603 and house.ask_desk("POST", "/routes/test", {"called": "1", "trunk": "none"})[0] == 422, str(test))
        schema = house.good("GET", "/config/schema")
        check("trunks" in schema["properties"] and schema["additionalProperties"] is False, "schema")
