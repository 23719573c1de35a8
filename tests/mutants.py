#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""mutants.py [--seed N] [--count N] [--minutes N] [--again LOG] TREE BUILD FILE...

Makes one small random change at a time to FILEs of TREE, builds the unit tests of the room
in BUILD, a Ninja build of TREE, and runs them; if none fails, runs those of the rooms that use
it (USERS). Prints the result of each mutant, and the score. TREE must be a copy: it is modified.
A mutant counts only if it compiles, and to different code than the original.

Exit: 0 no mutant survived, 1 some survived, 2 error."""

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time

TEST_LIMIT_S = 60
# Tests that take too long to run for each mutant.
SLOW = "crowd|static-(crash|errand|race)"
# The rooms whose unit tests also run, in addition to the room's own.
USERS = {
    "lease": ("engine", "hetzner"),
    "schedule": ("engine", "provider"),
    "store": ("engine", "runs"),
    "provider": ("hetzner", "engine"),
    "engine": ("api",),
}
COMPARISONS = {"==": ("!=",), "!=": ("==",), "<": ("<=", ">="), "<=": ("<", ">"),
               ">": (">=", "<="), ">=": (">", "<")}
KEYWORDS = r"return|if|else|for|while|do|switch|case|default|goto|break|continue|struct|enum|union|" \
           r"static|const|unsigned|auto_\w+|va_\w+|BUG_ON"
EFFECT = re.compile(r"^(\t+)(?!(?:" + KEYWORDS + r")\b)(?![A-Za-z_]\w* +\**[A-Za-z_]\w*\s*[;=,\[])"
                    r"\*?\(?[A-Za-z_][^;{}=]*?(?:[-+|&*/]?=(?!=)|\+\+|--|\()", re.M)


# ---- what may be changed ---------------------------------------------------------------


def code_blanked(text):
    """The text with comments, strings and directives blanked out: offsets do not change."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|'
                         r'^#(?:[^\n\\]|\\.)*', re.S | re.M)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def bodies(code):
    """Spans of function bodies: a line that is `{` to the line that is `}`."""
    return [(m.start(), m.end()) for m in re.finditer(r"^\{\n.*?^\}", code, re.S | re.M)]


def parenthesis_end(code, start):
    depth = 0
    for i in range(start, len(code)):
        depth += (code[i] == "(") - (code[i] == ")")
        if depth == 0:
            return i + 1
    return -1


def return_changed(value):
    if value in ("0", "1", "-1"):
        return {"0": ("-1", "1"), "1": ("0",), "-1": ("0",)}[value]
    return () if not value or value == "NULL" else (f"!({value})",)


def body_mutants(text, code, start, end):
    """Yields (kind, offset, old, new)."""
    for m in re.compile(r"\b(?:if|while)\s*(?=\()").finditer(code, start, end):
        close = parenthesis_end(code, m.end())
        old = text[m.end():close]
        if close > 0 and old != "(0)":
            yield "condition", m.end(), old, f"(!{old})"
    for m in re.compile(r"(?<![<>=!\-+*/|&])(==|!=|<=|>=|<|>)(?![<>=])").finditer(code, start, end):
        for new in COMPARISONS[m.group(1)]:
            yield "comparison", m.start(), m.group(1), new
    for m in re.compile(r"&&|\|\|").finditer(code, start, end):
        yield "logic", m.start(), m.group(0), "||" if m.group(0) == "&&" else "&&"
    for m in re.compile(r"\breturn\b([^;]*);").finditer(code, start, end):
        old = text[m.start(1):m.end(1)].strip()
        for new in return_changed(old):
            yield "return", m.start(), text[m.start():m.end()], f"return {new};"
    for m in EFFECT.finditer(code, start, end):
        stop = code.find(";", m.start())
        old = text[m.end(1):stop + 1]
        before = code[start:m.start()].rstrip()
        if before.endswith((";", "{", "}", ")", "else")) and not set("{}") & set(code[m.start():stop]):
            yield "statement", m.end(1), old, ";"
    for m in re.compile(r"(?<![\w.\[{])(?<!\{ )(\d+)(?![\w.\]])").finditer(code, start, end):
        new = {"0": "1", "1": "0"}.get(m.group(1), str(int(m.group(1)) + 1))
        if not re.search(r"return -?$", code[start:m.start()]):
            yield "constant", m.start(), m.group(1), new


def mutants_of(text):
    code = code_blanked(text)
    found = []
    for start, end in bodies(code):
        found += body_mutants(text, code, start, end)
    return found


def draw(tree, files, seed):
    """All mutants, in an order that depends on the seed; each kind equally often."""
    kinds = {}
    for name in sorted(files):
        with open(os.path.join(tree, name), encoding="utf-8") as f:
            for mutant in mutants_of(f.read()):
                kinds.setdefault(mutant[0], []).append((name,) + mutant)
    chance = random.Random(seed)
    for kind in sorted(kinds):
        chance.shuffle(kinds[kind])
    while kinds:
        kind = chance.choice(sorted(kinds))
        yield kinds[kind].pop()
        if not kinds[kind]:
            del kinds[kind]


# ---- trying one ---------------------------------------------------------------------------


def rooms_of(name):
    """Folders of tests: broker/lease/x.c has unit/lease, sdk/sim/x.c sim/unit."""
    if name.startswith("sdk/sim/"):
        return ["sim/unit"]
    room = name.split("/")[1]
    return [f"unit/{r}" for r in (room,) + USERS.get(room, ())]


def run(args):
    """Status and output. If this program is ended, so is what it started."""
    child = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             start_new_session=True)
    try:
        return child.communicate()[0], child.returncode
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise


class Workshop:
    def __init__(self, tree, build):
        self.tree, self.build = tree, build
        self.objects = {}

    def make(self, room):
        return run(["ninja", "-C", self.build, f"tests/{room}/all"])[1] == 0

    def passes(self, room):
        """None if all tests pass, else the first that fails."""
        text, status = run(["ctest", "--test-dir", os.path.join(self.build, "tests", room), "-j2",
                            "-E", SLOW, "--stop-on-failure", "--timeout", str(TEST_LIMIT_S)])
        if status == 0:
            return None
        failed = re.search(r"Test +#\d+: (\S+) .*\*\*\*", text)
        return failed.group(1) if failed else "?"

    def objects_of(self, name):
        """Hashes of the objects compiled from the file: it may be in several libraries."""
        found = {}
        for folder, _, files in os.walk(os.path.join(self.build, os.path.dirname(name))):
            for file in files:
                if file == os.path.basename(name) + ".o":
                    path = os.path.join(folder, file)
                    with open(path, "rb") as f:
                        found[path] = hashlib.sha256(f.read()).digest()
        return found

    def try_one(self, mutant):
        """"unusable", "same", "killed: TEST" or "survived"."""
        name, _, offset, old, new = mutant
        path = os.path.join(self.tree, name)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        if name not in self.objects:
            self.objects[name] = self.objects_of(name)
        assert text[offset:].startswith(old), (name, offset, old)
        try:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text[:offset] + new + text[offset + len(old):])
            for room in rooms_of(name):
                if not self.make(room):
                    return "unusable"
                if self.objects_of(name) == self.objects[name]:
                    return "same"
                failed = self.passes(room)
                if failed:
                    return f"killed: {failed}"
            return "survived"
        finally:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)


def sound(shop, rooms):
    for room in rooms:
        if not shop.make(room):
            return f"tests/{room} does not build"
        failed = shop.passes(room)
        if failed:
            return f"{failed} fails without a mutant"
    return None


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--again")
    parser.add_argument("tree")
    parser.add_argument("build")
    parser.add_argument("files", nargs="+")
    return parser.parse_args()


def describe(tree, mutant):
    name, kind, offset, old, new = mutant
    with open(os.path.join(tree, name), encoding="utf-8") as f:
        before = f.read()[:offset]
    place = f"{name}:{before.count(chr(10)) + 1}:{offset - before.rfind(chr(10))}"
    return f"{place}: {kind}: {' '.join(old.split())} -> {' '.join(new.split())}"


def survivors(log):
    """The mutants that survived an earlier run, as its output names them."""
    with open(log, encoding="utf-8") as f:
        return {line.rpartition(": ")[0] for line in f if line.endswith(": survived\n")}


def main():
    given = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    shop = Workshop(given.tree, given.build)
    again = survivors(given.again) if given.again else None
    tested = [n for n in given.files
              if os.path.isdir(os.path.join(given.tree, "tests", rooms_of(n)[0]))]
    for name in sorted(set(given.files) - set(tested)):
        print(f"{name}: no unit tests of its room")
    wrong = sound(shop, sorted({room for name in tested for room in rooms_of(name)}))
    if wrong:
        print(f"mutants: {wrong}", file=sys.stderr)
        return 2
    killed = survived = 0
    end = time.monotonic() + given.minutes * 60
    for mutant in draw(given.tree, tested, given.seed):
        if killed + survived == given.count or time.monotonic() > end:
            break
        text = describe(given.tree, mutant)
        if again is not None and text not in again:
            continue
        verdict = shop.try_one(mutant)
        if verdict in ("unusable", "same"):
            continue
        killed += verdict != "survived"
        survived += verdict == "survived"
        print(f"{text}: {verdict}", flush=True)
    total = killed + survived
    print(f"mutants: {killed} of {total} killed, seed {given.seed}")
    return 0 if total and not survived else 1


if __name__ == "__main__":
    sys.exit(main())
