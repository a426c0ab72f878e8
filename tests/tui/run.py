#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
The screen of iommu-top, driven through tmux: run.py [unittest options] [NAME...]
IOMMU_TOP names the program (default: beside $IOMMU_DUMP). The last line is `N passed, N failed, N skipped`.
Status: 0 all passed, 1 not, 77 no program, no tmux, or a program without a screen.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (HERE, os.path.join(HERE, "..", "cli"), os.path.join(HERE, "..", "vectors")):
    sys.path.insert(0, folder)
sys.dont_write_bytecode = True

import common  # noqa: E402
import recording  # noqa: E402
from recording import ON, OVERFLOW  # noqa: E402
from terminal import Terminal  # noqa: E402

TOP = os.path.abspath(os.environ.get("IOMMU_TOP") or
                      os.path.join(os.path.dirname(os.environ.get("IOMMU_DUMP", "./iommu-dump")), "iommu-top"))
DEMO = os.path.join(HERE, "..", "..", "examples", "demo.core")
DEVICES = ((0, 8, "0000:00:01.0"), (0, 0x10, "0000:00:02.0"))
FAST = ("--speed", "1000")


def storm():
    """30 s: device 0x8 with 60 faults a second, 0x10 with 20, and 0x33, which has no name, with 20."""
    made = recording.Recording(devices=DEVICES).state(0)
    for i in range(3000):
        did, cause = ((8, 13), (8, 13), (8, 13), (16, 15), (0x33, 258))[i % 5]
        made.fault(i * 0.01, i, did=did, cause=cause, iova=0x1000 * (i + 1))
        if i == 1000:
            made.change(recording.CSR, 10, ON, ON | OVERFLOW)
        if i == 1250:
            made.change(recording.CSR, 12.5, ON | OVERFLOW, ON)
    return made.state(30, head=3000, tail=3000).end(30)


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="tui-case-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def file(self, made, name="test.rec"):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(made.bytes)
        return path

    def top(self, *args, **kwargs):
        terminal = Terminal([TOP, *args], **kwargs)
        self.addCleanup(terminal.close)
        return terminal

    def played(self, made=None, *args, **kwargs):
        """At the end of a recording, where the picture stays as it is."""
        terminal = self.top("-i", self.file(made or storm()), *FAST, "-d", "0.2", *args, **kwargs)
        terminal.shows("(end)")
        return terminal

    def rows(self, screen):
        """The first words of the table's lines, the mark of the selected one taken off."""
        lines = screen.split("\n")
        head = next(i for i, line in enumerate(lines) if " DEVICE" in line)
        rows = []
        for line in lines[head + 1:]:
            if not line.strip() or line.startswith(" LOG"):
                break
            rows.append(line[1:].split()[0])
        return rows


class Screen(Case):
    def test_what_it_shows(self):
        screen = self.played().screen()
        lines = screen.split("\n")
        self.assertTrue(lines[0].startswith("iommu-top  recording"), screen)
        self.assertIn("test: 3LVL, 100.0/s (10 s: 100.0/s), 3000 faults, 0 before, queue 0/4096", lines[1])
        self.assertIn("1 overflows seen, 2.500 s in all", lines[2])
        self.assertRegex(screen, r"(?m)^>0000:00:01.0 +60.0 +60.0 +1800 +~\d+ 0xbb6000 +13 Read")
        self.assertRegex(screen, r"(?m)^ 0000:00:02.0 +20.0 +20.0 +600 ")
        self.assertRegex(screen, r"(?m)^ 0x33 +20.0 +20.0 +600 ")
        self.assertRegex(screen, r"(?m)^ +29.990 0x33 +read +0xbb8000 +258 DDT entry not valid$")
        self.assertTrue(lines[-1].startswith("h help  q quit  s sort:RATE"), screen)

    def test_nothing_passes_the_edge(self):
        for width, height in ((40, 10), (80, 24), (200, 60)):
            screen = self.played(None, width=width, height=height).screen()
            self.assertEqual(len(screen.split("\n")), height)
            self.assertLessEqual(max(map(len, screen.split("\n"))), width)

    def test_an_overflow_that_goes_on_is_an_alarm(self):
        made = recording.Recording().state(0).change(recording.CSR, 1, ON, ON | OVERFLOW).end(5)
        terminal = self.played(made)
        screen = terminal.shows("OVERFLOW (fqof is set): faults are lost at this moment")
        self.assertIn("no faults were seen, but records may be missing", screen)
        self.assertRegex(terminal.screen(attributes=True), "\x1b\\[[0-9;]*41[0-9;]*m *OVERFLOW")

    def test_a_blocked_iommu_is_an_alarm(self):
        terminal = self.played(recording.Recording().state(0).change(recording.MODE, 1, 4, 0).end(5))
        terminal.shows("test: Off", "BLOCKED: ddtp is Off", "mode 3LVL -> Off")
        self.assertRegex(terminal.screen(attributes=True), "\x1b\\[[0-9;]*41[0-9;]*m *BLOCKED")

    def test_an_alarm_for_which_there_is_no_room_is_told(self):
        made = recording.Recording(iommus=[(0x3010000 + 0x1000 * i, f"unit{i}") for i in range(20)])
        for i in range(20):
            made.state(0, iommu=i, ddtp=0 if i == 19 else 4)
        terminal = self.played(made.end(5))
        self.assertRegex(terminal.screen(), r"(?m)^\.\.\. and 11 lines more about IOMMUs, ALARMS: 1$")
        self.assertRegex(terminal.screen(attributes=True), "\x1b\\[[0-9;]*41[0-9;]*m\\.\\.\\. and")

    def test_a_larger_screen_shows_more_devices(self):
        made = recording.Recording().state(0)
        for did in range(20):
            made.fault(1, did, did=did + 256)
        terminal = self.played(made.end(5), height=12)
        terminal.keys("End")
        terminal.shows(">0x113")
        terminal.resize(80, 50)
        terminal.shows(" 0x100 ", ">0x113")

    def test_the_queue_has_a_bar(self):
        made = recording.Recording().state(0, head=0, tail=2048).end(5)
        self.assertIn("queue 2048/4096 [\u2588\u2588\u2588\u2588\u2588\u2588\u2591\u2591\u2591\u2591]",
                      self.played(made, width=120).screen())

    def test_without_utf8_it_is_ascii(self):
        made = recording.Recording().state(0, head=0, tail=2048).end(5)
        screen = self.played(made, width=120, env={"LC_ALL": "C"}).screen()
        self.assertIn("queue 2048/4096 [######....]", screen)
        self.assertTrue(screen.isascii())

    def test_a_capture(self):
        common.names_wanted()
        screen = self.top("-i", DEMO).shows("0000:00:01.0")
        self.assertIn("capture", screen)
        self.assertIn("2 before", screen)
        self.assertRegex(screen, r"(?m)^ DEVICE +ID +BEFOREv +PAGES +IOVA")
        self.assertRegex(screen, r"(?m)^>0000:00:01.0 0x8 +2 +2 0x777000")

    def test_iterations_end_it(self):
        terminal = self.top("-i", self.file(storm()), "-n", "2", "-d", "0.1")
        self.assertEqual(terminal.status(), 0)
        self.assertTrue(terminal.restored())


class Keys(Case):
    def test_sort(self):
        terminal = self.played()
        order = ["0000:00:01.0", "0000:00:02.0", "0x33"]
        self.assertEqual(self.rows(terminal.screen()), order)
        terminal.keys("s")
        terminal.shows("sort:RATE10", "RATE10v")
        terminal.keys(">", ">")
        terminal.shows("sort:BEFORE")
        terminal.keys("<")
        terminal.shows("FAULTSv")
        terminal.keys("i")
        screen = terminal.shows("FAULTS^")
        self.assertEqual(self.rows(screen)[2], order[0])
        terminal.keys("<", "<", "<", "<", "<")
        screen = terminal.shows("DEVICE^")
        self.assertEqual(self.rows(screen), order)

    def test_filter(self):
        terminal = self.played()
        terminal.keys("/")
        terminal.shows("Filter (Enter")
        terminal.type("02.0x")
        terminal.keys("BSpace", "Enter")
        screen = terminal.wait(lambda s: self.rows(s) == ["0000:00:02.0"], "one device")
        self.assertIn("filter: 02.0", screen)
        self.assertNotIn(" 0x33 ", screen)
        terminal.keys("F4", *["BSpace"] * 4, "Enter")
        terminal.wait(lambda s: len(self.rows(s)) == 3, "all devices")
        terminal.keys("/")
        terminal.type("nothing")
        terminal.keys("Escape")
        terminal.wait(lambda s: "Filter (" not in s and len(self.rows(s)) == 3, "the old filter")

    def test_pause_holds_the_picture_while_watching_goes_on(self):
        terminal = self.top("-i", self.file(storm()), "-d", "0.1")
        terminal.shows("0000:00:01.0")
        terminal.keys("p")
        held = terminal.shows("PAUSED")
        time.sleep(1)
        self.assertEqual(terminal.screen(), held)
        before = int(re.search(r"(\d+) faults", held).group(1))
        terminal.keys("Space")
        now = terminal.wait(lambda s: "PAUSED" not in s, "no pause")
        self.assertGreater(int(re.search(r"(\d+) faults", now).group(1)), before + 50)

    def test_detail_of_a_device_walks_its_last_fault(self):
        common.names_wanted()
        terminal = self.top("-i", DEMO)
        terminal.shows("0000:00:01.0")
        terminal.keys("Enter")
        screen = terminal.shows("The walk of its address")
        self.assertIn("Fault 13: Read page fault", screen)
        terminal.keys("PgDn")
        screen = terminal.shows("the tables")
        self.assertRegex(screen, r"dc +0  0x")
        terminal.keys("Enter")
        terminal.shows("LOG:")

    def test_detail_of_the_selected_fault(self):
        common.names_wanted()
        terminal = self.top("-i", DEMO)
        terminal.shows("0000:00:01.0")
        terminal.keys("Tab", "Up", "Enter")
        terminal.shows("Fault 15: Write/AMO page fault")
        terminal.keys("q")
        terminal.shows("LOG:")

    def test_a_recording_says_that_it_has_no_memory(self):
        terminal = self.played()
        terminal.keys("Enter")
        terminal.shows("a recording holds no memory")

    def test_arrows_select_and_the_selection_follows_its_device(self):
        terminal = self.played()
        terminal.keys("Down", "Down")
        terminal.shows(">0x33")
        terminal.keys("Down")
        terminal.shows(">0x33")
        terminal.keys("i")
        screen = terminal.shows("RATE^", ">0x33")
        self.assertEqual(self.rows(screen)[2], "0000:00:01.0")
        terminal.keys("Home")
        terminal.wait(lambda s: f">{self.rows(s)[0]}" in s, "the first")
        terminal.keys("End")
        terminal.shows(">0000:00:01.0")

    def test_the_log_is_held_and_followed(self):
        terminal = self.top("-i", self.file(storm()), "-d", "0.1")
        terminal.wait(lambda s: re.search(r"LOG: \d{3,} events", s), "a hundred events")
        terminal.keys("Tab", "PgUp")
        held = terminal.shows("held").split(" LOG:")[1].split("\n")[1:-1]
        time.sleep(0.7)
        self.assertEqual(terminal.screen().split(" LOG:")[1].split("\n")[1:-1], held)
        terminal.keys("End")
        terminal.shows_not("held")

    def test_the_log_goes_and_comes(self):
        terminal = self.played()
        terminal.keys("l")
        terminal.shows_not("LOG:")
        terminal.keys("l")
        terminal.shows("LOG:")

    def test_reset(self):
        terminal = self.played()
        terminal.keys("r")
        terminal.shows("0 faults, 0 before", "no faults were seen")

    def test_speed_of_a_recording(self):
        terminal = self.top("-i", self.file(storm()), "-d", "0.1")
        terminal.shows("x1.0")
        terminal.keys("]", "]")
        terminal.shows("x4.0")
        terminal.keys("[")
        terminal.shows("x2.0")
        terminal.keys("[", "[", "[", "[", "[", "[")
        terminal.shows("x0.031")

    def test_a_key_that_means_nothing_does_nothing(self):
        terminal = self.played()
        before = terminal.screen()
        terminal.keys("x", "Z", "F7", "Escape", "Left", "C-a")
        time.sleep(0.3)
        self.assertEqual(terminal.screen(), before)


class Tables(Case):
    """Keys and columns: what the program obeys, its help, --help, and the manual."""

    def listed(self):
        text = subprocess.run([TOP, "--help"], capture_output=True, text=True, check=True, timeout=20).stdout
        blocks = {}
        for name in ("Columns", "Keys"):
            block = text.split(f"\n{name}:\n", 1)[1].split("\n\n", 1)[0]
            blocks[name] = [re.split(r"\s{2,}", line.strip(), maxsplit=1) if "  " in line.strip() else line.strip().split(" ", 1)
                            for line in block.split("\n")]
        return blocks

    def test_the_help_on_the_screen_is_that_of_the_command_line(self):
        screen = " ".join(self.helped().split())
        for lines in self.listed().values():
            for key, words in lines:
                self.assertIn(" ".join(f"{key} {words}".split()), screen)

    def helped(self):
        terminal = self.played(None, height=50)
        terminal.keys("h")
        return terminal.shows("Keys", "Columns")

    def test_the_manual_has_the_same_keys_and_columns(self):
        with open(os.path.join(HERE, "..", "..", "man", "iommu-top.8"), encoding="utf-8") as f:
            page = f.read()
        for name in ("Keys", "Columns"):
            section = page.split(f"\n.Sh {name.upper()}\n", 1)[1].split("\n.Sh ", 1)[0]
            told = [line[7:].replace("\\&", "").replace(" ,", ",") for line in section.split("\n") if line.startswith(".It Cm ")]
            self.assertEqual(told, [key for key, _ in self.listed()[name]])

    def test_each_key_of_the_list_does_something(self):
        names = {"Space": "Space", "Enter": "Enter", "Tab": "Tab", "PgUp": "PPage", "PgDn": "NPage"}
        before = {"Up": ["Down"], "PgUp": ["Down"], "Home": ["Down"], "[": ["]"], "]": []}
        quits = []
        for keys, _ in self.listed()["Keys"]:
            for key in keys.split(", "):
                terminal = self.played()
                if before.get(key):
                    terminal.keys(*before[key])
                    time.sleep(0.2)
                shown = terminal.screen(attributes=True)
                terminal.keys(names.get(key, key))
                try:
                    if key in ("q", "F10"):
                        quits.append(terminal.status())
                    elif key in ("[", "]"):
                        pass  # their tests are above: at the top of the range nothing changes
                    else:
                        end = time.monotonic() + 5
                        while terminal.screen(attributes=True) == shown:
                            self.assertLess(time.monotonic(), end, f"{key} does nothing")
                            time.sleep(0.05)
                finally:
                    terminal.close()
        self.assertEqual(quits, [0, 0])


class Sizes(Case):
    def test_from_small_to_large_and_back(self):
        terminal = self.played()
        for width, height in ((40, 10), (200, 60), (20, 4), (1, 1), (300, 100), (80, 24)):
            terminal.resize(width, height)
            screen = terminal.wait(lambda s, h=height: len(s.split("\n")) == h, f"{height} lines")
            self.assertLessEqual(max(map(len, screen.split("\n"))), width)
        screen = terminal.shows("h help  q quit", "LOG:", "0000:00:01.0")
        self.assertEqual(len(screen.split("\n")), 24)

    def test_a_narrow_screen_keeps_what_matters(self):
        screen = self.played(None, width=40, height=10).screen()
        head = next(line for line in screen.split("\n") if "DEVICE" in line)
        self.assertEqual(head.split(), ["DEVICE", "RATEv", "RATE10", "FAULTS"])
        self.assertIn("0000:00:01.0", screen)

    def test_a_wide_screen_has_every_column(self):
        screen = self.played(None, width=200, height=60).screen()
        head = next(line for line in screen.split("\n") if "DEVICE" in line)
        self.assertEqual(len(head.split()), 12)
        self.assertIn("258 DDT entry not valid", screen)

    def test_a_storm_of_sizes(self):
        terminal = self.top("-i", self.file(storm()), "-d", "0.1")
        terminal.shows("0000:00:01.0")
        for i in range(60):
            terminal.resize(20 + i * 37 % 150, 3 + i * 17 % 50)
            os.kill(terminal.pid, signal.SIGWINCH)
        terminal.resize(80, 24)
        terminal.shows("h help  q quit", "0000:00:01.0")
        terminal.keys("q")
        self.assertEqual(terminal.status(), 0)

    def test_a_storm_of_sigwinch_alone(self):
        terminal = self.played()
        before = terminal.screen()
        for _ in range(2000):
            os.kill(terminal.pid, signal.SIGWINCH)
        time.sleep(0.5)
        self.assertEqual(terminal.screen(), before)


class Ends(Case):
    """The terminal is as it was, however it ends."""

    def test_quit(self):
        for key in ("q", "F10"):
            terminal = self.played()
            terminal.keys(key)
            self.assertEqual(terminal.status(), 0)
            self.assertTrue(terminal.restored(), terminal.screen())

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signal=number):
                terminal = self.played()
                terminal.signal(number)
                self.assertEqual(terminal.status(), 0)
                self.assertTrue(terminal.restored(), terminal.screen())

    def test_a_signal_ends_it_where_control_s_holds_up_its_output(self):
        terminal = self.top("-i", self.file(storm()), "-d", "0.05")
        terminal.shows("0000:00:01.0")
        terminal.keys("C-s")
        time.sleep(0.5)
        terminal.signal(signal.SIGTERM)
        self.assertEqual(terminal.status(), 0)
        self.assertTrue(terminal.restored(), terminal.screen())

    def test_control_c(self):
        terminal = self.played()
        terminal.keys("C-c")
        self.assertEqual(terminal.status(), 0)
        self.assertTrue(terminal.restored(), terminal.screen())

    def test_a_crash(self):
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGQUIT):
            with self.subTest(signal=number):
                terminal = self.played()
                terminal.signal(number)
                self.assertNotEqual(terminal.status(), 0)
                self.assertTrue(terminal.restored(), terminal.screen())

    def test_nobody_who_reads_its_warnings_is_no_end(self):
        terminal = self.played()
        terminal.signal(signal.SIGPIPE)
        terminal.keys("q")
        self.assertEqual(terminal.status(), 0)
        self.assertTrue(terminal.restored(), terminal.screen())

    def test_a_terminal_that_goes_away(self):
        terminal = self.played()
        pid = terminal.pid
        terminal.close()
        end = time.monotonic() + 10
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_nothing_to_look_at_is_told_on_the_terminal_as_it_was(self):
        capture = os.path.join(self.dir, "nothing")
        paths = [word for key in ("fdt", "dt", "sysfs", "proc", "debugfs", "devmem", "kcore")
                 for word in ("-O", f"{key}.path={capture}")]
        terminal = self.top(*paths, "--base", "0x3010000")
        self.assertEqual(terminal.status(), 4)
        self.assertTrue(terminal.restored())
        self.assertIn("iommu-top: ", terminal.read("stderr"))

    def test_stopped_and_continued(self):
        terminal = self.top("-i", self.file(storm()), "-d", "0.1")
        terminal.shows("0000:00:01.0")
        terminal.signal(signal.SIGTSTP)
        time.sleep(0.3)
        terminal.signal(signal.SIGCONT)
        terminal.shows("LOG:", "0000:00:01.0")
        terminal.keys("q")
        self.assertEqual(terminal.status(), 0)
        self.assertTrue(terminal.restored(), terminal.screen())

    def test_a_recording_that_was_broken_off_is_told_at_the_end(self):
        made = storm()
        made.bytes = made.bytes[:-16]
        terminal = self.played(made)
        terminal.shows("was not ended")
        terminal.keys("q")
        self.assertEqual(terminal.status(), 0)
        self.assertIn("was not ended", terminal.read("stderr"))

    def test_damage_is_told_at_the_end(self):
        made = storm()
        made.bytes = made.bytes[:-20]
        terminal = self.played(made)
        terminal.keys("q")
        self.assertEqual(terminal.status(), 5)
        self.assertIn("cut off within a block", terminal.read("stderr"))


COLOUR = re.compile("\x1b\\[[0-9;]*[349][0-7][0-9;]*m|\x1b\\[[0-9;]*[34]8;5;")


class Terminals(Case):
    def coloured(self, **kwargs):
        return bool(COLOUR.search(self.played(None, **kwargs).screen(attributes=True)))

    def test_colours(self):
        self.assertTrue(self.coloured())
        self.assertTrue(self.coloured(term="screen"))

    def test_256_colours_are_used_where_there_are_as_many(self):
        self.assertIn("8;5;", self.played().screen(attributes=True))
        self.assertNotIn("8;5;", self.played(term="screen").screen(attributes=True))

    def test_no_color(self):
        self.assertFalse(self.coloured(env={"NO_COLOR": "1"}))
        self.assertTrue(self.coloured(env={"NO_COLOR": ""}))

    def test_a_terminal_without_colour(self):
        terminal = self.played(None, term="vt100")
        self.assertIsNone(COLOUR.search(terminal.screen(attributes=True)))
        terminal.keys("s")
        terminal.shows("RATE10v")
        terminal.keys("q")
        self.assertEqual(terminal.status(), 0)

    def test_a_terminal_that_cannot_place_text_gets_text(self):
        terminal = self.top("-i", self.file(recording.Recording().state(0).fault(1).end(2)), term="dumb")
        self.assertEqual(terminal.status(), 0)
        self.assertIn("0000:00:01.0", terminal.screen())
        self.assertIn("TERM=dumb", terminal.read("stderr"))

    def test_a_terminal_that_nobody_knows_gets_text(self):
        terminal = self.top("-i", self.file(recording.Recording().state(0).fault(1).end(2)), term="no-such-terminal")
        self.assertEqual(terminal.status(), 0)
        self.assertIn("0000:00:01.0", terminal.screen())


def why_not():
    """Why nothing can be tested here; None: it can."""
    if not os.path.exists(TOP):
        return f"{TOP}: no program to test"
    if not shutil.which("tmux"):
        return "tmux is not here"
    terminal = Terminal([TOP, "-n", "1", "-i", DEMO])
    try:
        terminal.status()
        return "it was built without a screen" if "built without a screen" in terminal.read("stderr") else None
    finally:
        terminal.close()


def main():
    reason = why_not()
    if reason:
        print(f"{reason}\n0 passed, 0 failed, 1 skipped")
        return 77
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    module = sys.modules[__name__]
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2 if "-v" in sys.argv else 1).run(suite)
    bad = {str(test) for test, _ in result.failures + result.errors}
    print(f"{result.testsRun - len(bad) - len(result.skipped)} passed, {len(bad)} failed, {len(result.skipped)} skipped")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
