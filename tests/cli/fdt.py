# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes flattened device trees (version 17) for fake machines."""
import struct

BEGIN, END_NODE, PROP, END = 1, 2, 3, 9


def cells(*values):
    return b"".join(struct.pack(">I", v) for v in values)


def addresses(*values):
    return b"".join(struct.pack(">Q", v) for v in values)


def text(*strings):
    return b"".join(s.encode() + b"\0" for s in strings)


class Node:
    def __init__(self, name, props=None, children=()):
        self.name, self.props, self.children = name, props or {}, list(children)


def blob(root, boot_cpu=0):
    """The bytes of a tree."""
    strings, offsets = bytearray(), {}
    out = bytearray()

    def pad():
        out.extend(b"\0" * (-len(out) % 4))

    def begin(n):
        out.extend(struct.pack(">I", BEGIN) + n.name.encode() + b"\0")
        pad()
        for key, value in n.props.items():
            if key not in offsets:
                offsets[key] = len(strings)
                strings.extend(key.encode() + b"\0")
            out.extend(struct.pack(">III", PROP, len(value), offsets[key]) + value)
            pad()

    todo = [root]  # a node to begin, or None to end one; trees of tests are deeper than Python recurses
    while todo:
        n = todo.pop()
        if n is None:
            out.extend(struct.pack(">I", END_NODE))
        else:
            begin(n)
            todo.append(None)
            todo.extend(reversed(n.children))
    out.extend(struct.pack(">I", END))
    reserve = bytes(16)
    at_struct = 40 + len(reserve)
    at_strings = at_struct + len(out)
    total = at_strings + len(strings)
    head = struct.pack(">10I", 0xd00dfeed, total, at_struct, at_strings, 40, 17, 16, boot_cpu, len(strings), len(out))
    return head + reserve + bytes(out) + bytes(strings)


def machine(bases=(0x3010000,), device=0x10, model="test,machine"):
    """A machine with platform IOMMUs at BASES and a device behind the first."""
    soc = [Node(f"iommu@{base:x}", {
        "compatible": text("test,riscv-iommu", "riscv,iommu"), "reg": addresses(base, 0x1000),
        "#iommu-cells": cells(1), "phandle": cells(i + 1)}) for i, base in enumerate(bases)]
    if bases:
        soc.append(Node("dma@4000000", {"compatible": text("test,dma"), "reg": addresses(0x4000000, 0x1000),
                                        "iommus": cells(1, device)}))
    return Node("", {"#address-cells": cells(2), "#size-cells": cells(2), "model": text(model),
                     "compatible": text("test")}, [
        Node("memory@80000000", {"device_type": text("memory"), "reg": addresses(0x80000000, 0x8000000)}),
        Node("soc", {"#address-cells": cells(2), "#size-cells": cells(2), "compatible": text("simple-bus"),
                     "ranges": b""}, soc)])
