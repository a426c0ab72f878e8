# SPDX-License-Identifier: GPL-2.0-or-later
"""What the software's walk says about a request against what the hardware did with it."""
from deviations import Difference

TTYP = {"x": 1, "r": 2, "w": 3}
PAGE_MASK = ~0xfff


def _hex(answer, key):
    return int(answer[key], 16)


def outcome(ask, answer, seen):
    """The Differences in one request's outcome on one channel."""
    coarse = PAGE_MASK if seen.channel == "tr_req" else -1  # the debug registers know pages only
    say = lambda field, ours, theirs, record=None: Difference(seen.channel, field, ours, theirs, ask, answer, record)  # noqa: E731
    if answer["result"] not in ("ok", "fault"):
        missing = answer.get("missing") or answer.get("missing_register") or answer.get("message")
        return [say("result", f"{answer['result']} ({missing})", "ok" if seen.ok else "refused")]
    through = answer["result"] == "ok"
    if through != seen.ok:
        causes = ", ".join(f"cause {r.cause}" for r in seen.records) or "no record"
        return [say("result", "ok" if through else answer["cause"], "ok" if seen.ok else f"refused, {causes}")]
    if through:
        found = [say("pa", _hex(answer, "pa") & coarse, seen.pa)] if _hex(answer, "pa") & coarse != seen.pa else []
        return found + [say("record", "none", r.cause, r) for r in seen.records]
    expected = int(answer["reported"])
    if len(seen.records) != expected:
        return [say("records", expected, len(seen.records))]
    return [d for record in seen.records for d in _record(ask, answer, record, coarse, say)]


def _record(ask, answer, record, coarse, say):
    """The fields of a fault record against those of a walk that ended in a fault."""
    process = answer["process_id"]
    ours = {"cause": answer["cause"], "ttyp": TTYP[ask.access], "did": _hex(answer, "device_id"),
            "pv": int(process is not None), "pid": int(process, 16) if process else 0, "priv": int(answer["privileged"]),
            "iotval": _hex(answer, "iotval") & coarse, "iotval2": _hex(answer, "iotval2")}
    theirs = vars(record)
    found = []
    for field, value in ours.items():
        # A page offset in iotval2 of the debug registers' request cannot be the one that we asked about.
        same = (value ^ theirs[field]) & ~0xffc == 0 if field == "iotval2" and coarse != -1 else value == theirs[field]
        if not same:
            found.append(say("record." + field, value, theirs[field], record))
    return found


def listed(record):
    """What `iommu-dump -J faults` has to list for a record, as far as the record itself says it."""
    return {"cause": record.cause, "device_id": f"{record.did:#x}", "ttyp": record.ttyp, "ttyp_name": TYPES.get(record.ttyp),
            "process_id": f"{record.pid:#x}" if record.pv else None, "privileged": bool(record.priv),
            "iotval": f"{record.iotval:#x}", "iotval2": f"{record.iotval2:#x}", "raw": [f"{w:#x}" for w in record.raw],
            "pending": False}


TYPES = {2: "untranslated read", 3: "untranslated write/AMO"}  # all that QEMU's devices make


def decoded(records, faults):
    """The fault queue as the tool lists it against the records as they are: complaints as text."""
    bad = []
    if len(records) != len(faults):
        bad.append(f"faults: {len(faults)} records listed, {len(records)} are in the queue")
    for i, (record, fault) in enumerate(zip(records, faults)):
        for key, value in listed(record).items():
            if fault.get(key) != value:
                bad.append(f"faults: record {i}: {key}: listed {fault.get(key)!r}, is {value!r}")
    return bad
