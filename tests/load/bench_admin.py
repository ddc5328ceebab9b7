#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench-admin: what operators cost and what they get. Both programs, 1,000 live calls (some with audio), a
database of 1,000,000 records; then 10,000 event streams. Sallyportd and the operators' generators are on one core,
sallyport-media and the generator of calls and audio on the other. Measured: plain requests for each CPU-second
beside a bare libmicrohttpd reply (alternately, before the load); delay and loss of audio without and with
operators, at the same few new calls a second; with operators: p50 and p95 of /metrics and of each page's data, of
searches, how old an overview is when it arrives, memory of a stream. In a part of its own: event streams over TLS.
Streams come and go in rounds, so that both states see the same machine. BENCH_QUICK=1: fewer of all. BENCH_PARTS
(plain, streams, tls): streams and what else is wanted. BENCH_STREAMS, BENCH_TLS, BENCH_MEDIA: other numbers of streams, of those over TLS and
of calls with audio (BENCH_RECORDS: of records). It takes some five minutes (quick: one), writes to $TMPDIR only (0.7 GB) and leaves nothing behind."""
import contextlib
import http.client
import json
import os
import random
import ssl
import statistics
import subprocess
import sys
import time
import urllib.request

import benchline as b
import bench_signaling

TLS_STREAMS = int(os.environ.get("BENCH_TLS", 400 if b.QUICK else 2000))
STREAMS = int(os.environ.get("BENCH_STREAMS", 2000 if b.QUICK else 10000))
CALLS = 200 if b.QUICK else 1000
SPEAKING = int(os.environ.get("BENCH_MEDIA", 50 if b.QUICK else 200))
RECORDS = int(os.environ.get("BENCH_RECORDS", 50000 if b.QUICK else 1000000))
ROUNDS = 1 if b.QUICK else 3  # without and with streams, in turn
PAGE_ROUNDS = 8 if b.QUICK else 13  # in each
ASKS = 40 if b.QUICK else 200
RUNS, RUN_S = (3, 1) if b.QUICK else (11, 2)
WINDOW_S = 5 if b.QUICK else 10
CHURN = 40  # new calls a second meanwhile, of 2 s each: more than 1,000 set-ups in each state
PARTS = os.environ.get("BENCH_PARTS", "plain,streams,tls").split(",")
PLAIN, CONNECTIONS = "/admin/v1/me", 32
PORT = 15060
SPREAD = 20  # addresses that the streams come from


def figures(values_ms):
    """(p50, p95, the longest)"""
    values = sorted(values_ms)
    return statistics.median(values), values[(len(values) - 1) * 95 // 100], values[-1]


class Gateway(bench_signaling.Gateway):
    """Sallyportd on the first core, sallyport-media on the second; addresses of this run alone."""

    trace = "all"

    def __init__(self, cores, records):
        self.records, self.here, self.uac, self.uas, self.other = records, *(b.address(i) for i in range(1, 5))
        super().__init__(cores, {})

    def _configuration(self, users, service, base):
        text = super()._configuration(users, service, base)
        for old, new in ((f"127.0.0.1:{self.sip_port}", f"{self.here}:{self.sip_port}"),
                         ("addresses: [{address: 127.0.0.1}]", f"addresses: [{{address: {self.here}}}]"),
                         (bench_signaling.UAC, self.uac), (bench_signaling.UAS, self.uas),
                         ("suites: [AES_CM_128_HMAC_SHA1_80]", "srtp: off, media_timeout_s: 86400"),
                         (f"file: {self.dir}/state/records.db", f"file: {self.records}"),
                         (f"token_file: {self.dir}", f"streams_max: {STREAMS + 16}, token_file: {self.dir}")):
            assert old in text, old
            text = text.replace(old, new)
        far = next(line for line in text.split("\n") if "{name: far," in line)
        return text.replace(far, far + "\n" + far.replace("name: far", "name: coming").replace(self.uas, self.other))

    def _write(self, name, text):
        if name == "plan.yaml":
            text += """  - {name: coming, from: trunk, called: {prefix: ["+1777"]}, then: {trunk: coming}}\n"""
        super()._write(name, text)


class TlsGateway(Gateway):
    """The same with a certificate at the operators' door."""

    def _configuration(self, users, service, base):
        return super()._configuration(users, service, base).replace(
            "admin: {", f"admin: {{certificate: {self.dir}/gw.pem, key: {self.dir}/gw.key, ")

    def _is_ready(self):
        context = ssl.create_default_context(cafile=self.ca)
        try:
            with urllib.request.urlopen(f"https://localhost:{self.admin_port}/readyz", timeout=1, context=context) as answer:
                return answer.status == 200
        except OSError:
            return False


class Client:
    """One operator's connection, kept."""

    def __init__(self, gateway):
        self.used = time.monotonic()
        self.host = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=60)
        self.head = {"Authorization": "Bearer " + gateway.admin_token, "Content-Type": "application/json"}

    def ask(self, method, path, body=None):
        """(milliseconds, the answer's bytes)"""
        if time.monotonic() - self.used > 10:
            self.host.close()  # the gateway ends a connection that is idle for 30 s; the next request opens one
        self.used = began = time.monotonic()
        self.host.request(method, path, body=None if body is None else json.dumps(body), headers=self.head)
        answer = self.host.getresponse()
        text = answer.read()
        ms = (time.monotonic() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
        return ms, text

    def json(self, path):
        return json.loads(self.ask("GET", path)[1])


def pages(client):
    """name: (method, path, body) of what the console's pages ask for."""
    v1 = "/admin/v1/"
    call, record = client.json(v1 + "calls?limit=1")["calls"][0]["id"], client.json(v1 + "records?limit=1")["records"][0]["id"]
    text = client.json(v1 + "config")["text"]
    got = {name: ("GET", v1 + path, None) for name, path in (
        ("overview", "overview"), ("trunks", "trunks"), ("trunk", "trunks/near"), ("calls", "calls"), ("call", f"calls/{call}"),
        ("timeline", f"calls/{call}/timeline"), ("records", "records?limit=50"), ("record", f"records/{record}"),
        ("routes", "routes"), ("numbers", "numbers"), ("bans", "bans"), ("refusals", "refusals"), ("certificates", "certificates"),
        ("config", "config"), ("history", "config/history?limit=50"), ("alarms", "alarms"), ("audit", "audit?limit=100"),
        ("users", "users"), ("api-tokens", "api-tokens"), ("doctor", "doctor"), ("system", "system"), ("openapi", "openapi.json"))}
    got["metrics"], got["console"] = ("GET", "/metrics", None), ("GET", "/", None)
    got["number-test"] = ("POST", v1 + "routes/test", {"called": "+155500000001", "caller": "+14440000001", "trunk": "near"})
    got["diff"] = ("POST", v1 + "config/diff", {"text": text.replace("log_level: warn", "log_level: info")})
    return got


def ask_pages(client, wanted):
    """name: (milliseconds of each, bytes), asked in turn with pauses as long as an answer took."""
    took, size = {name: [] for name in wanted}, {}
    for _ in range(PAGE_ROUNDS):
        for name, (method, path, body) in wanted.items():
            ms, text = client.ask(method, path, body)
            took[name].append(ms)
            size[name] = len(text)
            time.sleep(min(ms, 20) / 1000)
    return {name: (ms, size[name]) for name, ms in took.items()}


def ask_records(client):
    """Milliseconds of pages of 50, by what bench_records made."""
    draw, skewed = random.Random(1).randrange, lambda n: min(draw(n), draw(n)) ** 2 // n
    questions = (lambda: f"number=%2B1425{skewed(300000):07d}", lambda: f"trunk=carrier{draw(40)}", lambda: f"user=user{skewed(20000)}",
                 lambda: "reason=media_failure", lambda: f"trunk=carrier{draw(40)}&reason=busy", lambda: f"q=%2B1425{skewed(3000):05d}",
                 lambda: f"q={draw(1 << 18):05x}", lambda: f"tenant=tenant{draw(50)}&state=refused", lambda: "limit=50")
    return [client.ask("GET", "/admin/v1/records?" + questions[i % len(questions)]())[0] for i in range(ASKS)]


def generator(core, arguments, token=None, preexec_fn=b.go_ahead):
    env = dict(os.environ, **({"HTTPGEN_TOKEN": token} if token else {}))
    process = subprocess.Popen(b.pinned(core, [os.path.join(b.BUILD, "tests/load", arguments[0]), *arguments[1:]]),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, preexec_fn=preexec_fn)
    b.PROCESSES.append(process)
    return process


def plain(cores, gateway, floor_port, body_bytes):
    """Requests for each CPU-second of the server, ours and the floor's in turn, each first in every other round:
    medians, and the median of the rounds' ratios."""
    floor = generator(cores[0], ["mhd_floor", str(floor_port), str(body_bytes)])
    if floor.stdout.readline() != "ready\n":
        raise RuntimeError("mhd_floor did not start")
    found = {"ours": [], "floor": []}
    both = [("ours", gateway.admin_port, gateway.programs["sallyportd"].pid), ("floor", floor_port, floor.pid)]
    for _ in range(RUNS):
        both.reverse()
        for name, port, pid in both:
            before = bench_signaling.cpu_s([pid])
            asked = generator(cores[1], ["httpgen", "--target", f"127.0.0.1:{port}", "--connections", str(CONNECTIONS),
                                         "--seconds", str(RUN_S), "--path", PLAIN], gateway.admin_token)
            line = json.loads(asked.communicate()[0].splitlines()[-1])
            b.PROCESSES.remove(asked)
            if line["failed"] or line["refused"]:
                raise RuntimeError(f"{name}: {line}")
            found[name].append({"requests_cpu_s": line["answers"] / (bench_signaling.cpu_s([pid]) - before),
                                "requests_s": line["answers"] / line["seconds"], "request_p95_ms": line["p95_ms"]})
    b.end(floor)
    ratios = [o["requests_cpu_s"] / f["requests_cpu_s"] for o, f in zip(found["ours"], found["floor"])]
    print(f"# plain: ratios of the rounds {[round(r, 3) for r in ratios]}", flush=True)
    return b.medians(found["ours"]), b.medians(found["floor"]), round(b.median(ratios), 3)


class Calls:
    """CALLS held calls of which SPEAKING have audio; a line of input ends a window of it."""

    def __init__(self, cores, gateway):
        self.process = generator(cores[1], [
            "sipgen", "--target", f"{gateway.here}:{gateway.sip_port}", "--uac", f"{gateway.uac}:{PORT + 1}", "--uas",
            f"{gateway.uas}:{PORT}", "--rate", "50", "--seconds", str(CALLS // 50), "--hold-all", "--media", str(SPEAKING)])
        held = int(self.process.stdout.readline().split()[1])
        if held != CALLS:
            raise RuntimeError(f"{held} of {CALLS} calls were answered")

    def mark(self):
        """Figures of the window that ends now."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def churn(cores, gateway):
    """A few calls that come and go, so that there is something to tell; their set-up is measured."""
    return generator(cores[1], ["sipgen", "--target", f"{gateway.here}:{gateway.sip_port}", "--uac", f"{gateway.uac}:{PORT + 3}",
                                "--uas", f"{gateway.other}:{PORT}", "--prefix", "1777", "--rate", str(CHURN), "--seconds", str(WINDOW_S), "--hold", "2000", "--delays"])


def window(cores, gateway, calls, client, wanted):
    """Pages, audio and set-up of calls in one stretch of time."""
    calls.mark()
    coming = churn(cores, gateway)
    found = ask_pages(client, wanted)
    setup = json.loads(coming.communicate("")[0].splitlines()[-1])
    b.PROCESSES.remove(coming)
    audio = calls.mark()
    audio["lost"] = audio["sent"] - audio["received"]
    return found, audio, setup


def open_streams(cores, gateway, n, *more):
    """Operators are elsewhere: what reads their streams here comes after what is measured."""
    process = generator(cores[0], ["httpgen", "--target", f"127.0.0.1:{gateway.admin_port}", "--streams", str(n),
                                   "--spread", str(SPREAD), "--from", str(1 + os.getpid() % 250), *more], gateway.admin_token, b.go_second)
    began = time.monotonic()
    n = int(process.stdout.readline().split()[1])
    return process, n, time.monotonic() - began


def told_of(process):
    """What streams have read, at their end."""
    told = json.loads(process.communicate("")[0].splitlines()[-1])
    b.PROCESSES.remove(process)
    return told


@contextlib.contextmanager
def running(gateway):
    try:
        with gateway:
            yield gateway
    finally:
        print("".join(f"# {fault}\n" for fault in gateway.stop()), end="")
        for process in gateway.programs.values():
            if process in b.PROCESSES:
                b.PROCESSES.remove(process)
        gateway.remove()


def over_tls(cores, records):
    """Streams over TLS: their memory, processor time and how late they are."""
    with running(TlsGateway(cores, records)) as gateway:
        pid = gateway.programs["sallyportd"].pid
        small = bench_signaling.rss_kb(pid)
        streams, n, open_s = open_streams(cores, gateway, TLS_STREAMS, "--tls", "--ramp", "300")
        cpu, began = bench_signaling.cpu_s([pid]), time.monotonic()
        time.sleep(WINDOW_S)
        cpu = (bench_signaling.cpu_s([pid]) - cpu) / (time.monotonic() - began)
        large = bench_signaling.rss_kb(pid)
        told = told_of(streams)
    print(f"# streams over TLS: {n} opened in {open_s:.1f} s; {told}", flush=True)
    return {"tls_streams": n - told["lost"], "tls_stream_kb": (large - small) / n if n else None, "tls_sallyportd_cpu": cpu,
            "tls_overview_age_p50_ms": told["p50_ms"], "tls_overview_age_p95_ms": told["p95_ms"]}


class Seen:
    """What windows of one state have found, one after the other."""

    def __init__(self):
        self.pages, self.size, self.audio, self.delays, self.p99, self.failed = {}, {}, [], [], [], 0

    def add(self, found, audio, setup):
        for name, (ms, size) in found.items():
            self.pages.setdefault(name, []).extend(ms)
            self.size[name] = size
        self.audio.append(audio)
        self.delays += setup["delays_us"]
        self.p99.append(setup["p99_us"])
        self.failed += setup["failed"]

    def page(self, name):
        return figures(self.pages[name])

    def setup(self, permille):
        return sorted(self.delays)[(len(self.delays) - 1) * permille // 1000]

    def lost(self):
        return sum(audio["lost"] for audio in self.audio)

    def audio_p99(self):
        return b.median([audio["p99_us"] for audio in self.audio])


class Listened:
    """What opened streams cost and were told, a round after the other."""

    def __init__(self):
        self.rounds = []

    def add(self, pid, small, large, n, told, cpu):
        self.rounds.append({"streams": n - told["lost"], "streams_lost": told["lost"], "stream_kb": (large - small) / n if n else None,
                            "stream_bytes_s": told["bytes"] / told["seconds"] / max(n, 1), "overview_age_p50_ms": told["p50_ms"],
                            "overview_age_p95_ms": told["p95_ms"], "sallyportd_cpu": cpu})

    def figures(self):
        """Medians; memory is the first round's, as what ended leaves some to the next."""
        found = b.medians(self.rounds)
        found.update(stream_kb=self.rounds[0]["stream_kb"], streams=min(r["streams"] for r in self.rounds),
                     streams_lost=sum(r["streams_lost"] for r in self.rounds))
        return found


def one_round(cores, gateway, calls, client, wanted, quiet, busy, listened, is_last):
    """A window without streams and one with them; searches of records in the last one."""
    pid = gateway.programs["sallyportd"].pid
    quiet.add(*window(cores, gateway, calls, client, wanted))
    small = bench_signaling.rss_kb(pid)
    streams, n, open_s = open_streams(cores, gateway, STREAMS)
    time.sleep(3)
    large = bench_signaling.rss_kb(pid)
    cpu, began = bench_signaling.cpu_s([pid]), time.monotonic()
    busy.add(*window(cores, gateway, calls, client, wanted))
    cpu = (bench_signaling.cpu_s([pid]) - cpu) / (time.monotonic() - began)
    searches = ask_records(client) if is_last else []
    told = told_of(streams)
    listened.add(pid, small, large, n, told, cpu)
    print(f"# streams: {n} opened in {open_s:.1f} s; {told}\n# set-up p99: {quiet.p99[-1]} us without, {busy.p99[-1]} with", flush=True)
    if not is_last:
        time.sleep(3)  # the streams end
    return searches


def with_streams(cores, gateway, client):
    calls, wanted = Calls(cores, gateway), pages(client)
    quiet, busy, listened = Seen(), Seen(), Listened()
    for i in range(ROUNDS):
        searches = one_round(cores, gateway, calls, client, wanted, quiet, busy, listened, i == ROUNDS - 1)
    b.end(calls.process)
    print(f"# audio without: {quiet.audio}\n# audio with: {busy.audio}")
    print(f"{'a page, with ' + str(STREAMS) + ' streams':26} {'p50 ms':>8} {'p95 ms':>8} {'max ms':>8} {'bytes':>9} {'p95 without':>12}")
    for name in wanted:
        p50, p95, longest = busy.page(name)
        print(f"{name:26} {p50:8.2f} {p95:8.2f} {longest:8.2f} {busy.size[name]:9} {quiet.page(name)[1]:12.2f}")
    slowest, search = max(wanted, key=lambda name: busy.page(name)[1]), figures(searches)
    return {**listened.figures(), "calls": CALLS, "calls_with_audio": SPEAKING, "metrics_p95_ms": busy.page("metrics")[1],
            "slowest_page": slowest, "page_p95_ms": busy.page(slowest)[1], "search_p50_ms": search[0], "search_p95_ms": search[1],
            "audio_lost": busy.lost(), "audio_p99_us": busy.audio_p99(), "audio_behind": b.median([a["behind"] for a in busy.audio]),
            "audio_quiet_lost": quiet.lost(), "audio_quiet_p99_us": quiet.audio_p99(), "calls_failed": quiet.failed + busy.failed,
            "setups": len(busy.delays), "setup_p50_us": busy.setup(500), "setup_p99_us": busy.setup(990), "setup_max_us": busy.setup(1000),
            "setup_quiet_p50_us": quiet.setup(500), "setup_quiet_p99_us": quiet.setup(990), "setup_quiet_max_us": quiet.setup(1000),
            "setup_rounds_p99_us": b.median(busy.p99), "setup_quiet_rounds_p99_us": b.median(quiet.p99)}


def measure(cores, where):
    records = os.path.join(where, "records.db")
    subprocess.run([os.path.join(b.BUILD, "tests/load/bench_records"), str(RECORDS), records], check=True, preexec_fn=b.go_ahead)
    ours, floor, ratio = {}, {}, None
    with running(Gateway(cores, records)) as gateway:
        client = Client(gateway)
        if "plain" in PARTS:
            ours, floor, ratio = plain(cores, gateway, bench_signaling.lib_gateway.free_port(), len(client.ask("GET", PLAIN)[1]))
            print(f"# plain: {ratio} of the floor; ours {ours}, floor {floor}", flush=True)
        ours.update(with_streams(cores, gateway, client))
    if "tls" in PARTS:
        ours.update(over_tls(cores, records))
    return ours, floor, ratio


def main():
    cores = b.cores()
    b.prepare(max(STREAMS + 1500, 5 * CALLS + 1000))
    with b.workshop() as where:
        ours, floor, plain_ratio = measure(cores, where)
    b.table(list(ours), {"ours": ours, "bare MHD": floor})
    ratios = {"plain_of_floor": plain_ratio, "setup_p99_of_quiet": b.ratio(ours["setup_rounds_p99_us"], ours["setup_quiet_rounds_p99_us"]),
              "audio_p99_added_us": ours["audio_p99_us"] - ours["audio_quiet_p99_us"]}
    goals = {"streams": {"min": STREAMS}, "tls_streams": {"min": TLS_STREAMS}, "tls_overview_age_p95_ms": {"max": 1000},
             "metrics_p95_ms": {"max": 200}, "page_p95_ms": {"max": 200}, "search_p95_ms": {"max": 100},
             "plain_of_floor": {"min": 0.8}, "audio_lost": {"max": 0}, "calls_failed": {"max": 0}, "audio_p99_added_us": {"max": 1000}, "setup_p99_of_quiet": {"max": 1.5}, "overview_age_p95_ms": {"max": 1000}}
    b.finish("admin", ours, {}, floor, ratios, goals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
