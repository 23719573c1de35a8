#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""GET /v1/events: what happens to leases, as it happens. None is missed and none comes twice, over
reconnects and killed daemons; nobody sees what is not theirs."""

import contextlib
import http.client
import os
import signal
import sqlite3
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import daemons  # noqa: E402
from harness import Broker, BrokerCase, cli_body, cluster, is_postgresql, until  # noqa: E402
from sse import Ended, Follower, Stream  # noqa: E402


class Case(BrokerCase):
    def follow(self, token=None, **more):
        stream = Stream(self.broker.port, token or self.broker.alice, **more)
        self.addCleanup(stream.close)
        return stream

    def timeline(self, lease):
        """What the lease's own route says."""
        answer = self.ask("GET", "/v1/leases/%s/events?limit=500" % lease["id"], self.broker.admin)
        return answer.json["events"]

    def after_the_end(self, lease):
        """The lease's timeline, once nothing more is added to it."""
        until(lambda: self.ask("GET", "/v1/leases/" + lease["id"], self.broker.admin)
              .lease["cleanup"]["state"] == "done")
        return self.timeline(lease)

    def life(self, token=None):
        lease = self.create(token)
        self.release(lease, token)
        return lease, self.after_the_end(lease)


class Stories(Case):
    def test_one_life(self):
        stream = self.follow()
        self.assertEqual((stream.status, stream.headers["content-type"]),
                         (200, "text/event-stream"))
        self.assertEqual(stream.headers["cache-control"], "no-store")
        self.assertEqual(stream.next(), ("hello", {}))
        self.assertEqual(stream.retry, 2000)
        self.assertTrue(stream.id)
        lease, timeline = self.life()
        got = stream.until(lambda e: e["seq"] == timeline[-1]["seq"])
        self.assertEqual([{k: e[k] for k in ("seq", "at", "type", "message")} for e in got],
                         timeline)
        self.assertEqual({(e["leaseID"], e["slug"], e["provider"]) for e in got},
                         {(lease["id"], lease["slug"], "hetzner")})

    def test_nobody_sees_what_is_not_theirs(self):
        streams = {name: self.follow(token) for name, token in
                   (("alice", self.broker.alice), ("bob", self.broker.bob),
                    ("reader", self.broker.reader), ("admin", self.broker.admin))}
        outside = self.follow(self.broker.token("eve@example.com", "elsewhere", "reader"))
        for stream in (*streams.values(), outside):
            self.assertEqual(stream.next()[0], "hello")
        one, timeline = self.life(self.broker.alice)
        two, last = self.life(self.broker.bob)
        for name, want in (("alice", [one]), ("bob", [two]), ("reader", [one, two]),
                           ("admin", [one, two])):
            end = (timeline if name == "alice" else last)[-1]["seq"]
            got = streams[name].until(lambda e, end=end: e["seq"] == end)
            self.assertEqual({e["leaseID"] for e in got}, {l["id"] for l in want}, name)
        # Of another organisation: the next thing that it hears is its own.
        outside.sock.settimeout(1)
        with self.assertRaises(TimeoutError):
            outside.next()

    def test_the_id_of_what_others_did(self):
        """Who hears nothing for long has an id that is not old, all the same."""
        token = self.broker.token("ann@example.com", "elsewhere", "reader")
        stream = self.follow(token, seconds=30)
        self.assertEqual(stream.next()[0], "hello")
        first = stream.id
        self.life()
        stream.wait_for_id()
        self.assertEqual(stream.comments, 1)
        self.assertNotEqual(stream.id, first)
        self.assertEqual(self.follow(token, after=stream.id).next(), ("hello", {}))

    def test_a_shared_lease_is_heard_of(self):
        lease = self.create()
        stream = self.follow(self.broker.bob)
        self.assertEqual(stream.next()[0], "hello")
        shared = self.ask("PUT", "/v1/leases/%s/share" % lease["id"], self.broker.alice,
                          {"users": {"bob@example.com": "use"}})
        self.assertEqual(shared.status, 200, shared)
        self.release(lease)
        end = self.after_the_end(lease)[-1]["seq"]
        self.assertEqual({e["leaseID"] for e in stream.until(lambda e: e["seq"] == end)},
                         {lease["id"]})

    def test_going_on_after_any_event(self):
        stream = self.follow()
        start = (stream.next(), stream.id)[1]
        _, timeline = self.life()
        end = timeline[-1]["seq"]
        ids = []
        while True:
            _, event = stream.next()
            ids.append((stream.id, event))
            if event["seq"] == end:
                break
        for n, (last, _) in enumerate([(start, None), *ids[:-1]]):
            again = self.follow(after=last)
            self.assertEqual(again.next(), ("hello", {}))
            self.assertEqual(again.id, last)
            self.assertEqual(again.until(lambda e: e["seq"] == end), [e for _, e in ids[n:]])
            again.close()
        # The header counts, as a browser repeats the query of its first request.
        again = self.follow(after=ids[-2][0], query="?after=" + start)
        self.assertEqual([again.next(), again.next()], [("hello", {}), ("lease", ids[-1][1])])

    def test_from_the_beginning(self):
        _, timeline = self.life(self.broker.bob)
        stream = self.follow(self.broker.bob, query="?after=0")
        self.assertEqual(stream.next(), ("hello", {}))
        got = stream.until(lambda e: e["seq"] == timeline[-1]["seq"])
        self.assertEqual([e["seq"] for e in got], sorted({e["seq"] for e in got}))
        self.assertEqual(got[-len(timeline):][0]["type"], timeline[0]["type"])

    def test_what_is_no_id(self):
        for text in ("x", "1", "-1.2.3", "1.2", "0.01.00000000", "9" * 80):
            answer = self.ask("GET", "/v1/events", self.broker.alice,
                              headers={"Last-Event-ID": text})
            self.error(answer, 400, "invalid_event_id")

    def test_an_id_of_another_store(self):
        stream = self.follow(self.broker.admin)
        stream.next()
        self.life()
        self.assertEqual(stream.next()[0], "lease")
        commit, n, digest = stream.id.split(".")
        wrong = ["%s.%s.%08x" % (commit, n, int(digest, 16) ^ 1),       # another event is there
                 "%s.%d.%s" % (commit, int(n) + 1000000, digest),       # none, or not yet
                 "%d.%s.%s" % (int(commit) + (1 << 40), n, digest)]
        for last in wrong:
            again = self.follow(after=last)
            name, data = again.next()
            self.assertEqual(name, "reset", last)
            self.assertIn("Read again", data["message"])
            self.assertNotEqual(again.id, last)
            # From there on it goes on.
            lease, timeline = self.life()
            got = again.until(lambda e, end=timeline[-1]["seq"]: e["seq"] == end)
            self.assertEqual({e["leaseID"] for e in got}, {lease["id"]})

    def test_head_and_old_clients(self):
        head = self.follow(method="HEAD")
        self.assertEqual((head.status, head.headers["content-type"]), (200, "text/event-stream"))
        self.assertEqual(head.file.read(), b"")
        self.error(self.ask("GET", "/v1/events"), 401, "unauthorized")
        self.error(self.ask("POST", "/v1/events", self.broker.alice, {}), 405, "method_not_allowed")

    def test_a_token_that_ends(self):
        token = self.broker.token("carol@example.com", "acme", "user")
        stream = self.follow(token)
        self.assertEqual(stream.next()[0], "hello")
        self.broker.revoke(token)
        name, data = stream.next()
        self.assertEqual(name, "error")
        self.assertIn("revoked", data["message"])
        with self.assertRaises(Ended):
            stream.next()

    def test_only_so_many(self):
        """As many as sockets of /v1/control, with which they share the limit."""
        token = self.broker.token("many@example.com", "acme", "user")
        streams = [self.follow(token) for _ in range(32)]
        self.assertEqual({s.status for s in streams}, {200})
        answer = self.ask("GET", "/v1/events", token)
        self.error(answer, 503, "busy")
        self.assertEqual(answer.headers["retry-after"], "30")
        self.assertEqual(self.follow(self.broker.bob).status, 200)
        for stream in streams:
            stream.close()
        until(lambda: self.ask("HEAD", "/v1/events", token).status == 200)

    def test_a_reader_that_is_slow(self):
        """It gets all, late: what it does not read is not kept for it."""
        slow = self.follow(self.broker.admin, query="?after=0", buffer=2048)
        for _ in range(3):
            _, timeline = self.life()
        end = timeline[-1]["seq"]
        fast = self.follow(self.broker.admin, query="?after=0")
        for stream in (slow, fast):
            self.assertEqual(stream.next()[0], "hello")
        want = fast.until(lambda e: e["seq"] == end)
        self.assertEqual(slow.until(lambda e: e["seq"] == end), want)


class Late(unittest.TestCase):
    """Two daemons on a database, and a transaction that ends after others which began later."""

    @unittest.skipUnless(is_postgresql(), "SQLite has one writer at a time")
    def test_an_event_that_is_committed_late(self):
        url = cluster().database()
        group = daemons.Group(url)
        self.addCleanup(group.close)
        owner = group.owner()
        (other,) = group.others(owner)
        lease = group.create(owner)
        streams = [Stream(member.port, member.alice) for member in (owner, other)]
        for stream in streams:
            self.addCleanup(stream.close)
            self.assertEqual(stream.next()[0], "hello")
        late = cluster().primary.session(url.rsplit("/", 1)[1])
        self.addCleanup(lambda: (late.kill(), late.communicate()))
        late.stdin.write("BEGIN; INSERT INTO event(lease, at_ms, kind, text) SELECT n, 1,"
                         " 'test.late', '' FROM lease WHERE id = '%s'; SELECT 'begun';\n" % lease["id"])
        late.stdin.flush()
        self.assertEqual(late.stdout.readline(), "begun\n")
        # Its event has a lower number than those of the release, which others see before it.
        self.assertEqual(group.release(owner, lease, True, wait=20).status, 200)
        until(lambda: group.lease(other, lease)["cleanup"]["state"] == "done")
        for stream in streams:
            stream.sock.settimeout(1)
            with self.assertRaises(TimeoutError):
                stream.next()
            stream.close()
        late.stdin.write("COMMIT;\n")
        late.stdin.flush()
        # Each goes on at the other daemon, as after a failure of its own.
        for last, member in ((streams[0].id, other), (streams[1].id, owner)):
            stream = Stream(member.port, member.alice, last)
            self.addCleanup(stream.close)
            self.assertEqual(stream.next(), ("hello", {}))
            end = group.events(owner, lease)[-1]["seq"]
            got = stream.until(lambda e, end=end: e["seq"] == end)
            types = [e["type"] for e in got]
            self.assertEqual(types.count("test.late"), 1, types)
            self.assertLess(types.index("test.late"), len(types) - 1)
            self.assertEqual(len({e["seq"] for e in got}), len(got))


class Ends(unittest.TestCase):
    def test_a_daemon_that_stops_ends_them(self):
        broker = Broker()
        self.addCleanup(broker.close)
        stream = Stream(broker.port, broker.alice)
        self.addCleanup(stream.close)
        self.assertEqual(stream.next()[0], "hello")
        begun = time.monotonic()
        self.assertEqual(broker.kill(signal.SIGTERM), 0)
        self.assertLess(time.monotonic() - begun, 10)
        with self.assertRaises(Ended):
            stream.next()

    @unittest.skipIf(is_postgresql(), "a database is restored by its own means")
    def test_a_store_from_a_backup(self):
        """Its events are numbered as the lost ones were, and are others."""
        broker = Broker()
        self.addCleanup(broker.close)
        one = broker.ask("POST", "/v1/leases", broker.alice, cli_body()).lease
        source, copy = sqlite3.connect(broker.home + "/store"), sqlite3.connect(broker.home + "/copy")
        source.backup(copy)
        source.close()
        copy.close()
        stream = Stream(broker.port, broker.alice)
        self.addCleanup(stream.close)
        self.assertEqual(stream.next()[0], "hello")
        self.assertEqual(broker.ask("POST", "/v1/leases/%s/release" % one["id"], broker.alice,
                                    {"delete": True}).status, 200)
        self.assertEqual(stream.next()[0], "lease")
        last = stream.id
        self.assertEqual(broker.kill(signal.SIGTERM), 0)
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(broker.home + "/store" + suffix)
        os.rename(broker.home + "/copy", broker.home + "/store")
        os.chmod(broker.home + "/store", 0o600)
        broker.start()
        # Where that event was there is none, or by now another one.
        again = Stream(broker.port, broker.alice, last)
        self.addCleanup(again.close)
        self.assertEqual(again.next()[0], "reset")

    @unittest.skipIf(is_postgresql(), "written by hand here; the statement is the same")
    def test_what_was_pruned_meanwhile(self):
        """The event of the id is there still, but one after it went with its lease."""
        broker = Broker()
        self.addCleanup(broker.close)
        stream = Stream(broker.port, broker.alice)
        self.addCleanup(stream.close)
        self.assertEqual(stream.next()[0], "hello")
        broker.ask("POST", "/v1/leases", broker.alice, cli_body())
        self.assertEqual(stream.next()[0], "lease")
        last, n = stream.id, int(stream.id.split(".")[1])
        for pruned, name in ((n, "hello"), (n + 1, "reset")):
            store = sqlite3.connect(broker.home + "/store", timeout=20)
            store.execute("INSERT OR REPLACE INTO meta(key, number) VALUES('pruned.x', ?)", (pruned,))
            store.commit()
            store.close()
            again = Stream(broker.port, broker.alice, last)
            self.addCleanup(again.close)
            self.assertEqual(again.next()[0], name)


class Killed(unittest.TestCase):
    """kill -9 again and again, under load, with a client that reconnects."""

    KILLS = 6

    def test_none_is_lost_and_none_comes_twice(self):
        broker = Broker()
        self.addCleanup(broker.close)
        follower = Follower(lambda: [broker.port], broker.admin)
        self.addCleanup(follower.close)
        done = threading.Event()

        def load():
            while not done.is_set():
                try:
                    made = broker.ask("POST", "/v1/leases", broker.alice, cli_body())
                    if made.status in (200, 201, 202) and made.lease:
                        broker.ask("POST", "/v1/leases/%s/release" % made.lease["id"],
                                   broker.alice, {"delete": True})
                except (OSError, ValueError, http.client.HTTPException):
                    pass        # it was killed

        until(lambda: follower.connects)
        loads = [threading.Thread(target=load) for _ in range(3)]
        for one in loads:
            one.start()
        try:
            for _ in range(self.KILLS):
                # Under way, and on a new connection.
                have, connects = len(follower.events), follower.connects
                until(lambda: len(follower.events) > have + 20)
                broker.kill()
                broker.start()
                until(lambda: follower.connects > connects)
        finally:
            done.set()
            for one in loads:
                one.join(60)
        # Of what was cut off, events may still come; all before this one are settled.
        everything = Stream(broker.port, broker.admin, query="?after=0")
        self.addCleanup(everything.close)
        self.assertEqual(everything.next()[0], "hello")
        marker = broker.ask("POST", "/v1/leases", broker.bob, cli_body()).lease
        want = everything.until(lambda e: e["leaseID"] == marker["id"])
        until(lambda: want[-1] in follower.events)
        self.assertEqual(follower.resets, 0)
        self.assertGreater(follower.connects, self.KILLS)
        got = follower.events[:follower.events.index(want[-1]) + 1]
        self.assertEqual(got, want[len(want) - len(got):])
        self.assertEqual(len({e["seq"] for e in want}), len(want))
        print("%d events over %d connections" % (len(got), follower.connects))


if __name__ == "__main__":
    unittest.main()
