# SPDX-License-Identifier: Apache-2.0
"""A Debian machine of its own: this machine's files with a layer on top that is thrown away, systemd as its first
process, its own network, processes, users and packages. Wants root and overlayfs; nothing is downloaded."""
import os
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Failed(Exception):
    pass


def lacks():
    """Why there can be no machine here, or None."""
    if os.getuid() != 0:
        return "not root"
    if not os.path.exists("/lib/systemd/systemd"):
        return "no systemd"
    if os.path.exists("/etc/sallyport") or os.path.exists("/usr/sbin/sallyportd"):
        return "the package is installed on this machine"
    for words, why in ((["unshare", "-m", "-p", "-f", "-u", "-i", "-n", "-C", "true"], "no namespaces"),
                       (["unshare", "-m", "sh", "-c", "mount -t cgroup2 none /mnt"], "no cgroup2"),
                       (["unshare", "-m", "sh", "-c", "mount -t tmpfs x /mnt && mkdir /mnt/a /mnt/b /mnt/c && "
                         "mount -t overlay x -o lowerdir=/,upperdir=/mnt/a,workdir=/mnt/b /mnt/c"], "no overlayfs")):
        if subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
            return why
    return None


class Machine:
    """To be used in a mount namespace that ends with this process: the layer lives in its memory."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder + "/root"
        self.init = None
        self.cgroups = folder + "/cgroup"
        self.group = "sallyport-package-%d" % os.getpid()
        for name in ("root", "layer", "cgroup"):
            os.makedirs("%s/%s" % (folder, name))
        self.mount("-t", "tmpfs", "layer", folder + "/layer")
        os.makedirs(folder + "/layer/upper")
        os.makedirs(folder + "/layer/work")
        self.mount("-t", "overlay", "root", "-o", "lowerdir=/,upperdir=%s/layer/upper,workdir=%s/layer/work" % (folder, folder), self.root)
        self.mount("-t", "cgroup2", "cgroup2", self.cgroups)
        self.bare()

    @staticmethod
    def mount(*words):
        subprocess.run(["mount", *words], check=True)

    def bare(self):
        """No service of the machine that we borrow from starts in ours; its manual is not indexed anew."""
        script = ("rm -rf etc/systemd/system/*.wants/* etc/rc?.d/S* var/lib/man-db/auto-update var/log/journal; "
                  "rm -f etc/fstab; : >etc/machine-id; rm -rf root/* tmp/* usr/sbin/policy-rc.d")
        subprocess.run(["sh", "-c", script], cwd=self.root, check=True)

    def boot(self):
        os.makedirs("%s/%s" % (self.cgroups, self.group), exist_ok=True)
        join = "echo $$ >%s/%s/cgroup.procs && exec \"$@\"" % (self.cgroups, self.group)
        self.log = open(self.folder + "/console", "ab")
        self.outer = subprocess.Popen(["sh", "-c", join, "sh", "unshare", "-m", "-p", "-f", "--kill-child", "-u", "-i", "-n", "-C",
                                       HERE + "/boot", self.root], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.wait("systemd as the first process", self.find_init, 30)
        self.wait("the machine to be up", lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"), 60)

    def find_init(self):
        pid = self.outer.pid
        try:
            child = open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii").read().split()
            if child and open("/proc/%s/comm" % child[0], encoding="ascii").read().strip() == "systemd":
                self.init = child[0]
        except OSError:
            pass
        return self.init

    def words(self, words):
        return ["nsenter", "-t", self.init, "-m", "-u", "-i", "-n", "-p", "-C", "--", "env", "-i", "PATH=" + PATH, "LC_ALL=C.UTF-8",
                "HOME=/root", "DEBIAN_FRONTEND=noninteractive", *words]

    def run(self, *words, check=True, seconds=120):
        """Its exit code, and both outputs in one."""
        done = subprocess.run(self.words(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=seconds, check=False)
        if check and done.returncode:
            raise Failed("%s: %d\n%s" % (" ".join(words), done.returncode, done.stdout))
        return done

    def start(self, *words):
        return subprocess.Popen(self.words(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def path(self, name):
        return "/proc/%s/root%s" % (self.init, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def exists(self, name):
        return os.path.lexists(self.path(name))

    def copy(self, file, name):
        subprocess.run(["cp", file, self.path(name)], check=True)

    @staticmethod
    def wait(what, fn, seconds=20):
        until = time.monotonic() + seconds
        while True:
            got = fn()
            if got:
                return got
            if time.monotonic() > until:
                raise Failed("waited %d s for %s" % (seconds, what))
            time.sleep(0.1)

    def reboot(self):
        self.run("systemctl", "--no-block", "reboot")
        self.outer.wait(60)
        self.init = None
        self.boot()

    def end(self):
        if self.outer.poll() is None:
            os.kill(self.outer.pid, signal.SIGKILL)
            self.outer.wait()
        self.wait("the machine's processes to end", self.group_gone, 10)

    def group_gone(self):
        subprocess.run(["find", "%s/%s" % (self.cgroups, self.group), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"],
                       stderr=subprocess.DEVNULL, check=False)
        return not os.path.exists("%s/%s" % (self.cgroups, self.group))
