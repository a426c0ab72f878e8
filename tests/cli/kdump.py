# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes compressed dumps as makedumpfile and QEMU do (header version 6, 64-bit, little-endian), and flattens any file."""
import struct
import zlib

PAGE = 4096
ZLIB = 1  # of a page's flags


def dump(pages, excluded=(), machine="riscv64", compress=True):
    """
    The bytes of a dump of PAGES: {address: bytes of a page}. EXCLUDED are addresses of pages that were RAM and are left out.
    """
    last = max([*pages, *excluded]) // PAGE + 1
    blocks = -(-last // (8 * PAGE))  # of each of the two bitmaps: what was RAM, what is in the file
    maps = [bytearray(blocks * PAGE), bytearray(blocks * PAGE)]
    for address in (*pages, *excluded):
        maps[0][address // PAGE // 8] |= 1 << address // PAGE % 8
    for address in pages:
        maps[1][address // PAGE // 8] |= 1 << address // PAGE % 8

    uts = b"".join(word.encode().ljust(65, b"\0") for word in ("Linux", "", "", "", machine, ""))
    header = b"KDUMP   " + struct.pack("<i", 6) + uts + bytes(6)
    header += struct.pack("<QQIiiIIIIIii", 0, 0, ZLIB if compress else 0, PAGE, 1, 2 * blocks, last, 0, len(pages), 0, 0, 1)
    sub_header = struct.pack("<QiiQQQQQQQQQQQ", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last)

    descriptors_at = (2 + 2 * blocks) * PAGE
    at = descriptors_at + 24 * len(pages)
    descriptors, data = b"", b""
    for _, page in sorted(pages.items()):
        packed = zlib.compress(bytes(page)) if compress else bytes(page)
        smaller = compress and len(packed) < PAGE
        if not smaller:
            packed = bytes(page)
        descriptors += struct.pack("<QIIQ", at, len(packed), ZLIB if smaller else 0, 0)
        data += packed
        at += len(packed)
    return header.ljust(PAGE, b"\0") + sub_header.ljust(PAGE, b"\0") + bytes(maps[0] + maps[1]) + descriptors + data


def flattened(content, piece=3000):
    """The same in pieces that each say where they belong, as `makedumpfile -F` writes it to a pipe; the last piece first."""
    out = (b"makedumpfile".ljust(16, b"\0") + struct.pack(">qq", 1, 1)).ljust(PAGE, b"\0")
    for at in reversed(range(0, len(content), piece)):
        part = content[at:at + piece]
        out += struct.pack(">qq", at, len(part)) + part
    return out + struct.pack(">qq", -1, -1)
