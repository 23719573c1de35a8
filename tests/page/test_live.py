#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The page follows the daemon: without a reload, over its restarts, and with ten thousand leases."""

import os
import signal
import sys
import unittest

from desk import HERE, PageCase

sys.path.append(os.path.join(HERE, "..", "bench"))
from rows import copy_last_lease  # noqa: E402

MANY = 10000
REQUESTS_MOST = 60


class Live(PageCase):
    def test_a_new_lease_appears_and_an_ended_one_goes(self):
        page = self.at()
        page.find("link", "web-frontend")
        carol = self.desk.carol
        self.desk.create("just-made", carol)
        page.find("link", "just-made")
        self.desk.release("just-made", carol)
        page.wait("() => !document.querySelector('main').innerText.includes('just-made')")
        self.assertEqual(page.loads, 1)

    def test_the_timeline_of_a_lease_grows(self):
        carol = self.desk.carol
        self.desk.create("grows", carol)
        page = self.at()
        self.lease_view(page, "grows")
        page.wait("() => document.querySelector('main').innerText.includes('accepted for hetzner')")
        self.desk.release("grows", carol)
        page.wait("() => /released/.test(document.querySelector('main').innerText)")
        self.assertEqual(page.loads, 1)

    def test_a_restart_of_the_daemon_is_told_and_nothing_is_lost(self):
        page = self.at()
        page.allow("ERR_|Failed to fetch|network error|Failed to load")
        page.find("link", "web-frontend")
        carol = self.desk.carol
        for number, kill in enumerate((signal.SIGTERM, signal.SIGKILL)):
            page.wait("() => /^Live/.test(document.querySelector('#connection').innerText)")
            self.desk.broker.kill(kill)
            page.wait("() => /^Offline/.test("
                      "document.querySelector('#connection').innerText)")
            # What was shown stays.
            page.find("link", "web-frontend")
            self.desk.broker.start()
            self.desk.create("after-restart-%d" % number, carol)
            page.find("link", "after-restart-%d" % number)
            self.desk.release("after-restart-%d" % number, carol)
        self.assertEqual(page.loads, 1)


class Many(PageCase):
    """Ten thousand leases: the page shows what fits, with few requests, and stays usable."""

    desk_options = {"has_leases": False}

    def test_ten_thousand_leases(self):
        desk = self.desk
        desk.create("one-of-many")
        desk.broker.kill(signal.SIGTERM)
        copy_last_lease(desk.broker.home + "/store", MANY)
        desk.broker.start()
        page = self.at()
        page.wait("() => document.querySelectorAll('main a').length > 10")
        # A frame of the browser, while there may be much to do, is not late.
        longest = page.run("""() => new Promise(done => {
          let last = performance.now(), longest = 0, left = 30;
          const frame = now => {
            longest = Math.max(longest, now - last); last = now;
            if (--left) requestAnimationFrame(frame); else done(longest);
          };
          requestAnimationFrame(frame);
        })""")
        self.assertLess(longest, 1000)
        self.assertLess(len(page.sent("/v1/")), REQUESTS_MOST)
        self.assertLess(page.run("() => document.querySelectorAll('*').length"), 20000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
