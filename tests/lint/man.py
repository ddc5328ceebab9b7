#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages in docs/man: those that repeat a table are printed from it. man.py --write prints them;
without, a page that is not what its table says is a fault, and mandoc (where it is) finds no error."""
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
HEAD = ".\\\" SPDX-License-Identifier: Apache-2.0\n.\\\" Printed by tests/lint/man.py from %s.\n.Dd November 22, 2026\n.Dt %s %s\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n"


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as f:
        return f.read()


def text(s):
    """A text for roff: nothing of it is a request or an escape."""
    s = s.replace("\\", "\\e").replace("…", "...").replace("—", "\\(em").replace("`", "")
    return re.sub(r"^([.'])", r"\\&\1", s)


def word(s):
    return text(s).replace('"', '\\(dq').replace("-", "\\-")


def sallyport():
    out = HEAD % ("src/app/cli_rows.def", "SALLYPORT", "1", "sallyport", "the operators' command of the session border gateway")
    out += (".Sh SYNOPSIS\n.Nm\n.Ar verb\n.Op Ar argument ...\n.Op Fl -json\n.Op Fl -url Ar URL\n.Op Fl -token-file Ar FILE\n.Op Fl -ca Ar FILE\n"
            ".Op Fl -cert Ar FILE\n.Op Fl -key Ar FILE\n"
            ".Op Fl -config Ar FILE\n.Sh DESCRIPTION\nA verb is one request to the operators' API (see\n.Xr sallyport-api 7 ) .\n"
            "Tables and lists are printed for people; with\n.Fl -json\nthe API's document as it is.\n"
            "Where the gateway is and which token to show is read from its configuration, or told by the options or by\n"
            ".Ev SALLYPORT_URL ,\n.Ev SALLYPORT_TOKEN_FILE\nand\n.Ev SALLYPORT_CONFIG .\n"
            "With\n.Fl -cert\nand\n.Fl -key\n(PEM; the key may stand in the certificate's file), or\n.Ev SALLYPORT_CERT\nand\n.Ev SALLYPORT_KEY ,\n"
            "a client certificate is shown (see admin.client_ca in\n.Xr sallyport.yaml 5 ) ,\nand a token only where one is named.\n"
            ".Bl -tag -width indent\n"
            ".It Ic route\\-test Ar number\nWhich rule of the dialplan takes a number, and why; no program is asked.\n"
            ".It Ic completion Cm bash | zsh\nWhat the shell needs to complete words.\n"
            ".It Ic restore Ar FILE\nPuts a backup of the call records into the database's place, while the gateway is stopped.\n")
    for words, arguments, options, about in re.findall(
            r'^CLI\("([^"]*)", "\w+", "[^"]*", "([^"]*)", "([^"]*)", (?:"(?:[^"\\]|\\.)*", ){3}"([^"]*)"\)$', read("src/app/cli_rows.def"), re.M):
        out += ".It Ic %s" % word(words)
        for name in arguments.split():
            out += " Ar %s" % (word(re.split(r"[:.+*]", name)[0]) if ":" not in name or name[-2:] == ":i" else "FILE")
        for name in options.split():
            bare, _, kind = name.partition(":")
            out += " Oo Fl \\-%s%s Oc" % (word(bare), " Ns Oo =no Oc" if kind == "b" else " Ar FILE" if kind == "@" else " Ar value")
        out += "\n%s.\n" % text(about[0].upper() + about[1:])
    return out + (".El\n.Sh EXIT STATUS\n.Bl -tag -width indent -compact\n.It 0\nDone.\n.It 1\nRefused, or the answer is no.\n.It 2\nWrong words.\n"
                  ".It 3\nThe gateway cannot be reached.\n.It 4\nWho asks is not known, or may not.\n.El\n"
                  ".Sh SEE ALSO\n.Xr sallyport.yaml 5 ,\n.Xr sallyport-api 7 ,\n.Xr sallyport-media 8 ,\n.Xr sallyportd 8\n")


def configuration():
    out = HEAD % ("docs/configuration.md", "SALLYPORT.YAML", "5", "sallyport.yaml", "configuration of the session border gateway")
    out += (".Sh DESCRIPTION\nOne YAML file for\n.Xr sallyportd 8\nand\n.Xr sallyport-media 8 .\nNumbers are whole and without unit: the unit is in the\n"
            "key's name. Relative paths begin at the file's folder. Aliases, anchors and tags are refused, unknown and\ndouble keys too.\n"
            ".Dl sallyportd \\-\\-check\\-config FILE\ntells all errors at once. After a change\n.Dl sallyport config commit FILE\n"
            "takes it into force; settings marked\n.Em restart\nwait for one.\n")
    title = None
    for line in read("docs/configuration.md").splitlines():
        if line.startswith("## "):
            out += (".El\n" if title else "") + ".Ss %s\n.Bl -tag -width indent\n" % word(line[3:])
            title = line
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if title and len(cells) == 5 and cells[0] not in ("key", "---"):
            key, expected, default, takes, doc = (c.replace("\\|", "|") for c in cells)
            out += ".It Va %s\n%s\n.br\nExpected: %s. Default: %s. Takes effect on: %s.\n" % (
                word(key.strip("`")), text(doc), word(expected).replace("|", "|\\:"), word(default.strip("`") or "none"), takes)
    return out + ".El\n.Sh SEE ALSO\n.Xr sallyport 1 ,\n.Xr sallyport-media 8 ,\n.Xr sallyportd 8\n"


def api():
    out = HEAD % ("src/admin/verbs.def", "SALLYPORT-API", "7", "sallyport-api", "the operators' HTTP API of the session border gateway")
    out += (".Sh DESCRIPTION\nPaths stand below\n.Pa /admin/v1\nunless they are said to stand at the root. Bodies are JSON, errors are problem\n"
            "documents (RFC 9457) with pointers to the fields. Who asks shows a token\n.Pq Li \"Authorization: Bearer\" ,\na session's cookie\n"
            "or a client certificate; each verb names the least role: viewer, operator, security or admin. Changes of what has an\nETag want\n"
            ".Li If-Match .\nThe whole document is served at\n.Pa /admin/v1/openapi.json .\n.Bl -tag -width indent\n")
    for method, path, role, flags, about in re.findall(r'^VERB\(\w+, (\w+), "([^"]*)", (\w+),.*, ([^,]*), "([^"]*)"\)$', read("src/admin/verbs.def"), re.M):
        out += ".It Li %s Pa %s\n%s. %s%s\n" % (method, word(path), text(about), "Role: %s." % role.lower() if role != "NONE" else "Open to all.",
                                              " At the root." if "VERB_ROOT" in flags else "")
    return out + ".El\n.Sh SEE ALSO\n.Xr sallyport 1 ,\n.Xr sallyportd 8\n"


PAGES = {"docs/man/sallyport.1": sallyport, "docs/man/sallyport.yaml.5": configuration, "docs/man/sallyport-api.7": api}
faults = 0
for name, make in PAGES.items():
    made = make()
    if "--write" in sys.argv:
        with open(os.path.join(TOP, name), "w", encoding="utf-8") as f:
            f.write(made)
    elif read(name) != made:
        print("%s is stale: run tests/lint/man.py --write" % name)
        faults += 1
if shutil.which("mandoc"):
    for name in sorted(os.listdir(os.path.join(TOP, "docs/man"))):
        told = subprocess.run(["mandoc", "-T", "lint", "-W", "error", os.path.join(TOP, "docs/man", name)], capture_output=True, text=True, check=False).stdout
        told = "\n".join(line for line in told.splitlines() if "referenced manual not found" not in line)
        faults += bool(told)
        print(told, end="\n" if told else "")
sys.exit(1 if faults else 0)
