#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hooks of contrib/ (riscv-iommu-hooks(7)) in a faithful tree: files as a system has them, below a temporary folder, with the
real tools, and programs that pretend to be kexec, mount, reboot. What a real system makes of them is tests/board's part.

IOMMU_DUMP names a program with the other three beside it; HOOKS what make built of the hooks; HOOK_SHELL the shell that runs the hooks (default: sh). The last line is
`N passed, N failed, N skipped`. Exit status: 0 all passed, 1 not, 77 no program to test.
"""
import os
import re
import shutil
import stat
import subprocess
import sys
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TOP, "tests", "cli"), os.path.join(TOP, "tests", "vectors")]

import common  # noqa: E402
import test_kexec_prep as prep  # noqa: E402

CONTRIB = os.path.join(TOP, "contrib")
SHELL = os.environ.get("HOOK_SHELL", "sh")
DUMP = os.path.abspath(os.environ.get("IOMMU_DUMP", "./iommu-dump"))
TOOLS = ("iommu-dump", "iommu-kexec-prep", "iommu-quiesce")
HELPERS = "usr/libexec/riscv-iommu-tools"
SETTINGS = "etc/default/riscv-iommu-tools"
# All hooks: where they are in the source, where in a system, and how somebody calls them.
HOOKS = {
    "load": ("hooks/load-crash-kernel", f"{HELPERS}/load-crash-kernel", []),
    "refresh": ("hooks/refresh-images", f"{HELPERS}/refresh-images", []),
    "save": ("hooks/save-handover", f"{HELPERS}/save-handover", ["@mnt"]),
    "shutdown": ("systemd/system-shutdown/riscv-iommu-tools", "usr/lib/systemd/system-shutdown/riscv-iommu-tools", ["kexec"]),
    "postinst": ("kernel/postinst.d/zz-riscv-iommu-tools", "etc/kernel/postinst.d/zz-riscv-iommu-tools", ["7.9.1-test", "@boot/vmlinuz-7.9.1-test"]),
    "postrm": ("kernel/postrm.d/zz-riscv-iommu-tools", "etc/kernel/postrm.d/zz-riscv-iommu-tools", ["7.9.1-test", "@boot/vmlinuz-7.9.1-test"]),
    "mkinitramfs": ("initramfs-tools/hooks/riscv-iommu-tools", "usr/share/initramfs-tools/hooks/riscv-iommu-tools", []),
    "init-bottom": ("initramfs-tools/scripts/init-bottom/riscv-iommu-tools", "scripts/init-bottom/riscv-iommu-tools", []),
    "dracut": ("dracut/riscv-iommu-capture.sh", "usr/lib/dracut/hooks/riscv-iommu-capture.sh", []),
    "module": ("dracut/module-setup.sh", "usr/lib/dracut/modules.d/90riscv-iommu/module-setup.sh", None),
    "pre.d": ("kdump/pre.d/50-riscv-iommu", "etc/kdump/pre.d/50-riscv-iommu", []),
}
# These end with 0 whatever happens: somebody's upgrade, shutdown or dump goes on after them.
ALWAYS_0 = ("save", "shutdown", "postinst", "postrm", "mkinitramfs", "init-bottom", "dracut", "pre.d")
ALL_ON = """CRASH_KERNEL=/boot/vmlinuz-7.9.1-test REFRESH=yes CAPTURE=yes CAPTURE_FREE_MIB=0 CAPTURE_MIB=1
SHUTDOWN_REPORT=yes SHUTDOWN_STOP=0000:00:02.0
"""


class Tree(prep.Prep):
    """A system with an IOMMU, all tools, a kernel, and the hooks where they are installed."""

    def setUp(self):
        super().setUp()
        self.tree = self.path("root")
        self.set_up(self.root(registers=common.Machine().registers, cmdline="BOOT_IMAGE=/vmlinuz root=/dev/vda crashkernel=256M quiet"))

    def set_up(self, options):
        options = [*options, "-O", f"state.path={self.below('run/riscv-iommu')}"]
        for folder in ("usr/sbin", "boot", "dev", "run", "mnt", "tmp", "proc/device-tree", "var/lib", "sysroot"):
            os.makedirs(self.below(folder), exist_ok=True)
        for tool in TOOLS:
            words = " ".join(f"'{word}'" for word in options)
            self.program(tool, f'exec {os.path.join(os.path.dirname(DUMP), tool)} {words} "$@"')
        self.kexec()
        self.program("mount", f'echo "mount $*" >>{self.path("called")}')
        for name in ("reboot", "poweroff"):
            self.program(name, f'echo "{name} $*" >>{self.path("called")}')
        self.program("uname", "echo 7.9.1-test")
        self.put("boot/vmlinuz-7.9.1-test", prep.image())
        self.put("dev/kmsg", "")
        self.put("proc/mounts", f"/dev/vda {self.below('mnt')} ext4 ro,relatime 0 0\n")
        self.put("usr/share/initramfs-tools/hook-functions", 'copy_exec() { mkdir -p "$DESTDIR/usr/sbin" && cp "$1" "$DESTDIR/usr/sbin/"; }\n')
        for source, path, _ in [*HOOKS.values(), ("hooks/hooks.sh", f"{HELPERS}/hooks.sh", None)]:
            self.install(source, path)

    def below(self, name):
        return os.path.join(self.tree, name)

    def put(self, name, content):
        return self.write(os.path.join("root", name), content)

    def program(self, name, text):
        os.chmod(self.put(f"usr/sbin/{name}", f"#!/bin/sh\n{text}\n"), 0o755)

    def install(self, source, path):
        """As make does, and with the tree for what lies outside of it."""
        with open(os.path.join(CONTRIB, source + ".in"), encoding="utf-8") as f:
            text = f.read()
        text = re.sub(r"^root=.*$", f"root={self.tree}", text, flags=re.M)
        text = text.replace("/usr/share/initramfs-tools/hook-functions", self.below("usr/share/initramfs-tools/hook-functions"))
        for name, value in (("sbindir", self.below("usr/sbin")), ("pkglibexecdir", self.below(HELPERS)), ("sysconfdir", "/etc")):
            text = text.replace(f"@{name}@", value)
        os.chmod(self.put(path, text), 0o755)

    def settings(self, text):
        self.put(SETTINGS, text)

    def hook(self, name, *args, status=0, timeout=20, **environment):
        """Runs one; what it said."""
        path, given = self.below(HOOKS[name][1]), HOOKS[name][2]
        args = args or [word.replace("@", self.tree + "/", 1) if word.startswith("@") else word for word in given]
        env = dict(os.environ, LC_ALL="C", TMPDIR=self.below("tmp"), rootmnt=self.below("mnt"), NEWROOT="/mnt", DESTDIR=self.path("initramfs"))
        if name == "dracut":
            env["NEWROOT"] = self.below("mnt")
        env.update(environment)
        done = subprocess.run([SHELL, path, *args], env=env, capture_output=True, text=True, timeout=timeout, check=False)
        self.assertEqual(done.returncode, status, f"{name}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def kmsg(self):
        with open(self.below("dev/kmsg"), encoding="utf-8") as f:
            return f.read()

    def called(self):
        try:
            with open(self.path("called"), encoding="utf-8") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def files(self):
        """All there is, with its content: to see that nothing changed."""
        found = {}
        for folder, _, names in os.walk(self.dir):
            found[folder] = None
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as f:
                        found[path] = f.read()
        return found

    def crash(self, record=True):
        """From here on this is a crash kernel."""
        if record:
            self.put("dt/chosen/riscv-iommu-handover", prep.record(prep.entry()))
            self.put("proc/device-tree/chosen/riscv-iommu-handover", prep.record(prep.entry()))
        shutil.move(self.machine("vmcore"), self.below("proc/vmcore"))

    def dump(self):
        """The one folder of a crash."""
        top = self.below("mnt/var/crash")
        folders = os.listdir(top)
        self.assertEqual(len(folders), 1, folders)
        return os.path.join(top, folders[0])

    def is_wrapped(self, path):
        found = self.answer("-i", self.machine(), "check", path)
        return "image-wrapped" in [f["id"] for f in found["findings"]]


class Off(Tree):
    def nothing_happens(self, quiet=True):
        self.crash()
        before = self.files()
        for name in HOOKS:
            if name in ("module", "load") and not quiet:
                continue
            said = self.hook(name, *([] if HOOKS[name][2] is not None else ["x"]))
            if quiet and name != "load":
                self.assertEqual(said, "", name)
        self.assertEqual(self.files(), before)

    def test_by_what_is_shipped(self):
        shutil.copy(os.path.join(CONTRIB, "hooks", "riscv-iommu-tools"), self.put(SETTINGS, ""))
        self.nothing_happens()

    def test_without_settings(self):
        self.nothing_happens()

    def test_settings_that_are_no_shell(self):
        self.settings(ALL_ON + "if then (\n")
        self.nothing_happens(quiet=False)

    def test_a_word_that_is_neither_yes_nor_no(self):
        self.settings("REFRESH=true\nCAPTURE=1\nSHUTDOWN_REPORT=on\n")
        self.nothing_happens(quiet=False)
        self.assertIn("REFRESH=true", self.hook("postinst"))

    def test_settings_that_end_the_shell(self):
        self.settings("exit 9\n")
        self.crash()
        for name in ALWAYS_0:
            self.hook(name)

    def test_machines_without_an_iommu(self):
        shutil.rmtree(self.tree)
        self.set_up(self.root(bases=()))
        self.settings(ALL_ON)
        os.makedirs(self.below("var/lib/riscv-iommu-tools"))
        before = self.files()
        self.assertIn("no RISC-V IOMMU", self.hook("load"))
        for name in ("refresh", "shutdown", "postinst", "save", "init-bottom", "dracut", "pre.d"):
            self.hook(name)
        self.assertEqual(self.files(), before)

    def test_without_the_tools(self):
        """Removed, but its settings are still there, as dpkg leaves them."""
        self.settings(ALL_ON)
        self.crash()
        for tool in TOOLS:
            os.remove(self.below(f"usr/sbin/{tool}"))
        for name in ALWAYS_0:
            self.hook(name)
        shutil.rmtree(self.below(HELPERS))
        for name in ("postinst", "postrm", "pre.d", "shutdown", "mkinitramfs", "init-bottom", "dracut"):
            self.assertEqual(self.hook(name), "", name)

    def test_only_in_a_crash_kernel(self):
        self.settings(ALL_ON)
        before = self.files()
        for name in ("save", "init-bottom", "dracut", "pre.d"):
            self.assertEqual(self.hook(name), "", name)
        self.assertEqual(self.files(), before)


class Load(Tree):
    def args(self):
        return self.given("args").decode().splitlines()

    def test_wraps_and_loads_with_the_initrd(self):
        self.put("boot/initrd", "x")
        self.settings('CRASH_KERNEL=/boot/vmlinuz-$(uname -r)\nCRASH_INITRD=/boot/initrd\nCRASH_APPEND="nr_cpus=1 a"\n')
        self.hook("load")
        self.assertEqual(self.args()[:2], ["-c", "-p"])
        self.assertIn("--initrd=" + self.below("boot/initrd"), self.args())
        self.assertIn("--command-line=root=/dev/vda quiet nr_cpus=1 a", self.args())
        self.assertTrue(self.is_wrapped(self.write("copy", self.given("image"))))
        with open(self.below("run/riscv-iommu/loaded-panic"), encoding="utf-8") as mark:
            self.assertIn("kernel 7.9.1-test", mark.read())

    def test_options_of_the_administrator(self):
        self.settings('CRASH_KERNEL=/boot/vmlinuz-7.9.1-test\nPREP_OPTIONS="--policy leave -v"\n')
        self.hook("load")
        found = self.answer("-i", self.machine(), "check", self.write("copy", self.given("image")), status=7)
        self.assertIn("policy-leave", [f["id"] for f in found["findings"]])

    def test_failures_are_seen(self):
        self.settings("CRASH_KERNEL=/boot/none\n")
        self.assertIn("none", self.hook("load", status=1))
        self.settings("CRASH_KERNEL=/boot/vmlinuz-7.9.1-test\nCRASH_INITRD=/boot/none\n")
        self.assertIn("none", self.hook("load", status=1))
        self.settings("CRASH_KERNEL=/boot/vmlinuz-7.9.1-test\n")
        self.kexec(status=1)
        self.hook("load", status=1)
        self.put("boot/vmlinuz-7.9.1-test", prep.image(texts=b""))
        self.assertIn("driver", self.hook("load", status=7))

    def test_not_in_a_crash_kernel(self):
        self.settings(ALL_ON)
        self.crash()
        self.hook("load")
        self.assertFalse(os.path.exists(self.path("given")))

    def test_the_unit_and_the_helper_agree(self):
        with open(os.path.join(CONTRIB, "systemd/riscv-iommu-crash-kernel.service.in"), encoding="utf-8") as f:
            unit = f.read()
        self.assertIn("\nExecStart=@pkglibexecdir@/load-crash-kernel\n", unit)
        self.assertIn("\nConditionKernelCommandLine=crashkernel\n", unit)
        self.assertIn("\nWantedBy=multi-user.target\n", unit)
        if shutil.which("systemd-analyze"):
            path = self.write("u/riscv-iommu-crash-kernel.service", unit.replace("@pkglibexecdir@", self.below(HELPERS)).replace("kexec -p", "/bin/true -p"))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60, check=False)
            self.assertNotIn("crash-kernel.service:", done.stderr)


class Upgrade(Tree):
    made = "var/lib/riscv-iommu-tools/vmlinuz-7.9.1-test"

    def setUp(self):
        super().setUp()
        self.settings("REFRESH=yes\n")

    def test_a_new_kernel_gets_a_wrapped_image(self):
        said = self.hook("postinst")
        self.assertIn("vmlinuz-7.9.1-test with the stub", said)
        self.assertTrue(self.is_wrapped(self.below(self.made)))

    def test_as_run_parts_calls_it(self):
        if not shutil.which("run-parts"):
            self.skipTest("run-parts is not here")
        subprocess.run(["run-parts", "--exit-on-error", "--arg=7.9.1-test", "--arg=" + self.below("boot/vmlinuz-7.9.1-test"),
                        self.below("etc/kernel/postinst.d")], check=True, timeout=60, capture_output=True)
        self.assertTrue(self.is_wrapped(self.below(self.made)))
        subprocess.run(["run-parts", "--exit-on-error", "--arg=7.9.1-test", self.below("etc/kernel/postrm.d")], check=True, timeout=60)
        self.assertFalse(os.path.exists(self.below(self.made)))

    def test_an_upgrade_of_the_same_version(self):
        self.hook("postinst")
        with open(self.below(self.made), "rb") as f:
            before = f.read()
        self.put("boot/vmlinuz-7.9.1-test", prep.image(tail=b"newer" * 100))
        self.hook("postinst")
        with open(self.below(self.made), "rb") as f:
            after = f.read()
        self.assertNotEqual(before, after)
        self.assertIn(b"newer", after)

    def test_an_iommu_that_came(self):
        self.hook("postinst")
        self.set_up(self.root(bases=(common.BASE, common.BASE + 0x10000)))
        self.settings("REFRESH=yes\n")
        self.hook("refresh", "--all")
        root = self.root(bases=(common.BASE, common.BASE + 0x10000))
        found = self.answer(*root, "check", self.below(self.made))
        self.assertNotIn("iommu-not-covered", [f["id"] for f in found["findings"]])
        self.assertIn("2 IOMMUs", str(found["findings"]))

    def test_the_upgrade_goes_on_and_the_old_image_stays(self):
        self.hook("postinst")
        before = self.files()
        for bad in (b"", b"no kernel", prep.image(texts=b"")):
            self.put("boot/vmlinuz-7.9.1-test", bad)
            self.assertIn("warning", self.hook("postinst"))
        self.put("boot/vmlinuz-7.9.1-test", prep.image())
        for failure in ("exit 1", "kill -9 $$", "exit 4"):
            self.program("iommu-kexec-prep", failure)
            self.assertIn("warning", self.hook("postinst"))
            self.program("iommu-kexec-prep", self.tool_text("iommu-kexec-prep", before))
        self.assertEqual(self.files(), before)

    def tool_text(self, name, files):
        return files[self.below(f"usr/sbin/{name}")].decode().split("\n", 1)[1].rstrip("\n")

    def test_a_tool_that_hangs(self):
        self.program("iommu-kexec-prep", "exec sleep 60")
        with open(self.below(f"{HELPERS}/refresh-images"), encoding="utf-8") as f:
            text = f.read()
        self.put(f"{HELPERS}/refresh-images", text.replace("timeout -k 5 100", "timeout -k 1 0.5"))
        self.assertIn("took too long", self.hook("postinst"))

    def test_a_folder_that_cannot_be_made(self):
        self.put("var/lib/riscv-iommu-tools", "a file")
        self.assertIn("warning", self.hook("postinst"))
        self.hook("postrm")

    def test_odd_arguments(self):
        before = self.files()
        self.hook("postinst", "")
        self.hook("postrm", "")
        self.hook("postrm", "../../../boot/vmlinuz-7.9.1-test")
        self.hook("postinst", "7.0-none")
        shutil.rmtree(self.below("var/lib/riscv-iommu-tools"))
        os.makedirs(self.below("var/lib"), exist_ok=True)
        self.assertEqual(self.files(), before)

    def test_the_running_kernel_with_its_tree(self):
        self.hook("refresh")
        self.assertEqual(os.readlink(self.below("var/lib/riscv-iommu-tools/vmlinuz")), "vmlinuz-7.9.1-test")
        with open(self.below("var/lib/riscv-iommu-tools/dtb"), "rb") as f:
            self.assertIn(b"RVIOMMU-HANDOVER", f.read())
        self.hook("postrm")
        self.assertEqual(os.listdir(self.below("var/lib/riscv-iommu-tools")), ["dtb"])

    def test_where_systems_keep_a_kernel(self):
        os.remove(self.below("boot/vmlinuz-7.9.1-test"))
        self.hook("refresh", status=1)
        for name in ("usr/lib/modules/7.9.1-test/vmlinuz", "boot/vmlinux-7.9.1-test"):
            self.put(name, prep.image())
            self.assertIn(name + " with the stub", self.hook("refresh"))
            self.assertIn(name + " with the stub", self.hook("refresh", "7.9.1-test"))
            self.assertIn(name + " with the stub", self.hook("refresh", "--all"))

    def test_what_others_have_there_stays(self):
        self.put("var/lib/riscv-iommu-tools/vmlinuz-0", "somebody's")
        os.symlink("vmlinuz-0", self.below("var/lib/riscv-iommu-tools/vmlinuz"))
        self.hook("postinst")
        self.hook("refresh", "--all")
        self.hook("postrm")
        self.assertEqual(sorted(os.listdir(self.below("var/lib/riscv-iommu-tools"))), ["vmlinuz", "vmlinuz-0"])

    def test_removed_also_when_switched_off(self):
        self.hook("postinst")
        self.settings("REFRESH=no\n")
        self.hook("postrm")
        self.assertFalse(os.path.exists(self.below(self.made)))


class Initramfs(Tree):
    def test_what_goes_in(self):
        self.settings(ALL_ON)
        self.hook("mkinitramfs")
        got = set()
        for folder, _, names in os.walk(self.path("initramfs")):
            got |= {os.path.relpath(os.path.join(folder, name), self.path("initramfs")) for name in names}
        helpers = os.path.relpath(self.below(HELPERS), "/")
        self.assertEqual(got, {"usr/sbin/iommu-dump", "usr/sbin/iommu-kexec-prep", "usr/sbin/timeout", SETTINGS,
                               f"{helpers}/hooks.sh", f"{helpers}/save-handover"})
        self.assertTrue(os.access(os.path.join(self.path("initramfs"), helpers, "save-handover"), os.X_OK))

    def test_prerequisites(self):
        self.settings(ALL_ON)
        self.crash()
        before = self.files()
        for name in ("mkinitramfs", "init-bottom"):
            self.assertEqual(self.hook(name, "prereqs"), "")
        self.assertEqual(self.files(), before)

    def test_without_a_tool_the_initramfs_is_made_all_the_same(self):
        self.settings(ALL_ON)
        os.remove(self.below("usr/sbin/iommu-dump"))
        self.assertIn("iommu-dump cannot be put into", self.hook("mkinitramfs", PATH="/usr/bin:/bin"))

    def module(self, script):
        text = "inst_multiple() { echo multiple $*; }; inst_simple() { echo simple $*; }; inst_script() { echo script $*; }\n" \
               "inst_hook() { echo hook $*; }; require_binaries() { echo binaries $*; }; moddir=/module\n"
        path = self.below(HOOKS["module"][1])
        return subprocess.run(["bash", "-c", f"{text}. {path}; {script}"], capture_output=True, text=True, timeout=20, check=False)

    def test_dracut_takes_it_where_it_is_wanted(self):
        self.settings("CAPTURE=no\n")
        self.assertEqual(self.module("check").returncode, 255)
        self.settings(ALL_ON)
        self.assertEqual(self.module("check").returncode, 0)
        self.assertEqual(self.module("depends").stdout, "base\n")

    def test_what_dracut_puts_in(self):
        self.settings(ALL_ON)
        said = self.module("install").stdout
        for line in (f"simple {self.below(HELPERS)}/hooks.sh", f"script {self.below(HELPERS)}/save-handover", f"simple /{SETTINGS}",
                     "hook pre-pivot 50 /module/riscv-iommu-capture.sh"):
            self.assertIn(line + "\n", said)
        programs = re.search(r"multiple (.*)", said).group(1).split()
        # Every program that the two scripts name, builtins apart.
        for program in ("iommu-dump", "iommu-kexec-prep", "timeout", "df", "awk", "cut", "date", "head", "mkdir", "cp", "rm", "sync"):
            self.assertIn(program, programs)


class Capture(Tree):
    def setUp(self):
        super().setUp()
        self.settings(ALL_ON)

    def saved(self, name="save"):
        self.crash()
        said = self.hook(name)
        folder = self.dump()
        self.assertRegex(os.path.basename(folder), r"^\d{12}$")
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
        # The machine of the tests has a page that is not in its capture, which is told of.
        with open(os.path.join(folder, "iommu-capture.log"), encoding="utf-8") as f:
            self.assertRegex(f.read(), r"\A[^\n]*7 pages saved, 1 could not be read\n\Z")
        json = ["iommu-handover.json"] if common.features(common.TOOL).get("json", True) else []
        self.assertEqual(sorted(os.listdir(folder)), ["iommu-capture.log", "iommu-faults.txt", *json, "iommu-handover.record",
                                                      "iommu-handover.txt", "iommu.core"], said)
        faults = self.one_object(common.call("-i", os.path.join(folder, "iommu.core"), "-J", "faults"))
        self.assertEqual(len(faults["iommus"]), 1)
        self.assertTrue(faults["faults"])
        with open(os.path.join(folder, "iommu-handover.txt"), encoding="utf-8") as f:
            self.assertIn("blocked", f.read())
        with open(os.path.join(folder, "iommu-handover.record"), "rb") as f:
            self.assertEqual(f.read(), prep.record(prep.entry()))
        self.assertIn("<5>riscv-iommu-tools: a capture is in /var/crash/", self.kmsg())
        self.assertIn("<5>riscv-iommu-tools: The stub ran", self.kmsg())
        self.assertEqual(os.path.isdir(self.below("run/riscv-iommu/captured")), True)

    def test_by_initramfs_tools(self):
        self.saved("init-bottom")
        self.assertEqual(self.called(), [f"mount -o remount,{how} {self.below('mnt')}" for how in ("rw", "ro")])

    def test_by_dracut(self):
        self.saved("dracut")

    def test_by_kdump_utils(self):
        self.saved("pre.d")

    def test_a_filesystem_that_can_be_written_stays_so(self):
        self.put("proc/mounts", f"/dev/vda {self.below('mnt')} ext4 rw,errors=remount-ro 0 0\n")
        self.saved()
        self.assertEqual(self.called(), [])

    def test_once_a_crash(self):
        self.saved("pre.d")
        self.hook("dracut")
        self.hook("save")
        self.dump()

    def test_what_comes_then(self):
        self.crash()
        for word in ("reboot", "poweroff"):
            self.settings(ALL_ON + f"CAPTURE_THEN={word}\n")
            self.hook("init-bottom")
            self.assertEqual(self.called()[-1], word + " -f")
        self.settings(ALL_ON + "CAPTURE_THEN='rm -rf /'\n")
        self.hook("init-bottom")
        self.assertIn("neither reboot nor poweroff", self.kmsg())
        self.assertEqual(len(self.called()), 4)

    def test_a_folder_that_is_there_is_not_trusted(self):
        self.crash()
        elsewhere = self.path("elsewhere")
        os.makedirs(elsewhere)
        os.makedirs(self.below("mnt/var/crash"))
        for at in (time.time(), time.time() + 60):
            os.symlink(elsewhere, self.below("mnt/var/crash/" + time.strftime("%Y%m%d%H%M", time.localtime(at))))
        self.hook("save")
        self.assertEqual(os.listdir(elsewhere), [])
        self.assertEqual([name[12:] for name in os.listdir(self.below("mnt/var/crash")) if len(name) > 12], ["-1"])

    def test_room_for_the_dump(self):
        self.crash()
        self.program("df", "echo Filesystem; echo /dev/vda 1000000 1 1048575 99% /")
        self.settings(ALL_ON + "CAPTURE_FREE_MIB=1023\n")
        self.hook("save")
        self.assertIn("1023 MiB are free, 1024 are asked for", self.kmsg())
        self.assertFalse(os.path.exists(self.below("mnt/var")))
        self.program("df", "echo Filesystem; echo /dev/vda 1000000 1 1048576 99% /")
        os.rmdir(self.below("run/riscv-iommu/captured"))
        self.hook("save")
        self.dump()

    def test_no_record(self):
        self.crash(record=False)
        self.hook("save")
        folder = self.dump()
        self.assertIn("iommu.core", os.listdir(folder))
        with open(os.path.join(folder, "iommu-capture.log"), encoding="utf-8") as f:
            self.assertIn("no record", f.read())

    def test_tools_that_fail(self):
        self.crash()
        for n, failure in enumerate(("exit 1", "kill -9 $$", "echo x; exit 5")):
            for tool in TOOLS:
                self.program(tool, failure)
            self.hook("save")
            os.rmdir(self.below("run/riscv-iommu/captured"))
            self.assertEqual(self.kmsg().count("no capture could be made"), n + 1)

    def test_tools_that_hang(self):
        self.crash()
        self.settings(ALL_ON + "CAPTURE_SECONDS=0\n")
        for tool in TOOLS:
            self.program(tool, "exec sleep 60")
        begin = time.monotonic()
        self.hook("save")
        self.assertLess(time.monotonic() - begin, 10)
        self.assertIn("no capture could be made", self.kmsg())

    def test_a_file_that_would_become_too_large(self):
        self.crash()
        self.program("iommu-dump", "yes")
        self.hook("save")
        self.assertLessEqual(os.path.getsize(os.path.join(self.dump(), "iommu-faults.txt")), 1 << 20)

    def test_a_filesystem_that_stays_read_only(self):
        self.crash()
        self.program("mount", "exit 32")
        self.hook("save")
        self.assertIn("cannot be written", self.kmsg())
        self.put("mnt/var", "no folder")
        self.put("proc/mounts", "")
        os.rmdir(self.below("run/riscv-iommu/captured"))
        self.hook("save")
        self.assertIn("no folder can be made", self.kmsg())

    def test_settings_that_are_no_numbers(self):
        self.settings(ALL_ON + "CAPTURE_MIB=lots\nCAPTURE_SECONDS='1; reboot'\n")
        self.program("df", "exit 1")
        self.saved()
        self.assertNotIn("reboot -f", self.called())

    def test_numbers_that_the_shell_cannot_take(self):
        self.settings(ALL_ON + "CAPTURE_MIB=08\nCAPTURE_FREE_MIB=99999999999999999999\nCAPTURE_SECONDS=060\n")
        self.program("df", "exit 1")
        self.saved()
        self.assertEqual(self.called(), [f"mount -o remount,{how} {self.below('mnt')}" for how in ("rw", "ro")])

    def test_read_only_again_whatever_ends_it(self):
        self.crash()
        with open(self.below(f"{HELPERS}/hooks.sh"), "a", encoding="utf-8") as f:
            f.write("number() { exit 2; }\n")
        self.hook("save")
        self.assertEqual(self.called()[-1], f"mount -o remount,ro {self.below('mnt')}")

    def test_nothing_is_mounted_for_the_dump(self):
        self.crash()
        self.hook("pre.d", NEWROOT="/nowhere")
        self.assertIn("no filesystem is mounted for the dump", self.kmsg())


class Shutdown(Tree):
    def setUp(self):
        super().setUp()
        self.settings("SHUTDOWN_REPORT=yes\n")

    def loaded(self, value="1"):
        self.put("sys/kernel/kexec_loaded", value + "\n")

    def test_at_kexec_only(self):
        self.loaded()
        for word in ("poweroff", "halt", "reboot", "soft-reboot", ""):
            self.assertEqual(self.hook("shutdown", word), "")
        self.assertEqual(self.kmsg(), "")

    def test_without_a_word_systemd_is_asked_what_it_was_told(self):
        self.loaded()
        for command, says in (("systemd-shutdown\0reboot\0--log-level\x006\0", False), ("systemd-shutdown\0kexec\0--timeout\x0090000000us\0", True), ("systemd-shutdown\0not-kexec\0", False)):
            with self.subTest(command=command):
                self.put("dev/kmsg", "")
                self.put("proc/1/cmdline", command)
                self.hook("shutdown", "")
                self.assertEqual("THE NEXT KERNEL" in self.kmsg(), says)

    def test_a_kernel_that_we_loaded(self):
        subprocess.run([self.below("usr/sbin/iommu-kexec-prep"), "load", self.below("boot/vmlinuz-7.9.1-test")], check=True, timeout=20,
                       env=dict(os.environ, TMPDIR=self.below("tmp")), capture_output=True)
        self.hook("shutdown")
        self.assertRegex(self.kmsg(), r"^<5>riscv-iommu-tools: kexec: its stub blocks DMA, .*vmlinuz-7.9.1-test, kernel 7.9.1-test, stub for 1 IOMMU\n$")

    def test_a_kernel_of_somebody_else(self):
        self.loaded()
        self.hook("shutdown")
        self.assertIn("<3>riscv-iommu-tools: kexec: THE NEXT KERNEL WAS NOT LOADED BY iommu-kexec-prep", self.kmsg())

    def test_no_kernel(self):
        self.loaded("0")
        self.hook("shutdown")
        self.assertIn("no kernel is loaded", self.kmsg())

    def test_devices_to_stop(self):
        self.settings('SHUTDOWN_STOP="0000:00:02.0 0000:00:03.0"\n')
        self.program("iommu-quiesce", f'echo "quiesce $*" >>{self.path("called")}; [ "$2" = 0000:00:02.0 ]')
        self.hook("shutdown")
        self.assertEqual(self.called(), [f"quiesce --device 0000:00:0{n}.0 --timeout 1" for n in (2, 3)])
        self.assertIn("00:02.0: stopped", self.kmsg())
        self.assertIn("00:03.0: iommu-quiesce did not stop it", self.kmsg())
        self.assertNotIn("kernel", self.kmsg())

    def test_less_than_five_seconds(self):
        self.loaded()
        self.settings("SHUTDOWN_REPORT=yes\nSHUTDOWN_STOP='1 2 3 4 5 6 7 8 9'\n")
        for tool in TOOLS:
            self.program(tool, "trap '' TERM; sleep 20")
        begin = time.monotonic()
        self.hook("shutdown")
        self.assertLess(time.monotonic() - begin, 6)
        self.assertIn("THE NEXT KERNEL", self.kmsg())

    def test_without_a_place_for_messages(self):
        self.loaded()
        os.remove(self.below("dev/kmsg"))
        self.assertIn("THE NEXT KERNEL", self.hook("shutdown"))
        self.assertFalse(os.path.exists(self.below("dev/kmsg")))


class Built(unittest.TestCase):
    def test_every_place_is_filled_in(self):
        built = os.environ.get("HOOKS")
        if not built:
            self.skipTest("HOOKS does not name what make built")
        sources = [os.path.relpath(os.path.join(folder, name), CONTRIB)[:-3]
                   for folder, _, names in os.walk(CONTRIB) for name in names if name.endswith(".in")]
        self.assertGreater(len(sources), len(HOOKS))
        for name in sources:
            with open(os.path.join(built, name), encoding="utf-8") as f:
                text = f.read()
            self.assertEqual(re.findall(r"@\w+@|\${?(?:exec_)?prefix", text), [], name)


class Examples(Tree):
    def test_they_are_shell_and_name_what_is_made(self):
        for name, words in (("kdump-tools.example", "echo $KDUMP_KERNEL $KDUMP_KEXEC_ARGS"),
                            ("sysconfig-kdump.example", 'echo $KDUMP_BOOTDIR/$KDUMP_IMG $KEXEC_ARGS')):
            done = subprocess.run(["sh", "-euc", f'. {CONTRIB}/kdump/{name}; {words}'], capture_output=True, text=True, timeout=20, check=True)
            self.assertEqual(done.stdout, "/var/lib/riscv-iommu-tools/vmlinuz -c --dtb=/var/lib/riscv-iommu-tools/dtb\n")

    def test_every_setting_has_its_place_in_the_manual(self):
        with open(os.path.join(TOP, "man", "riscv-iommu-hooks.7"), encoding="utf-8") as f:
            told = re.findall(r"^\.It Va ([A-Z_]+)$", f.read(), re.M)
        with open(os.path.join(CONTRIB, "hooks", "riscv-iommu-tools"), encoding="utf-8") as f:
            self.assertEqual(told, re.findall(r"^([A-Z_]+)=", f.read(), re.M))

    def test_every_setting_is_shipped_and_has_the_default_of_the_code(self):
        def values(path):
            with open(os.path.join(CONTRIB, path), encoding="utf-8") as f:
                return dict(re.findall(r"(?:^|\s)([A-Z]+_?[A-Z_]*)=('[^']*'|\"[^\"]*\"|[^ \n]*)", re.sub("(?m)^ *#.*", "", f.read())))
        shipped, built_in = values("hooks/riscv-iommu-tools"), values("hooks/hooks.sh.in")
        for name in ("PATH", "IFS"):
            built_in.pop(name)
        self.assertEqual(set(shipped), set(built_in))
        for name, value in built_in.items():
            if name != "CRASH_APPEND":
                self.assertEqual(shipped[name], value.strip("'"), name)


if __name__ == "__main__":
    sys.exit(common.main([os.path.join(os.path.dirname(DUMP), tool) for tool in TOOLS]))
