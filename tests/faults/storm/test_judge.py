#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The judge finds what a storm must not show, in histories made for it, and finds nothing in one
that is right."""

import copy
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from judge import Judge  # noqa: E402

FOREIGN = {("server", 1), ("primary_ip", 2), ("ssh_key", 3)}


class History:
    """Requests and events in the order in which they are added; each takes two moments."""

    def __init__(self):
        self.now = 0
        self.requests = []
        self.events = []
        self.era = 0

    def ask(self, kind, lease="a", status=200, phase="live", owner="alice", **more):
        self.now += 10
        self.requests.append(dict({
            "lease": lease, "owner": owner, "era": self.era, "client": 1, "kind": kind,
            "call": self.now, "return": self.now + 5, "status": status, "phase": phase, "epoch": 1,
            "touched": 0, "retention": "recorded" if phase == "kept" else "", "server": 0,
            "mark": len(self.events)}, **more))
        return self.requests[-1]

    def event(self, what, lease="a", kind="server", number=10, who="t1"):
        self.events.append({"seq": len(self.events) + 1, "what": what, "kind": kind, "id": number,
                            "name": "lessor-x", "lease": lease, "who": who})

    def create(self, lease="a", number=10, owner="alice"):
        self.event("created", lease, "ssh_key", number + 1)
        self.event("created", lease, number=number)
        self.ask("create", lease, 201, owner=owner, server=number)

    def delete(self, lease="a", number=10, owner="alice"):
        self.ask("delete", lease, phase="deleted", owner=owner)
        self.gone(lease, number)

    def gone(self, lease="a", number=10):
        self.event("delete_requested", lease, number=number)
        self.event("deleted", lease, number=number, who="cloud")
        self.event("deleted", lease, "ssh_key", number + 1)


def state(*more):
    things = {"servers": [(1, "theirs", "")], "primary_ips": [(2, "theirs", "")],
              "ssh_keys": [(3, "theirs", ""), (4, "lessor-account-mark-x", "account")]}
    for plural, thing in more:
        things[plural] = [t for t in things[plural] if t[0] != thing[0]] + [thing]
    return {plural: [{"id": t[0], "name": t[1], "lease": t[2], "project": 0} for t in all_ if t[1]]
            for plural, all_ in things.items()}


class Finds(unittest.TestCase):
    def setUp(self):
        self.history = History()
        self.caps = {"alice": 2, "": 3}
        self.restores = []

    def judge(self, end=None):
        h = self.history
        return Judge(copy.deepcopy(h.requests), h.events, FOREIGN, self.caps,
                     self.restores).all(end or state())

    def right(self, end=None):
        self.assertEqual(self.judge(end), [])

    def wrong(self, word, end=None, count=1):
        found = self.judge(end)
        self.assertEqual(len(found), count, found)
        for text in found:
            self.assertTrue(text.startswith(word + ":"), found)

    # -- right

    def test_lives(self):
        h = self.history
        h.create()
        h.ask("beat")
        h.delete()
        h.create("b", 20)
        h.ask("keep", "b", phase="kept")
        h.ask("read", "b", phase="kept", retention="protected")
        h.delete("b", 20)
        h.create("c", 30)
        h.ask("delete", "c", phase="deleted")
        h.ask("keep", "c", 409, "")
        h.gone("c", 30)
        self.right()

    def test_a_race_may_end_either_way(self):
        h = self.history
        h.create()
        d = h.ask("delete", phase="deleted")
        k = h.ask("keep", phase="kept")
        d["return"] = k["return"] + 1
        h.gone()
        self.right()

    def test_a_delete_without_an_answer_may_come_late(self):
        h = self.history
        h.create()
        h.ask("delete", status=0, phase="", **{"return": 0})
        h.ask("keep", phase="kept")
        h.gone()
        self.right()

    def test_a_person_may_delete(self):
        self.history.event("deleted", "", "server", 1, "human")
        self.right(state(("servers", (1, "", ""))))

    # -- P1

    def test_left_behind(self):
        for plural, kind in (("servers", "server"), ("ssh_keys", "key"), ("primary_ips", "ip")):
            with self.subTest(kind=kind):
                self.wrong("P1", state((plural, (50, "lessor-x", "a"))))

    def test_two_sentinels(self):
        self.wrong("P1", state(("ssh_keys", (5, "lessor-account-mark-y", "account"))))

    def test_what_a_restore_forgot(self):
        h = self.history
        for number in (50, 60):
            h.event("created", number=number)
            self.restores = [(0, 1)]
            end = state(("servers", (number, "lessor-x", "a")))
            if number == 50:
                self.right(end)
            else:
                found = self.judge(end)
                self.assertTrue(any(text.startswith("P1:") for text in found), found)

    # -- P2

    def test_kept_is_deleted(self):
        h = self.history
        h.create()
        h.ask("keep", phase="kept")
        h.gone()
        self.wrong("P2", count=2)

    def test_kept_is_deleted_before_the_later_delete(self):
        h = self.history
        h.create()
        h.ask("keep", phase="kept")
        h.event("delete_requested")
        h.ask("delete", phase="deleted")
        self.wrong("P2")

    def test_a_delete_that_was_acknowledged_before_does_not_count(self):
        h = self.history
        h.create()
        h.ask("delete", phase="deleted")
        h.ask("keep", phase="kept")
        h.event("delete_requested")
        self.wrong("P2")

    def test_a_delete_that_was_refused_does_not_count(self):
        h = self.history
        h.create()
        h.ask("keep", phase="kept")
        h.ask("delete", status=409, phase="")
        h.event("delete_requested")
        self.wrong("P2")

    def test_kept_said_of_what_is_gone(self):
        h = self.history
        h.create()
        h.delete()
        h.ask("keep", phase="kept")
        self.wrong("P2", count=2)

    def test_a_key_of_what_is_kept(self):
        h = self.history
        h.create()
        h.ask("keep", phase="kept")
        h.event("deleted", kind="ssh_key", number=11)
        self.wrong("P2")

    def test_what_a_restore_may_forget(self):
        for retention, forgotten in (("recorded", True), ("protected", False)):
            with self.subTest(retention=retention):
                h = self.history = History()
                h.create()
                h.ask("keep", phase="kept", retention=retention)
                self.restores = [(0, len(h.events))]
                h.era = 1
                h.event("delete_requested")
                if forgotten:
                    self.right()
                else:
                    self.wrong("P2")
                # In the new era it counts again.
                h.ask("keep", phase="kept")
                h.event("delete_requested")
                self.assertTrue(self.judge())

    # -- P3

    def test_a_foreign_thing(self):
        for what in ("delete_requested", "deleted", "relabelled", "protected"):
            with self.subTest(what=what):
                self.history = History()
                self.history.event(what, "", "server", 1)
                self.wrong("P3")

    def test_a_foreign_thing_is_gone(self):
        self.wrong("P3", state(("ssh_keys", (3, "", ""))))

    # -- the rest

    def test_caps(self):
        h = self.history
        for n in range(3):
            h.create("abc"[n], 10 * n + 10)
        self.wrong("caps")
        h.create("d", 40, "bob")
        self.wrong("caps", count=2)
        self.caps = {"alice": 3, "bob": 1, "": 4}
        self.right()

    def test_caps_count_until_it_is_gone(self):
        h = self.history
        for n in range(2):
            h.create("abc"[n], 10 * n + 10)
        h.ask("delete", phase="deleted")
        h.event("delete_requested")
        h.create("c", 30)
        self.wrong("caps")

    def test_a_second_server(self):
        h = self.history
        h.create()
        h.event("created", number=60)
        self.wrong("doubled")

    def test_one_after_the_other(self):
        h = self.history
        h.create()
        h.event("deleted", who="cloud")
        h.event("created", number=60)
        self.right()

    def test_an_end_by_time(self):
        h = self.history
        h.create()
        h.ask("read", phase="over", state="expired")
        h.gone()
        self.wrong("expired")

    def test_an_end_by_time_that_was_due(self):
        h = self.history
        h.create()
        h.now += 3600 * 1000000
        h.ask("read", phase="over", state="expired")
        h.gone()
        self.right()

    def test_an_invented_machine(self):
        h = self.history
        h.create()
        h.ask("read", server=11)
        self.wrong("invented")
        h = self.history = History()
        h.create()
        h.create("b", 20)
        h.ask("read", server=20)
        self.wrong("invented")


if __name__ == "__main__":
    unittest.main()
