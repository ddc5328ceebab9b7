#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""src/console/dist is what src/console/web gives: the digest of the sources that build.mjs wrote there
is that of the sources as they are. Needs no node. Exit status 1 if somebody forgot `npm run build`."""
import hashlib
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2] / "src/console"


def sources():
    web = sorted(str(p.relative_to(TOP / "web")) for p in (TOP / "web").rglob("*") if p.is_file())
    return [f"web/{name}" for name in web] + ["package.json", "build.mjs"]


def digest():
    total = hashlib.sha256()
    for name in sources():
        data = (TOP / name).read_bytes()
        total.update(f"{name} {len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()


if digest() != (TOP / "dist/sources.sha256").read_text().strip():
    print("src/console/dist/sources.sha256:1: the sources have changed since: cd src/console && npm ci && npm run build")
    sys.exit(1)
