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

from harness import PATIENCE, Broker, cli_body, need

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
