# SPDX-License-Identifier: Apache-2.0
"""A DNS server of the tests' own, by UDP and TCP: it answers from a zone, lies, or says nothing."""
import socket
import struct
import threading

A, AAAA, SRV, NAPTR = 1, 28, 33, 35


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def a(ip):
    return A, socket.inet_aton(ip)


def aaaa(ip):
    return AAAA, socket.inet_pton(socket.AF_INET6, ip)


def srv(priority, weight, port, target):
    return SRV, struct.pack("!HHH", priority, weight, port) + name(target)


def naptr(order, preference, service, replacement):
    return NAPTR, struct.pack("!HH", order, preference) + b"\1s" + bytes([len(service)]) + service.encode() + b"\0" + name(replacement)


class Dns:
    """zone: {name: [records]}; ttl: {name: seconds}, else 60; silent: names without an answer; beside: {name: [(owner,
    record), …]} what is laid beside an answer. asked counts questions by name."""

    def __init__(self, host, port, zone):
        self.zone, self.ttl, self.silent, self.beside, self.asked = zone, {}, set(), {}, {}
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((host, port))
        self.tcp = socket.create_server((host, port))
        self.tcp.settimeout(0.2)
        self.udp.settimeout(0.2)
        self.over = False
        self.threads = [threading.Thread(target=self._datagrams), threading.Thread(target=self._streams)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in self.threads:
            thread.join()
        self.udp.close()
        self.tcp.close()

    def _datagrams(self):
        while not self.over:
            try:
                question, source = self.udp.recvfrom(512)
            except OSError:
                continue
            answer = self._answer(question)
            if answer:
                self.udp.sendto(answer if len(answer) <= 512 else self._cut(question), source)

    def _streams(self):
        while not self.over:
            try:
                stream, _ = self.tcp.accept()
            except OSError:
                continue
            with stream:
                stream.settimeout(2)
                length = struct.unpack("!H", stream.recv(2))[0]
                answer = self._answer(stream.recv(length)) or b""
                stream.sendall(struct.pack("!H", len(answer)) + answer)

    @staticmethod
    def _cut(question):
        return question[:2] + struct.pack("!HHHHH", 0x8380, 1, 0, 0, 0) + question[12:]

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        asked = ".".join(labels).lower()
        kind = struct.unpack("!H", question[at + 1:at + 3])[0]
        self.asked[asked] = self.asked.get(asked, 0) + 1
        if asked in self.silent:
            return None
        records = [(asked, r) for r in self.zone.get(asked, []) if r[0] == kind]
        beside = self.beside.get(asked, [])
        known = asked in self.zone
        head = question[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, len(records) + len(beside), 0, len(beside))
        body = b""
        for owner, (rtype, data) in records + beside + beside:
            body += name(owner) + struct.pack("!HHIH", rtype, 1, self.ttl.get(asked, 60), len(data)) + data
        return head + question[12:at + 5] + body
