# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices reach: the test module's word for it, and how our tools' lists are held against it. Shared by `verify` and
`verify-handover`."""

import re

from judge import load, say, text

# What Linux 7.2 makes leaves of, largest first; 64 KiB is Svnapot.
LEAVES = (0x40000000, 0x200000, 0x10000, 0x1000)


# -- what the test module mapped ----------------------------------------------------------------------

def leaf(iova, pa, size):
    """The leaf that Linux takes at the beginning of what is left to map."""
    return next(page for page in LEAVES if page <= size and not (iova | pa) & (page - 1))


def leaves(iova, pa, size):
    while size:
        page = leaf(iova, pa, size)
        yield page
        iova, pa, size = iova + page, pa + page, size - page


class Board:
    """The file `map` of the test module, or a copy that was made later."""

    def __init__(self, name="map"):
        lines = text(name).splitlines()
        self.device, self.device_id = re.match(r"device (\S+) id=(\S+)", lines[0]).groups()
        self.maps = []
        for line in lines[1:]:
            f = dict(w.split("=") for w in line.split()[1:] if "=" in w)
            self.maps.append((int(f["iova"], 16), int(f["pa"], 16), int(f["size"], 16), f["prot"]))

    def expect(self, iova, access):
        """The translation record's deciding keys, in a paging domain of Linux 7.2: the largest leaves that fit,
        64 KiB as Svnapot."""
        for base, pa, size, prot in self.maps:
            if base <= iova < base + size and access in prot:
                at = base
                for page in leaves(base, pa, size):
                    if iova < at + page:
                        break
                    at += page
                return {"result": "ok", "pa": hex(pa + iova - base), "page_size": hex(page), "permissions": prot,
                        "memory_type": "pma", "msi": "none"}
        return {"result": "fault", "cause": {"r": 13, "w": 15, "x": 12}[access], "iotval": hex(iova),
                "iotval2": "0x0", "reported": True}

    def ranges(self, first=0, last=(1 << 64) - 1):
        """What `mappings` has to list; of the system physical addresses FIRST..LAST only, for `whomaps`."""
        joined = []
        for iova, pa, size, prot in sorted(self.maps):
            sizes = list(leaves(iova, pa, size))
            begin, end = max(pa, first), min(pa + size, last + 1)
            if begin >= end:
                continue
            iova, pa, size = iova + begin - pa, begin, end - begin
            before = joined[-1] if joined else None
            if before and before[0] + before[2] == iova and before[1] + before[2] == pa and before[3] == prot:
                before[2] += size
                before[4] += sizes
            else:
                joined.append([iova, pa, size, prot, sizes])
        return [{"kind": "leaves", "iova": hex(iova), "gpa": None, "pa": hex(pa), "size": hex(size), "permissions": prot,
                 "memory_type": "pma", "leaf_sizes": [hex(page) for page in sorted(set(sizes))], "leaves": len(sizes),
                 "blocked_by": [], "global": False} for iova, pa, size, prot, sizes in joined]

    @staticmethod
    def requests():
        for line in text("requests").splitlines():
            if line and not line.startswith("#"):
                words = line.split()
                keys = dict(w.split("=") for w in words[2:])
                yield int(words[1], 16), keys.get("access", "r")


# -- our tools' lists -----------------------------------------------------------------------------------

def compare(good, got, want, what):
    """Two lists of records, one of them from our tools: the first that differ."""
    wrong = [f"{len(got)} records, not {len(want)}"] if len(got) != len(want) else []
    wrong += [f"{g}\n  is not {w}" for g, w in zip(got, want) if any(g.get(k) != v for k, v in w.items())]
    say(good and not wrong, what, "\n".join(wrong))


def check_mappings(way, board):
    """Every range that was mapped, and no other."""
    got = load(f"{way}.mappings.out").get("mappings", [])
    want = [dict(r, device_id=board.device_id, process_id=None) for r in board.ranges()]
    compare(bool(want), got, want, f"{way}: mappings are the {len(want)} ranges that the module mapped")


def check_whomaps(way, board, name, first, last=None):
    """Device and IOVA of each mapping that leads there; all devices but that of BOARD (None: all) reach everything: Linux on RISC-V has no
    other domain for them than identity."""
    last = first if last is None else last
    records = load(f"{way}.whomaps-{name}.out").get("mappings", [])
    want = [dict(r, device_id=board.device_id) for r in board.ranges(first, last)] if board else []
    for r in want:
        del r["leaf_sizes"], r["leaves"]
    compare(True, [d for d in records if d["kind"] != "identity"], want,
            f"{way}: whomaps {first:#x} finds the {len(want)} ranges that lead there")
    devices = {d["device_id"] for d in load("identity.devices.out").get("devices", [])} - {board.device_id if board else None}
    got = [d for d in records if d["kind"] == "identity"]
    say(devices and sorted(d["device_id"] for d in got) == sorted(devices) and
        all(d["iova"] == d["pa"] == hex(first) and d["size"] == hex(last - first + 1) for d in got),
        f"{way}: whomaps {first:#x}: {len(devices)} devices reach everything", f"{devices}\n{got}")


def check_diff(way, before, after):
    """What `diff` says of mappings: the ranges that went and those that came, each of them whole, and no context."""
    tree = load(f"{way}.diff.out")
    old, new = before.ranges(), after.ranges()
    want = [("removed", r) for r in old if r not in new] + [("added", r) for r in new if r not in old]
    want.sort(key=lambda change: int(change[1]["iova"], 16))
    got = [(d["change"], d["old"] or d["new"]) for d in tree.get("mappings", [])]
    say("mappings" in tree and [word for word, _ in got] == [word for word, _ in want] and
        all(g[k] == r[k] for (_, g), (_, r) in zip(got, want) for k in ("kind", "iova", "pa", "size", "permissions")),
        f"{way}: diff shows the {len(want)} ranges that changed", f"{got}\n{want}\n{tree.get('errors')}")
    say(tree.get("contexts") == [], f"{way}: diff shows no other context", tree.get("contexts"))


def check_findings(way, bad, board, more=False):
    """The ids of what is bad, each of them about the device of BOARD (MORE: others, too); of what is only worth knowing, what Linux does:
    identity domains for all but BOARD's device, whose mappings are executable."""
    found = load(f"{way}.check.out")
    ids, mine, info = set(), set(), set()
    for f in found.get("findings", []):
        (info if f["severity"] == "info" else ids).add(f["id"])
        if f["severity"] != "info" and f["device_id"] == board.device_id:
            mine.add(f["id"])
    say(bad <= mine and (more or ids == bad), f"{way}: check finds {', '.join(sorted(bad)) or 'nothing bad'}", found)
    say(info == {"identity", "pte-writable-executable"} and found.get("not_judged") == [],
        f"{way}: check judges all, and tells what is worth knowing", (info, found.get("not_judged")))


def check_commands(way, name, seen):
    """The ring's history is what QEMU was given, command for command: SEEN, up to cqt. The ring has not been around."""
    got = [tuple(int(v["raw"], 16) for v in d["values"]) for d in load(f"{way}.commands.out").get("commands", [])]
    tail = int((re.findall(r"^0x24 4 (0x\S+)", text(name), re.M) or ["0"])[0], 16)
    kinds = {low & 0x7f for low, _ in got}
    say(tail and got == seen[:tail], f"{way}: commands are the {tail} that QEMU was given", f"{len(got)} {got[:3]} {seen[:3]}")
    say({1, 2, 3} <= kinds, f"{way}: IOTINVAL, IOFENCE and IODIR among them", kinds)
