# SPDX-License-Identifier: MIT
"""What happens at a limit: the refusal says what counts, and a create may wait in a fair queue."""

import signal
import unittest

from harness import BrokerCase, cli_body, moment, until

ASYNC = {"Prefer": "respond-async"}


class Queue(BrokerCase):
    def wait(self, token, seconds=3600, **changes):
        """Asks for a lease that may wait; returns the lease as first answered."""
        answer = self.ask("POST", "/v1/leases", token,
                          cli_body(waitForCapacity=seconds, **changes), ASYNC)
        self.assertEqual(answer.status, 201, answer)
        return answer.lease

    def get(self, lease, token=None):
        return self.ask("GET", "/v1/leases/" + lease["id"], token or self.broker.admin).lease

    def queue(self, token=None):
        answer = self.ask("GET", "/v1/queue", token or self.broker.admin)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def places(self, token=None):
        return {e["id"]: e["place"] for e in self.queue(token)["queue"]}

    def admitted(self, lease, token=None):
        return until(lambda: "queue" not in self.get(lease, token) and self.get(lease, token))

    def end(self, leases):
        for lease in leases:
            self.ask("POST", "/v1/leases/%s/release" % lease["id"], self.broker.admin,
                     {"delete": True})


class OwnLimit(Queue):
    options = {"limits": "max_active_per_owner = 2"}

    def test_u7_at_the_cap_the_answer_names_what_counts(self):
        leases = [self.create(slug="build", ttlSeconds=720), self.create(slug="two", ttlSeconds=2400)]
        other = self.create(self.broker.bob, slug="others-secret")
        answer = self.ask("POST", "/v1/leases", self.broker.alice, cli_body())
        self.error(answer, 429, "cost_limit_exceeded")
        self.assertLess(len(answer.body), 600)
        self.assertEqual(list(answer.json), ["error", "message", "limit", "leases"])
        self.assertEqual(answer.json["limit"],
                         {"scope": "owner", "of": "leases", "used": 2, "max": 2})
        self.assertEqual([(e["id"], e["slug"]) for e in answer.json["leases"]],
                         [(e["id"], e["slug"]) for e in leases])
        self.assertRegex(answer.json["message"],
                         r"^You have 2 of 2 active leases: build \(ends in 1[12]m\), "
                         r"two \(ends in (30|29)m\)\. Release one, or wait with waitForCapacity\.$")
        self.assertNotIn(b"others-secret", answer.body)
        until_first = moment(answer.json["leases"][0]["expiresAt"]) - moment(leases[0]["createdAt"])
        self.assertLessEqual(until_first, 720)
        self.assertTrue(600 <= int(answer.headers["retry-after"]) <= 720, answer.headers)
        # What is kept counts, too, and has no end.
        self.release(leases[0], delete=False)
        answer = self.ask("POST", "/v1/leases", self.broker.alice, cli_body())
        self.assertIn("two (ends in ", answer.json["message"])
        self.assertIn("build (kept)", answer.json["message"])
        self.end(leases + [other])

    def test_u7_the_body_stays_short(self):
        self.broker.edit("max_active_per_owner = 2", "max_active_per_owner = 7")
        self.broker.kill(signal.SIGTERM)
        self.broker.start()
        try:
            leases = [self.create(slug="x" * 35 + "-%d" % i) for i in range(7)]
            answer = self.ask("POST", "/v1/leases", self.broker.alice, cli_body())
            self.error(answer, 429, "cost_limit_exceeded")
            self.assertLess(len(answer.body), 600)
            self.assertTrue(1 <= len(answer.json["leases"]) <= 5, answer)
            self.assertIn(" and more.", answer.json["message"])
            self.end(leases)
        finally:
            self.broker.edit("max_active_per_owner = 7", "max_active_per_owner = 2")
            self.broker.kill(signal.SIGTERM)
            self.broker.start()

    def test_a_waiter_is_in_the_queue_until_there_is_capacity(self):
        leases = [self.create(), self.create()]
        first, second = self.wait(self.broker.alice), self.wait(self.broker.alice)
        self.assertEqual(first["state"], "provisioning")
        self.assertEqual([first["queue"][k] for k in ("place", "of", "scope")], [1, 1, "owner"])
        self.assertEqual(first["queue"]["since"], first["createdAt"])
        self.assertEqual(moment(first["queue"]["until"]) - moment(first["createdAt"]), 3600)
        self.assertEqual([self.get(second)["queue"][k] for k in ("place", "of")], [2, 2])
        # Nothing is done for it, and it counts for nothing.
        self.assertEqual([s for s in self.broker.servers() if s["lease"] == first["id"]], [])
        self.assertEqual(self.ask("GET", "/v1/capacity", self.broker.alice).json["activeLeases"], 2)
        # Bob has room, and is not in the way.
        self.assertNotIn("queue", self.wait(self.broker.bob))
        self.release(leases[0])
        now = self.admitted(first)
        until(lambda: self.get(first)["state"] == "active")
        self.assertIn("admittedAt", now)
        self.assertEqual(self.get(second)["queue"]["place"], 1)
        said = [e["message"] for e in self.ask("GET", "/v1/leases/%s/events" % first["id"],
                                               self.broker.alice).json["events"]]
        self.assertIn("waiting for capacity", said)
        self.assertTrue([m for m in said if m.startswith("admitted after ")], said)
        # Released while it waits: nothing is left, and nothing is to be cleaned up.
        answer = self.ask("POST", "/v1/leases/%s/release" % second["id"], self.broker.alice,
                          {"delete": False})
        self.assertEqual((answer.status, answer.lease["state"], answer.lease["cleanup"]["state"]),
                         (200, "released", "done"), answer)
        self.end(leases + [first])
        self.end(self.ask("GET", "/v1/leases?state=active", self.broker.bob).json["leases"])

    def test_a_cancelled_waiter_leaves(self):
        leases = [self.create(), self.create()]
        body = cli_body(waitForCapacity=3600)
        self.assertIn("queue", self.ask("POST", "/v1/leases", self.broker.alice, body, ASYNC).lease)
        # The answer was lost: the same place.
        again = self.ask("POST", "/v1/leases", self.broker.alice, body, ASYNC)
        self.assertEqual((again.status, again.lease["queue"]["of"]), (200, 1), again)
        answer = self.ask("POST", "/v1/leases/%s/cancel-create" % body["leaseID"], self.broker.alice,
                          {"createAttemptID": body["createAttemptID"]})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.lease["cleanup"]["state"], "done")
        self.assertEqual(self.queue(), {"queue": [], "accounts": []})
        self.end(leases)

    def test_who_waited_too_long_gets_a_429(self):
        leases = [self.create(), self.create()]
        body = cli_body(waitForCapacity=1)
        answer = self.ask("POST", "/v1/leases", self.broker.alice, body, {"Prefer": "wait=30"})
        self.error(answer, 429, "cost_limit_exceeded")
        self.assertTrue(answer.json["message"].startswith(
            "No capacity became free in 1s. You have 2 of 2 active leases: "), answer)
        self.assertIn("retry-after", answer.headers)
        again = self.ask("POST", "/v1/leases", self.broker.alice, body)
        self.error(again, 429, "cost_limit_exceeded")
        ended = self.get({"id": body["leaseID"]})
        self.assertEqual((ended["state"], ended["endReason"], ended["cleanup"]["state"]),
                         ("failed", "queue_timeout", "done"))
        self.end(leases)

    def test_how_long_it_may_wait_is_checked(self):
        for value in (-1, 86401, "60", None):
            answer = self.ask("POST", "/v1/leases", self.broker.alice, cli_body(waitForCapacity=value))
            self.error(answer, 400, "invalid_field")
            self.assertIn("waitForCapacity must be", answer.json["message"])


class SharedLimit(Queue):
    options = {"limits": "max_active_per_account = 1\nmax_queued = 3\nmax_queued_per_owner = 2"}

    def test_others_are_not_named(self):
        holder = self.create(self.broker.bob, slug="bobs-box", ttlSeconds=1000)
        answer = self.ask("POST", "/v1/leases", self.broker.alice, cli_body())
        self.error(answer, 429, "cost_limit_exceeded")
        self.assertEqual(answer.json["limit"],
                         {"scope": "account", "of": "leases", "used": 1, "max": 1})
        self.assertEqual(answer.json["leases"], [])
        self.assertEqual(answer.json["message"],
                         "The account hetzner has 1 of 1 active leases; none is yours. "
                         "Try again later, or wait with waitForCapacity.")
        self.assertTrue(900 <= int(answer.headers["retry-after"]) <= 1000, answer.headers)
        # In turn, although alice was first twice; each sees only what is theirs.
        one, two, bobs = (self.wait(t) for t in (self.broker.alice, self.broker.alice,
                                                 self.broker.bob))
        self.assertEqual(self.places(), {one["id"]: 1, bobs["id"]: 2, two["id"]: 3})
        self.assertEqual(self.places(self.broker.alice), {one["id"]: 1, two["id"]: 3})
        self.assertEqual(self.places(self.broker.bob), {bobs["id"]: 2})
        self.assertEqual(len(self.places(self.broker.reader)), 3)
        self.assertEqual(self.queue(self.broker.bob)["accounts"],
                         [{"provider": "hetzner", "waiting": 3}])
        # A create that does not wait does not overtake; no more may wait.
        self.error(self.ask("POST", "/v1/leases", self.broker.bob, cli_body()), 429,
                   "cost_limit_exceeded")
        for token in (self.broker.alice, self.broker.bob):
            answer = self.ask("POST", "/v1/leases", token, cli_body(waitForCapacity=60), ASYNC)
            self.error(answer, 429, "queue_full")
            self.assertIn("The queue is full, too; try again later.", answer.json["message"])
        self.release(holder, self.broker.bob)
        self.admitted(one)
        self.assertEqual(self.places(), {bobs["id"]: 1, two["id"]: 2})
        # More capacity by a reload: all are admitted.
        self.broker.edit("max_active_per_account = 1", "max_active_per_account = 9")
        self.broker.process.send_signal(signal.SIGHUP)
        for lease in (bobs, two):
            self.admitted(lease)
        self.assertEqual(self.queue()["queue"], [])
        self.end([one, two, bobs])


class LongQueue(Queue):
    options = {"limits": "max_active = 1\nmax_queued = 400\nmax_queued_per_owner = 100",
               "log_level": "warning"}

    def test_200_waiters_keep_their_places_over_kill_9(self):
        owners = [self.broker.token("owner%d@example.com" % i, "acme", "user") for i in range(4)]
        holder = self.create()
        # Of different lengths: 80, 60, 40, 20. The first ones queue before the last come.
        counts = [80, 60, 40, 20]
        asked = {i: [] for i in range(4)}
        order = [i for i in range(4) for _ in range(counts[i])]
        connection = self.broker.connect()
        for number, i in enumerate(order):
            if number == 100:
                connection.close()
                self.broker.kill()
                self.broker.start()
                connection = self.broker.connect()
            answer = self.ask("POST", "/v1/leases", owners[i], cli_body(waitForCapacity=86400), ASYNC,
                              connection)
            self.assertEqual(answer.status, 201, answer)
            self.assertEqual(answer.lease["queue"]["of"], number + 1)
            asked[i].append(answer.lease["id"])
        want = [asked[i][turn] for turn in range(80) for i in range(4) if turn < counts[i]]
        def seen():
            return [e["id"] for e in sorted(self.queue()["queue"], key=lambda e: e["place"])]
        connection.close()
        self.assertEqual(seen(), want)
        held = holder["id"]
        for _ in range(3):
            self.broker.kill()
            self.broker.start()
            self.assertEqual(seen(), want)
            # Each time two are admitted, in turn.
            for _ in range(2):
                self.end([{"id": held}])
                held = want.pop(0)
                self.admitted({"id": held})
                self.assertEqual(seen(), want)
            # Killed in mid-create, it would first have to find out what was made.
            until(lambda: self.get({"id": held})["state"] == "active")
        for lease in want:
            self.assertEqual(self.get({"id": lease})["state"], "provisioning")
        self.assertEqual(len(want), 194)


if __name__ == "__main__":
    unittest.main()
