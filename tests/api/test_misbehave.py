#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A provider that crashes, ends the process or never returns: lessord says which one, for which
lease, before it ends, never with status 0, and ends when it is told to."""

import http.client
import os
import shutil
import signal
import tempfile
import time
import unittest

from harness import PATIENCE, Broker, cli_body, need, until

ACCOUNT = """
[account bad]
provider = misbehave
locations = here
"""
PLUGIN = need("LESSOR_MISBEHAVE")


class Desk(Broker):
    """With the provider beside the others; what ends by itself is meant to."""

    def __init__(self):
        self.providers = tempfile.mkdtemp(prefix="lessor-providers-")
        shutil.copy(need("LESSOR_PROVIDERS") + "/hetzner.so", self.providers)
        shutil.copy(PLUGIN, self.providers + "/misbehave.so")
        before = os.environ["LESSOR_PROVIDERS"]
        os.environ["LESSOR_PROVIDERS"] = self.providers
        try:
            super().__init__(create_wait="1s", server="drain = 1s", accounts=ACCOUNT)
        finally:
            os.environ["LESSOR_PROVIDERS"] = before

    def close(self):
        has_ended = self.process.poll() is not None
        shutil.rmtree(self.providers)
        try:
            super().close()
        except AssertionError:
            if not has_ended:
                raise


class Misbehave(unittest.TestCase):
    def desk(self):
        desk = Desk()
        self.addCleanup(desk.close)
        return desk

    def create(self, desk, slug):
        return desk.ask("POST", "/v1/leases", desk.alice,
                        cli_body(slug=slug, provider="bad", serverType="any",
                                 serverTypeExplicit=True, location=..., image=...))

    def ends(self, desk, slug, *words):
        """Its exit status. The answer is lost with the process."""
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.create(desk, slug)
        code = desk.process.wait(PATIENCE)
        for word in ("provider misbehave (account bad), provision of lease cbx_", *words):
            self.assertIn(word, desk.log())
        return code

    def test_p2_crash(self):
        self.assertEqual(self.ends(self.desk(), "crash", "crashed with SIGSEGV in "), -11)

    def test_p2_abort(self):
        self.assertEqual(self.ends(self.desk(), "abort", "crashed with SIGABRT in "), -6)

    def test_p2_stack(self):
        self.assertEqual(self.ends(self.desk(), "recurse", "crashed with SIGSEGV in "), -11)

    def crash_again(self, desk):
        """Starts it, and waits until it has crashed again."""
        try:
            desk.start()
        except RuntimeError:
            pass
        self.assertNotEqual(desk.process.wait(PATIENCE), 0)

    def lease(self, desk, slug):
        leases = desk.ask("GET", "/v1/leases", desk.alice).json["leases"]
        return [lease for lease in leases if lease["slug"] == slug][0]

    def held(self, slug):
        """A broker whose lease has crashed it three times."""
        desk = self.desk()
        self.ends(desk, slug)
        self.crash_again(desk)
        self.crash_again(desk)
        desk.start()
        until(lambda: "3 times" in self.lease(desk, slug).get("attention", ""))
        return desk

    def test_p2_what_crashed_three_times_is_not_run_again(self):
        for slug in ("crash", "exit"):
            desk = self.held(slug)
            lease = self.lease(desk, slug)
            self.assertEqual(lease["state"], "provisioning")
            self.assertIn("lessor resolve %s retry" % lease["id"], lease["attention"])
            # The service goes on for others, and through a start.
            self.assertEqual(desk.ask("POST", "/v1/leases", desk.alice, cli_body()).status, 201)
            desk.kill(signal.SIGTERM)
            desk.start()
            self.assertIn("3 times", self.lease(desk, slug)["attention"])
            # One more try, if an operator says so.
            try:
                desk.cli("resolve", lease["id"], "retry")
            except AssertionError:
                pass  # The answer may be lost with the process.
            desk.process.wait(PATIENCE)
            desk.start()
            until(lambda: "3 times" in self.lease(desk, slug).get("attention", ""))
            # It ends like any other.
            answer = desk.ask("POST", "/v1/leases/%s/release" % lease["id"], desk.alice,
                              {"delete": True})
            self.assertEqual((answer.status, answer.lease["cleanup"]["state"]), (200, "done"))

    def test_p2_kill_is_no_crash_of_a_provider(self):
        desk = self.desk()
        self.create(desk, "loop")
        for _ in range(3):
            desk.kill()
            desk.start()
        self.assertNotIn("times", self.lease(desk, "loop").get("attention", ""))
        desk.kill()

    def test_p2_an_operation_of_the_account_blocks_it(self):
        desk = self.desk()
        os.environ["MISBEHAVE_CATALOG"] = "1"
        self.addCleanup(os.environ.pop, "MISBEHAVE_CATALOG", None)
        desk.kill(signal.SIGTERM)
        for _ in range(3):
            self.crash_again(desk)
        desk.start()
        self.assertEqual(desk.metric('lessor_account_blocked{account="bad"}'), 1)
        self.assertIn("account bad is blocked: catalog of provider misbehave crashed lessord 3 times",
                      desk.log())
        self.assertEqual(desk.metric('lessor_account_blocked{account="hetzner"}'), 0)
        # Mended, and tried again.
        del os.environ["MISBEHAVE_CATALOG"]
        desk.kill(signal.SIGTERM)
        desk.start()
        self.assertEqual(desk.metric('lessor_account_blocked{account="bad"}'), 1)
        desk.process.send_signal(signal.SIGHUP)
        until(lambda: desk.metric('lessor_account_blocked{account="bad"}') == 0)

    def test_p3_exit(self):
        self.assertEqual(self.ends(self.desk(), "exit", "exit() was called in "), 1)

    def test_p1_a_loop_does_not_hold_up_the_end(self):
        desk = self.desk()
        self.assertIn(self.create(desk, "loop").status, (201, 202))
        began = time.monotonic()
        desk.process.send_signal(signal.SIGTERM)
        self.assertEqual(desk.process.wait(PATIENCE), 1)
        self.assertLess(time.monotonic() - began, 30)
        self.assertIn("still in provider misbehave (account bad), provision of lease cbx_",
                      desk.log())


if __name__ == "__main__":
    unittest.main()
