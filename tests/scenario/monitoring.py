# SPDX-License-Identifier: Apache-2.0
"""The metrics page in both formats, and that boards, alerts and docs/monitoring.md speak of what is there."""
import importlib.util
import json
import os
import re
import urllib.request

from app import App
from group import Group
from house import TOP, House, check, wait_for
from operators import BOB, Own
from sipua import Dialog, audio_sdp

MONITORING = Group("monitoring", shared=False)
PAGES = TOP + "/docs/monitoring/"
MANUAL = TOP + "/docs/monitoring.md"
MARK = "<!-- printed by tests/scenario/monitoring.py with SALLYPORT_WRITE_DOCS=1 -->\n"


def page(house, accept=None):
    ask = urllib.request.Request("http://127.0.0.1:%d/metrics" % house.port("admin"))
    ask.add_header("Authorization", "Bearer " + house.demo["admin"]["token"])
    if accept:
        ask.add_header("Accept", accept)
    with urllib.request.urlopen(ask, timeout=5) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def samples(text):
    return {re.match(r"[a-z0-9_]+", line, re.I).group() for line in text.splitlines() if line and line[0] != "#"}


def table_write(text):
    helps, kinds = (dict(re.findall(r"^# %s (\S+) (.*)$" % word, text, re.M)) for word in ("HELP", "TYPE"))
    rows = []
    for name in sorted(kinds):
        labels = re.findall(r"^%s(?:_count)?\{(.*)\} \S+$" % name, text, re.M)
        keys = sorted({key for one in labels for key in re.findall(r'(\w+)="', one)})
        rows.append("| `%s` | %s | %s | %s |\n" % (name, kinds[name], ", ".join(keys), helps[name].rstrip(".")))
    with open(MANUAL, encoding="utf-8") as f:
        before, after = f.read().split(MARK)[::2]
    with open(MANUAL, "w", encoding="utf-8") as f:
        f.write(before + MARK + "| metric | kind | labels | what |\n|---|---|---|---|\n" + "".join(rows) + MARK + after)


class Sending(House):
    """With a receiver of records that is never there: its figures are on the page."""

    def __enter__(self):
        secret = self.dir + "/push.secret"
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
            f.write("5a" * 20 + "\n")
        with open(TOP + "/tests/demo/sallyport.yaml.in", encoding="utf-8") as f:
            text = f.read()
        self.env["SALLYPORT_TEMPLATE"] = self.dir + "/template.yaml"
        with open(self.env["SALLYPORT_TEMPLATE"], "w", encoding="utf-8") as f:
            f.write(text.replace("records:\n", "records:\n  push: {url: \"http://127.0.0.1:1/\", secret_file: %s}\n" % secret))
        return super().__enter__()


@MONITORING.scenario("histograms after a call; OpenMetrics has families, units, # EOF")
def formats(base):
    with Own(base, "formats") as house, App(house.demo, "bob") as bob, house.lab() as sip:
        d = Dialog(sip, BOB).invite(audio_sdp(4000))
        bob.answer(bob.incoming())
        d.ack(d.answer(200))
        d.bye()
        wait_for("the length of the call", lambda: house.metric("sallyport_call_length_seconds_count") == 1)
        check(house.metric('sallyport_call_setup_seconds_count{direction="in"}') == 1, "set-up")
        check(house.metric('sallyport_call_pdd_seconds_bucket{direction="in",le="+Inf"}') == 1, "post-dial delay")
        kind, text = page(house)
        check(kind.startswith("text/plain; version=0.0.4") and "# EOF" not in text, kind)
        kind, text = page(house, "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
        check(kind.startswith("application/openmetrics-text; version=1.0.0"), kind)
        check(text.endswith("\n# EOF\n") and text.count("# EOF") == 1, "the end")
        check("# UNIT sallyport_call_pdd_seconds seconds" in text, "units")
        types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        for name, what in types.items():
            check(what != "counter" or (not name.endswith("_total") and name + "_total" in samples(text)), "counter " + name)


@MONITORING.scenario("every metric of boards, alerts and documentation is on the page, and every one of the page is documented")
def names(base):
    with Sending(base, "names") as house:
        text = page(house)[1]
        have = samples(text)
        files = {name: open(PAGES + name, encoding="utf-8").read()
                 for name in ("overview.json", "trunks.json", "media.json", "security.json", "alerts.yaml")}
        for name, content in files.items():
            for metric in set(re.findall(r"\bsallyport_[a-z0-9_]+", content)):
                check(metric in have, "%s: %s is not on the page" % (name, metric))
            if name.endswith(".json"):
                check(json.loads(content)["panels"], name)
        spec = importlib.util.spec_from_file_location("boards", PAGES + "boards.py")
        boards = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(boards)
        for name in boards.BOARDS:
            check(boards.text(name) == files[name + ".json"], name + ".json is not what boards.py makes")
        if os.environ.get("SALLYPORT_WRITE_DOCS"):
            table_write(text)
        manual = open(MANUAL, encoding="utf-8").read()
        families = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
        told = set(re.findall(r"^\| `(sallyport_[a-z0-9_]+)` \|", manual, re.M))
        check(families == told, "not documented: %s; not there: %s" % (sorted(families - told), sorted(told - families)))
        for alert in re.findall(r"alert: (\w+)", files["alerts.yaml"]):
            check("| `%s` |" % alert in manual, alert + " is not in docs/monitoring.md")
