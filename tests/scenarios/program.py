"""A started program: on pipes or on a terminal of its own, read with one deadline."""

import fcntl
import os
import pty
import selectors
import signal
import struct
import subprocess
import termios
import time

CTRL_C = "\x03"
CTRL_D = "\x04"
CTRL_Z = "\x1a"
CTRL_BACKSLASH = "\x1c"


def as_after_login():
    """What whoever started the tests has ignored or blocked is no concern of the program's."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


class Program:
    """Its stdout is read as .out and its stderr as .err; on a terminal all of it is .out."""

    def __init__(self, words, *, deadline, env, cwd, stdin=None, terminal=False, before_exec=None):
        self.words = words
        self.deadline = deadline
        self.out = ""
        self.err = ""
        self._seen = {"out": 0, "err": 0}
        self._selector = selectors.DefaultSelector()
        master, slave = pty.openpty() if terminal else (None, None)

        def prepare():
            as_after_login()
            if terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if before_exec:
                before_exec()

        if terminal:
            # Wide, so that no line is folded.
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 1000, 0, 0))
        self._popen = subprocess.Popen(
            words,
            env=env,
            cwd=cwd,
            stdin=slave if terminal else subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=slave if terminal else subprocess.PIPE,
            stderr=slave if terminal else subprocess.PIPE,
            start_new_session=True,
            preexec_fn=prepare,
            bufsize=0,
        )
        self.pid = self._popen.pid
        if terminal:
            os.close(slave)
            self._files = {"out": open(master, "rb+", buffering=0)}
        else:
            self._files = {"out": self._popen.stdout, "err": self._popen.stderr}
        self._pidfd = os.pidfd_open(self.pid)
        self._selector.register(self._pidfd, selectors.EVENT_READ, "end")
        for name, file in self._files.items():
            self._selector.register(file, selectors.EVENT_READ, name)
        if stdin:
            self.type(stdin)
            self.close_stdin()

    def type(self, text):
        """Written to the terminal as if typed, or to stdin (start with stdin="" to keep that open)."""
        file = self._popen.stdin or self._files["out"]
        file.write(text.encode())

    def close_stdin(self):
        self._popen.stdin.close()

    def close(self, name="out"):
        """Nobody reads this stream any more; of a terminal this is the hang-up."""
        file = self._files.pop(name)
        self._selector.unregister(file)
        file.close()

    def wait_for(self, text, stream="out"):
        """Reads on until `text` comes after what was waited for before; returns all up to it and with it."""
        self._read_until(lambda: text in getattr(self, stream)[self._seen[stream] :], f"{text!r} in {stream}")
        whole = getattr(self, stream)
        start = self._seen[stream]
        self._seen[stream] = whole.index(text, start) + len(text)
        return whole[start : self._seen[stream]]

    def wait_for_line(self, text, stream="out"):
        """The next line with `text` in it, without its end."""
        before = self.wait_for(text, stream)
        return (before + self.wait_for("\n", stream)).rstrip("\r\n").rpartition("\n")[2]

    def wait_for_err(self, text):
        return self.wait_for(text, "err")

    def signal(self, number):
        """To the program alone, and only while it is surely this program."""
        self._popen.send_signal(number)

    def signal_group(self, number):
        os.killpg(self.pid, number)

    def wait(self):
        """The status as a shell shows it, as soon as the program has ended, whoever holds its output."""
        self._read_until(self._has_ended, "its end")
        return self.status

    def finish(self):
        """The status, when the program has ended and nobody holds its output any more."""
        self._read_until(lambda: not self._files and self._has_ended(), "its end and that of its output")
        return self.status

    @property
    def status(self):
        code = self._popen.returncode
        return code if code is None or code >= 0 else 128 - code

    @property
    def killed_by(self):
        """The signal that it died of, or None if it exited."""
        code = self._popen.returncode
        return signal.Signals(-code) if code is not None and code < 0 else None

    def transcript(self):
        state = "still running" if self._popen.poll() is None else f"status {self.status}"
        return f"--- {self.words}: {state}\n{self.out}--- its stderr\n{self.err}"

    def release(self):
        """Its files; whoever calls this has seen to it that the program is gone."""
        for name in list(self._files):
            self.close(name)
        if self._popen.stdin and not self._popen.stdin.closed:
            self._popen.stdin.close()
        self._popen.wait()
        self._has_ended()
        self._selector.close()

    def _has_ended(self):
        if self._popen.poll() is None:
            return False
        if self._pidfd is not None:
            self._selector.unregister(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        return True

    def _read_until(self, done, what):
        while not done():
            left = self.deadline - time.monotonic()
            if left <= 0 or not self._selector.get_map():
                why = "not in time" if left <= 0 else "it has ended"
                raise AssertionError(f"waited for {what}: {why}\n{self.transcript()}")
            for key, _ in self._selector.select(left):
                if key.data == "end":
                    self._has_ended()
                else:
                    self._take(key.fileobj, key.data)

    def _take(self, file, name):
        try:
            data = os.read(file.fileno(), 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            data = b""
        if data:
            setattr(self, name, getattr(self, name) + data.decode(errors="replace"))
        else:
            self.close(name)
