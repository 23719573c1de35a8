# SPDX-License-Identifier: MIT
"""wait and keepalive."""
import signal

from cli_case import NOT_FOUND, Case, error, gone, lease, main, ok, owed
from cli_server import Answer


class Waiting(Case):
    def script(self, *leases):
        rest = list(leases)

        def script(request):
            one = rest.pop(0) if len(rest) > 1 else rest[0]
            return one if isinstance(one, Answer) else ok(one)
        return self.serve(script)

    def test_wait_for_ready(self):
        server = self.script(lease("provisioning"), lease("provisioning"), Answer(503, {}), lease())
        r = self.run_cli("wait", "violet-prawn", code=0)
        self.assertIn("ready: 203.0.113.7 2222 crabbox\n", r.out)
        self.assertEqual([x.path.split("/")[3] for x in server.requests],
                         ["violet-prawn"] + ["cbx_0123456789ab"] * 3)
        self.script(lease())
        self.assertEqual(self.run_cli("wait", "x", "--json", code=0).json()["lease"]["state"],
                         "active")

    def test_wait_for_ready_in_vain(self):
        self.script(lease("provisioning"), gone("failed", failureError="no capacity"))
        r = self.run_cli("wait", "x", code=6)
        self.assertIn("is failed and will not be ready: no capacity", r.err)
        self.script(lease("provisioning"))
        self.assertIn("timed out: x is provisioning",
                      self.run_cli("wait", "x", "--timeout", "1s", code=7).err)
        self.script(NOT_FOUND)
        self.run_cli("wait", "x", code=3)

    def test_wait_for_gone(self):
        self.script(lease(), owed(), gone())
        r = self.run_cli("wait", "x", "--for", "gone", code=0)
        self.assertEqual(r.out, "cbx_0123456789ab (violet-prawn) has been released, nothing is left\n")
        self.script(gone("expired"))
        self.assertIn("has expired, nothing", self.run_cli("wait", "x", "--for=gone", code=0).out)
        self.script(owed(cleanup="retained"))
        r = self.run_cli("wait", "x", "--for", "gone", code=8)
        self.assertIn("is kept and will not go away; to delete it: lessor release "
                      "cbx_0123456789ab --delete", r.err)
        self.script(dict(owed(cleanup="attention"), attention="it is not ours"))
        self.assertIn("needs operator action: it is not ours",
                      self.run_cli("wait", "x", "--for", "gone", code=8).err)

    def test_wait_usage(self):
        for words in (("x", "--for", "nonsense"), ("x", "--timeout", "9"), ()):
            self.run_cli("wait", *words, code=2)

    def test_wait_interrupted(self):
        server = self.script(lease("provisioning"))
        r = self.interrupt_when(server, "GET", "/cbx_0123456789ab", ["wait", "x"])
        self.assertEqual(r.code, 130)

    def test_keepalive(self):
        idle = lease(idleTimeoutSeconds=2, ttlSeconds=2000000000)
        server = self.script(idle, idle, Answer(503, {"error": "busy"}), idle,
                             error(409, "lease_ended"),
                             gone("expired", endReason="ttl", endedAt="2026-08-21T10:00:00Z"))
        r = self.run_cli("keepalive", "violet-prawn", code=6)
        self.assertRegex(r.err, r"keeping cbx_0123456789ab \(violet-prawn\) alive: a heartbeat every "
                                r"1s, until Ctrl-C; its time to live ends in \d+d")
        self.assertIn("heartbeats arrive again", r.err)
        self.assertRegex(r.err, r"has ended: expired, ttl, \d+d .*ago")
        self.assertEqual(len(server.seen("POST", "/cbx_0123456789ab/heartbeat")), 4)
        self.assertEqual(r.out, "")

    def test_keepalive_of_what_has_ended(self):
        server = self.script(gone("released", endReason="released"))
        self.assertIn("has ended: released", self.run_cli("keepalive", "x", code=6).err)
        self.assertEqual(server.seen("POST"), [])
        doc = self.run_cli("keepalive", "x", "--json", code=6).json()
        self.assertEqual((doc["error"], doc["lease"]["state"]), ("lease_ended", "released"))

    def test_keepalive_refused(self):
        self.script(lease(), error(403, "forbidden", "A share of use may not do this."))
        self.assertIn("A share of use", self.run_cli("keepalive", "x", code=4).err)

    def test_keepalive_interrupted(self):
        server = self.script(lease(idleTimeoutSeconds=600))
        process = self.start("keepalive", "x")
        self.assertIn("a heartbeat every 1m", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        r = self.finish(process)
        self.assertEqual(r.code, 130)
        self.assertIn("no more heartbeats: cbx_0123456789ab (violet-prawn) ends in ", r.err)
        self.assertEqual(len(server.seen("POST")), 1)


if __name__ == "__main__":
    main()
