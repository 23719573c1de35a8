#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The maintainers' pages against the tree: their lists are complete in both directions, and
everything that they name exists. Needs no build.

Environment: SOURCE, the source tree (default: the one that contains this file)."""

import glob
import json
import os
import re
import sys
import unittest

SOURCE = os.environ.get("SOURCE") or os.path.dirname(os.path.abspath(__file__)) + "/../.."
sys.path.insert(0, SOURCE + "/tests/lint")
import lint  # noqa: E402

CONTRACT = "broker/api/CONTRACT.md"
RULES = "broker/RULES.md"
ARCHITECTURE = "broker/README.md"
PAGES = ["README.md", ARCHITECTURE, RULES, CONTRACT, "sdk/doc/abi.md", "tests/README.md",
         "packaging/CHANGELOG.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md"]
# The responses to requests that the engine refuses (broker/api/engine_response.c).
STATUS = {"NOT_FOUND": 404, "FORBIDDEN": 403, "INVALID": 400, "CONFLICT": 409, "LIMIT": 429,
          "UNAVAILABLE": 503}
ONE_WORD = {"busy", "conflict", "forbidden", "internal", "paused", "unauthorized", "unavailable"}
ROLES = {"ROLE_ANYONE": "any", "ROLE_EACH": "u r a", "ROLE_WRITES": "u a",
         "ROLE_WATCHES": "r a", "ROLE_ADMIN": "a"}


def read(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
        return file.read()


def sources(*places, ends=(".c", ".h")):
    return [n for n in lint.tracked(SOURCE) if n.startswith(places) and n.endswith(ends)]


def section(page, title):
    """The text from the heading that begins with `title` to the next one of the same depth."""
    depth = title.split()[0]
    found = re.search(rf"^{re.escape(title)}.*?(?=^{depth} |\Z)", read(page), re.M | re.S)
    assert found, f"{page}: no '{title}'"
    return found.group(0)


def rows(text):
    """The cells of the tables, without header rows."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    return [c for i, c in enumerate(cells)
            if not set("".join(c)) <= set("-:") and
            not (i + 1 < len(cells) and set("".join(cells[i + 1])) <= set("-:"))]


def codes_sent():
    """Error code -> statuses, from the calls that send them."""
    sent = {}

    def add(status, code):
        if "_" in code or code in ONE_WORD:
            sent.setdefault(code, set()).add(int(status))

    call = re.compile(r"\b(?:api_error_set|json_body_fail|head_refuse|reply_error|engine_response_lease_error|http_reply_error)"
                      r"\(([^;]*?);", re.S)
    say = re.compile(r"\b(?:request_fail|request_fail)\(\s*\w+,\s*(?:RUN_)?RESULT_(\w+),([^;]*?);", re.S)
    for name in sources("broker/api/", "broker/engine/", "broker/runs/", "broker/http/websocket.c",
                        ends=".c"):
        text = read(name)
        for found in call.finditer(text):
            status = None  # the nearest one before the code
            for code, number in re.findall(r'"((?:\\.|[^"\\])*)"|\b([45]\d\d)\b', found.group(1)):
                status = number or status
                if status and re.fullmatch(r"[a-z]+(_[a-z]+)*", code):
                    add(status, code)
        for found in say.finditer(text):
            code = re.search(r'"([a-z_]+)"', found.group(2))
            if code:
                add(STATUS[found.group(1)], code.group(1))
        for code in re.findall(r'\.code = "([a-z_]+)"', text):  # a body's table
            add(400, code)
        for code in re.findall(r'\[LEASE_REFUSAL_\w+\] = \{\s*"([a-z_]+)"', text):
            add(409, code)
        for status, code in re.findall(r'\[RESULT_\w+\] = \{ (\d+), "([a-z_]+)"', text):
            add(status, code)
        for status, code in re.findall(r'rule->status = (\d+);\s*rule->code = "([a-z_]+)"', text):
            add(status, code)
        for code, status in re.findall(r'\*ret_code = "([a-z_]+)";[^}]*?return (\d+);', text, re.S):
            add(status, code)
    for status in re.findall(r"return (\d+);", re.search(
            r"failed_status\(.*?^}", read("broker/api/create.c"), re.S | re.M).group(0)):
        add(status, "provisioning_failed")
    for status in re.findall(r'", (\d+),', read("broker/api/not_offered.c")):
        add(status, "not_offered")
    # With If-Match, in engine_response.c.
    sent["lease_changed"].add(412)
    # The response of engine_response.c for an account that needs operator action.
    del sent["provider_blocked"]
    return sent


class Contract(unittest.TestCase):
    def test_routes(self):
        text = read("broker/api/route.c")
        parts = re.search(r'#define LIST_QUERY +\\\n((?:\s*"[^"]*"[ \\]*\n)+)', text).group(1)
        keys = "".join(re.findall(r'"([^"]*)"', parts))
        there = []
        for method, path, role, query in re.findall(
                r'\{ HTTP_(\w+), "([^"]+)", (ROLE_\w+),\s*\w+,\s*\w+,\s*\w+,\s*(?:NULL|&\w+),'
                r'\s*("[^"]*"|LIST_QUERY),', text):
            query = keys if query == "LIST_QUERY" else query.strip('"')
            there.append([method, f"`{path}`", ROLES[role],
                          " ".join(f"`{k}`" for k in query.split()) or "-"])
        self.assertEqual(len(there), text.count("{ HTTP_"))
        self.assertEqual(rows(section(CONTRACT, "## 9.")), there)

    def test_error_codes(self):
        page = {}
        for code, statuses, _ in rows(section(CONTRACT, "## 10.")):
            self.assertNotIn(code, page)
            page[code.strip("`")] = {int(s) for s in statuses.split(", ")}
        self.assertEqual(page, codes_sent())


class Monitoring(unittest.TestCase):
    """The form of packaging/monitoring; test_monitoring.py is about the metrics in it."""

    def test_alerts(self):
        text = read("packaging/monitoring/alerts.yml")
        alerts = re.findall(r"alert: (\w+)\n +expr: .*\n(?: {10,}.*\n)*(?: +for: \d+[mhd]\n)?"
                            r" +labels: \{severity: (?:warning|critical)\}\n +annotations:\n +summary: ",
                            text)
        self.assertEqual(len(set(alerts)), text.count("alert: "))

    def test_dashboard(self):
        text = read("packaging/monitoring/dashboard.json")
        panels = json.loads(text)["panels"]
        places = {(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels}
        self.assertEqual(len(places), len(panels))


class Citations(unittest.TestCase):
    """Comments cite rules and contract sections by number."""

    def cited(self, word):
        for name in sources("broker/", "plugins/", "sdk/", "tests/", ends=(".c", ".h", ".py")):
            if name.startswith("tests/docs/"):
                continue
            for line in read(name).splitlines():
                found = re.search(rf"(?i)\b{word} (\d+(?:\.\d+)?(?:(?:, | and | to )\d+(?:\.\d+)?)*)",
                                  line)
                for number in re.findall(r"\d+(?:\.\d+)?", found.group(1) if found else ""):
                    yield name, number

    def test_contract(self):
        there = set(re.findall(r"^##+ (\d+(?:\.\d+)?)\.? ", read(CONTRACT), re.M))
        for name, number in self.cited("contract"):
            self.assertIn(number, there, name)

    def test_rules(self):
        there = re.findall(r"^(\d+)\. \*\*", read(RULES), re.M)
        self.assertEqual(there, [str(n + 1) for n in range(len(there))])
        for name, number in self.cited("rule"):
            self.assertIn(number, there, name)


class Architecture(unittest.TestCase):
    def test_rooms(self):
        """The table equals lint's, which the build follows."""
        page = {cells[0].strip("`"): cells[2].split(", ") if cells[2] != "-" else []
                for cells in rows(section(ARCHITECTURE, "## The rooms"))}
        there = {name.split("/")[1]: list(sees) for name, sees in lint.ROOMS.items()
                 if name.startswith("broker/")}
        self.assertEqual(page, there)
        folders = {n.split("/")[1] for n in sources("broker/") if n.count("/") > 1}
        self.assertEqual(set(page), folders)


class Names(unittest.TestCase):
    def test_links(self):
        for page in PAGES:
            for target in re.findall(r"\]\(([^)#:]+)\)", read(page)):
                path = os.path.join(SOURCE, os.path.dirname(page), target)
                self.assertTrue(os.path.exists(path), f"{page}: {target}")

    def test_files(self):
        """`dir/file.c` is relative to the page's folder or the root; `file.c` may be anywhere."""
        all_of_them = lint.tracked(SOURCE)
        missing = []
        for page in PAGES:
            folder = os.path.dirname(page)
            for name in re.findall(r"`([\w.*/-]+\.(?:c|h|py|sh|md|list|conf|json|txt|in))`",
                                   read(page)):
                if re.search(r"ROOM|TOPIC|TARGET|NN-", name) or name.startswith("/"):
                    continue
                at = [os.path.normpath(os.path.join(folder, name)), name, "broker/" + name,
                      "tests/" + name]
                found = any(glob.glob(os.path.join(SOURCE, a)) for a in at) or \
                    any(n.endswith("/" + name) for n in all_of_them)
                if not found:
                    missing.append(f"{page}: {name}")
        self.assertEqual(missing, [])

    def test_functions(self):
        """Everything that looks like a name in the code is one."""
        code = "\n".join(read(n) for n in sources("broker/", "plugins/", "sdk/", "tests/"))
        words = set(re.findall(r"\w+", code + read("packaging/lessord.conf")))
        missing = [f"{page}: {name}" for page in (ARCHITECTURE, RULES)
                   for name in re.findall(r"`(\w+_\w+)(?:\(\))?`", read(page))
                   if name not in words]
        self.assertEqual(missing, [])


class Versions(unittest.TestCase):
    def test_changelog(self):
        version = re.search(r"project\(lessor VERSION ([\d.]+)", read("CMakeLists.txt")).group(1)
        self.assertRegex(read("packaging/CHANGELOG.md"), rf"(?m)^## \[{re.escape(version)}\]")

    def test_schema(self):
        """The first schema number in the changelog is the number of migrations."""
        text = lint.code_only(read("broker/store/sqlite/schema.c"))
        table = re.search(r"migrations\[\] = \{(.*?)\n\};", text, re.S).group(1)
        while re.search(r"\([^()]*\)", table):
            table = re.sub(r"\([^()]*\)", "", table)
        there = sum(1 for item in table.split(",") if item.strip())
        page = re.search(r"Database schema (\d+)", read("packaging/CHANGELOG.md")).group(1)
        self.assertEqual(int(page), there)

    def test_abi(self):
        header = read("sdk/include/lessor/provider.h")
        major, minor = (re.search(rf"LESSOR_ABI_{part} (\d+)", header).group(1)
                        for part in ("MAJOR", "MINOR"))
        for page in ("sdk/doc/abi.md", "sdk/doc/writing-a-provider.md", "packaging/CHANGELOG.md"):
            self.assertRegex(read(page), rf"(?m)\b{major}\.{minor}\b", page)
        # The page lists the newest version first.
        self.assertEqual(re.search(r"^### (\d+\.\d+)", read("sdk/doc/abi.md"), re.M).group(1),
                         f"{major}.{minor}")


class FirstSteps(unittest.TestCase):
    def test_u20_install(self):
        """Each command can be run as it stands, and the token that is printed has a place."""
        text = section("README.md", "## Install")
        steps = re.findall(r"(?m)^    (.*)$", text)
        for step in steps:
            # /usr/sbin is not in a user's PATH.
            self.assertNotRegex(step, r"(?:^|&& )lessord\b")
        self.assertIn("`/usr/sbin`", text)
        names = [n for n, step in enumerate(steps) if "lessord token add" in step or
                 "lessor login" in step or "lessor create" in step or "lessor release" in step]
        said = " ".join(steps[n] for n in names)
        self.assertRegex(said, "token add.*lessor login --url.*lessor create.*lessor release")

    def test_u20_commands(self):
        """The README names commands that there are."""
        table = read("broker/cli/commands.c").split("commands[] = {")[1]
        there = set(re.findall(r'^\t(?:\t|\{ )"([a-z-]+)",', table, re.M))
        self.assertIn("login", there)
        for name in re.findall(r"(?:^ {4,}|`|&& )lessor ([a-z][a-z-]*)", read("README.md"), re.M):
            self.assertIn(name, there)


class Tests(unittest.TestCase):
    def test_folders(self):
        """Each test folder has a row in the table."""
        page = read("tests/README.md")
        for folder in sorted({n.split("/")[1] for n in sources("tests/", ends="")
                              if n.count("/") > 1}):
            self.assertRegex(page, rf"(?m)^\| `{folder}/?", f"tests/README.md: {folder}")

    def test_names(self):
        """Every test named in the page is a file or a line in a CMakeLists.txt."""
        stems = {re.sub(r"\.\w+$", "", os.path.basename(n)) for n in sources("tests/", ends="")}
        built = "\n".join(read(n) for n in sources("tests/", ends=("CMakeLists.txt", ".cmake")))
        for name in re.findall(r"`((?:test|api|faults|docs|packages|util|cli|kill|fuzz|cloud|sdk|"
                               r"bench|lint)-[a-z\d_-]+)`", read("tests/README.md")):
            topic = name.split("-", 1)[1]
            self.assertTrue(name in stems or f"NAME {name}" in built or "test_" + topic in stems or
                            topic in stems or topic in lint.RULES or name.removesuffix("-corpus")
                            in stems or re.search(rf"foreach\([^)]*\b{topic}\b", built), name)

    def test_defects(self):
        """Each seeded defect is listed with the rule that it breaks."""
        text = section("tests/README.md", "## The promises")
        named = re.findall(r"\d+", " ".join(cells[-1] for cells in rows(text)))
        named += re.findall(r"[;,] (\d+)", text[text.index("In addition to the rules"):])
        there = {os.path.basename(n).split("-")[0].lstrip("0")
                 for n in sources(lint.DEFECTS, ends=".patch")}
        self.assertEqual(sorted(there ^ set(named), key=int), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
