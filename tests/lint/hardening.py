#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs as they were linked: position independent, full RELRO, no executable stack, no writable and
executable segment, stack protector, fortified calls. hardening.py [BUILD-FOLDER]"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = sys.argv[1] if len(sys.argv) > 1 else os.path.join(TOP, "build")


def tool(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def faults(path):
    head, segments, dynamic = (tool("readelf", "-W", flag, path) for flag in ("-h", "-l", "-d"))
    symbols = tool("nm", "-D", "--undefined-only", path)
    stack = re.search(r"GNU_STACK\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+([RWE ]+?)\s+0x", segments)
    if not re.search(r"Type:\s+DYN", head):
        yield "not position independent"
    if "GNU_RELRO" not in segments:
        yield "no RELRO"
    if not re.search(r"BIND_NOW|FLAGS_1.*\bNOW\b", dynamic):
        yield "RELRO is not full: symbols are bound late"
    if not stack or "E" in stack.group(1):
        yield "executable stack"
    if re.search(r"LOAD\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+RWE", segments):
        yield "a segment is writable and executable"
    if "__stack_chk_fail" not in symbols:
        yield "no stack protector"
    if len(re.findall(r"__\w+_chk\b", symbols)) < 4:
        yield "no fortified calls"
    if "RPATH" in dynamic or "RUNPATH" in dynamic:
        yield "a search path for libraries"


wrong = 0
for program in ("sallyportd", "sallyport-media", "sallyport"):
    path = os.path.join(BUILD, program)
    if not os.path.exists(path):
        print("hardening: %s is not built" % path)
        wrong += 1
        continue
    for fault in faults(path):
        print("hardening: %s: %s" % (program, fault))
        wrong += 1
sys.exit(1 if wrong else 0)
