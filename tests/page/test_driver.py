#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The driver itself: it notices what goes wrong in a page, acts as a person does, and the browser
contacts nobody but 127.0.0.1."""

import json
import os
import unittest

from browser import Browser, Late
from fragments import Site

OUT = os.environ.get("PAGE_OUT", "build/tests/page")

PAGE = """<!doctype html><html lang=en><title>x</title><meta charset=utf-8>
<meta name=viewport content="width=device-width"><link rel=icon href=data:,>
<main><h1>Fragment</h1><div id=there></div>
<button id=go>Go on</button><button id=under>Covered</button>
<label>Name <input id=name></label><p id=said></p></main>%s"""


class Driver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Site()
        cls.browser = Browser(OUT)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.site.close()

    def open(self, more="", script=""):
        page = self.browser.page()
        self.addCleanup(page.close)
        self.site.put("/script.js", script)
        page.go(self.site.put("/", PAGE % (more + "<script src=/script.js></script>")))
        return page

    def troubled(self, page, pattern):
        page.until(lambda: page.troubles, why="nothing was noticed")
        with self.assertRaisesRegex(AssertionError, pattern):
            page.check()
        page.allow(pattern)
        page.check()

    def test_a_sound_page_passes(self):
        page = self.open()
        page.check(self.site.origin)
        self.assertIn("Fragment", page.text())

    def test_console_errors_fail(self):
        self.troubled(self.open(script="console.error('it broke', 7)"), "it broke 7")

    def test_exceptions_fail(self):
        self.troubled(self.open(script="undefined_thing()"), "undefined_thing is not defined")

    def test_unhandled_rejections_fail(self):
        self.troubled(self.open(script="Promise.reject(new Error('refused'))"), "refused")

    def test_inline_scripts_violate_the_policy(self):
        self.troubled(self.open("<script>alert(1)</script>"), "Content Security Policy|policy")

    def test_missing_files_fail(self):
        self.troubled(self.open(script="fetch('/nothing')"), "404")

    def test_another_origin_fails(self):
        page = self.open("<img src=http://192.0.2.1/x.png alt=''><p>")
        page.until(lambda: page.troubles)
        page.allow("")
        with self.assertRaisesRegex(AssertionError, "another origin: http://192.0.2.1/"):
            page.check(self.site.origin)

    def test_a_late_condition_says_what_was_there(self):
        page = self.open()
        with self.assertRaisesRegex(Late, "no such thing(.|\\n)*Fragment"):
            page.wait("() => false", seconds=0.1, why="no such thing")
        with self.assertRaisesRegex(Late, "0 nodes are 'button' 'Stop'(.|\\n)*Go on"):
            page.find("button", "Stop", seconds=0.1)

    def test_conditions_are_seen_when_they_come_true(self):
        page = self.open(script="""document.getElementById('go').onclick = () =>
          fetch('/').then(() => { document.getElementById('said').textContent = 'answered'; });""")
        page.click("button", "Go on")
        self.assertEqual(page.wait("() => document.getElementById('said').textContent"),
                         "answered")

    def test_a_wait_outlives_a_navigation(self):
        page = self.open(script="document.getElementById('go').onclick = () => location = '/next'")
        self.site.put("/next", "<!doctype html><title>next</title><link rel=icon href=data:,><p>y")
        page.click("button", "Go on")
        self.assertTrue(page.wait("() => document.title === 'next'"))

    def test_what_is_covered_cannot_be_clicked(self):
        page = self.open("<style>#lid{position:fixed;inset:0;background:#fff}</style>"
                         "<div id=lid>lid</div>")
        with self.assertRaisesRegex(AssertionError, "covered by <div id=.lid"):
            page.click("button", "Covered")

    def test_typing_and_keys(self):
        page = self.open(script="""document.getElementById('name').onkeydown = e => {
          if (e.key === 'Enter') document.getElementById('said').textContent = e.target.value; }""")
        page.press("Tab")
        page.press("Tab")
        page.press("Tab")
        page.type("hällo x")
        page.press("Enter")
        self.assertEqual(page.run("() => document.getElementById('said').textContent"), "hällo x")
        page.press("Shift+Tab")
        self.assertEqual(page.run("() => document.activeElement.textContent"), "Covered")
        page.fill("textbox", "Name", "other")
        self.assertEqual(page.find("textbox", "Name").value, "other")

    def test_requests_are_recorded(self):
        self.site.put("/?q=1", "x" * 5000)
        page = self.open(script="fetch('/?q=1', {headers: {'X-Y': 'z'}}).then(r => r.text())")
        page.until(lambda: [r for r in page.sent(r"\?q=1") if r["bytes"]])
        request = page.sent(r"\?q=1")[0]
        self.assertEqual((request["method"], request["status"], request["headers"]["X-Y"]),
                         ("GET", 200, "z"))
        self.assertIn(request["bytes"] // 1000, (5,))

    def test_answers_can_be_replaced(self):
        page = self.open(script="fetch('/x').then(r => r.json()).then(v => {"
                         " document.getElementById('said').textContent = v.said; })")
        page.replace("/x$", {"said": "something else"})
        page.reload()
        page.wait("() => document.getElementById('said').textContent === 'something else'")
        page.restore()
        page.allow("404|JSON")

    def test_screenshots_are_of_the_whole_page(self):
        page = self.open("<div style='height:3000px'></div>")
        page.size(360, 640, is_phone=True)
        path = OUT + "/shots/driver.png"
        page.screenshot(path)
        with open(path, "rb") as file:
            head = file.read(24)
        os.unlink(path)
        self.assertEqual(head[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(int.from_bytes(head[16:20], "big"), 360)
        self.assertGreater(int.from_bytes(head[20:24], "big"), 3000)


class Alone(unittest.TestCase):
    """Chromium's own record of its network: what it connected to, and what it looked up."""

    def test_nobody_but_loopback_is_contacted(self):
        site = Site(policy="img-src *")
        self.addCleanup(site.close)
        log = os.path.abspath(OUT) + "/net-log.json"
        browser = Browser(OUT, ["--log-net-log=" + log])
        try:
            page = browser.page()
            page.go(site.put("/", PAGE % "<img alt='' src=http://example.org/><img alt=''"
                             " src=http://192.0.2.1/><img alt='' src='http://[2001:db8::1]/'>"))
            page.until(lambda: sum(bool(r["failed"]) for r in page.sent()) == 3)
        finally:
            browser.close()
        with open(log, encoding="utf-8") as file:
            record = json.load(file)
        os.unlink(log)
        kinds = {number: name for name, number in record["constants"]["logEventTypes"].items()}
        addresses, lookups = set(), set()
        for event in record["events"]:
            kind, params = kinds[event["type"]], event.get("params", {})
            if kind == "TCP_CONNECT_ATTEMPT" and "address" in params:
                addresses.add(params["address"])
            if kind in ("HOST_RESOLVER_SYSTEM_TASK", "DNS_TRANSACTION"):
                lookups.add(params.get("host", params.get("hostname", "")))
            # It connects a UDP socket to see whether there is a route for IPv6, and sends nothing.
            self.assertNotIn(kind, ("UDP_BYTES_SENT", "QUIC_SESSION"), params)
        self.assertEqual(addresses, {site.origin[len("http://"):]})
        self.assertEqual(lookups - {""}, set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
