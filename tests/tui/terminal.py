# SPDX-License-Identifier: GPL-2.0-or-later
"""A terminal that a test types into and reads as text: a tmux server of its own, which goes when the test ends."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

PATIENCE = 20  # seconds: a loaded machine under sanitizers is slow


class Terminal:
    """Runs COMMAND (a list) under a shell that then says `status=N` and how the terminal is set."""

    def __init__(self, command, width=80, height=24, env=None, term="screen-256color"):
        self.dir = tempfile.mkdtemp(prefix="tui-")
        self.socket = os.path.join(self.dir, "socket")
        script = os.path.join(self.dir, "run")
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in command)
        # tmux ends a program by SIGHUP and SIGCONT; the second takes away the stop by which LeakSanitizer holds it, and both
        # would wait for ever. Leaks are looked for where there is no terminal (tests/cli).
        sanitizer = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "detect_leaks=0")))
        variables = {"LC_ALL": "C.UTF-8", "TERM": term, "ASAN_OPTIONS": sanitizer, **(env or {})}
        with open(script, "w", encoding="utf-8") as f:
            f.write("unset NO_COLOR LC_CTYPE LANG LINES COLUMNS\n")
            f.writelines(f"export {name}='{value}'\n" for name, value in variables.items())
            f.write("trap : INT\n")  # Control-C is for the program, which has it as it always is
            f.write(f"stty -a >'{self.dir}/before'\necho shell-before\n")
            f.write(f"sh -c 'echo $$ >\"{self.dir}/pid\"; exec \"$@\"' sh {quoted} 2>'{self.dir}/stderr'\n")
            # the server goes with this shell, also where the test that started it was killed
            f.write(f"echo status=$?\nstty -a >'{self.dir}/after'\nexec sleep 300\n")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "sh", script)

    def tmux(self, *args):
        env = dict(os.environ, LC_ALL="C.UTF-8", TERM="screen-256color")
        env.pop("TMUX", None)
        done = subprocess.run(["tmux", "-S", self.socket, *args], capture_output=True, env=env, timeout=PATIENCE, check=False)
        if done.returncode:
            raise AssertionError(f"tmux {args}: {done.stderr.decode()}")
        return done.stdout.decode("utf-8", "replace")

    def close(self):
        with contextlib.suppress(OSError, ValueError):  # it has ended, mostly
            with open(os.path.join(self.dir, "pid"), encoding="ascii") as f:
                if "iommu-top" in self.program(pid := int(f.read())):
                    os.kill(pid, signal.SIGKILL)
        try:
            self.tmux("kill-server")
        except AssertionError:
            pass  # it is gone already
        shutil.rmtree(self.dir, ignore_errors=True)

    @staticmethod
    def program(pid):
        """What runs as PID: the number may be another's by now."""
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as f:
            return f.read()

    def screen(self, attributes=False):
        """The screen as text, lines without what is blank at their end; with ATTRIBUTES the escapes of colours, too."""
        text = self.tmux("capture-pane", "-p", *(["-e"] if attributes else []))
        return "\n".join(line.rstrip() for line in text.split("\n")[:-1])

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def wait(self, holds, what):
        """The screen, as soon as HOLDS(screen)."""
        end = time.monotonic() + PATIENCE
        while True:
            screen = self.screen()
            if holds(screen):
                return screen
            if time.monotonic() > end:
                raise AssertionError(f"{what} does not show:\n{screen}\n{self.read('stderr')}")
            time.sleep(0.05)

    def shows(self, *words):
        return self.wait(lambda s: all(w in s for w in words), " and ".join(map(repr, words)))

    def shows_not(self, word):
        return self.wait(lambda s: word not in s, f"a screen without {word!r}")

    def read(self, name):
        try:
            with open(os.path.join(self.dir, name), encoding="utf-8") as f:
                return f.read()
        except OSError:
            return ""

    @property
    def pid(self):
        return int(self.read("pid"))

    def signal(self, number):
        os.kill(self.pid, number)

    def status(self):
        """The exit status, once the program has ended."""
        screen = self.shows("status=")
        return int(re.search(r"status=(\d+)", screen).group(1))

    def restored(self):
        """True if the terminal is as it was: its modes, and what was on the screen."""
        end = time.monotonic() + PATIENCE
        while not self.read("after") and time.monotonic() < end:
            time.sleep(0.05)
        flags = self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{keypad_flag} #{keypad_cursor_flag}").split()
        return self.read("before") == self.read("after") != "" and "shell-before" in self.screen() and flags == ["0", "1", "0", "0"]
