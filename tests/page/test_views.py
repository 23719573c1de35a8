#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every view of the page: its accessibility, wide and narrow, light and dark, with large letters,
and what it costs to load. Writes screenshots."""

import unittest

import rules
from browser import Browser
from desk import OUT, PageCase

LOAD_MOST = 100 * 1000  # bytes, as transferred
SCHEMES = ("light", "dark")
WIDE, PHONE, NARROWEST = 1280, 360, 320


class Views(PageCase):
    def leads(self):
        """Name to what leads a signed-in page there."""
        def view(name):
            return lambda page: self.view(page, name)

        def lease(slug):
            def lead(page):
                self.view(page, "Leases")
                self.lease_view(page, slug)
            return lead

        def attention(page):
            self.view(page, "Attention")
            self.lease_view(page, "left-behind")

        def run(page):
            self.view(page, "Runs")
            page.click("link", self.desk.run["id"])
            self.title(page, "Run " + self.desk.run["id"])

        def dialog(page):
            lease("web-frontend")(page)
            page.click("button", "Release web-frontend")
            page.find("dialog")
        found = {name.lower(): view(name) for name in (
            "Leases", "Attention", "Accounts", "Queue", "Usage", "Runs")}
        return dict(found, lease=lease("web-frontend"), starting=lease("still-starting"),
                    left=attention, run=run, dialog=dialog)

    def test_each_view(self):
        page = self.at()
        page.media(prefers_color_scheme="light", prefers_reduced_motion="reduce")
        for name, lead in self.leads().items():
            with self.subTest(view=name):
                lead(page)
                self.look(page, name)

    def test_the_form_for_the_token(self):
        page = self.open()
        page.find("textbox", "Token")
        self.look(page, "sign-in")
        page.allow("401")
        self.sign_in(page, "lsr_0000000000000000_" + 43 * "0")
        page.wait("() => document.querySelector('#refused').innerText")
        self.look(page, "refused")

    def test_the_first_load_is_small(self):
        page = self.at()
        files = [r for r in page.sent() if "/v1/" not in r["url"]]
        self.assertGreater(len(files), 5)
        total = sum(r["bytes"] for r in files)
        print("first load: %d bytes in %d requests" % (total, len(files)))
        self.assertLess(total, LOAD_MOST)
        self.assertNotIn(0, [r["status"] for r in files])

    def test_large_letters(self):
        browser = Browser(OUT, letters=32)
        self.addCleanup(browser.close)
        saved, self.browser = self.browser, browser
        try:
            page = self.at()
            for name, lead in self.leads().items():
                with self.subTest(view=name):
                    lead(page)
                    self.assertEqual(rules.broken(page, rules.LETTERS), [])
                    self.assertEqual(rules.reflow(page, WIDE), [])
        finally:
            self.browser = saved

    def look(self, page, name):
        # What a modal dialog covers is not there for anybody.
        every = {rule: what for rule, what in rules.RULES.items()
                 if name != "dialog" or rule not in ("headings", "landmarks", "grids", "live")}
        page.size(WIDE)
        self.assertEqual(rules.broken(page, every), [], name)
        for scheme in SCHEMES:
            page.media(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            self.assertEqual(rules.broken(page, rules.COLOURS), [], (name, scheme))
            # Where the check of the focus ended shows nothing.
            page.run("() => document.activeElement.blur()")
            page.screenshot("%s/shots/%s-wide-%s.png" % (OUT, name, scheme))
        page.size(NARROWEST, 640, is_phone=True)
        self.assertEqual(rules.reflow(page, NARROWEST), [], name)
        page.size(PHONE, 740, is_phone=True)
        self.assertEqual(rules.reflow(page, PHONE), [], name)
        self.assertEqual(rules.broken(page, dict(every, **rules.PHONE, **rules.STILL)), [],
                         name)
        for scheme in SCHEMES:
            page.media(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            self.assertEqual(rules.broken(page, rules.COLOURS), [], (name, scheme, PHONE))
            # Where the check of the focus ended shows nothing.
            page.run("() => document.activeElement.blur()")
            page.screenshot("%s/shots/%s-narrow-%s.png" % (OUT, name, scheme))
        page.size(WIDE)
        page.media(prefers_color_scheme="light", prefers_reduced_motion="reduce")


if __name__ == "__main__":
    unittest.main(verbosity=2)
