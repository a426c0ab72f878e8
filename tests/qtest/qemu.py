# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU without a guest: a process whose memory and devices are driven over its qtest and QMP sockets.

Guest RAM is a file that both sides map, so that all of it can be looked at after each DMA; registers and PCI
configuration space go over the qtest socket, one text line each way.
"""
import array
import json
import mmap
import os
import re
import shutil
import socket
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NAME = "qemu-system-riscv64"
RAM_BASE = 0x80000000
RAM_SIZE = 16 << 20
ANSWER_TIME = 10     # seconds for one answer, start-up included
LIFE_TIME = 300      # seconds after which a QEMU ends by itself, even if we were killed
MACHINE = "virt,aia=aplic-imsic,memory-backend=ram"


class QemuError(Exception):
    """QEMU did not start, died, or gave no answer."""


class Program:
    """A QEMU executable: how to run it, its version, the devices that it knows and the kinds of IOMMU (sys, pci)."""

    def __init__(self, command, environment=None):
        self.command = command
        self.environment = dict(os.environ, LC_ALL="C", **(environment or {}))
        self.text = self._output("--version").splitlines()[0]
        found = re.search(r"version (\d+)\.(\d+)\.(\d+)", self.text)
        if not found:
            raise QemuError(f"no version in {self.text!r}")
        self.version = tuple(int(n) for n in found.groups())
        self.devices = set(re.findall(r'^name "([^"]+)"', self._output("-device", "help"), re.M))
        self.kinds = {"pci"} if "riscv-iommu-pci" in self.devices else set()
        if self.kinds and re.search(r"^ *iommu-sys=", self._output("-M", "virt,help"), re.M):
            self.kinds.add("sys")

    def _output(self, *args):
        try:
            done = subprocess.run(self.command + list(args), env=self.environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=ANSWER_TIME, check=True)
        except (OSError, subprocess.SubprocessError) as err:
            raise QemuError(str(err)) from err
        return done.stdout.decode(errors="replace") or "nothing"


def _chroot_program():
    """The QEMU of the board's chroot, run with that chroot's loader and libraries: this needs no root."""
    lib = os.path.join(os.path.dirname(HERE), "board", "lib.sh")
    try:
        done = subprocess.run(["bash", "-c", '. "$1" && printf %s "$chroot_dir"', "bash", lib],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=ANSWER_TIME, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    root = done.stdout.decode()
    libraries = os.path.join(root, "usr/lib", os.uname().machine + "-linux-gnu")
    qemu = os.path.join(root, "usr/bin", NAME)
    loaders = [os.path.join(libraries, f) for f in sorted(os.listdir(libraries))
               if re.match(r"ld-linux.*\.so\.\d+$", f)] if os.path.isdir(libraries) else []
    if not loaders or not os.path.exists(qemu):
        return None
    return Program([loaders[0], "--library-path", libraries, qemu],
                   {"QEMU_MODULE_DIR": os.path.join(libraries, "qemu")})


def find():
    """(Program or None, reason): $QEMU if set, else the host's, else the board chroot's; it must have a RISC-V IOMMU."""
    tried = []
    if os.environ.get("QEMU"):
        sources = [("$QEMU", lambda: Program(os.environ["QEMU"].split()))]
    else:
        sources = [("the host", lambda: Program([shutil.which(NAME)]) if shutil.which(NAME) else None),
                   ("the board's chroot (tests/board/prepare makes it)", _chroot_program)]
    for where, make in sources:
        try:
            program = make()
        except QemuError as err:
            tried.append(f"{where}: {err}")
            continue
        if program is None:
            tried.append(f"{where}: no {NAME}")
        elif not program.kinds or "edu" not in program.devices:
            tried.append(f"{where}: {program.text} has no RISC-V IOMMU or no edu device")
        else:
            return program, where
    return None, "; ".join(tried)


class Qemu:
    """A running QEMU. Every word of its RAM holds its own address until something is put there."""

    pattern = None

    def __init__(self, program, arguments, machine_options=""):
        self.directory = tempfile.mkdtemp(prefix="qtest-")
        if len(self.directory) > 90:  # the name of a unix socket has 108 bytes
            os.rmdir(self.directory)
            self.directory = tempfile.mkdtemp(prefix="qtest-", dir="/tmp")
        self.process = self.qtest = self.qmp = self.ram = None
        try:
            self._start(program, arguments, machine_options)
        except BaseException:
            self.stop()
            raise

    def _start(self, program, arguments, machine_options):
        ram = os.path.join(self.directory, "ram")
        with open(ram, "w+b") as f:
            f.truncate(RAM_SIZE)
            self.ram = mmap.mmap(f.fileno(), RAM_SIZE)
        if Qemu.pattern is None:
            Qemu.pattern = array.array("I", range(RAM_BASE, RAM_BASE + RAM_SIZE, 4)).tobytes()
        self.ram[:] = Qemu.pattern
        listeners = {name: self._listen(name) for name in ("qtest", "qmp")}
        self.log = os.path.join(self.directory, "log")
        with open(self.log, "wb") as log:
            # Without accel=qtest (some builds lack it) a CPU runs, finds no code and traps for ever: harmless, but real time.
            self.process = subprocess.Popen(
                ["timeout", "-k", "5", str(LIFE_TIME)] + program.command +
                ["-M", MACHINE + machine_options, "-accel", "qtest", "-accel", "tcg", "-m", f"{RAM_SIZE >> 20}M",
                 "-object", f"memory-backend-file,id=ram,size={RAM_SIZE},share=on,mem-path={ram}",
                 "-display", "none", "-bios", "none", "-nodefaults", "-qtest-log", "none",
                 "-qtest", f"unix:{self.directory}/qtest", "-qmp", f"unix:{self.directory}/qmp"] + arguments,
                env=program.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.qtest, self.qmp = (self._accept(listeners[name]) for name in ("qtest", "qmp"))
        self._line(self.qmp)  # the greeting
        self.monitor("qmp_capabilities")
        self.steps = self.command("clock_step 1", fail="") != ""

    def _listen(self, name):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(os.path.join(self.directory, name))
        listener.listen(1)
        listener.settimeout(0.2)
        return listener

    def _accept(self, listener):
        with listener:
            for _ in range(5 * ANSWER_TIME):
                try:
                    connection, _ = listener.accept()
                except socket.timeout:
                    if self.process.poll() is not None:
                        raise QemuError("QEMU ended: " + self._complaint()) from None
                    continue
                connection.settimeout(ANSWER_TIME)
                return connection.makefile("rwb")
        raise QemuError("QEMU did not connect: " + self._complaint())

    def _complaint(self):
        with open(self.log, "rb") as f:
            return f.read().decode(errors="replace").strip()[-400:] or "it says nothing"

    def _line(self, stream):
        try:
            line = stream.readline()
        except OSError as err:
            raise QemuError(f"no answer: {err}; " + self._complaint()) from err
        if not line:
            raise QemuError("QEMU is gone: " + self._complaint())
        return line.decode()

    def command(self, text, fail=None):
        """The answer to a qtest command, without its OK. FAIL: what to give instead of an error when QEMU refuses."""
        self.qtest.write(text.encode() + b"\n")
        self.qtest.flush()
        answer = self._line(self.qtest).split(None, 1)
        if answer[0] == "OK":
            return answer[1].strip() if len(answer) > 1 else ""
        if fail is None:
            raise QemuError(f"{text}: {' '.join(answer).strip()}")
        return fail

    def read(self, address, width):
        return int(self.command(f"read{'l' if width == 4 else 'q'} {address:#x}"), 16)

    def write(self, address, width, value):
        self.command(f"write{'l' if width == 4 else 'q'} {address:#x} {value:#x}")

    def monitor(self, execute, **arguments):
        """Runs a QMP command; gives what it returns."""
        self.qmp.write(json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n")
        self.qmp.flush()
        while True:
            answer = json.loads(self._line(self.qmp))
            if "error" in answer:
                raise QemuError(f"{execute}: {answer['error'].get('desc')}")
            if "return" in answer:
                return answer["return"]

    def find(self, data):
        """Every physical address in RAM at which DATA stands."""
        end = RAM_SIZE - 1  # Python before 3.11.5 reads one byte more than it is to look at, and no memory may be there
        found, at = [], self.ram.find(data, 0, end)
        while at >= 0:
            found.append(RAM_BASE + at)
            at = self.ram.find(data, at + 1, end)
        if self.ram[-len(data):] == data:
            found.append(RAM_BASE + RAM_SIZE - len(data))
        return found

    def get(self, address, size):
        """Bytes of RAM."""
        return self.ram[address - RAM_BASE:address - RAM_BASE + size]

    def put(self, address, data):
        self.ram[address - RAM_BASE:address - RAM_BASE + len(data)] = data

    def stop(self):
        """Ends this QEMU, by the pid that we started, and takes its files away."""
        for stream in (self.qtest, self.qmp):
            try:
                if stream:
                    stream.close()
            except OSError:
                pass
        if self.process:
            self.process.terminate()  # `timeout` hands it on
            try:
                self.process.wait(ANSWER_TIME)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.ram:
            self.ram.close()
        shutil.rmtree(self.directory, ignore_errors=True)
