"""The recipes that begin with the archive of a release: an image of nothing else, and an action for GitHub."""

import functools
import hashlib
import http.server
import json
import platform
import re
import shutil
import signal
import tarfile
import threading

import recipes
from container import Scratch
from runners import GitHub
from scenario import SYSTEM_PATH, Scenario, need

VERSION = re.search(r"^project\(finally-run VERSION (\S+)", (recipes.ROOT / "CMakeLists.txt").read_text(), re.M)[1]
MACHINE = {"x86_64": ("amd64", "X64"), "aarch64": ("arm64", "ARM64")}


class WithArchive(Scenario):
    def setUp(self):
        self.machine, self.runner_machine = MACHINE[platform.machine()]

    def make_archive(self, directory):
        """As ./dev package names and packs it; of what is in it the program alone."""
        name = f"finally-run-{VERSION}-linux-{self.machine}"
        path = directory / f"{name}.tar.gz"
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            archive.add(self.binary, f"{name}/bin/finally-run")
        return path


class Image(WithArchive):
    """FROM scratch: there is no shell, no library, no /tmp and no user's home."""

    def setUp(self):
        super().setUp()
        need("unshare", "util-linux")
        busybox = need("busybox", "busybox-static")
        self.container = Scratch(self)
        self.make_archive(self.work)
        shutil.copy(busybox, self.work / "busybox")
        self.words = self.build()

    def build(self):
        """What `docker build` does; returns the words that `docker run` starts."""
        variables, words = {}, {}
        for line in self.recipe("docker-scratch").splitlines():
            instruction, rest = line.split(" ", 1)
            for name, value in variables.items():
                rest = rest.replace(f"${name}", value)
            if instruction == "ARG":
                variables[rest] = {"TARGETARCH": self.machine}[rest]
            elif instruction == "ADD":
                source, target = rest.split()
                with tarfile.open(self.work / source) as archive:
                    archive.extractall(self.container.path / target.lstrip("/"))
            elif instruction == "COPY":
                source, target = rest.split()
                shutil.copy(self.work / source, self.container.path / target.lstrip("/"))
            elif instruction == "ENV":
                name, value = rest.split("=", 1)
                self.container.env[f"IMAGE_{name}"] = value
            elif instruction in ("ENTRYPOINT", "CMD"):
                words[instruction] = json.loads(rest)
            else:
                self.assertEqual((instruction, rest), ("FROM", "scratch"))
        return words["ENTRYPOINT"] + words["CMD"]

    def test_docker_stop(self):
        run = self.container.start(*self.words)
        self.wait_until("the server runs", lambda: [p for p in self.container.processes() if p.name == "busybox"])
        (self.container.path / "data/busy").mkdir(parents=True)
        self.assertEqual(self.container.stop(), signal.SIGTERM)
        self.assertEqual((run.finish(), run.err), (143, ""))
        self.assertFalse(self.container.has("data/busy"))
        self.nothing_left()
        self.assertEqual(self.container.journals(), [])


class Action(WithArchive):
    """The composite action, with a server that has the release."""

    def setUp(self):
        super().setUp()
        need("curl", "curl")
        self.release = self.work / "release"
        self.release.mkdir()
        self.archive = self.make_archive(self.release)
        (self.release / "SHA256SUMS").write_text(
            f"{'0' * 64}  finally-run_{VERSION}-1_{self.machine}.deb\n{digest(self.archive)}  {self.archive.name}\n"
        )
        handler = functools.partial(Quiet, directory=self.release)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()
        self.temp, self.path_file = self.work / "_temp", self.work / "path"
        self.temp.mkdir()
        self.path_file.touch()
        self.write_recipe("github-action")

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()
        super().tearDown()

    def act(self, sha256):
        """Runs the step of the action, as the runner does: what it has as inputs stands in its variables."""
        action = self.read(".github/actions/finally-run/action.yml")
        (step,) = GitHub.steps(action)
        inputs = {
            "inputs.version": VERSION,
            "inputs.from": f"http://127.0.0.1:{self.server.server_port}",
            "inputs.sha256": sha256,
            "runner.arch": self.runner_machine,
        }
        names = re.findall(r"^ +(\w+): \$\{\{ (\S+) \}\}$", action, re.M)
        self.assertEqual({value for _, value in names}, set(inputs))
        env = {name: inputs[value] for name, value in names}
        env |= {"RUNNER_TEMP": str(self.temp), "GITHUB_PATH": str(self.path_file)}
        self.env.update(env)
        return self.runner_run(step)

    def runner_run(self, step):
        self.assertEqual(step["shell"], "bash")
        script = self.write("step.sh", step["run"])
        return self.run_program("bash", "--noprofile", "--norc", "-eo", "pipefail", str(script))

    def test_puts_it_into_the_path(self):
        step = self.act(digest(self.release / "SHA256SUMS"))
        self.assertEqual((step.status, step.err), (0, ""))
        path = self.path_file.read_text().rstrip("\n")
        path = f"{path}:{SYSTEM_PATH}"
        run = self.run_program("sh", "-c", "command -v finally-run; finally-run -c 'echo bye' -- echo hello", env={"PATH": path})
        self.assertEqual((run.status, run.err), (0, "bye\n"))
        self.assertRegex(run.out, rf"\A{self.temp}/\S+/bin/finally-run\nhello\n\Z")

    def test_refuses_another_archive(self):
        sums = digest(self.release / "SHA256SUMS")
        with open(self.archive, "ab") as file:
            file.write(b"x")
        self.assertNotEqual(self.act(sums).status, 0)
        self.assertEqual(self.path_file.read_text(), "")

    def test_refuses_other_sums(self):
        self.assertNotEqual(self.act("0" * 64).status, 0)
        self.assertEqual(self.path_file.read_text(), "")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
