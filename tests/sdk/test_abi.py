#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""test_abi.py [--write]: is the ABI unchanged?

The offsets, sizes and constants of provider.h are compiled into plugins. All of them are in
abi-x86_64.txt as the compiler computes them, so that no change goes unnoticed. Before 1.0 a
change raises the minor version, since a host accepts only its own; from 1.0 on lines are only
added. --write regenerates the file.
Environment: SOURCE, CC. Exit: 0 unchanged, 1 changed, 77 another machine type."""

import difflib
import os
import platform
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("SOURCE") or os.path.dirname(os.path.abspath(__file__)) + "/../.."
HEADER = SOURCE + "/sdk/include/lessor/provider.h"
RECORD = SOURCE + "/tests/sdk/abi-x86_64.txt"


def structures(text):
    """Name and members of each structure, in the order of the header."""
    for name, body in re.findall(r"^struct (lessor_\w+) \{\n(.*?)^\};", text, re.S | re.M):
        members = []
        for declaration in re.sub(r"LESSOR_PRINTF\([^)]*\)", "", body).split(";"):
            pointer = re.search(r"\(\*(\w+)\)\s*\(", declaration)
            plain = re.search(r"(\w+)\s*$", declaration)
            if pointer or plain:
                members.append((pointer or plain).group(1))
        yield name, members


def program(text):
    lines = ["#include <stdio.h>", "#include <lessor/provider.h>", "int main(void)", "{"]
    for name in re.findall(r"^#define (LESSOR_\w+) \S+", text, re.M):
        # Strings and macros with arguments are not constants.
        if re.search(rf"^#define {name} (?:\d+u?|\(\(uint32_t\).*)\s*$", text, re.M):
            lines.append(f'printf("{name} %u\\n", (unsigned){name});')
    for name, members in structures(text):
        lines.append(f'printf("struct {name} sizeof %zu\\n", sizeof(struct {name}));')
        for member in members:
            lines.append(f'printf("struct {name} {member} %zu %zu\\n", '
                         f"offsetof(struct {name}, {member}), "
                         f"sizeof(((struct {name} *)0)->{member}));")
    return "\n".join(lines + ["return 0;", "}", ""])


def current():
    with open(HEADER, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    text = re.sub(r"[ \t]+$", "", text, flags=re.M)
    # Every structure with a body must be parsed, or a change could go unnoticed.
    bodies = len(re.findall(r"^struct \w+ \{", text, re.M))
    assert bodies == len(list(structures(text))) and bodies >= 12, bodies
    with tempfile.TemporaryDirectory(prefix="lessor-abi-") as place:
        with open(place + "/abi.c", "w", encoding="ascii") as f:
            f.write(program(text))
        subprocess.run([os.environ.get("CC") or "cc", "-std=c99", "-I" + SOURCE + "/sdk/include",
                        "-o", place + "/abi", place + "/abi.c"], check=True)
        return subprocess.run([place + "/abi"], check=True,
                              stdout=subprocess.PIPE).stdout.decode("ascii")


def main():
    if platform.machine() != "x86_64" or sys.maxsize < 2**32:
        print("the record is of x86-64")
        sys.exit(77)
    head = ("# SPDX-License-Identifier: MIT\n"
            "# The ABI that plugins have compiled in: NUMBER VALUE, struct NAME sizeof BYTES,\n"
            "# struct NAME MEMBER OFFSET SIZE. Written by test_abi.py. Until 1.0 whoever changes a line\n"
            "# raises the minor version; from then on lines are added, never changed, but for the minor\n"
            "# version and the sizes of structures that grew.\n")
    now = head + current()
    if sys.argv[1:] == ["--write"]:
        with open(RECORD, "w", encoding="ascii") as f:
            f.write(now)
    with open(RECORD, encoding="ascii") as f:
        record = f.read()
    different = list(difflib.unified_diff(record.splitlines(), now.splitlines(), "on record",
                                          "provider.h", lineterm="", n=0))
    print("\n".join(different) or f"{len(now.splitlines())} lines, all the same")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
