# SPDX-License-Identifier: Apache-2.0
"""What the benches share: processes pinned to a core, the load generator, medians, the table and the
last line, a JSON object {"bench", "ours", "peer", "floor", "ratio", "goal", "held"}. A goal is
{"min": x} or {"max": x} for the ratio (or figure) of the same name; held: every one is met."""
import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

QUICK = bool(os.environ.get("BENCH_QUICK"))
BUILD = os.environ.get("BUILDDIR", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
PROCESSES = []
LIBC = ctypes.CDLL(None)
FAR = []  # the process that holds the generator's network namespace


def cores():
    """(the core of the system under test, the generator's)"""
    have = sorted(os.sched_getaffinity(0))
    if len(have) < 2:
        sys.exit("a bench needs two cores")
    return have[0], have[1]


def own_network():
    """Runs this program again in a network namespace of its own, 10.99.0.1, with the generator in another
    one (10.99.0.2, 10.99.0.3, and 10.98.0.0/16 for clients) behind a veth pair: Janus takes no address of
    loopback, and binds its sockets to the interface."""
    if os.geteuid() != 0:
        sys.exit("network namespaces need root")
    if os.environ.get("BENCH_NETWORK") != str(os.getppid()):
        os.environ["BENCH_NETWORK"] = str(os.getpid())
        os.execvp("unshare", ["unshare", "--net", "--fork", "--kill-child", sys.executable, *sys.argv])
    far = subprocess.Popen(["unshare", "--net", "--kill-child", "sleep", "3600"])
    PROCESSES.append(far)
    FAR.append(str(far.pid))
    near_net = os.readlink("/proc/self/ns/net")
    wait_for(lambda: os.readlink(f"/proc/{far.pid}/ns/net") != near_net, "the generator's network")
    for words in ("link set lo up", "link add v0 type veth peer name v1", f"link set v1 netns {far.pid}",
                  "addr add 10.99.0.1/24 dev v0", "link set v0 up", "route add 10.98.0.0/16 via 10.99.0.2"):
        subprocess.run(["ip", *words.split()], check=True)
    for words in ("link set lo up", "addr add 10.99.0.2/24 dev v1", "addr add 10.99.0.3/24 dev v1", "link set v1 up",
                  "route add local 10.98.0.0/16 dev lo"):
        subprocess.run(["nsenter", "-t", str(far.pid), "-n", "ip", *words.split()], check=True)


def address(last):
    """An address of this run alone: in a network of its own, or of loopback by the process id."""
    if os.environ.get("BENCH_NETWORK"):
        return f"10.99.0.{last}"
    pid = os.getpid()
    return f"127.{64 + pid // 62500 % 64}.{1 + pid // 250 % 250}.{last + 10 * (pid % 25)}"


def prepare(files=0):
    """Open files up to the hard limit, which has to allow so many (root raises it); ends that come by a signal
    clean up, too."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < files and os.geteuid() == 0:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
            hard = files
    if hard < files:
        sys.exit(f"this bench needs {files} open files a process, and the hard limit is {hard}: raise it (as root: "
                 f"ulimit -Hn {files}; or LimitNOFILE=, or /etc/security/limits.conf)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))


def go_as(nice):
    """In the child: a session of its own, as nice as that where this is allowed (a session's processes share one
    weight where autogroups are on); it ends with the bench, however that ends."""
    os.setsid()
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    with contextlib.suppress(OSError):
        os.nice(nice)
        with open("/proc/self/autogroup", "w") as group:
            group.write(str(nice))


def go_ahead():
    """Ahead of what else this machine does, both sides of a bench alike."""
    go_as(-15)


def go_second():
    """Ahead of that, too, but behind what is measured."""
    go_as(-8)


def pinned(core, arguments):
    return ["taskset", "-c", str(core), *map(str, arguments)]


def run_pinned(core, arguments, log, **more):
    with open(log, "ab") as out:
        process = subprocess.Popen(pinned(core, arguments), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   preexec_fn=go_ahead, **more)
    PROCESSES.append(process)
    return process


def end(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    PROCESSES.remove(process)


@contextlib.contextmanager
def workshop():
    """A directory for sockets and logs; every process that is left ends with it."""
    where = tempfile.mkdtemp(prefix="sp-bench-")
    try:
        yield where
    except BaseException:
        for name in os.listdir(where):
            if name.endswith(".log"):
                with open(os.path.join(where, name), errors="replace") as text:
                    sys.stderr.write(f"--- {name}\n" + text.read()[-2000:])
        raise
    finally:
        for process in list(PROCESSES):
            end(process)
        shutil.rmtree(where, ignore_errors=True)


def wait_for(check, what, seconds=10):
    until = time.monotonic() + seconds
    while not check():
        if time.monotonic() > until:
            raise RuntimeError(f"{what} did not come up")
        time.sleep(0.05)


def loadgen(core, arguments, seconds=60):
    """The generator's figures."""
    there = ["nsenter", "-t", FAR[0], "-n"] if FAR else []
    made = subprocess.run(there + pinned(core, [os.path.join(BUILD, "tests/load/loadgen"), *arguments]),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds, check=False,
                          preexec_fn=go_ahead)
    if made.returncode:
        raise RuntimeError(f"loadgen {' '.join(map(str, arguments))}: {made.stderr}")
    return json.loads(made.stdout.splitlines()[-1])


def sure(step, calls):
    """A step that failed is tried again, and oftener if it was the generator that came late."""
    found = step(calls)
    tries = 1
    while not found["passed"] and tries < (2 if found["behind"] < 0.001 else 5):
        time.sleep(0.3)
        found = step(calls)
        tries += 1
    return found


def find_max(step, start, ceiling):
    """The most calls that pass: (calls, that step's figures, the generator's share of late packets when
    the next step failed). step(calls) gives the generator's figures of a fresh process."""
    low, high, at, best, behind = 0, ceiling + 1, start, None, 0.0
    while high - low > 1 + high // 40 and at:
        found = sure(step, at)
        if found["passed"]:
            low, best = at, found
        else:
            high, behind = at, found["behind"]
        at = min(at + at // 5 + 1, ceiling) if high > ceiling else at * 3 // 4 if not low else (low + high) // 2
        if low == ceiling:
            break
    return low, best, behind


def memory_of_call(few, many):
    """KB of resident memory that a call more takes, out of two steps."""
    more = many["calls"] - few["calls"]
    return (many["rss_kb"] - few["rss_kb"]) / more if more > 0 else None


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def medians(runs):
    """Of a list of dicts of figures: a dict of medians."""
    return {key: median([run.get(key) for run in runs]) for key in runs[0]} if runs else {}


def ratio(a, b):
    return round(a / b, 3) if a is not None and b else None  # None: there was nothing to compare


def table(names, columns):
    """columns: {"ours": {...}, ...}; a line for each name."""
    print(f"{'':34}" + "".join(f"{title:>14}" for title in columns))
    for name in names:
        cells = [column.get(name) for column in columns.values()]
        texts = ["-" if v is None else f"{v:.5f}" if isinstance(v, float) and 0 < abs(v) < 0.01 else
                 f"{v:.2f}" if isinstance(v, float) else str(v) for v in cells]
        print(f"{name:34}" + "".join(f"{text:>14}" for text in texts))
    sys.stdout.flush()


def meets(value, goal):
    return value is not None and value >= goal.get("min", float("-inf")) and value <= goal.get("max", float("inf"))


def finish(bench, ours, peer, floor, ratios, goals):
    """Says which goals are missed, and the last line."""
    found = {**ours, **ratios}
    missed = [name for name, goal in goals.items() if not meets(found.get(name), goal)]
    for name in missed:
        print(f"missed: {name} is {found.get(name)}, goal {goals[name]}")
    tidy = [{k: round(v, 6) if isinstance(v, float) else v for k, v in d.items()} for d in (ours, peer, floor)]
    print(json.dumps({"bench": bench, "ours": tidy[0], "peer": tidy[1], "floor": tidy[2], "ratio": ratios,
                      "goal": goals, "held": not missed}), flush=True)
