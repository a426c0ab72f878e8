# SPDX-License-Identifier: GPL-2.0-or-later
"""Parser of .vec files (README.md says what is in them) and the archive that keeps them."""
import lzma
import os
import tarfile

import capture

ARCHIVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases.tar.xz")
# Where the specification leaves room: the answer of the unmodified model and the corrected one are both right.
EITHER = {"iotval2-exact", "t2gpa-resp", "implicit-d", "implicit-d-wr", "ats-stale-d"}


class Malformed(Exception):
    pass


class Outcome(dict):
    """ok or fault: `kind`, the key=value tokens as text, and `writes`: a set of (address, size, value)."""

    def __init__(self, tokens):
        super().__init__()
        self.kind = tokens[0]
        self.writes = set()
        if self.kind not in ("ok", "fault"):
            raise Malformed(f"outcome {self.kind!r}")
        for token in tokens[1:]:
            key, _, value = token.partition("=")
            if key == "wr":
                place, _, new = value.partition(":")
                address, _, size = place.partition("/")
                self.writes.add((int(address, 16), int(size), int(new, 16)))
            else:
                self[key] = value

    def hex(self, key):
        return int(self[key], 16)

    @property
    def nread(self):
        return int(self["nread"])

    @property
    def last(self):
        return self.hex("last") if "last" in self else None


class Request:
    def __init__(self, tokens, outcome, text):
        f = dict(t.split("=", 1) for t in tokens)
        self.text = text
        self.did = int(f["did"], 16)
        self.pid = None if f["pid"] == "-" else int(f["pid"], 16)
        self.priv, self.access, self.type = f["priv"], f["type"], f["at"]
        self.iova = int(f["iova"], 16)
        self.main, self.alt, self.quirks = outcome, None, ()

    def accepted(self):
        """The outcomes that are right, the expected one first: [(outcome, name)]."""
        if self.alt is None:
            return [(self.main, "main")]
        allowed = [(self.alt, "alt")]
        if set(self.quirks) <= EITHER:
            allowed.append((self.main, "main"))
        return allowed

    def batch_line(self):
        pid = "" if self.pid is None else f" pid={self.pid:#x}"
        return f"{self.did:#x} {self.iova:#x}{pid} priv={self.priv} access={self.access} type={self.type}"


class Vec:
    def __init__(self, name, text):
        self.name = name
        self.registers, self.params = {}, {}
        self.memory = capture.Memory()
        self.poison, self.requests = set(), []
        lines = text.splitlines()
        if not lines or lines[0] != "riscv-iommu-vector 1":
            raise Malformed(f"{name}: not a vector file")
        for number, line in enumerate(lines[1:], 2):
            if not line or line.startswith("#"):
                continue
            try:
                self._line(line)
            except (ValueError, KeyError, IndexError, Malformed) as err:
                raise Malformed(f"{name}:{number}: {err}") from err

    def _line(self, line):
        left, _, right = line.partition(" => ")
        tokens = left.split(" ")
        kind = tokens[0]
        if kind == "mem":
            self.memory.put64(int(tokens[1], 16), int(tokens[2], 16))
        elif kind == "page":
            self.memory.page(int(tokens[1], 16))
        elif kind == "poison":
            self.memory.page(int(tokens[1], 16))
            self.poison.add(int(tokens[1], 16))
        elif kind == "reg":
            self.registers[tokens[1]] = int(tokens[2], 16)
        elif kind == "param":
            self.params[tokens[1]] = int(tokens[2])
        elif kind == "req":
            self.requests.append(Request(tokens[1:], Outcome(right.split(" ")), left))
        elif kind == "alt":
            last = self.requests[-1]
            last.alt = Outcome(right.split(" "))
            last.quirks = tuple(tokens[1].split("=", 1)[1].split(","))
        elif kind != "pas":  # always equals capabilities.PAS
            raise Malformed(f"unknown line {kind!r}")

    @property
    def options(self):
        out = ["-O", "absent=fault"]
        for key in ("gxl_writable", "be_writable"):
            if key in self.params:
                out += ["-O", f"{key}={self.params[key]}"]
        return out


def load(source=ARCHIVE):
    """Yields (name, text) of each .vec file of a directory, a file, or the archive, by name."""
    if os.path.isdir(source):
        for name in sorted(n for n in os.listdir(source) if n.endswith(".vec")):
            with open(os.path.join(source, name), encoding="utf-8") as f:
                yield name, f.read()
    elif source.endswith(".vec"):
        with open(source, encoding="utf-8") as f:
            yield os.path.basename(source), f.read()
    else:
        with tarfile.open(source, "r:xz") as tar:
            for member in sorted(tar, key=lambda m: m.name):
                if member.isfile() and member.name.endswith(".vec"):
                    yield os.path.basename(member.name), tar.extractfile(member).read().decode()


def pack(directory, archive):
    """Packs the .vec files of DIRECTORY; the same files always give the same bytes."""
    with lzma.open(archive, "wb", preset=9 | lzma.PRESET_EXTREME) as out, \
            tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(n for n in os.listdir(directory) if n.endswith(".vec")):
            info = tarfile.TarInfo("cases/" + name)
            info.size, info.mode = os.path.getsize(os.path.join(directory, name)), 0o644
            with open(os.path.join(directory, name), "rb") as f:
                tar.addfile(info, f)


def unpack(directory, source=ARCHIVE):
    os.makedirs(directory, exist_ok=True)
    for name, text in load(source):
        with open(os.path.join(directory, name), "w", encoding="utf-8", newline="\n") as f:
            f.write(text)


if __name__ == "__main__":
    import sys
    if len(sys.argv) == 4 and sys.argv[1] == "pack":
        pack(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 3 and sys.argv[1] == "unpack":
        unpack(sys.argv[2])
    else:
        sys.exit("usage: vec.py pack DIRECTORY ARCHIVE | unpack DIRECTORY")
