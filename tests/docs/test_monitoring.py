#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What is shipped for monitoring names what there is: every metric of the dashboard, the alert
rules and the manual is in the table of broker/api/metric.h, names and help follow Prometheus'
rules, and each alert has a paragraph in lessord(8) that says what to do, both ways. Needs no build.

Environment: SOURCE, the source tree (default: the one that contains this file)."""

import json
import os
import re
import subprocess
import tempfile
import unittest

SOURCE = os.environ.get("SOURCE") or os.path.dirname(os.path.abspath(__file__)) + "/../.."
RULES = SOURCE + "/packaging/monitoring/alerts.yml"
USED = re.compile(r"\b(?:lessor|process)_[a-z0-9_]*[a-z0-9]\b")
UNITS = ("seconds", "bytes")


def read(path):
    with open(SOURCE + "/" + path, encoding="utf-8") as file:
        return file.read()


def table():
    """{name: (type, scope, labels, help)}"""
    text = re.sub(r'"\s*\\\n\s*"', "", read("broker/api/metric.h"))
    rows = re.findall(r'X\((\w+), (\w+), ([A-Z]+), "([^"]*)", (?:\\\n\s*)?"([^"]*)"\)', text)
    return {(row[0] if row[0].startswith("process_") else "lessor_" + row[0]): row[1:]
            for row in rows}


def bases(names, metrics):
    """Without the suffixes that belong to the series of a histogram."""
    result = set()
    for name in names:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        result.add(base if metrics.get(base, ("",))[0] == "histogram" else name)
    return result


def expressions(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "expr":
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for item in node:
            yield from expressions(item)


def unknown(text, metrics):
    return sorted(bases(USED.findall(text), metrics) - set(metrics))


class Monitoring(unittest.TestCase):
    def setUp(self):
        self.metrics = table()
        self.assertGreater(len(self.metrics), 60)

    def test_names(self):
        for name, (kind, _, _, text) in self.metrics.items():
            with self.subTest(name):
                self.assertEqual(name.endswith("_total"), kind == "counter")
                self.assertTrue(text.endswith("."))
                if kind == "histogram":
                    self.assertTrue(name.endswith("_duration_seconds"))
                self.assertNotRegex(name, r"_(ms|micros|milliseconds|kb|mib|count|sum|bucket)\b")
                for unit in UNITS:
                    if "_%s_" % unit in name:
                        self.assertTrue(name.endswith("_%s_total" % unit))

    def test_the_dashboard(self):
        found = list(expressions(json.loads(read("packaging/monitoring/dashboard.json"))))
        self.assertGreater(len(found), 20)
        self.assertEqual(unknown("\n".join(found), self.metrics), [])

    def test_the_rules(self):
        self.assertEqual(unknown(read("packaging/monitoring/alerts.yml"), self.metrics), [])

    def test_an_unknown_name_is_noticed(self):
        for text in ("rate(lessor_no_such_total[5m])", "lessor_leases_counted_bucket",
                     "lessor_lease_gone_duration_seconds_buckets"):
            self.assertEqual(len(unknown(text, self.metrics)), 1)

    def test_what_all_daemons_report_is_not_summed(self):
        texts = list(expressions(json.loads(read("packaging/monitoring/dashboard.json"))))
        texts += re.findall(r"expr: (.*)", read("packaging/monitoring/alerts.yml"))
        for text in texts:
            for name in re.findall(r"sum(?: by \([^)]*\))? \((\w+)|sum\((\w+)", text):
                with self.subTest(text):
                    name = name[0] or name[1]
                    if name in self.metrics:
                        self.assertEqual(self.metrics[name][1], "DAEMON")

    def test_the_manual(self):
        text = read("packaging/man/lessord.8.in")
        self.assertEqual(unknown(" ".join(re.findall(r"lessor_[a-z_]+", text)), self.metrics), [])

    def test_each_alert_has_its_paragraph(self):
        page = read("packaging/man/lessord.8.in")
        section = page.split(".Sh MONITORING\n", 1)[1].split("\n.Sh ", 1)[0]
        told = re.findall(r"^\.It (Lessor\w+)\n(?!\.It)\S", section, re.M)
        rules = re.findall(r"alert: (\w+)", read("packaging/monitoring/alerts.yml"))
        self.assertEqual(sorted(told), sorted(rules))


class Broken(unittest.TestCase):
    """The checks that pass for what is shipped fail for what is broken."""

    def test_a_bad_rule(self):
        with open(RULES, encoding="utf-8") as file:
            text = file.read()
        for good, bad in (("expr: max(", "expr: max((", ), ("for: 2m", "for: soon"),
                          ("labels: {severity", "lables: {severity")):
            self.assertIn(good, text)
            with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
                file.write(text.replace(good, bad, 1))
                file.flush()
                done = subprocess.run(["promtool", "check", "rules", file.name],
                                      capture_output=True, check=False)
                self.assertNotEqual(done.returncode, 0, bad)


if __name__ == "__main__":
    unittest.main()
