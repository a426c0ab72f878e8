# SPDX-License-Identifier: GPL-2.0-or-later
"""What the command-line tests share: running the program, fixtures, a small machine in a capture."""
import functools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "vectors"))

import capture  # noqa: E402
import run as vectors  # noqa: E402

import fdt  # noqa: E402

PAGE = capture.PAGE
BASE = capture.BASE
SAMPLE = os.path.join(HERE, "sample", "sample.core")
SAMPLE_REQUESTS = os.path.join(HERE, "sample", "sample.req")
SAMPLE_OPTIONS = ["-O", "gxl_writable=0", "-O", "be_writable=1", "-O", "absent=fault"]
STATUSES = {0, 1, 2, 3, 4, 5, 7}  # 6 (time) only exists for what waits for hardware
TIMEOUT = 20  # a hang is told from a busy machine, whose word may take a while
COMMANDS = ("list", "regs", "devices", "processes", "translate", "mappings", "whomaps", "msi", "faults", "commands", "requests", "counters", "explain")
# What sanitizers say; they end a program with status 1, which alone would look like an error of ours.
SANITIZER = ("AddressSanitizer", "UndefinedBehavior", "LeakSanitizer", "runtime error:")

LEFT_OUT = b"is left out of this program"  # what the minimal build says of commands that it has not

TOOL = vectors.program()


def as_from_a_terminal():
    """
    Whoever starts the tests may ignore signals (nohup, `&` in a script), hold them back, or want files that nobody else reads:
    what the tests start does as from a terminal, unless the test asks for something else.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:  # Python's own are restored
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)


as_from_a_terminal()

# The other tools are beside it, unless the environment names them.
KEXEC_PREP = os.environ.get("IOMMU_KEXEC_PREP") or (TOOL and os.path.join(os.path.dirname(TOOL), "iommu-kexec-prep"))
TOP = os.environ.get("IOMMU_TOP") or (TOOL and os.path.join(os.path.dirname(TOOL), "iommu-top"))


@functools.lru_cache(maxsize=None)
def features(tool):
    """What --version says of a tool's build: {"json": True, ...}."""
    out = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False).stdout
    words = next((line.split()[1:] for line in out.splitlines() if line.startswith("Features:")), [])
    return {word[1:]: word[0] == "+" for word in words}


def wanted(tool, args):
    """Skips the test where TOOL is not built, or not what ARGS ask of it (configure --without-..., --enable-minimal)."""
    if not os.path.exists(tool):
        raise unittest.SkipTest(f"{os.path.basename(tool)} is not built")
    if {"-J", "--json"} & set(args) and not features(tool).get("json", True):
        raise unittest.SkipTest(f"{os.path.basename(tool)} is built without JSON")


def names_wanted():
    """Skips the test where the machine note of a capture, with names and the map of the memory, is not read."""
    if not features(TOOL).get("json", True):
        raise unittest.SkipTest(f"{os.path.basename(TOOL)} is built without JSON: a capture has no names")


def main(programs):
    """The tests of the calling program, if PROGRAMS are there; its exit status. What was skipped is said with its reason."""
    if not all(os.access(path, os.X_OK) for path in programs):
        print("0 passed, 0 failed, 1 skipped: IOMMU_DUMP names no program beside the others")
        return 77
    result = unittest.main(exit=False, verbosity=1).result
    bad, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    for test, why in result.skipped:
        print(f"SKIPPED {test.id()}: {why}")
    print(f"{result.testsRun - bad - skipped} passed, {bad} failed, {skipped} skipped")
    return 1 if bad else 0


def program_of(tool):
    """What libtool's wrapper runs, and the library that it finds for it."""
    here, name = os.path.split(tool)
    if os.path.basename(here) != ".libs" and os.path.exists(os.path.join(here, ".libs", name)):
        here = os.path.join(here, ".libs")
    library = os.path.join(here, "libriscv-iommu.so.0")
    return os.path.join(here, name), [library] if os.path.exists(library) else []


# What the runtimes of sanitizers and of coverage have in them; their names stand in other programs, too (src/tool/sandbox.c).
SANITIZED, COUNTED = b"__asan_init", b"libgcov profiling"


@functools.lru_cache(maxsize=None)
def built_with(runtime):
    """Whether iommu-dump or its library has this RUNTIME in it."""
    program, libraries = program_of(TOOL)
    for path in (program, *libraries):
        with open(path, "rb") as f:
            if runtime in f.read():
                return True
    return False


def slowed():
    """True if the tools were built with sanitizers or for coverage: not what is to be measured."""
    return built_with(SANITIZED) or built_with(COUNTED)


def processor_time(run, count):
    """Seconds that the children of RUN() need, the least of COUNT times: a machine may be busy."""
    def used():
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    times = []
    for _ in range(count):
        before = used()
        run()
        times.append(used() - before)
    return min(times)


def unique(pairs):
    """A JSON object, in which no key may be there twice."""
    keys = [k for k, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"repeated key among {keys}")
    return dict(pairs)


class Done:
    def __init__(self, status, out, err, args):
        self.status, self.out, self.err, self.args = status, out, err, args

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        shown = self.out if len(self.out) < 2000 else self.out[:2000] + b"..."
        return f"{' '.join(map(repr, self.args))}\nstatus {self.status}\nstdout: {shown!r}\nstderr: {self.err[:2000]!r}"


def call(*args, stdin=b"", env=None, timeout=TIMEOUT, user=None, stdout=None, tool=None):
    """Runs the program, TOOL unless another is named. Bytes in and out; status None: it did not end in time."""
    wanted(tool or TOOL, args)
    environment = dict(os.environ, LC_ALL="C", TERM="dumb", COLUMNS="80")
    environment.pop("NO_COLOR", None)
    environment.update(env or {})
    extra = {"user": user, "group": user, "extra_groups": []} if user is not None else {}
    try:
        done = subprocess.run([tool or TOOL, *args], input=stdin, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE,
                              env=environment, timeout=timeout, check=False, **extra)
    except subprocess.TimeoutExpired as err:
        return Done(None, err.stdout or b"", err.stderr or b"", args)
    if LEFT_OUT in done.stderr:
        raise unittest.SkipTest(done.stderr.decode().splitlines()[0])
    return Done(done.returncode, done.stdout or b"", done.stderr, args)


class Case(unittest.TestCase):
    """A test with a directory of its own."""

    def inherit(self, number, action):
        """What programs that are started find of a signal."""
        self.addCleanup(signal.signal, number, signal.signal(number, action))

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="cli-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, content):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def ran(self, *args, status=0, **kwargs):
        done = call(*args, **kwargs)
        self.assertEqual(done.status, status, str(done))
        self.sane(done)
        return done

    def sane(self, done):
        """What holds for every run, whatever it was given."""
        self.assertIsNotNone(done.status, f"no end in time: {done}")
        self.assertIn(done.status, STATUSES, str(done))
        for word in SANITIZER:
            self.assertNotIn(word.encode(), done.err, str(done))
        if done.status not in (0, 7):
            self.assertNotEqual(done.err.strip(), b"", f"no message: {done}")
        return done

    def object(self, *args, status=0, **kwargs):
        """The one JSON object that a run with -J gives."""
        done = self.ran("-J", *args, status=status, **kwargs)
        return self.one_object(done)

    def one_object(self, done):
        try:
            value = json.loads(done.out.decode("utf-8"), object_pairs_hook=unique)
        except ValueError as err:
            self.fail(f"not one JSON object: {err}\n{done}")
        self.assertIsInstance(value, dict, str(done))
        return value

    def batch(self, text, *options, status=0, capture_file=None):
        """The records that --batch gives for TEXT."""
        stdin = text if isinstance(text, bytes) else text.encode()
        done = self.ran("-i", capture_file or self.machine(), "-J", *options, "translate", "--batch", "-",
                        stdin=stdin, status=status)
        return [json.loads(line) for line in done.out.splitlines()]

    def machine(self, name="machine.core", registers=None, base=BASE, iommu_name="", note=None):
        """A capture of Machine; the path."""
        m = Machine()
        m.registers.update(registers or {})
        capture.write(self.path(name), m.memory, {k: v for k, v in m.registers.items() if v is not None}, base,
                      iommu_name, note)
        return self.path(name)

    def fake_root(self, bases=(BASE,), tree=None):
        """Options that replace this machine by one with IOMMUs at BASES and nothing else."""
        self.write("root/fdt", fdt.blob(tree or fdt.machine(bases)))
        for name in ("sys/class/iommu", "sys/bus/pci/devices", "sys/kernel/iommu_groups", "proc", "debugfs", "dt"):
            os.makedirs(self.path("root/" + name), exist_ok=True)
        self.write("root/proc/iomem", "80000000-87ffffff : System RAM\n")
        out = []
        for key, name in (("fdt.path", "fdt"), ("dt.path", "dt"), ("acpi.path", "acpi"), ("sysfs.path", "sys"), ("proc.path", "proc"),
                          ("debugfs.path", "debugfs"), ("devmem.path", "mem"), ("kcore.path", "kcore"), ("state.path", "run")):
            out += ["-O", f"{key}={self.path('root/' + name)}"]
        return out

    def debugfs(self, registers, base=BASE, name="3010000.iommu", live=False):
        """The debugfs file of the kernel module, under fake_root(). LIVE: it changes while somebody has it open, and nobody ever sees
        half of it: its size stays."""
        lines = ["# riscv-iommu registers 1", f"base {base:#x}"]
        lines += ["{:#x} {} {:#x}".format(*capture.REGISTERS[k], v) for k, v in registers.items()]
        text = "\n".join(lines) + "\n"
        path = f"root/debugfs/riscv-iommu/riscv-iommu@{name}/registers"
        if not live or not os.path.exists(self.path(path)):
            return self.write(path, text.ljust(8191, "#") + "\n" if live else text)
        file = os.open(self.path(path), os.O_WRONLY)
        os.pwrite(file, (text.ljust(8191, "#") + "\n").encode(), 0)
        os.close(file)
        return self.path(path)


# Sv39, Sv39x4, MSI_FLAT (extended contexts), ATS, IGS=WSI, PAS 56, PD8
CAPABILITIES = 0x10 | 1 << 9 | 1 << 17 | 1 << 22 | 1 << 25 | 1 << 28 | 56 << 32 | 1 << 38
UPPER = lambda address: address >> 12 << 10  # noqa: E731  PPN in bits 53:10


def pte(address, flags):
    return UPPER(address) | flags


def fault_record(cause, did, iotval, iotval2=0, ttyp=2, pid=None):
    dw0 = cause | ttyp << 34 | did << 40
    if pid is not None:
        dw0 |= pid << 12 | 1 << 32
    return dw0, 0, iotval, iotval2


class Machine:
    """
    One IOMMU, Sv39, extended contexts, one level: device 0x8 has a first stage, 0x9 a process directory (PD8), 0x10 a first
    stage whose root page was not captured. IOVA 0x1000 -> 0x90000000 (read-write), 0x2000 read-only, 0x200000 a 2 MiB
    page, nothing else. The fault queue holds two pending records and one from before.
    """
    DDT, ROOT, L1, L0, PDT, FQ, CQ = (0x80000000 + PAGE * i for i in range(7))
    USER = 0xd7  # V R W U A D

    def __init__(self):
        m = self.memory = capture.Memory()
        sv39 = 8 << 60
        m.put64(self.DDT + 64 * 8, 1, 0, 0, sv39 | self.ROOT >> 12, 0, 0, 0, 0)
        m.put64(self.DDT + 64 * 9, 1 | 1 << 5, 0, 0, 1 << 60 | self.PDT >> 12, 0, 0, 0, 0)
        m.put64(self.DDT + 64 * 0x10, 1, 0, 0, sv39 | 0xdead0, 0, 0, 0, 0)
        m.put64(self.PDT + 16 * 5, 1 | 7 << 12, sv39 | self.ROOT >> 12)
        m.put64(self.ROOT, pte(self.L1, 1))
        m.put64(self.L1, pte(self.L0, 1), pte(0xa0000000, self.USER))
        m.put64(self.L0 + 8, pte(0x90000000, self.USER), pte(0x90001000, self.USER & ~4))
        m.put64(self.FQ, *fault_record(258, 0x33, 0x5000))
        m.put64(self.FQ + 32, *fault_record(15, 8, 0x2010, ttyp=3))
        m.put64(self.FQ + 64, *fault_record(13, 8, 0x777000))
        m.page(self.CQ)
        self.registers = {
            "capabilities": CAPABILITIES, "fctl": 2, "ddtp": UPPER(self.DDT) | 2, "cqb": UPPER(self.CQ) | 7,
            "cqh": 0, "cqt": 0, "fqb": UPPER(self.FQ) | 6, "fqh": 1, "fqt": 3, "cqcsr": 0x10001, "fqcsr": 0x10003,
            "pqcsr": 0, "pqb": 0, "pqh": 0, "pqt": 0, "ipsr": 0, "icvec": 0,
        }
