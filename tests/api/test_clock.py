#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A wall clock that is wrong at a start, that is put right, and what it wrote meanwhile. A
preloaded library (skew.c) shifts the clock of lessord, and where a test says so also the clock of
the simulated cloud."""

import contextlib
import datetime
import os
import shutil
import subprocess
import tempfile
import unittest

from harness import Broker, cli_body, need, until

SKEW = os.environ.get("LESSOR_SKEW", "")
if not SKEW:
    raise SystemExit(77)
DAY = 86400
DOUBT = "no lease or token ends by time until"


class Desk(Broker):
    def __init__(self, cloud=0, **options):
        self.places = tempfile.mkdtemp(prefix="lessor-skew-")
        self.set("ours", 0)
        self.set("theirs", cloud)
        with self.skewed("theirs"):
            super().__init__(**options)

    @contextlib.contextmanager
    def skewed(self, whose):
        before = {k: os.environ.get(k) for k in ("LD_PRELOAD", "SKEW")}
        os.environ.update(LD_PRELOAD=SKEW, SKEW=self.places + "/" + whose)
        try:
            yield
        finally:
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value

    def set(self, whose, seconds):
        """In one step, as a clock is set."""
        with open(self.places + "/next", "w", encoding="ascii") as file:
            file.write("%d\n" % seconds)
        os.rename(self.places + "/next", self.places + "/" + whose)

    def start(self):
        with self.skewed("ours"):
            super().start()

    def restart(self, seconds):
        self.kill()
        self.set("ours", seconds)
        self.start()

    def tokens(self, *words):
        with self.skewed("ours"):
            return subprocess.run(
                [self.lessord, "token", words[0], "--config", self.home + "/conf", *words[1:]],
                check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()

    def is_suspect(self):
        return self.metric("lessor_clock_suspect") == 1

    def lease(self, lease, token=None):
        return self.ask("GET", "/v1/leases/" + lease["id"], token or self.alice).lease

    def make(self, **more):
        return self.ask("POST", "/v1/leases", self.alice, cli_body(**more)).lease

    def close(self):
        super().close()
        shutil.rmtree(self.places)


def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def left(lease):
    """Seconds of true time until it ends."""
    return at(lease["expiresAt"]) - datetime.datetime.now(datetime.timezone.utc).timestamp()


class Clock(unittest.TestCase):
    def desk(self, **options):
        desk = Desk(**options)
        self.addCleanup(desk.close)
        return desk

    def test_d9_a_start_under_a_wrong_clock_ends_nothing(self):
        desk = self.desk()
        kept, released = desk.make(), desk.make()
        token = desk.tokens("add", "--owner", "alice@example.com", "--org", "acme", "--role",
                            "user", "--expires", "1d").strip()
        for away in (DAY, 365 * DAY, -DAY):
            before = desk.log().count(DOUBT)
            desk.restart(away)
            self.assertTrue(desk.is_suspect())
            self.assertIn("in doubt", desk.ask("GET", "/v1/health").json["clock"])
            # The provider was asked, and it is looked at again after that.
            until(lambda: "of the provider of account hetzner; " + DOUBT in desk.log())
            self.assertEqual(desk.lease(kept, token)["state"], "active")
            self.assertLessEqual(desk.log().count(DOUBT), before + 2)
        answer = desk.ask("POST", "/v1/leases/%s/release" % released["id"], desk.alice,
                          {"delete": True})
        self.assertEqual((answer.status, answer.lease["state"]), (200, "released"))
        desk.set("ours", 0)
        until(lambda: not desk.is_suspect())
        self.assertNotIn("clock", desk.ask("GET", "/v1/health").json)
        self.assertIn("trusted again", desk.log())
        lease = desk.lease(kept)
        self.assertEqual(lease["state"], "active")
        self.assertLessEqual(left(lease), 1800)
        self.assertEqual(len(desk.servers()), 1)

    def test_d9_days_off_are_believed_when_the_provider_agrees(self):
        desk = self.desk()
        lease = desk.make()
        desk.kill()
        desk.set("ours", 3 * DAY)
        desk.set("theirs", 3 * DAY)
        desk.start()
        until(lambda: desk.lease(lease)["state"] == "expired")
        desk.sim_wait("servers=0")

    def test_d9_a_provider_whose_clock_is_wrong_holds_up_nothing(self):
        desk = self.desk(cloud=-5 * DAY)
        lease = desk.make(ttlSeconds=1, idleTimeoutSeconds=1)
        until(lambda: desk.lease(lease)["state"] == "expired")
        self.assertIn("ahead of the provider of account hetzner, but agrees", desk.log())

    def test_d8_what_a_clock_that_was_ahead_wrote_keeps_its_limits(self):
        desk = self.desk()
        desk.restart(400 * DAY)
        first = desk.make()
        self.assertGreater(left(first), 399 * DAY)
        # Once while it runs, once by a restart.
        desk.set("ours", 0)
        until(lambda: left(desk.lease(first)) <= 1800)
        desk.restart(400 * DAY)
        second = desk.make()
        desk.tokens("add", "--owner", "carol", "--org", "acme", "--role", "user",
                    "--expires", "1d")
        desk.restart(0)
        for lease in (first, second):
            until(lambda lease=lease: left(desk.lease(lease)) <= 1800)
            answer = desk.ask("POST", "/v1/leases/%s/heartbeat" % lease["id"], desk.alice, {})
            self.assertEqual(answer.status, 200)
            self.assertTrue(1700 < left(desk.lease(lease)) <= 1801)
        self.assertEqual(desk.ask("GET", "/v1/usage?scope=user", desk.alice).json["usage"]
                         ["activeLeases"], 2)
        # Its token, too, lasts as long as was meant.
        carol = [line for line in desk.tokens("list").split("\n") if "carol" in line][0]
        years = {str(datetime.date.today().year), str(datetime.date.today().year + 1)}
        self.assertTrue(all(word[:4] in years for word in carol.split() if word[4:5] == "-"),
                        carol)


if __name__ == "__main__":
    unittest.main()
