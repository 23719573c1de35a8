#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lint.py RULE ROOT: checks one of the tree's rules. Prints FILE:LINE: what is wrong.

The rules are data above their functions. An exception needs a line here with its reason.
Exit: 0 no violation, 1 violations, 77 not checked (a tool is missing)."""

import os
import re
import shutil
import subprocess
import sys

# ---- the tree ------------------------------------------------------------------------


def tracked(root):
    """The files that git tracks; in a tree without git (a release), all except build trees."""
    done = subprocess.run(["git", "-C", root, "ls-files", "-z"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    if done.returncode == 0:
        names = [n for n in done.stdout.decode().split("\0") if n]
        return sorted(n for n in names if os.path.isfile(os.path.join(root, n)))
    names = []
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith(("build", ".git"))]
        names += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(names)


class Tree:
    def __init__(self, root, names=None):
        self.root = root
        self.names = tracked(root) if names is None else names
        self.wrong = []

    def read(self, name):
        with open(os.path.join(self.root, name), "rb") as f:
            return f.read()

    def lines(self, name):
        return self.read(name).decode("utf-8", "replace").split("\n")

    def under(self, *places, ends=(".c", ".h")):
        return [n for n in self.names if n.startswith(places) and n.endswith(ends)]

    def fault(self, name, line, text):
        self.wrong.append(f"{name}:{line}: {text}")


def code_only(text):
    """C without comments and without the contents of quotes; line numbers stay the same."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] * 2
        return " " + "\n" * found.count("\n")

    return pattern.sub(blank, text)


# ---- spdx ---------------------------------------------------------------------------


def spdx(tree):
    """One SPDX line in each file that can hold a comment, within the first three lines."""
    takes_comments = (".c", ".h", ".cpp", ".py", ".sh", ".bash", ".fish", ".cmake", ".conf", ".lua", ".js", ".in",
                      ".service", ".map", ".txt", ".dict", ".spec", ".1", ".3", ".5", ".7", ".8")
    names = ("CMakeLists.txt", "run", ".gitignore", ".editorconfig", "Makefile", "rules")
    for name in tree.names:
        base = os.path.basename(name)
        if "/corpus/" in name or not (base.endswith(takes_comments) or base in names):
            continue
        # .gitignore is older than the rule and contains nothing worth a licence.
        if base == ".gitignore":
            continue
        if not any("SPDX-License-Identifier: MIT" in l for l in tree.lines(name)[:3]):
            tree.fault(name, 1, "no 'SPDX-License-Identifier: MIT' in the first three lines")


# ---- includes -------------------------------------------------------------------------

# Which places may use a library: header, then the places.
LIBRARIES = (
    (r"sqlite3\.h", ("broker/store/sqlite/",)),
    (r"libpq-fe\.h", ("broker/store/postgres/",)),
    (r"zlib\.h", ("broker/store/",)),
    (r"curl/", ("broker/provider/http", "broker/provider/url", "broker/api/peer", "broker/cli/")),
    (r"event2/", ("broker/http/", "broker/api/", "broker/daemon/", "sdk/sim/")),
    (r"dlfcn\.h", ("sdk/loader/", "broker/store/module")),
    # The command line reads its own settings file.
    (r"ini\.h", ("broker/config/", "broker/cli/")),
    (r"jansson\.h", ("broker/api/", "broker/cli/", "broker/provider/evidence", "plugins/",
                     "sdk/sim/")),
    (r"libsmartcols/", ("broker/cli/",)),
    (r"openssl/ssl\.h", ("broker/http/tls", "broker/daemon/tls", "sdk/sim/tls")),
    (r"openssl/", ("broker/util/", "broker/http/tls", "broker/daemon/tls", "broker/store/",
                   "broker/api/", "plugins/hetzner/", "sdk/sim/")),
    (r"pthread\.h", ("broker/util/", "broker/store/", "broker/provider/", "broker/engine/",
                     "broker/runs/", "broker/api/", "broker/daemon/")),
    (r"systemd/", ()),
    (r"stdbool\.h", ("tests/",)),
)

# Which rooms may include which rooms' headers. A room may always include its own.
ROOMS = {
    "broker/util": (),
    "broker/schedule": ("util",),
    "broker/lease": ("schedule", "util"),
    "broker/store": ("lease", "util"),
    "broker/runs": ("lease", "schedule", "store", "util"),
    "broker/provider": ("lease", "schedule", "util"),
    "broker/http": ("util",),
    "broker/bootstrap": ("lease", "util"),
    "broker/config": ("engine", "lease", "provider", "util"),
    "broker/engine": ("bootstrap", "lease", "provider", "schedule", "store", "util"),
    "broker/page": ("util",),
    "broker/api": ("engine", "http", "lease", "page", "provider", "runs", "store", "util"),
    "broker/cli": ("util",),
    "broker/daemon": ("api", "config", "engine", "http", "loader", "provider", "runs", "schedule",
                      "store", "util"),
    "sdk/loader": ("util",),
    "sdk/sim": ("util",),
    "sdk/check": ("loader", "util"),
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def includes(tree):
    for name in tree.under("broker/", "plugins/", "sdk/"):
        for number, line in enumerate(tree.lines(name), 1):
            found = INCLUDE.match(line)
            if found:
                include_library(tree, name, number, found.group(2))
                if found.group(1) == '"':
                    include_room(tree, name, number, found.group(2))
                else:
                    include_public(tree, name, number, found.group(2))


def include_library(tree, name, number, header):
    for pattern, places in LIBRARIES:
        if re.match(pattern, header):
            if not name.startswith(places or ("-",)):
                tree.fault(name, number, f"<{header}>: only for {', '.join(places) or 'nobody'}")
            return


def include_room(tree, name, number, header):
    place = "/".join(name.split("/")[:2])
    theirs = header.split("/")[0]
    if place == "broker/main.c":
        return
    if name.startswith("plugins/"):
        # A plugin's own headers are in its folder; everything else comes from the SDK.
        if not os.path.exists(os.path.join(tree.root, os.path.dirname(name), header)):
            tree.fault(name, number, f'"{header}": a plugin sees only its files and <lessor/...>')
    elif place == "sdk/include" or name.startswith("sdk/example/"):
        if "/" in header:
            tree.fault(name, number, f'"{header}": the SDK includes nothing else of the tree')
    elif place not in ROOMS:
        tree.fault(name, number, f"{place} is not in the table of rooms (tests/lint/lint.py)")
    elif theirs != place.split("/")[1] and theirs not in ROOMS[place]:
        tree.fault(name, number, f'"{header}": {place} may only include {", ".join(ROOMS[place])}')


def include_public(tree, name, number, header):
    if name.startswith("sdk/include/") and header not in ("stddef.h", "stdint.h"):
        tree.fault(name, number, f"<{header}>: a public header includes only stddef.h and stdint.h")


# ---- calls ----------------------------------------------------------------------------

BANNED = {
    "strcpy": "snprintf or memcpy with the size",
    "strcat": "snprintf or struct buf",
    "strncpy": "snprintf: strncpy does not terminate a truncated string",
    "strncat": "struct buf",
    "sprintf": "snprintf or struct buf",
    "vsprintf": "vsnprintf",
    "strtok": "strchr, or strtok_r",
    "atoi": "a parser that detects errors",
    "atol": "a parser that detects errors",
    "alloca": "a fixed array or the heap",
    "gets": "anything else",
    "system": "nothing: no shell is ever run",
    "popen": "nothing: no shell is ever run",
    "mktemp": "mkstemp",
    "tmpnam": "mkstemp",
    "setjmp": "a return value",
    "rand": "env_random",
    "random": "env_random",
    "sleep": "a due time",
    "usleep": "a due time",
    "nanosleep": "a due time",
}
# Functions that a pure room may not call.
IMPURE = ("time", "clock_gettime", "gettimeofday", "getrandom", "rand", "printf", "fprintf",
          "fopen", "open", "read", "write", "getenv", "pthread_create", "pthread_mutex_lock")
PURE = ("broker/lease/", "broker/schedule/", "broker/bootstrap/")
# (file, function), with the reason.
CALLS_ALLOWED = {
    # The command line has no event loop: it waits between two polls of a lease.
    ("broker/cli/when.c", "nanosleep"),
    # A literal that fits into its destination array.
    ("broker/http/listener.c", "strcpy"),
    # Appends within a length that the same condition checks.
    ("plugins/hetzner/server.c", "strcat"),
}


def calls(tree):
    banned = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
    impure = re.compile(r"(?<![\w.>])(" + "|".join(IMPURE) + r")\s*\(")
    for name in tree.under("broker/", "plugins/", "sdk/"):
        code = code_only(tree.read(name).decode("utf-8", "replace"))
        for number, line in enumerate(code.split("\n"), 1):
            for found in banned.finditer(line):
                if (name, found.group(1)) not in CALLS_ALLOWED:
                    tree.fault(name, number, f"{found.group(1)}(): use {BANNED[found.group(1)]}")
            if name.startswith(PURE):
                for found in impure.finditer(line):
                    tree.fault(name, number, f"{found.group(1)}(): this room is pure")
            if re.search(r"\bgoto\b", line) and re.search(r"\bauto_(free|close|buf)\b", code):
                check_goto(tree, name, number, code)


def check_goto(tree, name, number, code):
    """gcc compiles a goto past an auto-freed variable; the program then aborts in free()."""
    lines = code.split("\n")
    first = number - 1
    while first > 0 and not lines[first].startswith("{"):
        first -= 1
    last = number - 1
    while last < len(lines) - 1 and not lines[last].startswith("}"):
        last += 1
    if re.search(r"\bauto_(free|close|buf)\b", "\n".join(lines[first:last])):
        tree.fault(name, number, "goto and an auto-freed variable in the same function")


# ---- sleeps ---------------------------------------------------------------------------

# Waits for a time instead of an event: calls, and the command, in any language.
SLEEPS = re.compile(r"""
    (?<!\w)(?:u|nano|clock_nano|thrd_)?sleep\s*\(        # also time.sleep() by any name
    | \bimport\b.*(?<!\w)sleep\b
    | \bsched_yield\s*\(
    | \bp?poll\s*\(\s*(?:NULL|0)\s*,
    | \bp?select\s*\(\s*0\s*,\s*NULL
    | \bselect\s*\(\s*\[\]\s*,\s*\[\]\s*,\s*\[\]
    | \bEvent\(\)\.wait\(
    | (?<![\w.-])sleep\s+(?:["'$.{]*[0-9]|["']?\$|infinity)
    | ["']sleep["']\s*,
    """, re.X)
# (file, function): polls the state of another process that offers no event, with a deadline. One
# for each language that needs it.
SLEEPS_ALLOWED = {
    ("tests/api/harness.py", "until"),
    ("tests/await.sh", "await"),
}
# A benchmark's load and measurements have a fixed duration.
SLEEPS_ELSEWHERE = ("tests/bench/",)


def sleeps(tree):
    """No test waits for a fixed time: on a busy machine it is too short."""
    ends = (".c", ".h", ".cpp", ".py", ".sh", ".bash", ".fish", ".lua", ".js", ".cmake",
            "CMakeLists.txt")
    for name in tree.under("tests/", "sdk/", "packaging/", ends=ends):
        if name.startswith(SLEEPS_ELSEWHERE):
            continue
        text = without_comments(name, tree.read(name).decode("utf-8", "replace"))
        lines = re.sub(r"\\[nt]", "  ", text).split("\n")
        for number, line in enumerate(lines, 1):
            found = SLEEPS.search(line)
            if found and (name, function_at(lines, number)) not in SLEEPS_ALLOWED:
                tree.fault(name, number, f"'{found.group(0).strip()}': wait for the event, or"
                           " for another process's state with harness.until or tests/await.sh")


def without_comments(name, text):
    """Keeps quoted text, because it may contain commands."""
    if not name.endswith((".c", ".h", ".cpp", ".js")):
        return re.sub(r"(?m)(^|\s)#.*$", r"\1", text)
    return re.sub(r'/\*.*?\*/|//[^\n]*|("(?:\\.|[^"\\\n])*")',
                  lambda m: m.group(1) or "\n" * m.group(0).count("\n"), text, flags=re.S)


def function_at(lines, number):
    """The function that contains the line, if the function begins at the left margin."""
    for line in reversed(lines[:number - 1]):
        if line[:1].strip():
            found = re.match(r"(?:def )?(\w+)\(", line)
            return found.group(1) if found else ""
    return ""


# ---- ports ------------------------------------------------------------------------------

ANY_PORT = re.compile(r"\.bind\(\([^()]*,\s*0\)\)")


def ports(tree):
    """A port that is asked for and given back is somebody else's when the server starts."""
    for name in tree.under("tests/", "packaging/", ends=(".py", ".sh")):
        for number, line in enumerate(tree.lines(name), 1):
            if ANY_PORT.search(line):
                tree.fault(name, number, "let the server listen on port 0 and tell its port, or take"
                           " one from tests/api/ports.py; socket.create_server for one that is kept")


# ---- size -------------------------------------------------------------------------------

LINES_MOST = 600
COLUMNS_MOST = 100
COLUMNS_SLACK = 20  # a comment after a table entry may be longer


def size(tree):
    for name in tree.under("broker/", "plugins/", "sdk/"):
        lines = tree.lines(name)
        if name.endswith(".c") and len(lines) - 1 > LINES_MOST:
            tree.fault(name, len(lines), f"more than {LINES_MOST} lines: split it into two files")
        for number, line in enumerate(lines, 1):
            if len(line.expandtabs(8)) > COLUMNS_MOST + COLUMNS_SLACK:
                tree.fault(name, number, f"more than {COLUMNS_MOST} columns")


# ---- words ------------------------------------------------------------------------------

# Split, so that this file follows its own rule.
FORBIDDEN = (
    (r"\b(TO" r"DO|FIX" r"ME|HA" r"CK)\b(?!\s*\([^)]+\):)",
     "a marker needs a reason: WORD(what it waits for): text"),
    (r"/work/(main|shared|\.lib" r"rary|[a-z]+-[0-9])|/tmp/build" r"-", "a path of a workplace"),
    (r"\b(registry\.npm" r"js|pypi\.o" r"rg|deb\.deb" r"ian\.org|crates\.i" r"o|proxy\.gol" r"ang)",
     "a host of a package registry"),
)


def words(tree):
    for name in tree.names:
        if "/corpus/" in name or name == ".gitignore":
            continue
        for number, line in enumerate(tree.lines(name), 1):
            for pattern, why in FORBIDDEN:
                if re.search(pattern, line):
                    tree.fault(name, number, why)


# ---- tags -------------------------------------------------------------------------------

# The sources of one process, including plugins. A debugger cannot distinguish two structures with
# the same tag in one process, and neither can a reader.
PROGRAMS = {
    "lessord": ("broker/api/", "broker/bootstrap/", "broker/config/", "broker/daemon/",
                "broker/engine/", "broker/http/", "broker/lease/", "broker/main.c",
                "broker/provider/", "broker/runs/", "broker/schedule/", "broker/store/",
                "broker/util/", "plugins/", "sdk/include/", "sdk/loader/"),
    "lessor": ("broker/cli/", "broker/util/"),
    "lessor-plugin-check": ("broker/util/", "sdk/check/", "sdk/include/", "sdk/loader/"),
}
TAG = re.compile(r"\b(?:struct|union|enum)\s+(\w+)\s*\{")


def tags(tree):
    """A program defines a tag only once."""
    reported = set()
    for program, places in PROGRAMS.items():
        first = {}
        for name in tree.under(*places):
            code = code_only(tree.read(name).decode("utf-8", "replace"))
            for found in TAG.finditer(code):
                tag = found.group(1)
                place = (name, code.count("\n", 0, found.start()) + 1)
                other = first.setdefault(tag, place)
                if other != place and (place, tag) not in reported:
                    reported.add((place, tag))
                    tree.fault(*place, f"'{tag}' in {program} is also at {other[0]}:{other[1]}")


# ---- tree -------------------------------------------------------------------------------


def tree_shape(tree):
    """The top level contains only the listed entries; sources are not executable."""
    top = {"CMakeLists.txt", "README.md", "LICENSE", "broker", "plugins", "sdk", "tests",
           "packaging"}
    for name in tree.names:
        first = name.split("/")[0]
        if not first.startswith(".") and first not in top:
            tree.fault(name, 1, f"'{first}' is not allowed at the top level")
        path = os.path.join(tree.root, name)
        if name.endswith((".c", ".h", ".txt", ".json", ".md", ".conf")) and os.access(path, os.X_OK):
            tree.fault(name, 1, "is executable")


# ---- shell and style ----------------------------------------------------------------------


def shell(tree):
    scripts = [n for n in tree.names if n.endswith((".sh", ".bash")) or n == ".ci/run"]
    if not shutil.which("shellcheck"):
        print("shellcheck is not installed")
        sys.exit(77)
    done = subprocess.run(["shellcheck", "-x", "-f", "gcc", "--", *scripts], cwd=tree.root,
                          stdout=subprocess.PIPE)
    tree.wrong += done.stdout.decode().splitlines()


def style(tree):
    """What an editor can ensure: the ends of lines and files, tabs in C."""
    for name in tree.under("broker/", "plugins/", "sdk/", "tests/", "packaging/",
                           ends=(".c", ".h", ".py", ".sh", ".txt", ".cmake", ".conf")):
        if "/corpus/" in name:
            continue
        raw = tree.read(name)
        if raw and not raw.endswith(b"\n"):
            tree.fault(name, raw.count(b"\n") + 1, "no newline at the end")
        if raw.endswith(b"\n\n"):
            tree.fault(name, raw.count(b"\n"), "blank lines at the end")
        for number, line in enumerate(raw.split(b"\n"), 1):
            if line.endswith((b" ", b"\t", b"\r")):
                tree.fault(name, number, "blanks at the end of a line")
            if name.endswith((".c", ".h")) and line.startswith(b"        "):
                tree.fault(name, number, "spaces instead of a tab")


# ---- defects ------------------------------------------------------------------------------

DEFECTS = "tests/faults/defects/"
DEFECTS_LIST = "tests/faults/mutants.list"


def listed_defects(tree):
    """Number of the defect -> line numbers in the list."""
    listed = {}
    for number, line in enumerate(tree.lines(DEFECTS_LIST), 1):
        if not line or line.startswith("#"):
            continue
        columns = line.split("\t")
        if not re.fullmatch(r"[1-9]\d*\*?", columns[0]) or len(columns) < 3:
            tree.fault(DEFECTS_LIST, number, "expected: number, defect, tests that find it")
            continue
        if all(c in ("", "-") for c in columns[2:]):
            tree.fault(DEFECTS_LIST, number, "names no test that finds it")
        listed.setdefault(int(columns[0].rstrip("*")), []).append(number)
    return listed


def defects(tree):
    """Each seeded defect is a patch that applies without fuzz, and one line of the list.
    The code itself does not mention them."""
    if not shutil.which("patch"):
        print("patch is not installed")
        sys.exit(77)
    for name in tree.under("broker/", "plugins/", "sdk/", "packaging/", "CMakeLists.txt", ends=""):
        for number, line in enumerate(tree.lines(name), 1):
            if "DEFECT" in line:
                tree.fault(name, number, "a seeded defect must be a patch in " + DEFECTS)
    listed = listed_defects(tree)
    for name in tree.under(DEFECTS, ends=".patch"):
        found = re.match(r"(\d\d+)-", os.path.basename(name))
        lines = listed.pop(int(found.group(1)), []) if found else []
        if len(lines) != 1:
            tree.fault(name, 1, f"is listed {len(lines)} times in {DEFECTS_LIST}, not once")
        done = subprocess.run(["patch", "-d", tree.root, "-p1", "--dry-run", "--fuzz=0", "--force",
                               "-i", os.path.join(os.path.abspath(tree.root), name)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            tree.fault(name, 1, "does not apply without fuzz")
    for number, lines in listed.items():
        tree.fault(DEFECTS_LIST, lines[0], f"{number} has no patch in {DEFECTS}")


# ---- test names -------------------------------------------------------------------------


def room_of_test(name):
    """tests/unit/lease/x.c: lease; tests/sim/unit/x.c: sim."""
    part = name.split("/")
    return part[2] if part[1] == "unit" else part[1]


def test_names(tree):
    """A C test is named test-ROOM or test-ROOM-SUBJECT; its source and target names agree."""
    places = ("tests/unit/", "tests/sim/", "tests/sdk/")
    for name in tree.under(*places, ends=".c"):
        base = os.path.basename(name)[:-2]
        is_test = base.startswith("test") or "cmocka_run_group_tests(" in tree.read(name).decode()
        if is_test and not re.fullmatch(f"test-{room_of_test(name)}(-[a-z0-9-]+)?", base):
            tree.fault(name, 1, f"name it test-{room_of_test(name)}-SUBJECT.c")
    for name in tree.under(*places, ends="CMakeLists.txt"):
        text = tree.read(name).decode()
        for found in re.finditer(r"\blessor_unit_test\(\s*(\S+)\s+SOURCES\s+([^\s)]+)", text):
            line = text.count("\n", 0, found.start()) + 1
            target, source = found.groups()
            if not re.fullmatch(f"test-{room_of_test(name)}(-[a-z0-9${{}}-]+)?", target):
                tree.fault(name, line, f"name it test-{room_of_test(name)}-SUBJECT")
            if os.path.basename(source) != target + ".c":
                tree.fault(name, line, f"the first source of {target} must be {target}.c")


# ---- messages ---------------------------------------------------------------------------

# Functions whose message goes into a line after "lessor: " or another message, and those whose
# message an API client shows: there it may also be a sentence or several.
PHRASES = ("err_set", "err_set_errno", "cli_usage_error", "text_error", "request_fail", "gate_refuse",
           "row_refuse", "lessor_refuse", "lessor_retry", "log_error", "log_warning", "log_notice")
SENTENCES = ("reply_error", "api_error_set", "head_refuse", "control_error", "json_body_fail")
LITERALS = re.compile(r'"(?:\\.|[^"\\])*"(?:\s+(?:"(?:\\.|[^"\\])*"|PRI[a-z]\d+))*', re.S)


def call_arguments(text, start):
    """The text from `start`, after the parenthesis of a call, to the one that closes it."""
    depth, at = 1, start
    for found in re.finditer(r'"(?:\\.|[^"\\])*"|[()]', text[start:], re.S):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        at = start + found.start()
        if not depth:
            break
    return text[start:at]


def messages(text, functions):
    """(line, message) of each text with a space that is passed to one of the functions."""
    for call in re.finditer(r"\b(%s)\(" % "|".join(functions), text):
        for found in LITERALS.finditer(call_arguments(text, call.end())):
            said = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', found[0]))
            if " " in said.strip():
                yield text.count("\n", 0, call.start()) + 1, said


def texts(tree):
    """How messages begin and end: a phrase continues a line, and a sentence is a whole one."""
    for name in tree.under("broker/", "plugins/", "sdk/loader/", "sdk/example", ends=".c"):
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), tree.read(name).decode(), flags=re.S)
        for functions, may_be_sentence in ((PHRASES, False), (SENTENCES, True)):
            for line, said in messages(text, functions):
                # A name keeps its capital: SSH, CREDENTIALS_DIRECTORY, Idempotency-Key.
                is_capital = re.match(r"[A-Z][a-z']* |[A-Z][a-z]+[.;,:]", said) is not None
                is_stopped = said.endswith(".") and not said.endswith("...")
                if is_stopped and not (may_be_sentence and not said[0].islower()):
                    tree.fault(name, line, f"a message that continues a line ends with no stop: {said}")
                elif is_capital and not (may_be_sentence and is_stopped):
                    tree.fault(name, line, f"a capital needs a whole sentence, with a stop: {said}")


RULES = {"spdx": spdx, "includes": includes, "calls": calls, "sleeps": sleeps, "ports": ports,
         "size": size, "words": words, "tags": tags, "tree": tree_shape, "shell": shell, "style": style,
         "defects": defects, "testnames": test_names, "texts": texts}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in RULES:
        sys.exit(f"usage: lint.py {'|'.join(RULES)} ROOT")
    tree = Tree(sys.argv[2])
    RULES[sys.argv[1]](tree)
    for line in tree.wrong:
        print(line)
    print(f"{sys.argv[1]}: {len(tree.names)} files, {len(tree.wrong)} wrong")
    sys.exit(1 if tree.wrong else 0)


if __name__ == "__main__":
    main()
