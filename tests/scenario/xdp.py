# SPDX-License-Identifier: Apache-2.0
"""Calls by AF_XDP over a veth pair between two network namespaces, in the jail, and what happens where it
cannot be. The address families, neighbours and routes are tests/unit/check_xdp's. Needs root. As a program
(in the namespaces that tests/load/benchline.py makes) it prints figures of one step."""
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("BUILDDIR", os.environ.get("SALLYPORT_BUILD", TOP + "/build"))
sys.path.insert(0, TOP + "/tests/load")
AF_XDP = ["--backend", "af_xdp", "--user", "nobody", "--xdp-interface"]


def datagrams():
    """How many the kernel's sockets of this namespace were given."""
    with open("/proc/self/net/snmp") as lines:
        names, values = [line.split()[1:] for line in lines if line.startswith("Udp:")]
    return int(values[names.index("InDatagrams")])


def has_program():
    return "xdp" in subprocess.run(["ip", "link", "show", "v0"], capture_output=True, text=True, check=True).stdout


def step(system, interface):
    import bench_media
    import benchline
    benchline.own_network()
    benchline.prepare()
    bench_media.OURS_MORE[:] = AF_XDP + [interface]
    have = benchline.cores()
    with benchline.workshop() as where:
        found = bench_media.step(system, where, have, 5, window=2)
        found["by_kernel"] = datagrams()
        with open(os.path.join(where, system + ".log")) as log:
            found["log"] = log.read()
        found["left"] = has_program()
        with bench_media.system("ours", where, have[0]):
            found["attached"] = has_program()
            process = next(p for p in benchline.PROCESSES if "sallyport-media" in str(p.args))
            process.kill()
            process.wait()
            found["survived"] = has_program()
    print(json.dumps(found))


if __name__ == "__main__":
    step(*sys.argv[1:])
    sys.exit(0)

from group import Group  # noqa: E402
from house import check  # noqa: E402

XDP = Group("xdp", shared=False, programs=["unshare", "nsenter", "ip", "taskset"], root=True)


def run(system, interface):
    done = subprocess.run([sys.executable, os.path.abspath(__file__), system, interface], capture_output=True, text=True,
                          timeout=60, check=False)
    check(done.returncode == 0, done.stdout + done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    check(found["lost"] == 0 and found["bad_auth"] == 0 and found["bad_payload"] == 0, found)
    check(found["sent"] >= 900 and found["checked"] == 1, found)
    return found


def past_the_kernel(system):
    found = run(system, "v0")
    if "no af_xdp on interface" in found["log"]:
        print("# AF_XDP is not to be had here: %s" % found["log"].split("no af_xdp", 1)[1].splitlines()[0], flush=True)
        return
    check("backend af_xdp" in found["log"], found["log"])
    check(found["by_kernel"] < found["sent"] // 20, "%d of %d by the kernel's sockets" % (found["by_kernel"], found["sent"]))
    check(found["attached"] and not found["left"] and not found["survived"], "the program stays when the process goes: %s" % found)


@XDP.scenario("five calls of two trunks by AF_XDP, past the kernel")
def trunks(_):
    past_the_kernel("ours")


@XDP.scenario("five calls of DTLS-SRTP clients to trunks by AF_XDP, past the kernel")
def clients(_):
    past_the_kernel("ours-webrtc")


@XDP.scenario("where AF_XDP cannot be, calls go by another backend, and the log says why")
def fallback(_):
    found = run("ours", "none")
    check('no af_xdp on interface "none": media.xdp_interface' in found["log"], found["log"])
    check(found["by_kernel"] >= found["sent"] and not found["attached"], found)
