# SPDX-License-Identifier: GPL-2.0-or-later
"""diff: each kind of change alone, what is no change, what cannot be compared; text, JSON against the schema, exit statuses."""
import json
import os

import capture
import common
import schema

SCHEMA = schema.load()
LISTS = ("iommus", "registers", "devices", "contexts", "mappings", "faults", "regions")
SV39 = 8 << 60


class Diff(common.Case):
    def whole(self, edit=None, drop=()):
        """The small machine with everything that it refers to, so that nothing is missing; EDIT changes it."""
        m = common.Machine()
        m.memory.put64(m.DDT + 64 * 0x10, *[0] * 8)
        if edit:
            edit(m)
        for name in drop:
            del m.registers[name]
        return m

    def write_machine(self, name, m, note=None, base=common.BASE, iommu=""):
        capture.write(self.path(name), m.memory, m.registers, base, iommu, note)
        return self.path(name)

    def pair(self, edit=None, old_edit=None, notes=(None, None)):
        return [self.write_machine("old", self.whole(old_edit), notes[0]), self.write_machine("new", self.whole(edit), notes[1])]

    def compare(self, files, *options, status=7):
        """The JSON, which fits the schema; and the text, of which no line is too long."""
        top = self.object(*options, "diff", *files, status=status)
        self.assertEqual(schema.Checker(SCHEMA).errors(top)[:4], [], json.dumps(top)[:3000])
        self.assertEqual(top["complete"], status != 5)
        self.text = self.ran(*options, "diff", *files, status=status).out.decode()
        for line in self.text.splitlines()[2:]:
            self.assertLessEqual(len(line), 80, line)
        return top

    def only(self, name, files, *options, status=7):
        """What is in list NAME, while the others are empty."""
        top = self.compare(files, *options, status=status)
        self.assertEqual([k for k in LISTS if top[k] and k != name], [], json.dumps(top)[:2000])
        return top[name]

    def marked(self, mark):
        return [line[2:] for line in self.text.splitlines()[2:] if line.startswith(mark + " ")]


class Nothing(Diff):
    def test_same_file(self):
        files = self.pair()
        top = self.compare(files, status=0)
        self.assertEqual([top[k] for k in LISTS], [[]] * len(LISTS))
        self.assertEqual(self.text, "nothing differs\n")
        self.assertEqual((top["old"]["path"], top["new"]["path"], top["source"]), (*files, None))
        self.assertEqual(top["fault_queues"], [{"iommu": f"{common.BASE:#x}", "state": "same", "added": 0}])

    def test_sample_is_the_same_as_itself_as_far_as_it_goes(self):
        done = common.call(*common.SAMPLE_OPTIONS, "diff", common.SAMPLE, common.SAMPLE)
        self.sane(done)
        self.assertIn(done.status, (0, 5), str(done))
        self.assertNotIn(b"\n- ", done.out)
        self.assertNotIn(b"\n+ ", done.out)

    def test_what_moves_by_itself_is_shown_and_is_no_difference(self):
        def edit(m):
            m.registers.update(fqh=3, cqh=5, cqt=5, ipsr=2)
        registers = self.only("registers", self.pair(edit), status=0)
        self.assertEqual([(r["name"], r["moving"]) for r in registers],
                         [("cqh", True), ("cqt", True), ("fqh", True), ("ipsr", True)])
        self.assertIn("~ fqh.index 1 -> 3\n", self.text)

    def test_tables_at_another_place(self):
        def edit(m):
            other = 0x80100000
            m.memory.put64(other, common.pte(m.L1, 1))
            m.memory.put64(m.DDT + 64 * 8 + 24, SV39 | other >> 12)
        contexts = self.only("contexts", self.pair(edit))
        self.assertEqual(contexts[0]["fields"], ["fsc.ppn"])

    def test_one_leaf_for_many(self):
        def edit(m):
            m.memory.put64(m.L1 + 8, common.pte(0x80200000, 1))
            m.memory.put64(0x80200000, *(common.pte(0xa0000000 + i * 4096, m.USER) for i in range(512)))
        self.compare(self.pair(edit), status=0)


class Registers(Diff):
    def test_field_by_field(self):
        register, = self.only("registers", self.pair(lambda m: m.registers.update(fqcsr=0x10001 | 1 << 9)))
        self.assertEqual((register["name"], register["change"], register["moving"]), ("fqcsr", "changed", False))
        self.assertEqual(register["fields"], ["fie", "fqof"])
        self.assertEqual((register["old"]["raw"], register["new"]["raw"]), ("0x10003", "0x10201"))
        self.assertIs(register["new"]["fqof"], True)
        self.assertEqual(self.marked("-"), ["fqcsr.fie 1", "fqcsr.fqof 0"])
        self.assertEqual(self.marked("+"), ["fqcsr.fie 0", "fqcsr.fqof 1"])

    def test_shape_is_that_of_regs(self):
        files = self.pair(lambda m: m.registers.update(cqcsr=0x10003))
        register, = self.only("registers", files)
        for side, path in (("old", files[0]), ("new", files[1])):
            regs = self.object("-i", path, "regs", "cqcsr")["iommus"][0]["registers"]
            self.assertEqual(register[side], regs["cqcsr"])

    def test_register_known_on_one_side_only_is_not_compared(self):
        files = [self.write_machine("old", self.whole()), self.write_machine("new", self.whole(drop=["cqcsr"]))]
        top = self.compare(files, status=5)
        self.assertEqual(top["registers"], [])
        self.assertEqual(len(top["errors"]), 1)
        self.assertIn("cqcsr", top["errors"][0])
        self.assertIn(files[1], top["errors"][0])

    def test_register_known_nowhere_is_not_missed(self):
        files = [self.write_machine(n, self.whole(drop=["cqcsr"])) for n in ("old", "new")]
        self.compare(files, status=0)

    def test_register_that_only_one_has(self):
        def edit(m):
            m.registers.update(capabilities=common.CAPABILITIES | 1 << 30, iohpmcycles=5, iocountovf=0, iocountinh=0,
                               **{f"iohpmctr{i}": 0 for i in range(1, 32)}, **{f"iohpmevt{i}": 0 for i in range(1, 32)})
        registers = self.only("registers", self.pair(edit))
        self.assertEqual(registers[0]["fields"], ["hpm"])
        inhibit, = [r for r in registers if r["name"] == "iocountinh"]
        self.assertEqual((inhibit["change"], inhibit["old"], inhibit["new"]["raw"]), ("added", None, "0x0"))


class Iommus(Diff):
    def machines(self, *bases):
        m = self.whole()
        notes = b"".join(capture.registers_note(m.registers, base, name) for base, name in bases)
        return capture.core(notes, m.memory.segments())

    def test_one_came_and_one_went(self):
        old = self.write("old", self.machines((0x1000, "a"), (0x2000, "b")))
        new = self.write("new", self.machines((0x1000, "a"), (0x3000, "c")))
        iommus = self.only("iommus", [old, new])
        self.assertEqual([(i["change"], (i["old"] or i["new"])["name"]) for i in iommus], [("removed", "b"), ("added", "c")])
        self.assertEqual((self.marked("-"), self.marked("+")), (["b at 0x2000"], ["c at 0x3000"]))

    def test_one_that_moved_is_still_the_same(self):
        old = self.write("old", self.machines((0x1000, "0000:00:02.0")))
        new = self.write("new", self.machines((0x5000, "0000:00:02.0")))
        iommu, = self.only("iommus", [old, new])
        self.assertEqual((iommu["change"], iommu["old"]["base"], iommu["new"]["base"]), ("changed", "0x1000", "0x5000"))

    def test_choice_of_one(self):
        old = self.write("old", self.machines((0x1000, "a"), (0x2000, "b")))
        new = self.write("new", self.machines((0x1000, "a"), (0x3000, "c")))
        self.compare([old, new], "-u", "a", status=0)
        self.ran("-u", "b", "diff", old, new, status=3)


class Machines(Diff):
    NOTE = {"devices": [{"device_id": "0x8", "name": "0000:00:01.0", "driver": "edu", "group": "1", "domain_type": "DMA",
                         "iommu": f"{common.BASE:#x}"}],
            "memory": [{"start": "0x80000000", "end": "0x8fffffff", "name": "System RAM"}]}

    def with_note(self, **changes):
        return self.pair(notes=(self.NOTE, {**self.NOTE, **changes}))

    def test_driver_changed(self):
        device, = self.only("devices", self.with_note(devices=[{**self.NOTE["devices"][0], "driver": "vfio-pci"}]))
        self.assertEqual((device["change"], device["name"], device["device_id"]), ("changed", "0000:00:01.0", "0x8"))
        self.assertEqual((device["old"]["driver"], device["new"]["driver"]), ("edu", "vfio-pci"))
        self.assertEqual(self.marked("+"), ["0000:00:01.0 (0x8) driver vfio-pci, group 1 DMA"])

    def test_device_went(self):
        device, = self.only("devices", self.with_note(devices=[]))
        self.assertEqual((device["change"], device["new"]), ("removed", None))

    def test_memory_map(self):
        more = {"start": "0x90000000", "end": "0x9fffffff", "name": "Crash kernel"}
        region, = self.only("regions", self.with_note(memory=self.NOTE["memory"] + [more]))
        self.assertEqual((region["change"], region["old"], region["new"]), ("added", None, more))
        self.assertEqual(self.marked("+"), ["0x90000000-0x9fffffff Crash kernel"])

    def test_another_kernel_and_time_are_no_difference(self):
        top = self.compare(self.with_note(kernel="7.3", time="2026-11-02T00:00:00Z"), status=0)
        self.assertEqual((top["old"]["kernel"], top["new"]["kernel"]), (None, "7.3"))


class Contexts(Diff):
    def test_new_with_the_shape_of_devices(self):
        files = self.pair(lambda m: m.memory.put64(m.DDT + 64 * 0x11, 1 | 1 << 4))
        top = self.compare(files)
        context, = top["contexts"]
        self.assertEqual((context["change"], context["device_id"], context["old"]), ("added", "0x11", None))
        self.assertEqual(context["new"], self.object("-i", files[1], "devices", "0x11")["devices"][0])
        self.assertIn("+ 0x11: valid, Bare\n", self.text)
        mapping, = top["mappings"]  # and what it reaches: all
        self.assertEqual((mapping["change"], mapping["new"]["kind"]), ("added", "identity"))

    def test_gone(self):
        context, = self.compare(self.pair(lambda m: m.memory.put64(m.DDT + 64 * 9, *[0] * 8)))["contexts"][:1]
        self.assertEqual((context["change"], context["device_id"], context["new"]), ("removed", "0x9", None))

    def test_changed_field(self):
        context, = self.only("contexts", self.pair(lambda m: m.memory.put64(m.DDT + 64 * 8, 1 | 1 << 4)))
        self.assertEqual((context["change"], context["fields"]), ("changed", ["tc.dtf"]))
        self.assertEqual((self.marked("-"), self.marked("+")), (["tc.DTF 0"], ["tc.DTF 1"]))

    def test_process(self):
        files = self.pair(lambda m: m.memory.put64(m.PDT + 16 * 5, 1 | 8 << 12))
        context, = self.only("contexts", files)
        self.assertEqual((context["process_id"], context["fields"]), ("0x5", ["ta.pscid"]))
        self.assertEqual(context["old"], self.object("-i", files[0], "processes", "9")["processes"][0])

    def test_process_came(self):
        def edit(m):
            m.memory.put64(m.PDT + 16 * 6, 1, SV39 | 0x80050)
            m.memory.page(0x80050000)
        context, = self.only("contexts", self.pair(edit))
        self.assertEqual((context["change"], context["process_id"]), ("added", "0x6"))

    def test_other_fields_under_another_mode(self):
        def edit(m):
            m.memory.put64(m.DDT + 64 * 8, 1 | 1 << 5, 0, 0, 1 << 60 | m.PDT >> 12)
        context, = self.compare(self.pair(edit))["contexts"][:1]
        self.assertEqual(context["fields"][:2], ["tc.pdtv", "fsc"])

    def test_long_names_wrap(self):
        note = {"devices": [{**Machines.NOTE["devices"][0], "name": "a-device-" + "x" * 50}]}
        files = [self.write_machine(n, self.whole(e), note, iommu="an-iommu-" + "y" * 40)
                 for n, e in (("old", None), ("new", lambda m: m.memory.put64(m.L0 + 8, common.pte(0x91000000, 0xd7))))]
        self.only("mappings", files)  # which looks at the width
        self.assertIn("@@ an-iommu", self.text)

    def test_names_of_devices(self):
        files = self.pair(lambda m: m.memory.put64(m.DDT + 64 * 8, 1 | 1 << 4), notes=(Machines.NOTE, Machines.NOTE))
        context, = self.only("contexts", files)
        self.assertEqual(context["new"]["name"], "0000:00:01.0")
        self.assertIn("  0000:00:01.0 (0x8):\n", self.text)


class Mappings(Diff):
    def leaves(self, *entries):
        return lambda m: m.memory.put64(m.L0, *entries)

    def mapping(self, *entries):
        """The one change that a page table of ENTRIES, instead of 0x1000 rw and 0x2000 r, makes for device 8 and process 5."""
        mapping, = self.only("mappings", self.pair(self.leaves(*entries)))
        self.assertEqual([(s["device_id"], s["process_id"], s["space"]) for s in mapping["spaces"]],
                         [("0x8", None, "device"), ("0x9", "0x5", "process")])
        self.assertEqual(mapping["space_count"], 2)
        return mapping

    ONE, TWO = common.pte(0x90000000, 0xd7), common.pte(0x90001000, 0xd3)

    def test_added(self):
        m = self.mapping(0, self.ONE, self.TWO, common.pte(0x95000000, 0xd7), common.pte(0x95001000, 0xd7))
        self.assertEqual((m["change"], m["old"]), ("added", None))
        self.assertEqual([m["new"][k] for k in ("iova", "pa", "size", "permissions")], ["0x3000", "0x95000000", "0x2000", "rw-"])
        self.assertEqual(len(self.marked("+")), 1)
        self.assertEqual(self.marked("-"), [])
        self.assertIn("mappings of 0x8 and 1 more", self.text)

    def test_removed(self):
        m = self.mapping(0, self.ONE, 0)
        self.assertEqual((m["change"], m["old"]["iova"], m["new"]), ("removed", "0x2000", None))
        self.assertEqual(self.marked("-")[0].split()[:2], ["0x2000-0x2fff", "0x90001000"])

    def test_leads_elsewhere(self):
        m = self.mapping(0, common.pte(0x99000000, 0xd7), self.TWO)
        self.assertEqual((m["change"], m["old"]["pa"], m["new"]["pa"]), ("changed", "0x90000000", "0x99000000"))

    def test_other_permissions(self):
        m = self.mapping(0, self.ONE, common.pte(0x90001000, 0xd7))
        self.assertEqual((m["old"]["permissions"], m["new"]["permissions"]), ("r--", "rw-"))

    def test_blocked_by_an_accessed_bit(self):
        m = self.mapping(0, common.pte(0x90000000, 0x97), self.TWO)
        self.assertEqual((m["old"]["blocked_by"], m["new"]["blocked_by"]), ([], ["A"]))

    def test_hole_in_a_large_page(self):
        def edit(m):
            m.memory.put64(m.L1 + 8, common.pte(0x80200000, 1))
            m.memory.put64(0x80200000, *(common.pte(0xa0000000 + i * 4096, m.USER) if i != 7 else 0 for i in range(512)))
        m, = self.only("mappings", self.pair(edit))
        self.assertEqual([m["old"][k] for k in ("iova", "pa", "size")], ["0x207000", "0xa0007000", "0x1000"])

    def test_shape_is_that_of_mappings(self):
        files = self.pair(self.leaves(0, self.ONE, common.pte(0x90001000, 0xd7)))
        change, = self.only("mappings", files)
        for side, path in zip(("old", "new"), files):
            shown = {m["iova"]: m for m in self.object("-i", path, "mappings", "8")["mappings"]}
            self.assertEqual(set(change[side]), set(shown["0x1000"]))
        self.assertEqual(change["old"], {m["iova"]: m for m in
                                         self.object("-i", files[0], "mappings", "8")["mappings"]}["0x2000"])

    def test_from_bare_to_translated(self):
        files = self.pair(old_edit=lambda m: m.registers.update(ddtp=1))
        top = self.compare(files)
        first = [m for m in top["mappings"] if m["spaces"][0]["device_id"] == "0x8"]
        self.assertEqual({m["old"]["kind"] for m in first}, {"identity"})
        self.assertEqual([m["new"]["pa"] for m in first if m["new"]], ["0x90000000", "0x90001000", "0xa0000000"])


class Faults(Diff):
    def test_new_record_with_the_shape_of_faults(self):
        def edit(m):
            m.memory.put64(m.FQ + 96, *common.fault_record(13, 8, 0x666000))
            m.registers["fqt"] = 4
        files = self.pair(edit)
        top = self.compare(files)
        fault, = top["faults"]
        self.assertEqual((fault["change"], fault["old"]), ("added", None))
        self.assertEqual(fault["new"], self.object("-i", files[1], "faults")["faults"][-1])
        self.assertEqual((top["fault_queues"][0]["state"], top["fault_queues"][0]["added"]), ("grew", 1))
        self.assertIn("+ 3: 13 Read page fault, 0x8, untranslated read of 0x666000, pending\n", self.text)

    def test_consumed_record_is_no_new_one(self):
        self.assertEqual(self.only("registers", self.pair(lambda m: m.registers.update(fqh=3)), status=0)[0]["name"], "fqh")

    def test_lap_is_said(self):
        def edit(m):
            for i in range(128):
                m.memory.put64(m.FQ + 32 * i, *common.fault_record(13, 8, 0x1000000 + i * 0x1000))
        top = self.compare(self.pair(edit))
        self.assertEqual((top["fault_queues"][0]["state"], len(top["faults"])), ("lapped", 128))
        self.assertIn("went round", self.text)

    def test_reset_is_said(self):
        def edit(m):
            m.memory.put64(m.FQ, *[0] * 12)
            m.registers.update(fqh=0, fqt=0)
        top = self.compare(self.pair(edit))
        self.assertEqual((top["fault_queues"][0]["state"], top["faults"]), ("reset", []))
        self.assertIn("cleared", self.text)

    def test_other_ring(self):
        def edit(m):
            m.registers.update(fqb=common.UPPER(0x80300000) | 6, fqh=0, fqt=1)
            m.memory.put64(0x80300000, *common.fault_record(13, 8, 0x5000))
        top = self.compare(self.pair(edit))
        self.assertEqual((top["fault_queues"][0]["state"], len(top["faults"])), ("moved", 1))

    def test_ring_without_its_indexes(self):
        files = [self.write_machine(n, self.whole(drop=["fqt"])) for n in ("old", "new")]
        top = self.compare(files, status=5)
        self.assertEqual(top["fault_queues"][0]["state"], "unknown")


    def test_queue_that_neither_file_has_is_said_and_is_nothing_missing(self):
        files = [self.write_machine(n, self.whole(drop=["fqb"])) for n in ("old", "new")]
        top = self.compare(files, status=0)
        self.assertEqual(top["fault_queues"], [{"iommu": f"{common.BASE:#x}", "state": "unknown", "added": 0}])
        self.assertIn("neither file has the register fqb", self.text)
        changed = self.write_machine("changed", self.whole(lambda m: m.memory.put64(m.L0, 0, 0), drop=["fqb"]))
        self.only("mappings", [files[0], changed], status=7)
        for one in ([], ["fqb"]), (["fqb"], []):
            files = [self.write_machine(n, self.whole(drop=d)) for n, d in zip(("old", "new"), one)]
            self.assertIn("faults are not compared", "".join(self.compare(files, status=5)["errors"]))


class Incomplete(Diff):
    """5, and what could not be compared; what could be is."""

    def test_memory_that_one_side_lacks_is_no_change(self):
        for missing, word in (("DDT", "device_id"), ("PDT", "process_id"), ("ROOT", "mappings"), ("L0", "mappings")):
            for side in (0, 1):
                with self.subTest(missing=missing, side=side):
                    machines = [self.whole(), self.whole()]
                    del machines[side].memory.pages[getattr(common.Machine, missing)]
                    files = [self.write_machine(n, m) for n, m in zip(("old", "new"), machines)]
                    top = self.compare(files, status=5)
                    self.assertEqual([k for k in LISTS if top[k]], [])
                    for error in top["errors"]:
                        self.assertIn(word, error)
                        self.assertIn(files[side], error)
                        self.assertIn("not compared", error)

    def test_the_rest_is_compared(self):
        def edit(m):
            del m.memory.pages[m.PDT]
            m.memory.put64(m.L0, 0, 0)
        mapping, = self.only("mappings", self.pair(edit), status=5)
        self.assertEqual((mapping["change"], mapping["old"]["iova"]), ("removed", "0x1000"))

    def test_missing_register_of_the_walk(self):
        files = [self.write_machine("old", self.whole()), self.write_machine("new", self.whole(drop=["ddtp"]))]
        top = self.compare(files, status=5)
        self.assertTrue(any("ddtp" in e and "--reg" in e for e in top["errors"]))

    def test_registers_by_hand_go_to_both(self):
        files = []
        for name, value in (("old", 0xd7), ("new", 0xd3)):
            m = self.whole(lambda m, v=value: m.memory.put64(m.L0 + 8, common.pte(0x90000000, v)))
            files.append(self.write(name, capture.core(capture.note(7, b"x", b"CORE\0"), m.memory.segments())))
        options = ["--base", f"{common.BASE:#x}"]
        for name, value in self.whole().registers.items():
            options += ["--reg", f"{name}={value:#x}"]
        mapping, = self.only("mappings", files, *options)
        self.assertEqual((mapping["old"]["permissions"], mapping["new"]["permissions"]), ("rw-", "r--"))

    def test_mode_that_is_not_defined(self):
        files = self.pair(lambda m: m.registers.update(ddtp=common.UPPER(m.DDT) | 9))
        self.assertIn("not compared", self.compare(files, status=5)["errors"][0])

    def test_walk_that_is_too_long_is_said(self):
        files = self.pair(lambda m: m.memory.put64(m.L0, 0, 0))
        top = self.compare(files, "-O", "max-pages=2", status=5)
        self.assertTrue(any("max-pages=2" in e for e in top["errors"]))

    def test_damaged_file(self):
        files = self.pair()
        with open(files[1], "rb") as f:
            cut = self.write("cut", f.read()[:200])
        for args in ([cut, files[0]], [files[0], cut]):
            done = self.ran("-J", "diff", *args, status=5)
            self.assertIs(self.one_object(done)["complete"], False)
            self.assertIn(b"cut", done.err)

    def test_file_that_is_not_there(self):
        self.ran("diff", self.path("nothing"), self.pair()[0], status=1)

    def test_file_without_registers(self):
        bare = self.write("bare", capture.core(capture.note(7, b"x", b"CORE\0"), self.whole().memory.segments()))
        self.ran("diff", bare, self.pair()[0], status=3)

    def test_usage(self):
        files = self.pair()
        for args in (["diff"], ["diff", files[0]], ["diff", *files, "more"], ["-i", files[0], "diff", *files],
                     ["--save", self.path("x"), "diff", *files], ["diff", *files, "--walk"]):
            with self.subTest(args=args):
                self.ran(*args, status=2)
        self.assertFalse(os.path.exists(self.path("x")))


class Hostile(Diff):
    def test_random_tables(self):
        import random
        rng = random.Random(5)
        for _ in range(20):
            def edit(m):
                for page in (m.ROOT, m.L1, m.L0, m.PDT, m.DDT):
                    for _ in range(40):
                        at = page + 8 * rng.randrange(512)
                        target = rng.choice((m.ROOT, m.L1, m.L0, m.PDT, 0x90000000, rng.getrandbits(44) << 12))
                        m.memory.put64(at, common.pte(target & (1 << 56) - 1, rng.choice((1, 1, 0xd7, 0xcf, rng.getrandbits(10)))))
            done = common.call("-J", "-O", "max-pages=5000", "diff", *self.pair(edit, edit))
            self.sane(done)
            top = self.one_object(done)
            top["mappings"] = rng.sample(top["mappings"], min(30, len(top["mappings"])))
            self.assertEqual(schema.Checker(SCHEMA).errors(top)[:4], [])
