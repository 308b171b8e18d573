"""finally-run called from bash, dash, zsh and fish: in scripts, and typed at a prompt."""

import signal

from program import CTRL_C, CTRL_Z
from scenario import Scenario, need

HANGS = "#!/bin/sh\necho READY\nexec sleep 1000\n"


class InOneShell:
    """The tests that each shell goes through."""

    shell = ()  # that reads a script from its last word
    prompt = ()  # that reads from the terminal
    status = "$?"
    interrupted_after_fg = "130"

    @classmethod
    def setUpClass(cls):
        need(cls.shell[0], cls.shell[0])

    def script(self, text):
        return self.run_program(*self.shell, text)

    def test_a_script_sees_the_status_and_the_cleanup_is_over(self):
        run = self.script(
            f"finally-run --lock l -c 'echo cleaned; touch done' -- sh -c 'exit 7'; echo {self.status}; ls done"
        )
        self.assertEqual((run.out, run.err), ("7\ndone\n", "cleaned\n"))

    def test_a_pipeline_carries_the_output_of_the_command_alone(self):
        run = self.script("echo in | finally-run -s 'echo setup' -c 'echo cleaned' -- sed s/in/out/ | tr a-z A-Z")
        self.assertEqual((run.status, run.out, run.err), (0, "OUT\n", "setup\ncleaned\n"))

    def test_a_reader_that_goes_away_ends_the_command_and_not_the_cleanup(self):
        run = self.script("finally-run --lock l -c 'sleep .1; touch done' -- yes | head -n 1")
        self.assertEqual(run.out, "y\n")
        self.wait_until("the cleanup is over", (self.work / "done").exists)

    def test_runs_in_the_background_take_turns(self):
        # mkdir fails if somebody else is in.
        one = "finally-run --lock l -c 'rmdir in' -- sh -c 'mkdir in && echo in' &\n"
        run = self.script(one * 4 + "wait")
        self.assertEqual((run.out, run.err), ("in\n" * 4, ""))

    def test_ctrl_c_is_typed_at_a_run(self):
        self.write("hangs", HANGS, mode=0o755)
        shell = self.start(*self.prompt, terminal=True)
        shell.type("finally-run --lock l -c 'sleep .1; touch done' -- ./hangs\n")
        shell.wait_for("READY")
        shell.type(CTRL_C)
        self.answers(shell, "130")
        self.nothing_held()
        self.assertTrue((self.work / "done").exists())
        self.leave(shell)

    def test_ctrl_z_and_fg(self):
        self.write("hangs", HANGS, mode=0o755)
        shell = self.start(*self.prompt, terminal=True)
        shell.type("finally-run --lock l -c 'touch done' -- ./hangs\n")
        shell.wait_for("READY")
        command = self.wait_for_process("sleep 1000")
        shell.type(CTRL_Z)
        self.wait_until("all of it has stopped", lambda: self.states("sleep 1000", "finally-run --lock") == {"T"})
        self.assertTrue(self.is_locked("l"))
        shell.type("fg\n")
        self.wait_until("all of it goes on", lambda: self.states("sleep 1000", "finally-run --lock") == {"S"})
        self.assertEqual(self.find("sleep 1000")[0].pid, command.pid)
        shell.type(CTRL_C)
        self.answers(shell, self.interrupted_after_fg)
        self.nothing_held()
        self.assertTrue((self.work / "done").exists())
        self.leave(shell)

    def states(self, *parts):
        return {process.state for part in parts for process in self.find(part)}

    def answers(self, shell, status):
        shell.type(f"echo the-status-is {self.status}.\n")
        shell.wait_for(f"the-status-is {status}.")

    def leave(self, shell):
        shell.type("exit\n")
        shell.finish()


class WithErrexit(InOneShell):
    """Of the shells that have `set -e`, subshells and `time`."""

    def test_set_e_ends_the_script_after_the_cleanup(self):
        run = self.script("set -e; finally-run -c 'echo cleaned' -- false; echo never")
        self.assertEqual((run.status, run.out, run.err), (1, "", "cleaned\n"))

    def test_a_subshell_and_a_substitution(self):
        run = self.script("(cd / && x=$(finally-run -c 'echo cleaned' -- pwd) && echo \"[$x]\")")
        self.assertEqual((run.status, run.out, run.err), (0, "[/]\n", "cleaned\n"))

    def test_a_background_job_is_stopped_by_its_number(self):
        self.write("hangs", HANGS, mode=0o755)
        run = self.script(
            "finally-run -c 'echo cleaned >&2' -- ./hangs >out & pid=$!\n"
            "until grep -q READY out; do sleep .01; done\n"
            "kill $pid; wait $pid; echo $?"
        )
        self.assertTrue(run.out.endswith("143\n"), run.out)
        self.assertIn("cleaned\n", run.err)

    def test_a_trap_of_the_script_runs_after_the_cleanup(self):
        self.write("hangs", HANGS, mode=0o755)
        self.write("script", "trap 'echo trapped; exit 5' INT\nfinally-run -c 'echo cleaned' -- ./hangs\necho never\n")
        shell = self.start(self.shell[0], "script", terminal=True)
        shell.wait_for("READY")
        shell.type(CTRL_C)
        self.assertEqual(shell.finish(), 5)
        self.nothing_held()
        self.assertRegex(shell.out, r"cleaned\r\n\^?C?\s*trapped")
        self.assertNotIn("never", shell.out)


class Bash(WithErrexit, Scenario):
    shell = ("bash", "-c")
    prompt = ("bash", "--norc", "-i")

    def test_time_and_pipefail(self):
        run = self.script("set -o pipefail; time finally-run -c 'echo cleaned' -- sh -c 'echo a; exit 7' | cat")
        self.assertEqual((run.status, run.out), (7, "a\n"))
        self.assertRegex(run.err, r"\Acleaned\n\nreal")


class Dash(WithErrexit, Scenario):
    shell = ("dash", "-c")
    prompt = ("dash", "-i")


class Zsh(WithErrexit, Scenario):
    shell = ("zsh", "-f", "-c")
    prompt = ("zsh", "-f", "-i")

    def test_time(self):
        run = self.script("time finally-run -c 'echo cleaned' -- sh -c 'echo a'; echo $?")
        self.assertEqual(run.out, "a\n0\n")
        self.assertRegex(run.err, r"\Acleaned\nfinally-run .* total\n")


class Fish(InOneShell, Scenario):
    shell = ("fish", "--no-config", "-c")
    prompt = ("fish", "--no-config", "-i")
    status = "$status"
    interrupted_after_fg = "0"  # whatever the program is

    def test_time(self):
        run = self.script("time finally-run -c 'echo cleaned' -- sh -c 'echo a'; echo $status")
        self.assertEqual(run.out, "a\n0\n")
        self.assertIn("cleaned\n", run.err)
        self.assertIn("Executed in", run.err)


class Recipes(Scenario):
    def test_options(self):
        self.program("make", 'echo "made $*"')
        self.write("deploy", "#!/bin/sh\necho deployed\n", mode=0o755)
        run = self.sh(self.recipe("shell-options"))
        self.assertEqual((run.status, run.out, run.err), (0, "deployed\n", ""))
        self.assertEqual(self.read("test.log"), "made test\n")

    def test_options_when_it_fails(self):
        self.program("make", "echo broken; exit 2")
        self.write("deploy", "#!/bin/sh\nexit 4\n", mode=0o755)
        self.write("rollback", "#!/bin/sh\necho rolled back\n", mode=0o755)
        run = self.run_program("sh", "-c", self.recipe("shell-options"))
        self.assertEqual((run.status, run.out, run.err), (4, "", "rolled back\n"))
        self.assertEqual(self.read("test.log"), "broken\n")

    def test_a_script_defers(self):
        script = self.write("script", self.recipe("shell-defer") + 'test -d "$tmp" && echo "$tmp"\n')
        run = self.run_program("finally-run", "sh", str(script))
        self.assertTrue(run.out.startswith(str(self.tmp)))
        self.nothing_held()

    def test_a_script_puts_itself_under_a_run(self):
        self.write_recipe("shell-script", mode=0o755)
        for command in (["./nightly.sh"], ["sh", "nightly.sh"]):
            run = self.run_program(*command)
            self.assertRegex(run.out, rf"\Aworking in {self.tmp}/\S+\n\Z")
        self.nothing_held()

    def test_that_script_is_stopped(self):
        self.write_recipe("shell-script", mode=0o755)
        with open(self.work / "nightly.sh", "a", encoding="ascii") as file:
            file.write("sleep 1000\n")
        run = self.start("./nightly.sh")
        run.wait_for("working in")
        self.wait_for_process("sleep 1000")
        run.signal(signal.SIGTERM)
        self.assertEqual(run.finish(), 143)
        self.nothing_held()


