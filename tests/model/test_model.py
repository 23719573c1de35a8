#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Can the model fail? Runs small configurations, each with one mistake."""

import contextlib
import io
import os
import re
import unittest

import model
from configurations import CONFIGS
from mistakes import MISTAKES, Mistake, seeded

HERE = os.path.dirname(os.path.abspath(__file__))
# One lease, one lost answer, one release.
SMALL = CONFIGS["faults"]._replace(name="small", faults=1, client_calls=1, lies=0)


def text_of(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return f.read()


class Checks(unittest.TestCase):
    def run_check(self, check, subject):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            good = check(subject)
        return good, out.getvalue()

    def counted(self):
        result = model.explore(SMALL)
        return SMALL._replace(states=result.states, moves=result.moves)

    def test_holds(self):
        good, text = self.run_check(model.check_config, self.counted())
        self.assertTrue(good, text)
        self.assertIn("all hold", text)

    def test_counts_are_compared(self):
        config = self.counted()
        for wrong in (config._replace(states=config.states - 1),
                      config._replace(moves=config.moves + 1)):
            good, text = self.run_check(model.check_config, wrong)
            self.assertFalse(good)
            self.assertIn("update the count", text)

    def test_violation_fails_with_its_trail(self):
        with model.seed("key-first"):
            good, text = self.run_check(model.check_config, self.counted())
        self.assertFalse(good)
        self.assertIn("order: key deleted", text)
        self.assertRegex(text, r"\n +client: release, delete -> ok\n(.*\n)* +DELETE key\n")

    def test_stuck_fails(self):
        with model.seed("423-is-retry"):
            config = SMALL._replace(faults=0, people=1)
            good, text = self.run_check(model.check_config, config)
        self.assertFalse(good)
        self.assertIn("stuck", text)

    def mistake(self, name, found_as):
        old = CONFIGS["faults"]
        CONFIGS["faults"] = SMALL
        try:
            return self.run_check(model.check_mistake, Mistake(name, "faults", found_as, ""))
        finally:
            CONFIGS["faults"] = old

    def test_mistakes(self):
        good, text = self.mistake("key-first", "order")
        self.assertTrue(good, text)
        good, text = self.mistake("key-first", "leak")
        self.assertFalse(good)
        self.assertIn("expected: leak", text)
        good, text = self.mistake("no-generation", "retained")  # has no part in this world
        self.assertFalse(good)
        self.assertIn("NOT FOUND", text)
        self.assertFalse(seeded("key-first"))


class Tables(unittest.TestCase):
    def test_each_mistake_is_in_the_model(self):
        asked = set()
        for name in ("aggregate.py", "daemon.py", "surroundings.py", "world.py", "properties.py"):
            asked |= set(re.findall(r'seeded\("([^"]+)"\)', text_of(name)))
        self.assertEqual(asked, set(MISTAKES))

    def test_each_configuration_has_somebody_who_runs_it(self):
        listed = re.search(r"foreach\(config ([^)]+)\)", text_of("CMakeLists.txt")).group(1)
        self.assertEqual(set(listed.split()), {c.name for c in CONFIGS.values() if c.in_ctest})

    def test_manual_has_the_tables(self):
        manual = text_of("README.md")
        for config in CONFIGS.values():
            row = rf"\| `{config.name}` \|.*\| {config.states:,} \| {config.moves:,} \|"
            self.assertTrue(re.search(row, manual), row)
        for mistake in MISTAKES.values():
            row = f"| `{mistake.name}` | `{mistake.config}` | {mistake.found_as} | {mistake.what} |"
            self.assertTrue(row in manual, row)


class Explorer(unittest.TestCase):
    """README.md contains the tables of explore/, too."""

    def test_configurations(self):
        configs = re.findall(r'\.name = "([^"]+)".*?\.states = (\d+), \.moves = (\d+)',
                             text_of("explore/configs.c"), re.S)
        self.assertTrue(configs)
        for name, states, moves in configs:
            row = rf"\| `{name}` \|.*\| {int(states):,} \| {int(moves):,} \|"
            self.assertTrue(re.search(row, text_of("README.md")), row)

    def test_mistakes(self):
        lines = [line.split("\t") for line in text_of("explore/mistakes.list").splitlines()
                 if not line.startswith("#")]
        self.assertTrue(lines)
        for patch, config, found_as, what in lines:
            row = f"| `{patch}` | `{config}` | {found_as} | {what} |"
            self.assertTrue(row in text_of("README.md"), row)


if __name__ == "__main__":
    unittest.main()
