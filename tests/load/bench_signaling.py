#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench-signaling: bridged calls for each CPU-second of one core, SIP trunk to SIP trunk and SIP
trunk to native users, through sallyportd (policy, routing, records and media commands included), beside a
bare back-to-back user agent on sofia's nta and Kamailio's stateful relay. The system under test is on one
core; generator, peers and sallyport-media on another. For each system the highest rate at which no call is
lost is searched in short steps; then it runs for 60 s at 0.8 of that, again without a loss, and what counts
is calls by the processor time of all its threads. Set-up delay is what the system adds to the INVITE on its
way there and to the 200 on its way back, at half of that load. Memory: both programs, what one more call
held with SRTP on both legs takes. BENCH_QUICK=1: shorter."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import benchline as b

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenario"))
import lib_gateway  # noqa: E402
import natgen  # noqa: E402

STEP_S = 3 if b.QUICK else 5
LONG_S = 10 if b.QUICK else 60
HELD = 1000 if b.QUICK else 2000
HELD_RATE, WARM = 20, 700
START, CEILING = 200, 8000
UAC, UAS, PORT = "127.0.0.2", "127.0.0.3", 15060
MODULES = "/usr/lib/%s-linux-gnu/kamailio/modules" % os.uname().machine
KAMAILIO = """debug=-1
log_stderror=yes
fork=yes
children=1
auto_aliases=no
tcp_children=1
disable_tcp=yes
mpath="%s"
listen=udp:127.0.0.1:%d
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "siputils.so"
loadmodule "textops.so"
request_route {
  if (has_totag()) {
    loose_route();
    t_relay();
    exit;
  }
  if (is_method("INVITE")) record_route();
  $du = "sip:%s:%d";
  t_relay();
}
"""


class Gateway(lib_gateway.Gateway):
    """Both programs, the one under test on its core, the other beside the generator. Timelines are off, as no
    other system here keeps any; BENCH_TRACE=all has them on."""

    trace = os.environ.get("BENCH_TRACE", "none")

    def __init__(self, cores, users):
        self.cores = cores
        rules = """  - {name: over, from: trunk, called: {prefix: ["+1555"]}, then: {trunk: far}}\n"""
        for user, number in users.items():
            rules = """  - {name: %s, from: trunk, called: {prefix: ["%s"]}, then: {user: %s}}\n""" % (user, number, user) + rules
        super().__init__({u: {"display": u, "numbers": [n + "00000000"]} for u, n in users.items()}, rules, 0,
                         service=natgen.SERVICE if users else "")

    def _configuration(self, users, service, base):
        text = super()._configuration(users, service, base)
        head, tail = text.split("trunks:\n")
        users = tail[tail.index("users:\n"):]
        head = head.replace("log_level: debug", "log_level: warn, max_calls: 100000")
        head = head.replace("records: {", "records: {trace: %s, " % self.trace)
        head = head.replace(f"trunk_port_min: {base}", "trunk_port_min: 16000")
        head = head.replace(f"native_port: {self.native_port}", "native_port: 15500")
        head = head.replace(f"trunk_port_max: {base + 399}", "trunk_port_max: 60000")
        many = "max_calls: 100000, max_calls_per_s: 10000, suites: [AES_CM_128_HMAC_SHA1_80]"
        return head + f"""trunks:
  - {{name: near, listener: lab, peers: [{UAC}], {many}}}
  - {{name: far, listener: lab, peers: [{UAS}], target: "sip:{UAS}:{PORT}", {many}}}
""" + users.replace("users:\n", "users:\n" if len(users) > 8 else "users: []\n")

    def _program(self, name):
        core = self.cores[0] if name == "sallyportd" else self.cores[1]
        self.programs[name] = b.run_pinned(core, [os.path.join(b.BUILD, name), "--config", self.dir + "/sallyport.yaml"],
                                           f"{self.dir}/{name}.log")


@contextlib.contextmanager
def system(name, where, cores, users=None):
    """Gives (address, pids whose processor time counts, the gateway or None)."""
    if name == "ours":
        with Gateway(cores, users or {}) as g:
            try:
                yield f"127.0.0.1:{g.sip_port}", [g.programs["sallyportd"].pid], g
            finally:
                print("".join(f"# {fault}\n" for fault in g.stop()), end="")
                for p in g.programs.values():
                    b.PROCESSES.remove(p)
                g.remove()
        return
    log = os.path.join(where, name + ".log")
    if name == "floor":
        process = b.run_pinned(cores[0], [os.path.join(b.BUILD, "tests/load/nta_b2bua"), "127.0.0.1", PORT, UAS, PORT], log)
    else:
        with open(os.path.join(where, "kamailio.cfg"), "w", encoding="utf-8") as f:
            f.write(KAMAILIO % (MODULES, PORT, UAS, PORT))
        process = b.run_pinned(cores[0], ["kamailio", "-DD", "-E", "-m", "512", "-M", "64", "-Y", where, "-w", where,
                                          "-f", f.name], log)
    time.sleep(1.5)
    pids = family(process.pid)
    try:
        if process.poll() is not None:
            raise RuntimeError(f"{name} did not start")
        yield f"127.0.0.1:{PORT}", pids, None
    finally:
        b.end(process)
        for pid in pids[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)


def family(pid):
    """A process and its children (pinned() execs, so pid is the program's)."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
            for child in f.read().split():
                found += family(int(child))
    return found


def cpu_s(pids):
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
    return total / 1e9


def rss_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def generator(cores, address, rate, seconds, *more):
    arguments = [os.path.join(b.BUILD, "tests/load/sipgen"), "--target", address, "--uac", f"{UAC}:{PORT + 1}",
                 "--uas", f"{UAS}:{PORT}", "--rate", rate, "--seconds", seconds, *more]
    return subprocess.Popen(b.pinned(cores[1], arguments), stdout=subprocess.PIPE, text=True, preexec_fn=b.go_ahead)


def step(cores, address, pids, rate, seconds, *more):
    before, begin = cpu_s(pids), time.monotonic()
    out = generator(cores, address, rate, seconds, *more).communicate(timeout=seconds + 60)[0]
    found = json.loads(out.splitlines()[-1])
    used = cpu_s(pids) - before
    found.update(rate=rate, calls_cpu_s=found["completed"] / used if used else None,
                 cpu=used / (time.monotonic() - begin), passed=found["completed"] == found["offered"])
    return found


def find_max(run):
    """The highest rate without a loss."""
    low, high, rate = 0, None, START
    while high is None or high - low > 1 + high // 16:
        found = run(rate)
        if not found["passed"]:
            time.sleep(1)
            found = run(rate)
        low, high = (rate, high) if found["passed"] else (low, rate)
        rate = rate * 3 // 2 if high is None else (low + high) // 2
        if rate > CEILING or rate < 10:
            break
    return low


def measure(name, where, cores, users=None):
    secured = ["--srtp"] if name == "ours" else []
    with system(name, where, cores, users) as (address, pids, gateway):
        with natgen.answering(gateway, users, cores[1]) if users else contextlib.nullcontext():
            if users:
                secured += ["--native", str(natgen.USERS), "--hold", "2500"]
            rate = find_max(lambda r: step(cores, address, pids, r, STEP_S, *secured)) * 8 // 10
            while True:
                long = step(cores, address, pids, max(rate, 10), LONG_S, *secured)
                if long["passed"] or rate < 20:
                    break
                rate = rate * 85 // 100
            half = step(cores, address, pids, max(rate // 2, 10), STEP_S * 2, *secured)
    found = {"calls_cpu_s": long["calls_cpu_s"], "rate": long["rate"], "cpu": long["cpu"], "lost": long["offered"] - long["completed"],
             "p99_us": long["p99_us"], "p50_us_half": half["p50_us"], "p99_us_half": half["p99_us"]}
    print(f"# {name}{' native' if users else ''}: {found} {long['codes']}", flush=True)
    return found


def memory(cores, where):
    """KiB of both programs for one more call held with SRTP on both legs. The transactions of a set-up live
    half a minute longer than it takes: they are of the rate and not of the calls, so both runs come at the
    same rate, for longer than that, and are looked at when the last ones are over."""
    sizes = []
    for calls in (WARM, WARM + HELD):
        with system("ours", where, cores) as (address, _, gateway):
            process = generator(cores, address, HELD_RATE, calls // HELD_RATE, "--srtp", "--hold-all")
            line = process.stdout.readline()
            time.sleep(36)
            sizes.append((int(line.split()[1]), sum(rss_kb(p.pid) for p in gateway.programs.values())))
            process.kill()
            process.wait()
    (few, low), (many, high) = sizes
    return (high - low) / (many - few) if many > few else None


def main():
    cores = b.cores()
    b.prepare()
    with b.workshop() as where:
        ours, floor, peer = (measure(name, where, cores) for name in ("ours", "floor", "kamailio"))
        native = measure("ours", where, cores, natgen.users())
        ours["memory_kb_call"] = memory(cores, where)
    ours.update({"native_" + key: value for key, value in native.items()})
    b.table(["calls_cpu_s", "rate", "cpu", "lost", "p99_us", "p50_us_half", "p99_us_half", "native_calls_cpu_s", "native_rate",
             "native_lost", "memory_kb_call"], {"ours": ours, "nta b2bua": floor, "kamailio": peer})
    ratios = {"calls_of_floor": b.ratio(ours["calls_cpu_s"], floor["calls_cpu_s"]),
              "calls_of_peer": b.ratio(ours["calls_cpu_s"], peer["calls_cpu_s"]),
              "native_calls_of_floor": b.ratio(native["calls_cpu_s"], floor["calls_cpu_s"])}
    goals = {"calls_of_floor": {"min": 0.6}, "p99_us_half": {"max": 5000}, "memory_kb_call": {"max": 40}, "lost": {"max": 0},
             "native_lost": {"max": 0}}
    b.finish("signaling", ours, peer, floor, ratios, goals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
