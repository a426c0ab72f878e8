#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Inputs to begin with, for each fuzz target a directory: `seeds.py DIR`. Made from what the other tests write; nothing here is kept in git."""
import gzip
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "cli"), os.path.join(TESTS, "vectors")]

import capture  # noqa: E402
import common  # noqa: E402
import fdt  # noqa: E402
import kdump  # noqa: E402
import recording  # noqa: E402
import test_acpi  # noqa: E402
import test_kexec_prep  # noqa: E402

PAGE = 4096


def read(*path):
    with open(os.path.join(TESTS, *path), "rb") as f:
        return f.read()


# -- machine.c: a head, then things of 12 bytes ---------------------------------------------------------------------

def head(mode=2, root=0, fctl=0, capabilities=0, queues=(0x1c, 0x1d, 0x1e), fqh=0, fqt=0):
    return struct.pack("<BBQBBBBBB", mode | fctl << 4, root, capabilities, *queues, fqh, fqt, 0)


def thing(what, page, index, value):
    return struct.pack("<BBHQ", what, page, index, value & (1 << 64) - 1)


def pointer(page, index, to):
    return thing(1, page, index, to)


def dc(index, page=0, tc=0, hgatp=0, fsc=0, msiptp=0, mask=0, pattern=0):
    """HGATP, FSC, MSIPTP: mode | page << 4."""
    return thing(5, page, index, tc | hgatp << 12 | fsc << 21 | msiptp << 30 | mask << 43 | pattern << 47)


def leaves(page, index, first, count, kind=5, step=0, flip=0):
    return thing(4, page, index, flip | first << 8 | kind << 40 | (count - 1) << 48 | step << 57)


SV39 = pointer(1, 0, 2) + pointer(2, 0, 3) + leaves(3, 0, 0x90000, 64) + thing(3, 2, 1, 0x90200 << 8 | 1 << 40)
GUEST = thing(3, 8, 2, 4 << 40) + thing(3, 8, 0, 2 << 40)  # Sv39x4: 1 GiB leaves, where the tables are and at 0
MACHINES = {
    "empty": b"",
    "bare": head(mode=1),
    "sv39": head() + dc(0, fsc=8 | 1 << 4) + dc(3, fsc=8 | 1 << 4, tc=1 << 8) + SV39,
    "sv48": head() + dc(0, fsc=9 | 4 << 4) + pointer(4, 0, 1) + SV39,
    "sv57": head() + dc(0, fsc=10 | 5 << 4) + pointer(5, 0, 4) + pointer(4, 0, 1) + SV39,
    "guest": head() + dc(0, hgatp=8 | 8 << 4) + GUEST,
    "both": head() + dc(0, hgatp=8 | 8 << 4, fsc=8 | 1 << 4) + SV39 + GUEST,
    "ats": head() + dc(0, tc=2 | 8, hgatp=8 | 8 << 4, fsc=8 | 1 << 4) + SV39 + GUEST,
    "sv32": head(fctl=4) + dc(0, tc=1 << 11, fsc=8 | 1 << 4) + thing(13, 1, 0, 2) + thing(12, 2, 1, 0x90000 << 8),
    "big": head(fctl=1) + dc(0, tc=1 << 10, fsc=8 | 1 << 4) + SV39,
    "pd8": head() + dc(0, tc=1 << 5, fsc=1 | 6 << 4) + thing(7, 6, 1, (8 | 1 << 4) << 8) + SV39,
    "pd17": head() + dc(0, tc=1 << 5 | 1 << 9, fsc=2 | 7 << 4) + pointer(7, 0, 6) + thing(7, 6, 0, (8 | 1 << 4) << 8) + SV39,
    "pd20": head() + dc(0, tc=1 << 5, fsc=3 | 9 << 4) + pointer(9, 0, 7) + pointer(7, 0, 6) + thing(7, 6, 5, (8 | 1 << 4) << 8) + SV39,
    "msi": head() + dc(0, hgatp=8 | 8 << 4, msiptp=1 | 12 << 4, mask=3, pattern=0x100) + GUEST + thing(8, 12, 0, 7) + thing(8, 12, 1, 3 | 0x90 << 8),
    "2lvl": head(mode=3, root=10) + pointer(10, 0, 0) + dc(0, fsc=8 | 1 << 4) + SV39,
    "3lvl": head(mode=4, root=11) + pointer(11, 0, 10) + pointer(10, 0, 0) + pointer(10, 1, 0) + dc(0, fsc=8 | 1 << 4) + SV39,
    "napot": head() + dc(0, fsc=8 | 1 << 4) + pointer(1, 0, 2) + pointer(2, 0, 3) + thing(4, 3, 0, 0x90000 << 8 | 3 << 40 | 15 << 48),
    "loop": head() + dc(0, fsc=8 | 1 << 4) + pointer(1, 0, 1) + pointer(1, 1, 1) + leaves(1, 2, 0x90000, 4),
    "garbage": head() + dc(0, fsc=8 | 1 << 4) + SV39 + thing(14, 2, 0, 12345),
    "hole": head() + dc(0, fsc=8 | 1 << 4) + SV39 + thing(15, 3, 0, 0),
    "faults": head(fqt=3) + dc(8, fsc=8 | 1 << 4) + SV39 + thing(9, 0x1d, 0, 13 | 2 << 34 | 8 << 40) + thing(9, 0x1d, 1, 5 | 2 << 34) +
    thing(10, 0x1c, 0, 1) + thing(10, 0x1c, 1, 2 | 1 << 10) + thing(10, 0x1e, 0, 8 << 40 | 7),
}


# -- the others ---------------------------------------------------------------------------------------------------------

def cores():
    m = common.Machine()
    path = os.path.join(sys.argv[1], "core.tmp")
    for name, note in (("plain", None), ("note", NOTES["full"])):
        capture.write(path, m.memory, m.registers, common.BASE, "3010000.iommu", note and json.loads(note))
        with open(path, "rb") as f:
            yield name, f.read()
    os.unlink(path)
    yield "demo", read("..", "examples", "demo.core")


NOTES = {
    "full": b'{"tool_version":"0.1.0","kernel":"7.2.12","model":"riscv-virtio,qemu","time":"2026-09-01T12:00:00Z","live":true,'
            b'"methods":["debugfs","kcore"],"devices":[{"device_id":"0x8","name":"0000:00:01.0","driver":"edu","group":"0",'
            b'"domain_type":"identity","iommu":"0x3010000"}],"memory":[{"start":"0x80000000","end":"0xbfffffff","name":"System RAM"}]}',
    "empty": b"{}",
    "nulls": b'{"devices":null,"memory":null,"model":null}',
}
EXPLAIN = [
    b"\0riscv-iommu 3010000.iommu: Fault 13 devid: 0x8 iotval: 777000 iotval2: 0", b"\0ddtp=0x20080004", b"\0 13",
    b"\0dc=1,0,0,0x8000000000080001,0,0,0,0", b"\0command=0x1,0", b"\1[ 1.0] Fault 1 devid: 8 iotval: 0 iotval2: 0\nriscv_iommu_fault: 12 callbacks suppressed\n",
    b"\0page_request=0x0800000000,7", b"\0000000000000000d 0 777000 0", b"\2ddtp=1\xfffqcsr=2", b"\0pte=0x200800d7", b"\0cause=256",
]
BATCH = [b"0x0 0x1000\n0 0x2000 access=w\n# no\n\n1 0x1000 type=ats pid=5 priv=s access=x\n", b"1 4096 type=translated", b"x y z\n"]
OPTIONS = [b"\0ddtp=0x20080004", b"\x000x3010000:fqh=1", b"\x003010000.iommu:capabilities=0x10", b"\1max-pages=100", b"\1absent=fault",
           b"\2" + b"0x3010000", b"\3core", b"\0040000:00:02.0", b"\0040x1000-0x2000", b"\0041+0x10"]
DEBUGFS = b"# riscv-iommu registers 1\nbase 0x3010000\n0x0 8 0x3810020610\n0x8 4 0x2\n0x10 8 0x20000002\n# error: the bus did not answer\n"
SYSFS = b"\xff".join([b"03010000-03010fff : RSCV0004:00\n80000000-bfffffff : System RAM\n",
                      b"           CPU0       CPU1\n 20:          1        2  RISC-V INTC   5 Edge      3010000.iommu\n", b"7.2.0\n", b"DMA\n",
                      b"0x0000000040000000 0x0000000040000fff 0x0000000000140204\n", b"0x080600\n", b"\\_SB_.DMA0\n"])
LIST = bytes([0x01, 0x50, 0x80 | 3, 1, 2, 0x01, 0x50, 0x00, 0x51, 0x82, 4, 0, 7, 0, 10, 0x56, 0x81, 1, 0x30])


def trees():
    whole = fdt.machine()
    whole.children.append(fdt.Node("chosen", {"linux,elfcorehdr": fdt.cells(1, 2), "riscv-iommu-handover": test_kexec_prep.record(test_kexec_prep.entry())}))
    yield "machine", b"\0" + fdt.blob(whole)
    yield "plain", b"\0" + fdt.blob(fdt.machine((0x3010000, 0x3011000)))
    yield "list", b"\1" + LIST


def images():
    image = test_kexec_prep.image()
    packed = gzip.compress(image, mtime=0)
    yield "raw", b"\0" + image
    yield "gzip", b"\0" + packed
    yield "header", b"\1" + bytes(7) + b"x" * 64
    yield "zboot", b"\0" + (b"MZ\0\0zimg" + struct.pack("<II", 0x1000, len(packed)) + bytes(8) + b"gzip").ljust(0x1000, b"\0") + packed


def dumps():
    pages = {0x80000000 + i * PAGE: bytes([i]) * PAGE for i in range(3)}
    dump = kdump.dump(pages, excluded=(0x80003000,))
    # the bitmaps of a machine with RAM at 2 GiB are 128 KiB of zeros, so one with RAM at 0 beside it
    small = kdump.dump({i * PAGE: bytes([i]) * PAGE for i in range(3)}, compress=False)
    yield "small", small
    yield "flat", kdump.flattened(small)
    yield "ram", dump


def recordings():
    r = recording.Recording()
    r.state(0).fault(1).fault(2, index=1, flags=recording.PENDING | recording.ORDERED, did=0x33)
    r.change(recording.MODE, 3, 4, 0).change(recording.CSR, 4, recording.ON, recording.ON | recording.OVERFLOW)
    r.loss(recording.LOST, 5, recording.LAPPED, count=7).loss(recording.RESET, 6, recording.WAS_OFF)
    yield "killed", r.bytes
    yield "ended", r.end(7).bytes


def states():
    boot = b"b4f2ac9e-75cd-4a5f-8c07-0d6c0fc1b0a2".ljust(48, b"\0")
    unit = b"3010000.iommu".ljust(64, b"\0") + struct.pack("<6Q26I", 0x3010000, 0x10, 0x20000002, 0x20000000, 0, 0, *[0] * 26)
    function = b"0000:00:01.0".ljust(64, b"\0") + struct.pack("<Q4I", 0x3010000, 0x11e81234, 0x106, 1, 0)
    yield "one", b"riommu-quiesce\n\0" + struct.pack("<IIII", 1, 1, 1, 0) + boot + unit + function


def numbered(items):
    return ((str(i), item) for i, item in enumerate(items))


def all_seeds():
    return {
        "walk": MACHINES.items(),
        "dump": ((f"{name}-{i}", bytes([i]) + m) for i in range(17) for name, m in MACHINES.items()),
        "diff": ((name, bytes([len(m) // 24]) + m) for name, m in MACHINES.items()),
        "core": cores(),
        "note": NOTES.items(),
        "kdump": dumps(),
        "image": images(),
        "devicetree": trees(),
        "rimt": (("platform", b"\0" + test_acpi.PLATFORM), ("pci", b"\0" + test_acpi.PCI)),
        "debugfs": [("text", DEBUGFS)],
        "sysfs": [("texts", SYSFS)],
        "record": (("one", test_kexec_prep.record(test_kexec_prep.entry(), capacity=2)),
                   ("found", bytes(64) + test_kexec_prep.record(test_kexec_prep.entry(), test_kexec_prep.entry(base=0x3011000, status=3), capacity=4)),
                   ("tree", fdt.blob(fdt.Node("", {}, [fdt.Node("chosen", {"riscv-iommu-handover": test_kexec_prep.record(test_kexec_prep.entry(), capacity=1)})])))),
        "state": states(),
        "recording": recordings(),
        "explain": numbered(EXPLAIN),
        "batch": numbered(BATCH),
        "options": numbered(OPTIONS),
    }


def main():
    for target, seeds in all_seeds().items():
        directory = os.path.join(sys.argv[1], target)
        os.makedirs(directory, exist_ok=True)
        for name, content in seeds:
            with open(os.path.join(directory, name), "wb") as f:
                f.write(content)


if __name__ == "__main__":
    main()
