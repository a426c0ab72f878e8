# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings of iommu-top, built by hand from the format that src/lib/queue/recording.h describes."""
import struct

MAGIC = b"RVIOMMU-TOP\n".ljust(16, b"\0")
FAULT, STATE, MODE, CSR, LOST, RESET = range(1, 7)
LAPPED, MAY_TIME, MAY_IRQ, UNREADABLE, UNWRITTEN, BLIND, WAS_OFF, MOVED, WENT_BACK = range(1, 10)
PENDING, BEFORE, ORDERED = 1, 2, 4
ON, OVERFLOW = 0x10001, 0x200
SECOND = 10 ** 9


def block(kind, payload):
    return struct.pack("<II", kind, len(payload)) + payload


def record(cause=13, did=8, iova=0x1000, ttyp=2):
    return cause | ttyp << 34 | did << 40, 0, iova, 0


class Recording:
    """One IOMMU called "test", device 0x8 called 0000:00:01.0, unless others are given."""

    def __init__(self, iommus=((0x3010000, "test"),), devices=((0, 8, "0000:00:01.0"),), version=1):
        self.number = 0
        self.bytes = MAGIC + struct.pack("<IIQ", version, 0, 1700000000 * SECOND)
        self.add(1, b"model".ljust(128, b"\0") + b"7.2".ljust(128, b"\0") + b"2026-01-01T00:00:00Z".ljust(40, b"\0"))
        for i, (base, name) in enumerate(iommus):
            self.add(2, struct.pack("<IIQ64s", i, 0, base, name.encode()))
        for iommu, did, name in devices:
            self.add(3, struct.pack("<II64s", iommu, did, name.encode()))

    def add(self, kind, payload):
        self.bytes += block(kind, payload)
        return self

    def event(self, kind, time, payload, iommu=0):
        return self.add(4, struct.pack("<IIQ", kind, iommu, int(time * SECOND)) + payload)

    def fault(self, time, index=0, flags=ORDERED, iommu=0, **what):
        self.number += 0 if flags & BEFORE else 1
        return self.event(FAULT, time, struct.pack("<QII4Q", 0 if flags & BEFORE else self.number, index, flags, *record(**what)), iommu)

    def state(self, time, ddtp=4, flags=7, entries=4096, head=0, tail=0, csr=ON, iommu=0):
        return self.event(STATE, time, struct.pack("<IIQQIIII", flags, entries, ddtp, 0x80000000, head, tail, csr, 0), iommu)

    def change(self, kind, time, old, new):
        return self.event(kind, time, struct.pack("<QQ", old, new))

    def loss(self, kind, time, why, count=0, error=0):
        return self.event(kind, time, struct.pack("<IiQ", why, error, count))

    def end(self, time):
        return self.add(5, struct.pack("<Q", int(time * SECOND)))
