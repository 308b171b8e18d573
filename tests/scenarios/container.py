"""Players of docker and of systemd: a root directory of its own, and how what runs in it is stopped.

In the root there are the programs of this machine, and nothing else of it; the mounts end with the last process in it.
"""

import os
import shutil
import signal
import time

import processes

# As root of the root directory $1, and with what follows as the program.
ENTER = """
root=$1
shift
for name in /usr/bin /usr/sbin /usr/lib /usr/lib64 /bin /sbin /lib /lib64 /dev; do
    if test -L $name; then ln -sfn "$(readlink $name)" "$root$name"
    elif test -d $name; then mkdir -p "$root$name" && mount --rbind $name "$root$name"; fi
done
if test $$ = 1; then mount -t proc proc "$root/proc"; else mount --rbind /proc "$root/proc"; fi
exec chroot "$root" "$@"
"""

# The same for an image that has nothing of this machine: docker makes these two for each. $IMAGE_PATH is its PATH.
ENTER_SCRATCH = """
root=$1
shift
mkdir "$root/proc" "$root/dev"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
chroot=$(command -v chroot)
PATH=$IMAGE_PATH exec "$chroot" "$root" "$@"
"""


class Root:
    enter_script = ENTER

    def __init__(self, scenario):
        self.scenario = scenario
        self.path = scenario.dir / "root"
        for name in ("proc", "root", "tmp", "usr/local/bin", "var/tmp", "var/lib"):
            (self.path / name).mkdir(parents=True)
        shutil.copy(scenario.binary, self.path / "usr/local/bin/finally-run")
        self.env = {"FINALLY_RUN_STATE_DIR": None, "TMPDIR": None, "XDG_RUNTIME_DIR": None}
        self.unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]

    def script(self, name, text):
        path = self.path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def has(self, name):
        return (self.path / name).exists()

    def read(self, name):
        return (self.path / name).read_text() if self.has(name) else ""

    def journals(self):
        return list(self.path.glob("**/.runs/*.journal"))

    def enter(self, options, words, **env):
        return self.scenario.start(
            *self.unshare, *options, "sh", "-euc", self.enter_script, "sh", str(self.path), *words, env={**self.env, **env}
        )


class Docker(Root):
    """A container with a pid namespace."""

    def start(self, *words, **env):
        """As `docker run` or `docker start` do."""
        self.running = self.enter(["--pid", "--fork", "--kill-child"], words, HOME="/root", **env)
        entered = lambda: [p for p in processes.descendants(self.running.pid) if p.name == os.path.basename(words[0])]
        self.first = self.scenario.wait_until("pid 1 runs", entered)[0].pid
        return self.running

    def exec(self, *words):
        namespaces = ["--pid", "--mount", "--root", "--wd"]
        if os.geteuid() != 0:
            namespaces = ["--user", "--preserve-credentials", *namespaces]
        return self.scenario.start(
            "nsenter", "--target", str(self.first), *namespaces, "--", *words, env={**self.env, "HOME": "/root"}
        )

    def stop(self):
        """Returns what it took."""
        processes.kill(self.first, signal.SIGTERM)
        if self.running.ends_within(10):
            return signal.SIGTERM
        self.kill()
        return signal.SIGKILL

    def kill(self):
        processes.kill(self.first)
        self.running.wait()

    def processes(self):
        """All in it but pid 1, zombies as well."""
        return processes.descendants(self.first)


class Scratch(Docker):
    """A container whose image begins with nothing."""

    enter_script = ENTER_SCRATCH

    def __init__(self, scenario):
        super().__init__(scenario)
        shutil.rmtree(self.path)
        self.path.mkdir()


class Systemd(Root):
    """A service. What its cgroup would have is what the scenario has started."""

    # The time until SIGKILL, in which nothing else happens.
    PACE = 0.05

    def __init__(self, scenario, unit):
        super().__init__(scenario)
        self.unit = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
        state = self.path / "var/lib" / self.unit["StateDirectory"]
        state.mkdir(mode=int(self.unit["StateDirectoryMode"], 8))

    def start(self):
        name, value = self.unit["Environment"].replace("%S", "/var/lib").split("=")
        self.main = self.enter([], self.unit["ExecStart"].split(), **{name: value, "HOME": None})
        return self.main

    def stop(self, kill_mode=None):
        """Returns what it took."""
        if (kill_mode or self.unit["KillMode"]) == "mixed":
            self.main.signal(signal.SIGTERM)
        else:
            for process in self.cgroup():
                processes.kill(process.pid, signal.SIGTERM)
                processes.kill(process.pid, signal.SIGCONT)
        give_up = time.monotonic() + self.PACE * float(self.unit["TimeoutStopSec"].removesuffix("s"))
        self.main.ends_within(give_up - time.monotonic())
        while self.cgroup() and time.monotonic() < give_up:
            time.sleep(0.01)
        if not self.cgroup():
            return signal.SIGTERM
        for process in self.cgroup():
            processes.kill(process.pid)
        return signal.SIGKILL

    @staticmethod
    def cgroup():
        return [process for process in processes.descendants() if not process.dead]
