"""finally-run-lock-ssh with a real sshd."""

import signal
import time

import processes
from lock_helper import LIBEXEC, Behaviour, LockHelper, Shared
from lock_run import Runs
from network import IFF_UP, enter_private_network, set_loopback
from scenario import Scenario
from ssh_server import SshServer


def setUpModule():
    enter_private_network()
    processes.before_other_work()


class WithSsh(LockHelper):
    engine = "ssh"
    client = ("ssh", "openssh-client")

    def setUp(self):
        self.sshd = SshServer(self)

    def contend(self, name="host/deploy", **options):
        return super().contend(name, **options)

    def is_free(self, name="host/deploy"):
        return super().is_free(name)

    def files(self):
        """Of the locks, there."""
        return [path.name for path in (self.home / ".local/state/finally-run/engine").glob("*")]

    def unclean(self):
        return [name for name in self.files() if ".unclean." in name]

    def shells_there(self):
        """Each holds the lock or waits for it, or is the dog of one."""
        return [process for process in self.find("# Started by finally-run-lock-ssh") if process.name == "sh"]

    def nobody_there(self):
        self.wait_until("the other end has ended", lambda: not self.shells_there())


class There(Scenario):
    """The shell at the other end, without ssh."""

    def contend(self, holder):
        script = (LIBEXEC / "ssh-there.sh").read_text()
        shell = self.start("sh", "-c", script, "sh", "deploy", "1000", "-x", stdin="")
        shell.type(f"{holder}\n")
        return shell

    def test_a_waiter_that_nobody_hears_any_more_is_gone_at_once(self):
        first = self.contend("first")
        first.wait_for("there got\n")
        second = self.contend("second")
        second.wait_for("there waiting somebody\n")
        # ssh is killed when its last line is on its way.
        second.close_all()
        second.type("tick 1\n")
        second.close_stdin()
        second.wait()
        of_second = lambda: [process for process in self.leftovers() if process.session == second.pid]
        self.wait_until("only the first is there", lambda: not of_second())
        first.type("release\n")
        first.wait_for("there done\n")
        first.finish()


class RunWithSsh(Runs, WithSsh):
    loses_with_client = True

    def line(self):
        return self.recipe("lock-ssh")

    def take_orders(self):
        """It has one client, for as long as it is there."""

    def signal_client(self, race, number):
        helper = race.helper()
        below = [process for process in processes.descendants() if process.session == helper and process.name == "ssh"]
        processes.kill(below[0].pid, number)

    def servers(self):
        """Its sessions are processes of their own."""
        return [process.pid for process in self.find("sshd") if process.name == "sshd"]

    def restart_server(self):
        self.sshd.program.signal(signal.SIGTERM)
        self.sshd.program.wait()
        self.sshd.start()


class Ssh(Behaviour, Shared, WithSsh):
    def named(self, name):
        return f"host/{name}" if name else ""

    def test_nothing_but_counters_is_left_there(self):
        self.take_part()
        self.nobody_there()
        self.assertEqual(sorted(self.files()), ["deploy.count", "deploy.lock", "deploy.token"])

    def test_a_name_is_host_and_name(self):
        for name in ("deploy", "/deploy", "host/", "-oProxyCommand=touch x/deploy"):
            helper = self.contend(name)
            self.assertNotIn(helper.finish(), (0, 75))
            self.assertIn("HOST/NAME", helper.last_error())

    def test_a_host_that_is_not_there(self):
        self.sshd.program.signal(signal.SIGKILL)
        self.sshd.program.wait()
        for wait in ("", "0"):
            helper = self.contend(wait=wait)
            self.assertNotIn(helper.finish(), (0, 75))
            self.assertIn("Connection refused", helper.last_error())

    def loses(self, what, break_it):
        first = self.hold(ttl=self.short_ttl)
        first.write("begin x")
        self.wait_until_unclean()
        second = self.contend()
        second.wait_for("waiting ")
        since = time.monotonic()
        break_it(first)
        self.gives_up(first, second, what, since)
        self.keeps_it(first, second, what, since)
        self.assertTrue(second.has_said("unclean x"))
        self.nobody_there()

    def test_a_killed_client_loses_the_lock_but_does_not_free_it(self):
        self.loses("client killed", lambda first: processes.kill(self.client_of(first, "-F").pid))

    def test_a_stopped_client_is_given_up(self):
        self.loses("client stopped", lambda first: processes.kill(self.client_of(first, "-F").pid, signal.SIGSTOP))

    def test_a_killed_shell_there_loses_the_lock_but_does_not_free_it(self):
        # The first of them that was there: the second's came later.
        self.loses("shell there killed", lambda first: processes.kill(self.shells_there()[0].pid))

    def test_a_server_that_is_stopped_for_a_while_or_started_anew(self):
        first = self.hold(ttl=10)
        second = self.contend(ttl=10)
        second.wait_for("waiting ")
        servers = [process for process in self.find("sshd") if process.name == "sshd"]
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for server in servers:
                processes.kill(server.pid, number)
            time.sleep(3 if number == signal.SIGSTOP else 0)
        # Its sessions live on.
        self.sshd.program.signal(signal.SIGTERM)
        self.sshd.program.wait()
        first.write("begin x")
        self.wait_until_unclean()
        self.assertEqual(first.leave(), 0, first.program.transcript())
        second.held()
        self.assertEqual(second.leave(), 0)

    def test_a_network_that_is_cut(self):
        first = self.hold(ttl=self.short_ttl)
        second = self.contend(ttl=self.short_ttl)
        second.wait_for("waiting ")
        since = time.monotonic()
        set_loopback(0)
        try:
            self.gives_up(first, None, "network cut", since)
            self.assertNotIn(second.finish(), (0, 75))
            # Each end by itself.
            self.nobody_there()
            self.measured("network cut: until the other end frees the lock", time.monotonic() - since)
        finally:
            set_loopback(IFF_UP)
        self.is_free()
