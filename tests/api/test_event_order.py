#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""GET /v1/events of two daemons on one database, of which one is killed again and again, under load
and with transactions of others that commit late: both say the same, in one order, once, all of it."""

import http.client
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemons import Group  # noqa: E402
from harness import PATIENCE, cli_body, cluster, until  # noqa: E402
from sse import Follower  # noqa: E402

LATE = ("INSERT INTO event(lease, at_ms, kind, text) SELECT n, created_ms, 'test.late', ''"
        " FROM lease WHERE id = '%s' RETURNING n;\n")


class Held:
    """
    A transaction that has written an event, and is not committed. Before its end it writes another,
    which then has a higher number than those of transactions that began later.
    """

    def __init__(self, database, lease):
        self.lease, self.numbers = lease, []
        self.psql = cluster().primary.session(database)
        self.psql.stdin.write("BEGIN;\n")
        self.write()

    def write(self):
        self.psql.stdin.write(LATE % self.lease)
        self.psql.stdin.flush()
        self.numbers.append(int(self.psql.stdout.readline()))

    def end(self, how):
        self.write()
        self.psql.communicate(how + ";\n", 30)
        if self.psql.returncode:
            raise AssertionError("psql: exit %d" % self.psql.returncode)


class Order(unittest.TestCase):
    KILLS = 4

    def setUp(self):
        self.url = cluster().database()
        self.database = self.url.rsplit("/", 1)[1]
        self.group = Group(self.url)
        self.addCleanup(self.group.close)
        self.group.owner()
        self.made, self.over = [], threading.Event()

    def stored(self):
        """(n, lease, type) of all events, in the order of their transactions."""
        rows = cluster().primary.sql(
            "SELECT e.n, l.id, e.kind FROM event e JOIN lease l ON l.n = e.lease"
            " ORDER BY e.commit_xid, e.n", self.database)
        return [(int(n), lease, kind) for n, lease, kind in
                (row.split("|") for row in rows.split("\n"))]

    def load(self, member):
        while not self.over.is_set():
            try:
                answer = member.ask("POST", "/v1/leases", member.alice, cli_body())
                if answer.status == 201:
                    self.made.append(answer.lease["id"])
                    member.ask("POST", "/v1/leases/%s/release" % answer.lease["id"], member.alice,
                               {"delete": True})
            except (OSError, ValueError, http.client.HTTPException):
                self.over.wait(0.05)        # it was killed

    def release_all(self):
        """What was cut off between create and release, too."""
        member = self.group.first
        for lease in member.ask("GET", "/v1/leases?limit=500", member.alice).json["leases"]:
            member.ask("POST", "/v1/leases/%s/release" % lease["id"], member.alice, {"delete": True})
        # After a delete whose answer was lost with its daemon, absence is seen twice in a minute.
        until(lambda: all(lease["cleanup"]["state"] == "done" for lease in member.ask(
            "GET", "/v1/leases?limit=500", member.alice).json["leases"]), 3 * PATIENCE,
              why=self.group.said)

    def kill_and_hold(self, killed, lease):
        """The numbers of the events that were committed late."""
        late = []
        for _ in range(self.KILLS):
            held = Held(self.database, lease)
            lost = Held(self.database, lease)
            want = len(self.made) + 4
            until(lambda want=want: len(self.made) >= want, why=self.group.said)
            killed.kill()
            killed.start()
            lost.end("ROLLBACK")
            held.end("COMMIT")
            late += held.numbers
        return late

    def test_all_once_in_one_order(self):
        first, killed = self.group.members
        lease = self.group.create(first)["id"]
        followers = [Follower(lambda member=member: [member.port], member.alice)
                     for member in (first, killed)]
        # One goes to the other daemon when it is cut off.
        followers.append(Follower(lambda: [first.port, killed.port], first.alice))
        for follower in followers:
            self.addCleanup(follower.close)
            until(lambda follower=follower: follower.connects)
        loads = [threading.Thread(target=self.load, args=(member,)) for member in (first, killed)]
        for one in loads:
            one.start()
        try:
            late = self.kill_and_hold(killed, lease)
        finally:
            self.over.set()
            for one in loads:
                one.join(60)
        self.release_all()
        stored = self.stored()
        numbers = [n for n, _, _ in stored]
        self.assertFalse(numbers == sorted(numbers), "nothing was committed late")
        for follower in followers:
            until(lambda follower=follower: len(follower.events) and
                  follower.events[-1]["seq"] == numbers[-1])
            got = [(e["seq"], e["leaseID"], e["type"]) for e in follower.events]
            self.assertEqual(follower.resets, 0)
            self.assertEqual(got, stored[-len(got):])
            self.assertLessEqual(set(late), {n for n, _, _ in got})
        self.assertGreater(followers[1].connects, self.KILLS)
        self.assertGreater(followers[2].connects, 1)
        print("%d events, %d late, %s connections" % (
            len(stored), len(late), [follower.connects for follower in followers]))


if __name__ == "__main__":
    unittest.main()
