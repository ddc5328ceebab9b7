# SPDX-License-Identifier: Apache-2.0
"""An authority for PASSporTs of the tests' own: certificates, tokens, and the https server that shows them."""
import base64
import datetime
import http.server
import json
import os
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

TN_AUTH_LIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


PROVIDER = b"\x30\x08\xa0\x06\x16\x04709J"


def ten_numbers(first):
    """The list of a range: that number and the nine after it."""
    start = b"\x16" + bytes([len(first)]) + first.encode() + b"\x02\x01\x0a"
    seq = b"\x30" + bytes([len(start)]) + start
    return b"\x30" + bytes([len(seq) + 2]) + b"\xa1" + bytes([len(seq)]) + seq


def make(text, issuer=None, numbers=None, host=None):
    """(key, certificate) of that issuer, or of itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.utcnow()
    b = (x509.CertificateBuilder().subject_name(name(text)).issuer_name(issuer[1].subject if issuer else name(text))
         .public_key(key.public_key()).serial_number(x509.random_serial_number())
         .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
         .add_extension(x509.BasicConstraints(ca=not issuer, path_length=None), critical=True))
    if numbers:
        b = b.add_extension(x509.UnrecognizedExtension(TN_AUTH_LIST, numbers), critical=False)
    if host:
        b = b.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return key, b.sign(issuer[0] if issuer else key, hashes.SHA256())


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authority:
    def __init__(self, folder):
        self.folder = folder
        root, https = make("STI root"), make("https root")
        self.leaf, self.stranger = make("SHAKEN", root, PROVIDER), make("SHAKEN of another", make("another root"), PROVIDER)
        self.few = make("SHAKEN of few", root, ten_numbers("15550120000"))
        server = make("localhost", https, host="localhost")
        for word, pair in (("root", root), ("https", https), ("leaf", self.leaf), ("few", self.few), ("stranger", self.stranger), ("server", server)):
            self.put(word + ".pem", pair[1].public_bytes(serialization.Encoding.PEM))
            self.put(word + ".key", pair[0].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                          serialization.NoEncryption()), 0o600)

    def put(self, file, data, mode=0o644):
        path = os.path.join(self.folder, file)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, mode)

    def token(self, payload, url, ppt="shaken", key=None, alg="ES256"):
        """The value of an Identity header field."""
        head = {"alg": alg, "ppt": ppt, "typ": "passport", "x5u": url}
        text = ".".join(b64(json.dumps(p, separators=(",", ":"), sort_keys=True).encode()) for p in (head, payload))
        r, s = utils.decode_dss_signature((key or self.leaf[0]).sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return "%s.%s;info=<%s>;alg=%s;ppt=%s" % (text, b64(r.to_bytes(32, "big") + s.to_bytes(32, "big")), url, alg, ppt)

    def is_signed(self, value):
        text, _, signature = value.split(";")[0].rpartition(".")
        raw = unb64(signature)
        der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        self.leaf[1].public_key().verify(der, text.encode(), ec.ECDSA(hashes.SHA256()))
        return [json.loads(unb64(p)) for p in text.split(".")]


class Server:
    """The files of an authority by https; /slow takes five seconds, /moved redirects, /big has no end."""

    def __init__(self, folder, port):
        outer = self
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.asked.append(self.path)
                if self.path.startswith("/slow"):
                    time.sleep(5)
                try:
                    self.say()
                except OSError:
                    pass

            def say(self):
                if self.path.startswith("/moved"):
                    self.send_response(302)
                    self.send_header("Location", "/leaf.pem")
                    self.end_headers()
                    return
                if self.path.startswith("/big"):
                    self.send_response(200)
                    self.end_headers()
                    for _ in range(200):
                        self.wfile.write(b"x" * 4096)
                    return
                path = os.path.join(folder, os.path.basename(self.path.split("?")[0]))
                found = path.endswith(".pem") and os.path.exists(path)
                self.send_response(200 if found else 404)
                self.end_headers()
                if found:
                    self.wfile.write(open(path, "rb").read())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
