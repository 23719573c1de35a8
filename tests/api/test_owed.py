#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessord --owed reports what is left at the providers, whether or not the daemon runs."""

import os
import signal
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker, BrokerCase, need, sqlite_only, until  # noqa: E402

NOTHING = "0 leases with resources left at a provider\n"


class Owed(BrokerCase):
    def setUp(self):
        self.said(0, NOTHING)

    def run_lessord(self, *args):
        done = subprocess.run([self.broker.lessord, *args, "--config", self.broker.home + "/conf"],
                              check=False, text=True, timeout=60, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout, done.stderr

    def owed(self, *args):
        return self.run_lessord("--owed", *args)

    def said(self, code, text):
        self.assertEqual(self.owed(), (code, text, ""))

    def left(self, *lines):
        self.said(7, "".join(line + "\n" for line in lines) + "%d lease%s with resources left at a"
                  " provider\n" % (len(lines), "" if len(lines) == 1 else "s"))

    def line(self, lease, state, kept="-"):
        """The cloud's own state, without the broker."""
        there = [thing for kind in ("servers", "ssh_keys")
                 for thing in self.broker.sim("GET", "/_sim/state")[kind]
                 if thing["lease"] == lease["id"]]
        there = {"server" if "server_type" in thing else "key": thing["id"] for thing in there}
        return "%s  %s  alice@example.com  hetzner  %s  key %s, server %s  %s" % (
            lease["id"], lease["slug"], state, there["key"], there["server"], kept)

    def stopped(self):
        """The files that the daemon leaves behind, with their times."""
        self.assertEqual(self.broker.kill(signal.SIGTERM), 0)
        return self.files()

    def files(self):
        return {name: os.stat(self.broker.home + "/" + name).st_mtime_ns
                for name in os.listdir(self.broker.home) if name.startswith("store")}

    def test_a_life(self):
        lease = self.create()
        line = self.line(lease, "active")
        self.left(line)
        before = self.stopped()
        self.left(line)
        self.assertEqual(self.files(), before, "--owed changed a file")
        self.broker.start()
        self.broker.kill()
        self.left(line)
        self.broker.start()
        self.release(lease)
        self.said(0, NOTHING)
        before = self.stopped()
        self.said(0, NOTHING)
        self.assertEqual(self.files(), before)
        self.broker.start()

    def test_retained(self):
        kept, alive = self.create(), self.create()
        self.release(kept, delete=False)
        lines = self.line(alive, "active"), self.line(kept, "released, retained", "retained")
        self.left(*lines)
        self.stopped()
        self.left(*lines)
        self.broker.start()
        self.release(alive)
        self.left(lines[1])
        self.release(kept, delete=True)
        self.said(0, NOTHING)

    def test_a_delete_that_fails(self):
        lease = self.create()
        self.broker.fault("s.delete", "protected")
        self.release(lease)
        line = self.line(lease, "released, attention")
        self.left(line)
        self.broker.no_faults()
        answer = self.ask("POST", "/v1/leases/%s/retry" % lease["id"], self.broker.alice, {})
        self.assertEqual(answer.status // 100, 2, answer)
        until(lambda: self.owed()[0] == 0)
        self.said(0, NOTHING)

    def test_more_than_are_read_at_once(self):
        with ThreadPoolExecutor(20) as pool:
            leases = list(pool.map(lambda _: self.create(), range(105)))
            code, out, err = self.owed()
            self.assertEqual((code, err), (7, ""))
            lines = out.splitlines()
            self.assertEqual(sorted(line.split()[0] for line in lines[:-1]),
                             sorted(lease["id"] for lease in leases))
            self.assertEqual(lines[-1], "105 leases with resources left at a provider")
            list(pool.map(self.release, leases))


class Elsewhere(unittest.TestCase):
    """Without a readable store."""

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()
        cls.broker.kill(signal.SIGTERM)

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    run_lessord = Owed.run_lessord
    owed = Owed.owed

    def edit(self, old, new):
        path = self.broker.home + "/conf"
        with open(path, encoding="ascii") as file:
            text = file.read()
        self.addCleanup(self.write, path, text)
        self.write(path, text.replace(old, new))

    def write(self, path, text):
        with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(text)

    @sqlite_only("a database that does not exist")
    def test_none(self):
        """D3: there is no database, so nothing is known, which is not the same as nothing owed."""
        for place in ("/none", "/no/such/folder"):
            self.edit("/store\n", place + "\n")
            for command in (["--owed"], ["token", "list"], ["token", "revoke", "0123456789abcdef"]):
                code, out, err = self.run_lessord(*command)
                self.assertEqual((code, out), (8, ""), command)
                self.assertIn("no store here: " + self.broker.home + place, err)
                self.assertFalse(os.path.exists(self.broker.home + place))
            self.doCleanups()

    def test_without_the_accounts_token(self):
        os.rename(self.broker.home + "/token", self.broker.home + "/away")
        self.assertEqual(self.owed(), (0, NOTHING, ""))
        os.rename(self.broker.home + "/away", self.broker.home + "/token")

    @sqlite_only("a damaged file")
    def test_refused(self):
        self.write(self.broker.home + "/damaged", "no database")
        self.edit("/store\n", "/damaged\n")
        code, out, err = self.owed()
        self.assertEqual((code, out), (4, ""))
        self.assertIn("damaged", err)
        self.doCleanups()
        self.edit("[limits]", "[nonsense]")
        code, out, err = self.owed()
        self.assertEqual((code, out), (2, ""))
        self.assertIn("nonsense", err)
        self.assertEqual(self.owed("--no-such")[0], 2)


if __name__ == "__main__":
    need("LESSORD")
    unittest.main()
