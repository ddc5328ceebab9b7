#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench-xdp: CPU a packet at 600 calls over a veth pair: sallyport-media with AF_XDP and with kernel
sockets, rtpengine and the bare relay, alternately on one core; medians of three runs. Counted is the run
time of the process's threads, with what the kernel does in them when they send and receive; not what the
generator's side does when it sends. BENCH_XDP: the options that choose AF_XDP. BENCH_QUICK=1: one run.
Needs root (network namespaces)."""
import os
import sys

import bench_media as media
import benchline as b

CALLS = 600
XDP = os.environ.get("BENCH_XDP", "--backend af_xdp --xdp-interface v0").split()
NAMES = ["cpu_us_600", "p50_us", "p99_us", "lost"]


def one(name, more, where, cores):
    media.OURS_MORE[:] = more
    found = media.step(name, where, cores, CALLS)
    return {"cpu_us_600": found["cpu_us_packet"], "p50_us": found["p50_us"], "p99_us": found["p99_us"],
            "lost": found["lost"] + found["late"]}


def main():
    cores = b.cores()
    b.own_network()
    b.prepare()
    rows = {"af_xdp": ("ours", XDP), "kernel": ("ours", []), "rtpengine": ("rtpengine", []), "relay": ("relay", [])}
    found = {title: [] for title in rows}
    with b.workshop() as where:
        for _ in range(media.RUNS):
            for title, (name, more) in rows.items():
                try:
                    found[title].append(one(name, more, where, cores))
                except RuntimeError as error:  # no AF_XDP here: its figures are missing, and its goal with them
                    print(f"# {title}: {str(error).splitlines()[0]}", flush=True)
    results = {title: b.medians(runs) for title, runs in found.items()}
    b.table(NAMES, results)
    cpu = {title: result.get("cpu_us_600") for title, result in results.items()}
    ratios = {"cpu_600_of_peer": b.ratio(cpu["af_xdp"], cpu["rtpengine"]),
              "kernel_cpu_600_of_peer": b.ratio(cpu["kernel"], cpu["rtpengine"])}
    b.finish("xdp", {**results["af_xdp"], "kernel_cpu_us_600": cpu["kernel"]}, results["rtpengine"], results["relay"],
             ratios, {"cpu_600_of_peer": {"max": 0.25}, "lost": {"max": 0.0001}})
    return 0


if __name__ == "__main__":
    sys.exit(main())
