/* SPDX-License-Identifier: Apache-2.0
 * Session descriptions as real peers write them. */
#include "call_rig.h"

#define CRLF "\r\n"
#define PRINT "a=fingerprint:sha-256 "
#define PRINT_A \
  PRINT "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:" \
        "FF" CRLF
#define PRINT_B \
  PRINT "FF:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:" \
        "00" CRLF

#define CHROMIUM(ice, print, dir) \
  "v=0" CRLF "o=- 4611731400430051336 2 IN IP4 127.0.0.1" CRLF "s=-" CRLF "t=0 0" CRLF \
  "a=group:BUNDLE 0" CRLF "a=extmap-allow-mixed" CRLF "a=msid-semantic: WMS s1" CRLF \
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126" CRLF "c=IN IP4 0.0.0.0" CRLF \
  "a=rtcp:9 IN IP4 0.0.0.0" CRLF \
  "a=candidate:1 1 udp 2113937151 3b1c9d0e-0001-4d7b-a4f5-3f1c3c1a0001.local 51000 typ host " \
  "generation 0" CRLF ice "a=ice-options:trickle" CRLF print "a=setup:actpass" CRLF "a=mid:0" CRLF \
  "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level" CRLF dir "a=msid:s1 t1" CRLF \
  "a=rtcp-mux" CRLF "a=rtcp-rsize" CRLF "a=rtpmap:111 opus/48000/2" CRLF \
  "a=rtcp-fb:111 transport-cc" CRLF "a=fmtp:111 minptime=10;useinbandfec=1" CRLF \
  "a=rtpmap:63 red/48000/2" CRLF "a=fmtp:63 111/111" CRLF "a=rtpmap:9 G722/8000" CRLF \
  "a=rtpmap:0 PCMU/8000" CRLF "a=rtpmap:8 PCMA/8000" CRLF "a=rtpmap:13 CN/8000" CRLF \
  "a=rtpmap:110 telephone-event/48000" CRLF "a=rtpmap:126 telephone-event/8000" CRLF \
  "a=ssrc:2231627014 cname:9Qh1" CRLF

const char sdp_chromium[] = CHROMIUM("a=ice-ufrag:aaaa" CRLF "a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa" CRLF,
                                     PRINT_A, "a=sendrecv" CRLF);
const char sdp_chromium_moved[] = CHROMIUM(
    "a=ice-ufrag:bbbb" CRLF "a=ice-pwd:bbbbbbbbbbbbbbbbbbbbbbbb" CRLF, PRINT_A, "a=sendrecv" CRLF);
const char sdp_chromium_reloaded[] = CHROMIUM(
    "a=ice-ufrag:cccc" CRLF "a=ice-pwd:cccccccccccccccccccccccc" CRLF, PRINT_B, "a=sendrecv" CRLF);
const char sdp_chromium_hold[] = CHROMIUM(
    "a=ice-ufrag:aaaa" CRLF "a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa" CRLF, PRINT_A, "a=sendonly" CRLF);

const char sdp_device_answer[] =
    "v=0" CRLF "o=- 1 2 IN IP4 127.0.0.1" CRLF "s=-" CRLF "t=0 0" CRLF "a=group:BUNDLE 0" CRLF
    "m=audio 9 UDP/TLS/RTP/SAVPF 0 8 101" CRLF "c=IN IP4 0.0.0.0" CRLF "a=ice-ufrag:dddd" CRLF
    "a=ice-pwd:dddddddddddddddddddddddd" CRLF PRINT_A "a=setup:active" CRLF "a=mid:0" CRLF
    "a=sendrecv" CRLF "a=rtcp-mux" CRLF "a=rtpmap:0 PCMU/8000" CRLF "a=rtpmap:8 PCMA/8000" CRLF
    "a=rtpmap:101 telephone-event/8000" CRLF;

#define KEY80 "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
#define TRUNK(profile, crypto, dir) \
  "v=0" CRLF "o=carrier 100 1 IN IP4 192.0.2.10" CRLF "s=-" CRLF "c=IN IP4 192.0.2.10" CRLF \
  "t=0 0" CRLF "m=audio 30000 " profile " 8 0 96" CRLF crypto "a=rtpmap:8 PCMA/8000" CRLF \
  "a=rtpmap:0 PCMU/8000" CRLF "a=rtpmap:96 telephone-event/8000" CRLF "a=fmtp:96 0-15" CRLF \
  "a=ptime:20" CRLF dir

#define CRYPTO1 "a=crypto:1 AES_CM_128_HMAC_SHA1_80 " KEY80 CRLF
const char sdp_trunk_srtp[] = TRUNK("RTP/SAVP", CRYPTO1, "a=sendrecv" CRLF);
const char sdp_trunk_hold[] = TRUNK("RTP/SAVP", CRYPTO1, "a=sendonly" CRLF);
const char sdp_trunk_plain[] = TRUNK("RTP/AVP", "", "a=sendrecv" CRLF);

#define ANSWER(port, crypto) \
  "v=0" CRLF "o=carrier 200 1 IN IP4 192.0.2.20" CRLF "s=-" CRLF "c=IN IP4 192.0.2.20" CRLF \
  "t=0 0" CRLF "m=audio " port " RTP/SAVP 0 101" CRLF crypto "a=rtpmap:0 PCMU/8000" CRLF \
  "a=rtpmap:101 telephone-event/8000" CRLF "a=sendrecv" CRLF
#define CRYPTO3 "a=crypto:3 AES_CM_128_HMAC_SHA1_80 " KEY80 CRLF
const char sdp_trunk_answer[] = ANSWER("31000", CRYPTO3);
const char sdp_trunk_answer_fork[] = ANSWER("32000", CRYPTO3);
