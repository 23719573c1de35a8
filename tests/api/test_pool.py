#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A cloud and a pool of hosts in one lessord: both work, neither waits for the other, and the
pool loses nothing that it must keep."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import PATIENCE, BrokerCase, cli_body, need, until  # noqa: E402

ACCOUNT = """
[account pool]
provider = static
locations = rack1
inventory = {home}/pool.json
state = {home}/state
poll = 20ms
probe_timeout = 2s
reset_timeout = 30s
"""


def within(seconds, what):
    """Runs `what` in a thread and returns its result; an error if it took too long."""
    found = []
    thread = threading.Thread(target=lambda: found.append(what()), daemon=True)
    began = time.monotonic()
    thread.start()
    thread.join(PATIENCE)
    took = time.monotonic() - began
    if not found or took > seconds:
        raise AssertionError("it took %.1f s%s" % (took, "" if found else ", and did not finish"))
    return found[0]


class PoolCase(BrokerCase):
    """Two hosts, a1 and a2, whose state comes from the scripts in the folder."""

    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="lessor-pool-")
        os.mkdir(cls.home + "/state", 0o700)
        cls.inventory("a1", "a2")
        for name in ("probe", "prepare", "reset"):
            cls.script(name, "exit 0")
        cls.options = {"accounts": ACCOUNT.format(home=cls.home)}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            shutil.rmtree(cls.home)

    def setUp(self):
        # What one test leaves must not affect the next one.
        self.addCleanup(self.tidy)

    def tidy(self):
        for name in ("probe", "prepare", "reset"):
            self.script(name, "exit 0")
        for lease in json.loads(self.cli("list", "--json"))["leases"]:
            if lease["cleanup"]["state"] == "attention":
                self.cli("resolve", lease["id"], "retry")
            self.gone(lease)

    @classmethod
    def write(cls, name, text):
        with open(cls.home + "/" + name + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(cls.home + "/" + name + ".new", cls.home + "/" + name)

    @classmethod
    def script(cls, name, text):
        cls.write(name, "cd %s || exit 9\n%s\n" % (cls.home, text))

    @classmethod
    def inventory(cls, *names, **more):
        hosts = [dict({"name": name, "address": "192.0.2." + name[1:]}, **more) for name in names]
        cls.write("pool.json", json.dumps({
            "defaults": {"types": ["box"], "location": "rack1",
                         "probe": ["/bin/sh", cls.home + "/probe"],
                         "prepare": ["/bin/sh", cls.home + "/prepare"],
                         "reset": ["/bin/sh", cls.home + "/reset"]}, "hosts": hosts}))

    def fifo(self, name):
        os.mkfifo(self.home + "/" + name)
        self.addCleanup(os.unlink, self.home + "/" + name)

    def hear(self, name):
        """Waits for a script that writes to this fifo."""
        def read():
            with open(self.home + "/" + name, encoding="ascii") as file:
                return file.read()
        return within(PATIENCE, read)

    def let_go(self, name):
        """Waits for a script that reads from this fifo."""
        def write():
            with open(self.home + "/" + name, "w", encoding="ascii") as file:
                return file.write("\n")
        within(PATIENCE, write)

    def ran(self, name):
        path = self.home + "/" + name
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as file:
            return file.read().split()

    def held(self):
        return sorted(name[5:-5] for name in os.listdir(self.home + "/state")
                      if name.startswith("host-"))

    def box(self, **changes):
        """The body of a create at the pool."""
        return cli_body(provider="pool", serverType="box", serverTypeExplicit=True, location=...,
                        **changes)

    def take(self, host=None):
        answer = self.ask("POST", "/v1/leases", self.broker.alice, self.box())
        self.assertEqual((answer.status, answer.lease["state"]), (201, "active"), answer)
        if host:
            self.assertEqual(answer.lease["serverName"], host)
        return answer.lease

    def refused(self, why):
        answer = self.ask("POST", "/v1/leases", self.broker.alice, self.box())
        self.error(answer, 409, "provisioning_failed")
        self.assertIn(why, answer.lease["failureError"])

    def begin(self, method, path, body, token=None):
        """Sends a request whose response may be late or never arrive."""
        token = token or self.broker.alice

        def ask():
            try:
                self.ask(method, path, token, body)
            except OSError:
                pass  # lessord was killed
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        self.addCleanup(thread.join, PATIENCE)

    def lease(self, ident):
        return self.ask("GET", "/v1/leases/" + ident, self.broker.alice).lease

    def gone(self, lease):
        """Releases with delete; polls only if the release did not wait until nothing is left."""
        lease = self.release(lease)
        if lease["cleanup"]["state"] != "done":
            until(lambda: self.lease(lease["id"])["cleanup"]["state"] == "done",
                  why=lambda: "not clean: %r" % self.lease(lease["id"]))

    def cli(self, *words):
        done = subprocess.run([need("LESSOR"), *words], stdout=subprocess.PIPE, timeout=PATIENCE,
                              stderr=subprocess.PIPE, text=True, check=False, env={
                                  "HOME": self.home, "PATH": os.environ["PATH"],
                                  "LESSOR_URL": "http://127.0.0.1:%d" % self.broker.port,
                                  "LESSOR_TOKEN": self.broker.admin})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def restart(self):
        self.broker.kill(signal.SIGKILL)
        self.broker.start()


class SideBySide(PoolCase):
    def test_both_live(self):
        box, server = self.take("a1"), self.create()
        self.assertEqual(box["provider"], "pool")
        self.assertEqual(box["host"], "192.0.2.1")
        self.assertEqual(box["serverType"], "box")
        self.assertEqual(server["provider"], "hetzner")
        self.assertEqual(len(self.broker.servers()), 1)
        self.assertEqual(self.held(), ["a1"])
        self.assertIn("a1", self.cli("show", box["id"]))
        self.gone(box)
        self.assertEqual(len(self.broker.servers()), 1)
        self.gone(server)
        self.assertEqual(self.broker.servers(), [])
        self.assertEqual(self.held(), [])

    def test_no_host_is_left(self):
        boxes = [self.take(), self.take()]
        self.refused("box in rack1: no host is free: of 2, 2 leased")
        self.gone(boxes[0])
        again = self.take(boxes[0]["serverName"])
        self.gone(again)
        self.gone(boxes[1])
        answer = self.ask("POST", "/v1/leases", self.broker.alice,
                          dict(self.box(), serverType="crate"))
        # No account offers it: refused at once, without a lease.
        self.error(answer, 400, "unknown_class")
        self.assertIn("there is no type 'crate'", answer.json["message"])

    def test_killed_and_resumed(self):
        """In the middle of a create and of a release, while a cloud server exists."""
        server = self.create()
        self.fifo("told")
        self.fifo("gate")
        self.script("prepare", "echo prepare >>ran-kill\necho >told\nread x <gate")
        body = self.box()
        self.begin("POST", "/v1/leases", body)
        self.hear("told")
        self.restart()
        self.assertEqual(self.lease(body["leaseID"])["state"], "provisioning")
        self.let_go("gate")
        # The client retries and gets the same lease.
        answer = self.ask("POST", "/v1/leases", self.broker.alice, body)
        self.assertIn(answer.status, (200, 201), answer)
        self.assertEqual(answer.lease["state"], "active", answer)
        self.script("prepare", "exit 0")
        box = answer.lease
        self.restart()
        self.assertEqual(self.held(), [box["serverName"]])
        other = self.take()
        self.assertNotEqual(other["serverName"], box["serverName"])
        self.script("reset", "echo reset >>ran-kill\necho >told\nread x <gate")
        self.begin("POST", "/v1/leases/%s/release" % box["id"], {"delete": True})
        self.hear("told")
        self.restart()
        self.assertEqual(self.held(), ["a1", "a2"])
        self.refused("1 leased, 1 being reset")
        self.let_go("gate")
        self.gone(box)
        # Neither script ran twice.
        self.assertEqual(self.ran("ran-kill"), ["prepare", "reset"])
        self.script("reset", "exit 0")
        self.assertEqual(self.held(), [other["serverName"]])
        self.gone(other)
        self.assertEqual([s["id"] for s in self.broker.servers()], [server["serverID"]])
        self.gone(server)
        self.assertEqual(self.broker.servers(), [])

    def test_a_reset_that_fails(self):
        self.script("reset", "[ -e mended ] || { echo the disk is full; exit 7; }")
        box = self.take("a1")
        lease = self.release(box)
        self.assertEqual(lease["cleanup"]["state"], "attention")
        shown = self.cli("show", box["id"])
        self.assertIn("the reset of host a1 failed: exit status 7", shown)
        self.assertIn("lessor resolve %s retry" % box["id"], shown)
        # The command's output is for the operator, not for clients.
        self.assertNotIn("disk", shown)
        self.assertIn("the disk is full", self.broker.log())
        other = self.take("a2")
        self.refused("no host is free: of 2, 1 leased, 1 being reset")
        self.restart()
        self.refused("no host is free: of 2, 1 leased, 1 being reset")
        self.assertIn(box["id"], self.cli("list", "--attention"))
        self.script("mended", "")
        self.addCleanup(os.unlink, self.home + "/mended")
        self.cli("resolve", box["id"], "retry")
        self.gone(box)
        self.gone(other)
        self.script("reset", "exit 0")
        self.gone(self.take("a1"))

    def test_a_host_that_is_forgotten(self):
        """The lease ends; the host stays unavailable until an operator removes its record."""
        self.script("reset", "exit 1")
        box = self.take("a1")
        self.assertEqual(self.release(box)["cleanup"]["state"], "attention")
        self.cli("resolve", box["id"], "forget", "--reason", "it burned")
        self.gone(box)
        self.script("reset", "exit 0")
        other = self.take("a2")
        self.refused("no host is free: of 2, 1 leased, 1 being reset")
        os.unlink(self.home + "/state/host-a1.json")
        self.gone(self.take("a1"))
        self.gone(other)

    def test_hosts_come_and_go_with_sighup(self):
        box = self.take("a1")
        mark = len(self.broker.log())

        def reload(expect):
            self.broker.process.send_signal(signal.SIGHUP)
            until(lambda: expect in self.broker.log()[mark:], why=lambda: self.broker.log()[mark:])

        self.write("pool.json", '{"hosts": [{"name": "a3"}]}')
        reload("account pool keeps its previous files: %s/pool.json: host 1 (a3): address is missing" %
               self.home)
        self.gone(self.take("a2"))
        self.inventory("a3", "a4")
        reload("account pool has reloaded its files")
        boxes = [self.take("a3"), self.take("a4")]
        self.assertEqual(self.held(), ["a1", "a3", "a4"])
        self.refused("no host is free: of 2, 2 leased")
        # The lease of the removed host ends as usual, with a reset; the host is not leased again.
        self.script("reset", "echo $LESSOR_HOST >>ran-left")
        self.gone(box)
        self.script("reset", "exit 0")
        self.assertEqual(self.ran("ran-left"), ["a1"])
        self.refused("no host is free: of 2, 2 leased")
        for other in boxes:
            self.gone(other)
        mark = len(self.broker.log())
        self.inventory("a1", "a2")
        reload("account pool has reloaded its files")
        self.gone(self.take("a1"))


class NeitherWaits(PoolCase):
    """One of the two hangs, with more leases than there are threads."""

    def test_a_cloud_that_hangs(self):
        self.gone(self.take("a1"))
        self.broker.fault("s.create", "lost", hang=True)
        self.addCleanup(self.broker.no_faults)
        bodies = [cli_body() for _ in range(12)]
        for body in bodies:
            self.begin("POST", "/v1/leases", body)
        self.broker.sim_wait("servers=4-")
        within(5, lambda: self.gone(self.take("a1")))
        self.broker.no_faults()
        self.broker.kill(signal.SIGKILL)
        self.broker.start()
        for body in bodies:
            self.gone({"id": body["leaseID"]})
        self.assertEqual(self.broker.servers(), [])

    def test_a_pool_that_fails(self):
        """Its state directory is missing: every operation fails, and none is abandoned."""
        box = self.take("a1")
        os.rename(self.home + "/state", self.home + "/away")
        body = self.box()
        self.begin("POST", "/v1/leases", body)
        self.begin("POST", "/v1/leases/%s/release" % box["id"], {"delete": True})
        within(10, lambda: self.gone(self.create()))
        self.assertEqual(self.lease(body["leaseID"])["state"], "provisioning")
        self.assertEqual(self.lease(box["id"])["cleanup"]["state"], "owed")
        os.rename(self.home + "/away", self.home + "/state")
        self.gone(box)
        answer = self.ask("POST", "/v1/leases", self.broker.alice, body)
        self.assertEqual(answer.lease["state"], "active", answer)
        self.gone(answer.lease)

    def test_a_pool_that_hangs(self):
        names = ["a%d" % n for n in range(1, 13)]
        self.inventory(*names)
        self.restart()
        self.fifo("told")
        self.fifo("never")
        self.script("probe", "echo >told\nread x <never")
        bodies = [self.box() for _ in names]
        for body in bodies:
            self.begin("POST", "/v1/leases", body)
        self.hear("told")
        within(10, lambda: self.gone(self.create()))
        self.script("probe", "exit 0")
        # A hanging host delays no other and is skipped; the leases that gave up are freed.
        for body in bodies:
            self.gone({"id": body["leaseID"]})
        self.assertEqual(self.held(), [])
        self.script("reset", "read x <gate-$LESSOR_HOST")
        boxes = [self.take() for _ in range(2)]
        for box in boxes:
            self.fifo("gate-" + box["serverName"])
            self.begin("POST", "/v1/leases/%s/release" % box["id"], {"delete": True})
        within(10, lambda: self.gone(self.create()))
        for box in boxes:
            self.let_go("gate-" + box["serverName"])
            self.gone(box)


if __name__ == "__main__":
    unittest.main(verbosity=2)
