"""finally-run-lock-postgres with a real PostgreSQL."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import processes
from lock_helper import Behaviour, LockHelper, OwnServer, Shared
from lock_run import Runs
from network import enter_private_network
from scenario import need

PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))


def setUpModule():
    enter_private_network()
    processes.before_other_work()


def as_server(*words):
    """PostgreSQL refuses to run as root."""
    become = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups") if os.geteuid() == 0 else ()
    return (*become, *words)


class WithPostgres(LockHelper):
    engine = "postgres"
    client = ("psql", "postgresql-client")
    foreign = "?"

    @classmethod
    def setUpClass(cls):
        need("psql", "postgresql-client")
        if not PROGRAMS:
            need("postgres", "postgresql")
        cls.data = pathlib.Path(tempfile.mkdtemp(prefix="scenario.", dir="/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.data)
        if os.geteuid() == 0:
            os.chown(cls.data, pwd.getpwnam("postgres").pw_uid, -1)
        words = ("--auth=trust", "--username=tester", "--no-sync", "--locale=C", "--encoding=UTF8", "-D", str(cls.data))
        subprocess.run(as_server(PROGRAMS[-1] / "initdb", *words), check=True, stdout=subprocess.DEVNULL, cwd="/")

    def setUp(self):
        self.env.update(PGHOST="127.0.0.1", PGUSER="tester", PGDATABASE="postgres")
        # Debian's looks for clusters first, in Perl, which is most of its cost.
        (self.bin / "psql").symlink_to(PROGRAMS[-1] / "psql")
        self.start_server()
        self.psql("drop table if exists finally_run_locks")

    def tearDown(self):
        self.server.signal(signal.SIGINT)
        self.server.wait()
        super().tearDown()

    def start_server(self):
        words = [str(PROGRAMS[-1] / "postgres"), "-D", str(self.data)]
        for setting in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"):
            words += ["-c", setting]
        log = self.dir / "postgres.log"
        log.write_text("")
        with_log = ("sh", "-c", 'log=$1; shift; exec "$@" 2>"$log"', "sh", str(log))
        self.server = self.start(*with_log, *as_server(*words), cwd="/", service=True)
        self.wait_until("it is there", lambda: "ready to accept connections" in log.read_text())

    def psql(self, statement):
        words = ("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement)
        done = subprocess.run(words, env=self.env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def unclean(self):
        return self.psql("select unclean from finally_run_locks")

    def take_orders(self):
        super().take_orders(PROGRAMS[-1] / "psql")


class RunWithPostgres(Runs, WithPostgres):
    server_end = signal.SIGINT

    def line(self):
        return self.recipe("lock-postgres")

    def servers(self):
        return [process.pid for process in self.find("postgres") if process.name == "postgres"]

    def restart_server(self):
        """Before that each session is ended: the second's, and whatever the first has just then."""
        sessions = "from pg_stat_activity where application_name = 'finally-run-lock'"
        self.wait_until("the second waits there", lambda: self.psql(f"select pid {sessions} and query like 'do %'"))
        self.psql(f"select pg_terminate_backend(pid) {sessions}")
        super().restart_server()


class Postgres(Behaviour, Shared, OwnServer, WithPostgres):
    server_end = signal.SIGINT
    unanswered = "postgres: .*(refused|no answer)"

    def rows(self):
        return int(self.psql("select count(*) from finally_run_locks"))

    def test_nothing_is_left_in_the_table(self):
        self.take_part()
        self.assertEqual(self.rows(), 0)

    def test_it_is_lost_with_its_row(self):
        first = self.hold(ttl=8)
        self.psql("delete from finally_run_locks")
        self.gives_up(first, None, "row deleted", time.monotonic())
        # This is somebody else's doing: it is free at once.
        self.is_free()

    def test_begin_and_clean_of_a_lock_that_was_lost_change_nothing(self):
        for line in ("begin x", "clean"):
            first = self.hold(ttl=600)  # so that this is what it finds out by
            self.psql("delete from finally_run_locks")
            second = self.hold(ttl=60)
            second.write("begin second")
            self.wait_until_unclean()
            first.write(line)
            self.assertNotIn(first.finish(), (0, 75))
            self.assertIn("the lock was lost", first.last_error())
            self.assertEqual(self.psql("select unclean from finally_run_locks"), "second")
            second.write("clean")
            self.assertEqual(second.leave(), 0)

    def test_backends_that_are_terminated_lose_nothing(self):
        first = self.hold()
        second = self.contend()
        second.wait_for("waiting ")
        loops = "from pg_stat_activity where application_name = 'finally-run-lock' and query like 'do %'"
        self.wait_until("it waits there", lambda: self.psql(f"select pid {loops}"))
        self.psql(f"select pg_terminate_backend(pid) {loops}")
        self.assertEqual(first.leave(), 0)
        second.held()
        self.assertEqual(second.leave(), 0)

    def test_a_client_that_is_stopped_or_killed_is_replaced(self):
        order, renewed = self.dir / "order", "select expires from finally_run_locks"
        self.take_orders()
        helper = self.hold(ttl=12, env={"ORDER": str(order)})
        for number in (signal.SIGSTOP, signal.SIGKILL):
            self.order(order, number)
            before = self.psql(renewed)
            self.wait_until("another one has renewed it", lambda was=before: self.psql(renewed) != was)
        self.assertEqual(helper.leave(), 0)

    def test_a_server_that_is_stopped_for_a_while_or_started_anew(self):
        first = self.hold(ttl=16)
        second = self.contend(ttl=16)
        second.wait_for("waiting ")
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for process in self.find("postgres"):
                if process.name == "postgres":
                    processes.kill(process.pid, number)
            time.sleep(3 if number == signal.SIGSTOP else 0)
        self.server.signal(signal.SIGINT)
        self.server.wait()
        self.start_server()
        self.go_on(first, second)
