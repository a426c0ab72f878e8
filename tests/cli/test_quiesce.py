# SPDX-License-Identifier: GPL-2.0-or-later
"""
iommu-quiesce on fake machines: registers are a page of a sparse file, config space is files. A file keeps what is written to
it, so it is an IOMMU that takes everything at once; one that does not is posed by what stands in it before.
"""
import json
import os
import signal
import struct
import subprocess
import time
import unittest

import capture
import common
import schema
from capture import REGISTERS

TOOL = os.environ.get("IOMMU_QUIESCE") or (common.TOOL and os.path.join(os.path.dirname(common.TOOL), "iommu-quiesce"))
SCHEMA = schema.load(os.path.join(os.path.dirname(schema.PATH), "iommu-quiesce-1.schema.json"))
BASE, NAME = common.BASE, "3010000.iommu"
CAPABILITIES = 0x10 | 1 << 9 | 1 << 22 | 1 << 25 | 1 << 28 | 1 << 31 | 56 << 32 | 1 << 38  # Sv39, MSI_FLAT, ATS, wires, DBG
DDTP = common.UPPER(0x80123000) | 4
BUSY, ON = 1 << 17, 1 << 16
LIVE = {"capabilities": CAPABILITIES, "fctl": 2, "ddtp": DDTP, "cqb": common.UPPER(0x80200000) | 12, "cqh": 5, "cqt": 5,
        "fqb": common.UPPER(0x80300000) | 11, "cqcsr": ON | 3, "fqcsr": ON | 3, "pqcsr": 0, "ipsr": 0}
EDU, NVME, IOMMU = "0000:00:01.0", "0000:00:02.0", "0000:00:03.0"
BOOT = "5b7c9a52-4dff-4d0c-a3cc-1f5f2d1b3c4d"
COMMAND, MASTER = 4, 4


def config(command=0x0106, express=False, pending=False, header=0, class_code=0xff0000):
    """256 bytes of config space."""
    c = bytearray(256)
    struct.pack_into("<HHHH", c, 0, 0x1234, 0x11e8, command, 0x10 if express else 0)
    struct.pack_into("<I", c, 8, class_code << 8)
    c[0x0e] = header
    if express:
        c[0x34] = 0x40
        struct.pack_into("<BBHIHH", c, 0x40, 0x10, 0, 2, 0, 0, 0x20 if pending else 0)
    return bytes(c)


@unittest.skipIf(TOOL is None or not os.path.exists(TOOL), "no iommu-quiesce to test: set IOMMU_QUIESCE")
class Machine(common.Case):
    """A machine with one platform IOMMU, and behind it edu (no PCI Express) and an nvme (PCI Express)."""

    def setUp(self):
        super().setUp()
        self.options = self.fake_root() + ["-O", f"state.path={self.path('run')}"]
        os.makedirs(self.path(f"root/sys/class/iommu/riscv-iommu@{NAME}"))
        self.memory(LIVE)
        self.function(EDU, config())
        self.function(NVME, config(0x0506, express=True))
        self.write("root/proc/self/mountinfo", "1 1 0:2 / / rw - rootfs rootfs rw\n")
        self.write("root/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n")
        self.write("root/proc/sys/kernel/random/boot_id", BOOT + "\n")
        for name in ("dev/block", "class/block", "class/net"):
            os.makedirs(self.path("root/sys/" + name), exist_ok=True)

    # -- building ------------------------------------------------------------------------------------------------
    def memory(self, registers, base=BASE):
        path = self.path("root/mem")
        with open(path, "r+b" if os.path.exists(path) else "wb") as f:
            f.truncate(max(os.fstat(f.fileno()).st_size, base + 0x1000))
            for name, value in registers.items():
                offset, width = REGISTERS[name]
                f.seek(base + offset)
                f.write(value.to_bytes(width, "little"))

    def page(self, base=BASE):
        with open(self.path("root/mem"), "rb") as f:
            f.seek(base)
            return f.read(0x1000)

    def reg(self, name, base=BASE):
        offset, width = REGISTERS[name]
        return int.from_bytes(self.page(base)[offset:offset + width], "little")

    def link(self, name, target):
        path = self.path("root/sys/" + name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(os.path.relpath(self.path("root/sys/" + target), os.path.dirname(path)), path)

    def function(self, name, space, iommu=NAME):
        where = f"devices/pci0000:00/{name}"
        self.write(f"root/sys/{where}/config", space)
        self.write(f"root/sys/{where}/class", "0xff0000\n")
        if iommu:
            self.link(f"{where}/iommu", f"class/iommu/riscv-iommu@{iommu}")
        self.link(f"bus/pci/devices/{name}", where)

    def config_of(self, name):
        with open(self.path(f"root/sys/bus/pci/devices/{name}/config"), "rb") as f:
            return f.read()

    def command(self, name):
        return int.from_bytes(self.config_of(name)[COMMAND:COMMAND + 2], "little")

    def disk(self, mount=True):
        where = f"devices/pci0000:00/{NVME}/nvme/nvme0/nvme0n1"
        for name, number in (("nvme0n1", "259:0"), ("nvme0n1/nvme0n1p1", "259:1")):
            at = f"{os.path.dirname(where)}/{name}"
            self.write(f"root/sys/{at}/dev", number + "\n")
            self.link(f"dev/block/{number}", at)
            self.link(f"class/block/{os.path.basename(name)}", at)
            self.write(f"root/sys/{at}/uevent", "")
        if mount:
            self.write("root/proc/self/mountinfo", "1 1 0:2 / / rw - rootfs rootfs rw\n"
                       "30 1 259:1 / /srv/data rw,relatime - ext4 /dev/nvme0n1p1 rw\n")

    def interface(self, flags):
        at = f"devices/pci0000:00/{EDU}/net/eth7"
        self.write(f"root/sys/{at}/flags", f"{flags:#x}\n")
        self.write(f"root/sys/{at}/operstate", "up\n" if flags & 1 else "down\n")
        self.link(f"{at}/device", f"devices/pci0000:00/{EDU}")
        self.link("class/net/eth7", at)

    def everything(self):
        """All files of the fake machine, and which there are."""
        out = {}
        for directory, _, files in os.walk(self.dir):
            for name in files:
                path = os.path.join(directory, name)
                with open(path, "rb") as f:
                    if name == "mem":
                        f.seek(BASE)
                    out[path] = f.read()
        return out

    # -- running -------------------------------------------------------------------------------------------------
    def quiesce(self, *args, status=0, **kwargs):
        done = common.call(*self.options, *args, tool=TOOL, **kwargs)
        self.assertEqual(done.status, status, str(done))
        for word in common.SANITIZER:
            self.assertNotIn(word.encode(), done.err, str(done))
        if status:
            self.assertNotEqual(done.err.strip(), b"", str(done))
        return done

    def report(self, *args, status=0, **kwargs):
        done = self.quiesce("-J", *args, status=status, **kwargs)
        top = self.one_object(done)
        self.assertEqual(schema.Checker(SCHEMA).errors(top)[:6], [], json.dumps(top)[:3000])
        self.assertEqual(top["complete"], not top["errors"])
        return top

    def stages(self, top, undo=False):
        return {s["stage"]: s for s in top["stages"] if s["undo"] == undo}


class Plan(Machine):
    def test_plan_writes_nothing(self):
        before = self.everything()
        top = self.report("--plan")
        self.assertEqual(self.everything(), before)
        self.assertTrue(top["plan"])
        self.assertEqual(top["verdict"], "unknown")
        self.assertEqual([(w["object"], w["register"]) for w in top["writes"]],
                         [(EDU, "COMMAND"), (NVME, "COMMAND"), (NAME, "ddtp")])
        self.assertEqual(top["writes"][2]["value"], hex(DDTP & 0xfffffff0))

    def test_plan_of_handover_names_the_queues(self):
        before = self.everything()
        top = self.report("--plan", "--handover")
        self.assertEqual(self.everything(), before)
        self.assertEqual([w["register"] for w in top["writes"] if w["stage"] == "queues"], ["cqcsr", "fqcsr"])
        self.assertTrue(top["final"])

    def test_plan_in_words(self):
        done = self.quiesce("--plan")
        for word in (b"ddtp", b"COMMAND", EDU.encode(), b"Nothing was written"):
            self.assertIn(word, done.out)

    def test_plan_is_what_is_done(self):
        planned = self.report("--plan", "--handover")["writes"]
        done = self.report("--handover")
        self.assertEqual(done["writes"], planned)
        self.assertEqual(sum(s["writes"] for s in done["stages"]), len(planned))

    def test_plan_needs_no_right_to_write(self):
        os.chmod(self.path("root/mem"), 0o444)
        self.quiesce("--plan")

    def test_plan_of_undo(self):
        self.quiesce()
        before = {k: v for k, v in self.everything().items() if not k.endswith("lock")}
        top = self.report("--plan", "--undo")
        self.assertEqual({k: v for k, v in self.everything().items() if not k.endswith("lock")}, before)
        self.assertIn(("ddtp", hex(DDTP & 0xffffffff)), [(w["register"], w["value"]) for w in top["writes"]])
        self.assertFalse(top["undone"])


class RecordedPlan(Machine):
    def test_is_that_of_the_file_and_looks_at_no_function_of_this_machine(self):
        self.quiesce("--save", self.path("board.core"), "--plan")
        self.memory({"ddtp": 0})
        self.options = ["-i", self.path("board.core")] + self.options
        self.disk()
        before = self.everything()
        top = self.report("--plan", "--handover")
        self.assertEqual(self.everything(), before)
        self.assertEqual([(w["stage"], w["register"], w["value"]) for w in top["writes"]],
                         [("block", "ddtp", hex(DDTP & 0xfffffff0)), ("queues", "cqcsr", "0x0"), ("queues", "fqcsr", "0x0")])
        self.assertEqual({f["kind"] for f in top["functions"]}, {"unknown"})
        self.assertIn(b"stage stop is not in this plan", b" ".join(self.quiesce("--plan").out.split()))

    @unittest.skipIf(common.TOOL and common.slowed(), "sanitizers, and what is not optimized, are slow")
    def test_eight_times_as_many_devices_take_eight_times_as_long(self):
        """Not 64 times, as when each function was looked for among all."""
        def seconds(count):
            names = [f"{i >> 16:04x}:{i >> 8 & 0xff:02x}:{i >> 3 & 0x1f:02x}.{i & 7}" for i in range(count)]
            core = self.path(f"{count}.core")
            capture.write(core, capture.Memory(), LIVE, machine={
                "devices": [{"device_id": hex(i), "name": name, "iommu": hex(BASE)} for i, name in enumerate(names)]})
            self.options = ["-i", core]
            self.assertEqual(len(self.quiesce("-J", "--plan").json()["functions"]), count)
            return common.processor_time(lambda: self.quiesce("--plan"), 3)

        few, many = seconds(4000), seconds(32000)
        self.assertLess(many, 20 * few)


class Block(Machine):
    def test_block_changes_the_mode_and_nothing_else(self):
        before = bytearray(self.page())
        top = self.report()
        self.assertEqual(self.reg("ddtp"), DDTP & ~0xf)
        before[0x10] &= 0xf0
        self.assertEqual(self.page(), bytes(before))
        self.assertEqual(top["verdict"], "blocked")
        self.assertEqual(top["iommus"][0]["mode_before"], "3LVL")
        self.assertEqual(top["iommus"][0]["ddtp_read"], hex(DDTP & ~0xf))
        self.assertLessEqual(self.stages(top)["block"]["writes"], 2)

    def test_bus_mastering_is_cleared_and_nothing_else_of_config_space(self):
        wanted = {name: bytearray(self.config_of(name)) for name in (EDU, NVME)}
        self.quiesce()
        for name, space in wanted.items():
            space[COMMAND] &= ~MASTER
            self.assertEqual(self.config_of(name), bytes(space))

    def test_who_has_no_express_capability_is_never_called_drained(self):
        top = self.report()
        drain = {f["name"]: f["drain"] for f in top["functions"]}
        self.assertEqual(drain, {EDU: "cannot_tell", NVME: "done"})

    def test_a_second_run_finds_it_done(self):
        self.quiesce()
        top = self.report()
        self.assertEqual(top["verdict"], "blocked")
        self.assertEqual(sum(s["writes"] for s in top["stages"]), 0)

    def test_words(self):
        done = self.quiesce()
        for word in (b"stop", b"drain", b"block", b"verify", b"verdict: blocked", b"iommu-kexec-prep"):
            self.assertIn(word, done.out)

    def test_lines_fit_80_columns(self):
        done = self.quiesce()
        for line in done.out.decode().splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_keep(self):
        top = self.report("--keep", "00:01.0")
        self.assertEqual(self.command(EDU), 0x0106)
        self.assertEqual(self.command(NVME), 0x0502)
        self.assertEqual({f["name"]: f["kind"] for f in top["functions"]}[EDU], "kept")
        self.assertEqual(top["verdict"], "blocked")

    def test_skip_stop_and_drain(self):
        top = self.report("--skip", "stop,drain")
        self.assertEqual(self.command(EDU), 0x0106)
        self.assertEqual(self.stages(top)["stop"]["outcome"], "skipped")
        self.assertEqual(top["verdict"], "blocked")

    def test_skip_verify_gives_no_verdict(self):
        top = self.report("--skip", "verify")
        self.assertEqual(top["verdict"], "unknown")
        self.assertTrue(any("verify" in n for n in top["notes"]))

    def test_skip_block_is_not_called_blocked(self):
        top = self.report("--skip", "block", status=6)
        self.assertEqual(top["verdict"], "open")
        self.assertEqual(self.reg("ddtp"), DDTP)
        self.assertEqual(self.command(EDU), 0x0102)

    def test_one_device(self):
        before = self.page()
        self.report("--device", "00:01.0")
        self.assertEqual(self.page(), before)
        self.assertEqual((self.command(EDU), self.command(NVME)), (0x0102, 0x0506))
        self.quiesce("--undo")
        self.assertEqual(self.command(EDU), 0x0106)

    def test_bare_is_blocked_too(self):
        self.memory({"ddtp": 1})
        self.assertEqual(self.report()["verdict"], "blocked")
        self.assertEqual(self.reg("ddtp"), 0)

    def test_what_is_behind_a_bridge_keeps_the_bridge(self):
        self.function("0000:00:04.0", config(header=1))
        top = self.report()
        self.assertEqual(self.command("0000:00:04.0"), 0x0106)
        self.assertEqual({f["name"]: f["kind"] for f in top["functions"]}["0000:00:04.0"], "bridge")


class Undo(Machine):
    def test_undo_restores_everything(self):
        page, spaces = self.page(), [self.config_of(n) for n in (EDU, NVME)]
        self.quiesce()
        top = self.report("--undo")
        self.assertEqual(self.page(), page)
        self.assertEqual([self.config_of(n) for n in (EDU, NVME)], spaces)
        self.assertTrue(top["undone"])
        self.assertEqual(top["action"], "undo")

    def test_mastering_that_was_off_stays_off(self):
        self.write(f"root/sys/devices/pci0000:00/{EDU}/config", config(0x0102))
        self.quiesce()
        self.quiesce("--undo")
        self.assertEqual(self.command(EDU), 0x0102)

    def test_one_function_that_cannot_be_asked_leaves_all_as_it_is(self):
        self.quiesce()
        config_path = self.path(f"root/sys/devices/pci0000:00/{EDU}/config")
        os.rename(config_path, self.path("config"))
        os.mkdir(config_path)  # reading it fails, and not because the function is gone
        self.report("--undo", status=1)
        self.assertEqual(self.reg("ddtp"), DDTP & ~0xf)
        os.rmdir(config_path)
        os.rename(self.path("config"), config_path)
        self.quiesce("--undo")
        self.assertEqual(self.command(EDU), 0x0106)

    def test_one_nothing_to_undo(self):
        self.report("--undo", status=1)

    def test_one_undo_is_not_done_twice(self):
        self.quiesce()
        self.quiesce("--undo")
        self.quiesce("--undo", status=1)

    def test_seven_ddtp_is_not_what_was_left(self):
        self.quiesce()
        self.memory({"ddtp": common.UPPER(0x80999000) | 3})
        before = self.everything()
        self.report("--undo", status=7)
        self.assertEqual(self.everything(), before)

    def test_seven_queue_is_not_where_it_was(self):
        self.quiesce()
        self.memory({"cqb": common.UPPER(0x80555000) | 12})
        self.report("--undo", status=7)
        self.assertEqual(self.reg("ddtp"), DDTP & ~0xf)
        self.assertEqual(self.command(EDU), 0x0102)

    def test_seven_state_of_another_boot(self):
        self.quiesce()
        self.write("root/proc/sys/kernel/random/boot_id", BOOT.replace("5", "6") + "\n")
        self.report("--undo", status=7)
        self.assertEqual(self.reg("ddtp"), DDTP & ~0xf)

    def test_five_damaged_state(self):
        self.quiesce()
        for name in os.listdir(self.path("run")):
            if not name.endswith("lock"):
                os.truncate(os.path.join(self.path("run"), name), 20)
        self.report("--undo", status=5)

    def test_state_is_for_root_alone(self):
        self.quiesce()
        for name in os.listdir(self.path("run")):
            self.assertEqual(os.stat(os.path.join(self.path("run"), name)).st_mode & 0o077, 0, name)


class Hold(Machine):
    def test_hold_undoes_itself(self):
        page, command = self.page(), self.command(EDU)
        start = time.monotonic()
        top = self.report("--hold", "1")
        self.assertGreater(time.monotonic() - start, 0.9)
        self.assertEqual((self.page(), self.command(EDU)), (page, command))
        self.assertTrue(top["undone"])
        self.assertEqual(top["verdict"], "blocked")
        self.assertEqual(self.stages(top, undo=True)["block"]["outcome"], "done")

    def held(self, *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
        """Starts a run that holds; returns when it is blocked."""
        process = subprocess.Popen([TOOL, *self.options, "--hold", "100", *args], stdout=stdout, stderr=stderr)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        for _ in range(200):
            if self.reg("ddtp") & 0xf == 0:
                break
            time.sleep(0.05)
        else:
            self.fail("it does not block")
        time.sleep(0.3)
        return process

    def test_signals_undo(self):
        for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGXCPU, signal.SIGVTALRM, signal.SIGRTMAX):
            with self.subTest(sig=sig):
                process = self.held()
                process.send_signal(sig)
                out, err = process.communicate(timeout=20)
                self.assertEqual(process.returncode, 0, (out, err))
                self.assertEqual((self.reg("ddtp"), self.command(EDU)), (DDTP, 0x0106))

    def test_an_ignored_signal_ends_no_hold(self):
        start = time.monotonic()
        done = subprocess.run(["sh", "-c", 'trap "" USR1 HUP; "$@" & pid=$!; sleep 0.7; kill -USR1 $pid; kill -HUP $pid; wait $pid', "sh",
                               TOOL, *self.options, "--hold", "2"], capture_output=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(time.monotonic() - start, 1.9)
        self.assertEqual(self.reg("ddtp"), DDTP)

    def test_output_from_the_background_does_not_stop_it(self):
        with open(f"/proc/{self.held().pid}/status", encoding="ascii") as f:
            blocked = int(next(line.split()[1] for line in f if line.startswith("SigBlk:")), 16)
        self.assertTrue(blocked >> (signal.SIGTTOU - 1) & 1, hex(blocked))

    def test_output_to_a_file_waits_until_it_is_undone(self):
        """The file may be on the disk that was cut off."""
        for same in (False, True):
            with self.subTest(same=same), open(self.path("out"), "w+b") as out, open(self.path("err"), "w+b") as err:
                process = self.held("-v", stdout=out, stderr=out if same else err)
                with open(self.path("out"), "rb") as f:
                    self.assertNotIn(b"verify", f.read())
                before = os.fstat(err.fileno()).st_size
                process.terminate()
                self.assertEqual(process.wait(timeout=20), 0)
                out.seek(0)
                lines = [line.split()[0] for line in out.read().decode().splitlines() if not line.startswith(("  ", "note"))]
                held = [line for line in lines if line in ("stop", "drain", "block", "verify", "held", "undone:")]
                self.assertEqual(held, ["stop", "drain", "block", "verify", "held", "block", "verify", "stop", "undone:"])
                self.assertEqual(lines.count("iommu-quiesce:") > 0, same)
                self.assertEqual(os.fstat(err.fileno()).st_size > before, not same)

    def test_undo_after_sigkill(self):
        process = self.held()
        process.kill()
        process.communicate(timeout=20)
        self.assertEqual(self.reg("ddtp"), DDTP & ~0xf)
        self.quiesce("--undo")
        self.assertEqual((self.reg("ddtp"), self.command(EDU)), (DDTP, 0x0106))

    def test_one_only_one_at_a_time(self):
        process = self.held()
        done = self.quiesce(status=1)
        self.assertIn(b"another", done.err)
        self.quiesce("--undo", status=1)
        process.terminate()
        process.communicate(timeout=20)

    def test_a_reader_that_goes_away_does_not_stop_the_undo(self):
        process = self.held()
        process.stdout.close()
        process.stderr.close()
        process.stdout = process.stderr = None
        process.terminate()
        process.wait(timeout=20)
        self.assertEqual(self.reg("ddtp"), DDTP)

    def test_what_is_not_blocked_is_not_held(self):
        self.memory({"ddtp": DDTP | 1 << 4})
        start = time.monotonic()
        self.report("--hold", "100", "--timeout", "1", status=6, timeout=30)
        self.assertLess(time.monotonic() - start, 20)


class Handover(Machine):
    def test_queues_are_off_and_it_says_that_this_is_final(self):
        done = self.quiesce("--handover")
        self.assertIn(b"final", done.err)
        self.assertEqual((self.reg("cqcsr"), self.reg("fqcsr"), self.reg("ddtp")), (0, 0, DDTP & ~0xf))

    def test_report(self):
        top = self.report("--handover")
        self.assertEqual((top["action"], top["final"], top["verdict"]), ("handover", True, "blocked"))
        self.assertEqual(self.stages(top)["queues"]["outcome"], "done")

    def test_seven_it_cannot_be_undone(self):
        self.quiesce("--handover")
        before = self.page()
        self.report("--undo", status=7)
        self.assertEqual(self.page(), before)

    def test_six_queue_that_stays_busy(self):
        self.memory({"cqcsr": BUSY | ON | 3})
        top = self.report("--handover", "--timeout", "1", status=6, timeout=30)
        queues = self.stages(top)["queues"]
        self.assertEqual((queues["outcome"], queues["register"]), ("timed_out", "cqcsr"))
        self.assertNotEqual(top["verdict"], "blocked")
        self.assertEqual(self.reg("cqcsr"), BUSY | ON | 3)  # never written while busy


class Refusal(Machine):
    def refused(self, *words, args=()):
        before = self.everything()
        top = self.report(*args, status=7)
        self.assertEqual(self.everything(), before)
        text = " ".join(top["errors"])
        for word in words:
            self.assertIn(word, text)
        return top

    def test_seven_mounted_filesystem(self):
        self.disk()
        top = self.refused(NVME, "/srv/data", "nvme0n1p1")
        self.assertEqual(top["users"], [{"kind": "filesystem", "function": NVME, "name": "nvme0n1p1", "where": "/srv/data"}])

    def test_seven_plan_says_so_too(self):
        self.disk()
        self.refused(NVME, args=("--plan",))

    def test_seven_swap(self):
        self.disk(mount=False)
        self.write("root/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/nvme0n1p1 partition 1048572 0 -2\n")
        self.refused(NVME, "swap")

    def test_seven_interface_that_is_up(self):
        self.interface(0x1043)
        self.refused(EDU, "eth7")

    def test_interface_that_is_down_does_not_matter(self):
        self.interface(0x1002)
        self.quiesce()

    def test_force(self):
        self.disk()
        top = self.report("--force")
        self.assertEqual(top["verdict"], "blocked")
        self.assertTrue(any("/srv/data" in n for n in top["notes"]))

    def test_force_and_hold(self):
        self.disk()
        page = self.page()
        self.quiesce("--force", "--hold", "1")
        self.assertEqual(self.page(), page)

    def test_keep_is_cut_off_by_off_all_the_same(self):
        self.disk()
        self.refused(NVME, args=("--keep", NVME))

    def test_another_device_does_not_cut_the_disk_off(self):
        self.disk()
        self.quiesce("--device", EDU)
        self.assertEqual(self.command(NVME), 0x0506)

    def test_seven_the_device_itself(self):
        self.disk()
        self.refused(NVME, args=("--device", NVME))

    def test_mounts_that_cannot_be_read_are_not_nobody(self):
        os.unlink(self.path("root/proc/self/mountinfo"))
        done = common.call(*self.options, tool=TOOL)
        self.assertNotEqual(done.status, 0)
        self.assertEqual(self.reg("ddtp"), DDTP)


class Statuses(Machine):
    def test_two_usage(self):
        for args in (["x"], ["--skip", "x"], ["--skip", "stop,"], ["--skip", ""], ["--hold", "0"], ["--hold", "x"], ["--hold", "-1"],
                     ["--timeout", "0"], ["--timeout", "3601"], ["--probe", "8"], ["--probe", ":0"], ["--probe", "8:x"],
                     ["--handover", "--hold", "1"], ["--undo", "--hold", "1"], ["--handover", "--undo"], ["--plan", "--hold", "1"],
                     ["--device", "8", "--handover"], ["--device", "8", "--undo"], ["--undo", "--skip", "stop"],
                     ["--via", "x"], ["--via", "remove", "--hold", "1"], ["--via", "remove"], ["--undo", "--keep", "8"],
                     ["--keep", "00:1f.0"], ["--device", "00:1f.0"], ["--probe", "00:1f.0:0x1000"], ["--undo", "--probe", "8:0"],
                     ["--skip", "block", "--probe", "8:0"], ["-i", "x"], ["-i", "x", "--plan", "--undo"], ["-i", "x", "--plan", "--device", "8"], ["--reg", "ddtp=0"], ["--nonsense"]):
            with self.subTest(args=args):
                before = self.everything()
                done = self.quiesce(*args, status=2)
                self.assertIn(b"Try 'iommu-quiesce --help'", done.err)
                self.assertEqual(self.everything(), before)

    def test_three_no_iommu(self):
        options = self.options
        self.options = common.Case.fake_root(self, bases=()) + options[-2:]
        os.rmdir(self.path(f"root/sys/class/iommu/riscv-iommu@{NAME}"))
        self.quiesce(status=3)

    def test_three_not_the_one_that_was_named(self):
        self.quiesce("-u", "0x7000", status=3)

    def test_four_registers_refused(self):
        os.chmod(self.path("root/mem"), 0)
        for directory, _, _ in os.walk(self.dir):
            os.chmod(directory, 0o755)
        os.makedirs(self.path("run"), exist_ok=True)
        os.chmod(self.path("run"), 0o777)
        for args in ([], ["--plan"], ["--undo"], ["--device", EDU]):
            with self.subTest(args=args):
                try:
                    done = common.call(*self.options, *args, tool=TOOL, user=65534 if os.geteuid() == 0 else None)
                except PermissionError as err:
                    self.skipTest(f"the program cannot be run as nobody: {err}")
                if done.status in (126, 127):
                    self.skipTest("the program is out of nobody's reach")
                self.assertEqual(done.status, 4, str(done))
                self.assertIn(b"note: to write registers: ", done.out)

    def test_one_the_state_cannot_be_saved(self):
        self.write("run", "a file where the directory should be")
        done = self.quiesce(status=1)
        self.assertIn(b"nothing was done", done.err)
        self.assertEqual((self.reg("ddtp"), self.command(EDU)), (DDTP, 0x0106))

    def test_five_that_is_no_iommu(self):
        self.memory({"capabilities": 0x20})
        self.report(status=5)
        self.assertEqual(self.reg("ddtp"), DDTP)

    def test_six_a_dead_device_is_never_blocked(self):
        self.memory({"capabilities": (1 << 64) - 1, "ddtp": (1 << 64) - 1})
        self.assertNotEqual(self.report(status=6)["verdict"], "blocked")
        self.assertEqual(self.command(EDU), 0x0106)

    def test_six_nothing_answers_at_the_address(self):
        os.truncate(self.path("root/mem"), BASE)
        self.assertNotEqual(self.report(status=6)["verdict"], "blocked")
        self.assertEqual(self.command(EDU), 0x0106)

    def test_six_ddtp_stays_busy(self):
        self.memory({"ddtp": DDTP | 1 << 4})
        top = self.report("--timeout", "1", status=6, timeout=30)
        block = self.stages(top)["block"]
        self.assertEqual((block["outcome"], block["register"]), ("timed_out", "ddtp"))
        self.assertEqual(self.reg("ddtp"), DDTP | 1 << 4)
        self.assertIn("ddtp", " ".join(top["errors"]))

    def test_six_debug_translation_under_way(self):
        self.memory({"tr_req_ctl": 1})
        top = self.report("--timeout", "1", status=6, timeout=30)
        self.assertEqual(self.stages(top)["block"]["register"], "tr_req_ctl")
        self.assertEqual(self.reg("ddtp"), DDTP)

    def test_six_transactions_pending(self):
        self.write(f"root/sys/devices/pci0000:00/{NVME}/config", config(0x0506, express=True, pending=True))
        top = self.report("--timeout", "1", status=6, timeout=30)
        drain = self.stages(top)["drain"]
        self.assertEqual((drain["outcome"], drain["object"]), ("timed_out", NVME))
        self.assertEqual(top["iommus"][0]["verdict"], "blocked")  # the IOMMU is, and the device is named

    def test_six_probe_without_an_answer(self):
        top = self.report("--probe", "00:01.0:0x1000", "--timeout", "1", status=6, timeout=30)
        self.assertEqual(top["probes"], [])
        self.assertIn("tr_req_ctl", " ".join(top["errors"]))

    def test_one_probe_of_what_cannot_be_asked(self):
        self.memory({"capabilities": CAPABILITIES & ~(1 << 31)})
        self.report("--probe", "00:01.0:0x1000", status=1)
        self.assertEqual(self.reg("ddtp"), DDTP)

    def test_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            self.quiesce(status=1, stdout=full)


class Remove(Machine):
    """--via remove: the IOMMU is a PCI function; here its registers stay where they are."""

    def setUp(self):
        super().setUp()
        os.rmdir(self.path(f"root/sys/class/iommu/riscv-iommu@{NAME}"))
        self.options = common.Case.fake_root(self, bases=()) + self.options[-2:]
        os.makedirs(self.path(f"root/sys/class/iommu/riscv-iommu@{IOMMU}"))
        self.function(IOMMU, config(0x0006, class_code=0x080600), iommu=None)
        where = f"root/sys/devices/pci0000:00/{IOMMU}"
        self.write(f"{where}/class", "0x080600\n")
        self.write(f"{where}/resource", f"{BASE:#018x} {BASE + 0xfff:#018x} {0x40200:#018x}\n")
        self.write(f"{where}/remove", "")
        for name in (EDU, NVME):
            at = self.path(f"root/sys/devices/pci0000:00/{name}/iommu")
            os.unlink(at)
            self.link(f"devices/pci0000:00/{name}/iommu", f"class/iommu/riscv-iommu@{IOMMU}")

    def told(self):
        with open(self.path(f"root/sys/bus/pci/devices/{IOMMU}/remove"), "rb") as f:
            return f.read().strip()

    def test_the_kernel_is_told_to_remove_it(self):
        self.memory({"ddtp": DDTP & ~0xf})  # what its driver would do
        top = self.report("--via", "remove")
        self.assertEqual(self.told(), b"1")
        self.assertEqual((top["action"], top["final"], top["verdict"]), ("remove", True, "blocked"))
        self.assertEqual(top["removed"][0]["iommu"], IOMMU)

    def test_six_when_it_is_not_off_afterwards(self):
        top = self.report("--via", "remove", status=6)
        self.assertEqual(top["verdict"], "open")

    def test_six_when_it_is_off_and_stays_busy(self):
        self.memory({"ddtp": DDTP & ~0xf | 0x10})
        top = self.report("--via", "remove", "--timeout", "1", status=6)
        self.assertEqual(top["verdict"], "open")

    def test_one_that_stays_is_never_made_up_for_by_another(self):
        second, base = "0000:00:04.0", BASE + 0x1000
        for at in (BASE, base):
            self.memory({**LIVE, "ddtp": DDTP & ~0xf}, at)
        self.function(second, config(0x0006, class_code=0x080600), iommu=None)
        where = f"root/sys/devices/pci0000:00/{second}"
        self.write(f"{where}/class", "0x080600\n")
        self.write(f"{where}/resource", f"{base:#018x} {base + 0xfff:#018x} {0x40200:#018x}\n")
        self.write(f"{where}/remove", "")
        os.makedirs(self.path(f"root/sys/class/iommu/riscv-iommu@{second}"))
        for stays, goes in ((IOMMU, second), (second, IOMMU)):
            os.unlink(self.path(f"root/sys/devices/pci0000:00/{stays}/remove"))
            top = self.report("--via", "remove", status=1)
            self.assertEqual({r["iommu"]: (r["removed"], r["verdict"]) for r in top["removed"]},
                             {stays: (False, "unknown"), goes: (True, "blocked")})
            self.assertEqual(top["verdict"], "unknown")
            self.write(f"root/sys/devices/pci0000:00/{stays}/remove", "")

    def test_plan(self):
        before = self.everything()
        self.quiesce("--via", "remove", "--plan")
        self.assertEqual(self.everything(), before)

    def test_seven_mounted_filesystem(self):
        self.disk()
        self.report("--via", "remove", status=7)
        self.assertEqual(self.told(), b"")

    def test_it_needs_no_registers(self):
        os.unlink(self.path("root/mem"))
        top = self.report("--via", "remove")
        self.assertEqual(self.told(), b"1")
        self.assertEqual(top["verdict"], "unknown")
        self.assertTrue(any("read back" in n for n in top["notes"]))

    def test_an_iommu_itself_keeps_its_bus_mastering(self):
        self.quiesce()
        self.assertEqual(self.command(IOMMU), 0x0006)
