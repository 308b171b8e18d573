"""An sshd on a loopback port with keys of its own, and an `ssh` that knows it by any name."""

import os
import pathlib
import pwd
import random
import socket
import subprocess

from scenario import SYSTEM_PATH, need

# Without privilege separation there is no directory for it; root cannot do without.
PRIVILEGE_SEPARATION = pathlib.Path("/run/sshd")


def free_port():
    """Below those that the kernel gives to outgoing connections, so that it stays free."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class SshServer:
    """Logs in as the user of the test; sessions have self.env of the test and start in its directory `remote`."""

    def __init__(self, test):
        self.test = test
        self.port = free_port()
        self.dir = test.dir / "ssh"
        self.dir.mkdir()
        self.remote = test.dir / "remote"
        self.remote.mkdir()
        ssh = need("ssh", "openssh-client")
        for key in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.dir / key], check=True)
        (self.dir / "authorized_keys").write_bytes((self.dir / "user_key.pub").read_bytes())
        self._write_configurations()
        test.program("ssh", f'exec {ssh} -F "{self.dir}/ssh_config" "$@"')
        if os.geteuid() == 0:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        self.start()

    def start(self):
        sshd = need("sshd", "openssh-server")
        self.program = self.test.start(sshd, "-D", "-e", "-f", str(self.dir / "sshd_config"), service=True)
        self.program.wait_for_err("Server listening on 127.0.0.1")

    def _write_configurations(self):
        # A login shell reads files of its own user; what decides is set after that, by the forced command. Both shells
        # become the next program, so that finally-run's parent is sshd itself, as it is without a forced command.
        path = f"{self.test.bin}:{SYSTEM_PATH}"
        session = f'cd {self.remote} && export PATH={path} && exec bash -c "$SSH_ORIGINAL_COMMAND"'
        environment = " ".join(f'"{key}={value}"' for key, value in self.test.env.items() if key != "PATH")
        (self.dir / "sshd_config").write_text(
            f"""ListenAddress 127.0.0.1:{self.port}
HostKey {self.dir}/host_key
AuthorizedKeysFile {self.dir}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PrintMotd no
PrintLastLog no
SetEnv {environment}
ForceCommand {session}
"""
        )
        (self.dir / "ssh_config").write_text(
            f"""Host *
HostName 127.0.0.1
Port {self.port}
User {pwd.getpwuid(os.geteuid()).pw_name}
IdentityFile {self.dir}/user_key
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile {self.dir}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking accept-new
LogLevel ERROR
"""
        )
