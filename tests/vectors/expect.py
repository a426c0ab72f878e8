# SPDX-License-Identifier: GPL-2.0-or-later
"""What the translation record of a vector request has to be (design: the translation record), and the comparison."""
import capture

# The specification's names of the causes.
CAUSES = {
    1: "Instruction access fault", 4: "Read address misaligned", 5: "Read access fault",
    6: "Write/AMO address misaligned", 7: "Write/AMO access fault", 12: "Instruction page fault",
    13: "Read page fault", 15: "Write/AMO page fault", 20: "Instruction guest page fault",
    21: "Read guest page fault", 23: "Write/AMO guest page fault",
    256: "All inbound transactions disallowed", 257: "DDT entry load access fault",
    258: "DDT entry not valid", 259: "DDT entry misconfigured", 260: "Transaction type disallowed",
    261: "MSI PTE load access fault", 262: "MSI PTE not valid", 263: "MSI PTE misconfigured",
    264: "MRIF access fault", 265: "PDT entry load access fault", 266: "PDT entry not valid",
    267: "PDT entry misconfigured", 268: "DDT data corruption", 269: "PDT data corruption",
    270: "MSI PT data corruption", 271: "MSI MRIF data corruption", 272: "Internal data path error",
    273: "IOMMU MSI write access fault", 274: "First/second-stage PT data corruption",
}

STRUCTURES = ("ddte", "dc", "pdte", "pc", "pte", "gpte", "msi_pte")
OFF, BARE = 0, 1
NO_LIMIT = 1 << 62
ANY = object()  # compared elsewhere


def mode(vec):
    return vec.registers["ddtp"] & 15


def record(vec, request, outcome, line, base):
    """The record without the keys that need the steps (page_size, steps, writes: ANY)."""
    r = {
        "line": line, "iommu": f"{base:#x}", "device_id": f"{request.did:#x}",
        "process_id": None if request.pid is None else f"{request.pid:#x}",
        "iova": f"{request.iova:#x}", "access": request.access, "privileged": request.priv == "s",
        "type": request.type, "result": outcome.kind, "steps": ANY, "writes": ANY,
    }
    if outcome.kind == "fault":
        cause = int(outcome["cause"])
        r.update(cause=cause, cause_name=CAUSES[cause], iotval=f"{outcome.hex('iotval'):#x}",
                 iotval2=f"{outcome.hex('iotval2'):#x}", reported=outcome["reported"] == "yes",
                 response=outcome["resp"])
        return r
    hidden = request.type == "translated" or mode(vec) == BARE or \
        (outcome["msi"] == "mrif" and request.type != "ats")
    perm = "---" if outcome["perm"] == "-" else outcome["perm"]
    r.update(pa=f"{outcome.hex('pa'):#x}", page_size=ANY, permissions=None if hidden else perm,
             memory_type=outcome["pbmt"], msi=outcome["msi"])
    if outcome["msi"] == "mrif":
        r.update(mrif_address=f"{outcome.hex('mrif'):#x}", notice_id=outcome.hex("nid"))
    if request.type == "ats":
        r["ats"] = {"privileged": outcome["priv"] == "s", "global": outcome["global"] == "1",
                    "untranslated_only": outcome["uonly"] == "1"}
    return r


def _number(text):
    """A number of the JSON: "0x%x", lower case, unpadded; None when it is not one."""
    try:
        value = int(text, 16)
    except (TypeError, ValueError):
        return None
    return value if text == f"{value:#x}" else None


def leaf_size(step, four_byte):
    pte = _number(step["value"][0])
    if four_byte:
        return 1 << (12 + 10 * step["level"])
    if step["level"] == 0:
        return 0x10000 if pte >> 63 else 0x1000
    return 1 << (12 + 9 * step["level"])


def true_size(vec, request, steps):
    """The page size that follows from the entries: the smaller stage, 64 KiB for NAPOT, None without a limit."""
    if mode(vec) == BARE or not steps:
        return None
    dc = next((s for s in steps if s["structure"] == "dc"), None)
    if dc is None or steps[-1] is dc:
        return None
    tc = _number(dc["value"][0])
    sizes = []
    stage1 = [s for s in steps if s["structure"] == "pte"]
    last = steps[-1]
    if stage1:
        sizes.append(leaf_size(stage1[-1], bool(tc >> 11 & 1)))
    if last["structure"] == "gpte":
        sizes.append(leaf_size(last, bool(vec.registers["fctl"] & 4)))
    elif last["structure"] == "msi_pte":
        sizes.append(0x1000)
    return min(sizes) if sizes else None


def _check_size(vec, request, outcome, got, problems):
    want = true_size(vec, request, got["steps"])
    size = None if got["page_size"] is None else _number(got["page_size"])
    if got["page_size"] is not None and size is None:
        problems.append(("page_size", "a number or null", got["page_size"]))
        return
    model = outcome.hex("page_size")
    dc = next((s for s in got["steps"] if s["structure"] == "dc"), None)
    # A second-stage superpage that overlaps the MSI window holds for less than its size; by how much is the
    # model's way of counting (512 at a step): any size from the model's up to the leaf's is right.
    if dc and len(dc["value"]) == 8 and _number(dc["value"][4]) >> 60 and want and model < want and \
            got["steps"][-1]["structure"] == "gpte" and size and model <= size <= want:
        return
    if size != want:
        problems.append(("page_size", "null" if want is None else f"{want:#x}", got["page_size"]))
        return
    # The steps are the tool's: what the model says must be compatible with them.
    agrees = model == want or model == NO_LIMIT and want is None or \
        model == 0x1000 and (want is None or want == 0x10000 or _second_bare(got["steps"]))
    if not agrees:
        problems.append(("page_size", f"compatible with the model's {model:#x}", got["page_size"]))


def _second_bare(steps):
    dc = next((s for s in steps if s["structure"] == "dc"), None)
    return dc is not None and _number(dc["value"][1]) >> 60 == 0


def _entry_values(vec, step, raw):
    """What an entry's bytes say, in host order."""
    big = bool(vec.registers["fctl"] & 1)
    if step["structure"] in ("pdte", "pc", "pte"):
        big = step["_sbe"]
    unit = 4 if len(raw) == 4 else 8
    order = "big" if big else "little"
    return [int.from_bytes(raw[i:i + unit], order) for i in range(0, len(raw), unit)]


def _entry_size(vec, step, tc):
    if step["structure"] == "dc":
        return 64 if vec.registers["capabilities"] >> 22 & 1 else 32
    if step["structure"] in ("pc", "msi_pte"):
        return 16
    if step["structure"] == "pte":
        return 4 if tc >> 11 & 1 else 8
    if step["structure"] == "gpte":
        return 4 if vec.registers["fctl"] & 4 else 8
    return 8


def _check_steps(vec, outcome, steps, problems):
    if not isinstance(steps, list) or not all(isinstance(s, dict) for s in steps):
        problems.append(("steps", "a list of objects", steps))
        return False
    if len(steps) != outcome.nread:
        problems.append(("steps", f"{outcome.nread} of them", len(steps)))
        return False
    if outcome.last is not None and _number(steps[-1].get("address")) != outcome.last:
        problems.append(("last step's address", f"{outcome.last:#x}", steps[-1].get("address")))
    tc = 0
    for i, step in enumerate(steps):
        address = _number(step.get("address"))
        values = [_number(v) for v in step.get("value", [])] if isinstance(step.get("value"), list) else None
        good = {"structure", "level", "address", "value"} <= set(step) and step["structure"] in STRUCTURES and \
            isinstance(step["level"], int) and address is not None and values is not None and None not in values
        if not good:
            problems.append((f"steps[{i}]", "structure, level, address, value[]", step))
            return False
        raw = vec.memory.get(address, _entry_size(vec, step, tc))
        want = [] if raw is None else _entry_values(vec, dict(step, _sbe=bool(tc >> 10 & 1)), raw)
        if values != want:
            problems.append((f"steps[{i}].value ({step['structure']} at {address:#x})",
                             [f"{v:#x}" for v in want], step["value"]))
        if step["structure"] == "dc" and values:
            tc = values[0]
    return True


def _check_writes(outcome, got, problems):
    if not isinstance(got["writes"], list):
        problems.append(("writes", "a list", got["writes"]))
        return
    try:
        writes = {(_number(w["address"]), w["size"], _number(w["value"])) for w in got["writes"]}
        extra = [w for w in got["writes"] if set(w) != {"address", "size", "value"}]
    except (TypeError, KeyError):
        writes, extra = None, ["malformed"]
    if writes != outcome.writes or extra or len(got["writes"]) != len(writes):
        show = lambda ws: sorted(f"{a:#x}/{s}:{v:#x}" for a, s, v in ws)
        problems.append(("writes", show(outcome.writes), got["writes"]))


def compare(vec, request, outcome, line, base, got):
    """What is wrong with a record: [(key, expected, got)]."""
    want = record(vec, request, outcome, line, base)
    problems = []
    if not isinstance(got, dict):
        return [("record", "an object", got)]
    for key in sorted(set(want) | set(got)):
        if key not in got:
            problems.append((key, "present" if want[key] is ANY else want[key], "absent"))
        elif key not in want:
            problems.append((key, "absent", got[key]))
        elif want[key] is not ANY and (got[key] != want[key] or type(got[key]) is not type(want[key])):
            problems.append((key, want[key], got[key]))
    if "steps" in got and "writes" in got:
        _check_writes(outcome, got, problems)
        if _check_steps(vec, outcome, got["steps"], problems) and outcome.kind == "ok" == got.get("result") \
                and "page_size" in got:
            _check_size(vec, request, outcome, got, problems)
    return problems
