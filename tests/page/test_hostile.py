#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Texts of strangers are text: in runs, which may contain anything, and in answers that no daemon
gives (the daemon refuses such slugs and owners)."""

import json
import re
import unittest

import rules
from desk import HOSTILE, PageCase

INTACT = """() => document.title !== 'taken' &&
  !document.querySelector('main img, main script, main iframe, main [onerror]')"""


class Runs(PageCase):
    def test_a_run_of_hostile_texts(self):
        for name, text in HOSTILE.items():
            with self.subTest(name):
                # The daemon limits commands, and refuses some characters.
                plain = text.replace("\0", "")
                run = self.desk.make_run(plain[:2000], plain[:100].translate(dict.fromkeys(range(32))),
                                         log=plain)
                page = self.at("/portal/runs/" + run["id"])
                page.wait("text => document.querySelector('main').textContent.includes(text)",
                          plain[:20])
                self.assertTrue(page.run(INTACT))
                page.size(360, 740, is_phone=True)
                self.assertEqual(rules.reflow(page, 360), [])


class Answers(PageCase):
    def test_a_list_of_hostile_texts(self):
        listed = self.desk.ask("GET", "/v1/leases?view=current", self.desk.broker.admin).json
        model = json.dumps(listed["leases"][0])
        for name, text in HOSTILE.items():
            with self.subTest(name):
                lease = json.loads(model)
                for field in ("slug", "owner", "org", "serverType", "class", "region", "host",
                              "failureError", "currency"):
                    lease[field] = text
                lease["attention"] = lease["attentionAction"] = text
                page = self.open()
                page.replace(r"/v1/leases\?", {"leases": [lease], "pagination": "keyset-v1"})
                self.sign_in(page, self.desk.broker.admin)
                page.wait("text => document.querySelector('main').textContent.includes(text)",
                          text[:20])
                self.assertTrue(page.run(INTACT))
                page.size(360, 740, is_phone=True)
                self.assertEqual(rules.reflow(page, 360), [])
                page.restore()


if __name__ == "__main__":
    unittest.main(verbosity=2)
