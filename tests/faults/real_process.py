#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Faults of the process, with the real lessord and the real hetzner-sim: a full disk, SIGTERM
during ten lives, a broken file at SIGHUP, fifty crashes in a row, a second daemon, a
long stop, answers that take longer than a request may."""

import concurrent.futures
import os
import random
import resource
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from harness import Broker, cli_body, new_id, until, wait_for  # noqa: E402

PATIENCE = 90
EXIT_SECOND = 5
SEED = int(os.environ.get("REAL_SEED", "20"))


class Process(unittest.TestCase):

    def broker(self, **options):
        settings = {"create_wait": "0s", "release_wait": "0s", "log_level": "notice"}
        settings.update(options)
        b = Broker(**settings)
        self.addCleanup(b.close)
        return b

    # -- a client that repeats its requests

    def ask(self, b, method, path, body=None):
        """None: no complete response."""
        try:
            return b.ask(method, path, b.alice, body)
        except (OSError, EOFError, subprocess.SubprocessError):
            return None
        except Exception as e:  # the exceptions of http.client have no other common base
            if type(e).__module__ == "http.client":
                return None
            raise

    def insist(self, b, method, path, body=None):
        """Repeats the request until the response is not a temporary failure."""
        def insisted():
            answer = self.ask(b, method, path, body)
            return None if answer is None or answer.status in (429, 500, 502, 503) else answer
        return until(insisted, PATIENCE, "no response to %s %s" % (method, path))

    def until(self, b, lease_id, what, done):
        def look():
            seen.append(self.insist(b, "GET", "/v1/leases/" + lease_id).lease)
            return seen[-1] if done(seen[-1]) else None
        seen = []
        return until(look, PATIENCE, lambda: "%s never %s: %r\n%s" % (
            lease_id, what, seen[-1], b.log()[-2000:]))

    def create(self, b, lease_id=None, **changes):
        lease_id = lease_id or new_id()
        answer = self.insist(b, "POST", "/v1/leases", cli_body(lease_id, **changes))
        self.assertIn(answer.status, (200, 201, 202), answer)
        return lease_id

    def active(self, b, lease_id):
        return self.until(b, lease_id, "active", lambda l: l["state"] == "active")

    def release(self, b, lease_id, delete=True):
        answer = self.insist(b, "POST", "/v1/leases/%s/release" % lease_id, {"delete": delete})
        self.assertEqual(answer.status, 200, answer)

    def cleaned(self, b, lease_id):
        self.until(b, lease_id, "cleaned up", lambda l: l["cleanup"]["state"] == "done")

    def nothing_left(self, b):
        state = b.sim("GET", "/_sim/state")
        left = [t["name"] for t in state["servers"] + state["ssh_keys"] + state["primary_ips"]]
        self.assertEqual([n for n in left if "account-mark" not in n], [])
        made = {}
        for e in b.sim("GET", "/_sim/history?after=0")["events"]:
            if e["what"] == "created" and e["kind"] == "server":
                made[e["lease"]] = made.get(e["lease"], 0) + 1
        self.assertEqual([l for l, n in made.items() if n > 1], [], "two servers")

    def requests(self, b):
        return b.sim("GET", "/_sim/state")["requests"]

    # -- the tests

    def test_a_full_disk_stops_it_and_nothing_acknowledged_is_lost(self):
        """The file reaches its size limit at four different fill levels of the log."""
        for pages in (0, 1, 3, 9):
            with self.subTest(pages=pages):
                b = self.broker()
                b.kill(signal.SIGTERM)
                # Python ignores SIGXFSZ and the child inherits that: a write fails, no signal.
                self.start_ignoring(b)
                first = self.create(b)
                self.active(b, first)
                size = os.path.getsize(b.home + "/store-wal")
                limit = size + pages * 4096
                resource.prlimit(b.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
                acknowledged = [first]
                end = time.monotonic() + PATIENCE
                while b.process.poll() is None and time.monotonic() < end:
                    lease_id = new_id()
                    answer = self.ask(b, "POST", "/v1/leases", cli_body(lease_id))
                    if answer is not None and answer.status // 100 == 2:
                        acknowledged.append(lease_id)
                self.assertIsNotNone(b.process.poll(), "it keeps running with a full disk")
                self.assertGreater(b.process.returncode, 0, "it must exit by itself, with an error")
                b.start()
                for lease_id in acknowledged:
                    self.assertEqual(
                        self.insist(b, "GET", "/v1/leases/" + lease_id).status, 200)
                # Other creates may be committed without a response: they are leases, too.
                leases = self.insist(b, "GET", "/v1/leases").json["leases"]
                for lease in leases:
                    self.release(b, lease["id"])
                for lease in leases:
                    self.cleaned(b, lease["id"])
                self.nothing_left(b)

    def late(self, b, lease_id, method, path, body):
        """The one answer to a request, its lease, and the seconds it took."""
        since = time.monotonic()
        answer = self.ask(b, method, path, body)
        self.assertIsNotNone(answer, "%s %s: the connection ended without an answer\n%s" % (
            method, path, b.log()[-2000:]))
        self.assertIn(answer.status, (200, 201, 202), answer)
        self.assertEqual(answer.lease["id"], lease_id)
        return answer.lease, time.monotonic() - since

    def test_answers_that_take_longer_than_reading_a_request_may(self):
        """Machines that take 22 s to be created, or to be deleted: each request is answered, with
        what it waited for."""
        b = self.broker(create_wait="40s", release_wait="40s")
        old = [self.create(b) for _ in range(3)]
        for lease_id in old:
            self.active(b, lease_id)
        b.fault("s.create", "timing", 5, create_ms=2200000)
        b.fault("s.delete", "delete_lag", 3, ms=2200000)
        new = [new_id() for _ in range(5)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            created = [pool.submit(self.late, b, i, "POST", "/v1/leases", cli_body(i))
                       for i in new]
            released = [pool.submit(self.late, b, i, "POST", "/v1/leases/%s/release" % i,
                                    {"delete": True}) for i in old]
            answers = [a.result() for a in created + released]
            ended = [pool.submit(self.release, b, i) for i in new]
            for release in ended:
                release.result()
        for lease, seconds in answers:
            self.assertGreater(seconds, 20)
            self.assertEqual(lease["state"], "active" if lease["id"] in new else "released")
        for lease_id in new + old:
            self.cleaned(b, lease_id)
        self.nothing_left(b)

    def start_ignoring(self, b):
        path = b.home + "/port"
        os.unlink(path)
        with open(b.home + "/log", "ab") as log:
            b.process = subprocess.Popen(
                [b.lessord, "--config", b.home + "/conf", "--port-file", path],
                stdout=subprocess.DEVNULL, stderr=log, restore_signals=False)
        b.port = wait_for(path, b.process)

    def test_sigterm_in_the_middle_of_ten_lives(self):
        """At moments chosen by the seed, four times in each round."""
        dice = random.Random(SEED)
        b = self.broker()
        def life(lease_id):
            self.create(b, lease_id)
            self.active(b, lease_id)
            self.release(b, lease_id)
            self.cleaned(b, lease_id)

        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            ids = [new_id() for _ in range(10)]
            lives = [pool.submit(life, i) for i in ids]
            for _ in range(4):
                aim = self.requests(b) + dice.randrange(1, 25)
                # The number is reached, or all leases are done before.
                self.sim_wait(b, "requests=%d-" % aim, 3000)
                self.assertEqual(b.kill(signal.SIGTERM), 0, b.log()[-2000:])
                b.start()
            for done in lives:
                done.result()
        self.nothing_left(b)

    def sim_wait(self, b, condition, ms):
        """Returns whether the condition was met in time."""
        try:
            b.sim("GET", "/_sim/wait?%s&timeout_ms=%d" % (condition, ms))
            return True
        except AssertionError:
            return False

    def test_a_broken_file_at_sighup_changes_nothing(self):
        b = self.broker(limits="max_active_per_owner = 1")
        with open(b.home + "/conf", encoding="ascii") as f:
            good = f.read()
        kept = self.create(b)
        for broken in ("nonsense", good + "\n[limits]\nmax_actve = 3\n", "",
                       good.replace("max_active_per_owner = 1", "max_active_per_owner = lots")):
            self.rewrite(b, broken)
            self.hup(b, "nothing was changed")
            answer = b.ask("POST", "/v1/leases", b.alice, cli_body())
            self.assertEqual(answer.status, 429, answer)
        self.rewrite(b, good.replace("max_active_per_owner = 1", "max_active_per_owner = 2"))
        self.hup(b, "configuration reloaded")
        second = self.create(b)
        for lease_id in (kept, second):
            self.release(b, lease_id)
            self.cleaned(b, lease_id)
        self.nothing_left(b)

    def rewrite(self, b, text):
        with open(b.home + "/conf.new", "w", encoding="ascii") as f:
            f.write(text)
        os.rename(b.home + "/conf.new", b.home + "/conf")

    def hup(self, b, word):
        before = b.log().count(word)
        b.process.send_signal(signal.SIGHUP)
        until(lambda: b.log().count(word) != before, why=lambda: b.log()[-1000:])

    def test_fifty_crashes_in_a_row_cost_few_calls(self):
        """One lease is active, one retained, one cannot be deleted: backoff survives crashes."""
        b = self.broker()
        ids = [self.create(b) for _ in range(3)]
        for lease_id in ids:
            self.active(b, lease_id)
        b.fault("s.delete", "locked")
        self.release(b, ids[1], False)
        self.release(b, ids[2])
        self.until(b, ids[2], "refused", lambda l: l.get("cleanupError"))
        b.kill()
        were = b.sim("GET", "/_sim/calls")["total"]
        for n in range(50):
            b.start()
            # Killed after its first request, which verifies the account.
            self.assertTrue(self.sim_wait(b, "calls=k.get:%d-" % (were.get("k.get", 0) + n + 1),
                                          5000))
            b.kill()
        calls = b.sim("GET", "/_sim/calls")["total"]
        added = {op: n - were.get(op, 0) for op, n in calls.items() if n != were.get(op, 0)}
        print("calls for 50 crashes:", added)
        # One request per start, and a second one if it lived to write its counter; the rest
        # was due in that time anyway.
        self.assertLessEqual(added["all"], 125)
        b.no_faults()
        b.start()
        self.active(b, ids[0])
        for lease_id in ids:
            self.release(b, lease_id)
        for lease_id in ids:
            self.cleaned(b, lease_id)
        self.nothing_left(b)

    def test_a_second_daemon_ends_and_asks_the_provider_nothing(self):
        b = self.broker()
        lease_id = self.create(b)
        self.active(b, lease_id)
        # The first daemon is stopped, so that every request is the second's.
        b.process.send_signal(signal.SIGSTOP)
        try:
            before = self.requests(b)
            second = subprocess.run([b.lessord, "--config", b.home + "/conf"],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    timeout=30, check=False)
            self.assertEqual(second.returncode, EXIT_SECOND, second.stdout)
            self.assertIn(str(b.process.pid).encode(), second.stdout)
            self.assertEqual(self.requests(b), before)
        finally:
            b.process.send_signal(signal.SIGCONT)
        self.release(b, lease_id)
        self.cleaned(b, lease_id)
        self.nothing_left(b)

    def test_a_long_stop_ends_only_what_is_over(self):
        """Stopped for half an hour of the cloud's time; two leases survive that, one does not."""
        b = self.broker()
        lives = self.create(b, idleTimeoutSeconds=600)
        kept = self.create(b)
        ends = self.create(b, ttlSeconds=4)
        for lease_id in (lives, kept):
            self.active(b, lease_id)
        self.release(b, kept, False)
        self.assertEqual(
            self.insist(b, "POST", "/v1/leases/%s/heartbeat" % lives, {}).status, 200)
        b.process.send_signal(signal.SIGSTOP)
        try:
            # Only time passes: 18 s at the simulator's speed of 100.
            for _ in range(3):
                self.assertFalse(self.sim_wait(b, "servers=1000-", 6000))
        finally:
            b.process.send_signal(signal.SIGCONT)
        self.cleaned(b, ends)
        self.assertEqual(
            self.insist(b, "POST", "/v1/leases/%s/heartbeat" % lives, {}).status, 200)
        self.assertEqual(self.active(b, lives)["id"], lives)
        there = {(s.get("labels") or {}).get("lessor-lease") for s in b.servers()}
        self.assertEqual(there, {lives, kept})
        for lease_id in (lives, kept):
            self.release(b, lease_id)
            self.cleaned(b, lease_id)
        self.nothing_left(b)


if __name__ == "__main__":
    unittest.main()
