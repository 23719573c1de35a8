#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Does mutants.py draw what it says it draws, and nothing that is no code?"""

import os
import tempfile
import unittest

import mutants

SAMPLE = '''/* if (a == b) */
#define M(x) if (x == 1)
static const int table[] = { 4, 5 };

static int f(struct s *s)
{
	int n = 3;

	/* a && b */
	if (s->a == n && g("x < y"))
		s->b = h(s,
			 n);
	else
		k(s);
	return 0;
}
'''


class Mutants(unittest.TestCase):
    def found(self, kind):
        return [(old, new) for k, _, old, new in mutants.mutants_of(SAMPLE) if k == kind]

    def test_each_kind(self):
        condition = '(s->a == n && g("x < y"))'
        self.assertEqual(self.found("condition"), [(condition, f"(!{condition})")])
        self.assertEqual(self.found("comparison"), [("==", "!=")])
        self.assertEqual(self.found("logic"), [("&&", "||")])
        self.assertEqual(self.found("return"), [("return 0;", "return -1;"), ("return 0;", "return 1;")])
        self.assertEqual(self.found("statement"), [("s->b = h(s,\n\t\t\t n);", ";"), ("k(s);", ";")])
        self.assertEqual(self.found("constant"), [("3", "4")])

    def test_offsets_are_of_the_text(self):
        for _, offset, old, _ in mutants.mutants_of(SAMPLE):
            self.assertTrue(SAMPLE[offset:].startswith(old))

    def test_a_seed_draws_the_same(self):
        with tempfile.TemporaryDirectory() as tree:
            with open(os.path.join(tree, "a.c"), "w", encoding="utf-8") as f:
                f.write(SAMPLE)
            drawn = [list(mutants.draw(tree, ["a.c"], seed)) for seed in (1, 1, 2)]
        self.assertEqual(drawn[0], drawn[1])
        self.assertNotEqual(drawn[0], drawn[2])
        self.assertEqual(sorted(drawn[0]), sorted(drawn[2]))

    def test_rooms(self):
        self.assertEqual(mutants.rooms_of("broker/lease/a.c")[0], "unit/lease")
        self.assertEqual(mutants.rooms_of("plugins/hetzner/a.c"), ["unit/hetzner"])
        self.assertEqual(mutants.rooms_of("sdk/sim/a.c"), ["sim/unit"])


if __name__ == "__main__":
    unittest.main()
