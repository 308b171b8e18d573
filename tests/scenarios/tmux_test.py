"""A run in a pane of tmux, which is typed at, detached from, and closed."""

from scenario import Scenario, need


class Tmux(Scenario):
    @classmethod
    def setUpClass(cls):
        need("tmux", "tmux")

    def setUp(self):
        self.env["TMUX_TMPDIR"] = str(self.dir)
        self.write("hangs", "#!/bin/sh\necho READY >ready\nexec sleep 1000\n", mode=0o755)
        # Another pane keeps the server.
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "keep", "cat")
        run = "finally-run --lock l -c 'sleep .1; echo $FINALLY_RUN_RESULT >result' -- ./hangs"
        self.tmux("new-session", "-d", "-s", "s", run)
        self.wait_for_text("ready", "READY")
        self.assertTrue(self.is_locked("l"))

    def tearDown(self):
        self.tmux("kill-server")
        super().tearDown()

    def tmux(self, *words):
        run = self.start("tmux", *words)
        self.assertEqual(run.wait(), 0, run.transcript())
        return run

    def stopped(self):
        self.wait_for_text("result", "stopped\n")
        self.wait_until("the run is over", lambda: not self.find("finally-run") and not self.find("sleep 1000"))
        self.nothing_held()

    def test_ctrl_c_is_typed(self):
        self.tmux("send-keys", "-t", "s", "C-c")
        self.stopped()

    def test_the_pane_is_closed(self):
        self.tmux("kill-session", "-t", "s")
        self.stopped()

    def test_the_server_is_killed(self):
        self.tmux("kill-server")
        self.stopped()
        self.tmux("-f", "/dev/null", "new-session", "-d", "cat")

    def test_it_goes_on_when_the_terminal_detaches(self):
        terminal = self.start("tmux", "attach", "-t", "s", terminal=True, env={"TERM": "xterm"})
        terminal.wait_for("[s]")
        self.tmux("detach-client", "-s", "s") # keys that come at once are taken for pasted ones: tmux(1), assume-paste-time
        self.assertEqual(terminal.finish(), 0)
        self.assertTrue(self.is_locked("l"))
        self.tmux("send-keys", "-t", "s", "C-c")
        self.stopped()

    def test_the_terminal_hangs_up(self):
        terminal = self.start("tmux", "attach", "-t", "s", terminal=True, env={"TERM": "xterm"})
        terminal.wait_for("[s]")
        terminal.close()
        terminal.wait()
        self.assertTrue(self.is_locked("l"))
        self.tmux("send-keys", "-t", "s", "C-c")
        self.stopped()
