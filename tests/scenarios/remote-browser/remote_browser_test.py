"""A machine that runs browser tests for whoever calls, and a caller who is stopped in the middle."""

import http.server
import os
import pathlib
import signal
import threading

import processes
from program import CTRL_C
from scenario import Scenario, need
from ssh_server import SshServer, free_port


class Pages(http.server.ThreadingHTTPServer):
    """Serves /passes and /fails, and /hangs, which never ends; says so when that has been asked for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.hanging = threading.Semaphore(0)
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, page):
        return f"http://127.0.0.1:{self.server_port}/{page}"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hangs":
            self.server.hanging.release()
            self.server.closing.wait()
            return
        right = {"/passes": 2, "/fails": 3}.get(self.path, 0)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        script = f"document.querySelector('p').textContent = 1 + 1 == {right} ? 'passed' : 'failed'"
        self.wfile.write(f"<!doctype html><p></p><script>{script}</script>".encode())

    def log_message(self, *_):
        pass


class RemoteBrowser(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.chromium = need("chromium", "chromium")

    def setUp(self):
        # As root, and in a container, there is no sandbox.
        self.program("chromium", f'exec {self.chromium} --no-sandbox --disable-gpu "$@"')
        self.pages = Pages()
        self.sshd = SshServer(self)
        self.write_recipe("remote-browser")
        service_port = free_port()
        self.env.update(PORT=str(free_port()), SERVICE_PORT=str(service_port))
        words = ("python3", "-u", str(self.work / "browser_service.py"), str(service_port))
        self.service = self.start(*words, service=True, cwd=self.sshd.remote)
        self.wait_until("the service listens", lambda: self.listens(service_port))

    def tearDown(self):
        self.pages.closing.set()
        super().tearDown()
        self.pages.shutdown()
        self.pages.server_close()

    def listens(self, port):
        with open("/proc/net/tcp", encoding="ascii") as table:
            return any(line.split()[1:4:2] == [f"0100007F:{port:04X}", "0A"] for line in table.readlines()[1:])

    def call(self, page, **options):
        return self.start("sh", "browser_tests.sh", self.pages.url(page), env={"PORT": str(free_port())}, **options)

    def call_that_hangs(self, **options):
        """Its browser has begun to load the page."""
        call = self.call("hangs", **options)
        self.wait_until("the browser loads the page", lambda: self.pages.hanging.acquire(blocking=False))
        self.assertTrue(self.browsers())
        self.assertTrue(self.is_locked("browser"))
        return call

    def browsers(self):
        return [process for process in self.find("") if process.name.startswith("chrom")]

    def remote_log(self):
        return (self.sshd.remote / "browser.log").read_text()

    # The processes of one call

    def local_run(self):
        return self.find_run("--temp-dir TUNNEL")

    def remote_run(self):
        return self.find_run("--lock browser")

    def guardian_of(self, run):
        def pipes(pid, *, readable):
            """The ends of pipes that it has; how they were opened is in the modes of the links."""
            links = pathlib.Path(f"/proc/{pid}/fd").iterdir()
            return {os.readlink(link) for link in links if bool(link.lstat().st_mode & 0o400) == readable}

        # It waits for its supervisor at the other end of a pipe.
        lifelines = {pipe for pipe in pipes(run.pid, readable=False) if pipe.startswith("pipe:")}

        def guardians():
            return [
                process
                for process in self.find("")
                if process.is_guardian and lifelines & pipes(process.pid, readable=True)
            ]

        return self.wait_until("the guardian goes by its name", guardians)[0]

    # What became of it

    def gone_with(self, status, call, log):
        """The caller got `status`; there, all has been cleaned up, as the log says, and the next one gets in."""
        self.assertEqual(call.finish(), status)
        self.the_next_caller_gets_in(log)

    def the_next_caller_gets_in(self, log):
        self.wait_until("the lock is free", lambda: not self.is_locked("browser"))
        self.assertEqual(self.browsers(), [])
        self.assertEqual(self.remote_log(), log + "\n")
        # As a call does, but for the browser, which takes seconds to start.
        self.assertEqual(self.run_program("finally-run", "--lock", "browser", "--no-wait", "--", "true").status, 0)
        self.nothing_left()

    # The story

    def test_a_result_comes_back(self):
        call = self.call("passes")
        self.assertEqual(call.finish(), 0)
        self.assertEqual((call.out, call.err), ("passed\n", ""))
        self.assertEqual(self.remote_log(), "success, cleaned up by the supervisor\n")
        self.nothing_held()

    def test_a_test_fails(self):
        call = self.call("fails")
        self.assertEqual(call.finish(), 1)
        self.assertEqual(call.out, "failed\n")
        self.assertEqual(self.remote_log(), "success, cleaned up by the supervisor\n")

    def test_the_remote_function_raises(self):
        call = self.call_that_hangs()
        run = self.remote_run()
        browser = next(process for process in self.browsers() if process.parent == run.pid)
        processes.kill(browser.pid)
        self.gone_with(1, call, "signal, cleaned up by the supervisor")
        self.assertIn("the browser has ended with status 137", call.err)

    def test_ctrl_c_is_typed_here(self):
        shell = self.start("bash", "--norc", "-i", terminal=True)
        shell.type(f"sh browser_tests.sh {self.pages.url('hangs')}; echo status $?\n")
        self.wait_until("the browser loads the page", lambda: self.pages.hanging.acquire(blocking=False))
        self.assertTrue(self.browsers())
        next_one = self.call("passes")
        self.wait_until("somebody waits for the browser", lambda: self.waits_for_lock("browser"))
        shell.type(CTRL_C)
        shell.wait_for("KeyboardInterrupt")
        shell.type("echo status $?\n")
        shell.wait_for("status 130\r\n")
        shell.type("exit\n")
        shell.finish()
        self.assertEqual(next_one.finish(), 0)
        self.assertEqual(
            self.remote_log(), "stopped, cleaned up by the supervisor\nsuccess, cleaned up by the supervisor\n"
        )

    def test_term_to_finally_run_here(self):
        call = self.call_that_hangs()
        processes.kill(self.local_run().pid, signal.SIGTERM)
        self.gone_with(143, call, "stopped, cleaned up by the supervisor")

    def test_finally_run_is_killed_here(self):
        call = self.call_that_hangs()
        processes.kill(self.local_run().pid)
        self.gone_with(137, call, "stopped, cleaned up by the supervisor")

    def test_the_ssh_client_is_killed(self):
        call = self.call_that_hangs()
        processes.kill(self.wait_for_process("/usr/bin/ssh -F").pid)
        self.gone_with(1, call, "stopped, cleaned up by the supervisor")

    def test_the_connection_is_cut(self):
        call = self.call_that_hangs()
        for process in processes.descendants(self.sshd.program.pid):
            processes.kill(process.pid)
        self.gone_with(1, call, "stopped, cleaned up by the supervisor")

    def test_finally_run_is_killed_there(self):
        call = self.call_that_hangs()
        processes.kill(self.remote_run().pid)
        self.gone_with(1, call, "lost, cleaned up by the guardian")
        self.assertIn("the browser has ended with status -9", call.err)

    def test_the_service_is_killed_there(self):
        call = self.call_that_hangs()
        self.service.signal(signal.SIGKILL)
        self.gone_with(1, call, "caller-gone, cleaned up by the supervisor")

    def test_finally_run_and_its_guardian_are_killed_there(self):
        call = self.call_that_hangs()
        run = self.remote_run()
        guardian = self.guardian_of(run)
        # Whoever dies first is noticed by the other.
        processes.kill(guardian.pid, signal.SIGSTOP)
        processes.kill(run.pid)
        processes.kill(guardian.pid)
        self.assertEqual(self.call("passes").finish(), 0)
        self.assertEqual(self.remote_log(), "lost, cleaned up by the next-holder\nsuccess, cleaned up by the supervisor\n")
        self.assertEqual(call.finish(), 1)
