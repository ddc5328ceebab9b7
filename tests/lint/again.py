#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What runs failed tests once more excuses a slow machine only: a crash, a signal, a sanitizer's report, a hang, an answer
of 500 and a program that ended otherwise than it should stay failures, whatever the second run says. Each is planted here."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import signal
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/tests/scenario")
from group import Group  # noqa: E402
from house import Failed, Fault, House  # noqa: E402

bad = []


def check(good, what):
    if not good:
        bad.append(what)


# Test programs -------------------------------------------------------------------------------------

# The first run does this, the second is fine.
UNITS = {
    "echo '[----] x.c:1: Assertion Failed'; echo '[FAIL] p::x: (0.00s)'; exit 1": True,
    "echo 'no answer within 2 s'; exit 1": True,
    "echo '[----] x.c:1: Unexpected signal'; echo '[FAIL] p::x: CRASH!'; exit 1": False,
    "echo '[FAIL] p::x: (0.00s)'; exit 1": False,  # it left without a word
    "echo 'double free or corruption (out)'; exit 1": False,
    "kill -SEGV $$": False,
    "kill -KILL $$": False,
    'echo "AddressSanitizer: heap-use-after-free" >"${ASAN_OPTIONS#*log_path=}" ; exit 1': False,
    'echo "LeakSanitizer: detected" >"$(echo "$ASAN_OPTIONS" | sed "s/.*log_path=//; s/:.*//")".1; exit 0': False,
    'echo "WARNING: ThreadSanitizer: data race" >"${TSAN_OPTIONS#*log_path=}".1; exit 66': False,
}


def unit(words, excused):
    with tempfile.TemporaryDirectory() as d:
        program = d + "/test"
        with open(program, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n[ ! -e %s/ran ] || exit 0\n: >%s/ran\n%s\n" % (d, d, words))
        os.chmod(program, 0o755)
        env = {k: v for k, v in os.environ.items() if not k.endswith("SAN_OPTIONS")}
        done = subprocess.run(["sh", TOP + "/tests/run-one", program], env=env, capture_output=True, text=True, check=False)
        check((done.returncode == 0) == excused, "run-one and %r: status %d" % (words, done.returncode))


# Scenarios -----------------------------------------------------------------------------------------


def runner():
    loader = importlib.machinery.SourceFileLoader("runner", TOP + "/tests/scenario/run")
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner", loader))
    loader.exec_module(module)
    return module


def totals(fn):
    """(passed, failed) of a scenario that does this at first."""
    run, group = runner(), Group("planted", shared=False)
    with tempfile.TemporaryDirectory() as d:
        @group.scenario("it")
        def _(_base):
            if not os.path.exists(d + "/ran"):
                with open(d + "/ran", "w", encoding="ascii"):
                    fn()
        with contextlib.redirect_stdout(io.StringIO()):
            run.all_run([(group, group.scenarios)])
            for g, scenarios, whole in run.again:
                run.second_run(g, scenarios, whole, "")
    return run.totals["passed"], run.totals["failed"]


def throws(what):
    def fn():
        raise what
    return fn


def judged(ends="", run_log="", media_log="", killed=()):
    """What a house says that ended so."""
    house = House(0, "planted")
    try:
        for name, text in (("ends", ends), ("run.log", run_log), ("media.log", media_log), ("sallyportd.log", "")):
            with open(house.dir + "/" + name, "w", encoding="ascii") as f:
                f.write(text)
        house.killed.update(killed)
        house._judge()
        return None
    except Failed as failed:
        return type(failed)
    finally:
        for name in os.listdir(house.dir):
            os.unlink(house.dir + "/" + name)
        os.rmdir(house.dir)


for words, excused in UNITS.items():
    unit(words, excused)
check(totals(lambda: None) == (1, 0), "a good scenario")
check(totals(throws(Failed("late"))) == (1, 0), "a scenario that was late once")
check(totals(throws(Fault("500"))) == (0, 1), "a fault")
check(totals(lambda: os.kill(os.getpid(), signal.SIGKILL)) == (0, 1), "a scenario whose process is gone")
check(judged("sallyportd 7 0 asked\nmedia 8 0 asked\n") is None, "a good end")
check(judged("media 8 137 died\n", killed=[8]) is None, "killed on purpose")
check(judged("media 8 137 died\n") is Fault, "killed by another")
check(judged("sallyportd 7 0 died\n") is Fault, "ended unasked")
check(judged("sallyportd 7 139 asked\n") is Fault, "a crash at the end")
check(judged("media 8 137 asked\n", run_log="sallyport-media 8 did not end by itself after 150 tries\n") is Fault, "a hang at the end")
check(judged(media_log="x.c:3:4: runtime error: shift\n") is Fault, "a sanitizer's report")

for text in bad:
    print("excused wrongly: " + text)
print("%d plants, %d wrong" % (len(UNITS) + 11, len(bad)))
sys.exit(1 if bad else 0)
