#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The alert rules for Prometheus, run by its promtool: each fires for what alerts.yml here says,
and not before. Needs no build.

Environment: SOURCE, the source tree (default: the one that contains this file)."""

import os
import re
import subprocess
import unittest

SOURCE = os.environ.get("SOURCE") or os.path.dirname(os.path.abspath(__file__)) + "/../.."
RULES = SOURCE + "/packaging/monitoring/alerts.yml"
CASES = SOURCE + "/tests/docs/alerts.yml"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Alerts(unittest.TestCase):
    def promtool(self, *words):
        done = subprocess.run(["promtool", *words], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_rules_are_valid(self):
        self.promtool("check", "rules", RULES)

    def test_what_they_fire_for(self):
        self.promtool("test", "rules", CASES)

    def test_each_rule_fires_and_does_not(self):
        fires = re.findall(r"alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:\n", read(CASES))
        silent = re.findall(r"alertname: (\w+), eval_time: \w+, exp_alerts: \[\]", read(CASES))
        rules = sorted(re.findall(r"alert: (\w+)", read(RULES)))
        self.assertEqual(sorted(set(fires)), rules)
        self.assertEqual(sorted(set(silent)), rules)


if __name__ == "__main__":
    unittest.main()
