# SPDX-License-Identifier: GPL-2.0-or-later
"""
Input that somebody broke, by accident or on purpose. Whatever it is: no crash, no hang, a status of the table, a message
unless the status is 0 or 7, and with -J nothing but valid JSON. HOSTILE_SEED and HOSTILE_CASES change what is tried,
HOSTILE_KEEP names a directory for the files of cases that fail.
"""
import concurrent.futures
import os
import random
import struct
import subprocess

import capture
import common
import fdt

SEED = int(os.environ.get("HOSTILE_SEED", "20260222"))
CASES = int(os.environ.get("HOSTILE_CASES", "1500"))
COMMANDS = (["list"], ["regs"], ["devices"], ["devices", "8"], ["processes", "9"], ["faults", "--walk"],
            ["translate", "8", "0x1000", "0x777000"], ["translate", "9", "0x1000", "--process", "5"], ["faults"],
            ["commands"], ["requests"], ["counters"], ["mappings", "8"], ["mappings", "9"], ["whomaps", "0-0xffffffffffffff"],
            ["msi", "8"])


class Hostile(common.Case):
    def check(self, done, what=""):
        """A run's result, judged; the seed is in WHAT so that the case can be made again."""
        self.sane(done)
        if "-J" in done.args and done.out and "--batch" not in done.args:
            self.one_object(done)
        return what

    def all_of(self, cases):
        """Runs (name, content, args) on a file each, a few at a time; judges in order."""
        def one(numbered):
            number, (name, content, args) = numbered
            path = self.path(f"{number}.bin")
            with open(path, "wb") as f:
                f.write(content)
            done = common.call(*[path if a == "FILE" else a for a in args])
            os.unlink(path)
            return name, content, done
        bad = []
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for name, content, done in pool.map(one, enumerate(cases)):
                try:
                    self.check(done)
                except AssertionError as err:
                    bad.append(f"case {name}: {str(err).splitlines()[0]}\n{done}")
                    self.keep(name, content)
        self.assertEqual(bad[:3], [], f"{len(bad)} cases with HOSTILE_SEED={SEED}")

    def keep(self, name, content):
        directory = os.environ.get("HOSTILE_KEEP")
        if directory:
            with open(os.path.join(directory, f"{self.id()}-{name}".replace("/", "_")), "wb") as f:
                f.write(content)

    def commands_on(self, content, name, commands=COMMANDS, json=True):
        flag = ["-J"] if json else []
        return [(f"{name} {c[0]}", content, [*flag, "-i", "FILE", *c]) for c in commands]


class Captures(Hostile):
    def content(self):
        with open(self.machine(), "rb") as f:
            return f.read()

    def test_truncated_at_every_sixty_fourth(self):
        cases = []
        for content in (self.content(), open(common.SAMPLE, "rb").read()):
            for i in range(64):
                cases += self.commands_on(content[:len(content) * i // 64], f"cut {i}/64", COMMANDS[i % 9::9])
        self.all_of(cases)

    def test_truncated_at_every_byte_of_the_headers(self):
        content = self.content()
        end = 64 + 56 * 3
        self.all_of([(f"cut at {i}", content[:i], ["-J", "-i", "FILE", "list"]) for i in range(0, end)])

    def test_truncated_file_is_never_taken_for_whole(self):
        content = self.content()
        for i in (1, 20, 40, 63):
            done = common.call("-i", self.write("cut", content[:len(content) * i // 64]), "list")
            self.assertEqual(done.status, 5, str(done))

    def test_flipped_bits_in_headers_and_notes(self):
        content = self.content()
        headers = struct.unpack_from("<H", content, 56)[0]
        offset, size = struct.unpack_from("<Q", content, 64 + 8)[0], struct.unpack_from("<Q", content, 64 + 32)[0]
        areas = list(range(0, 64 + 56 * headers)) + list(range(offset, offset + size))
        rng = random.Random(SEED)
        cases = []
        for i in range(CASES):
            broken = bytearray(content)
            for _ in range(rng.choice((1, 1, 1, 2, 8))):
                broken[rng.choice(areas)] ^= 1 << rng.randrange(8)
            cases += self.commands_on(bytes(broken), f"flip {i}", [COMMANDS[i % len(COMMANDS)]], json=i % 3 != 0)
        self.all_of(cases)

    def test_flipped_bits_in_tables(self):
        rng = random.Random(SEED + 1)
        cases = []
        for i in range(CASES // 2):
            m = common.Machine()
            for _ in range(rng.choice((1, 2, 8, 64))):
                page = m.memory.pages[rng.choice(sorted(m.memory.pages))]
                at = rng.randrange(0x40) if rng.random() < 0.3 else rng.choice((64 * 8, 64 * 9)) + rng.randrange(64)
                page[at] ^= 1 << rng.randrange(8)
            content = capture.core(capture.registers_note(m.registers), m.memory.segments())
            cases += self.commands_on(content, f"table {i}", [COMMANDS[i % len(COMMANDS)]])
        self.all_of(cases)

    def test_random_registers(self):
        rng = random.Random(SEED + 2)
        cases = []
        for i in range(CASES // 2):
            m = common.Machine()
            for name in rng.sample(sorted(m.registers), rng.randrange(1, 6)):
                width = capture.REGISTERS[name][1]
                m.registers[name] = rng.getrandbits(8 * width) if rng.random() < 0.5 else \
                    m.registers[name] ^ 1 << rng.randrange(8 * width)
            content = capture.core(capture.registers_note(m.registers), m.memory.segments())
            cases += self.commands_on(content, f"registers {i}", [COMMANDS[i % len(COMMANDS)]])
        self.all_of(cases)

    def test_every_encoding_of_every_mode(self):
        cases = []
        for mode in range(16):
            for tc in (1, 1 | 1 << 5, 1 | 1 << 11, 1 | 1 << 5 | 1 << 11):
                for word in ("iohgatp", "fsc", "msiptp", "pc"):
                    m = common.Machine()
                    dc = {"iohgatp": 0, "fsc": 1 << 60 | m.PDT >> 12, "msiptp": 0}
                    if word == "pc":
                        m.memory.put64(m.PDT + 16 * 5 + 8, mode << 60 | m.ROOT >> 12)
                    else:
                        dc[word] = mode << 60 | m.ROOT >> 12
                    m.memory.put64(m.DDT + 64 * 9, tc, dc["iohgatp"], 0, dc["fsc"], dc["msiptp"])
                    m.registers["fctl"] |= mode & 4  # GXL now and then
                    content = capture.core(capture.registers_note(m.registers), m.memory.segments())
                    command = (["processes", "9"], ["devices", "9"], ["translate", "9", "0x1000", "--process", "5"],
                               ["--save", self.path("copy"), "list"])
                    cases += self.commands_on(content, f"mode {mode} tc {tc:#x} {word}", command)
        self.all_of(cases)

    def test_random_bytes(self):
        rng = random.Random(SEED + 3)
        cases = []
        for i in range(CASES // 10):
            body = rng.randbytes(rng.randrange(0, 3000))
            head = (b"", b"\x7fELF", b"\x7fELF\2\1\1\0", self.content()[:64])[i % 4]
            cases.append((f"bytes {i}", head + body, ["-J", "-i", "FILE", "list"]))
        self.all_of(cases)


class Lies(Hostile):
    def built(self, notes=None, segments=None, **patch):
        m = common.Machine()
        content = bytearray(capture.core(capture.registers_note(m.registers) if notes is None else notes,
                                         m.memory.segments() if segments is None else segments))
        for place, (fmt, value) in patch.items():
            struct.pack_into("<" + fmt, content, int(place[1:], 16), value)
        return bytes(content)

    def expect(self, content, *statuses, say=None):
        done = common.call("-J", "-i", self.write("lie", content), "list")
        self.check(done)
        self.assertIn(done.status, statuses, str(done))
        if say:
            self.assertIn(say, done.err)

    def test_header_fields(self):
        self.expect(self.built(), 0)
        for place, fmt, value in (("_4", "B", 1), ("_5", "B", 2), ("_6", "B", 9), ("_10", "H", 2), ("_12", "H", 62),
                                  ("_14", "I", 7), ("_20", "Q", 1 << 63), ("_20", "Q", 2 ** 64 - 56), ("_20", "Q", 1 << 40),
                                  ("_36", "H", 0), ("_36", "H", 1), ("_36", "H", 57), ("_36", "H", 65535),
                                  ("_38", "H", 0), ("_38", "H", 60000), ("_38", "H", 65535)):
            with self.subTest(place=place, value=value):
                self.expect(self.built(**{place: (fmt, value)}), 5)

    def test_extended_count_that_lies(self):
        m = common.Machine()
        good = self.built()
        end = len(good)
        section = lambda count: struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, count, 0, 0)  # noqa: E731
        for count in (0, 1, 3, 65534, 65535, 1 << 20, 1 << 24, 0x7fffffff, 0xffffffff):
            with self.subTest(count=count):
                content = bytearray(good + section(count))
                struct.pack_into("<Q", content, 0x28, end)
                struct.pack_into("<HHHH", content, 0x36, 56, 65535, 64, 1)
                self.expect(bytes(content), 5 if count != 3 else 0)  # there are three: no lie, if not how others write it
        self.assertTrue(m.registers)

    def test_segments_that_lie(self):
        at = 64 + 56  # the first PT_LOAD
        for place, value in ((8, 1 << 40), (8, 2 ** 64 - 1), (8, 2 ** 63), (32, 1 << 40), (32, 2 ** 64 - 1), (40, 1),
                             (24, 2 ** 64 - 4096 + 1)):
            with self.subTest(place=place, value=value):
                self.expect(self.built(**{f"_{at + place:x}": ("Q", value)}), 5)

    def test_memory_size_far_above_file_size_is_zero_memory_not_time(self):
        m = common.Machine()
        segments = m.memory.segments() + [(0x100000000, b"", 1 << 55)]
        done = self.ran("-i", self.write("zero", self.built(segments=segments)), "-J", "translate", "8", "0x1000")
        self.assertEqual(self.one_object(done)["translations"][0]["pa"], "0x90000000")

    def test_overlapping_segments_are_refused(self):
        m = common.Machine()
        pages = m.memory.segments()
        for extra in ((pages[0][0], b"\1" * 4096), (pages[0][0] + 8, b"\1" * 4096), (pages[1][0] - 8, bytes(16)),
                      (0, b"", 1 << 63)):
            with self.subTest(extra=extra[0]):
                self.expect(self.built(segments=pages + [extra]), 5, say=b"overlap")

    def test_many_overlapping_segments_take_no_time(self):
        content = bytearray(self.built(notes=b"", segments=[(0x1000 * i, b"", 1 << 40) for i in range(60000)]))
        self.expect(bytes(content), 3, 5)

    def test_segments_in_any_order_and_alignment(self):
        m = common.Machine()
        split = []
        for address, content in m.memory.segments():
            split += [(address + 100, content[100:]), (address, content[:100])]
        random.Random(SEED).shuffle(split)
        done = self.ran("-i", self.write("split", self.built(segments=split)), "-J", "translate", "8", "0x1000")
        self.assertEqual(self.one_object(done)["translations"][0]["pa"], "0x90000000")

    def test_register_notes_that_lie(self):
        good = common.Machine().registers
        r = [capture.REGISTERS[k] + (v,) for k, v in good.items()]
        for name, notes in {
                "more than there are": capture.registers_note(good, count=1000),
                "fewer": capture.registers_note(good, count=1), "huge": capture.registers_note(good, count=0xffffffff),
                "overflowing": capture.registers_note(good, count=0x10000000),
                "version 2": capture.registers_note(good, version=2), "version 0": capture.registers_note(good, version=0),
                "twice the same offset": capture.registers_note(r + [r[0]]),
                "half of another": capture.registers_note(r + [(4, 4, 0)]),
                "misaligned": capture.registers_note(r[1:] + [(2, 4, 0)]),
                "misaligned 8": capture.registers_note(r + [(0x264, 8, 0)]),
                "width 0": capture.registers_note(r + [(0x58, 0, 0)]), "width 5": capture.registers_note(r + [(0x58, 5, 0)]),
                "outside": capture.registers_note(r + [(0x1000, 4, 0)]),
                "far outside": capture.registers_note(r + [(0xfffffffc, 8, 0)]),
                "too large a value": capture.registers_note(r + [(0x58, 4, 1 << 32)]),
                "wrong width": capture.registers_note(r + [(0x5c, 8, 0)]),
                "misaligned base": capture.registers_note(good, base=common.BASE + 4),
                "the same IOMMU twice": capture.registers_note(good) * 2,
                "too short": capture.note(1, b"\1\0\0\0"), "empty": capture.note(1, b""),
                "cut": capture.registers_note(good)[:-6], "name cut": struct.pack("<III", 12, 4, 1) + b"RISC",
                "huge name": struct.pack("<III", 0xffffffff, 0, 1), "huge contents": struct.pack("<III", 12, 0xffffffff, 1)
                + capture.NOTE_NAME, "wrapping": struct.pack("<III", 0xfffffffd, 0xfffffffd, 1) + bytes(64),
        }.items():
            with self.subTest(name):
                self.expect(self.built(notes=notes), 5)

    def test_machine_notes_that_lie(self):
        good = capture.registers_note(common.Machine().registers)
        big = b'{"devices":[' + b'{"device_id":"0x8","name":"x"},' * 20000 + b'{}]}'
        for name, text in {
                "not JSON": b"hello", "empty": b"", "cut": b'{"devices":[{"device_id":"0x8"', "a list": b"[]",
                "null": b"null", "numbers": b'{"devices":5,"model":7,"time":[],"memory_map":{}}', "bytes": b"\xff\0\xfe{}",
                "deep": b"[" * 100000, "deep objects": b'{"a":' * 50000, "many devices": big,
                "odd devices": b'{"devices":[1,null,[],{},{"device_id":{}},{"device_id":"0xfffffffff"},'
                               b'{"device_id":-1,"iommu":"zz"},{"device_id":1e99}]}',
                "long name": b'{"devices":[{"device_id":"0x8","name":"' + b"n" * 100000 + b'"}]}',
                "odd regions": b'{"memory_map":[{"start":"0x5","end":"0x1","name":"x"},{"start":"0xfffffffffffffffff"}]}',
        }.items():
            with self.subTest(name):
                content = self.built(notes=good + capture.note(2, text))
                for command in COMMANDS[:3]:
                    done = common.call("-J", "-i", self.write("lie", content), *command)
                    self.check(done)
                    self.assertIn(done.status, (0, 5), str(done))

    def test_not_captures(self):
        for name, content in {"kdump": b"KDUMP   " + bytes(4096), "diskdump": b"DISKDUMP" + bytes(4096),
                              "flattened": b"makedumpfile\0\0\0\0" + bytes(4096), "zeros": bytes(100000),
                              "32 bit": b"\x7fELF\1\1\1\0" + bytes(200)}.items():
            with self.subTest(name):
                self.expect(content, 1, 5)

    def test_things_that_are_no_files(self):
        for path in ("/dev/null", "/dev/zero", "/dev/stdin", self.dir):
            with self.subTest(path):
                done = common.call("-i", path, "list")
                self.check(done)
                self.assertIn(done.status, (1, 2, 5), str(done))
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        self.check(common.call("-i", fifo, "list"))


class Cycles(Hostile):
    def system(self, ddtp_mode, edit, caps=common.CAPABILITIES | 7 << 9 | 7 << 38 | 0xe << 16):
        m = common.Machine()
        m.registers.update(capabilities=caps, ddtp=common.UPPER(m.DDT) | ddtp_mode)
        edit(m)
        capture.write(self.path("cycle.core"), m.memory, m.registers)
        return ["-i", self.path("cycle.core")]

    def try_all(self, args):
        for command in (["list"], ["devices"], ["devices", "8"], ["processes", "9"], ["faults", "--walk"],
                        ["translate", "8", "0x1000"], ["translate", "9", "0x1000", "--process", "5"],
                        ["-O", "max-pages=20000", "mappings", "8"], ["-O", "max-pages=20000", "mappings", "9"],
                        ["-O", "max-pages=20000", "whomaps", "0x90000000"], ["msi", "8"],
                        ["--save", self.path("copy.core"), "list"],
                        ["-O", "guest-tables=1", "--save", self.path("copy2.core"), "list"]):
            with self.subTest(command=command):
                self.check(common.call(*args, *command))

    def test_directory_that_points_at_itself(self):
        def edit(m):
            m.memory.put64(m.DDT, *[common.pte(m.DDT, 1)] * 512)
        for mode in (3, 4):
            with self.subTest(mode=mode):
                self.try_all(self.system(mode, edit))

    def test_process_directory_that_points_at_itself(self):
        def edit(m):
            m.memory.put64(m.DDT + 64 * 9, 1 | 1 << 5, 0, 0, 3 << 60 | m.PDT >> 12)
            m.memory.put64(m.PDT, *[common.pte(m.PDT, 1)] * 512)
        self.try_all(self.system(2, edit))

    def test_first_stage_that_points_at_itself(self):
        def edit(m):
            for mode in (8, 9, 10):
                m.memory.put64(m.DDT + 64 * (8 if mode == 10 else mode + 10), 1, 0, 0, mode << 60 | m.ROOT >> 12)
            m.memory.put64(m.ROOT, *[common.pte(m.ROOT, 1)] * 512)
        self.try_all(self.system(2, edit))

    def test_second_stage_that_points_at_itself(self):
        def edit(m):
            root = 0x80010000
            m.memory.put64(m.DDT + 64 * 8, 1, 10 << 60 | root >> 12, 0, 10 << 60 | m.ROOT >> 12)
            for page in range(4):
                m.memory.put64(root + page * 4096, *[common.pte(root, 1)] * 512)
        self.try_all(self.system(2, edit))

    def test_every_structure_is_the_same_page(self):
        def edit(m):
            m.memory.put64(m.DDT, *[common.pte(m.DDT, 0xd1)] * 512)
            m.memory.put64(m.DDT + 64 * 8, 1, 8 << 60 | m.DDT >> 12, 0, 8 << 60 | m.DDT >> 12)
        for mode in (2, 3, 4):
            with self.subTest(mode=mode):
                self.try_all(self.system(mode, edit))

    def test_queues_that_lie(self):
        for base, head, tail in ((0x1f, 0, 0xffffffff), (0x1f, 0xfffffffe, 0xffffffff), (6, 0xffff, 0xfffff),
                                 (31 | common.UPPER(0xffffffffff000), 5, 4), (7 | common.UPPER(0x80005000), 200, 100)):
            with self.subTest(base=base, head=head):
                def edit(m):
                    m.registers.update(fqb=base | common.UPPER(m.FQ), fqh=head, fqt=tail, cqb=base | common.UPPER(m.CQ), cqh=head, cqt=tail,
                                       pqb=base | common.UPPER(m.FQ), pqh=head, pqt=tail, pqcsr=0x10301)
                args = self.system(2, edit)
                for command in (["list"], ["faults"], ["faults", "--walk"], ["commands"], ["requests"],
                                ["--save", self.path("q"), "list"]):
                    self.check(common.call(*args, *command))

    def test_save_stops_at_its_bound_and_says_so(self):
        done = common.call("-i", self.machine(), "-O", "max-pages=2", "--save", self.path("small"), "list")
        self.sane(done)
        self.assertIn(b"max-pages", done.err)


class DeviceTrees(Hostile):
    def root(self, blob):
        self.write("root/fdt", blob)

    def test_broken_device_trees(self):
        options = self.fake_root()
        self.debugfs(common.Machine().registers)
        good = fdt.blob(fdt.machine((common.BASE, 0x20000000)))
        rng = random.Random(SEED + 4)
        for i in range(CASES // 3):
            broken = bytearray(good)
            kind = i % 4
            if kind == 0:
                broken = broken[:rng.randrange(len(broken))]
            elif kind == 1:
                struct.pack_into(">I", broken, 4 * rng.randrange(10), rng.choice((0, 1, 0xffffffff, 1 << 31, len(good))))
            else:
                for _ in range(rng.choice((1, 3, 20))):
                    broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
            self.root(bytes(broken))
            done = common.call("-J", *options, "list")
            try:
                self.check(done)
            except AssertionError as err:
                raise AssertionError(f"tree {i} (HOSTILE_SEED={SEED}): {err}") from None

    def test_odd_device_trees(self):
        options = self.fake_root()
        cells, text = fdt.cells, fdt.text
        def tree(props, *more):
            return fdt.Node("", {"#address-cells": cells(2), "#size-cells": cells(2)}, [fdt.Node("iommu@1", props), *more])
        riscv = {"compatible": text("riscv,iommu")}
        deep = fdt.Node("d", riscv)
        for i in range(2000):
            deep = fdt.Node(f"n{i}", {}, [deep])
        for name, root in {
                "no reg": tree(riscv), "short reg": tree({**riscv, "reg": cells(1)}),
                "empty reg": tree({**riscv, "reg": b""}), "odd reg": tree({**riscv, "reg": b"\0\0\0"}),
                "huge reg": tree({**riscv, "reg": fdt.addresses(2 ** 64 - 1, 2 ** 64 - 1)}),
                "compatible without an end": tree({"compatible": b"riscv,iommu", "reg": fdt.addresses(0x1000, 0x1000)}),
                "dangling phandle": tree({**riscv, "reg": fdt.addresses(0x1000, 0x1000)},
                                         fdt.Node("d@1", {"iommus": cells(99, 1)})),
                "own phandle": tree({**riscv, "reg": fdt.addresses(0x1000, 0x1000), "phandle": cells(1),
                                     "#iommu-cells": cells(0xffffffff), "iommus": cells(1, 1, 1)}),
                "no cells": tree({**riscv, "reg": fdt.addresses(0x1000, 0x1000), "phandle": cells(1)},
                                 fdt.Node("d@1", {"iommus": cells(1)})),
                "bad iommu-map": tree({**riscv, "reg": fdt.addresses(0x1000, 0x1000), "phandle": cells(1)},
                                      fdt.Node("p@1", {"iommu-map": cells(0, 1, 0xffffffff, 0xffffffff, 5)})),
                "deep": fdt.Node("", {}, [deep]),
                "many": fdt.Node("", {"#address-cells": cells(2), "#size-cells": cells(2)}, [
                    fdt.Node(f"iommu@{i:x}", {**riscv, "reg": fdt.addresses(i << 12, 4096)}) for i in range(1, 3000)]),
                "huge cells": fdt.Node("", {"#address-cells": cells(0x7fffffff), "#size-cells": cells(0x80000000)}, [
                    fdt.Node("iommu@1", {**riscv, "reg": fdt.addresses(0x1000, 0x1000)})]),
        }.items():
            with self.subTest(name):
                self.root(fdt.blob(root))
                self.check(common.call("-J", *options, "list"))

    def test_broken_files_of_the_module(self):
        options = self.fake_root()
        self.debugfs(common.Machine().registers)
        path = self.path("root/debugfs/riscv-iommu/riscv-iommu@3010000.iommu/registers")
        with open(path, "rb") as f:
            good = f.read()
        rng = random.Random(SEED + 5)
        for i in range(CASES // 6):
            broken = bytearray(good)
            if i % 3 == 0:
                broken = broken[:rng.randrange(len(broken))]
            else:
                for _ in range(rng.choice((1, 2, 20))):
                    broken[rng.randrange(len(broken))] = rng.choice(b"0123456789abcdefx \n\0\xff-# ")
            with open(path, "wb") as f:
                f.write(bytes(broken))
            done = common.call("-J", *options, ("list", "regs")[i % 2])
            try:
                self.check(done)
            except AssertionError as err:
                raise AssertionError(f"file {i} (HOSTILE_SEED={SEED}): {bytes(broken)!r}\n{err}") from None

    def test_broken_iomem(self):
        options = self.fake_root()
        self.debugfs(common.Machine().registers)
        rng = random.Random(SEED + 6)
        for text in (b"", b"\0" * 100, b"zz-zz : x\n", b"0-ffffffffffffffffffff : x\n", b"5-1 : y\n", b": \n",
                     b"80000000-87ffffff : " + b"n" * 100000 + b"\n", b"80000000-87ffffff\n" * 1000,
                     *(rng.randbytes(300) for _ in range(20))):
            self.write("root/proc/iomem", text)
            self.check(common.call("-J", *options, "list"))


class Words(Hostile):
    def test_random_batch_lines(self):
        rng = random.Random(SEED + 7)
        parts = [b"8", b"0x8", b"0x1000", b"pid=", b"priv=s", b"access=w", b"type=ats", b"=", b"#", b" ", b"\t", b"-1", b"0x",
                 b"99999999999999999999", b"\xff\xfe", b"\0", b"%s%n", b"0000:00:01.0", b"\r", b"\"", b"\\", b"\x1b[0m"]
        lines = []
        for _ in range(4000):
            lines.append(b" ".join(rng.choice(parts) for _ in range(rng.randrange(1, 8))))
        for chunk in range(0, len(lines), 500):
            done = common.call("-i", self.machine(), "-J", "translate", "--batch", "-", "--steps",
                               stdin=b"\n".join(lines[chunk:chunk + 500]))
            self.check(done)
            for line in done.out.splitlines():
                try:
                    record = __import__("json").loads(line.decode("utf-8"), object_pairs_hook=common.unique)
                except ValueError as err:
                    self.fail(f"{err}: {line!r}")
                self.assertIn(record["result"], ("ok", "fault", "unknown", "error"))

    def test_random_bytes_as_a_batch(self):
        rng = random.Random(SEED + 8)
        for _ in range(50):
            self.check(common.call("-i", self.machine(), "-J", "translate", "--batch", "-", stdin=rng.randbytes(2000)))

    def test_capture_that_shrinks_while_it_is_read(self):
        core = self.machine()
        common.wanted(common.TOOL, ["-J"])
        process = subprocess.Popen([common.TOOL, "-i", core, "-J", "translate", "--batch", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with process:
            process.stdin.write(b"rubbish\n")
            process.stdin.flush()
            self.assertIn(b"line 1", process.stderr.readline())  # so the file is open by now
            os.truncate(core, 0)
            _, err = process.communicate(b"8 0x1000\n")
        self.assertEqual(process.returncode, 5, err)
        self.assertIn(b"became shorter", err)

    def test_random_text_to_explain(self):
        rng = random.Random(SEED + 9)
        words = ["Fault", "13", "0x8", "devid:", "iotval:", "iotval2:", "777000", "riscv-iommu", "ddtp=", "capabilities",
                 "=", "0x", "ffffffffffffffff", "dc", "pte", ":", ",", "[   12.5]", "-", "\x1b[31m", "\u00e9", "%n", "'", "",
                 "0000:00:02.0", "258", "99999", "fault", "0x000108080000000d", "tc", "msi_pte", "cqcsr", "cause"]
        for i in range(CASES // 5):
            text = rng.choice((" ", "", ":", "=")).join(rng.choice(words) for _ in range(rng.randrange(0, 9)))
            self.check(common.call("-J", "explain", "--", text) if i % 2 else common.call("explain", "-", stdin=text.encode()))
        for _ in range(50):
            self.check(common.call("-J", "explain", "-", stdin=rng.randbytes(rng.randrange(3000))))
        self.check(common.call("-J", "explain", "-", stdin=b"x" * 3000000))
        self.check(common.call("-J", "explain", "-", stdin=b"Fault 13 devid: 0x8 iotval: 1\n" * 20000))

    def test_random_options(self):
        rng = random.Random(SEED + 10)
        words = ["-i", "-A", "-O", "-u", "--base", "--reg", "-J", "-v", "--save", "--", "-", "list", "regs", "devices", "8",
                 "translate", "0x1000", "--batch", "--process", "-1", "", "=", "x=y", "ddtp=1", ":ddtp=1", "a:b:ddtp=0x5",
                 "0x3010000", "--walk", "faults", "explain", "--type", "ats", "--priv", "fdt.path=/dev/null", "%s%n" * 20,
                 "A" * 5000, "\u00e9", "help", "--steps", "-Jv", "--json=1", "--nosuch"]
        root = self.fake_root()
        self.debugfs(common.Machine().registers)
        core = self.machine()
        os.makedirs(self.path("cwd"))
        old = os.getcwd()
        os.chdir(self.path("cwd"))  # "--save list" writes a file of that name
        try:
            for i in range(CASES // 3):
                args = [rng.choice(words) for _ in range(rng.randrange(1, 7))]
                self.check(common.call(*(root if i % 2 else ["-i", core]), *args))
        finally:
            os.chdir(old)
