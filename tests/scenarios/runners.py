"""Players of CI runners: how each starts a step, cancels it, and hunts for what is left.

The sequences are those of actions/runner, gitlab-runner, Jenkins (hudson.util.ProcessTree) and the Buildkite agent.
"""

import pathlib
import re
import signal
import textwrap
import time
import uuid

import processes

# GitLab's ten minutes as six seconds. All other times are the true ones.
GITLAB_PACE = 0.01

FIELD = re.compile(r"^(?P<before> *(?:- )?)(?P<key>[\w-]+):(?: (?P<value>.*))?$")


def yaml_fields(text):
    """(key, value) in the order of the text; the little of YAML that the recipes use, and anything else is an error."""
    found = []
    lines = text.splitlines()
    while lines:
        line = lines.pop(0)
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        item = re.match(r"^ *- (.*)$", line)
        field = FIELD.match(line)
        if field:
            key, value = field["key"], field["value"] or ""
            if value == "|":
                column = len(field["before"])
                block = []
                while lines and (not lines[0].strip() or len(lines[0]) - len(lines[0].lstrip()) > column):
                    block.append(lines.pop(0))
                value = textwrap.dedent("\n".join(block)).rstrip("\n") + "\n"
            elif value[:1] == value[-1:] == '"':
                value = value[1:-1]
            found.append(("- " + key if field["before"].endswith("- ") else key, value))
        elif item:
            found.append(("-", item[1]))
        else:
            raise AssertionError(f"more YAML than this understands: {line!r}")
    return found


def environment_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it is gone, or somebody else's
        return []


def hunted(variable, value):
    """The processes whose environment has it, all over the machine: the value is this job's alone."""
    entry = f"{variable}={value}".encode()
    return [process for process in processes.everybody() if entry in environment_of(process.pid)]


class GitHub:
    def __init__(self, scenario):
        self.scenario = scenario
        self.tracking_id = f"github_{uuid.uuid4()}"
        self.env = {"CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_TRACKING_ID": self.tracking_id}

    @staticmethod
    def steps(workflow):
        """A dictionary for each step that has a script."""
        found = []
        for key, value in yaml_fields(workflow):
            if key.startswith("- "):
                found.append({})
            if found:
                found[-1][key.removeprefix("- ")] = value
        return [step for step in found if "run" in step]

    def start(self, step):
        script = self.scenario.write(f"_temp/{uuid.uuid4()}.sh", step["run"])
        shell = step.get("shell", "/usr/bin/bash -e {0}").replace("{0}", str(script))
        # .NET splits it, to which a single quote is a letter.
        words = [word.replace('"', "") for word in re.findall(r'(?:[^\s"]|"[^"]*")+', shell)]
        program = self.scenario.start(*words, env=self.env, stdin="")
        program.close_stdin()
        return program

    @staticmethod
    def cancel(step):
        """Returns what it took."""
        for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5)):
            step.signal(number)
            if step.ends_within(seconds):
                return number
        step.signal(signal.SIGKILL)
        step.wait()
        return signal.SIGKILL

    @staticmethod
    def end_step(step):
        """It is over 5 s after its shell, whoever holds its output."""
        step.wait()
        if not step.finishes_within(5):
            step.close_all()

    def end_job(self):
        for process in hunted("RUNNER_TRACKING_ID", self.tracking_id):
            processes.kill(process.pid)


class GitLab:
    """Its shell executor: a bash that reads the script of the job leads a process group."""

    def __init__(self, scenario):
        self.scenario = scenario

    @staticmethod
    def job(recipe):
        """(variables, commands)"""
        fields = yaml_fields(recipe)
        keys = [key for key, _ in fields]
        variables = dict(fields[keys.index("variables") + 1 : keys.index("script")])
        return variables, "\n".join(value for key, value in fields if key == "-")

    def start(self, recipe):
        variables, commands = self.job(recipe)
        self.scenario.write("script", f"set -eo pipefail\nset +o noclobber\n: | eval '{quoted(commands)}'\nexit 0\n")
        env = {"CI": "true", "GITLAB_CI": "true", **variables}
        return self.scenario.start("bash", "script", env=env)

    @staticmethod
    def cancel(job):
        """Returns what it took. The job is over when nobody holds its output any more."""
        job.signal_group(signal.SIGTERM)
        if job.finishes_within(600 * GITLAB_PACE):
            return signal.SIGTERM
        try:
            job.signal_group(signal.SIGKILL)
        except ProcessLookupError:
            pass
        return signal.SIGKILL


class Jenkins:
    """The `sh` step of a Pipeline."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.cookies = {
            "JENKINS_SERVER_COOKIE": f"durable-{uuid.uuid4().hex}",
            "JENKINS_NODE_COOKIE": str(uuid.uuid4()),
        }

    def start(self, recipe):
        (script,) = re.findall(r'^ *sh """\n(.*?)^ *"""$', recipe, re.MULTILINE | re.DOTALL)
        self.scenario.write("script.sh", textwrap.dedent(script).replace("\\\\", "\\"))
        # The step's output is a file; whoever has started it does not wait, and looks for the result from time to time.
        # What is around the script is not to be found by the cookie of the step.
        wrapper = (
            f"(JENKINS_SERVER_COOKIE={self.cookies['JENKINS_SERVER_COOKIE']} sh -xe script.sh >jenkins-log.txt 2>&1; "
            "echo $? >result.tmp; mv result.tmp result.txt; wait) >&- 2>&- &"
        )
        env = {"CI": "true", **self.cookies, "JENKINS_SERVER_COOKIE": "please-do-not-kill-me"}
        started = self.scenario.run_program("nohup", "sh", "-c", wrapper, env=env)
        if started.status != 0:
            raise AssertionError(started.transcript())

    def result(self, seconds):
        """The status of the step, or None if it has none in that time."""
        give_up = time.monotonic() + seconds
        while not (self.scenario.work / "result.txt").exists():
            if time.monotonic() > give_up:
                return None
            time.sleep(0.01)
        return int(self.scenario.read("result.txt"))

    def abort(self):
        """The status of the step, or None if it was given up after 10 s."""
        begun = time.monotonic()
        self._kill_all("JENKINS_SERVER_COOKIE")
        return self.result(begun + 10 - time.monotonic())

    def end_node(self):
        self._kill_all("JENKINS_NODE_COOKIE")

    def _kill_all(self, variable):
        """TERM to each and to all below it, the innermost first, each given the rest of 5 s to be gone."""
        children = {}
        for process in processes.everybody():
            children.setdefault(process.parent, []).append(process.pid)
        for process in hunted(variable, self.cookies[variable]):
            self._kill_tree(process.pid, children, time.monotonic() + 5)

    def _kill_tree(self, pid, children, deadline):
        for child in children.get(pid, []):
            self._kill_tree(child, children, deadline)
        processes.kill(pid, signal.SIGTERM)
        while processes.alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)


class Buildkite:
    """An agent as it is installed: the job has a terminal of its own."""

    def __init__(self, scenario):
        self.scenario = scenario

    def start(self, recipe):
        command = dict(yaml_fields(recipe))["- command"]
        env = {"CI": "true", "BUILDKITE": "true", "BUILDKITE_JOB_ID": str(uuid.uuid4())}
        return self.scenario.start("/bin/bash", "-e", "-c", command, env=env, terminal=True)

    @staticmethod
    def cancel(job):
        """Returns what it took."""
        job.signal_group(signal.SIGTERM)
        if job.ends_within(10):
            return signal.SIGTERM
        job.signal_group(signal.SIGKILL)
        job.wait()
        return signal.SIGKILL


def quoted(text):
    return text.replace("'", "'\\''")
