# SPDX-License-Identifier: Apache-2.0
"""A receiver of records over TLS that misbehaves as it is told: it counts, checks signatures, remembers events."""
import hashlib
import hmac
import http.server
import json
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

SECRET = b"the consumer's secret of tests"


def certificate(folder, name):
    """An authority of that name with one server certificate: NAME.pem, NAME-server.pem and .key."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".pem")
    openssl("req", "-new", *key, "-subj", "/CN=127.0.0.1", "-keyout", name + "-server.key", "-out", name + ".csr")
    with open(folder + "/" + name + ".ext", "w", encoding="utf-8") as f:
        f.write("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", name + ".csr", "-CA", name + ".pem", "-CAkey", name + ".key", "-CAcreateserial", "-days", "2",
            "-extfile", name + ".ext", "-out", name + "-server.pem")
    os.chmod(folder + "/" + name + ".pem", 0o644)


class Consumer:
    """modes: what is done with the next requests, a status, "reset" or "silent" (taken, but nobody says so); then 200."""

    def __init__(self, folder, name):
        self.modes, self.events, self.order, self.faults, self.repeats, self.paths, self.requests = [], {}, [], [], 0, set(), 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.wear(folder, name)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler(), bind_and_activate=False)
        self.server.server_bind()
        self.port = self.server.server_address[1]
        self.server.handle_error = lambda *_: None

    def wear(self, folder, name):
        """New connections see another certificate."""
        self.context.load_cert_chain("%s/%s-server.pem" % (folder, name), "%s/%s-server.key" % (folder, name))

    def start(self):
        """Until then it is away: connections are refused."""
        self.server.server_activate()
        self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.server_close()

    def _take(self, head, body):
        parts = dict(part.split("=", 1) for part in head["Sallyport-Signature"].split(","))
        good = hmac.new(SECRET, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(good, parts["v1"]) or abs(time.time() - int(parts["t"])) > 60:
            self.faults.append("signature " + parts["t"])
        for e in json.loads(body)["events"]:
            if self.events.setdefault(e["event"], e["record"]) != e["record"]:
                self.faults.append("%s with another content" % e["event"])
            if e["event"] in self.order:
                self.repeats += 1
            else:
                self.order.append(e["event"])

    def _handler(self):
        me = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                mode = me.modes.pop(0) if me.modes else 200
                me.paths.add(self.path)
                me.requests += 1
                if mode in (200, "silent"):
                    me._take(self.headers, body)
                self.close_connection = True
                if mode == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if mode in ("reset", "silent"):
                    return
                self.send_response(mode)
                if mode == 301:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()
        return Handler
