#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""iommu-dump against model.py: first model.py against the recorded answers, then the program over worlds at random.

    against_model.py [--seed N] [--worlds N] [--write DIRECTORY]

$IOMMU_DUMP names the program (default ./iommu-dump). --write gives files for run.py and unit-vectors instead, a few pages of theirs
poisoned, which a capture cannot say. The last line is `N passed, N failed, N skipped` (requests). Status: 0 all passed, 1 a
difference, 77 no program to test.
"""
import argparse
import itertools
import os
import sys
import tempfile

import capture
import expect
import model
import run
import vec
import worlds

SHOWN = 20


def recorded(case):
    """The World of a vector file."""
    return model.World(*(case.registers[name] for name in ("capabilities", "fctl", "ddtp")), case.params["gxl_writable"],
                       case.params["be_writable"], case.memory.pages, case.poison)


def as_case(world, requests):
    """A Vec, as run.ask() takes it, without answers."""
    case = vec.Vec("world", "riscv-iommu-vector 1")
    case.registers = {"capabilities": world.capabilities, "fctl": world.fctl, "ddtp": world.ddtp}
    case.params = {"gxl_writable": world.gxl_writable, "be_writable": world.be_writable}
    case.memory.pages = world.pages
    case.requests = [vec.Request(line(r).split(" ")[1:], None, line(r)) for r in requests]
    return case


def line(request):
    device_id, process_id, priv, access, kind, iova = request
    pid = "-" if process_id is None else f"{process_id:#x}"
    return f"req did={device_id:#x} pid={pid} priv={priv} type={access} at={kind} iova={iova:#x}"


def outcome(answer):
    """The right side of a line of a vector file."""
    steps = answer["steps"]
    if answer["result"] == "fault":
        words = "fault cause={cause} iotval={iotval:#x} iotval2={iotval2:#x}".format(**answer)
        words += f" reported={'yes' if answer['reported'] else 'no'} resp={answer['response']}"
    else:
        words = "ok pa={:#x} page_size={:#x} perm={} pbmt={memory_type} msi={msi}".format(
            answer["pa"], answer["page_size"] or expect.NO_LIMIT, answer["permissions"] or "-", **answer)
        if answer["msi"] == "mrif":
            words += f" mrif={answer['mrif_address']:#x} nid={answer['notice_id']:#x}"
        if "ats" in answer:
            words += " priv={} global={:d} uonly={:d}".format("s" if answer["ats"]["privileged"] else "u", answer["ats"]["global"],
                                                              answer["ats"]["untranslated_only"])
    words += f" nread={len(steps)}" + (f" last={steps[-1][2]:#x}" if steps else "")
    return words + "".join(f" wr={address:#x}/{size}:{value:#x}" for address, size, value in answer["writes"])


def record(request, answer, number):
    """The JSON that the program has to give."""
    device_id, process_id, priv, access, kind, iova = request
    want = {"line": number, "iommu": capture.BASE, "device_id": device_id, "process_id": process_id, "iova": iova,
            "access": access, "privileged": priv == "s", "type": kind}
    want.update({key: value for key, value in answer.items() if key not in ("steps", "writes")})
    for key in ("iommu", "device_id", "process_id", "iova", "pa", "page_size", "mrif_address", "iotval", "iotval2"):
        if want.get(key) is not None:
            want[key] = f"{want[key]:#x}"
    if "cause" in want:
        want["cause_name"] = expect.CAUSES[want["cause"]]
    want["steps"] = [{"structure": structure, "level": level, "address": f"{address:#x}", "value": [f"{v:#x}" for v in values]}
                     for structure, level, address, values in answer["steps"]]
    want["writes"] = [{"address": f"{address:#x}", "size": size, "value": f"{value:#x}"}
                      for address, size, value in answer["writes"]]
    return want


def judge_model():
    """How many recorded requests model.py answers otherwise, and of how many; told."""
    wrong = count = 0
    for name, text in vec.load():
        case = vec.Vec(name, text)
        world = recorded(case)
        for request in case.requests:
            asked = (request.did, request.pid, request.priv, request.access, request.type, request.iova)
            words = outcome(model.Walk(world, *asked).run()).split(" ")
            count += 1
            if not any(agrees(vec.Outcome(words), right) for right, _ in request.accepted()):
                wrong += 1
                print(f"model.py: {name}: {request.text}: {' '.join(words)}")
    return wrong, count


def agrees(mine, right):
    """Whether they say the same; page_size of the recorded ones is a hint (README.md), ttyp is not in an answer."""
    keys = (set(mine) | set(right)) - {"page_size", "ttyp"}
    same = all(int(mine[k], 0) == int(right[k], 0) if k in mine and k in right and mine[k][:2] == "0x" else
               mine.get(k) == right.get(k) for k in keys)
    return mine.kind == right.kind and mine.writes == right.writes and same


def judge_program(tool, seed):
    """(passed, [difference]) of a world: with steps, and without, where the walk takes shorter ways."""
    world, requests = worlds.world(seed)
    case, wants, bad = as_case(world, requests), [], []
    for number, request in enumerate(requests, 1):
        wants.append(record(request, model.Walk(world, *request).run(), number))
    with tempfile.TemporaryDirectory(prefix="model-") as directory:
        for steps in True, False:
            records, complaint = run.ask(tool, case, directory, steps)
            bad += [f"world {seed}: {complaint}"] if complaint else []
            for want, request, got in itertools.zip_longest(wants, requests, records, fillvalue={}):
                bad += [f"world {seed}: {line(request)}: {words}" for words in differences(want, got, steps)]
    return max(2 * len(requests) - len(bad), 0), bad


def differences(want, got, steps):
    """What is wrong with a record, as at most one text."""
    want, got = (dict(answer, writes=sorted(answer["writes"], key=str)) if "writes" in answer else answer for answer in (want, got))
    left_out = () if steps else ("steps", "writes")
    keys = sorted(k for k in set(want) - set(left_out) | set(got) if want.get(k, "absent") != got.get(k, "absent"))
    return ["; ".join(f"{k}: expected {want.get(k, 'absent')}, got {got.get(k, 'absent')}" for k in keys)] if keys else []


def write(directory, seed):
    world, requests = worlds.world(seed)
    pages = sorted({step[2] & -model.PAGE for request in requests[::7] for step in steps_of(world, request)[1:]} & set(world.pages))
    world.poison = set(pages[seed % 5::5])
    text = ["riscv-iommu-vector 1"]
    text += [f"reg {name} {getattr(world, name):#x}" for name in ("capabilities", "fctl", "ddtp")] + [f"pas {world.pas}"]
    text += [f"param {name} {getattr(world, name)}" for name in ("gxl_writable", "be_writable")]
    for address, page in sorted(world.pages.items()):
        text.append(f"{'poison' if address in world.poison else 'page'} {address:#x}")
        words = [int.from_bytes(page[i:i + 8], "little") for i in range(0, model.PAGE, 8)]
        if address not in world.poison:
            text += [f"mem {address + 8 * i:#x} {word:#x}" for i, word in enumerate(words) if word]
    text += [f"{line(request)} => {outcome(model.Walk(world, *request).run())}" for request in requests]
    with open(os.path.join(directory, f"world{seed}.vec"), "w", encoding="ascii") as file:
        file.write("\n".join(text) + "\n")


def steps_of(world, request):
    walk = model.Walk(world, *request)
    walk.run()
    return walk.steps


def main():
    parser = argparse.ArgumentParser(description="iommu-dump against a second walk")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--write", metavar="DIRECTORY")
    args = parser.parse_args()
    seeds = range(args.seed, args.seed + args.worlds)
    if args.write:
        os.makedirs(args.write, exist_ok=True)
        for seed in seeds:
            write(args.write, seed)
        return 0
    tool = run.program()
    if tool is None or run.without_json(tool):
        print("no iommu-dump with JSON to test: set IOMMU_DUMP\n0 passed, 0 failed, 1 skipped")
        return 77
    failed, count = judge_model()
    print(f"model.py answers {count - failed} of {count} recorded requests as recorded")
    passed, bad = count - failed, []
    for seed in seeds:
        good, wrong = judge_program(tool, seed)
        passed, bad = passed + good, bad + wrong
    for difference in bad[:SHOWN]:
        print(difference)
    failed += len(bad)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
