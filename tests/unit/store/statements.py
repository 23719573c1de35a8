#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""statements.py OUT CC OPTION... -- FILE...

Writes every SQL text of the store's rows as a C literal with a comma, for test-store-tables.c: each
file is preprocessed, so that macros are expanded, and literals side by side are one text. A
statement is always a literal, since connections find it by its address; so none is missed.
"""
import re
import subprocess
import sys

LITERAL = r'"(?:[^"\\]|\\.)*"'
VERBS = re.compile(r'"(SELECT|INSERT|UPDATE|DELETE|WITH)\b')


def texts(flags, path):
    source = subprocess.run([*flags, "-E", "-P", path], check=True, stdout=subprocess.PIPE,
                            text=True).stdout
    for match in re.finditer(rf"{LITERAL}(?:\s*{LITERAL})*", source):
        text = '"' + "".join(part[1:-1] for part in re.findall(LITERAL, match.group())) + '"'
        if VERBS.match(text):
            yield text


def main():
    at = sys.argv.index("--")
    found = {text for path in sys.argv[at + 1:] for text in texts(sys.argv[2:at], path)}
    if len(found) < 90:
        sys.exit(f"only {len(found)} statements were found")
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        print(",\n".join(sorted(found)), file=out)


if __name__ == "__main__":
    main()
