# SPDX-License-Identifier: MIT
"""A limit that is reached, and the queue for capacity: what the CLI says and sends."""
import datetime
import signal

from cli_case import NOT_FOUND, Case, error, gone, lease, main, ok
from cli_server import Answer


def soon(seconds):
    """A time that is a little more than so many seconds away."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds + 30)
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def limit(scope="owner", used=2, most=2, leases=(), code="cost_limit_exceeded", retry="720", **more):
    answer = error(429, code, "Words of the server.",
                   limit=dict({"scope": scope, "of": "leases", "used": used, "max": most}, **more),
                   leases=list(leases))
    answer.headers = [("Retry-After", retry)]
    return answer


class Waiting:
    """In the queue for some polls, in falling places; then ready, unless it is cancelled."""

    def __init__(self, places, idle=1800):
        self.places, self.idle = list(places), idle
        self.id = self.canceled = None

    def queued(self, place):
        return lease("provisioning", id=self.id, idleTimeoutSeconds=self.idle, queue={
            "place": place, "of": 7, "since": soon(0), "until": soon(3600), "scope": "owner"})

    def __call__(self, request):
        if request.path == "/v1/leases":
            self.id = request.body["leaseID"]
            return ok(self.queued(self.places[0]), 201)
        if request.path.endswith("/cancel-create"):
            self.canceled = gone("released", id=self.id)
            return Answer(200, {"lease": self.canceled, "canceledCreate": {
                "version": 1, "requestedLeaseID": self.id, "state": "canceled",
                "createAttemptID": request.body["createAttemptID"]}})
        if request.path.endswith("/events"):
            return NOT_FOUND
        if request.path.endswith("/heartbeat"):
            return ok(self.queued(self.places[0]))
        if len(self.places) > 1:
            self.places.pop(0)
        if self.places[0] is None:
            return ok(lease(id=self.id))
        return ok(self.queued(self.places[0]))


class Limit(Case):
    def refused(self, answer, *words):
        server = self.serve(lambda r: answer)
        r = self.run_cli("create", *words, code=4)
        self.assertEqual(len(server.requests), 1)
        self.assertEqual(r.out, "")
        return r.err

    def test_text_3_u7_the_cap_says_what_counts_and_what_to_do(self):
        leases = [{"id": "cbx_000000000001", "slug": "build", "expiresAt": soon(720)},
                  {"id": "cbx_000000000002", "slug": "two"}]
        self.assertEqual(self.refused(limit(leases=leases)),
                         "lessor: create: you have 2 of 2: build (ends in 12m), two; release one, "
                         "or: lessor create --wait-for-capacity\n")

    def test_u7_the_limit_of_others(self):
        self.assertEqual(self.refused(limit("account", 5, 5)),
                         "lessor: create: the account has 5 of 5, none of them yours; try again in "
                         "12m, or: lessor create --wait-for-capacity\n")
        mine = [{"id": "cbx_000000000001", "slug": "build", "expiresAt": soon(7200)}]
        self.assertEqual(self.refused(limit("total", 4, 5, mine, waiting=3)),
                         "lessor: create: this server has 4 of 5, and 3 waiting before this one; "
                         "yours: build (ends in 2h); release one, or: lessor create "
                         "--wait-for-capacity\n")

    def test_u7_the_limit_on_money(self):
        self.assertEqual(self.refused(limit("org", 1.2, 1.25, of="hourlyPrice", more=0.08)),
                         "lessor: create: your organisation has leases of 1.20 of 1.25 an hour, and "
                         "this one costs 0.08, none of them yours; try again in 12m, or: lessor "
                         "create --wait-for-capacity\n")
        self.assertIn("; this one alone exceeds the limit: choose a smaller class",
                      self.refused(limit(used=0, most=1, of="hourlyPrice", more=2)))

    def test_u7_who_waits_already(self):
        self.assertIn(": the queue is full, too",
                      self.refused(limit(code="queue_full"), "--wait-for-capacity"))
        self.assertIn(", or wait longer\n", self.refused(limit(), "--wait-for-capacity=2s"))

    def test_another_429_is_shown_as_it_is(self):
        server = self.serve(lambda r: error(429, "too_many_refusals", "slow down"))
        r = self.run_cli("create", code=4)
        self.assertIn("slow down (too_many_refusals, HTTP 429)", r.err)
        self.assertEqual(len(server.requests), 1)


class Queue(Case):
    def test_the_place_is_shown_when_it_changes(self):
        server = self.serve(Waiting([3, 3, 2, 2, 1, None]))
        r = self.run_cli("create", "--wait-for-capacity=2h", code=0)
        self.assertEqual([line for line in r.err.splitlines() if "place" in line],
                         ["waiting for capacity: place %d of 7" % n for n in (3, 2, 1)])
        self.assertEqual(server.requests[0].body["waitForCapacity"], 7200)
        self.assertIn("ready: 203.0.113.7", r.out)

    def test_a_day_is_the_most(self):
        server = self.serve(Waiting([1, None]))
        self.run_cli("create", "--wait-for-capacity", code=0)
        self.assertEqual(server.requests[0].body["waitForCapacity"], 86400)

    def test_on_a_terminal_the_line_is_overwritten(self):
        self.serve(Waiting([3, 2, None]))
        code, text = self.run_tty("create", "--wait-for-capacity")
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"\r\x1b\[K\ds waiting for capacity: place 2 of 7")

    def test_it_sends_heartbeats_and_its_wait_does_not_count(self):
        """--wait is for the machine: it begins after the queue."""
        server = self.serve(Waiting([1] * 6 + [None], idle=3))
        self.run_cli("create", "--wait-for-capacity", "--wait=1s", code=0)
        self.assertTrue(server.seen("POST", "/heartbeat"))

    def test_ctrl_c_leaves_the_queue(self):
        script = Waiting([4])
        server = self.serve(script)
        r = self.interrupt_when(server, "GET", script.id or "", ("create", "--wait-for-capacity"),
                                signal.SIGINT)
        self.assertEqual(r.code, 130, r.err)
        self.assertIn("cancelled: nothing is left", r.err)
        self.assertIsNotNone(script.canceled)

    def test_no_wait_says_where_it_stands(self):
        self.serve(Waiting([4]))
        r = self.run_cli("create", "--wait-for-capacity", "--no-wait", code=0)
        self.assertRegex(r.out, r"^waiting for capacity, place 4 of 7: cbx_")

    def test_the_list(self):
        entries = [{"id": "cbx_00000000000%d" % n, "slug": "box-%d" % n, "provider": "hetzner",
                    "owner": owner, "org": "acme", "place": n, "of": 3, "since": soon(-350),
                    "until": soon(600), "scope": "account"}
                   for n, owner in ((1, "alice"), (2, "bob"))]
        doc = {"queue": entries[:1], "accounts": [{"provider": "hetzner", "waiting": 3}]}
        self.serve(lambda r: Answer(200, doc))
        r = self.run_cli("queue", code=0)
        self.assertEqual([line.split() for line in r.out.splitlines()],
                         [["PLACE", "LEASE", "SLUG", "SINCE", "LIMIT"],
                          ["1", "of", "3", "cbx_000000000001", "box-1", "5m", "ago", "account"]])
        self.assertLessEqual(max(map(len, r.out.splitlines())), 60)
        self.assertEqual(self.run_cli("queue", "--json", code=0).json(), doc)
        doc["queue"] = entries
        self.assertIn("OWNER", self.run_cli("queue", code=0).out)
        doc["queue"] = []
        r = self.run_cli("queue", code=0)
        self.assertEqual((r.out, r.err), ("", "nothing of yours waits for capacity\n"
                                              "hetzner: 3 waiting in all\n"))


if __name__ == "__main__":
    main()
