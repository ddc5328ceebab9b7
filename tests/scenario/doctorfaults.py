# SPDX-License-Identifier: Apache-2.0
"""Trunk Doctor against faults that programs of others and a second gateway of ours have by their settings."""
import os

import direct
from border import Certs
from doctor import by_result, run
from group import Group
from house import check
from interop import Baresip

here = os.path.dirname(os.path.abspath(__file__))
BARE = Group("doctor and baresip's faults", template=here + "/doctor.yaml.in", programs=["baresip"])
BARE_LONG = Group("doctor and baresip's faults-long", template=here + "/doctor.yaml.in", programs=["baresip"], long=True)
HOST, NUMBER, ACCOUNT = "127.0.0.11", "+15550199100", "mediaenc=srtp;audio_codecs=PCMU,PCMA"


class Patient(Baresip):
    """baresip by our plain trunk, SRTP by SDES, with settings changed: (old, new) of its two files."""

    def __init__(self, house, *changes):
        super().__init__(house, HOST, ACCOUNT, NUMBER, "+15550199001")
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
    "no SRTP": ([("mediaenc=srtp;", "")], ["answered"], []),
    "DTLS-SRTP only": ([("mediaenc=srtp;", "mediaenc=dtls_srtp;")], ["answer_fits"], []),
    "no codec in common": ([("PCMU,PCMA", "opus")], ["answered"], []),
    "nobody has that number": ([(NUMBER, "+15550199777")], ["answered"], []),
}
LONG = {
    "rings for ever": ([("answermode=auto", "answermode=manual")], ["answered"], []),
    "early media, and never an answer": ([("answermode=auto", "answermode=early")], ["answered"], []),
    "one codec": ([("PCMU,PCMA", "PCMA")], [], ["codec_pcmu", "codec_g722"]),
    "digits by INFO only": ([("audio_codecs", "dtmfmode=info;audio_codecs")], ["dtmf_offered"], []),
    "packets of 60 ms": ([("audio_codecs", "ptime=60;audio_codecs")], [], ["ptime20"]),
    "no sound": ([("audio_source=aubridge,echo", "audio_source=nothing,echo")], ["rtp_in"], []),
    "no reliable provisionals": ([("audio_codecs", "100rel=no;audio_codecs")], [], ["prack"]),
    "without a fault": ([], [], []),
}


@BARE.scenario("baresip without SRTP, with DTLS only, with another codec, without the number: one failure each")
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
    base2, keep = direct.more_ports()
    with keep, Certs() as certs, direct.names(base + 4):
        trunk = direct.hub_trunk(base2 + 2, DOCTOR)
        hub = direct.Gateway(base, "hub", direct.HUB, certs, "DNS:sip.hub.test,DNS:sip2.hub.test", base + 4, trunk, "alice", "contoso")
        sbc = direct.Gateway(base2, "sbc", direct.SBC, certs, "DNS:sbc.contoso.test", base + 4, direct.sbc_trunk(base + 2), "bob", "service")
        plan = open(sbc.dir + "/plan.yaml").read()
        sbc.put("plan.yaml", plan.replace("rules:", 'rules:\n  - {name: echo, called: "+15550199600", then: echo}'))
        with hub, sbc:
            hub.wait_trunk("contoso", overall="online")
            for words, (setting, failed, absent) in faults.items():
                sbc.change(END, END + ", " + setting)
                expected(run(hub, "contoso"), failed, absent, words)
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
