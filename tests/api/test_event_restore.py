#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""GET /v1/events of a database that was restored to another server, whose transactions have lower
numbers: clients go on where they were; nothing is missing, nothing comes twice."""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import postgres  # noqa: E402
from harness import PATIENCE, Broker, cli_body, cluster, until  # noqa: E402
from sse import Ended, Stream  # noqa: E402

# Transactions of the first server that the second does not have.
AHEAD = "DO $$ BEGIN FOR i IN 1..%d LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


class Restored(Broker):
    def __init__(self, url):
        self.url = url
        super().__init__(server="probe = 300ms")

    def store(self):
        return {"file": "", "store": "[store]\nurl = %s\nstate_dir = %s\n" % (self.url, self.home)}


class Restore(unittest.TestCase):
    def setUp(self):
        cluster().primary.sql(AHEAD % 5000)
        self.broker = Restored(cluster().database())
        self.addCleanup(self.broker.close)

    def life(self):
        """The lease's id and its timeline."""
        lease = self.broker.ask("POST", "/v1/leases", self.broker.alice, cli_body()).lease
        path = "/v1/leases/" + lease["id"]
        self.assertEqual(self.broker.ask("POST", path + "/release", self.broker.alice,
                                         {"delete": True}).status, 200)
        until(lambda: self.broker.ask("GET", path, self.broker.alice).lease["cleanup"]["state"] ==
              "done", why=self.broker.log)
        timeline = self.broker.ask("GET", path + "/events?limit=500", self.broker.alice)
        return lease["id"], timeline.json["events"]

    def write(self, server, lease):
        """New events, as an engine writes them; after a restore it compares first, for a while."""
        sql = ("INSERT INTO event(lease, at_ms, kind, text) SELECT n, 1, 'test.new', '' FROM lease"
               " WHERE id = '%s' RETURNING n" % lease)
        database = self.broker.url.rsplit("/", 1)[1]
        return [int(server.primary.sql(sql, database)) for _ in range(3)]

    def follow(self, after=None, query="", begins="hello"):
        stream = Stream(self.broker.port, self.broker.alice, after, query)
        self.addCleanup(stream.close)
        self.assertEqual(stream.next()[0], begins)
        return stream

    def heard(self, stream, end):
        """(id, event) up to the event numbered `end`."""
        heard = []
        while not heard or heard[-1][1]["seq"] != end:
            name, event = stream.next()
            self.assertEqual(name, "lease", event)
            heard.append((stream.id, event))
        return heard

    def dump(self, source):
        return source.run("pg_dump", "-h", source.home, "-p", str(source.primary.port), "-U",
                          "postgres", self.broker.url.rsplit("/", 1)[1])

    def restore(self, dump, to):
        """A new database; its URL."""
        url = to.database()
        session = to.primary.session(url.rsplit("/", 1)[1])
        session.communicate(dump, 60)
        self.assertEqual(session.returncode, 0)
        return url

    def move(self, source, to):
        """The daemon's database to another server, while it is stopped."""
        old = self.broker.url
        self.assertEqual(self.broker.kill(signal.SIGTERM), 0)
        self.broker.url = self.restore(self.dump(source), to)
        self.broker.edit(old, self.broker.url)
        self.broker.start()

    def ends(self, stream):
        late = time.monotonic() + PATIENCE
        with self.assertRaises(Ended):
            while time.monotonic() < late:
                stream.text()

    def test_clients_go_on(self):
        stream = self.follow()
        begin = stream.id
        lease, timeline = self.life()
        known = self.heard(stream, timeline[-1]["seq"])
        ids = [begin] + [at for at, _ in known]
        source = cluster()
        # To another server, and a copy of the copy to a third.
        for _ in range(2):
            server = postgres.Cluster()
            self.addCleanup(server.close)
            self.move(source, server)
            source = server
            # From the newest one on, only what is new; from any other one, what came after it.
            follower = self.follow(ids[-1])
            beginner = self.follow()
            end = self.write(server, lease)[-1]
            new = self.heard(follower, end)
            self.assertEqual([event["type"] for _, event in new], ["test.new"] * 3)
            self.assertEqual(self.heard(beginner, end), new)
            known += new
            for n in (0, 1, len(ids) // 2, len(ids) - 2):
                self.assertEqual(self.heard(self.follow(ids[n]), end), known[n:])
            self.assertEqual(self.heard(self.follow(query="?after=0"), end)[-len(known):], known)
            ids = [begin] + [at for at, _ in known]
        # And once more after a start that has nothing to mend.
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.heard(self.follow(begin), end), known)

    def test_a_server_that_was_away(self):
        """It could be another one: streams end, and go on after their ids are compared."""
        server = postgres.Cluster()
        self.addCleanup(server.close)
        lease, _ = self.life()
        self.move(cluster(), server)
        stream = self.follow()
        known = self.heard(stream, self.write(server, lease)[-1])
        server.primary.kill()
        server.primary.start()
        self.ends(stream)
        end = self.write(server, lease)[-1]
        again = self.follow(known[-1][0])
        self.assertEqual([e["type"] for _, e in self.heard(again, end)], ["test.new"] * 3)

    def test_an_older_copy_under_a_running_daemon(self):
        lease, _ = self.life()
        old = self.restore(self.dump(cluster()), cluster()).rsplit("/", 1)[1]
        stream = self.follow()
        known = self.heard(stream, self.write(cluster(), lease)[-1])
        name, sql = self.broker.url.rsplit("/", 1)[1], cluster().primary.sql
        sql("ALTER DATABASE %s ALLOW_CONNECTIONS false" % name)
        sessions = "FROM pg_stat_activity WHERE datname = '%s'" % name
        sql("SELECT pg_terminate_backend(pid) " + sessions)
        until(lambda: sql("SELECT count(*) " + sessions) == "0")
        sql("ALTER DATABASE %s RENAME TO lost" % name)
        sql("ALTER DATABASE %s RENAME TO %s" % (old, name))
        self.ends(stream)
        again = self.follow(known[-1][0], begins="reset")
        end = self.write(cluster(), lease)[-1]
        self.assertEqual(len(self.heard(again, end)), 3)


if __name__ == "__main__":
    unittest.main()
