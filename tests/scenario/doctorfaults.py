# SPDX-License-Identifier: Apache-2.0
"""Trunk Doctor against faults that programs of others and a second gateway of ours have by their settings."""
import os

from doctor import by_result, hub_and_sbc, run
from doctorpeer import Peer
from group import Group
from house import check
from interop import Baresip
from names import Dns, a, srv

here = os.path.dirname(os.path.abspath(__file__))
BARE = Group("doctor and baresip's faults", template=here + "/doctor.yaml.in", programs=["baresip"])
BARE_LONG = Group("doctor and baresip's faults-long", template=here + "/doctor.yaml.in", programs=["baresip"], long=True)
HOST, NUMBER, ACCOUNT = "127.0.0.11", "+15550199100", "mediaenc=srtp-mand;audio_codecs=PCMU,PCMA"


class Patient(Baresip):
    """baresip by our plain trunk, SRTP by SDES, with settings changed: (old, new) of its two files."""

    def __init__(self, house, *changes):
        super().__init__(house, HOST, ACCOUNT, "+15550199001", NUMBER)
        for old, new in changes:
            texts = {name: open(self.folder + "/" + name).read() for name in ("config", "accounts")}
            check(any(old in text for text in texts.values()), "not in baresip's files: " + old)
            for name, text in texts.items():
                with open(self.folder + "/" + name, "w") as f:
                    f.write(text.replace(old, new))


def expected(report, failed, absent=(), what=""):
    found, missing = by_result(report, "failed"), by_result(report, "not_offered")
    check(report["state"] == "done", "%s: state %s" % (what, report["state"]))
    check(set(found) == set(failed), "%s: expected %s, found %s" % (what, sorted(failed), found))
    check(set(missing) >= set(absent), "%s: expected as not offered %s, found %s" % (what, sorted(absent), missing))
    return report


# What is changed: (changes of its files, checks that fail, checks that are not offered). The short ones fail at the first call.
SHORT = {
    "no SRTP": ([("mediaenc=srtp-mand;", "")], ["answered"], []),
    "DTLS-SRTP only": ([("mediaenc=srtp-mand;", "mediaenc=dtls_srtp;")], ["answer_fits"], []),
    "no codec in common": ([("PCMU,PCMA", "opus"), ("module g711.so\n", ""), ("module g722.so\n", "")], ["answered"], []),
    "listens elsewhere": ([("sip_listen %s:" % HOST, "sip_listen 127.0.0.12:")], ["connect"], []),
    "nobody has that number": ([(NUMBER, "+15550199777")], ["answered"], []),
}
LONG = {
    "rings for ever": ([("answermode=auto", "answermode=manual")], ["answered"], []),
    "early media, and never an answer": ([("answermode=auto", "answermode=early")], ["answered"], []),
    "one codec": ([("PCMU,PCMA", "PCMA")], [], ["codec_pcmu", "codec_g722"]),
    "a source of sound that is missing, and never an answer": ([("audio_source=ausine,1004", "audio_source=nothing,1004")], ["answered"], []),
    "a source of sound that has none": ([("audio_source=ausine,1004", "audio_source=aubridge,nobody")], ["rtp_in"], []),
    "no reliable provisionals": ([("audio_codecs", "100rel=no;audio_codecs")], [], ["prack"]),
    "without a fault": ([], [], []),
}


@BARE.scenario("baresip without SRTP, with DTLS only, with another codec, elsewhere, without the number: one failure each")
def short(house):
    for words, (changes, failed, absent) in SHORT.items():
        with Patient(house, *changes):
            expected(run(house, "bare"), failed, absent, words)


def long(words, changes, failed, absent):
    @BARE_LONG.scenario("baresip: " + words)
    def one(house):
        with Patient(house, *changes):
            expected(run(house, "bare"), failed, absent)


for key, row in LONG.items():
    long(key, *row)


# Our own SBC role as the peer -----------------------------------------------------------------------

SBCS = Group("doctor and our SBC's faults", shared=False, programs=["openssl"])
SBCS_LONG = Group("doctor and our SBC's faults-long", shared=False, programs=["openssl"], long=True)
END = "options_interval_s: 5, options_down: 2"
DOCTOR = ', suites: [AES_CM_128_HMAC_SHA1_80], doctor: {number: "+15550199600", caller: "+15550100001", echo: true, unknown: "+19990199404"}'
SBC_SHORT = {
    "no codec in common": ("codecs: [opus]", ["answered"], []),
    "no suite in common": ("suites: [AEAD_AES_256_GCM]", ["answered"], []),
    "drained": ("enabled: false", ["answered"], []),
}
SBC_LONG = {
    "no reliable provisionals": ("prack: off", [], ["prack"]),
    "no session timer": ("session_timer_s: 0", [], ["session_timer"]),
    "digits as tones": ("dtmf: inband", ["dtmf_offered"], []),
    "one codec": ("codecs: [PCMA]", [], ["codec_pcmu", "codec_g722"]),
    "only long session timers": ("session_min_s: 3600", [], []),
    "no INVITE without a description": ("late_offer: refuse", [], ["late_offer"]),
}


def sbc_faults(base, faults, more=()):
    with hub_and_sbc(base, DOCTOR) as (hub, sbc):
        for words, (setting, failed, absent) in faults.items():
            sbc.change(END, END + ", " + setting)
            report = expected(run(hub, "contoso"), failed, absent, words)
            patch = report["profile"]["patch"]
            check("session_min" not in setting or patch.get("session_timer_s") == 3600, "%s: proposed %s" % (words, patch))
            sbc.change(END + ", " + setting, END)
        for old, new, failed in more:
            hub.change(old, new)
            expected(run(hub, "contoso"), failed, (), new)
            hub.change(new, old)


@SBCS.scenario("our SBC with other codecs, other suites, drained; a number that it has not: one failure each")
def sbc_short(base):
    sbc_faults(base, SBC_SHORT, [('number: "+15550199600"', 'number: "+15550199601"', ["answered"])])


for key, row in SBC_LONG.items():
    SBCS_LONG.scenario("our SBC: " + key)(lambda base, key=key, row=row: sbc_faults(base, {key: row}))


# Names ----------------------------------------------------------------------------------------------

NAMES = Group("doctor and names", template=here + "/resolve.yaml.in")


@NAMES.scenario("SRV: a record whose name has no address, and nothing else; the order told; the first dead")
def records(house):
    port = house.port("lab_peer")
    zone = {"_sip._udp.first.test": [srv(10, 60, port, "t1.test"), srv(20, 5, port, "t3.test")], "t1.test": [a("127.0.1.1")], "t3.test": [a("127.0.1.3")],
            "_sip._udp.silent.test": [srv(10, 1, port, "t1.test"), srv(20, 1, port, "t2.test")],
            "_sip._udp.refused.test": [srv(10, 1, port, "t4.test"), srv(20, 1, port, "t3.test")], "t4.test": [a("127.0.1.4")]}
    with Dns("127.0.1.53", port, zone), Peer("127.0.1.1", port), Peer("127.0.1.3", port):
        told = by_result(expected(run(house, "first", 40), []), "passed")["srv"]
        check(told == "t1.test:%d (10/60), t3.test:%d (20/5); calls go to t1.test" % (port, port), told)
        expected(run(house, "silent", 40), ["srv"])
        told = by_result(expected(run(house, "refused", 40), ["connect"]), "passed")["srv"]
        check(told.endswith("; calls go to t3.test"), told)
