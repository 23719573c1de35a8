#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The figures of a storm, from times made for it."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import figures  # noqa: E402

SECOND = 1000000


class Figures(unittest.TestCase):
    def setUp(self):
        # A heartbeat each tenth of a second, but none from 3 to 6 and from 20 to 21.
        self.moments = [[n * SECOND // 10 for n in range(400)
                         if not 30 < n < 60 and not 200 < n < 210]]

    def gaps(self, *faults):
        return figures.gaps([(k, s * SECOND, e * SECOND) for k, s, e in faults], self.moments)

    def test_a_gap_and_none(self):
        self.assertEqual(self.gaps(("kill", 3, 4), ("stop", 10, 12)),
                         [{"kind": "kill", "alone": True, "seconds": 3.0}])

    def test_the_longest_counts(self):
        self.assertEqual([g["seconds"] for g in self.gaps(("stop", 1, 30))], [3.0])

    def test_who_made_it_is_unknown(self):
        found = self.gaps(("kill", 4, 5), ("stop", 2, 10), ("stop", 20, 20))
        self.assertEqual([(g["kind"], g["alone"]) for g in found],
                         [("kill", False), ("stop", False), ("stop", True)])

    def test_the_table(self):
        found = [{"kind": "kill", "alone": n == 1, "seconds": float(n)} for n in range(1, 101)]
        self.assertEqual(figures.table({"kill": 7, "stop": 1}, found).split("\n")[2:], [
            "| kill | 7 | 100 | 51.0 | 100.0 | 100.0 | 1 | 1.0 | 1.0 | 1.0 |",
            "| stop | 1 | 0 | - | - | - | 0 | - | - | - |"])


if __name__ == "__main__":
    unittest.main()
