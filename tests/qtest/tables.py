# SPDX-License-Identifier: GPL-2.0-or-later
"""Builders of directories, page tables and MSI tables in a physical memory (capture.Memory), one call an entry."""

PAGE = 4096
V, R, W, X, U, G, A, D = (1 << i for i in range(8))
N = 1 << 63                # Svnapot
RW = V | R | W | U | A | D
RO = V | R | U | A | D
KIB64, MIB2, GIB1 = 64 << 10, 2 << 20, 1 << 30

FIRST = {"sv32": (8, 2), "sv39": (8, 3), "sv48": (9, 4), "sv57": (10, 5)}             # name: (MODE, levels)
SECOND = {"sv32x4": (8, 2), "sv39x4": (8, 3), "sv48x4": (9, 4), "sv57x4": (10, 5)}
FLAT = 1
PD8 = 1
OFF, BARE, LVL1, LVL2, LVL3 = range(5)

# DC.tc
EN_ATS, EN_PRI, T2GPA, DTF, PDTV, PRPR, GADE, SADE, DPE, SBE, SXL = (1 << i for i in range(1, 12))


class Pages:
    """Hands out pages of a memory, upwards; all zero."""

    def __init__(self, memory, start):
        self.memory, self.next = memory, start

    def take(self, count=1):
        self.next += -self.next % (count * PAGE)  # 16 KiB roots are aligned to their size
        at = self.next
        self.next += count * PAGE
        for i in range(count):
            self.memory.page(at + i * PAGE)
        return at


class PageTable:
    """A page table of one stage. SECOND: the table through which its own pages are reached (they are guest pages then)."""

    GUEST = 0x40000000  # a guest page sits that far below its physical page: mixing the two up shows

    def __init__(self, pages, mode, second=None):
        self.pages, self.second = pages, second
        self.mode, self.levels = {**FIRST, **SECOND}[mode]
        self.wide = mode in SECOND
        self.size, self.bits = (4, 10) if mode.startswith("sv32") else (8, 9)
        self.root = self._page(4 if self.wide else 1)

    def _page(self, count=1):
        at = self.pages.take(count)
        if self.second:
            for i in range(count):
                self.second.map(at + i * PAGE - self.GUEST, at + i * PAGE)
        return at

    def outside(self, at):
        """The address under which a page of this table is known to what points to it."""
        return at - self.GUEST if self.second else at

    def pointer(self, ident=0):
        """iosatp, or iohgatp with GSCID = IDENT."""
        return self.mode << 60 | ident << 44 | self.outside(self.root) >> 12

    def _index(self, va, level):
        index = va >> (12 + self.bits * level)
        return index if self.wide and level == self.levels - 1 else index & ((1 << self.bits) - 1)

    def _get(self, at):
        return int.from_bytes(self.pages.memory.get(at, self.size), "little")

    def put(self, at, value):
        (self.pages.memory.put64 if self.size == 8 else self.pages.memory.put32)(at, value)

    def entry(self, va, level=0):
        """The physical address of the entry for VA at LEVEL; tables above it are made."""
        at = self.root
        for i in range(self.levels - 1, -1, -1):
            slot = at + self._index(va, i) * self.size
            if i == level:
                return slot
            if not self._get(slot) & V:
                self.put(slot, self.outside(self._page()) >> 12 << 10 | V)
            at = self._get(slot) >> 10 << 12
            at = at + self.GUEST if self.second else at
        raise ValueError("no such level")

    def map(self, va, pa, size=PAGE, flags=RW):
        """One leaf of SIZE (64 KiB: sixteen PTEs with N)."""
        if size == KIB64:
            for i in range(16):
                self.put(self.entry(va + i * PAGE), N | (pa >> 16 << 4 | 8) << 10 | flags)
            return
        level = (size.bit_length() - 13) // self.bits
        self.put(self.entry(va, level), pa >> 12 << 10 | flags)


class Directory:
    """A device directory; LEVELS 1 to 3."""

    def __init__(self, pages, levels, extended):
        self.pages, self.levels = pages, levels
        self.size = 64 if extended else 32
        self.shifts = (0, 6, 15, 24) if extended else (0, 7, 16, 24)
        self.root = pages.take()

    def entry(self, did, level=0):
        """The address of the DDTE at LEVEL (0: of the device context)."""
        at = self.root
        for i in range(self.levels - 1, -1, -1):
            index = (did & ((1 << self.shifts[i + 1]) - 1)) >> self.shifts[i]
            slot = at + index * (8 if i else self.size)
            if i == level:
                return slot
            value = int.from_bytes(self.pages.memory.get(slot, 8), "little")
            if not value & V:
                value = self.pages.take() >> 12 << 10 | V
                self.pages.memory.put64(slot, value)
            at = value >> 10 << 12
        raise ValueError("no such level")

    def put(self, did, words):
        self.pages.memory.put64(self.entry(did), *words[:self.size // 8])


def ddtp(levels, root):
    return root >> 12 << 10 | levels + 1
