# SPDX-License-Identifier: GPL-2.0-or-later
"""A command in a terminal of its own, and whether it left that as it was."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"  # the other screen of an xterm
CHANGED = b"<the terminal stays changed>"


def run(command, env, timeout):
    """(status, what came to the terminal, standard error); raises subprocess.TimeoutExpired."""
    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        before = termios.tcgetattr(slave)
        with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=env) as process:
            out, err = collect(process, master, time.monotonic() + timeout)
        return process.returncode, out + (b"" if termios.tcgetattr(slave) == before else CHANGED), err
    finally:
        os.close(master)
        os.close(slave)


def collect(process, master, end):
    streams = {master: b"", process.stderr.fileno(): b""}
    while True:
        ended = process.poll() is not None
        ready = select.select(list(streams), [], [], 0 if ended else 0.05)[0]
        got = {fd: os.read(fd, 65536) for fd in ready}
        for fd, text in got.items():
            streams[fd] += text
        if ended and not any(got.values()):
            return streams.values()
        if time.monotonic() > end:
            process.kill()
            raise subprocess.TimeoutExpired(process.args, 0, *streams.values())


def left(out):
    """What is wrong with the terminal at the end."""
    return (["the terminal stays changed"] if CHANGED in out else []) + (["the other screen stays"] if out.rfind(ENTER) > out.rfind(LEAVE) else [])
