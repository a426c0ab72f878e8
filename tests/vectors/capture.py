# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes captures (ELF cores with register notes), independently of the project's C code.

The format is the one of man 5 riscv-iommu-capture: ELF64 little-endian, ET_CORE, EM_RISCV, physical memory in
PT_LOAD, notes of the name RISCV-IOMMU: type 1 (registers of one IOMMU), type 2 (the machine, JSON).
"""
import json
import struct

PAGE = 4096
BASE = 0x3010000
ET_CORE, EM_RISCV = 4, 243
PT_LOAD, PT_NOTE = 1, 4
PN_XNUM = 0xffff
NOTE_NAME = b"RISCV-IOMMU\0"

# The registers of the specification: name -> (offset, width).
REGISTERS = {
    "capabilities": (0x000, 8), "fctl": (0x008, 4), "ddtp": (0x010, 8),
    "cqb": (0x018, 8), "cqh": (0x020, 4), "cqt": (0x024, 4),
    "fqb": (0x028, 8), "fqh": (0x030, 4), "fqt": (0x034, 4),
    "pqb": (0x038, 8), "pqh": (0x040, 4), "pqt": (0x044, 4),
    "cqcsr": (0x048, 4), "fqcsr": (0x04c, 4), "pqcsr": (0x050, 4), "ipsr": (0x054, 4),
    "iocountovf": (0x058, 4), "iocountinh": (0x05c, 4), "iohpmcycles": (0x060, 8),
    "tr_req_iova": (0x258, 8), "tr_req_ctl": (0x260, 8), "tr_response": (0x268, 8),
    "iommu_qosid": (0x270, 4), "icvec": (0x2f8, 8),
}
REGISTERS.update({f"iohpmctr{i}": (0x068 + 8 * (i - 1), 8) for i in range(1, 32)})
REGISTERS.update({f"iohpmevt{i}": (0x160 + 8 * (i - 1), 8) for i in range(1, 32)})
for _i in range(16):
    REGISTERS[f"msi_addr_{_i}"] = (0x300 + 16 * _i, 8)
    REGISTERS[f"msi_data_{_i}"] = (0x308 + 16 * _i, 4)
    REGISTERS[f"msi_vec_ctl_{_i}"] = (0x30c + 16 * _i, 4)


def note(kind, desc, name=NOTE_NAME):
    """One ELF note, padded to 4 bytes."""
    pad = lambda b: b + b"\0" * (-len(b) % 4)
    return struct.pack("<III", len(name), len(desc), kind) + pad(name) + pad(desc)


def registers_note(registers, base=BASE, name="", version=1, count=None):
    """REGISTERS: {name: value} or [(offset, width, value)]. COUNT other than their number makes a lying note."""
    if isinstance(registers, dict):
        registers = [REGISTERS[k] + (v,) for k, v in registers.items()]
    count = len(registers) if count is None else count
    desc = struct.pack("<IIQ64s", version, count, base, name.encode())
    return note(1, desc + b"".join(struct.pack("<IIQ", *r) for r in registers))


def machine_note(machine):
    return note(2, json.dumps(machine).encode())


def header(phnum, phoff=64, shoff=0, shnum=0, machine=EM_RISCV, kind=ET_CORE):
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    return ident + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, phoff, shoff, 0, 64, 56, phnum,
                               64 if shnum else 0, shnum, 0)


def program_header(kind, offset, address, filesz, memsz, flags=4):
    return struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, filesz, memsz, PAGE if kind == PT_LOAD else 4)


def core(notes, segments):
    """The bytes of a core. SEGMENTS: [(address, bytes)] or [(address, bytes, memsz)], in this order."""
    segments = [s if len(s) == 3 else (s[0], s[1], len(s[1])) for s in segments]
    count = len(segments) + 1
    extended = count >= PN_XNUM
    start = 64 + 56 * count
    section = b""
    if extended:  # the real number of program headers is in sh_info of section 0
        section = struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, count, 0, 0)
    notes_at = start + len(section)
    offset = notes_at + len(notes)
    offset += -offset % PAGE
    out = [header(PN_XNUM if extended else count, shoff=start if extended else 0, shnum=1 if extended else 0),
           program_header(PT_NOTE, notes_at, 0, len(notes), len(notes))]
    data = []
    for address, content, memsz in segments:
        out.append(program_header(PT_LOAD, offset, address, len(content), memsz))
        data.append(content)
        offset += len(content)
    head = b"".join(out) + section + notes
    return head + b"\0" * (-len(head) % PAGE) + b"".join(data)


class Memory:
    """Sparse physical memory, little-endian values; a page exists once it was touched."""

    def __init__(self):
        self.pages = {}

    def page(self, address):
        return self.pages.setdefault(address & ~(PAGE - 1), bytearray(PAGE))

    def put64(self, address, *values):
        for i, value in enumerate(values):
            at = address + 8 * i
            struct.pack_into("<Q", self.page(at), at % PAGE, value)

    def put32(self, address, value):
        struct.pack_into("<I", self.page(address), address % PAGE, value)

    def get(self, address, size):
        """SIZE bytes inside one page, or None where there is none."""
        page = self.pages.get(address & ~(PAGE - 1))
        return None if page is None else bytes(page[address % PAGE:address % PAGE + size])

    def segments(self):
        return [(a, bytes(p)) for a, p in sorted(self.pages.items())]


def write(path, memory, registers, base=BASE, name="", machine=None):
    """A capture of one IOMMU, a PT_LOAD for each page."""
    notes = registers_note(registers, base, name)
    if machine is not None:
        notes += machine_note(machine)
    with open(path, "wb") as f:
        f.write(core(notes, memory.segments()))
