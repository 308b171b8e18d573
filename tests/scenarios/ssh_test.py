"""A run in an ssh session, with a terminal and without, and all the ways in which the session ends."""

import signal

import processes
from program import CTRL_C
from scenario import Scenario
from ssh_server import SshServer

MAKEFILE = "deploy:\n\t@touch unpacked; echo deployed\n"
FAILS = "deploy:\n\t@touch unpacked; exit 3\n"
HANGS = "deploy:\n\t@touch unpacked; echo READY; exec sleep 1000\n"


class Ssh(Scenario):
    def setUp(self):
        self.sshd = SshServer(self)
        (self.sshd.remote / "app").mkdir()

    def makefile(self, text):
        (self.sshd.remote / "app/Makefile").write_text(text)

    def deploy(self, **options):
        return self.start("sh", "-c", self.recipe("ssh"), **options)

    def deploy_that_hangs(self, **options):
        self.makefile(HANGS)
        run = self.deploy(**options)
        run.wait_for("READY")
        self.assertTrue(self.is_locked("deploy"))
        return run

    def all_is_free(self):
        self.nothing_left()
        self.assertFalse((self.sshd.remote / "app/unpacked").exists())
        self.makefile(MAKEFILE)
        run = self.deploy()
        self.assertEqual(run.finish(), 0)
        self.assertIn("deployed", run.out.splitlines())

    def test_the_output_and_the_status_come_back(self):
        self.all_is_free()

    def test_it_fails_there(self):
        self.makefile(FAILS)
        run = self.deploy()
        self.assertEqual(run.finish(), 2)
        self.all_is_free()

    def test_ctrl_c_is_typed_here(self):
        run = self.deploy_that_hangs(terminal=True)
        run.type(CTRL_C)
        self.assertEqual(run.finish(), 130)
        self.all_is_free()

    def test_term_to_the_client(self):
        run = self.deploy_that_hangs()
        processes.kill(self.client().pid, signal.SIGTERM)
        self.assertNotEqual(run.finish(), 0)
        self.all_is_free()

    def test_the_client_is_killed(self):
        run = self.deploy_that_hangs()
        processes.kill(self.client().pid)
        self.assertEqual(run.finish(), 137)
        self.all_is_free()

    def client(self):
        return self.wait_for_process("/usr/bin/ssh -F")

    def test_the_connection_is_cut(self):
        run = self.deploy_that_hangs()
        for process in processes.descendants(self.sshd.program.pid):
            if process.name == "sshd":
                processes.kill(process.pid)
        self.assertEqual(run.finish(), 255)
        self.all_is_free()

    def test_finally_run_is_killed_there(self):
        run = self.deploy_that_hangs()
        processes.kill(self.find_run().pid)
        self.assertNotEqual(run.finish(), 0)
        self.all_is_free()

    def test_the_reader_of_the_output_goes_away(self):
        # head reads READY and is gone; ssh learns of it when it writes next, and nothing is written any more.
        self.makefile("deploy:\n\t@touch unpacked; echo READY; while sleep .1; do echo more; done\n")
        run = self.start("sh", "-c", "{ " + self.recipe("ssh").rstrip() + "; } | head -n 1")
        self.assertEqual(run.finish(), 0)
        self.all_is_free()


class ClientIsKilled(Scenario):
    """While something else than the command runs there."""

    def setUp(self):
        self.sshd = SshServer(self)

    def kill_client(self):
        processes.kill(self.wait_for_process("/usr/bin/ssh -F").pid)
        self.wait_until("the session is over", lambda: not self.sessions())

    def sessions(self):
        return [process for process in processes.descendants(self.sshd.program.pid) if process.name == "sshd"]

    def test_in_the_cleanup_that_prints(self):
        cleanup = "echo cleaning; until test -e go; do sleep .01; done; echo more && echo more && touch done"
        run = self.start("ssh", "build.example", f"finally-run --lock l -c '{cleanup}' -- true")
        run.wait_for_err("cleaning")
        self.kill_client()
        self.assertTrue(self.is_locked("l"))
        (self.sshd.remote / "go").touch()
        self.wait_until("the run is over", lambda: not self.find("finally-run"))
        self.assertTrue((self.sshd.remote / "done").exists())

    def test_in_the_setup(self):
        setup = "echo setting up; exec sleep 1000"
        run = self.start("ssh", "build.example", f"finally-run --lock l -c 'touch done' -s '{setup}' -- touch never")
        run.wait_for_err("setting up")
        self.kill_client()
        self.wait_until("the run is over", lambda: not self.find("finally-run"))
        self.assertEqual([path.name for path in self.sshd.remote.iterdir()], ["done"])

    def test_while_it_waits_for_the_lock(self):
        holder = self.start("finally-run", "--lock", "l", "--", "sh", "-c", "echo READY; exec sleep 1000")
        holder.wait_for("READY")
        run = self.start("ssh", "build.example", "finally-run --lock l -c 'touch never' -- touch never")
        run.wait_for_err("waiting")
        self.kill_client()
        self.wait_until("nobody waits any more", lambda: not self.find("touch never"))
        self.assertTrue(self.is_locked("l"))
        holder.signal(signal.SIGTERM)
        self.assertEqual(holder.finish(), 143)
        self.assertEqual(list(self.sshd.remote.iterdir()), [])


class SshWithATerminal(Ssh):
    """The same with `ssh -t`: the session has a terminal of its own there."""

    def deploy(self, **options):
        return self.start("sh", "-c", self.recipe("ssh").replace("ssh ", "ssh -tt ", 1), **options)

    def all_is_free(self):
        self.nothing_left()
        self.assertFalse((self.sshd.remote / "app/unpacked").exists())

    def test_the_output_and_the_status_come_back(self):
        self.makefile(MAKEFILE)
        run = self.deploy()
        self.assertEqual(run.finish(), 0)
        self.assertIn("deployed", run.out.splitlines())

    def test_ctrl_c_is_typed_here(self):
        run = self.deploy_that_hangs(terminal=True)
        run.type(CTRL_C)
        # It is typed there, and the client waits for the end; of one that died of a signal it says 255. Make may exit
        # with 2 instead, if its child was quicker than make to die of the signal.
        self.assertIn(run.finish(), (255, 2))
        self.nothing_held()
        self.assertFalse((self.sshd.remote / "app/unpacked").exists())
