# SPDX-License-Identifier: GPL-2.0-or-later
"""iommu-top without a screen: text, JSON Lines against the schema, recordings made and played back, exit statuses."""
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import time
import unittest

import capture
import common
import recording
import schema
from recording import BEFORE, ON, ORDERED, OVERFLOW

SCHEMA = schema.load(os.path.join(os.path.dirname(schema.PATH), "iommu-top-1.schema.json"))


@unittest.skipUnless(common.TOP and os.path.exists(common.TOP), "there is no iommu-top")
class Case(common.Case):
    def top(self, *args, status=0, **kwargs):
        return self.ran(*args, status=status, tool=common.TOP, **kwargs)

    def lines(self, *args, status=0, **kwargs):
        """The events of a run with -J; each is held against the schema."""
        done = self.top("-J", *args, status=status, **kwargs)
        events = [json.loads(line, object_pairs_hook=common.unique) for line in done.out.splitlines()]
        self.check(events)
        return events

    def check(self, events):
        checker = schema.Checker(SCHEMA)
        for event in events:
            self.assertEqual(checker.errors(event), [], event)
        self.assertEqual(events[0]["event"], "start")
        self.assertEqual(events[-1]["event"], "end")

    def recorded(self, made, name="test.rec"):
        return self.write(name, made.bytes)

    def some(self):
        """Three faults of one device in a second, one of another, and one from before."""
        made = recording.Recording()
        made.state(0).fault(0, flags=BEFORE | ORDERED, iova=0x5000)
        made.fault(0.5, 1, iova=0x2000).fault(0.6, 2, iova=0x3000).fault(0.7, 3, iova=0x2000)
        made.fault(1.5, 4, did=0x10, cause=258, iova=0x4000)
        return made.state(1.5, head=5, tail=5)


def of(events, name):
    return [e for e in events if e["event"] == name]


class Replay(Case):
    def test_each_fault_is_played_once_and_in_order(self):
        events = self.lines("-i", self.recorded(self.some().end(3)))
        faults = of(events, "fault")
        self.assertEqual([f["iotval"] for f in faults], ["0x5000", "0x2000", "0x3000", "0x2000", "0x4000"])
        self.assertEqual([f["number"] for f in faults], [None, 1, 2, 3, 4])
        self.assertEqual([f["before"] for f in faults], [True, False, False, False, False])
        self.assertEqual([f["time"] for f in faults], [0, 0.5, 0.6, 0.7, 1.5])
        self.assertEqual(faults[1]["device"], "0000:00:01.0")
        self.assertIsNone(faults[4]["device"])
        self.assertEqual(faults[4]["cause_name"], "DDT entry not valid")
        self.assertEqual(faults[1]["raw"], [f"{v:#x}" for v in recording.record(iova=0x2000)])

    def test_the_last_line_says_how_it_ended(self):
        end = self.lines("-i", self.recorded(self.some().end(3)))[-1]
        self.assertEqual((end["why"], end["time"], end["complete"], end["missing"]), ("end", 3, True, False))

    def test_sums_of_devices(self):
        status = of(self.lines("-i", self.recorded(self.some().end(3))), "status")
        self.assertEqual(len(status), 1)
        devices = {d["device_id"]: d for d in status[0]["devices"]}
        self.assertEqual((devices["0x8"]["faults"], devices["0x8"]["before"], devices["0x8"]["pages"]), (3, 1, 3))
        self.assertTrue(devices["0x8"]["pages_exact"])
        self.assertEqual((devices["0x10"]["faults"], devices["0x10"]["last_cause"]), (1, 258))
        self.assertEqual(devices["0x10"]["last_iotval"], "0x4000")
        self.assertEqual(status[0]["iommus"][0]["faults"], 4)

    def test_a_type_that_is_reserved_or_custom_is_not_none(self):
        made = recording.Recording().state(0)
        for did, ttyp in ((8, 0), (0x10, 4), (0x18, 63), (0x20, 9)):
            made.fault(1, did=did, ttyp=ttyp)
        text = self.top("-b", "-i", self.recorded(made.end(2))).out.decode()
        types = {line.split()[0]: line.split()[6] for line in text.splitlines() if "Read page fault" in line and "." not in line.split()[0]}
        self.assertEqual(types, {"(none)": "none", "0x10": "reserved", "0x18": "custom", "0x20": "message"})

    def test_rates_are_those_of_the_last_full_seconds(self):
        made = recording.Recording().state(0)
        for i in range(200):
            made.fault(i * 0.05 + 0.01, i % 4096, iova=0x1000 * i)
        events = self.lines("-d", "1", "-i", self.recorded(made.end(12)))
        status = of(events, "status")
        self.assertEqual([round(s["time"]) for s in status], list(range(1, 13)))
        self.assertEqual(status[4]["devices"][0]["rate_1s"], 20)
        self.assertEqual(status[9]["devices"][0]["rate_10s"], 20)
        self.assertEqual(status[11]["devices"][0]["rate_1s"], 0)
        self.assertEqual(status[11]["devices"][0]["rate_10s"], 16)

    def test_many_pages_are_an_estimate_and_said_to_be_one(self):
        made = recording.Recording().state(0)
        for i in range(5000):
            made.fault(1, i % 4096, iova=0x1000 * i)
        device = of(self.lines("-i", self.recorded(made.end(2))), "status")[0]["devices"][0]
        self.assertFalse(device["pages_exact"])
        self.assertLess(abs(device["pages"] - 5000), 5000 * 0.25)  # four times the standard error
        self.assertIn(b"~", self.top("-b", "-i", self.path("test.rec")).out)

    def test_iterations_end_it(self):
        events = self.lines("-d", "0.5", "-n", "2", "-i", self.recorded(self.some().end(3)))
        self.assertEqual(len(of(events, "status")), 2)
        self.assertEqual(events[-1]["why"], "iterations")

    def test_only_the_iommu_that_was_asked_for(self):
        made = recording.Recording(iommus=((0x3010000, "one"), (0x4000000, "two")), devices=())
        made.state(0).state(0, iommu=1).fault(1).fault(1, iommu=1, iova=0x2000)
        path = self.recorded(made.end(2))
        self.assertEqual([f["iommu"] for f in of(self.lines("-u", "two", "-i", path), "fault")], ["0x4000000"])
        self.top("-b", "-u", "three", "-i", path, status=3)

    def test_the_order_of_devices(self):
        path = self.recorded(self.some().end(3))
        for column, first in (("faults", b"0000:00:01.0"), ("-faults", b"0x10"), ("CAUSE", b"0000:00:01.0"), ("-cause", b"0x10")):
            table = self.top("-b", "-s", column, "-i", path).out.split(b"DEVICE", 1)[1].splitlines()
            self.assertTrue(table[1].startswith(first), (column, table))

    def test_filter(self):
        path = self.recorded(self.some().end(3))
        events = self.lines("-f", "ddt entry", "-i", path)
        self.assertEqual([f["device_id"] for f in of(events, "fault")], ["0x10"])
        self.assertEqual([d["device_id"] for d in of(events, "status")[0]["devices"]], ["0x10"])

    def test_a_filtered_log_has_the_last_that_pass_however_many_others_came_since(self):
        made = recording.Recording().state(0)
        for i in range(30):
            made.fault(1, i, did=0x10, iova=0x1000 * i)
        for i in range(100):
            made.fault(2, 30 + i)
        text = self.top("-b", "-f", "0x10 ", "-i", self.recorded(made.end(3))).out.decode()
        self.assertEqual([f"{0x1000 * i:#x}" for i in range(6, 30)],
                         [line.split()[3] for line in text.splitlines() if line.startswith("     1.000 0x10 ")])
        self.assertIn("... 6 events before these\n", text)

    def test_a_signal_ends_a_long_recording_before_its_end(self):
        made = recording.Recording().state(0)
        for i in range(3000):  # more than a pipe holds
            made.fault(1, i)
        common.wanted(common.TOP, ["-J"])
        playing = subprocess.Popen([common.TOP, "-J", "-i", self.recorded(made.end(2))], stdout=subprocess.PIPE, bufsize=0)
        first = playing.stdout.readline()
        time.sleep(0.3)
        playing.send_signal(signal.SIGINT)
        rest = playing.communicate(timeout=common.TIMEOUT)[0]
        events = [json.loads(line) for line in (first + rest).splitlines()]
        self.check(events)
        self.assertEqual((playing.returncode, events[-1]["why"]), (0, "signal"))
        self.assertLess(len(of(events, "fault")), 3000)


class Missing(Case):
    """What was not seen is said, and is status 7."""

    def ends_with_7(self, made, words, **members):
        path = self.recorded(made.end(9))
        events = self.lines("-i", path, status=7)
        self.assertTrue(events[-1]["missing"])
        unit = of(events, "status")[-1]["iommus"][0]
        self.assertTrue(unit["missing"])
        for key, value in members.items():
            self.assertEqual(unit[key], value, key)
        text = " ".join(self.top("-b", "-i", path, status=7).out.decode().split())
        self.assertIn(words, text)
        self.assertNotIn("no faults were seen 0", text)
        return events

    def test_overflow(self):
        made = recording.Recording().state(0)
        made.change(recording.CSR, 1, ON, ON | OVERFLOW).change(recording.CSR, 3.5, ON | OVERFLOW, ON)
        events = self.ends_with_7(made, "1 overflows seen, 2.500 s in all", overflows=1, overflow_seconds=2.5)
        self.assertEqual([e["overflow"] for e in of(events, "queue")], [True, False])

    def test_an_overflow_that_goes_on(self):
        made = recording.Recording().state(0).change(recording.CSR, 1, ON, ON | OVERFLOW)
        self.ends_with_7(made, "OVERFLOW (fqof is set): faults are lost at this moment", overflow_seconds=8)

    def test_faults_are_recorded_again_only_when_nothing_else_keeps_them_away(self):
        fault = 0x100  # fqmf
        for old, new, words, again in ((ON | OVERFLOW, ON, "the overflow was cleared: faults are recorded again", True),
                                       (ON | OVERFLOW | fault, ON, "the overflow was cleared; fqmf was cleared: faults are recorded again", True),
                                       (ON | OVERFLOW | fault, ON | fault, "the overflow was cleared; fqmf is still set: faults are lost", False),
                                       (ON | OVERFLOW | fault, ON | OVERFLOW, "fqmf was cleared; fqof is still set: faults are lost", False),
                                       (ON | OVERFLOW, 0, "the overflow was cleared; the fault queue was switched off: faults are not recorded", False),
                                       (OVERFLOW, 0, "the overflow was cleared; the fault queue is off", False)):
            made = recording.Recording().state(0, csr=old).change(recording.CSR, 1, old, new).end(2)
            text = " ".join(self.top("-b", "-i", self.recorded(made), status=7).out.decode().split())
            self.assertIn("test: " + words, text)
            self.assertEqual("recorded again" in text, again, text)

    def test_both_bits_that_stop_records_are_named(self):
        made = recording.Recording().state(0, csr=ON | OVERFLOW | 0x100)
        self.ends_with_7(made, "OVERFLOW (fqof and fqmf are set): faults are lost at this moment")

    def test_the_ring_was_written_over(self):
        made = recording.Recording().state(0).loss(recording.LOST, 1, recording.LAPPED, 77)
        events = self.ends_with_7(made, "at least 77 records are missing", lapped=1, lost_at_least=77)
        self.assertEqual([(e["why"], e["at_least"]) for e in of(events, "lost")], [("lapped", 77)])

    def test_the_ring_may_have_been_written_over(self):
        made = recording.Recording().state(0)
        made.loss(recording.LOST, 1, recording.MAY_TIME).loss(recording.LOST, 2, recording.MAY_IRQ)
        self.ends_with_7(made, "may have lapped 2 times", may_have_lapped=2)

    def test_entries_that_gave_nothing(self):
        made = recording.Recording().state(0)
        made.loss(recording.LOST, 1, recording.UNREADABLE, 5, -61).loss(recording.LOST, 2, recording.UNWRITTEN, 3)
        self.ends_with_7(made, "5 entries could not be read, 3 held no record", unreadable=5, unwritten=3)

    def test_counts_that_do_not_fit_do_not_begin_again_at_0(self):
        made = recording.Recording().state(0)
        for why in (recording.LAPPED, recording.UNREADABLE, recording.UNWRITTEN):
            made.loss(recording.LOST, 1, why, 2 ** 63).loss(recording.LOST, 1, why, 2 ** 63)
        most = 2 ** 64 - 1
        self.ends_with_7(made, str(most), lost_at_least=most, unreadable=most, unwritten=most)

    def test_a_queue_set_up_anew(self):
        made = recording.Recording().state(0).loss(recording.RESET, 1, recording.WENT_BACK)
        events = self.ends_with_7(made, "set up anew 1 times", resets=1)
        self.assertEqual([e["why"] for e in of(events, "reset")], ["index_went_back"])

    def test_registers_out_of_sight(self):
        self.ends_with_7(recording.Recording().state(0).loss(recording.LOST, 1, recording.BLIND), "out of sight 1 times", blind=1)

    def test_without_the_index_order_and_loss_are_unknown(self):
        made = recording.Recording().state(0, flags=3).fault(1, flags=0)
        events = self.ends_with_7(made, "order and loss of records are unknown")
        self.assertFalse(of(events, "fault")[0]["ordered"])
        self.assertIsNone(of(events, "fault")[0]["pending"])
        self.assertIn(">=1", self.top("-b", "-i", self.path("test.rec"), status=7).out.decode())

    def test_silence_is_said_to_be_what_it_is(self):
        path = self.recorded(recording.Recording().state(0).end(9))
        self.assertIn(b"no faults were seen\n", self.top("-b", "-i", path).out)
        path = self.recorded(recording.Recording().state(0).loss(recording.LOST, 1, recording.BLIND).end(9))
        self.assertIn(b"but records may be missing", self.top("-b", "-i", path, status=7).out)


class Modes(Case):
    def test_a_blocked_iommu_is_obvious(self):
        made = recording.Recording().state(0).change(recording.MODE, 1, 0x20e00004, 0x20e00000).state(2, ddtp=0x20e00000)
        path = self.recorded(made.end(3))
        text = self.top("-b", "-i", path).out.decode()
        self.assertIn("BLOCKED: ddtp is Off", text)
        self.assertIn("mode 3LVL -> Off", text)
        events = self.lines("-i", path)
        self.assertEqual([(e["from_mode"], e["to_mode"]) for e in of(events, "mode")], [("3LVL", "Off")])
        self.assertEqual(of(events, "status")[0]["iommus"][0]["mode_changes"], 1)

    def test_bare_is_pointed_out(self):
        text = self.top("-b", "-i", self.recorded(recording.Recording().state(0, ddtp=1).end(3))).out.decode()
        self.assertIn("OPEN: ddtp is Bare", text)

    def test_a_queue_that_is_off_is_pointed_out(self):
        text = self.top("-b", "-i", self.recorded(recording.Recording().state(0, csr=0).end(3))).out.decode()
        self.assertIn("the fault queue is off", text)


class Captures(Case):
    def test_a_capture_is_what_was_before(self):
        events = self.lines("-i", self.machine())
        self.assertEqual([f["index"] for f in of(events, "fault")], [0, 1, 2])
        self.assertEqual([f["pending"] for f in of(events, "fault")], [False, True, True])
        self.assertTrue(all(f["before"] for f in of(events, "fault")))
        self.assertEqual(of(events, "status")[0]["iommus"][0]["queue"]["pending"], 2)

    def test_a_capture_is_recorded_and_its_recording_shows_the_same(self):
        path, record = self.machine(), self.path("capture.rec")
        events = self.lines("-i", path, "--record", record)
        again = self.lines("-i", record)
        for name in ("fault", "status"):
            for event in of(events, name) + of(again, name):
                event.pop("time")
            self.assertEqual(of(again, name), of(events, name))
        self.assertEqual(len(of(again, "fault")), 3)

    def test_of_a_capture_the_table_says_how_many_records_each_device_has(self):
        path = self.machine()
        table = self.top("-b", "-i", path).out.decode().splitlines()[2:]
        self.assertEqual(table[0].split(), ["DEVICE", "BEFORE", "PAGES", "IOVA", "TYPE", "CAUSE"])
        counts = [int(line.split()[1]) for line in table[1:] if not line.startswith(" ") and line]
        self.assertEqual(sum(counts), len(of(self.lines("-i", path), "fault")))

    def test_without_fqt_a_capture_is_a_snapshot(self):
        events = self.lines("-i", self.machine(registers={"fqt": None}), status=7)
        self.assertFalse(of(events, "status")[0]["iommus"][0]["queue"]["ordered"])
        self.assertEqual(len(of(events, "fault")), 3)

    def test_without_the_queue_there_is_nothing_to_watch(self):
        done = self.top("-b", "-i", self.machine(registers={"fqb": None}), status=5)
        self.assertIn(b"fault queue cannot be found", done.err)

    def test_a_ring_that_was_not_captured(self):
        path = self.machine(registers={"fqb": common.UPPER(0x90000000) | 6})
        events = self.lines("-i", path, status=7)
        self.assertEqual(of(events, "lost")[0]["why"], "unreadable")

    def test_not_a_file(self):
        self.top("-b", "-i", self.path("nothing"), status=1)
        self.top("-b", "-i", self.write("text", "hello\n"), status=5)


class Usage(Case):
    def test_seconds_may_have_more_places_than_count(self):
        self.assertTrue(self.lines("-d", "1.7999999999999998", "-i", self.recorded(self.some().end(3))))

    def test_what_makes_no_sense(self):
        made = self.recorded(self.some().end(3))
        for args in (["-d", "0"], ["-d", "x"], ["-d", "1.5s"], ["-d", "-1"], ["-d", ""], ["-d", "1e3"], ["-n", "0"], ["-n", "-3"],
                     ["-s", "size"], ["-f", "x" * 64], ["--speed", "0"], ["extra"], ["--nothing"], ["--record", "x", "-i", made],
                     ["-A", "devmem", "-i", made], ["--save", "x", "-i", made], ["--base", "0x1000", "-i", made]):
            with self.subTest(args=args):
                self.top("-b", *args, status=2)

    def test_a_screen_needs_a_terminal(self):
        self.assertIn(b"--batch", self.top("-i", self.recorded(self.some().end(3)), status=1).err)

    def test_help_and_version(self):
        self.assertIn(b"Columns:", self.top("--help").out)
        self.assertIn(b"iommu-top", self.top("-V").out)

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            self.top("-b", "-i", self.recorded(self.some().end(3)), status=1, stdout=full)


class Hostile(Case):
    def test_a_recorder_that_was_killed_leaves_what_it_had(self):
        done = self.top("-J", "-i", self.recorded(self.some()))
        self.assertIn(b"was not ended", done.err)
        self.assertEqual(done.out.count(b'"event":"fault"'), 5)

    def test_cut_anywhere_it_plays_what_is_whole(self):
        whole = self.some().end(3).bytes
        for cut in list(range(0, 40)) + list(range(40, len(whole), 29)):
            done = common.call("-J", "-i", self.write("cut.rec", whole[:cut]), tool=common.TOP)
            self.sane(done)
            self.assertIn(done.status, (0, 5), str(done))
            for line in done.out.splitlines():
                json.loads(line)

    def test_bits_that_flipped_never_crash_it(self):
        whole = self.some().end(3).bytes
        dice = random.Random(6)
        for _ in range(80):
            content = bytearray(whole)
            for _ in range(dice.randint(1, 4)):
                content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
            done = common.call("-J", "-d", "1000", "-i", self.write("flipped.rec", bytes(content)), tool=common.TOP)
            self.sane(done)
            for line in done.out.splitlines():
                json.loads(line)

    def damaged(self, made, words):
        self.assertIn(words, self.top("-b", "-i", self.recorded(made), status=5).err)

    def test_damage_is_named(self):
        new = recording.Recording
        self.damaged(new(version=2), b"version 2")
        self.damaged(new(iommus=(), devices=()).end(1), b"names no IOMMU")
        self.damaged(new(devices=((0, 8, "a"), (0, 8, "b"))).end(1), b"does not follow")
        self.damaged(new(devices=((5, 8, "a"),)).end(1), b"does not follow")
        self.damaged(new().state(0, iommu=1), b"of no IOMMU")
        self.damaged(new().state(2).state(1), b"before the one before")
        self.damaged(new().state(0, entries=100), b"contradicts itself")
        self.damaged(new().state(0, tail=5000), b"contradicts itself")
        self.damaged(new().loss(recording.LOST, 1, recording.MOVED), b"contradicts itself")
        for error in (1, -4096, -2 ** 31):
            self.damaged(new().loss(recording.LOST, 1, recording.UNREADABLE, 1, error), b"contradicts itself")
        self.damaged(new().state(5).end(2), b"before the last event")
        broken = new().state(0)
        broken.bytes += b"\4\0\0\0\xff\xff\xff\xff"
        self.damaged(broken, b"impossible length")

    def test_what_a_newer_version_adds_is_passed_over(self):
        made = self.some().add(99, b"x" * 64).event(77, 2, b"y" * 16)
        self.assertEqual(len(of(self.lines("-i", self.recorded(made.fault(2.5, 5).end(3))), "fault")), 6)

    def test_names_cannot_steer_a_terminal(self):
        made = recording.Recording(iommus=((0x3010000, "a\x1b[2J"),), devices=((0, 8, "\x1b]0;x\x07"),)).state(0).fault(1).end(2)
        self.assertNotIn(b"\x1b", self.top("-b", "-i", self.recorded(made)).out)

    def test_more_devices_than_are_remembered(self):
        made = recording.Recording().state(0)
        for did in range(5000):
            made.fault(1, did % 4096, did=did)
        status = of(self.lines("-i", self.recorded(made.end(2))), "status")[0]
        self.assertEqual((len(status["devices"]), status["other_faults"]), (4096, 904))

    def test_a_recording_of_years_without_events_ends_in_time(self):
        made = recording.Recording().state(0).fault(10 ** 9).end(10 ** 9)
        self.assertEqual(len(of(self.lines("-i", self.recorded(made)), "fault")), 1)


class Live(Case):
    """A made-up machine: registers in a file as the module has it, memory in a file as /proc/kcore has it."""

    def setUp(self):
        super().setUp()
        self.machine_now = common.Machine()
        self.root = self.fake_root()
        self.set(fqh=1, fqt=3)

    def set(self, **registers):
        """As the kernel does it: nobody ever sees half of it."""
        self.machine_now.registers.update(registers)
        capture.write(self.path("kcore.new"), self.machine_now.memory, {})
        with open(self.path("kcore.new"), "rb") as new:
            kcore = os.open(self.path("root/kcore"), os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(kcore, new.read(), 0)
            os.close(kcore)
        self.debugfs({k: v for k, v in self.machine_now.registers.items() if v is not None}, live=True)

    def start(self, *args):
        with open(self.path("out"), "wb") as out, open(self.path("err"), "wb") as err:
            common.wanted(common.TOP, args)
            running = subprocess.Popen([common.TOP, *self.root, *args], stdout=out, stderr=err, env=dict(os.environ, LC_ALL="C"))
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        self.until(self.told)
        return running

    def told(self):
        """The whole lines so far."""
        with open(self.path("out"), "rb") as out:
            return out.read().split(b"\n")[:-1]

    def events(self):
        return [json.loads(line) for line in self.told()]

    def until(self, what):
        """Waits as long as a busy machine may take."""
        end = time.monotonic() + common.TIMEOUT
        while not what():
            self.assertLess(time.monotonic(), end, self.told()[-3:])
            time.sleep(0.02)

    def finish(self, running, status, sig=signal.SIGTERM):
        running.send_signal(sig)
        running.wait(timeout=common.TIMEOUT)
        with open(self.path("err"), "rb") as err:
            self.assertEqual(running.returncode, status, err.read())
        return self.events()

    def test_the_first_picture_is_there_at_once(self):
        text = self.top(*self.root, "-b", "-n", "1").out.decode()
        self.assertIn("live", text)
        self.assertIn("3 before", text)

    def test_a_record_that_comes_is_seen_and_a_signal_ends_it_in_order(self):
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.set(fqh=1, fqt=3)
            running = self.start("-J", "-d", "0.2", "--record", self.path(f"{sig}.rec"))
            self.until(lambda: of(self.events(), "status"))
            self.machine_now.memory.put64(common.Machine.FQ + 96, *common.fault_record(13, 8, 0xabc000))
            self.set(fqh=4, fqt=4)
            self.until(lambda: len(of(self.events(), "fault")) == 4)
            events = self.finish(running, 0, sig)
            self.check(events)
            fresh = [f for f in of(events, "fault") if not f["before"]]
            self.assertEqual([(f["iotval"], f["number"], f["index"]) for f in fresh], [("0xabc000", 1, 3)])
            self.assertEqual(events[-1]["why"], "signal")
            played = self.lines("-i", self.path(f"{sig}.rec"))
            for name in ("fault", "mode", "queue", "lost", "reset"):
                self.assertEqual([e for e in of(played, name)], [e for e in of(events, name)])
            self.assertEqual(stat.S_IMODE(os.stat(self.path(f"{sig}.rec")).st_mode), 0o600)

    def test_under_nohup_the_end_of_the_terminal_does_not_end_it(self):
        self.inherit(signal.SIGHUP, signal.SIG_IGN)
        running = self.start("-J", "-d", "0.1")
        self.until(lambda: of(self.events(), "status"))
        running.send_signal(signal.SIGHUP)
        before = len(self.told())
        self.until(lambda: len(self.told()) > before + 2)
        self.assertIsNone(running.poll())
        self.assertEqual(self.finish(running, 0)[-1]["why"], "signal")

    def test_a_killed_recorder_leaves_a_recording(self):
        running = self.start("-b", "--record", self.path("killed.rec"))
        running.kill()
        running.wait(timeout=common.TIMEOUT)
        self.assertEqual(len(of(self.lines("-i", self.path("killed.rec")), "fault")), 3)

    def test_a_recording_writes_over_nothing(self):
        path = self.write("there.rec", "mine")
        self.assertIn(b"writes over nothing", self.top(*self.root, "-b", "-n", "1", "--record", path, status=1).err)
        with open(path, "rb") as f:
            self.assertEqual(f.read(), b"mine")

    def test_a_full_disk_ends_the_recording_and_not_the_watching(self):
        # what a build for coverage writes at its end would be cut, too: elsewhere with that
        elsewhere = dict(os.environ, GCOV_PREFIX=self.path("gcov"), GCOV_ERROR_FILE=os.devnull)
        done = subprocess.run(["sh", "-c", 'ulimit -f 4; exec "$@"', "sh", common.TOP, *self.root, "-b", "-d", "0.02", "-n", "150", "--record",
                               self.path("full.rec")], env=elsewhere, capture_output=True, check=False, timeout=3 * common.TIMEOUT)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"the recording ends here", done.stderr)
        self.assertEqual(done.stdout.count(b"live"), 150)
        self.assertEqual(len(of(self.lines("-i", self.path("full.rec")), "fault")), 3)

    def test_a_recording_does_not_follow_a_link(self):
        os.symlink(self.path("elsewhere"), self.path("link.rec"))
        self.top(*self.root, "-b", "-n", "1", "--record", self.path("link.rec"), status=1)
        self.assertFalse(os.path.exists(self.path("elsewhere")))

    def test_a_change_of_the_mode_is_seen(self):
        running = self.start("-J", "-d", "0.2")
        self.until(lambda: of(self.events(), "status"))
        self.set(ddtp=common.UPPER(common.Machine.DDT))
        self.until(lambda: of(self.events(), "mode") and of(self.events(), "status")[-1]["iommus"][0]["mode"] == "Off")
        events = self.finish(running, 0)
        self.assertEqual([(e["from_mode"], e["to_mode"]) for e in of(events, "mode")], [("1LVL", "Off")])
        self.assertEqual(of(events, "status")[-1]["iommus"][0]["mode"], "Off")

    def test_registers_that_are_refused(self):
        shutil.rmtree(self.path("root/debugfs/riscv-iommu"))
        done = self.top(*self.root, "-b", status=4)  # it does not go on where there is nothing to see
        self.assertNotIn(b"no faults were seen\n", done.out)

    def test_no_iommu(self):
        self.write("root/fdt", common.fdt.blob(common.fdt.machine(())))
        self.top(*self.root, "-b", "-n", "1", status=3)

    def test_idle_it_hardly_runs(self):
        running = self.start("-b", "-d", "10")

        def ticks():
            with open(f"/proc/{running.pid}/stat", encoding="ascii") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])
        before = ticks()
        time.sleep(2)
        used = (ticks() - before) / os.sysconf("SC_CLK_TCK") / 2
        self.assertLess(used, 0.02)  # the clock ticks in hundredths; bench-top measures it


if __name__ == "__main__":
    unittest.main()
