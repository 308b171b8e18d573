"""Real servers beside a command: up before it begins, and gone before the directory of their data is."""

import os
import pathlib
import signal
import socket

import processes
from network import enter_private_network
from scenario import Scenario, need

POSTGRES = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))


def setUpModule():
    enter_private_network()  # so that every port is free


def command_of(recipe):
    """Without its comment, for a shell that puts it in its own place."""
    return "exec " + recipe.split("\n", 1)[1]


class Redis(Scenario):
    @classmethod
    def setUpClass(cls):
        need("redis-server", "redis-server")
        need("redis-cli", "redis-tools")

    def start_waiting(self):
        """The recipe, when it has come to make, which goes on until it is stopped."""
        self.program("make", "echo READY; exec sleep 1000")
        run = self.start("sh", "-euc", command_of(self.recipe("service")))
        run.wait_for("READY")
        self.assertTrue(self.find("redis-server"))
        return run

    def test_answers_the_command_and_is_gone_with_its_directory(self):
        self.program("make", 'redis-cli -p 7777 set key value && ls -d "$DATA"')
        run = self.sh(self.recipe("service"))
        self.assertEqual(run.status, 0, run.err)
        self.assertRegex(run.out, r"\AOK\n/\S+\n\Z")
        self.assertIn("redis-server | ", run.err)
        self.nothing_held()

    def test_that_finds_its_port_taken_is_not_started(self):
        self.program("make", "echo made")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 7777))
            taken.listen()
            run = self.sh(self.recipe("service"))
        self.assertEqual((run.status, run.out), (125, ""))
        self.assertIn("tcp:7777: something else answers there already", run.err)

    def test_is_stopped_by_the_guardian_of_a_killed_supervisor(self):
        run = self.start_waiting()
        run.signal(signal.SIGKILL)
        run.finish()
        self.nothing_left()

    def test_is_stopped_by_a_recovery_if_all_others_are_killed(self):
        run = self.start_waiting()
        run.signal(signal.SIGSTOP)
        processes.kill(self.guardian_of(run).pid)
        run.signal(signal.SIGKILL)
        run.wait()
        self.assertTrue(self.find("redis-server"))
        recovery = self.run_program("finally-run", "--recover")
        self.assertEqual(recovery.status, 0, recovery.err)
        self.nothing_left()


class Nginx(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.nginx = need("nginx", "nginx-light")

    CONFIGURATION = """
        daemon {daemon};
        pid nginx.pid;
        error_log stderr;
        events {{}}
        http {{ access_log off; server {{ listen 127.0.0.1:7778; location / {{ return 200 "hello"; }} }} }}
    """

    def play(self, daemon):
        self.write("nginx.conf", self.CONFIGURATION.format(daemon=daemon))
        fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:7778/').read().decode())"
        return self.run_program(
            "finally-run", "--temp-dir", "PREFIX", "--setup", 'cp nginx.conf "$PREFIX"',
            "--service", f'exec {self.nginx} -p "$PREFIX" -c "$PREFIX/nginx.conf"', "--ready", "tcp:7778",
            "--", "python3", "-c", fetch,
        )  # fmt: skip

    def test_in_the_foreground_serves_the_command_and_ends_with_its_workers(self):
        run = self.play("off")
        self.assertEqual((run.status, run.out), (0, "hello\n"), run.err)

    def test_as_a_daemon_is_told_to_stay_in_the_foreground(self):
        run = self.play("on")
        self.assertIn(run.status, (125, 0))  # 0: it was about to end when it answered, and the machine is slow
        self.assertIn("ended with exit status 0: a service has to stay in the foreground", run.err)
        for left in self.find("nginx"):
            processes.kill(left.pid)


class Python(Scenario):
    def test_serves_files_until_the_command_has_fetched_them(self):
        self.write("page", "text of the page\n")
        fetch = "import urllib.request as u; print(u.urlopen('http://[::1]:7779/page').read().decode(), end='')"
        run = self.run_program(
            "finally-run", "--service", "python3 -u -m http.server 7779 --bind ::1", "--ready", "tcp:[::1]:7779",
            "--", "python3", "-c", fetch,
        )  # fmt: skip
        self.assertEqual((run.status, run.out), (0, "text of the page\n"), run.err)
        self.assertRegex(run.err, r'python3 \| .*"GET /page HTTP/1.1" 200')


class Browser(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.chromium = need("chromium", "chromium")

    def test_is_the_command_of_a_server_and_leaves_nothing(self):
        self.write("page.html", "<body><script>document.body.textContent = 6 * 7</script>")
        run = self.run_program(
            "finally-run", "--temp-dir", "PROFILE", "--service", "exec python3 -u -m http.server 7779 --bind 127.0.0.1",
            "--ready", "tcp:7779", "--", "sh", "-c",
            '"$0" --headless --no-sandbox --disable-gpu --user-data-dir="$PROFILE" --dump-dom'
            " http://127.0.0.1:7779/page.html",
            self.chromium,
        )  # fmt: skip
        self.assertEqual(run.status, 0, run.err)
        self.assertIn("<body>42</body>", run.out)
        self.assertRegex(run.err, r'python3 \| .*"GET /page.html HTTP/1.1" 200')


class Postgres(Scenario):
    @classmethod
    def setUpClass(cls):
        need("psql", "postgresql-client")
        if not POSTGRES:
            need("postgres", "postgresql")

    def test_serves_the_command_from_a_directory_that_goes_with_it(self):
        for name in ("initdb", "postgres", "pg_isready", "psql"):
            (self.bin / name).symlink_to(POSTGRES[-1] / name)
        self.program("make", 'psql -h "$PGDATA" -U me -d postgres -Atc "select 6 * 7"')
        words = ["sh", "-euc", self.recipe("service-postgres")]
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            for path in (self.dir, *self.dir.iterdir()):
                os.chown(path, 65534, 65534, follow_symlinks=False)
            words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
        run = self.run_program(*words)
        self.assertEqual(run.status, 0, run.transcript())
        self.assertEqual(run.out.splitlines()[-1], "42")
