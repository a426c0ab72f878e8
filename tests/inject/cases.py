# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands whose calls are failed: each tool, each command, on the demo capture and on made-up machines of the cli tests."""
import mmap
import os
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
sys.path.insert(0, os.path.join(HERE, "..", "vectors"))

import capture  # noqa: E402
import common  # noqa: E402
import kdump  # noqa: E402
import recording  # noqa: E402
import test_inputs as inputs  # noqa: E402
import test_kexec_prep as prep  # noqa: E402
import test_quiesce as quiesce  # noqa: E402

DEMO = os.path.join(HERE, "..", "..", "examples", "demo.core")
DUMP, TOP, PREP, QUIESCE = common.TOOL, common.TOP, common.KEXEC_PREP, quiesce.TOOL


class Case:
    """
    A command: TOOL with ARGS(place), where a place is a directory with what the command needs, made by PLACE. OUTPUT is a file
    that is complete or as it was before. CHANGES: the command changes its place, which is made anew for each run.
    """

    def __init__(self, name, tool, args, place=None, output=None, changes=False, stdin=b"", env=None, whole=None, lines=False,
                 shim=None, screen=False, stays=None):
        self.name, self.tool, self.args, self.place_of = name, tool, args, place or common.Case
        self.output, self.changes, self.stdin, self.env = output, changes or output is not None, stdin, env or (lambda place: {})
        self.whole = whole  # whether a file is one that a run which went well could have left
        self.lines = lines  # JSON is an object a line
        self.shim = shim or {}  # what the shim is told in each run
        self.screen = screen  # in a terminal
        self.stays = stays  # a file that stays where something went wrong, for who tries again

    def lost(self, good, got):
        """How many blocks may be lost."""
        return 100000 if self.screen else getattr(self.place_of, "lost", lambda good, got: 0)(good, got)

    def place(self):
        place = self.place_of("setUp")
        place.setUp()
        return place


class Live(common.Case):
    """A machine whose registers the module gives, and whose memory /proc/kcore."""

    def setUp(self):
        super().setUp()
        self.options = self.fake_root()
        machine = common.Machine()
        self.debugfs(machine.registers)
        self.write("root/kcore", capture.core(b"", machine.memory.segments()))
        at = "root/sys/devices/pci0000:00/0000:00:01.0"
        self.write(f"{at}/class", "0xff0000\n")
        self.write(f"{at}/config", quiesce.config())
        os.makedirs(self.path("root/sys/class/iommu/riscv-iommu@3010000.iommu"))
        os.symlink("../../../class/iommu/riscv-iommu@3010000.iommu", self.path(f"{at}/iommu"))
        os.symlink("../../../devices/pci0000:00/0000:00:01.0", self.path("root/sys/bus/pci/devices/0000:00:01.0"))
        self.write("root/sys/kernel/iommu_groups/0/type", "DMA\n")
        os.makedirs(self.path("root/sys/kernel/iommu_groups/0/devices/0000:00:01.0"))
        self.write("root/proc/interrupts", "           CPU0\n 10:  3  riscv-imsic  0 Edge  riscv-iommu-fltq@3010000.iommu\n")


class Mapped(Live):
    """The same by /dev/mem."""

    def setUp(self):
        super().setUp()
        os.unlink(self.path("root/debugfs/riscv-iommu/riscv-iommu@3010000.iommu/registers"))
        with open(self.path("root/mem"), "wb") as f:
            f.truncate(common.BASE + 0x1000)
            for name, value in common.Machine().registers.items():
                offset, width = capture.REGISTERS[name]
                f.seek(common.BASE + offset)
                f.write(value.to_bytes(width, "little"))


class Captures(common.Case):
    """Two captures between which a mapping came and a register changed, a recording, a list of requests."""

    def setUp(self):
        super().setUp()
        self.old, m = self.machine("old.core"), common.Machine()
        m.memory.put64(m.L0 + 24, common.pte(0x90005000, m.USER))
        m.registers["fqt"] = 4
        self.new = self.path("new.core")
        capture.write(self.new, m.memory, m.registers)
        made = recording.Recording().state(0).fault(0.5, 1, iova=0x2000).fault(0.6, 2, did=0x10, cause=258)
        self.recording = self.write("test.rec", made.end(2).bytes)
        self.requests = self.write("requests", "0x8 0x1000\n0x8 0x2000 access=w\n0x9 0x1000 pid=5\n0x8 0x1\n")


class Image(inputs.Raw):
    """
    The memory of the machine in an image, its registers by hand.
    """

    def setUp(self):
        super().setUp()
        self.options = ["-i", self.image(), "-O", f"base={self.START:#x}", *self.by_hand()]


class Dump(inputs.Registers):
    """
    The memory in a compressed dump. kdump_free() of libkdumpfile (0.5.1 at least) reads blocks that it has freed, so the shim lets them
    be until it returns (KEEP). What it had allocated when it failed to open a dump is lost (source/kdumpfile.c), and always its map of
    what was RAM.
    """

    KEEP = {"keep": "/libkdumpfile.so"}

    @staticmethod
    def lost(good, got):
        return 1000 if b"/dump: opening it: " in got.err else good.report[3]

    def setUp(self):
        super().setUp()
        self.options = ["-i", self.write("dump", kdump.dump(common.Machine().memory.pages)), *self.by_hand()]


class Vmcore(prep.Vmcore):
    """A vmcore, its registers in the record of a handover."""

    def setUp(self):
        super().setUp()
        self.options = ["-i", self.vmcore, "-O", f"record={self.record(self.entry)}"]


class Kernel(prep.Load):
    """A kernel to wrap, and a kexec that loads it."""

    def setUp(self):
        super().setUp()
        self.kexec()
        self.write("out", "before")


class Crash(Kernel):
    """The machine of a capture, which has memory for a crash kernel, where its devices reach."""

    def setUp(self):
        super().setUp()
        m = common.Machine()
        note = {"kernel": "7.2", "memory": [{"start": "0xa0100000", "end": "0xa01fffff", "name": "Crash kernel"}],
                "devices": [{"device_id": "0x8", "name": "0000:00:01.0", "iommu": f"{common.BASE:#x}", "group": "0"}]}
        capture.write(self.path("m.core"), m.memory, m.registers, common.BASE, "3010000.iommu", note)
        self.options = ["-i", self.path("m.core")]


class Loaded(prep.Report):
    """A machine that another kernel handed over."""

    def setUp(self):
        super().setUp()
        self.options = self.machine_with(prep.record(prep.entry(ticks=40, cqb=0x2000_0c0c)), struct.pack(">I", 10_000_000))


def is_capture(content):
    return content[:4] == b"\x7fELF" and struct.unpack_from("<Q", content, 32)[0] < len(content)


def is_recording(content):
    return not content or content.startswith(recording.MAGIC)  # it is cut behind its last whole block


def demo(name, *args, **kwargs):
    return Case(name, DUMP, lambda p: ["-i", DEMO, *args], **kwargs)


def live(name, *args, tool=DUMP, **kwargs):
    return Case(name, tool, lambda p: [*p.options, *args], Live, **kwargs)


def kernel(name, args, **kwargs):
    return Case(name, PREP, lambda p: [*p.options, *args(p)], Kernel, env=lambda p: {"TMPDIR": p.path("tmp")}, **kwargs)


def quiet(name, *args, **kwargs):
    return Case(name, QUIESCE, lambda p: [*p.options, *args], quiesce.Machine, **kwargs)


# ncurses 6.4 crashes when it has no memory, in setupterm(), tigetstr(), newterm() and its writing: its own allocations do not fail.
NCURSES = {"spare": "/libncurses /libtinfo"}


def XTERM(place):  # pylint: disable=invalid-name,unused-argument
    return {"TERM": "xterm"}


class Blocked(quiesce.Machine):
    def setUp(self):
        super().setUp()
        self.quiesce()


class Answering(quiesce.Machine):
    """A machine whose IOMMU can be asked (tr_req): while it is Off it refuses."""

    def setUp(self):
        super().setUp()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.answer)
        self.thread.start()
        self.addCleanup(self.thread.join)
        self.addCleanup(self.ended.set)

    def answer(self):
        at = {name: capture.REGISTERS[name][0] for name in ("ddtp", "tr_req_ctl", "tr_response")}
        with open(self.path("root/mem"), "r+b") as f, mmap.mmap(f.fileno(), mmap.PAGESIZE, offset=common.BASE) as page:
            while not self.ended.is_set():
                if page[at["tr_req_ctl"]] & 1:
                    page[at["tr_response"]] = page[at["ddtp"]] & 0xf == 0  # a fault
                    page[at["tr_req_ctl"]] &= 0xfe
                time.sleep(0.001)


class Removed(quiesce.Remove):
    """An IOMMU on PCI, whose driver has left it Off."""

    def setUp(self):
        super().setUp()
        self.memory({"ddtp": quiesce.DDTP & ~0xf})


def cases():
    out = []
    for name, args in {
            "list": ["list"], "regs": ["regs"], "devices": ["devices"], "device": ["devices", "00:01.0"], "processes": ["processes", "8"],
            "translate": ["translate", "00:01.0", "0x100200000", "0x777000"], "mappings": ["mappings", "00:01.0"],
            "whomaps": ["whomaps", "0x84c00000+0x1000"], "msi": ["msi", "8"], "faults": ["faults", "--walk"], "commands": ["commands"],
            "requests": ["requests"], "counters": ["counters"], "check": ["check"]}.items():
        out.append(demo("dump-" + name, *args))
        out.append(demo("dump-" + name + "-json", "-J", *args))
    captured = lambda name, args, **kwargs: Case(name, kwargs.pop("tool", DUMP), args, Captures, **kwargs)  # noqa: E731
    out += [
        *(Case(f"dump-{name}", DUMP, lambda p: [*p.options, "-J", "devices"], place)
          for name, place in (("image-json", Image), ("vmcore-json", Vmcore))),
        *(Case(f"dump-kdump-{name}", DUMP, lambda p, args=args: [*p.options, *args], Dump, shim=Dump.KEEP)
          for name, args in (("json", ["-J", "devices"]), ("zero", ["-O", "excluded=zero", "mappings", "8"])) if common.features(DUMP).get("kdumpfile")),
        Case("dump-explain", DUMP, lambda p: ["explain", "Fault 13 devid: 0x8 iotval: 777000 iotval2: 0"]),
        Case("dump-explain-lines", DUMP, lambda p: ["-J", "explain", "-"], stdin=b"Fault 13 devid: 0x8 iotval: 777000 iotval2: 0\nddtp=0x4\nx\n"),
        captured("dump-batch", lambda p: ["-i", p.old, "translate", "--batch", p.requests]),
        captured("dump-batch-json", lambda p: ["-i", p.old, "-J", "translate", "--steps", "--batch", p.requests], lines=True),
        captured("dump-batch-stdin", lambda p: ["-i", p.old, "-J", "translate", "--batch", "-"], lines=True,
                 stdin=b"0x8 0x1000\n0x8 0x2000 access=w\n"),
        captured("dump-diff", lambda p: ["diff", p.old, p.new]),
        captured("dump-diff-json", lambda p: ["-J", "diff", p.old, p.new]),
        captured("dump-save", lambda p: ["-i", p.old, "--save", p.path("out"), "regs", "ddtp"], output="out", whole=is_capture),
        captured("dump-process-json", lambda p: ["-i", p.old, "-J", "processes", "9"]),
        live("live-list", "list"), live("live-list-json", "-J", "list"), live("live-devices-json", "-J", "devices"),
        live("live-translate-json", "-J", "translate", "8", "0x1000", "0x777000"), live("live-mappings-json", "-J", "mappings", "8"),
        live("live-whomaps", "whomaps", "0x90000000"), live("live-faults", "faults", "--walk"), live("live-check-json", "-J", "check"),
        live("live-batch", "-J", "translate", "--batch", "-", stdin=b"8 0x1000\n", lines=True),
        Case("live-save", DUMP, lambda p: [*p.options, "--save", p.path("out"), "-J", "list"], Live, output="out", whole=is_capture),
        Case("mapped-list-json", DUMP, lambda p: [*p.options, "-A", "devmem", "-J", "list"], Mapped),
        Case("mapped-regs", DUMP, lambda p: [*p.options, "-A", "devmem", "regs"], Mapped),
        captured("top-capture", lambda p: ["-b", "-i", DEMO], tool=TOP),
        captured("top-playback", lambda p: ["-b", "-i", p.recording], tool=TOP),
        captured("top-playback-json", lambda p: ["-J", "-d", "1", "-i", p.recording], tool=TOP, lines=True),
        live("top-live", "-b", "-n", "2", "-d", "0.005", tool=TOP),
        live("top-live-json", "-J", "-n", "2", "-d", "0.005", tool=TOP, lines=True),
        *((captured("top-screen-playback", lambda p: ["-n", "2", "-d", "0.01", "-i", p.recording], tool=TOP, screen=True, env=XTERM, shim=NCURSES),
           live("top-screen-live", "-n", "2", "-d", "0.01", tool=TOP, screen=True, env=XTERM, shim=NCURSES)) if common.features(TOP).get("tui") else ()),
        Case("top-record", TOP, lambda p: [*p.options, "-J", "-n", "2", "-d", "0.005", "--record", p.path("out")], Live, output="out",
             whole=is_recording, lines=True),
        kernel("prep-check", lambda p: ["check", p.source]), kernel("prep-check-json", lambda p: ["-J", "check", p.source]),
        Case("prep-check-crash-json", PREP, lambda p: [*p.options, "-J", "check"], Crash),
        kernel("prep-image", lambda p: ["-J", "image", p.source, "-o", p.path("out")], output="out",
               whole=lambda content: content[:2] == b"MZ" and len(content) > 8192),
        kernel("prep-dtb", lambda p: ["dtb", "-o", p.path("out")], output="out", whole=lambda content: content[:4] == b"\xd0\r\xfe\xed"),
        kernel("prep-load", lambda p: ["load", p.source], changes=True), kernel("prep-load-plan", lambda p: ["-J", "load", "--plan", p.source]),
        Case("prep-report", PREP, lambda p: [*p.options, "report"], Loaded),
        Case("prep-report-json", PREP, lambda p: [*p.options, "-J", "report"], Loaded),
        quiet("quiesce-plan", "--plan"), quiet("quiesce-plan-json", "-J", "--plan", "--handover"),
        quiet("quiesce-block-json", "-J", changes=True), quiet("quiesce-handover", "--handover", changes=True),
        quiet("quiesce-hold-json", "-J", "--hold", "1", changes=True, shim={"end": 1}, stays="run/quiesce.state"),
        Case("quiesce-probe-json", QUIESCE, lambda p: [*p.options, "-J", "--timeout", "10", "--probe", "00:01.0:0x1000"], Answering, changes=True),
        Case("quiesce-remove-json", QUIESCE, lambda p: [*p.options, "-J", "--via", "remove"], Removed, changes=True),
        Case("quiesce-undo-json", QUIESCE, lambda p: [*p.options, "-J", "--undo"], Blocked, changes=True),
    ]
    return [c for c in out if c.tool and os.path.exists(c.tool)]
