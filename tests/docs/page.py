# SPDX-License-Identifier: MIT
"""A minimal mdoc parser for the tests: the sections of a manual page, its list items and its
examples."""

import re


class Item:
    """The words of an .It line, and the lines below it."""

    def __init__(self, words, body):
        self.words, self.body = words, body

    @property
    def text(self):
        return "\n".join(self.body)

    def default(self):
        """The default that the page states; None if it states none."""
        found = re.search(r"^The default is\n\.Ql (\S+)", self.text, re.M)
        if found:
            return found.group(1)
        return "" if re.search(r"^By default there is none", self.text, re.M) else None

    def range(self):
        found = re.search(r"^From (\S+) to (\S+)\.$", self.text, re.M)
        return found.groups() if found else None


class Page:
    def __init__(self, path):
        with open(path, encoding="ascii") as file:
            self.text = file.read().replace("\\&", "")
        self.parts = {}  # (section, subsection or "") -> lines
        at = ("", "")
        for line in self.text.splitlines():
            if line.startswith(".Sh "):
                at = (line[4:], "")
            elif line.startswith(".Ss "):
                at = (at[0], line[4:])
            self.parts.setdefault(at, []).append(line)

    def part(self, section, subsection=""):
        return self.parts[(section, subsection)]

    def subsections(self, section):
        return [sub for name, sub in self.parts if name == section and sub]

    def items(self, section, subsection, *macros, deep=True):
        """The items of a part whose tag begins with these words, including nested lists."""
        found, open_at, depth = [], [], 0
        for line in self.part(section, subsection):
            if line.startswith(".Bl"):
                depth += 1
                open_at.append(None)
            elif line.startswith(".El"):
                depth -= 1
                open_at.pop()
            elif line.startswith(".It"):
                open_at[-1] = Item(line.split()[1:], [])
                if (deep or depth == 1) and tuple(open_at[-1].words[:len(macros)]) == macros:
                    found.append(open_at[-1])
                continue
            for item in open_at:
                if item:
                    item.body.append(line)
        return found

    def named(self, section, subsection, *macros, **kwargs):
        """The items by the word after the macros; each word must be unique."""
        named = {}
        for item in self.items(section, subsection, *macros, **kwargs):
            name = item.words[len(macros)]
            if name in named:
                raise AssertionError(f"{section}, {subsection}: {name} is listed twice")
            named[name] = item
        return named

    def options(self, section, subsection=""):
        return self.named(section, subsection, "Fl", "Fl")

    def examples(self, section="EXAMPLES"):
        """The contents of its displays, one string each."""
        blocks, block = [], None
        for line in self.part(section):
            if line.startswith(".Bd"):
                block = []
            elif line.startswith(".Ed"):
                blocks.append("\n".join(block) + "\n")
                block = None
            elif block is not None:
                block.append(line.replace("\\e", "\\"))
        return blocks

    def macro(self, name):
        """Every argument of this macro, anywhere in a line."""
        return re.findall(rf"^\.(?:.* )?{name} (\S+)", self.text, re.M)
