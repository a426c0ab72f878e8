# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that hold memory and no registers: raw images, compressed and flattened dumps, vmcores; and what is none of these."""
import os
import struct
import unittest

import capture
import common
import kdump

NEEDED = ("capabilities", "fctl", "ddtp")


class Registers(common.Case):
    """One set of questions, asked of the same machine in a capture and in another format with its registers by hand."""

    def by_hand(self, names=None):
        registers = common.Machine().registers
        out = ["--base", f"{common.BASE:#x}"]
        for name in registers if names is None else names:
            out += ["--reg", f"{name}={registers[name]:#x}"]
        return out

    def answers(self, *args):
        out = []
        for command, key in (("devices", "devices"), ("processes", "processes"), ("faults", "faults"),
                             ("translate", "translations")):
            rest = {"processes": ["9"], "translate": ["8", "0x1000", "0x2000", "0x200000", "0x777000"]}.get(command, [])
            top = self.object(*args, command, *rest, status=common.call("-J", *args, command, *rest).status)
            out.append((top[key], top["complete"]))
        return out

    def same_as_a_capture(self, *args):
        self.assertEqual(self.answers(*args, *self.by_hand()), self.answers("-i", self.machine()))


class Raw(Registers):
    START = common.Machine.DDT

    def image(self, before=0, after=0):
        """All of the machine's pages in one piece, of which BEFORE pages lie below and AFTER above the tables."""
        pages = common.Machine().memory.pages
        out = bytearray(b"\xee" * (before * capture.PAGE))
        for address in range(min(pages), max(pages) + capture.PAGE, capture.PAGE):
            out += pages.get(address, bytes(capture.PAGE))
        return self.write("ram", bytes(out) + b"\xee" * (after * capture.PAGE))

    def test_image_gives_what_a_capture_gives(self):
        self.same_as_a_capture("-i", self.image(), "-O", f"base={self.START:#x}")
        self.same_as_a_capture("-i", self.image(before=3, after=2), "-O", f"base={self.START - 3 * capture.PAGE:#x}")
        self.same_as_a_capture("-i", self.image(), "-A", "raw", "-O", f"base={self.START}")

    def test_image_is_named_as_the_memory(self):
        top = self.object("-i", self.image(), "-O", f"base={self.START:#x}", *self.by_hand(), "list")
        self.assertEqual(top["source"]["memory"], "raw")

    def test_without_base_the_parameter_is_named(self):
        done = self.ran("-i", self.write("ram", b"\x13\0\0\0" * 4096), *self.by_hand(), "list", status=5)
        self.assertIn(b"-O base=", done.err)
        done = self.ran("-i", self.image(), "-A", "raw", *self.by_hand(), "list", status=2)
        self.assertIn(b"-O base=", done.err)

    def test_base_is_an_address(self):
        for bad in ("", "x", "0x", "-1", "0x1ffffffffffffffff"):
            self.ran("-i", self.image(), "-O", f"base={bad}", *self.by_hand(), "list", status=2)

    def test_image_past_the_last_address_is_refused(self):
        size = os.path.getsize(self.image())
        done = self.ran("-i", self.image(), "-O", f"base={2 ** 64 - size + 1:#x}", *self.by_hand(), "regs", status=2)
        self.assertIn(b"past the end of addresses", done.err)
        self.ran("-i", self.image(), "-O", f"base={2 ** 64 - size:#x}", *self.by_hand(), "regs")

    def test_memory_ends_where_the_image_does(self):
        with open(self.image(), "rb") as f:
            content = f.read()
        for length in (1, capture.PAGE, 3 * capture.PAGE + 7, len(content) - 1):
            short = self.write("short", content[:length])
            args = ["-i", short, "-O", f"base={self.START:#x}", *self.by_hand(), "-J", "translate", "8", "0x1000"]
            record = self.one_object(common.call(*args))["translations"][0]
            # its context, then three tables, the last in page 3
            self.assertEqual(record["result"], "ok" if length > 3 * capture.PAGE + 16 else "unknown", length)
            if record["result"] == "unknown":
                self.assertEqual(int(record["missing"], 16) - self.START >= length - 64, True)

    def test_explicit_base_wins_over_what_the_first_bytes_look_like(self):
        self.ran("-i", self.write("ram", b"\x7fELF" + bytes(capture.PAGE)), "-O", f"base={self.START:#x}",
                 *self.by_hand(), "regs")

    def test_empty_and_strange_files(self):
        for path, status in ((self.write("empty", b""), 5), (self.dir, 1), ("/dev/null", 2), (self.path("none"), 1)):
            self.ran("-i", path, "-O", "base=0", *self.by_hand(), "regs", status=status)


class Compressed(Registers):
    def setUp(self):
        super().setUp()
        if b"not in this build" in common.call("-A", "help").out:
            self.skipTest("built without libkdumpfile")
        self.pages = common.Machine().memory.pages

    def test_dump_gives_what_a_capture_gives(self):
        for compress in (True, False):
            with self.subTest(compress=compress):
                self.same_as_a_capture("-i", self.write("dump", kdump.dump(self.pages, compress=compress)))

    def test_dump_of_qemu_names_no_machine(self):
        self.same_as_a_capture("-i", self.write("dump", kdump.dump(self.pages, machine="Unknown")))

    def test_flattened_dump_gives_the_same_or_says_what_to_do(self):
        path = self.write("flat", kdump.flattened(kdump.dump(self.pages)))
        done = common.call("-i", path, *self.by_hand(), "devices")
        if done.status == 1 and b"makedumpfile -R" in done.err:
            self.skipTest("this libkdumpfile opens no flattened dumps (before 0.5.3)")
        self.same_as_a_capture("-i", path)

    def test_memory_is_named_after_the_source(self):
        top = self.object("-i", self.write("dump", kdump.dump(self.pages)), *self.by_hand(), "list")
        self.assertEqual(top["source"]["memory"], "kdumpfile")

    def walk(self, content, *args, status):
        # libkdumpfile does not free its map of what was RAM (0.5.1 to 0.5.6), which a sanitizer would tell at the end
        done = self.object("-i", self.write("dump", content), *args, *self.by_hand(), "translate", "8", "0x1000", status=status,
                           env={"ASAN_OPTIONS": "detect_leaks=0"})
        return done["translations"][0]

    def test_page_that_was_left_out_is_not_captured(self):
        leaf = self.pages.pop(common.Machine.L0)
        self.assertTrue(any(leaf))
        record = self.walk(kdump.dump(self.pages, excluded=[common.Machine.L0]), status=5)
        self.assertEqual((record["result"], record["missing"]), ("unknown", f"{common.Machine.L0 + 8:#x}"))

    def test_page_that_was_left_out_is_zero_on_request(self):
        del self.pages[common.Machine.L0]
        record = self.walk(kdump.dump(self.pages, excluded=[common.Machine.L0]), "-O", "excluded=zero", status=7)
        self.assertEqual((record["result"], record["cause"]), ("fault", 13))

    def test_hole_between_banks_of_ram_is_never_zero(self):
        del self.pages[common.Machine.L0]
        record = self.walk(kdump.dump(self.pages), "-O", "excluded=zero", status=5)
        self.assertEqual(record["result"], "unknown")

    def test_dump_of_another_machine_is_refused(self):
        for machine in ("x86_64", "aarch64", "loongarch64"):
            done = self.ran("-i", self.write("dump", kdump.dump(self.pages, machine=machine)), *self.by_hand(), "list", status=5)
            self.assertIn(machine.encode(), done.err)
            self.assertIn(b"not of riscv64", done.err)

    def test_every_length_of_a_truncated_dump_is_survived(self):
        content = kdump.dump({a: p for a, p in self.pages.items() if a < common.Machine.PDT})
        start = len(content) - 3000
        for length in [*range(0, 4096, 97), 4096, 8191, 8192, 20000, *range(start, len(content), 61)]:
            with self.subTest(length=length):
                self.sane(common.call("-i", self.write("dump", content[:length]), *self.by_hand(), "translate", "8", "0x1000"))

    def test_headers_that_lie_are_damage_before_libkdumpfile_reads_them(self):
        sub_header = kdump.PAGE
        huge = 0xffffffffffffffff
        for name, at, form, value, word in (
                ("no version", 8, "<I", 0, b"little-endian"),
                ("version of another byte order", 8, "<I", 0x06000000, b"little-endian"),
                ("pages of 64 KiB", 428, "<I", 65536, b"pages of 4 KiB"),
                ("no sub-header", 432, "<I", 0, b"lies about its length"),
                ("sub-header without end", 432, "<I", 0x10000, b"lies about its length"),
                ("no bitmaps", 436, "<I", 0, b"more pages than its bitmaps"),
                ("bitmaps without end", 436, "<I", 0xffffffff, b"lies about its length"),
                ("more pages than bits", 440, "<I", 0xffffffff, b"more pages than its bitmaps"),
                ("vmcoreinfo behind the end", sub_header + 32, "<Q", huge, b"lies about its notes"),
                ("note behind the end", sub_header + 48, "<Q", huge, b"lies about its notes"),
                ("erased data behind the end", sub_header + 64, "<Q", huge, b"lies about its notes"),
                ("more pages than bits, in 64", sub_header + 96, "<Q", huge, b"sub-header has more pages")):
            with self.subTest(name):
                content = bytearray(kdump.dump(self.pages))
                struct.pack_into(form, content, at, value)
                done = self.ran("-i", self.write("dump", bytes(content)), *self.by_hand(), "list", status=5)
                self.assertIn(word, done.err)

    def test_header_without_pages_and_bitmaps_is_damage(self):
        content = bytearray(kdump.dump(self.pages))
        struct.pack_into("<II", content, 436, 0, 0)
        done = self.ran("-i", self.write("dump", bytes(content)), *self.by_hand(), "list", status=5)
        self.assertIn(b"lies about its length", done.err)

    def test_older_versions_are_the_same(self):
        """Version 5 has the number of pages in 32 bits only; a name of the machine may be missing."""
        content = bytearray(kdump.dump(self.pages, machine=""))
        struct.pack_into("<i", content, 8, 5)
        struct.pack_into("<Q", content, kdump.PAGE + 96, 0xffffffffffffffff)  # none of its fields
        self.same_as_a_capture("-i", self.write("dump", bytes(content)))
        struct.pack_into("<Q", content, self.descriptors(content), 1 << 40)
        self.lost(content, b"its list of pages lies")

    def test_pieces_that_lie_are_damage_before_libkdumpfile_reads_them(self):
        start = kdump.flattened(b"")[:kdump.PAGE]
        end = struct.pack(">qq", -1, -1)
        for name, content, word in (
                ("no piece at all", start, b"truncated"),
                ("no piece that begins a dump", start + end, b"without a header"),
                ("a piece behind the end", start + struct.pack(">QQ", 0, 1 << 40), b"truncated"),
                ("a piece beyond all addresses", start + struct.pack(">QQ", (1 << 63) - 8, 16) + bytes(16), b"truncated"),
                ("another file, flattened", start + struct.pack(">QQ", 0, 4096) + b"x" * 4096 + end, b"makedumpfile -R")):
            with self.subTest(name):
                self.assertIn(word, self.ran("-i", self.write("flat", content), *self.by_hand(), "list", status=5).err)

    def descriptors(self, content):
        """Where the list of pages begins: (offset, size, flags, flags of the page), the lowest page first."""
        return (2 + struct.unpack_from("<I", content, 436)[0]) * kdump.PAGE

    def lost(self, content, why):
        """The page of the directory is not to be had, and that is what is said: not that the directory is wrong."""
        done = self.ran("-v", "-i", self.write("dump", bytes(content)), *self.by_hand(), "devices", "8", status=5)
        self.assertIn(b"not in this source", done.err)
        self.assertIn(why, done.err)

    def test_truncated_dump_lacks_its_last_pages(self):
        content = kdump.dump(self.pages, compress=False)
        self.ran("-i", self.write("dump", content[:-100]), *self.by_hand(), "translate", "8", "0x1000")
        self.lost(content[:len(content) - kdump.PAGE * len(self.pages) + 100], b"truncated")
        listed = content[:self.descriptors(content) + 24]
        self.assertIn(b"list of its pages", self.ran("-i", self.write("dump", listed), *self.by_hand(), "list", status=5).err)

    def test_page_that_is_said_to_lie_behind_the_file_is_lost(self):
        for offset, size in ((1 << 40, 4096), (2 ** 64 - 1, 4096), (0, 2 ** 32 - 1)):
            content = bytearray(kdump.dump(self.pages, compress=False))
            struct.pack_into("<QI", content, self.descriptors(content), offset, size)
            with self.subTest(offset=offset, size=size):
                self.lost(content, b"its list of pages lies")

    def test_page_that_does_not_unpack_is_lost(self):
        content = bytearray(kdump.dump(self.pages))
        at, = struct.unpack_from("<Q", content, self.descriptors(content))  # the lowest page is the device directory
        content[at:at + 8] = b"\xff" * 8
        self.lost(content, b"memory at")


class NotBuiltIn(common.Case):
    def test_dump_names_what_the_build_lacks(self):
        if b"not in this build" not in common.call("-A", "help").out:
            self.skipTest("built with libkdumpfile")
        for content in (kdump.dump(common.Machine().memory.pages), kdump.flattened(b"x" * 100)):
            done = self.ran("-i", self.write("dump", content), "list", status=1)
            for word in (b"libkdumpfile", b"--with-kdumpfile", b"makedumpfile -R", b"makedumpfile -E"):
                self.assertIn(word, done.err)


class LongPaths(common.Case):
    """A path may have 4,095 bytes. What is said of it has the whole of it, and the reason."""

    def test_the_reason_is_not_cut_off(self):
        path = self.path("/".join(["a" * 200] * 19))
        quiesce = os.path.join(os.path.dirname(common.TOOL), "iommu-quiesce")
        for tool, *args in ((common.TOOL, "-i", path, "list"), (common.TOOL, "-i", self.machine(), "translate", "--batch", path),
                            (common.KEXEC_PREP, "-i", path, "report"), (common.KEXEC_PREP, *self.fake_root(), "image", path, "-o", self.path("out")),
                            (common.TOP, "-b", "-i", path), (quiesce, "--plan", "-i", path)):
            with self.subTest(tool=os.path.basename(tool), args=args):
                self.assertIn(f"{path}: No such file or directory".encode(), common.call(*args, tool=tool).err)


class Strangers(common.Case):
    """What somebody may take for a dump, by mistake."""

    def refused(self, content, *words, status=5):
        done = self.ran("-i", self.write("stranger", content), "list", status=status)
        for word in words:
            self.assertIn(word, done.err.decode())

    def elf(self, bits=2, order=1, machine=capture.EM_RISCV, kind=capture.ET_CORE):
        content = bytearray(capture.header(1, machine=machine, kind=kind) + bytes(200))
        content[4], content[5] = bits, order
        return bytes(content)

    def test_core_of_32_bits(self):
        self.refused(self.elf(bits=1), "32-bit")

    def test_core_in_big_endian_order(self):
        self.refused(self.elf(order=2), "not little-endian")

    def test_cores_of_other_machines(self):
        for machine, name in ((62, "x86-64"), (183, "AArch64"), (3, "x86"), (40, "ARM"), (258, "258")):
            self.refused(self.elf(machine=machine), name, "not for RISC-V")

    def test_vmlinux_and_a_module(self):
        self.refused(self.elf(kind=2), "vmlinux")
        self.refused(self.elf(kind=3), "vmlinux")
        self.refused(self.elf(kind=1), "kernel module")

    def test_image_of_hibernation_and_swap(self):
        page = bytes(capture.PAGE - 10)
        self.refused(page + b"S1SUSPEND\0" + bytes(100), "hibernation", status=1)
        self.refused(page + b"SWAPSPACE2" + bytes(100), "swap", status=1)

    def test_files_of_qemu(self):
        self.refused(b"QEVM" + bytes(100), "dump-guest-memory", status=1)
        self.refused(b"QFI\xfb" + bytes(100), "dump-guest-memory", status=1)

    def test_kernel_image_and_device_tree(self):
        self.refused(bytes(0x38) + b"RSC\5" + bytes(100), "kernel Image", status=1)
        self.refused(b"\xd0\x0d\xfe\xed" + bytes(100), "device tree", status=1)

    def test_method_that_reads_no_files(self):
        for method in ("devmem", "kcore", "debugfs"):
            done = self.ran("-i", self.machine(), "-A", method, "list", status=2)
            self.assertIn(b"does not read files", done.err)
        self.ran("-i", self.machine(), "-A", "core", "list")


class Vmcore(Registers):
    """A vmcore: the memory is there, and no register."""

    def vmcore(self):
        return self.write("vmcore", capture.core(b"", common.Machine().memory.segments()))

    COMMANDS = (["devices"], ["devices", "8"], ["processes", "9"], ["translate", "8", "0x1000"], ["mappings", "8"],
                ["whomaps", "0x90000000"], ["msi", "8"])
    RINGS = {"commands": "cqb", "faults": "fqb", "requests": "pqb"}

    def test_without_an_iommu_everything_to_give_is_named(self):
        for command in (["list"], ["regs"], ["check"], ["counters"], *([c] for c in self.RINGS), *self.COMMANDS):
            done = self.ran("-i", self.vmcore(), *command, status=3)
            for word in ("--base ADDR", "-O record=FILE", "-O record=auto", *(f"--reg {n}=VALUE" for n in NEEDED)):
                self.assertIn(word, done.err.decode())

    def test_all_that_a_walk_lacks_is_named_at_once(self):
        for command in self.COMMANDS:
            done = self.ran("-i", self.vmcore(), "--base", f"{common.BASE:#x}", *command, status=5)
            self.assertIn("registers capabilities, fctl and ddtp were not captured; give --reg capabilities=VALUE "
                          "--reg fctl=VALUE --reg ddtp=VALUE, or the handover record with -O record=FILE", done.err.decode())

    def test_only_what_is_missing_is_named(self):
        for given in NEEDED:
            rest = [n for n in NEEDED if n != given]
            done = self.ran("-i", self.vmcore(), *self.by_hand([given]), "devices", status=5).err.decode()
            self.assertIn(f"registers {rest[0]} and {rest[1]} were not captured", done)
            self.assertNotIn(f"--reg {given}=", done)
        done = self.ran("-i", self.vmcore(), *self.by_hand(["fctl", "ddtp"]), "devices", status=5).err.decode()
        self.assertIn("register capabilities was not captured; give --reg capabilities=VALUE", done)

    def test_what_is_named_is_enough(self):
        self.same_as_a_capture("-i", self.vmcore())
        # 5: the directory has a context whose tables were not captured, in the capture likewise
        self.ran("-i", self.vmcore(), *self.by_hand(NEEDED), "translate", "8", "0x1000")

    def test_queues_name_their_own_registers(self):
        for command, name in self.RINGS.items():
            done = self.ran("-i", self.vmcore(), *self.by_hand(NEEDED), command, status=5).err.decode()
            self.assertIn(f"register {name} was not captured; give --reg {name}=VALUE", done)
        self.assertEqual(len(self.object("-i", self.vmcore(), *self.by_hand([*NEEDED, "fqb"]), "faults",
                                         status=common.call("-i", self.vmcore(), *self.by_hand([*NEEDED, "fqb"]),
                                                            "faults").status)["faults"]), 3)

    def test_of_several_iommus_the_option_names_which(self):
        done = self.ran("-i", self.vmcore(), "--base", "0x3010000", "--base", "0x3020000", "--reg", "0x3010000:fctl=0",
                        "devices", status=5).err.decode()
        self.assertIn("--reg 0x3010000:capabilities=VALUE --reg 0x3010000:ddtp=VALUE", done)
        self.assertIn("--reg 0x3020000:fctl=VALUE", done)

    def test_capture_that_lacks_one_is_not_sent_to_the_record(self):
        done = self.ran("-i", self.machine(registers={"ddtp": None}), "devices", status=5).err.decode()
        self.assertIn("register ddtp was not captured; give --reg ddtp=VALUE", done)
        self.assertNotIn("record", done)


if __name__ == "__main__":
    unittest.main()
