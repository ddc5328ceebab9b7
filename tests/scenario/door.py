# SPDX-License-Identifier: Apache-2.0
"""The service door against its contract: contract.py in a process of its own, with a gateway of its own."""
import os
import subprocess
import sys

from group import Group
from house import Fault, check

here = os.path.dirname(os.path.abspath(__file__))


def kept(*args):
    done = subprocess.run([sys.executable, here + "/contract.py", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lines = done.stdout.splitlines()
    bad, of_bad = [], False
    for line in lines:
        of_bad = line.startswith("not ok ") or (of_bad and line.startswith("  "))
        if of_bad:
            bad.append(line[:600])
    print("\n".join(line for line in lines if line.startswith("again ")), flush=True)
    if any(line.startswith("not ok contract: the programs' end") for line in bad):
        raise Fault("\n".join(bad))
    check(done.returncode == 0, "\n".join(bad or lines[-20:]) + "\n" + (lines[-1] if lines else ""))
    print("# contract.py: " + lines[-1], flush=True)


DOOR = Group("service door", shared=False)
DOOR_LONG = Group("service door for long", shared=False, long=True)


@DOOR.scenario("each statement of native-signaling.md")
def statements(_):
    kept()


@DOOR_LONG.scenario("what takes ten minutes")
def ten_minutes(_):
    kept("--long", "--only", "10 minutes")
