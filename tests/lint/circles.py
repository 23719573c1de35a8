#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""circles.py BUILD: do the files of a room use each other in a circle?

Reads the object files of a finished build: a file uses another of its room if it refers to a symbol that the other one
defines. Files in a circle cannot be read, tested or changed one at a time. http is excepted: its connection, exchange and
server are one graph of objects, whose order of destruction broker/http/internal.h describes.
"""

import collections
import os
import re
import subprocess
import sys

ROOMS = ("broker", "plugins", "sdk/check", "sdk/loader", "sdk/sim")
EXCEPTED = ("broker/http/",)
OBJECT = re.compile(r"(?P<room>.+)/CMakeFiles/[^/]+\.dir/(?P<file>.+\.c)\.o$")


def objects(build):
    for top in ROOMS:
        for folder, _, names in os.walk(os.path.join(build, top)):
            for name in names:
                path = os.path.join(folder, name)
                match = OBJECT.match(os.path.relpath(path, build))
                if match:
                    yield path, match["room"], os.path.normpath(f"{match['room']}/{match['file']}")


def edges(build):
    """{room: {file: set of files that it uses}}"""
    defined, used = collections.defaultdict(dict), collections.defaultdict(dict)
    for path, room, file in objects(build):
        listed = subprocess.run(["nm", path], check=True, stdout=subprocess.PIPE, text=True).stdout
        used[room].setdefault(file, set())
        for line in listed.splitlines():
            kind, name = line.split()[-2:]
            if kind == "U":
                used[room][file].add(name)
            elif kind in "TDBRVW":
                defined[room][name] = file
    return {room: {file: {defined[room][n] for n in names if n in defined[room]} - {file}
                   for file, names in files.items()} for room, files in used.items()}


def reach(graph, start):
    seen, todo = set(), [start]
    while todo:
        for after in graph[todo.pop()]:
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return seen


def circles(build):
    found = []
    for _, graph in sorted(edges(build).items()):
        reached = {file: reach(graph, file) for file in graph}
        left = {file for file in graph if file in reached[file]}
        while left:
            first = min(left)
            circle = {file for file in left if file in reached[first] and first in reached[file]}
            found.append(sorted(circle))
            left -= circle
    return found


def main():
    build = sys.argv[1]
    if not any(True for _ in objects(build)):
        print(f"circles: there are no object files in {build}")
        return 77
    wrong = [c for c in circles(build) if not c[0].startswith(EXCEPTED)]
    for circle in wrong:
        print("these files use each other in a circle: " + ", ".join(circle))
    print(f"circles: {sum(1 for _ in objects(build))} files, {len(wrong)} circles")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
