#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""hetzner-sim(1) against hetzner-sim: its options, paths and faults, in both directions."""

import http.client
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

from page import Page
from programs import BIN, PAGES, SOURCE, in_help, run, write
from harness import wait_for  # noqa: E402  programs.py says where it is

PAGE = Page(PAGES + "/man1/hetzner-sim.1")
SORTS = {"answer": "Instead of the response", "wire": "In transport",
         "life": "In the life of objects", "body": "In the body of the response"}


def source(name):
    with open(f"{SOURCE}/sdk/sim/{name}", encoding="utf-8") as file:
        return file.read()


def words(item):
    """The words after Cm in the text below a tag, without commas and dots."""
    found = []
    for line in re.findall(r"\bCm ((?:\w[\w.]*(?: ,)?(?: |$))+)", item.text, re.M):
        found += [word for word in line.split() if word not in (",", "Ns", "Ar", "Op")]
    return found


class Options(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.options = PAGE.options("DESCRIPTION")
        cls.home = tempfile.mkdtemp(prefix="lessor-docs-")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    def test_the_same_options(self):
        # Given a prefix of every name, getopt_long lists them all.
        there = re.findall(r"'--([a-z-]+)'", run("hetzner-sim", "--=", code=2))
        self.assertEqual(sorted(self.options), sorted(there))
        self.assertEqual(set(there) - {"help", "version"}, in_help(run("hetzner-sim", "--help")))

    def test_every_option_is_taken(self):
        samples = {"address": "127.0.0.1:0", "file": self.home + "/file", "number": "7",
                   "seconds": "1700000000", "token": "word", "key": "label", "user": "nobody",
                   "net": "127.65.0.0"}
        for name, item in self.options.items():
            tag = [w for w in item.words[3:] if w not in (":", "Ns", "|")]
            if not tag:
                run("hetzner-sim", "--" + name, "--help")
                run("hetzner-sim", f"--{name}=x", "--help", code=2)
            elif name == "quota":
                for quota in ("servers", "dedicated_cores", "primary_ips", "keys"):
                    self.assertIn(quota, item.text)
                    run("hetzner-sim", "--quota", quota + "=3", "--help")
                run("hetzner-sim", "--quota", "nonsense=3", "--help", code=2)
            elif tag[0] == "Cm":
                for choice in [w for w in tag if w not in ("Cm", "Ar", "number")]:
                    run("hetzner-sim", "--" + name, choice, "--help")
                run("hetzner-sim", "--" + name, "nonsense", "--help", code=2)
            else:
                run("hetzner-sim", "--" + name, samples[tag[1]], "--help")

    def test_the_same_presets(self):
        numbers = dict(re.findall(r"\.(\w+_ms) = (\d+),", source("config.c")))
        numbers = {name.replace("_", "-"): value for name, value in numbers.items()}
        said = {"listen": "127.0.0.1:0", "speed": "1", "seed": "0", "lease-label": "lessor-lease",
                "box-user": "nobody"}
        text = run("hetzner-sim", "--help")
        for name, value in said.items():
            self.assertRegex(text, rf"--{name} [^(]*\({re.escape(value)}[;)]", name)
        for name, item in self.options.items():
            wanted = {**numbers, **said, "clock": "real", "rate-limit": "on"}.get(name)
            self.assertEqual(item.default(), wanted, name)

    def test_the_same_exit_codes(self):
        boxes = re.search(r"^#define EXIT_NO_BOXES (\d)$", source("main.c"), re.M).group(1)
        self.assertEqual([i.words[0] for i in PAGE.items("EXIT STATUS", "")],
                         ["0", "1", "2", boxes])
        run("hetzner-sim", "--listen", "192.0.2.1:1", code=1)
        run("hetzner-sim", "--scenario", write(self.home + "/wrong", '{"nonsense":1}'), code=2)

    def test_the_same_faults(self):
        there = {sort: {} for sort in SORTS}
        for line in run("hetzner-sim", "--list-faults").splitlines():
            name, sort, text = line.split(None, 2)
            there[sort][name] = text
        for sort, title in SORTS.items():
            named = {name: " ".join(item.body)
                     for name, item in PAGE.named("FAULTS", title, "Ic").items()}
            self.assertEqual(named, there[sort], title)


class Administration(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="lessor-docs-")
        cls.sim = subprocess.Popen(
            [BIN + "/hetzner-sim", "--admin-listen", "127.0.0.1:0", "--port-file",
             cls.home + "/port", "--token", "word", "--speed", "1000"],
            stdout=subprocess.PIPE, text=True)
        wait_for(cls.home + "/port", cls.sim)
        cls.port = int(re.search(r":(\d+)/v1", cls.sim.stdout.readline()).group(1))
        cls.admin = int(re.search(r":(\d+)/_sim", cls.sim.stdout.readline()).group(1))
        cls.items = {(i.words[1], i.words[3]): i for i in PAGE.items("ADMINISTRATION", "", "Cm")}

    @classmethod
    def tearDownClass(cls):
        cls.sim.terminate()
        assert cls.sim.wait(30) == 0
        cls.sim.stdout.close()
        shutil.rmtree(cls.home)

    def ask(self, method, path, body=None, status=200):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=30)
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        self.assertEqual(answer.status, status, f"{method} {path} {body}: {text}")
        return text

    def item(self, name):
        return next(i for (_, path), i in self.items.items() if path == "/_sim/" + name)

    def tearDown(self):
        self.ask("POST", "/_sim/reset", {})

    def test_the_same_addresses(self):
        there = set(re.findall(r'"(GET|POST|DELETE)", "(/_sim/\w+)"', source("admin.c")))
        there |= {("POST", path) for path in
                  re.findall(r'\{ "(/_sim/\w+)"', source("shell.c"))}
        there |= {("GET", path) for path in
                  re.findall(r'cmp\(request->target, "(/_sim/\w+)"', source("shell.c"))}
        self.assertEqual(set(self.items), there)
        self.ask("GET", "/_sim/nonsense", status=404)
        for method, path in self.items:
            body = {"ms": 1} if path.endswith("advance") else {}
            if path.endswith("human"):
                body = {"verb": "create", "name": "a"}
            if path.endswith("faults"):
                body = {"match": {}, "fault": {"kind": "conflict"}}
            if path.endswith("listener"):
                body = {"open": True}
            # No boxes run here, so it answers 400 and not the 404 of an unknown path.
            self.ask(method, path, body if method == "POST" else None,
                     status=400 if path.endswith("boxes") else 200)
        for path in ("state?project=0", "history?after=1", "requests?format=lines"):
            self.assertIn(".Ql " + path.split("?")[1].split("=")[0], self.item(path.split("?")[0]).text)
            self.ask("GET", "/_sim/" + path)

    def test_config(self):
        named = words(self.item("config"))
        there = re.findall(r"\b[NS]\((\w+)\)", source("config.c"))
        there = [name for name in there if name != "name"]
        self.assertEqual(sorted(named), sorted(there))
        for name in named:
            self.ask("POST", "/_sim/config", {name: 1})
        self.ask("POST", "/_sim/config", {"nonsense": 1}, status=400)
        self.ask("POST", "/_sim/config", {"signal_pid": 0, "skew_ms": 0})

    def test_catalogue_token_and_human(self):
        members = {"type", "location", "hidden", "image", "announced", "unavailable_after", "in_ms"}
        lists = [w for w in words(self.item("catalogue")) if w not in members]
        self.assertEqual(sorted(lists), sorted(set(re.findall(
            r'json_object_get\(change, "(\w+)"\)', source("catalogue.c")))))
        for name in lists:
            entry = "fsn1" if name.endswith("locations") else {"type": "cx23", "location": "*"}
            self.ask("POST", "/_sim/catalogue", {name: [entry]})
        self.ask("POST", "/_sim/catalogue", {"sold_out": [{"hidden": True}]})
        self.ask("POST", "/_sim/catalogue", {"retired": [
            {"type": "cx23", "location": "nbg1", "in_ms": 1},
            {"image": "debian-12", "announced": "2037-01-01T00:00:00Z",
             "unavailable_after": "2037-04-01T00:00:00Z"}]})
        for wrong in ({"image": "nonsense"}, {"type": "nonsense"}, {"location": "nonsense"},
                      {"type": "cx23", "announced": "tomorrow"}):
            self.ask("POST", "/_sim/catalogue", {"retired": [wrong]}, status=400)
        self.assertEqual(words(self.item("token")), ["token", "name", "readonly", "revoked",
                                                     "project"])
        self.ask("POST", "/_sim/token", {"token": "word", "readonly": False, "revoked": False,
                                         "project": 1})
        self.ask("POST", "/_sim/token", {"name": "t1", "project": 0})
        named = words(self.item("human"))
        verbs = ["create", *re.findall(r'\(verb, "(\w+)"\)', source("human.c"))]
        for verb in set(verbs):
            self.assertIn(verb, named)
        more = {"rename": {"to": "b"}, "relabel": {"labels": {"x": "y"}}}
        self.assertLessEqual({"to", "labels", "kind", "server", "ssh_key", "primary_ip", "name", "id",
                              "public_key", "server_type", "location", "project"}, set(named))
        for verb in [n for n in named if n in verbs and n not in ("create", "delete")]:
            self.ask("POST", "/_sim/human", {"verb": "create", "name": "a", "server_type": "cx23",
                                             "location": "nbg1", "labels": {}, "project": 0})
            self.ask("POST", "/_sim/human", {"verb": verb, "name": "a", **more.get(verb, {})})
            self.ask("POST", "/_sim/human", {"verb": "delete", "name": "b" if verb == "rename"
                                             else "a"})
        for kind in ("ssh_key", "primary_ip"):
            self.ask("POST", "/_sim/human", {"verb": "create", "kind": kind, "name": "k"})

    def test_wait(self):
        self.ask("POST", "/_sim/human", {"verb": "create", "name": "a"})
        tries = {"servers": "1", "ssh_keys": "0", "primary_ips": "0-", "held": "0", "events": "1-",
                 "requests": "-99999", "faults": "0", "calls": "s.create:0:x",
                 "status": "a:running", "event": "created:a", "exists": "a", "gone": "b",
                 "timeout_ms": "5000"}
        self.assertEqual(sorted(words(self.item("wait"))), sorted(tries))
        self.assertEqual(sorted(tries), sorted(set(
            re.findall(r'\{ "(\w+)", (?:world|held|counts|cloud|rules)', source("wait.c")) +
            re.findall(r'p->key, "(\w+)"\)', source("wait.c")))))
        for name, value in tries.items():
            self.ask("GET", f"/_sim/wait?{name}={value}")
        self.ask("GET", "/_sim/wait?servers=7&timeout_ms=1", status=408)
        self.ask("GET", "/_sim/wait?nonsense=1", status=400)

    def test_scenarios_and_rules(self):
        title = PAGE.part("ADMINISTRATION", "Scenarios")
        members = re.findall(r"\w+", " ".join(l[4:] for l in title if l.startswith(".Cm ")))
        self.assertEqual(members, ["config", "tokens", "catalogue", "objects", "faults"])
        empty = {name: {} if name in ("config", "catalogue") else [] for name in members}
        self.ask("POST", "/_sim/load", {**empty, "objects": [{"name": "a"}]})
        text = "\n".join(PAGE.part("FAULTS"))
        there = re.findall(r'X\(OP_\w+, "([\w.]+)"\)', source("op.h"))
        named = re.search(r"one or a list of\n((?:\.Cm .*\n|or\n)+)", text).group(1)
        named = re.findall(r"[a-z]+\.?[a-z]+", re.sub(r"^\.Cm|^or$", "", named, flags=re.M))
        self.assertEqual(named, there)
        patterns = {name: "*" for name in ("method", "path", "server_type", "location", "name",
                                           "lease", "token")}
        rule = {"match": {**patterns, "reused": False, "op": named}, "skip": 1, "count": "always",
                "probability": 0.5, "after_ms": 1, "for_ms": 1, "faults": [{"kind": "conflict"}]}
        for member in [*rule["match"], "nth", *rule]:
            self.assertRegex(text, rf"\b{member}\b")
        self.ask("POST", "/_sim/faults", [rule, {"match": {"nth": 2}, "fault": {"kind": "lost"}}])
        self.ask("POST", "/_sim/faults", {"match": {"nonsense": 1}, "fault": {"kind": "lost"}},
                 status=400)
        known = re.search(r"known\[\] = \{(.*?)\};", source("rule.c"), re.S).group(1)
        for member in re.findall(r'"(\w+)"', known):
            if member not in ("id", "comment", "seen", "hits"):
                self.assertRegex(text, rf"\b{member}\b")

    def test_its_examples(self):
        commands = [shlex.split(line) for line in "".join(PAGE.examples()).splitlines()]
        self.assertEqual(commands[0][:1] + commands[0][-1:], ["hetzner-sim", "&"])
        run(*commands[0][:-1], "--help")
        posted = [words for words in commands if words[:2] == ["curl", "-d"]]
        self.assertEqual(len(posted), 1)
        for _, _, body, address in posted:
            self.ask("POST", address.replace("$sim", "/_sim"), json.loads(body))


if __name__ == "__main__":
    os.umask(0o022)
    unittest.main(verbosity=2)
