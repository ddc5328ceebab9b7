# SPDX-License-Identifier: Apache-2.0
"""A trunk with media_ports: shared: the demonstration carrier, whose calls stand at one port of their media worker."""
import os
import tempfile

import carrier
from app import App
from group import Group
from house import TOP, check


class SharedGroup(Group):
    def settings(self):
        text = open(TOP + "/tests/demo/sallyport.yaml.in").read()
        mark = "  - name: demo\n    fqdn"
        check(text.count(mark) == 1, "the demonstration's template has another form")
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o755)
        path = self.folder.name + "/sallyport.yaml.in"
        with open(path, "w") as out:
            out.write(text.replace(mark, "  - name: demo\n    media_ports: shared\n    fqdn"))
        return {"template": path, "env": None}


SHARED = SharedGroup("sharedports", programs=["baresip"])


def sockets(house):
    folder = "/proc/%d/fd/" % house.pid("media")
    return sum(os.readlink(folder + fd).startswith("socket:") for fd in os.listdir(folder))


@SHARED.scenario("shared trunk ports: two calls at once hear each their own")
def two_calls(house):
    before = sockets(house)
    with App(house.demo, "alice") as alice, App(house.demo, "bob") as bob:
        tone, echo = alice.place(house.demo["dial"]["tone"]), bob.place(house.demo["dial"]["echo"])
        alice.wait("call.connected", call=tone)
        bob.wait("call.connected", call=echo)
        alice.hears(1004)
        bob.hears(700, 8)
        alice.hangup()
        bob.client.media.forget()
        bob.hears(700, 8)
        bob.hangup()
    for call in (tone, echo):
        carrier.secured(house, call)
    now = sockets(house)
    check(0 < now - before <= 4, "%d sockets before the calls, %d behind: a pair should stay for each worker" % (before, now))


SHARED.scenario("shared trunk ports: the carrier calls in, digits, its end")(carrier.calls_in)
