# SPDX-License-Identifier: Apache-2.0
"""A small TURN client over UDP (RFC 5766, 6062, 6156) that says what the relay answers: error codes as they come, 0
for success. Made to ask for what it should not get."""
import base64
import hashlib
import hmac
import ipaddress
import os
import socket
import struct

COOKIE = 0x2112A442
ALLOCATE, REFRESH, SEND, DATA, PERMISSION, CHANNEL, CONNECT = 3, 4, 6, 7, 8, 9, 10
USERNAME, INTEGRITY, ERROR, LIFETIME, PEER, PAYLOAD, REALM, NONCE, RELAYED, FAMILY, TRANSPORT = \
    0x06, 0x08, 0x09, 0x0D, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x19
NO_ANSWER = -1


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def xored(host, port, transaction):
    ip = ipaddress.ip_address(host)
    pad = struct.pack("!I", COOKIE) + transaction
    return struct.pack("!BBH", 0, 1 if ip.version == 4 else 2, port ^ (COOKIE >> 16)) + bytes(a ^ b for a, b in zip(ip.packed, pad))


def read(message):
    found, at = {}, 20
    while at + 4 <= len(message):
        kind, n = struct.unpack("!HH", message[at:at + 4])
        found.setdefault(kind, message[at + 4:at + 4 + n])
        at += 4 + n + -n % 4
    return found


def password_of(secret, username):
    return base64.b64encode(hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()).decode()


class Turn:
    def __init__(self, relay, username, password):
        self.username, self.password, self.realm, self.nonce = username, password, b"", b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(relay)
        self.socket.settimeout(1)
        self.answer = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ask(REFRESH, attribute(LIFETIME, bytes(4)))  # the allocation ends with us
        self.socket.close()

    def _once(self, method, body, transaction, signed):
        if signed:
            body += attribute(USERNAME, self.username.encode()) + attribute(REALM, self.realm) + attribute(NONCE, self.nonce)
            head = struct.pack("!HHI", method, len(body) + 24, COOKIE) + transaction
            key = hashlib.md5(b":".join((self.username.encode(), self.realm, self.password.encode()))).digest()
            body += attribute(INTEGRITY, hmac.new(key, head + body, hashlib.sha1).digest())
        self.socket.send(struct.pack("!HHI", method, len(body), COOKIE) + transaction + body)
        try:
            while True:
                got = self.socket.recv(2048)
                if got[8:20] == transaction:
                    break
        except (TimeoutError, socket.timeout, ConnectionError):
            self.answer = {}
            return NO_ANSWER
        self.answer = read(got)
        error = self.answer.get(ERROR)
        return error[2] * 100 + error[3] if error else 0

    def ask(self, method, body=b"", peer=None):
        """The answer's error code; a challenge is taken up once."""
        for _ in range(3):
            transaction = os.urandom(12)
            more = body + (attribute(PEER, xored(*peer, transaction)) if peer else b"")
            code = self._once(method, more, transaction, bool(self.nonce))
            if code not in (401, 438) or self.answer.get(NONCE, self.nonce) == self.nonce:
                return code
            self.realm, self.nonce = self.answer.get(REALM, self.realm), self.answer[NONCE]
        return code

    def allocate(self, transport=17, family=None):
        return self.ask(ALLOCATE, attribute(TRANSPORT, bytes([transport, 0, 0, 0])) +
                        (attribute(FAMILY, bytes([family, 0, 0, 0])) if family else b""))

    def permit(self, host, port=9):
        return self.ask(PERMISSION, peer=(host, port))

    def bind(self, host, port):
        return self.ask(CHANNEL, attribute(0x0C, b"\x40\x01\0\0"), (host, port))

    def send(self, data, host, port):
        transaction = os.urandom(12)
        body = attribute(PEER, xored(host, port, transaction)) + attribute(PAYLOAD, data)
        self.socket.send(struct.pack("!HHI", SEND | 0x10, len(body), COOKIE) + transaction + body)
