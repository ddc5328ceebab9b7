#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench-webrtc: DTLS-SRTP clients (ICE, each with an address of its own) to SRTP trunks with SDES
keys, through sallyport-media and through Janus with its NoSIP plugin, alternately on one core, over a veth
pair; medians of three runs. Then 300 DTLS handshakes a second beside 500 calls. BENCH_QUICK=1: one short
run. Needs root (network namespaces)."""
import sys

import bench_media as media
import benchline as b

START = {"ours-webrtc": 400, "janus": 50}
CEILING = {"ours-webrtc": 3000, "janus": 1500}
NAMES = ["calls", "cpu_us_50", "cpu_us_max", "p50_us_half", "p99_us_half", "memory_kb_call", "generator_behind",
         "handshakes_s", "handshakes_late"]
HANDSHAKES = 300


def measure(name, where, cores, start):
    calls, best, behind = b.find_max(lambda n: media.step(name, where, cores, n), start, CEILING[name])
    at_50 = media.step(name, where, cores, 50)
    idle = media.step(name, where, cores, 10)
    half = media.step(name, where, cores, max(calls // 2, 10))
    found = {"calls": calls, "cpu_us_max": best["cpu_us_packet"] if best else None, "generator_behind": behind,
             "cpu_us_50": at_50["cpu_us_packet"], "p50_us_half": half["p50_us"], "p99_us_half": half["p99_us"],
             "memory_kb_call": b.memory_of_call(idle, half)}
    if name != "janus":
        beside = media.step(name, where, cores, 500, ["--churn", HANDSHAKES], 2 * media.WINDOW)
        found.update(handshakes_s=beside["handshakes_s"], handshakes_late=beside["late"] + beside["lost"])
    print(f"# {name}: {found}", flush=True)
    return found


def main():
    cores = b.cores()
    b.own_network()
    b.prepare()
    found = {"janus": [], "ours-webrtc": []}
    with b.workshop() as where:
        for _ in range(media.RUNS):
            for name, runs in found.items():
                start = int(runs[-1]["calls"] * 0.9) if runs else START[name]
                runs.append(measure(name, where, cores, max(start, 20)))
    ours, peer = b.medians(found["ours-webrtc"]), b.medians(found["janus"])
    b.table(NAMES, {"ours": ours, "janus": peer})
    ratios = {"calls_of_peer": b.ratio(ours["calls"], peer["calls"]),
              "cpu_50_of_peer": b.ratio(ours["cpu_us_50"], peer["cpu_us_50"]),
              "memory_of_peer": b.ratio(ours["memory_kb_call"], peer["memory_kb_call"])}
    goals = {"calls_of_peer": {"min": 5}, "handshakes_s": {"min": HANDSHAKES * 0.98}, "handshakes_late": {"max": 0}}
    b.finish("webrtc", ours, peer, {}, ratios, goals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
