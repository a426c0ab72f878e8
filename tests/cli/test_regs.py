# SPDX-License-Identifier: GPL-2.0-or-later
"""regs: every register and every field of the specification, reserved bits pointed out."""
import capture
import common

# Fields of each register by the specification, highest bit, lowest bit: everything but reserved and custom bits.
FLAGS = lambda **bits: {name: (bit, bit) for name, bit in bits.items()}  # noqa: E731
QUEUE_BASE = {"PPN": (53, 10), "LOG2SZ-1": (4, 0)}
INDEX = {"index": (31, 0)}
FIELDS = {
    "capabilities": dict(FLAGS(
        Sv32=8, Sv39=9, Sv48=10, Sv57=11, Svrsw60t59b=14, Svpbmt=15, Sv32x4=16, Sv39x4=17, Sv48x4=18, Sv57x4=19,
        AMO_MRIF=21, MSI_FLAT=22, MSI_MRIF=23, AMO_HWAD=24, ATS=25, T2GPA=26, END=27, HPM=30, DBG=31, PD8=38, PD17=39,
        PD20=40, QOSID=41, NL=42, S=43), version=(7, 0), IGS=(29, 28), PAS=(37, 32)),
    "fctl": FLAGS(BE=0, WSI=1, GXL=2),
    "ddtp": dict(FLAGS(busy=4), iommu_mode=(3, 0), PPN=(53, 10)),
    "cqb": QUEUE_BASE, "fqb": QUEUE_BASE, "pqb": QUEUE_BASE,
    "cqh": INDEX, "cqt": INDEX, "fqh": INDEX, "fqt": INDEX, "pqh": INDEX, "pqt": INDEX,
    "cqcsr": FLAGS(cqen=0, cie=1, cqmf=8, cmd_to=9, cmd_ill=10, fence_w_ip=11, cqon=16, busy=17),
    "fqcsr": FLAGS(fqen=0, fie=1, fqmf=8, fqof=9, fqon=16, busy=17),
    "pqcsr": FLAGS(pqen=0, pie=1, pqmf=8, pqof=9, pqon=16, busy=17),
    "ipsr": FLAGS(cip=0, fip=1, pmip=2, pip=3),
    "iocountovf": dict(FLAGS(CY=0), HPM=(31, 1)), "iocountinh": dict(FLAGS(CY=0), HPM=(31, 1)),
    "iohpmcycles": dict(FLAGS(OF=63), counter=(62, 0)),
    "tr_req_iova": {"vpn": (63, 12)},
    "tr_req_ctl": dict(FLAGS(go_busy=0, Priv=1, Exe=2, NW=3, PV=32), PID=(31, 12), DID=(63, 40)),
    "tr_response": dict(FLAGS(fault=0, S=9), PBMT=(8, 7), PPN=(53, 10)),
    "iommu_qosid": {"RCID": (11, 0), "MCID": (27, 16)},
    "icvec": {"civ": (3, 0), "fiv": (7, 4), "pmiv": (11, 8), "piv": (15, 12)},
}
for _i in range(1, 32):
    FIELDS[f"iohpmctr{_i}"] = {"counter": (63, 0)}
    FIELDS[f"iohpmevt{_i}"] = dict(FLAGS(DMASK=15, PV_PSCV=60, DV_GSCV=61, IDT=62, OF=63), eventID=(14, 0),
                                   PID_PSCID=(35, 16), DID_GSCID=(59, 36))
for _i in range(16):
    FIELDS[f"msi_addr_{_i}"] = {"ADDR": (55, 2)}
    FIELDS[f"msi_data_{_i}"] = {"data": (31, 0)}
    FIELDS[f"msi_vec_ctl_{_i}"] = FLAGS(M=0)

# Bits that belong to nobody: neither a field nor custom.
CUSTOM = {"capabilities": 0xff << 56, "fctl": 0xffff << 16, "cqcsr": 0xf << 28, "fqcsr": 0xf << 28,
          "pqcsr": 0xf << 28, "ipsr": 0xff << 8, "tr_req_ctl": 0xf << 36, "tr_response": 0xf << 60, "icvec": 0xffffffff << 32}
ALL_CAPS = 0x10 | 0xfff << 8 & ~(3 << 12) | 1 << 14 | 0xff << 14 & ~(1 << 20) | 7 << 21 | 0xf << 24 | 2 << 28 | \
    3 << 30 | 56 << 32 | 0x3f << 38


def mask(name):
    out = 0
    for high, low in FIELDS[name].values():
        out |= (1 << (high + 1)) - (1 << low)
    return out


def key(field):
    return "".join(c if c.isalnum() else "_" for c in field.lower())


def full_values():
    """Every register with all its field bits set, as far as the walk-free `regs` allows."""
    values = {name: mask(name) for name in capture.REGISTERS}
    values["capabilities"] = ALL_CAPS
    return values


class Registers(common.Case):
    def capture_of(self, values, name="regs.core"):
        capture.write(self.path(name), capture.Memory(), values)
        return self.path(name)

    def registers(self, values, *args, status=0):
        top = self.object("-i", self.capture_of(values), "regs", *args, status=status)
        self.assertEqual(len(top["iommus"]), 1)
        return top["iommus"][0]["registers"]

    def test_every_register_of_the_specification_is_shown(self):
        self.assertEqual(set(FIELDS), set(capture.REGISTERS))
        self.assertEqual(set(self.registers(full_values())), set(capture.REGISTERS))

    def test_offset_and_width_are_those_of_the_specification(self):
        for name, register in self.registers(full_values()).items():
            offset, width = capture.REGISTERS[name]
            self.assertEqual((register["offset"], register["width"]), (f"{offset:#x}", width), name)

    def test_every_field_of_every_register_is_shown(self):
        for name, register in self.registers(full_values()).items():
            with self.subTest(name):
                self.assertLessEqual({key(f) for f in FIELDS[name]}, set(register))
                self.assertEqual(register["raw"], f"{full_values()[name]:#x}")
                self.assertNotIn("reserved_set", register)

    def test_each_field_shows_its_own_bits(self):
        for name, fields in FIELDS.items():
            if name.rstrip("0123456789") != name and not name.endswith(("1", "_0")):
                continue  # one of a family is enough here
            for field, (high, low) in fields.items():
                values = full_values()
                cleared = values[name] & ~((1 << (high + 1)) - (1 << low))
                if name == "capabilities":
                    cleared = 0x10 if field != "version" else 0
                    if field != "IGS":
                        cleared |= 2 << 28
                    set_ = cleared | ((1 << low) if field != "IGS" else 1 << 28)
                else:
                    set_ = cleared | 1 << low
                one = self.registers({**values, name: cleared}, name)[name][key(field)]
                two = self.registers({**values, name: set_}, name)[name][key(field)]
                with self.subTest(f"{name}.{field}"):
                    self.assertNotEqual(one, two)
                    if high == low:
                        self.assertEqual((one, two), (False, True))

    def test_reserved_bits_that_are_set_are_pointed_out(self):
        for name, (_, width) in capture.REGISTERS.items():
            if not name.endswith(("_0", "1")) and name.rstrip("0123456789") != name:
                continue
            reserved = ((1 << 8 * width) - 1) & ~mask(name) & ~CUSTOM.get(name, 0)
            if not reserved:
                continue
            bit = reserved & -reserved
            values = {**full_values(), name: full_values()[name] | bit}
            with self.subTest(name):
                self.assertEqual(self.registers(values, name)[name]["reserved_set"], f"{bit:#x}")
                text = self.ran("-i", self.path("regs.core"), "regs", name).out.lower()
                self.assertIn(b"reserved", text)

    def test_no_word_of_reserved_bits_where_none_is_set(self):
        self.capture_of(full_values())
        self.assertNotIn(b"reserved bits", self.ran("-i", self.path("regs.core"), "regs").out.lower())

    def test_custom_bits_are_shown_and_are_no_reserved_ones(self):
        for name, bits in CUSTOM.items():
            values = {**full_values(), name: full_values()[name] | bits}
            with self.subTest(name):
                register = self.registers(values, name)[name]
                self.assertNotIn("reserved_set", register)
                self.assertIn("custom", " ".join(register))

    def test_named_registers_and_families_only(self):
        self.assertEqual(set(self.registers(full_values(), "DDTP", "fctl")), {"ddtp", "fctl"})
        self.assertEqual(len(self.registers(full_values(), "iohpmctr")), 31)

    def test_unknown_name_is_usage_and_is_named(self):
        done = self.ran("-i", self.capture_of(full_values()), "regs", "dtdp", status=2)
        self.assertIn(b"dtdp", done.err)
        self.assertIn(b"Try 'iommu-dump --help'", done.err)

    def test_register_that_was_not_captured_is_not_zero(self):
        values = full_values()
        del values["fqb"]
        register = self.registers(values, "fqb", "fqh", status=5)
        self.assertIsNone(register["fqb"]["raw"])
        self.assertIsNotNone(register["fqh"]["raw"])

    def test_registers_that_capabilities_rule_out_are_not_missed(self):
        values = {k: v for k, v in full_values().items() if not k.startswith(("iohpm", "iocount", "pq"))}
        values["capabilities"] &= ~(1 << 30 | 1 << 25)
        self.assertEqual(set(self.registers(values)), set(values))

    def test_text_names_every_register_and_field(self):
        text = self.ran("-i", self.capture_of(full_values()), "regs").out.decode()
        for name, fields in FIELDS.items():
            self.assertIn(name, text)
            for field in fields:
                self.assertIn(field.lower().replace("_", "").replace("/", ""),
                              text.lower().replace("_", "").replace("/", ""), f"{name}.{field}")
