# SPDX-License-Identifier: Apache-2.0
"""Carriers that are odd in one way each, for Trunk Doctor: what they say is changed as it goes out. ODDITIES: name → (kind of peer, checks that
fail with words of what is told, or none for what harms nobody)."""
import re
import socket
import struct
import time

from doctorpeer import Call, Peer
from peermedia import Secret, crypto_line, crypto_of, new_key

ODDITIES = {}


def oddity(*failed, trunk="plain", **told):
    """failed: checks that have to fail; told: check → words of its sentence, which has to fail too."""
    def take(cls):
        ODDITIES[cls.__name__] = (cls, {**{c: "" for c in failed}, **told}, trunk)
        return cls
    return take


def sent(change):
    """A kind of call whose packets go through change(call, packet) → packets."""
    class Changed(Call):
        def send(self, data):
            for packet in change(self, data):
                super().send(packet)
    return Changed


def reported(change):
    class Changed(Call):
        def report(self, data):
            for packet in change(self, data):
                super().report(packet)
    return Changed


class Sdp(Peer):
    """Its descriptions go through change(text, status, request)."""

    def odd(self, request, status, head, sdp):
        return head, self.change(sdp, status, request) if sdp else sdp


def is_first(request):
    return request.method == "INVITE" and ";tag=" not in request.get("to")


# SDP ------------------------------------------------------------------------------------------------

@oddity(answer_fits="m-lines")
class two_media(Sdp):
    def change(self, sdp, status, request):
        return sdp + "m=video 0 RTP/AVP 96\r\n"


@oddity(rtp_in="0.0.0.0")
class answer_held(Sdp):
    def change(self, sdp, status, request):
        return re.sub(r"c=IN IP4 \S+", "c=IN IP4 0.0.0.0", sdp) if is_first(request) else sdp


@oddity("answer_fits")
class answer_ipv6(Sdp):
    def change(self, sdp, status, request):
        return re.sub(r"c=IN IP4 \S+", "c=IN IP6 2001:db8::1", sdp)


@oddity(rtp_out="sendonly")
class answer_sendonly(Sdp):
    def change(self, sdp, status, request):
        return sdp.replace("a=sendrecv", "a=sendonly") if is_first(request) else sdp


@oddity(rtp_in="recvonly")
class answer_recvonly(Sdp):
    def change(self, sdp, status, request):
        return sdp.replace("a=sendrecv", "a=recvonly") if is_first(request) else sdp


@oddity(sdp_version="another session")
class other_session(Sdp):
    def change(self, sdp, status, request):
        return re.sub(r"o=- 1 ", "o=- %d " % (int(request.get("cseq").split()[0]) % 1000 + 2), sdp)


@oddity()
class profile_avpf(Sdp):
    def change(self, sdp, status, request):
        return sdp.replace("RTP/AVP ", "RTP/AVPF ")


@oddity("answer_fits")
class keys_unasked(Sdp):
    def change(self, sdp, status, request):
        return sdp.replace("RTP/AVP ", "RTP/SAVP ") + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"


@oddity()
class more_attributes(Sdp):
    def change(self, sdp, status, request):
        return sdp.replace("t=0 0\r\n", "b=AS:64\r\nt=0 0\r\na=X-odd:1 2 3\r\n") + "a=maxptime:150\r\na=silenceSupp:off - - - -\r\na=rtcp:9\r\na=X-nix\r\n"


@oddity()
class bare_lf(Sdp):
    def change(self, sdp, status, request):
        return sdp.replace("\r\n", "\n")


@oddity()
class mux_unasked(Sdp):
    CALL = reported(lambda call, data: call.send(data) or [])

    def change(self, sdp, status, request):
        return sdp + "a=rtcp-mux\r\n"


@oddity()
class event_renumbered(Peer):
    class CALL(Call):
        def take(self, host, port, direction, pt, ptime, event):
            super().take(host, port, direction, pt, ptime, event)
            self.theirs_pt = event

        def answer(self, sdp):
            text = super().answer(sdp)
            return re.sub(r"\b101\b", "97", text) if text else text

        def hear(self):
            self.event = 97
            super().hear()


# SIP ------------------------------------------------------------------------------------------------

class Head(Peer):
    """Its headers go through change(head, status, request): None is not sent."""

    def odd(self, request, status, head, sdp):
        return self.change(head, status, request), sdp


@oddity()
class utf8(Head):
    def change(self, head, status, request):
        return head.replace("Server", "X-Odd: \xe4\xf6\r\nServer")


@oddity()
class latin1(Head):
    def change(self, head, status, request):
        return head.replace("Carrier", "Telef\udcf3nica \udcff\udcfe")


@oddity()
class compact(Head):
    def change(self, head, status, request):
        for long, short in (("From", "f"), ("To", "t"), ("Via", "v"), ("Call-ID", "i"), ("Contact", "m"), ("Content-Type", "c"), ("Supported", "k")):
            head = head.replace("\r\n%s: " % long, "\r\n%s: " % short)
        return head


@oddity(contact="transport=tls")
class contact_sips(Head):
    def change(self, head, status, request):
        return head.replace("Contact: <sip:", "Contact: <sips:")


@oddity("contact")
class contact_maddr(Head):
    def change(self, head, status, request):
        return re.sub(r"(Contact: <[^>]*)>", r"\1;maddr=203.0.113.9>", head)


@oddity("contact")
class contact_name(Head):
    """A name that nobody resolves."""

    def change(self, head, status, request):
        return re.sub(r"Contact: <[^>]*>", "Contact: <sip:far@carrier.invalid>", head)


@oddity()
class require_unknown(Head):
    def change(self, head, status, request):
        return head + "Require: x-odd\r\n" if status == 200 and is_first(request) else head


@oddity()
class two_branches(Head):
    """180 of one fork, 200 of another."""

    def change(self, head, status, request):
        return head.replace("tag=far", "tag=near") if status == 180 else head


@oddity("bye_out")
class bye_500(Head):
    def change(self, head, status, request):
        return head.replace("200", "500", 1) if request.method == "BYE" else head


@oddity("update")
class update_491(Head):
    def change(self, head, status, request):
        return head.replace("200", "491", 1) if request.method == "UPDATE" else head


@oddity("hold_sendonly", "hold_inactive")
class reinvite_491(Head):
    def change(self, head, status, request):
        return head.replace("200", "491", 1) if request.method == "INVITE" and not is_first(request) else head

    def odd(self, request, status, head, sdp):
        again = request.method == "INVITE" and not is_first(request)
        return self.change(head, status, request), "" if again else sdp


@oddity("answered")
class retry_absurd(Head):
    def change(self, head, status, request):
        return "SIP/2.0 503 Full\r\n" + head.partition("\r\n")[2] + "Retry-After: 4000000000\r\n" if status == 200 and is_first(request) else head

    def odd(self, request, status, head, sdp):
        return self.change(head, status, request), "" if is_first(request) else sdp


@oddity(answered="below 4000000000 s")
class timer_absurd(Peer):
    def timer(self, m):
        return None if m.method == "INVITE" else super().timer(m)

    def say(self, request, status, more="", sdp="", source=None):
        super().say(request, status, more.replace("Min-SE: 90", "Min-SE: 4000000000"), sdp, source)


@oddity(prack="")
class rseq_zero(Head):
    def change(self, head, status, request):
        return head.replace("RSeq: 1", "RSeq: 0")


@oddity("options_out")
class options_wrong_cseq(Head):
    def change(self, head, status, request):
        return head.replace("OPTIONS\r\n", "INVITE\r\n") if request.method == "OPTIONS" else head


@oddity()
class date_odd(Head):
    def change(self, head, status, request):
        return re.sub(r"Date: [^\r]*", "Date: yesterday", head)


@oddity()
class allow_none(Head):
    def change(self, head, status, request):
        return re.sub(r"Allow: [^\r]*\r\n", "", head)


class AckLost(Peer):
    """It never sees our ACK: the 200 again and again. Nobody tells the doctor of that (nta answers each by itself)."""

    def on_ack(self, m):
        pass

    def answer(self, call, source):
        first = call.request
        super().answer(call, source)
        if first:
            data, at = self.answered[(first.get("via"), first.get("cseq"))], time.monotonic()
            for s in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5):
                self.due.append((at + s, lambda d=data, i=first.get("call-id"): i in self.calls and self.socket.sendto(d, source)))


@oddity()
class ack_once_lost(AckLost):
    """The first ACK is lost; the second one ends it."""

    def on_ack(self, m):
        n = self.acks = getattr(self, "acks", {})
        n[m.get("cseq") + m.get("call-id")] = n.get(m.get("cseq") + m.get("call-id"), 0) + 1
        if n[m.get("cseq") + m.get("call-id")] > 1:
            self.due = [d for d in self.due if d[1].__defaults__ is None or d[1].__defaults__[-1] != m.get("call-id")]


class Asks(Peer):
    """Sends a request of its own within each call, when it was acknowledged."""
    SDP = True

    def on_ack(self, m):
        super().on_ack(m)
        call = self.calls.get(m.get("call-id"))
        if call and not call.since_ack:
            call.since_ack = time.monotonic()
            source = self.source
            self.due.append((time.monotonic() + self.AFTER, lambda: self.ask(call, m, source)))

    def ask(self, call, m, source):
        sdp = ""
        if self.SDP:
            call.version += 1
            sdp = "v=0\r\no=- 1 %d IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP %d 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n" % (
                call.version, self.host, self.host, call.port, call.pt)
        text = "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bKodd%s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 7 %s\r\nMax-Forwards: 70\r\nContact: <sip:far@%s:%d>\r\n%sContent-Length: %d\r\n\r\n%s" % (
            self.METHOD, call.contact, self.host, self.port, m.get("call-id")[:8], m.get("to"), m.get("from"), m.get("call-id"), self.METHOD,
            self.host, self.port, "Content-Type: application/sdp\r\n" if sdp else "", len(sdp), sdp)
        self.socket.sendto(text.encode(), source)

    def heard(self, m):
        call = self.calls.get(m.get("call-id"))
        if m.status >= 200 and m.method == "INVITE" and call:
            ack = "ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bKack%s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 7 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n" % (
                call.contact, self.host, self.port, m.get("call-id")[:8], m.get("from"), m.get("to"), m.get("call-id"))
            self.socket.sendto(ack.encode(), self.source)


@oddity()
class locks_codec(Asks):
    """A re-INVITE with one codec, as many carriers send it at once."""
    METHOD, AFTER = "INVITE", 0.05


@oddity()
class refreshes(Asks):
    METHOD, AFTER, SDP = "UPDATE", 1, False


@oddity()
class asks_options(Asks):
    METHOD, AFTER, SDP = "OPTIONS", 1, False


# Sound ----------------------------------------------------------------------------------------------

def header(data, **more):
    """Its fields of RTP, changed."""
    b0, b1, seq, ts, ssrc = struct.unpack("!BBHII", data[:12])
    f = {"seq": seq, "ts": ts, "ssrc": ssrc, **more}
    return struct.pack("!BBHII", b0, b1, f["seq"] & 0xffff, f["ts"] & 0xffffffff, f["ssrc"]) + data[12:]


@oddity()
class extensions(Peer):
    CALL = sent(lambda call, d: [bytes([d[0] | 0x31]) + d[1:12] + b"\1\2\3\4" + b"\xbe\xde\0\1\x10\x7f\0\0" + d[12:] + b"\0\0\0\4"])


@oddity()
class sources(Peer):
    """Another SSRC after three seconds."""
    CALL = sent(lambda call, d: [header(d, ssrc=0x1000 + (call.sent > 150))])


def is_event(call, data):
    return call.event is not None and data[1] & 127 == call.event


@oddity(rtp_clock=" % too slow")
class half_clock(Peer):
    """Timestamps by 80 for 20 ms."""
    CALL = sent(lambda call, d: [d if is_event(call, d) else header(d, ts=call.sent * 80)])


@oddity(rtp_clock=" % too slow")
class clock_still(Peer):
    CALL = sent(lambda call, d: [d if is_event(call, d) else header(d, ts=1)])


@oddity()
class fast_clock(Peer):
    """One percent too fast."""

    class CALL(Call):
        def beat(self, now):
            was = self.next
            super().beat(now)
            if self.next != was and was:
                self.next -= 0.0002


@oddity()
class restart(Peer):
    """Its sequence begins anew in the midst."""
    CALL = sent(lambda call, d: [header(d, seq=call.seq + (30000 if call.sent > 150 else 0))])


@oddity(order="came twice", rtp_clock="too slow", dtmf_echo="payload type 96")
class muddled(Peer):
    """Three that do not touch one another."""
    CALL = sent(lambda call, d: 2 * [bytes([d[0], d[1] & 128 | 96]) + d[2:] if is_event(call, d) else header(d, ts=call.sent * 80)])


@oddity(order="came twice")
class twice(Peer):
    CALL = sent(lambda call, d: [d, d])


@oddity(order="after later ones")
class pairs(Peer):
    """Each pair of packets the wrong way round."""

    class CALL(Call):
        kept = None

        def send(self, data):
            if self.kept:
                super().send(data)
                super().send(self.kept)
                self.kept = None
            else:
                self.kept = data


@oddity(rtp_in="did not come back")
class stops(Peer):
    """Its sound stops after three seconds."""
    CALL = sent(lambda call, d: [d] if call.sent < 150 or call.event is not None and d[1] & 127 == call.event else [])


@oddity("loss")
class lost_at_once(Peer):
    """Two seconds of packets are lost in the midst."""
    CALL = sent(lambda call, d: [] if 100 <= call.sent < 200 else [d])


@oddity(rtp_in="in the midst")
class pause(Peer):
    """Two seconds without sound, of which its numbers tell nothing."""

    class CALL(Call):
        def beat(self, now):
            if self.sent == 120:
                self.next, self.sent = now + 2, 121
                self.ts += 16000
            super().beat(now)


@oddity("hold_inactive")
class mute_after_hold(Peer):
    """After the second hold nothing comes any more."""

    class CALL(Call):
        dead = False

        def answer(self, sdp):
            self.dead = self.dead or "a=inactive" in sdp
            return super().answer(sdp)

        def send(self, data):
            if not self.dead:
                super().send(data)


@oddity("dtmf_echo")
class digits_twice(Peer):
    """Each digit twice."""

    class CALL(Call):
        def send(self, data):
            super().send(data)
            if data[1] & 127 == self.event:
                super().send(self.packet(data[12:], self.event, 0, struct.unpack("!I", data[4:8])[0] + 40))


@oddity(dtmf_echo="payload type 96")
class digits_other_type(Peer):
    CALL = sent(lambda call, d: [bytes([d[0], d[1] & 128 | 96]) + d[2:]] if call.event is not None and d[1] & 127 == call.event else [d])


@oddity()
class marked(Peer):
    CALL = sent(lambda call, d: [bytes([d[0], d[1] | 128]) + d[2:]])


@oddity()
class alternating(Peer):
    """PCMU and PCMA by turns, the answer having both."""

    class CALL(Call):
        def answer(self, sdp):
            text = super().answer(sdp)
            both = sdp and " 0 8" in sdp or sdp and " 8 0" in sdp
            return text.replace("RTP/AVP 0", "RTP/AVP 0 8").replace("RTP/AVP 8 101", "RTP/AVP 8 0 101") if text and both else text


@oddity()
class bye_early(Peer):
    """RTCP says BYE, sound goes on."""
    CALL = reported(lambda call, d: [d, struct.pack("!BBHI", 0x81, 203, 1, call.ssrc)])


@oddity("rtcp")
class reports_broken(Peer):
    CALL = reported(lambda call, d: [b"\x80\xc8\xff\xff" + d[4:]])


@oddity(rtp_in="elsewhere")
class other_host(Peer):
    class CALL(Call):
        def __init__(self, peer, host):
            super().__init__(peer, host)
            self.other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.other.bind(("127.0.0.99", 0))

        def send(self, data):
            self.other.sendto(data, self.to)


@oddity(rtp_in="which our description does not name")
class port_above(Peer):
    """Its sound goes to our port of reports."""

    class CALL(Call):
        def send(self, data):
            self.rtp.sendto(data, (self.to[0], self.to[1] + 1))


@oddity(hold_inactive="its answer to the resume says inactive")
class stays_held(Peer):
    """Once it was held by inactive it stays so."""

    class CALL(Call):
        held = False

        def answer(self, sdp):
            self.held = self.held or "a=inactive" in sdp
            text = super().answer(sdp)
            return text.replace("a=sendrecv", "a=inactive").replace("a=sendonly", "a=inactive") if text and self.held else text

        def send(self, data):
            if not self.held:
                super().send(data)


# Keys -----------------------------------------------------------------------------------------------

class Sealed(Call):
    """SRTP by the first suite of the offer that it knows."""
    suites = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM")
    tx = rx = None

    def answer(self, sdp):
        text = super().answer(sdp)
        offered = crypto_of(sdp) if sdp else [(1, self.suites[0], None, b"")]
        tag, suite, key, mki = next((c for c in offered if c[1] in self.suites), (0, "", None, b""))
        if not text or not tag:
            return None
        if not self.tx or self.suite != suite:
            self.suite, self.key = suite, new_key(suite)
            self.tx = Secret(suite, self.key, False, mki)
        if key:
            self.rx = Secret(suite, key, True, mki)
        more = "|%d:%d" % (int.from_bytes(mki, "big"), len(mki)) if mki else ""
        return self.crypto(text.replace("RTP/AVP", "RTP/SAVP"), tag, suite, more)

    def crypto(self, text, tag, suite, more):
        return text + crypto_line(tag, suite, self.key, more)

    def send(self, data):
        super().send(self.tx.seal(data))

    def report(self, data):
        super().report(self.tx.seal(data, True))

    def opened(self, data):
        try:
            return self.rx.open(data) if self.rx else b""
        except Exception:  # libsrtp's
            return b""

    def take_late(self, sdp):
        offered = crypto_of(sdp)
        if offered:
            self.rx = Secret(offered[0][1], offered[0][2], True, offered[0][3])


class Keyed(Peer):
    CALL = Sealed

    def on_ack(self, m):
        call = self.calls.get(m.get("call-id"))
        if call and m.body:
            call.take_late(m.body)
            host = re.search(r"c=IN IP4 (\S+)", m.body)[1]
            port = int(re.search(r"m=audio (\d+)", m.body)[1])
            call.take(host, port, "sendrecv", 0, 20, 101)


@oddity(trunk="keyed")
class keyed(Keyed):
    """Nothing is wrong with it."""


@oddity(trunk="keyed", rtp_in="plain RTP")
class plain_sound(Keyed):
    class CALL(Sealed):
        def send(self, data):
            Call.send(self, data)


@oddity(trunk="keyed", rtp_in="wrong tag")
class other_key(Keyed):
    class CALL(Sealed):
        def crypto(self, text, tag, suite, more):
            return text + crypto_line(tag, suite, new_key(suite), more)


@oddity("answer_fits", trunk="keyed")
class tag_unknown(Keyed):
    class CALL(Sealed):
        def crypto(self, text, tag, suite, more):
            return text + crypto_line(9, suite, self.key, more)


@oddity("answer_fits", trunk="keyed")
class two_keys(Keyed):
    class CALL(Sealed):
        def crypto(self, text, tag, suite, more):
            return text + crypto_line(tag, suite, self.key, more) + crypto_line(tag + 1, "AES_CM_128_HMAC_SHA1_32", new_key("AES_CM_128_HMAC_SHA1_32"))


@oddity(trunk="keyed", rtp_in="(MKI)")
class mki_unsent(Keyed):
    class CALL(Sealed):
        def crypto(self, text, tag, suite, more):
            return text + crypto_line(tag, suite, self.key, "|1:1")


@oddity("answer_fits", trunk="keyed")
class keys_short(Keyed):
    class CALL(Sealed):
        def crypto(self, text, tag, suite, more):
            return text + "a=crypto:%d %s inline:QUJD\r\n" % (tag, suite)


@oddity("answer_fits", trunk="keyed")
class suite_changed(Keyed):
    class CALL(Sealed):
        def crypto(self, text, tag, suite, more):
            return text + crypto_line(tag, "AES_CM_128_HMAC_SHA1_32" if suite != "AES_CM_128_HMAC_SHA1_32" else "AES_CM_128_HMAC_SHA1_80", new_key("AES_CM_128_HMAC_SHA1_32"))


@oddity("answer_fits", trunk="keyed")
class plain_profile(Keyed):
    """RTP/AVP in the answer to RTP/SAVP."""

    class CALL(Sealed):
        def crypto(self, text, tag, suite, more):
            return super().crypto(text, tag, suite, more).replace("RTP/SAVP", "RTP/AVP")


@oddity(hold_sendonly="no sound", trunk="keyed")
class rekeys_silently(Keyed):
    """With each re-INVITE another key than it says."""

    class CALL(Sealed):
        n = 0

        def answer(self, sdp):
            text, self.n = super().answer(sdp), self.n + 1
            if self.n > 1:
                self.tx = Secret(self.suite, new_key(self.suite), False)
            return text
