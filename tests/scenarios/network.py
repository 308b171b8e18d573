"""A network of one's own, with nothing but the loopback interface: servers in it are nobody else's, on any port."""

import ctypes
import fcntl
import os
import pathlib
import socket
import struct

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def enter_private_network():
    """For setUpModule: this process, and so whatever it starts from then on."""
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNET if user == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
    if user != 0:
        this = pathlib.Path("/proc/self")
        (this / "setgroups").write_text("deny")
        (this / "uid_map").write_text(f"{user} {user} 1")
        (this / "gid_map").write_text(f"{group} {group} 1")
    set_loopback(IFF_UP)


def set_loopback(flags):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags))
