# SPDX-License-Identifier: Apache-2.0
"""Scenarios in groups: those of a group share one gateway, and run in their order."""
import os
import shutil

GROUPS = []


class Group:
    def __init__(self, name, shared=True, long=False, template=None, env=None, programs=(), root=False, house=None):
        self.name, self.shared, self.long, self.root = name, shared, long, root
        self.template, self.env, self.programs = template, env, programs
        self.scenarios, self.house = [], house  # house: a kind of House of its own
        GROUPS.append(self)

    def scenario(self, name):
        def take(fn):
            self.scenarios.append((name, fn))
            return fn
        return take

    def settings(self):
        return {"template": self.template, "env": self.env}

    def lacks(self):
        """Why this machine cannot run it, or "". """
        missing = [p for p in self.programs if not shutil.which(p)]
        if missing:
            return "not installed: " + " ".join(missing)
        return "needs root" if self.root and os.geteuid() != 0 else ""
