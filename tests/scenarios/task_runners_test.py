"""finally-run called by just, Task, Terraform and Helm.

None of them is a package of Debian's: how they start a program and pass signals on is played here. A just that is in the
PATH is used.
"""

import re
import shlex
import shutil
import signal

from program import CTRL_C
from runners import yaml_fields
from scenario import SYSTEM_PATH, Scenario

WAITS = "echo READY; while ! test -e over; do sleep .02; done"


class WithDatabase(Scenario):
    def setUp(self):
        for name in ("database-up", "database-down"):
            self.write(name, f"#!/bin/sh\necho {name} >>log\n", mode=0o755)
        self.write("run-tests", f"#!/bin/sh\n{WAITS}\n", mode=0o755)

    def check(self, runner, number):
        runner.wait_for("READY")
        runner.signal(number)
        self.assertEqual(runner.finish(), 128 + number)
        self.nothing_left()
        self.assertEqual(self.read("log"), "database-up\ndatabase-down\n")


class Just(WithDatabase):
    def start_recipe(self):
        self.write_recipe("just")
        if shutil.which("just", path=SYSTEM_PATH):
            return self.start("just", "test")
        # A shell for each line, to which just passes a signal on.
        text = self.recipe("just")
        (line,) = re.findall(r"^    (.*)$", text, re.MULTILINE)
        for name, value in re.findall(r'^(\w+) := "(.*)"$', text, re.MULTILINE):
            line = line.replace("{{" + name + "}}", value)
        return self.start("sh", "-cu", line)

    def test_passes_signals_on_and_waits_for_the_cleanup(self):
        self.check(self.start_recipe(), signal.SIGTERM)

    def test_gets_the_status(self):
        self.write("run-tests", "#!/bin/sh\nexit 3\n", mode=0o755)
        self.assertEqual(self.start_recipe().finish(), 3)
        self.assertEqual(self.read("log"), "database-up\ndatabase-down\n")


class Task(WithDatabase):
    def test_starts_it_without_a_shell_and_is_killed(self):
        (line,) = [value for key, value in yaml_fields(self.recipe("task")) if key == "-"]
        runner = self.start("sh", "-c", '"$@" & wait', "sh", *shlex.split(line))
        self.check(runner, signal.SIGKILL)


class Terraform(Scenario):
    """Played as one that notes each signal and goes on."""

    def start_recipe(self, **options):
        self.program("terraform", f"trap 'echo INT >>log' INT\ntrap 'echo TERM >>log' TERM\necho $1 >>log\n"
                     f"test $1 = destroy || {{ {WAITS.replace('READY', 'READY >&2')}; }}")
        run = self.start("sh", "-c", "exec " + self.recipe("terraform"), **options)
        run.wait_for("READY", "out" if options else "err")
        return run

    def over(self, run):
        self.wait_until("it has a signal", lambda: len(self.read("log").splitlines()) > 1)
        self.write("over", "")
        run.finish()
        self.nothing_left()
        return self.read("log").split()

    def test_gets_term_once_and_its_time(self):
        run = self.start_recipe()
        run.signal(signal.SIGTERM)
        self.assertEqual(self.over(run), ["apply", "TERM", "destroy"])

    def test_gets_a_typed_ctrl_c_once(self):
        run = self.start_recipe(terminal=True)
        run.type(CTRL_C)
        self.assertEqual(self.over(run), ["apply", "INT", "destroy"])


class Helm(Scenario):
    def setUp(self):
        self.program("helm", f'echo "$*" >>log\ntest $1 = rollback || {{ {WAITS}; }}')

    def test_rolls_back_what_is_cancelled(self):
        run = self.start("sh", "-c", "exec " + self.recipe("helm"))
        run.wait_for("READY")
        run.signal(signal.SIGTERM)
        self.assertEqual(run.finish(), 143)
        self.assertEqual(self.read("log"), "upgrade app ./chart --wait\nrollback app\n")

    def test_keeps_what_succeeds(self):
        self.write("over", "")
        self.assertEqual(self.run_program("sh", "-c", self.recipe("helm")).status, 0)
        self.assertEqual(self.read("log"), "upgrade app ./chart --wait\n")
