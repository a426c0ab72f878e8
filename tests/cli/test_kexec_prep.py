# SPDX-License-Identifier: GPL-2.0-or-later
"""iommu-kexec-prep from outside, on made-up machines: every command, every exit status, what a refusal leaves behind."""
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import time
import unittest

import capture
import common
import fdt
import schema

TOOL = common.KEXEC_PREP
SCHEMA = schema.load(os.path.join(os.path.dirname(schema.PATH), "iommu-kexec-prep-1.schema.json"))
PROPERTY = "riscv-iommu-handover"
HEAD, ENTRY, CAPACITY = 32, 128, 64
NEVER_RUN, ENTERED, FINISHED = range(3)
UNUSED, BLOCKED, LEFT, TRAP, NOT_IOMMU, BUSY_BEFORE, BUSY_AFTER, MODE_KEPT, QUEUE_ON = range(9)
PAGE = 4096
RELEASE = "7.9.1-test"
DRIVERS = b"\0riscv-iommu@%s\0iommu_pci\0"


def image(texts=DRIVERS, size=2 * PAGE, image_size=0x20000, release=RELEASE, tail=b""):
    """A kernel Image as Linux 7.2 has it: "MZ", a jump over the PE header, the magic; some text inside."""
    head = bytes.fromhex("4d5a6f10e00f0100") + struct.pack("<QQQ", 0x200000, image_size, 0)
    head += struct.pack("<III", 2, 0, 0) + bytes(4) + b"RISCV\0\0\0RSC\x05" + bytes(4)
    body = bytes(0x200) + b"Linux version %s (x)\0" + f"Linux version {release} (builder)".encode() + b"\0" + texts
    return (head + body).ljust(size, b"\x5a") + tail


def entry(base=common.BASE, policy=0, status=BLOCKED, capabilities=common.CAPABILITIES, ddtp=0x2000_0404, new=0x2000_0400, ticks=0, **regs):
    """An entry of a record; REGS: cqb, fqb, pqb, fctl, cqh, ..."""
    r = {"cqb": 0, "fqb": 0, "pqb": 0, "fctl": 0, "cqh": 0, "cqt": 0, "fqh": 0, "fqt": 0, "pqh": 0, "pqt": 0, "cqcsr": 0, "fqcsr": 0,
         "pqcsr": 0, "ipsr": 0, **regs}
    words = [r[k] for k in ("fctl", "cqh", "cqt", "fqh", "fqt", "pqh", "pqt", "cqcsr", "fqcsr", "pqcsr", "ipsr")]
    return struct.pack("<QII6Q12I16x", base, policy, status, capabilities, ddtp, new, r["cqb"], r["fqb"], r["pqb"], *words, ticks)


def record(*entries, state=FINISHED, capacity=CAPACITY):
    size = HEAD + capacity * ENTRY
    head = b"RVIOMMU-HANDOVER" + struct.pack("<IIII", 1, size, capacity, state)
    return (head + b"".join(entries)).ljust(size, b"\0")


class Prep(common.Case):
    def setUp(self):
        super().setUp()
        if not TOOL or not os.path.exists(TOOL):
            self.skipTest("no iommu-kexec-prep to test: set IOMMU_KEXEC_PREP")

    def prep(self, *args, status=0, **kwargs):
        """Runs it; with -J, what it prints fits the schema."""
        done = self.sane(common.call(*args, tool=TOOL, **kwargs))
        self.assertEqual(done.status, status, str(done))
        if "-J" in args and done.out:
            self.assertEqual(schema.Checker(SCHEMA).errors(self.one_object(done))[:4], [], str(done))
        return done

    def answer(self, *args, status=0, **kwargs):
        return self.one_object(self.prep("-J", *args, status=status, **kwargs))

    def root(self, bases=(common.BASE,), tree=None, registers=None, driven=True, cmdline="root=/dev/vda quiet"):
        """A machine with an IOMMU that its kernel drives, registers through the module, and kexec to fake."""
        options = self.fake_root(bases, tree)
        self.write("root/proc/cmdline", cmdline + "\n")
        for name in ("boot", "modules", "sys/kernel/security"):
            os.makedirs(self.path("root/" + name), exist_ok=True)
        for name, value in (("kexec_loaded", "0"), ("kexec_crash_loaded", "0"), ("kexec_crash_size", "268435456")):
            self.write("root/sys/kernel/" + name, value + "\n")
        self.write("root/sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
        for base in bases if driven else ():
            os.makedirs(self.path(f"root/sys/class/iommu/riscv-iommu@{base:x}.iommu"), exist_ok=True)
        if registers is not None:
            self.debugfs(registers)
        for key, name in (("boot.path", "boot"), ("modules.path", "modules"), ("kexec.path", "kexec")):
            options += ["-O", f"{key}={self.path('root/' + name)}"]
        return options

    def kexec(self, status=0, loads=True, more=""):
        """A program kexec that tells what it was given."""
        path = self.write("root/kexec", f"""#!/bin/sh
[ "$1" = --version ] && {{ echo "kexec-tools 2.0.32"; exit; }}
out={self.path('given')}
mkdir -p "$out"
for arg; do printf '%s\\n' "$arg"; done >"$out/args"
for arg; do case $arg in
    --dtb=*) cp "${{arg#--dtb=}}" "$out/dtb";;
    /*) cp "$arg" "$out/image"; stat -c %a "$(dirname "$arg")" >"$out/mode"; dirname "$arg" >"$out/folder";;
esac; done
case $2 in -p) what=kexec_crash_loaded;; *) what=kexec_loaded;; esac
{"echo 1 >" + self.path("root/sys/kernel") + '/"$what"' if loads else ":"}
echo "chatter of kexec"
{more}
exit {status}
""")
        os.chmod(path, 0o755)

    def given(self, name):
        with open(self.path("given/" + name), "rb") as f:
            return f.read()

    def names(self):
        return sorted(os.listdir(self.dir))

    def refused(self, *args, status, words=b""):
        """A run that must leave no output: neither the file nor a part of it."""
        before = self.names()
        out = self.path("out")
        done = self.prep(*args, "-o", out, status=status)
        self.assertEqual(self.names(), before, "something was left behind")
        self.assertIn(words, done.err)
        return done


class Image(Prep):
    def test_wraps_and_leaves_the_input_alone(self):
        content = image()
        source = self.write("vmlinuz", content)
        os.chmod(source, 0o644)
        root = self.root(registers=common.Machine().registers)
        top = self.answer(*root, "image", source, "-o", self.path("out"))
        with open(source, "rb") as f:
            self.assertEqual(f.read(), content)
        with open(self.path("out"), "rb") as f:
            out = f.read()
        self.assertEqual(out[8:len(content)], content[8:])
        self.assertNotEqual(out[:8], content[:8])
        self.assertEqual(out[:2], b"MZ")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("out")).st_mode), 0o644)
        self.assertEqual(self.names(), ["out", "root", "vmlinuz"])
        self.assertEqual(top["iommus"], [{"base": "0x3010000", "name": "3010000.iommu", "policy": "block",
                                          "capabilities": f"{common.CAPABILITIES:#x}"}])
        self.assertEqual((top["kernel"]["layout"], top["kernel"]["release"]), ("C", RELEASE))
        self.assertEqual((top["kernel"]["driver_platform"], top["kernel"]["driver_pci"]), (True, True))

    def test_wrapping_twice_is_wrapping_once(self):
        root = self.root(registers=common.Machine().registers)
        self.prep(*root, "image", self.write("vmlinuz", image()), "-o", self.path("one"))
        self.prep(*root, "image", self.path("one"), "-o", self.path("two"))
        with open(self.path("one"), "rb") as one, open(self.path("two"), "rb") as two:
            self.assertEqual(one.read(), two.read())

    def test_gzip(self):
        import gzip
        root = self.root(registers=common.Machine().registers)
        top = self.answer(*root, "image", self.write("vmlinuz", gzip.compress(image())), "-o", self.path("out"))
        self.assertEqual(top["kernel"]["packing"], "gzip")

    def test_unknown_capabilities_are_said_and_null(self):
        done = self.prep("-J", *self.root(), "image", self.write("vmlinuz", image()), "-o", self.path("out"))
        self.assertIn(b"not known", done.err)
        self.assertIsNone(done.json()["iommus"][0]["capabilities"])

    def test_capabilities_by_hand(self):
        top = self.answer(*self.root(), "--reg", f"capabilities={common.CAPABILITIES:#x}", "image", self.write("vmlinuz", image()),
                          "-o", self.path("out"))
        self.assertEqual(top["iommus"][0]["capabilities"], f"{common.CAPABILITIES:#x}")

    def test_policies(self):
        root = self.root(bases=(0x3010000, 0x3020000))
        source = self.write("vmlinuz", image())
        for options, wanted in (([], "block block"), (["leave"], "leave leave"), (["3020000.iommu=leave"], "block leave"),
                                (["0x3010000=leave"], "leave block"), (["3010000.iommu=block", "leave"], "block leave"),
                                (["leave", "3010000.iommu=block"], "block leave")):
            with self.subTest(options):
                args = [x for o in options for x in ("--policy", o)]
                top = self.answer(*root, *args, "image", source, "-o", self.path("out"))
                self.assertEqual(" ".join(i["policy"] for i in top["iommus"]), wanted)

    def test_only_the_iommu_that_was_named(self):
        root = self.root(bases=(0x3010000, 0x3020000))
        top = self.answer(*root, "-u", "3020000.iommu", "image", self.write("vmlinuz", image()), "-o", self.path("out"))
        self.assertEqual([i["base"] for i in top["iommus"]], ["0x3020000"])

    def test_iommus_of_a_capture_and_of_the_command_line(self):
        source = self.write("vmlinuz", image())
        top = self.answer("-i", self.machine(), "image", source, "-o", self.path("out"))
        self.assertEqual([i["base"] for i in top["iommus"]], [f"{common.BASE:#x}"])
        top = self.answer(*self.root(), "--base", "0x5000000", "image", source, "-o", self.path("out"))
        self.assertEqual([i["base"] for i in top["iommus"]], ["0x5000000"])

    def test_what_was_there_before_is_replaced_only_by_something_complete(self):
        root = self.root()
        out = self.write("out", b"before")
        self.prep(*root, "image", self.write("bad", b"nothing"), "-o", out, status=5)
        with open(out, "rb") as f:
            self.assertEqual(f.read(), b"before")
        self.prep(*root, "image", self.write("vmlinuz", image()), "-o", out)
        with open(out, "rb") as f:
            self.assertNotEqual(f.read(), b"before")

    def test_refuses_a_kernel_without_the_driver(self):
        root = self.root()
        source = self.write("vmlinuz", image(texts=b""))
        self.refused(*root, "image", source, status=7, words=b"no driver")
        self.prep(*root, "--policy", "leave", "image", source, "-o", self.path("a"))
        done = self.prep(*root, "--force", "image", source, "-o", self.path("b"))
        self.assertIn(b"cut off", done.err)

    def test_the_configuration_decides_where_there_is_one(self):
        root = self.root()
        source = self.write("vmlinuz", image())
        for name in (f"root/boot/config-{RELEASE}", f"root/modules/{RELEASE}/config", f"config-{RELEASE}"):
            with self.subTest(name):
                path = self.write(name, "CONFIG_X=y\n# CONFIG_RISCV_IOMMU is not set\n")
                self.refused(*root, "image", source, status=7, words=path.encode())
                self.write(name, "CONFIG_RISCV_IOMMU=y\nCONFIG_RISCV_IOMMU_PCI=y\n")
                self.prep(*root, "image", source, "-o", self.path("out"))
                os.unlink(path)
                os.unlink(self.path("out"))

    def test_refuses_a_command_line_that_holds_the_driver_back(self):
        root = self.root()
        source = self.write("vmlinuz", image())
        for line in ("initcall_blacklist=riscv_iommu_platform_driver_init", 'x "initcall-blacklist=a,riscv_iommu_platform_driver_init" y',
                     "quiet initcall_blacklist=a,riscv_iommu_platform_driver_init,b", 'initcall_blacklist="riscv_iommu_platform_driver_init"'):
            with self.subTest(line):
                self.refused(*root, "--append", line, "image", source, status=7, words=b"initcall_blacklist")
        for line in ("initcall_blacklist=riscv_iommu_pci_driver_init", "-- initcall_blacklist=riscv_iommu_platform_driver_init",
                     "initcall_blacklist=riscv_iommu_platform_driver_init_not", "xinitcall_blacklist=riscv_iommu_platform_driver_init"):
            with self.subTest(line):
                self.prep(*root, "--append", line, "image", source, "-o", self.path("out"))
                os.unlink(self.path("out"))

    def test_refuses_what_is_no_image(self):
        root = self.root()
        whole = image()
        bad = {"empty": b"", "text": b"hello\n" * 100, "cut": whole[:40], "elf": b"\177ELF\2\1\1" + bytes(200),
               "magic": whole[:56] + b"XXXX" + whole[60:], "no_size": whole[:16] + bytes(8) + whole[24:],
               "huge": whole[:16] + b"\xff" * 8 + whole[24:], "big_endian": whole[:24] + b"\1" + whole[25:]}
        for name, content in bad.items():
            with self.subTest(name):
                self.refused(*root, "image", self.write("bad", content), status=5, words=b"bad: ")

    def test_refusals_are_one_json_object(self):
        root = self.root()
        top = self.answer(*root, "image", self.write("bad", b"hello"), "-o", self.path("out"), status=5)
        self.assertIs(top["complete"], False)
        top = self.answer(*root, "image", self.write("bad", image(texts=b"")), "-o", self.path("out"), status=7)
        self.assertEqual(len(top["errors"]), 1)

    def test_outputs_that_would_destroy_something(self):
        root = self.root()
        source = self.write("vmlinuz", image())
        os.symlink("vmlinuz", self.path("link"))
        for out in (source, self.path("link"), self.dir):
            with self.subTest(out):
                self.prep(*root, "image", source, "-o", out, status=2)
        with open(source, "rb") as f:
            self.assertEqual(f.read(), image())

    def test_output_that_cannot_be(self):
        self.prep(*self.root(), "image", self.write("vmlinuz", image()), "-o", self.path("no/where"), status=1)


class Statuses(Prep):
    def test_one_kernel_that_is_not_there(self):
        self.refused(*self.root(), "image", self.path("nothing"), status=1, words=b"nothing")
        self.refused(*self.root(), "image", self.dir, status=1)

    def test_two_usage(self):
        root = self.root()
        source = self.write("vmlinuz", image())
        wrong = (["nonsense"], ["--nonsense"], ["image"], ["image", source], ["image", source, source, "-o", "x"], ["dtb"],
                 ["dtb", "x", "-o", "y"], ["load"], ["load", source, source], ["load", "-l", "-p", source], ["report", "x"],
                 ["check", "a", "b"], ["--policy", "maybe", "image", source, "-o", "x"], ["--policy", "=leave", "image", source],
                 ["--severity", "x", "check"], ["check", "-o", "x"], ["report", "--force"], ["dtb", "--policy", "leave", "-o", "x"],
                 ["image", source, "-o", "x", "--initrd", "y"], ["--save", "x", "report"], ["-O", "nonsense=1", "check"])
        for args in wrong:
            with self.subTest(args=args):
                self.assertIn(b"Try 'iommu-kexec-prep --help'", self.prep(*root, *args, status=2).err)

    def test_three_no_iommu(self):
        self.prep(*self.root(bases=()), "check", status=3)
        self.refused(*self.root(bases=()), "image", self.write("vmlinuz", image()), status=3)
        root = self.root()
        self.refused(*root, "-u", "0x7000", "image", self.path("vmlinuz"), status=3)
        self.refused(*root, "--policy", "nobody=leave", "image", self.path("vmlinuz"), status=3, words=b"nobody")

    def test_four_lockdown(self):
        root = self.root()
        self.kexec()
        for level in ("none [integrity] confidentiality", "none integrity [confidentiality]"):
            self.write("root/sys/kernel/security/lockdown", level + "\n")
            done = self.prep(*root, "load", self.write("vmlinuz", image()), status=4)
            self.assertIn(b"locked down", done.err)
        self.assertNotIn("given", self.names())

    def test_five_no_record(self):
        self.prep(*self.root(), "report", status=5)

    def test_seven_findings(self):
        self.prep(*self.root(), "check", status=7)

    def test_help_and_version(self):
        self.assertIn(b"iommu-kexec-prep", self.prep("--help").out)
        self.assertIn(b"iommu-kexec-prep", self.prep("--version").out)

    def test_standard_output_that_takes_nothing(self):
        with open("/dev/full", "wb") as full:
            done = common.call("--help", tool=TOOL, stdout=full)
        self.assertEqual(done.status, 1)


class Tree(Prep):
    def report_of(self, path, status):
        return self.answer("-i", path, "report", status=status)

    def test_record_of_this_machine(self):
        self.prep(*self.root(), "dtb", "-o", self.path("out"))
        top = self.report_of(self.path("out"), 7)
        self.assertEqual((top["record"]["state"], top["record"]["capacity"], top["iommus"]), ("never run", CAPACITY, []))
        self.assertIn("did not run", top["record"]["verdict"])
        self.assertEqual(stat.S_IMODE(os.stat(self.path("out")).st_mode), 0o600)

    def test_record_in_a_tree_of_a_file(self):
        tree = fdt.machine()
        tree.children.append(fdt.Node("chosen", {PROPERTY: record(entry()), "linux,elfcorehdr": bytes(16), "bootargs": b"x\0",
                                                 "linux,usable-memory-range": bytes(16)}))
        source = self.write("in.dtb", fdt.blob(tree))
        self.assertEqual(self.report_of(source, 0)["record"]["state"], "finished")
        self.prep(*self.root(), "dtb", "--in", source, "-o", self.path("out"))
        self.assertEqual(self.report_of(self.path("out"), 7)["record"]["state"], "never run")
        with open(self.path("out"), "rb") as f:
            out = f.read()
        self.assertEqual(out.count(b"RVIOMMU-HANDOVER"), 1)
        props = out[struct.unpack(">I", out[8:12])[0]:]
        self.assertIn(b"bootargs", props)
        with open(source, "rb") as f:
            self.assertEqual(f.read(), fdt.blob(tree))

    def test_refusals(self):
        for name, content in (("empty", b""), ("text", b"hello" * 50), ("cut", fdt.blob(fdt.machine())[:100])):
            with self.subTest(name):
                self.refused("dtb", "--in", self.write("bad", content), status=5, words=b"bad: ")
        self.refused("dtb", "--in", self.path("nothing"), status=1)
        source = self.write("in.dtb", fdt.blob(fdt.machine()))
        self.prep("dtb", "--in", source, "-o", source, status=2)


class Load(Prep):
    def setUp(self):
        super().setUp()
        common.call("load", tool=TOOL)  # skips where it is left out
        self.options = self.root(registers=common.Machine().registers, cmdline='BOOT_IMAGE=/vmlinuz root=/dev/vda crashkernel=256M a="b c"')
        self.source = self.write("vmlinuz", image())
        self.initrd = self.write("initrd", b"x")
        os.makedirs(self.path("tmp"))
        self.env = {"TMPDIR": self.path("tmp")}

    def load(self, *args, status=0, **kwargs):
        done = self.prep(*self.options, "load", self.source, *args, status=status, env=self.env, **kwargs)
        self.assertEqual(os.listdir(self.path("tmp")), [], "temporary files were left")
        return done

    def args(self):
        return self.given("args").decode().splitlines()

    def test_kexec_gets_a_wrapped_image_and_a_tree_with_a_record(self):
        self.kexec()
        done = self.load("--initrd", self.initrd)
        args = self.args()
        self.assertEqual(args[:2], ["-c", "-l"])
        self.assertIn(f"--initrd={self.initrd}", args)
        self.assertIn('--command-line=root=/dev/vda crashkernel=256M a="b c"', args)
        self.assertEqual(self.given("mode").strip(), b"700")
        self.assertIn(b"RVIOMMU-HANDOVER", self.given("dtb"))
        found = self.answer("-i", self.machine(), "check", self.write("copy", self.given("image")))
        self.assertIn("image-wrapped", [f["id"] for f in found["findings"]])
        self.assertIn(b"Loaded", done.out)

    def test_a_mark_tells_what_is_loaded(self):
        self.kexec()
        self.load()
        with open(self.path("root/run/loaded-kexec"), encoding="utf-8") as mark:
            self.assertEqual(mark.read(), f"{self.source}, kernel {RELEASE}, stub for 1 IOMMU\n")
        self.assertEqual(os.listdir(self.path("root/run")), ["loaded-kexec"])
        self.load("-p")
        self.assertEqual(sorted(os.listdir(self.path("root/run"))), ["loaded-kexec", "loaded-panic"])

    def test_no_mark_where_nothing_is_loaded(self):
        self.load("--plan", status=1)
        for status in (1, 0):
            self.kexec(status=status, loads=False)
            self.load(status=1)
        self.assertFalse(os.path.exists(self.path("root/run")))

    def test_loaded_although_no_mark_can_be_left(self):
        self.kexec()
        self.write("root/run", "no folder")
        self.assertIn(b"loaded-kexec: the mark", self.load().err)

    def test_crash_kernel(self):
        self.kexec()
        self.load("-p")
        self.assertEqual(self.args()[:2], ["-c", "-p"])
        self.assertIn('--command-line=root=/dev/vda a="b c"', self.args())

    def test_command_line_of_the_user(self):
        self.kexec()
        self.load("--append", "x y 'z'")
        self.assertIn("--command-line=x y 'z'", self.args())

    def test_command_line_that_the_kernel_would_cut(self):
        self.kexec()
        self.assertNotIn(b"the end is lost", self.load("--append", "x" * 1023).err)
        self.assertIn(b"1024 bytes: Linux takes the first 1023, and the end is lost", self.load("--append", "x" * 1024).err)
        self.assertIn("--command-line=" + "x" * 1024, self.args())

    def test_json_is_not_mixed_with_what_kexec_says(self):
        self.kexec()
        top = self.one_object(self.load("-J", "-p"))
        self.assertEqual((top["load"]["handover"], top["load"]["plan"]), ("panic", False))
        self.assertEqual(top["iommus"][0]["policy"], "block")

    def test_bytes_that_are_no_text(self):
        self.kexec()
        top = self.one_object(self.load("-J", "--append", b"x=\xff\x01"))
        self.assertEqual(top["load"]["command_line"], "x=??")
        self.assertIn(b"--command-line=x=\xff\x01\n", self.given("args"))

    def test_plan_shows_and_does_nothing(self):
        self.kexec()
        done = self.load("--plan", "--append", "a 'b'")
        self.assertNotIn("given", self.names())
        command = [line for line in done.out.decode().splitlines() if " -c -l " in line]
        self.assertEqual(len(command), 1, str(done))
        words = subprocess.run(["sh", "-c", "for a in " + command[0] + "; do echo \"$a\"; done"], capture_output=True, text=True,
                               check=True).stdout.splitlines()
        self.assertEqual(words[-1], "--command-line=a 'b'")
        self.assertTrue(any(w.startswith("--dtb=") for w in words))

    def test_kexec_that_fails(self):
        self.kexec(status=255, loads=False)
        self.assertIn(b"255", self.load(status=1 if os.geteuid() == 0 else 4).err)

    def test_kexec_that_ends_by_a_signal(self):
        self.kexec(more="kill -9 $$")
        self.load(status=1)

    def test_kexec_that_loads_nothing(self):
        self.kexec(loads=False)
        self.assertIn(b"nothing is loaded", self.load(status=1).err)

    def test_kexec_that_is_not_there(self):
        self.assertIn(b"kexec-tools", self.load(status=1).err)

    def test_kexec_that_cannot_run(self):
        os.chmod(self.write("root/kexec", b"\0\0not a program"), 0o755)
        self.load(status=1 if os.geteuid() == 0 else 4)

    def test_no_memory_for_a_crash_kernel(self):
        self.kexec()
        self.write("root/sys/kernel/kexec_crash_size", "0\n")
        self.assertIn(b"crashkernel=", self.load("-p", status=1).err)
        self.load("-l")

    def test_initrd_that_is_not_there(self):
        self.kexec()
        self.load("--initrd", self.path("nothing"), status=1)
        self.assertNotIn("given", self.names())

    def test_initrd_that_kexec_would_wait_for_or_take_as_nothing(self):
        self.kexec()
        os.mkfifo(self.path("fifo"))
        for path, status, words in ((self.path("fifo"), 2, b"no regular file"), (self.path("tmp"), 2, b"no regular file"),
                                    (self.write("empty", b""), 5, b"it is empty")):
            with self.subTest(path):
                self.assertIn(words, self.load("--initrd", path, status=status).err)
        self.assertNotIn("given", self.names())

    def test_driver_that_this_command_line_holds_back(self):
        self.kexec()
        self.write("root/proc/cmdline", "initcall_blacklist=riscv_iommu_platform_driver_init\n")
        self.load(status=7)
        self.load("--append", "quiet")
        self.load("--force")

    def test_bad_kernel_and_bad_tree(self):
        self.kexec()
        self.write("root/fdt", b"junk")
        os.makedirs(self.path("root/dt"), exist_ok=True)
        self.prep(*self.options, "--base", "0x3010000", "load", self.source, status=5, env=self.env)
        self.write("vmlinuz", b"junk")
        self.load(status=5)
        self.assertNotIn("given", self.names())

    def test_directory_that_cannot_be_made(self):
        self.kexec()
        self.prep(*self.options, "load", self.source, status=1, env={"TMPDIR": self.path("no/where")})

    def test_failure_that_cost_the_crash_kernel_that_was_there(self):
        self.write("root/sys/kernel/kexec_crash_loaded", "1\n")
        self.kexec(status=1, loads=False, more="echo 0 >" + self.path("root/sys/kernel/kexec_crash_loaded"))
        self.assertIn(b"none is loaded now", self.load("-p", status=1 if os.geteuid() == 0 else 4).err)
        self.kexec(status=1, loads=False)
        self.assertNotIn(b"none is loaded now", self.load("-p", status=1 if os.geteuid() == 0 else 4).err)

    def started_with(self, prepare):
        """How it ends where whoever starts it prepared that (signals that are ignored, held, or there already)."""
        done = subprocess.run([TOOL, *self.options, "load", self.source], env=dict(os.environ, **self.env), stdin=subprocess.DEVNULL,
                              capture_output=True, preexec_fn=prepare, timeout=common.TIMEOUT, check=False)
        self.assertEqual(os.listdir(self.path("tmp")), [])
        return done

    def test_signal_that_came_before_kexec_is_waited_for(self):
        def held():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            os.kill(os.getpid(), signal.SIGTERM)

        self.kexec(more="exec sleep 30")
        done = self.started_with(held)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"ended by signal 15", done.stderr)

    def test_signal_that_whoever_started_us_ignores(self):
        self.inherit(signal.SIGHUP, signal.SIG_IGN)
        self.kexec(more="kill -HUP $PPID")
        self.load()

    def test_end_of_kexec_is_seen_where_ends_of_children_are_ignored(self):
        self.kexec()
        done = self.started_with(lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_kexec_that_does_not_end_by_a_signal(self):
        self.kexec(more="trap '' TERM; kill -TERM $PPID; exec sleep 30")
        done = self.started_with(lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"ended by signal 9", done.stderr)
        self.assertIn(b"ended by signal 15", done.stderr)

    def test_signal_while_kexec_runs(self):
        self.kexec(more="sleep 20")
        child = subprocess.Popen([TOOL, *self.options, "load", self.source], env=dict(os.environ, **self.env),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.time() + 10
        while not os.path.exists(self.path("given/folder")) and time.time() < limit:
            time.sleep(0.02)
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(timeout=10), 1)
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_output_that_nobody_reads(self):
        self.kexec()
        child = subprocess.Popen([TOOL, *self.options, "load", self.source], env=dict(os.environ, **self.env),
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        child.stdout.close()
        self.assertEqual(child.wait(timeout=10), 1)
        self.assertEqual(os.listdir(self.path("tmp")), [])


class Report(Prep):
    def machine_with(self, content, timebase=None):
        root = self.root()
        self.write(f"root/dt/chosen/{PROPERTY}", content)
        if timebase is not None:
            self.write("root/dt/cpus/timebase-frequency", timebase)
        return root

    def test_a_tree_without_a_record_and_none_at_all(self):
        root = self.root()
        self.assertIn(b"device tree has no record", self.prep(*root, "report", status=5).err)
        shutil.rmtree(self.path("root/dt"))
        os.unlink(self.path("root/fdt"))
        done = self.prep(*root, "report", status=5)
        self.assertIn(b"is /proc or /sys not mounted", done.err)
        self.assertNotIn(b"no record", done.err)

    def report(self, content, status, **kwargs):
        return self.answer(*self.machine_with(content, **kwargs), "report", status=status)

    def test_ran(self):
        e = entry(ticks=40, cqb=0x2000_0c0c, cqh=3, cqt=5, cqcsr=0x10001, fqb=0x2000_100b, fqt=9, fctl=2, ipsr=1)
        top = self.report(record(e), 0, timebase=struct.pack(">I", 10_000_000))
        self.assertEqual((top["record"]["verdict"], top["record"]["state"]), ("ran", "finished"))
        one, = top["iommus"]
        self.assertEqual((one["base"], one["status"], one["ticks"], one["microseconds"]), ("0x3010000", "blocked", 40, 4.0))
        self.assertEqual((one["ddtp_old"]["iommu_mode"], one["ddtp_new"]["iommu_mode"]), ("3LVL", "Off"))
        cq = one["queues"]["cq"]
        self.assertEqual((cq["base"], cq["entries"], cq["head"], cq["tail"], cq["csr"]["cqon"]), ("0x80003000", 8192, 3, 5, True))
        self.assertIsNotNone(one["queues"]["pq"])  # CAPABILITIES has ATS

    def test_ran_without_a_timebase(self):
        self.assertIsNone(self.report(record(entry(ticks=40)), 0)["iommus"][0]["microseconds"])
        self.assertEqual(self.report(record(entry(ticks=40)), 0, timebase=struct.pack(">Q", 1_000_000))["iommus"][0]["microseconds"], 40)

    def test_every_status(self):
        for status in range(9):
            with self.subTest(status=status):
                top = self.report(record(entry(status=status), entry(base=0x3020000)), 0 if status in (BLOCKED, LEFT) else 7)
                one = top["iommus"][0]
                self.assertEqual(one["ddtp_old"] is None, status in (UNUSED, TRAP, NOT_IOMMU))
                self.assertTrue(one["meaning"])

    def test_what_is_no_iommu_is_shown(self):
        one, = self.report(record(entry(status=NOT_IOMMU, capabilities=0x20)), 7)["iommus"]
        self.assertEqual((one["capabilities"], one["ddtp_old"]), ("0x20", None))
        self.assertIsNone(self.report(record(entry(status=TRAP, capabilities=0)), 7)["iommus"][0]["capabilities"])

    def test_what_no_stub_writes_is_not_believed(self):
        for content, words in ((record(), "says nothing"), (record(entry(status=UNUSED)), "says nothing"),
                               (record(entry(), entry(base=0x3020000, new=0x2000_0404)), "not Off"), (record(entry(new=0x2000_0410)), "not Off")):
            self.assertIn(words, self.report(content, 7)["record"]["verdict"])

    def test_timebase_that_is_no_clock(self):
        top = self.report(record(entry(ticks=40)), 0, timebase=b"\xff" * 8)
        self.assertEqual((top["record"]["timebase_frequency"], top["iommus"][0]["microseconds"]), (None, None))

    def test_tree_of_a_file_without_a_record(self):
        done = self.prep("-i", self.write("in.dtb", fdt.blob(fdt.machine())), "report", status=5)
        self.assertIn(b"in.dtb: the device tree has no", done.err)
        self.assertNotIn(b"this kernel", done.err)

    def test_did_not_run(self):
        self.assertIn("did not run", self.report(record(state=NEVER_RUN), 7)["record"]["verdict"])

    def test_began_and_did_not_end(self):
        self.assertIn("did not end", self.report(record(entry(), state=ENTERED), 7)["record"]["verdict"])

    def test_unknown(self):
        top = self.answer(*self.root(), "report", status=5)
        self.assertIsNone(top["record"])
        self.assertIn("unknown", top["errors"][0])

    def test_damaged(self):
        good = record(entry())
        for name, content in (("empty", b""), ("cut", good[:100]), ("magic", b"X" + good[1:]), ("version", good[:16] + b"\2" + good[17:]),
                              ("state", record(state=9)), ("status", record(entry(status=9))), ("size", good[:20] + b"\0\0\0\0" + good[24:])):
            with self.subTest(name):
                self.prep(*self.machine_with(content), "report", status=5)

    def test_record_in_the_flattened_tree(self):
        tree = fdt.machine()
        tree.children.append(fdt.Node("chosen", {PROPERTY: record(entry())}))
        self.assertEqual(self.answer(*self.root(tree=tree), "report")["iommus"][0]["status"], "blocked")

    def test_record_in_a_file(self):
        path = self.write("record", record(entry(status=LEFT, policy=1)))
        self.assertEqual(self.answer("-i", path, "report")["iommus"][0]["status"], "left")
        self.assertIn(b"device tree", self.prep("-i", self.machine(), "report", status=2).err)
        self.prep("-i", self.path("nothing"), "report", status=1)

    def test_one_iommu_of_the_record(self):
        path = self.write("record", record(entry(), entry(base=0x3020000, status=TRAP)))
        one, = self.answer("-i", path, "-u", "0x3010000", "report")["iommus"]
        self.assertEqual((one["base"], one["status"]), ("0x3010000", "blocked"))
        self.answer("-i", path, "-u", "0x3020000", "report", status=7)
        for name in ("0x3030000", "3010000.iommu"):
            self.assertIsNone(self.answer("-i", path, "-u", name, "report", status=3)["record"])

    def test_text(self):
        out = self.prep(*self.machine_with(record(entry(ticks=7), entry(base=0x3020000, status=TRAP))), "report", status=7).out.decode()
        for word in ("3LVL", "Off", "0x3010000", "0x3020000", "7 ticks", "blocked", "trap"):
            self.assertIn(word, out)
        self.assertLessEqual(max(map(len, out.splitlines())), 100)


class Check(Prep):
    def ids(self, root, *args, status=7):
        found = self.answer(*root, "check", *args, status=status)["findings"]
        self.found = {f["id"]: f for f in found}
        return [f["id"] for f in found]

    def wrapped(self, root, *args, content=None):
        self.prep(*root, *args, "image", self.write("vmlinuz", content or image()), "-o", self.path("wrapped"))
        return self.path("wrapped")

    def test_driven_iommu_is_open_by_kexec_and_live_by_panic(self):
        ids = self.ids(self.root(registers=common.Machine().registers))
        self.assertIn("kexec-open", ids)
        self.assertIn("panic-live", ids)

    def test_the_same_without_registers(self):
        ids = self.ids(self.root())
        self.assertIn("kexec-open", ids)
        self.assertIn("panic-live", ids)

    def test_one_handover(self):
        root = self.root(registers=common.Machine().registers)
        self.assertFalse([i for i in self.ids(root, "-l") if i.startswith("panic")])
        self.assertFalse([i for i in self.ids(root, "-p") if i.startswith("kexec-o")])

    def test_iommu_that_nobody_drives(self):
        self.kexec()
        for ddtp, kexec, panic in ((0, "kexec-off", "panic-off"), (1, "kexec-open", "panic-open"), (0x2000_0404, "kexec-refused", "panic-live"),
                                   (0x10, "kexec-refused", "panic-refused")):
            with self.subTest(ddtp=ddtp):
                ids = self.ids(self.root(registers={**common.Machine().registers, "ddtp": ddtp}, driven=False), status=7 if ddtp else 0)
                self.assertIn(kexec, ids)
                self.assertIn(panic, ids)

    def test_iommu_of_which_nothing_is_known(self):
        ids = self.ids(self.root(driven=False))
        self.assertIn("kexec-unknown", ids)
        self.assertIn("panic-unknown", ids)

    def test_wrapped_image_is_all_that_is_needed(self):
        root = self.root(registers=common.Machine().registers)
        self.kexec()
        ids = self.ids(root, self.wrapped(root), status=0)
        self.assertEqual({"image-wrapped", "driver-present", "blocked"} - set(ids), set())

    def test_image_without_the_stub(self):
        root = self.root(registers=common.Machine().registers)
        self.assertIn("image-not-wrapped", self.ids(root, self.write("vmlinuz", image())))

    def test_image_for_other_iommus(self):
        root = self.root(registers=common.Machine().registers)
        path = self.wrapped(root, "--base", "0x5000000")
        ids = self.ids(root, path)
        self.assertIn("iommu-extra", ids)
        self.assertIn("iommu-not-covered", ids)
        self.assertIn("panic-live", ids)

    def test_image_for_other_capabilities(self):
        root = self.root(registers=common.Machine().registers)
        ids = self.ids(root, self.wrapped(root, "--reg", f"capabilities={common.CAPABILITIES ^ 1 << 9:#x}"))
        self.assertIn("capabilities-changed", ids)
        self.assertIn("panic-live", ids)

    def test_image_that_leaves_it(self):
        root = self.root(registers=common.Machine().registers)
        ids = self.ids(root, self.wrapped(root, "--policy", "leave"))
        self.assertIn("policy-leave", ids)
        self.assertIn("kexec-open", ids)

    def test_blocked_without_a_driver_is_an_error(self):
        root = self.root(registers=common.Machine().registers)
        self.ids(root, self.wrapped(root, "--force", content=image(texts=b"")))
        self.assertEqual(self.found["driver-missing"]["severity"], "error")
        self.ids(root, self.wrapped(root), "--append", "initcall_blacklist=riscv_iommu_platform_driver_init")
        self.assertEqual(self.found["driver-missing"]["severity"], "error")

    def test_pci_driver_that_cannot_be_seen(self):
        self.machine()
        note = {"kernel": "7.2"}
        core = self.machine(iommu_name="0000:00:02.0", note=note)
        for text in (b"\0riscv-iommu@%s\0", b"\0riscv,iommu\0"):
            self.assertIn("driver-unknown", self.ids(["-i", core], self.write("vmlinuz", image(texts=text))))

    def test_severity(self):
        root = self.root(registers=common.Machine().registers)
        self.prep(*root, "check", "--severity", "error")
        self.prep(*root, "check", "--severity", "warning", status=7)
        path = self.wrapped(root)
        self.kexec()
        self.prep(*root, "check", path)
        self.prep(*root, "check", path, "--severity", "info", status=7)

    def test_devices_that_reach_the_crash_kernel(self):
        registers = dict(common.Machine().registers)
        root = self.root(registers=registers)
        self.write("root/proc/iomem", "80000000-87ffffff : System RAM\n  84000000-84ffffff : Crash kernel\n")
        for number, kind in ((0, "identity"), (1, "DMA")):
            name = f"0000:00:0{number + 1}.0"
            os.makedirs(self.path(f"root/sys/bus/pci/devices/{name}"))
            os.symlink(f"../../../kernel/iommu_groups/{number}", self.path(f"root/sys/bus/pci/devices/{name}/iommu_group"))
            os.symlink("../../../../class/iommu/riscv-iommu@3010000.iommu", self.path(f"root/sys/bus/pci/devices/{name}/iommu"))
            self.write(f"root/sys/kernel/iommu_groups/{number}/type", kind + "\n")
        self.ids(root)
        self.assertIn("0000:00:01.0", self.found["dma-identity"]["message"])
        self.assertIn("0x84000000", self.found["dma-identity"]["message"])
        self.assertEqual(self.found["dma-identity"]["severity"], "info")
        self.assertIn("0000:00:02.0", self.found["dma-not-checked"]["message"])

    def test_devices_by_the_directory(self):
        note = {"kernel": "7.2", "memory": [{"start": "0x84000000", "end": "0x84ffffff", "name": "Crash kernel"}],
                "devices": [{"device_id": "0x8", "name": "0000:00:01.0", "iommu": f"{common.BASE:#x}", "group": "0"}]}
        m = common.Machine()
        m.memory.put64(m.DDT + 64 * 0x12, 1, 0, 0, 0, 0, 0, 0, 0)
        capture.write(self.path("m.core"), m.memory, m.registers, common.BASE, "3010000.iommu", note)
        self.ids(["-i", self.path("m.core")])
        self.assertIn("0x12", self.found["dma-identity"]["message"])
        self.assertNotIn("0000:00:01.0", self.found["dma-identity"]["message"])
        self.assertIn("0x10", self.found["dma-not-checked"]["message"])  # its tables are not in the file
        self.assertIn("1 devices", self.found["dma-apart"]["message"])   # 0000:00:01.0

    def test_page_tables_over_the_crash_kernel(self):
        for start, end, reached in ((0xa0100000, 0xa01fffff, True), (0x9fff0000, 0xa0000000, True), (0xa0200000, 0xa0ffffff, False),
                                    (0x90001000, 0x90001fff, True), (0x90002000, 0x9fffffff, False)):
            with self.subTest(start=hex(start)):
                note = {"kernel": "7.2", "memory": [{"start": hex(start), "end": hex(end), "name": "Crash kernel"}],
                        "devices": [{"device_id": "0x8", "name": "0000:00:01.0", "iommu": f"{common.BASE:#x}", "group": "0"}]}
                m = common.Machine()
                capture.write(self.path("m.core"), m.memory, m.registers, common.BASE, "3010000.iommu", note)
                self.ids(["-i", self.path("m.core")])
                self.assertEqual("dma-window" in self.found, reached)
                self.assertEqual("dma-apart" in self.found, not reached)
                if reached:
                    self.assertIn("0000:00:01.0", self.found["dma-window"]["message"])
                    self.assertEqual(self.found["dma-window"]["severity"], "warning")

    def test_notice_of_an_mrif_in_the_crash_kernel(self):
        note = {"kernel": "7.2", "memory": [{"start": "0x98000000", "end": "0x98ffffff", "name": "Crash kernel"}],
                "devices": [{"device_id": "0x12", "name": "0000:00:01.0", "iommu": f"{common.BASE:#x}", "group": "0"}]}
        m, second, table = common.Machine(), 0x80040000, 0x80050000
        for page in (*range(second, second + 0x4000, 0x1000), table):
            m.memory.page(page)
        m.registers["capabilities"] |= 1 << 23  # MSI_MRIF
        m.memory.put64(m.DDT + 64 * 0x12, 1, 8 << 60 | second >> 12, 0, 0, 1 << 60 | table >> 12, 0, 0x28000, 0)
        m.memory.put64(table, 0x90000200 >> 9 << 7 | 3, common.UPPER(0x98001000) | 5)
        capture.write(self.path("m.core"), m.memory, m.registers, common.BASE, "3010000.iommu", note)
        self.ids(["-i", self.path("m.core")])
        self.assertIn("0000:00:01.0", self.found["dma-window"]["message"])

    def test_firmware(self):
        tree = fdt.machine()
        tree.children.append(fdt.Node("chosen", {}, [fdt.Node("framebuffer@9000", {"compatible": fdt.text("simple-framebuffer")})]))
        tree.children.append(fdt.Node("reserved-memory", {}, [
            fdt.Node("splash@a000", {"iommu-addresses": fdt.cells(1, 0, 0xa000, 0, 0x1000)}),
            fdt.Node("off@b000", {"iommu-addresses": fdt.cells(1, 0, 0xb000, 0, 0x1000), "status": fdt.text("disabled")})]))
        root = self.root(tree=tree, registers=common.Machine().registers)
        ids = self.ids(root)
        self.assertIn("framebuffer@9000", self.found["firmware-framebuffer"]["message"])
        self.assertIn("leave", self.found["firmware-framebuffer"]["advice"])
        self.assertIn("/soc/iommu@3010000", self.found["firmware-dma"]["message"])
        self.assertEqual(ids.count("firmware-dma"), 1)
        self.ids(root, self.wrapped(root, "--policy", "leave"))
        self.assertEqual(self.found["firmware-framebuffer"]["severity"], "info")

    def test_framebuffers_of_the_kernel(self):
        root = self.root()
        for line, found in (("0 simple", True), ("0 EFI VGA", True), ("0 simpledrmdrmfb", True), ("0 virtio_gpudrmfb", False)):
            self.write("root/proc/fb", line + "\n")
            with self.subTest(line):
                self.assertEqual("firmware-framebuffer" in self.ids(root), found)

    def test_what_is_loaded(self):
        root = self.root()
        ids = self.ids(root)
        self.assertIn("kexec-not-loaded", ids)
        self.assertIn("crash-not-loaded", ids)
        self.write("root/sys/kernel/kexec_loaded", "1\n")
        os.unlink(self.path("root/sys/kernel/kexec_crash_loaded"))
        self.assertIn("no-kexec", self.ids(root))
        self.write("root/sys/kernel/kexec/crash_loaded", "1\n")
        ids = self.ids(root)
        self.assertIn("kexec-loaded", ids)
        self.assertIn("crash-loaded", ids)

    def test_what_does_not_say_whether_one_is_loaded(self):
        for text in ("", "2\n", "x"):
            root = self.root()
            self.write("root/sys/kernel/kexec_loaded", text)
            self.assertIn("no-kexec", self.ids(root, "-l"), repr(text))

    def test_lockdown_and_kexec_tools(self):
        root = self.root()
        self.write("root/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
        ids = self.ids(root)
        self.assertEqual(self.found["lockdown"]["severity"], "error")
        self.assertIn("kexec-missing", ids)
        self.kexec()
        self.ids(root)
        self.assertIn("makedumpfile", self.found["kexec-version"]["message"])
        self.assertNotIn("kexec-missing", self.found)

    def test_kexec_that_does_not_end(self):
        root = self.root()
        for name, script, word in (("silent", "exec sleep 100", "come to an end"), ("after its answer", "echo kexec-tools 9.9.9; exec sleep 100 >&- 2>&-", "9.9.9"),
                                   ("endless", "exec yes", "say its version")):
            with self.subTest(name):
                os.chmod(self.write("root/kexec", f"#!/bin/sh\n{script}\n"), 0o755)
                self.ids(root)
                self.assertIn(word, self.found["kexec-version"]["message"])

    def test_record_that_a_next_kernel_would_inherit(self):
        root = self.root()
        self.assertNotIn("own-record", self.ids(root))
        self.write(f"root/dt/chosen/{PROPERTY}", record(entry()))
        self.assertIn("own-record", self.ids(root))

    def test_save(self):
        core = self.path("saved.core")
        self.prep("-i", self.machine(), "check", "--save", core, status=7)
        self.ran("-i", core, "list")

    def test_bad_image(self):
        root = self.root()
        self.prep(*root, "check", self.write("bad", b"x"), status=5)
        self.prep(*root, "check", self.path("nothing"), status=1)


class Vmcore(Prep):
    """iommu-dump takes the registers of a vmcore from the record."""

    def setUp(self):
        super().setUp()
        m = common.Machine()
        r = m.registers
        self.entry = entry(capabilities=r["capabilities"], ddtp=r["ddtp"], new=r["ddtp"] & ~0xf, ticks=5,
                           **{k: r[k] for k in ("cqb", "fqb", "pqb", "fctl", "cqh", "cqt", "fqh", "fqt", "pqh", "pqt", "cqcsr", "fqcsr",
                                                "pqcsr", "ipsr")})
        self.vmcore = self.write("root/proc/vmcore", capture.core(capture.note(7, b"x", b"CORE\0"), sorted(
            (page, bytes(content)) for page, content in m.memory.pages.items())))
        self.options = self.root()

    def record(self, *entries, **kwargs):
        return self.write("record", record(*entries, **kwargs))

    def test_record_by_name(self):
        one, = self.object("-i", self.vmcore, "-O", f"record={self.record(self.entry)}", "list")["iommus"]
        self.assertEqual((one["mode"], one["found"], one["method"]), ("1LVL", "record", "record"))

    def test_faults_are_walked_and_saved(self):
        options = ["-O", f"record={self.record(self.entry)}"]
        saved = self.path("saved.core")
        faults = self.object("-i", self.vmcore, *options, "--save", saved, "faults", "--walk")["faults"]
        self.assertEqual(faults, self.object("-i", saved, "faults", "--walk")["faults"])
        self.assertEqual([f["cause"] for f in faults if f["pending"]], [15, 13])

    def test_live_vmcore_finds_it_by_itself(self):
        self.write(f"root/dt/chosen/{PROPERTY}", record(self.entry))
        one, = self.object(*self.options, "-i", self.vmcore, "list")["iommus"]
        self.assertEqual(one["mode"], "1LVL")
        self.ran(*self.options, "-i", self.vmcore, "-O", "record=none", "list", status=3)

    def test_record_of_the_flattened_tree(self):
        tree = fdt.machine()
        tree.children.append(fdt.Node("chosen", {PROPERTY: record(self.entry)}))
        self.write("root/fdt", fdt.blob(tree))
        self.object(*self.options, "-i", self.vmcore, "list")

    def test_another_core_is_not_explained_by_this_machine(self):
        self.write(f"root/dt/chosen/{PROPERTY}", record(self.entry))
        with open(self.vmcore, "rb") as f:
            other = self.write("other", f.read())
        self.ran(*self.options, "-i", other, "list", status=3)
        self.object(*self.options, "-i", other, "-O", "record=auto", "list")

    def test_capture_has_registers_of_its_own(self):
        top = self.object("-i", self.machine(registers={"ddtp": 1}), "-O", f"record={self.record(self.entry)}", "list")
        self.assertEqual(top["iommus"][0]["mode"], "Bare")

    def test_by_hand_wins(self):
        one, = self.object("-i", self.vmcore, "-O", f"record={self.record(self.entry)}", "--reg", "ddtp=1", "list")["iommus"]
        self.assertEqual(one["mode"], "Bare")

    def test_what_the_stub_did_not_read_is_no_register(self):
        path = self.record(entry(status=TRAP), entry(base=0x3020000, status=NOT_IOMMU))
        self.assertIn(b"0x3020000", self.ran("-i", self.vmcore, "-O", f"record={path}", "list", status=3).err)

    def test_empty_or_damaged(self):
        done = self.ran("-i", self.vmcore, "-O", f"record={self.record(state=NEVER_RUN)}", "list", status=3)
        self.assertIn(b"did not run", done.err)
        self.ran("-i", self.vmcore, "-O", f"record={self.write('bad', b'x')}", "list", status=5)
        path = self.write("unaligned", record(entry(base=0x3010010)))
        self.assertIn(b"0x3010010", self.ran("-i", self.vmcore, "-O", f"record={path}", "list", status=5).err)
        self.ran("-i", self.vmcore, "-O", f"record={self.path('nothing')}", "list", status=1)
        done = self.ran(*self.options, "-i", self.vmcore, "list", status=3)
        self.assertIn(b"no handover record", done.err)


class Schema(unittest.TestCase):
    def test_schema_is_a_schema(self):
        self.assertIn("SPDX-License-Identifier: GPL-2.0-or-later", SCHEMA["$comment"])
        self.assertNotEqual(schema.Checker(SCHEMA).errors(json.loads('{"schema":"iommu-kexec-prep/1"}')), [])
