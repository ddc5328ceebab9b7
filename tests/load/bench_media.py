#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench-media: calls a core, CPU a packet, delay and memory of sallyport-media, of rtpengine and of
the bare relay, alternately on one core with the same generator on another; medians of three runs.
BENCH_QUICK=1: one short run. BENCH_PLAIN=1: plain RTP on both legs. BENCH_OURS: more options for
sallyport-media. BENCH_VETH=1: over a veth pair, the generator in a network namespace of its own. Above 1,000 calls the generator opens every packet of one call in 4 (above 1,600: in 10)
and looks at the length, SSRC and sequence of the others. generator_behind is the share of packets that
the generator itself sent 10 ms late in the step that failed: above 0.001 the maximum is the generator's."""
import contextlib
import glob
import os
import sys
import time

import benchline as b

RUNS = 1 if b.QUICK else 3
WINDOW = 1 if b.QUICK else 3
CEILING = {"ours": 4000, "rtpengine": 3000, "relay": 4500}
PLAIN = ["--plain"] if os.environ.get("BENCH_PLAIN") else []
OURS_MORE = os.environ.get("BENCH_OURS", "").split()
NAMES = ["calls", "cpu_us_350", "cpu_us_600", "cpu_us_max", "p50_us_idle", "p99_us_idle", "p50_us_half", "p99_us_half",
         "memory_kb_call", "overload_late", "overload_refused", "generator_behind"]


@contextlib.contextmanager
def system(name, where, core, count=[0]):
    """Starts it; gives the generator's arguments to reach it."""
    count[0] += 1
    log, ip = os.path.join(where, f"{name}.log"), b.address(1)
    path = os.path.join(where, f"{name}{count[0]}.sock")
    if name.startswith("ours"):
        process = b.run_pinned(core, [os.path.join(b.BUILD, "sallyport-media"), "--socket", path, "--address", ip,
                                      "--trunk-ports", "10000-31999", "--max-sessions", 16000, *OURS_MORE], log)
        b.wait_for(lambda: os.path.exists(path), name)
        control = path
    elif name == "relay":
        process = b.run_pinned(core, [os.path.join(b.BUILD, "tests/load/relay"), path, ip], log)
        b.wait_for(lambda: os.path.exists(path), name)
        control = path
    elif name == "janus":
        process = janus_start(core, where, path, ip, log)
        control = path
    else:
        control = f"{ip}:9{900 + count[0] % 99:03d}"
        process = b.run_pinned(core, ["rtpengine", "--config-file=none", "--table=-1", "--foreground", "--log-stderr",
                                      "--log-level=3", f"--interface={ip}", f"--listen-ng={control}",
                                      "--port-min=10000", "--port-max=60000", "--num-threads=1",
                                      "--delete-delay=0"], log, cwd=where)
        b.wait_for(lambda: listens(control), name)
    try:
        shared = "-shared" if name == "ours" and os.environ.get("BENCH_SHARED") else ""  # trunk ports
        yield ["--system", name + shared, "--control", control, "--pid", process.pid, "--local-a", b.address(2),
               "--local-b", b.address(3), *PLAIN,
               *(["--clients", "10.98.0.0"] if os.environ.get("BENCH_NETWORK") else [])]
    finally:
        b.end(process)


def janus_start(core, where, path, ip, log):
    """Now and then Janus 1.1.2 gives up at start (its Unix socket's thread ends before it is marked as
    ready): then again."""
    for _ in range(10):
        process = b.run_pinned(core, ["janus", "--configs-folder", janus_folder(where, path, ip), "--log-stdout",
                                      "--disable-colors"], log)
        b.wait_for(lambda: os.path.exists(path) or process.poll() is not None, "janus")
        time.sleep(0.5)
        if process.poll() is None:
            return process
        b.end(process)
    raise RuntimeError("janus did not come up")


def janus_folder(where, path, ip):
    """Janus with its NoSIP plugin alone, driven by a Unix socket; ICE-lite, a thread for each handle (its default, and the better on one core)."""
    folder = os.path.join(where, "janus")
    libraries = glob.glob("/usr/lib/*/janus")[0]
    others = {part: ",".join(sorted(os.path.basename(f) for f in glob.glob(f"{libraries}/{part}/*.so")
                                    if os.path.basename(f) not in ("libjanus_nosip.so", "libjanus_pfunix.so")))
              for part in ("plugins", "transports")}
    texts = {
        "janus.jcfg": f"""general: {{ configs_folder = "{folder}"
 plugins_folder = "{libraries}/plugins"
 transports_folder = "{libraries}/transports"
 debug_level = 2
 session_timeout = 0
 event_loops = {os.environ.get("BENCH_JANUS_LOOPS", "0")} }}
media: {{ rtp_port_range = "10000-34999" }}
nat: {{ ice_lite = true
 ice_enforce_list = "v0" }}
plugins: {{ disable = "{others['plugins']}" }}
transports: {{ disable = "{others['transports']}" }}
""",
        "janus.plugin.nosip.jcfg": f'general: {{ local_ip = "{ip}"\n rtp_port_range = "35000-60000"\n events = false }}\n',
        "janus.transport.pfunix.jcfg": f'general: {{ enabled = true\n events = false\n json = "compact"\n path = "{path}"\n'
                                       ' type = "SOCK_SEQPACKET" }\nadmin: { admin_enabled = false }\n'}
    os.makedirs(folder, exist_ok=True)
    for name, text in texts.items():
        with open(os.path.join(folder, name), "w") as out:
            out.write(text)
    return folder


def listens(control):
    ip, port = control.split(":")
    want = "".join(f"{int(part):02X}" for part in reversed(ip.split("."))) + f":{int(port):04X}"
    with open("/proc/net/udp") as lines:
        return any(want in line for line in lines)


def step(name, where, cores, calls, more=(), window=WINDOW):
    check = 1 if calls <= 1000 else 4 if calls <= 1600 else 10  # the generator's core is one, too
    with system(name, where, cores[0]) as reach:
        return b.loadgen(cores[1], [*reach, "--calls", calls, "--seconds", window, "--check", check, *more])


def measure(name, where, cores, start):
    """One run of one system: its figures. Each step has a fresh process: after an overload rtpengine
    gives streams up for good."""
    calls, best, behind = b.find_max(lambda n: step(name, where, cores, n), start, CEILING[name])
    found = {"calls": calls, "cpu_us_max": best["cpu_us_packet"] if best else None, "generator_behind": behind}
    at_350 = step(name, where, cores, 350)
    at_600 = step(name, where, cores, 600)
    idle = step(name, where, cores, 10)
    half = step(name, where, cores, max(calls // 2, 10))
    found.update(cpu_us_350=at_350["cpu_us_packet"], cpu_us_600=at_600["cpu_us_packet"], p50_us_idle=idle["p50_us"], p99_us_idle=idle["p99_us"],
                 p50_us_half=half["p50_us"], p99_us_half=half["p99_us"],
                 memory_kb_call=b.memory_of_call(idle, half))
    if name != "relay":
        over = step(name, where, cores, calls * 6 // 5, ["--ramp", 400], 2 * WINDOW)
        found.update(overload_late=over["late"] + over["lost"], overload_refused=over["refused"])
    print(f"# {name}: {found}", flush=True)
    return found


def main():
    cores = b.cores()
    if os.environ.get("BENCH_VETH"):
        b.own_network()
    b.prepare()
    found = {"relay": [], "ours": [], "rtpengine": []}
    with b.workshop() as where:
        for _ in range(RUNS):
            for name, runs in found.items():
                start = int(runs[-1]["calls"] * 0.9) if runs else {"rtpengine": 400}.get(name, 1000)
                runs.append(measure(name, where, cores, max(start, 50)))
    ours, peer, floor = (b.medians(found[name]) for name in ("ours", "rtpengine", "relay"))
    b.table(NAMES, {"ours": ours, "rtpengine": peer, "bare relay": floor})
    ratios = {"calls_of_peer": b.ratio(ours["calls"], peer["calls"]),
              "calls_of_floor": b.ratio(ours["calls"], floor["calls"]),
              "cpu_350_of_peer": b.ratio(ours["cpu_us_350"], peer["cpu_us_350"]),
              "cpu_600_of_peer": b.ratio(ours["cpu_us_600"], peer["cpu_us_600"]),
              "p50_idle_of_peer": b.ratio(ours["p50_us_idle"], peer["p50_us_idle"]),
              "memory_of_peer": b.ratio(ours["memory_kb_call"], peer["memory_kb_call"])}
    goals = {"calls_of_peer": {"min": 2.2}, "calls_of_floor": {"min": 0.85}, "cpu_350_of_peer": {"max": 0.333},
             "p50_idle_of_peer": {"max": 1.0}, "p99_us_half": {"max": 1000}, "memory_kb_call": {"max": 20},
             "memory_of_peer": {"max": 0.45}, "overload_late": {"max": 0.001}}
    b.finish("media", ours, peer, floor, ratios, goals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
