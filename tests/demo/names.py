#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Names for the demonstration carrier: *.sallyport.test is ADDRESS, all else does not exist (RFC 1035).
Usage: names.py PORT ADDRESS"""
import socket
import struct
import sys

ZONE = [b"sallyport", b"test"]


def labels_of(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].lower())
        at += 1 + query[at]
    return labels, query[12:at + 5], struct.unpack("!H", query[at + 1:at + 3])[0]


def answer(query, address):
    labels, question, kind = labels_of(query)
    known = labels[-2:] == ZONE
    found = known and kind == 1
    head = query[:2] + struct.pack("!HHHHH", 0x8580 if known else 0x8583, 1, int(found), 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(address) if found else b""
    return head + question + record


def main():
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind(("127.0.0.1", int(sys.argv[1])))
    while True:
        query, source = door.recvfrom(1500)
        if query[2:6] not in (b"\x01\x00\x00\x01", b"\x00\x00\x00\x01"):
            continue  # no plain question
        try:
            door.sendto(answer(query, sys.argv[2]), source)
        except (IndexError, struct.error):
            continue


main()
