#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Do the man pages tell the truth? Each is compared with its program, and its examples are run.

    man.py [PAGE...]        PAGE: default all of ../man/*.8

* commands, options, parameters, methods and exit statuses: what the page has the program has, and the other way round;
* every key of the JSON of a translation is described;
* each example runs: those of the prompt `$` against a capture, those of `#` (a live board) on an empty fake machine,
  where only a usage error would be wrong;
* mandoc -Tlint has nothing to say.

IOMMU_DUMP, IOMMU_KEXEC_PREP, IOMMU_QUIESCE and IOMMU_TOP name the programs (default ./iommu-dump, ...), CAPTURE the capture (default ../examples/demo.core), MANDOC the linter.
The last line is `N passed, N failed, N skipped`. Exit status: 0 all passed, 1 not, 77 no program to test.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT = re.compile(r"^([#$]) (iommu-[a-z]+(?:-[a-z]+)*\b.*)$")
CAPTURES = re.compile(r"\b(?:demo|capture)\.core\b")
FILE_HEAD = re.compile(r"^# ([\w-]+\.(?:txt|log))$")
PROGRAMS = {"iommu-dump": "IOMMU_DUMP", "iommu-kexec-prep": "IOMMU_KEXEC_PREP", "iommu-quiesce": "IOMMU_QUIESCE", "iommu-top": "IOMMU_TOP"}  # and who names them
DONE, FINDING, USAGE = 0, 7, 2
TIMEOUT = 60
# What sanitizers say; they end a program with status 1, which a machine without an IOMMU may give, too.
SANITIZER = ("AddressSanitizer", "UndefinedBehavior", "LeakSanitizer", "runtime error:")


class Skip(Exception):
    """The test cannot run here; the reason."""


# -- the page ---------------------------------------------------------------------------------------------------------

class Page:
    """mdoc, as far as this page uses it: sections, tags of lists, literal blocks."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path).rsplit(".", 1)[0]
        with open(path, encoding="utf-8") as f:
            self.lines = [line for line in f.read().splitlines() if not line.startswith('.\\"')]

    def section(self, name):
        """The lines under .Sh NAME."""
        out, inside = [], False
        for line in self.lines:
            if line.startswith(".Sh "):
                inside = line[4:] == name
            elif inside:
                out.append(line)
        if not out:
            raise AssertionError(f"{self.path}: there is no section {name}")
        return out

    def tags(self, name):
        """The arguments of .It in a section."""
        return [line[4:] for line in self.section(name) if line.startswith(".It ")]

    def literals(self):
        """Literal blocks as lists of lines; a .Dl is one."""
        block = None
        for line in self.lines:
            if line.startswith(".Dl "):
                yield [plain(line[4:])]
            elif line.startswith(".Bd -literal"):
                block = []
            elif line == ".Ed" and block is not None:
                yield block
                block = None
            elif block is not None:
                block.append(plain(line))

    def examples(self):
        """[(prompt, command line)]"""
        found = [PROMPT.match(line) for block in self.literals() for line in block]
        return [m.groups() for m in found if m]

    def files(self):
        """The files that examples use: blocks whose first line is `# NAME`. name -> text"""
        return {FILE_HEAD.match(b[0]).group(1): "\n".join(b) + "\n" for b in self.literals() if b and FILE_HEAD.match(b[0])}


def plain(text):
    """Text without roff's escapes."""
    for escape, char in (("\\&", ""), ("\\-", "-"), ("\\(aq", "'"), ("\\(dq", '"'), ("\\e", "\\")):
        text = text.replace(escape, char)
    return text


def options_of(tags):
    """-x and --xxx in .It lines: `Fl x Ar arg , Fl -xxx` or `Fl x , -xxx`."""
    out = set()
    for tag in tags:
        for part in tag.split(" , "):
            m = re.match(r"(?:Fl )?(-?[A-Za-z][\w-]*)", part)
            if part.startswith(("Fl ", "-")) and m:
                out.add("-" + m.group(1))
    return out


# -- the program ------------------------------------------------------------------------------------------------------

class Tool:
    def __init__(self, path):
        self.path = os.path.abspath(path)

    def run(self, *args, **kwargs):
        return subprocess.run([self.path, *args], capture_output=True, text=True, timeout=TIMEOUT, check=False,
                              stdin=subprocess.DEVNULL, **kwargs)

    def text(self, *args):
        done = self.run(*args)
        if done.returncode:
            raise AssertionError(f"{args} ends with {done.returncode}: {done.stderr}")
        return done.stdout

    def options(self):
        """Of --help: lines like `  -i, --input FILE   ...`, `      --steps   ...`."""
        out = set()
        for m in re.finditer(r"^ {2,}(?:(-\w), )?(--[a-z][a-z-]*)", self.text("--help"), re.M):
            out |= {g for g in m.groups() if g}
        return out

    def commands(self):
        """Of --help: the lines below `Commands:`."""
        blocks = self.text("--help").split("Commands:\n", 1)[1:]
        return set(re.findall(r"^  ([a-z]+)\b", blocks[0].split("\n\n", 1)[0], re.M)) if blocks else set()

    def methods(self):
        return set(re.findall(r"^(\w+) ", self.text("-A", "help"), re.M))

    def parameters(self):
        """key -> default"""
        return dict(re.findall(r"^([\w.-]+)=(.*)$", self.text("-O", "help"), re.M))


def both_ways(page, tool, what):
    complaints = [f"{what} {x}: in the page, not in the program" for x in sorted(page - tool)]
    complaints += [f"{what} {x}: in the program, not in the page" for x in sorted(tool - page)]
    if not page and not tool:
        complaints.append(f"no {what} found in either: this test looks at the wrong place")
    assert not complaints, "; ".join(complaints)


# -- the tests ------------------------------------------------------------------------------------------------------

def test_options(page, tool, _capture):
    both_ways(options_of(page.tags("OPTIONS")), tool.options(), "option")


def test_help_fits_the_screen(_page, tool, _capture):
    wide = [line for line in tool.text("--help").splitlines() if len(line) > 80]
    assert not wide, "; ".join(wide)


def test_commands(page, tool, _capture):
    if ".Sh COMMANDS" not in page.lines and not tool.commands():
        raise Skip("it has no commands")
    both_ways({t.split()[1] for t in page.tags("COMMANDS") if t.startswith("Cm ")}, tool.commands(), "command")


def test_methods(page, tool, _capture):
    if page.name != "iommu-dump":
        raise Skip("the page refers to iommu-dump(8)")
    both_ways({t.split()[1] for t in page.tags("WAYS TO THE REGISTERS")}, tool.methods(), "method")


def test_parameters(page, tool, _capture):
    told = {t.split()[1] for t in page.tags("PARAMETERS")}
    if page.name == "iommu-dump":  # where all of them are told of
        both_ways(told, set(tool.parameters()), "parameter")
    assert told and not told - set(tool.parameters()), f"not in the program: {sorted(told - set(tool.parameters()))}"


def test_rules(page, tool, _capture):
    """Each rule of `check` with its severity and title, in the order of the program."""
    if page.name != "iommu-dump":
        raise Skip("it has no rules")
    items = re.split(r"^\.It Cm ", "\n".join(page.section("RULES OF CHECK")), flags=re.M)[1:]
    told = [" ".join(item.split("\n.El")[0].split()).replace(" No ", " ", 1).rstrip(".").lower() for item in items]
    rules = re.sub(r"\n +", " ", tool.text("--severity", "help")).splitlines()
    rules = [" ".join(rule.split()).lower() for rule in rules]
    assert len(rules) > 50, f"only {rules}"
    assert told == rules, f"they differ: {sorted(set(told) ^ set(rules))}"


def test_defaults_of_parameters(page, tool, _capture):
    items = re.split(r"^\.It Cm ", "\n".join(page.section("PARAMETERS")), flags=re.M)[1:]
    text = {item.split()[0]: item for item in items}
    wrong = [f"{key}: the default {default} is not told" for key, default in tool.parameters().items()
             if default and (key in text or page.name == "iommu-dump") and not re.search(r"(?<![\w/])" + re.escape(default) + r"(?![\w/])", text.get(key, "").split("\n", 1)[-1])]
    assert not wrong, "; ".join(wrong)


def test_files_of_the_state_are_where_they_are_kept(page, tool, _capture):
    told = re.findall(r"/run/[\w/.-]+", "\n".join(page.section("FILES")))
    wrong = [path for path in told if not (path + "/").startswith(tool.parameters()["state.path"] + "/")]
    assert not wrong, f"{wrong} are not in {tool.parameters()['state.path']}"


def test_macros_end_before_the_text(page, _tool, _capture):
    """`.Ql a , b` is one quotation of all of it, `.Fl l , the default` three options."""
    wrong = [line for line in page.lines if re.search(r"(?:^\.|^\.Pq .*)(?:Ql|Sq|Dq) \S+ , \S|^\.Pq Fl \S+ , \w", line)]
    assert not wrong, "; ".join(wrong)


def test_exit_statuses(page, _tool, _capture):
    told = [t.split()[0] for t in page.tags("EXIT STATUS")]
    assert told == [str(i) for i in range(8)], f"the page has {told}"


def test_lint(page, _tool, _capture):
    mandoc = os.environ.get("MANDOC") or "mandoc"
    if mandoc == ":" or not shutil.which(mandoc):
        raise Skip("mandoc is not here")
    done = subprocess.run([mandoc, "-Tlint", "-Wwarning", page.path], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout.strip(), done.stdout + done.stderr


def keys_of(value):
    """Every key, but not those of decoded fields: their names are the specification's."""
    if isinstance(value, dict):
        if "raw" in value and not isinstance(value["raw"], list):
            return {"raw"}
        return set(value) | set().union(*(keys_of(v) for k, v in value.items() if k != "registers"))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def json_keys(page):
    """The words of .Cm in the section JSON."""
    marked = [line[4:] for line in page.section("JSON") if line.startswith((".It Cm", ".Cm "))]
    return set(re.findall(r"\b[a-z][a-z0-9_]*\b", " ".join(marked)))


def keys_of_schema(value):
    """What a schema calls a property."""
    if isinstance(value, list):
        return set().union(*map(keys_of_schema, value))
    if not isinstance(value, dict):
        return set()
    return set(value.get("properties", ())) | set().union(*(keys_of_schema(v) for v in value.values()))


def test_keys_of_the_schema(page, _tool, _capture):
    path = os.path.join(HERE, "..", "src", "schema", f"{page.name}-1.schema.json")
    with open(path, encoding="utf-8") as f:
        found = keys_of_schema(json.load(f))
    assert len(found) > 30, f"only {sorted(found)}: is this a schema?"
    if page.name == "iommu-dump":
        raise Skip("what it prints is compared instead: its schema has keys that only a kind of text shows")
    assert not found - json_keys(page), f"keys that the page does not have: {sorted(found - json_keys(page))}"


def test_keys_of_the_json(page, tool, capture):
    """What the program prints is described; the capture decides which outcomes there are."""
    if page.name != "iommu-dump":
        raise Skip("its schema is compared instead")
    need(capture)
    found = set()
    for kind in ("untranslated", "translated", "ats"):
        for iova in ("0x0", "0x777000", "0x100000000"):
            for more in ((), ("-O", "absent=fault"), ("--reg", "ddtp=1"), ("--reg", "ddtp=15")):
                done = tool.run("-i", capture, *more, "-J", "translate", "0x8", iova, "--type", kind)
                found |= keys_of(json.loads(done.stdout))
    for command in (["list"], ["regs"], ["devices"], ["devices", "0x8"], ["processes", "0x8"], ["faults", "--walk"], ["commands"], ["requests"], ["counters"], ["mappings", "0x8"], ["whomaps", "0x84c00000"],
                    ["msi", "0x8"], ["check"]):
        found |= keys_of(json.loads(tool.run("-i", capture, "-J", *command).stdout))
    done = tool.run("-i", capture, "-J", "translate", "--batch", os.path.abspath(__file__))  # no line of it is a request
    found |= keys_of(json.loads(done.stdout.splitlines()[0]))
    assert len(found) > 60, f"only {sorted(found)}: is this a capture?"
    assert not found - json_keys(page), f"keys that the page does not have: {sorted(found - json_keys(page))}"


def need(capture):
    if not capture:
        raise Skip("there is no capture: CAPTURE=FILE names one")


def programs(command):
    """The programs of a pipeline but for our own."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|")
    lexer.whitespace_split = True
    words = list(lexer)
    return [w for w, before in zip(words[1:], words) if before == "|"]


def shell(command, tool, directory, extra=()):
    """Runs an example where our names are the programs under test."""
    programs_here = {**{name: os.path.join(os.path.dirname(tool.path), name) for name in PROGRAMS}, os.path.basename(tool.path): tool.path}
    function = "".join(f"{name}() {{ {' '.join(map(shlex.quote, [path, *extra]))} \"$@\"; }}\n" for name, path in programs_here.items())
    # bash, because a name with a hyphen is no function for sh; pipefail shows what the left side said
    done = subprocess.run(["bash", "-c", "set -o pipefail\n" + function + command], capture_output=True, text=True, cwd=directory,
                          timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL)
    said = [word for word in SANITIZER if word in done.stderr]
    assert not said, done.stderr
    return done


def run_offline(page, tool, capture, command):
    if CAPTURES.search(command):
        need(capture)
    for name in programs(command):
        if not shutil.which(name):
            raise Skip(f"{name} is not here")
    with tempfile.TemporaryDirectory(prefix="man-") as directory:
        for name, text in page.files().items():
            with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
                f.write(text)
        with open(os.path.join(directory, "ram.img"), "wb") as f:
            f.write(bytes(1 << 16))  # memory of zeros, which has no valid context
        done = shell(CAPTURES.sub(lambda _: shlex.quote(capture or ""), command), tool, directory)
    assert done.returncode in (DONE, FINDING), f"ends with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}"
    assert done.stdout.strip(), "prints nothing"


def run_live(_page, tool, _capture, command):
    """On a machine with nothing: no IOMMU, or no way to it; but the command line must be understood."""
    with tempfile.TemporaryDirectory(prefix="man-") as directory:
        extra = []
        for key in tool.parameters():
            if key.endswith(".path"):
                extra += ["-O", f"{key}={directory}/nothing"]
        done = shell(command, tool, directory, extra)
    assert done.returncode >= 0 and done.returncode != USAGE, f"ends with {done.returncode}: {done.stderr.strip()}"
    assert done.returncode != 127, done.stderr.strip()


def example_tests(page):
    """One test each; a page without examples of both kinds is a failure."""
    out = []
    for prompt, command in page.examples():
        run = run_live if prompt == "#" else run_offline
        out.append((f"{prompt} {command}", lambda p, t, c, run=run, command=command: run(p, t, c, command)))
    kinds = {prompt for prompt, _ in page.examples()}

    def test_both_kinds(_page, _tool, _capture):
        assert kinds == {"#", "$"}, f"examples have the prompts {sorted(kinds)}"

    return [("examples of both kinds", test_both_kinds)] + out


def test_page(path):
    """Counts of ok, FAIL, skip; None: there is no program to test."""
    page = Page(path)
    program = os.environ.get(PROGRAMS[page.name]) or os.path.join(os.path.dirname(os.environ.get("IOMMU_DUMP", "./iommu-dump")), page.name)
    if not os.path.exists(program):
        print(f"{program}: no program to test")
        return None
    tool = Tool(program)
    if " -json" in tool.run("--version").stdout:
        print(f"{page.name}: built without JSON: the examples name devices, which are not read from captures then")
        return None
    demo = os.path.join(HERE, "..", "examples", "demo.core")
    capture = os.environ.get("CAPTURE") or (demo if os.path.exists(demo) else None)
    capture = os.path.abspath(capture) if capture else None
    tests = [(name[5:].replace("_", " "), test) for name, test in sorted(globals().items())
             if name.startswith("test_") and test is not test_page]
    count = {"ok": 0, "FAIL": 0, "skip": 0}
    for name, test in tests + example_tests(page):
        result, words = "ok", ""
        try:
            test(page, tool, capture)
        except Skip as why:
            result, words = "skip", str(why)
        except (AssertionError, subprocess.TimeoutExpired, ValueError) as why:
            result, words = "FAIL", str(why)
        count[result] += 1
        print(f"{result}: {page.name}: {name}" + (f": {words}" if words else ""))
    return count


def main():
    pages = sys.argv[1:] or [os.path.join(HERE, "..", "man", name + ".8") for name in PROGRAMS]
    counts = [c for c in map(test_page, pages) if c]
    total = {kind: sum(c[kind] for c in counts) for kind in ("ok", "FAIL", "skip")}
    print(f"{total['ok']} passed, {total['FAIL']} failed, {total['skip'] + len(pages) - len(counts)} skipped")
    return 1 if total["FAIL"] else 0 if counts else 77


if __name__ == "__main__":
    sys.exit(main())
