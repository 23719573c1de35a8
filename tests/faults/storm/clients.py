# SPDX-License-Identifier: MIT
"""The clients of a storm: lives of leases, each request through any daemon, each answer recorded.

Every answer is written down as what it says about the lease, and nothing is concluded here: that
is the task of judge.py and linear/. What a client could not learn (no answer, a 5xx) is unknown."""

import datetime
import http.client
import json
import os
import random
import secrets
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "api"))
from harness import new_key  # noqa: E402
from judge import IDLE  # noqa: E402
from world import now  # noqa: E402

PATIENCE = 600  # seconds, for what must come true at last


def milliseconds(text):
    moment = datetime.datetime.strptime(text + "+0000", "%Y-%m-%dT%H:%M:%S.%fZ%z")
    return round(moment.timestamp() * 1000)


def phase(lease):
    """As linear/lease.go names them."""
    if lease["state"] in ("provisioning", "active"):
        return "live"
    if lease["state"] == "released":
        return "deleted" if lease.get("releaseDeletesServer") else "kept"
    return "over"


class Records:
    """The history of all requests, in a file as well: it is the input of linear/."""

    def __init__(self, path, cloud):
        self.cloud = cloud
        self.all = []
        self.era = 0
        self.is_switching = False  # from one past to another
        self.lock = threading.Lock()
        self.file = open(path, "w", encoding="ascii")

    def add(self, record):
        with self.lock:
            if record.pop("switching") or self.is_switching or record["era"] != self.era:
                # Whether it was done before the restore or after it, is unknown.
                record.update({"return": 0, "status": 0, "server": 0})
            self.write(record)

    def write(self, record):
        self.all.append(record)
        self.file.write(json.dumps(record) + "\n")

    def switch(self):
        """Between this and switched() an older store takes the place of the one there is."""
        with self.lock:
            self.is_switching = True
            self.era += 1
            # What was never answered may still be on its way.
            for record in [r for r in self.all if not r["return"] and r["era"] == self.era - 1]:
                self.write(dict(record, era=self.era))

    def switched(self):
        with self.lock:
            self.is_switching = False

    def close(self):
        self.file.close()


class Lease:
    def __init__(self, account, owner):
        self.id = "cbx_" + secrets.token_hex(6)
        self.account = account
        self.owner = owner
        self.body = {
            "leaseID": self.id, "createAttemptID": "cat_" + secrets.token_hex(16),
            "slug": "s" + self.id[4:], "provider": account, "class": "standard",
            "sshPublicKey": new_key(), "ttlSeconds": 7200, "idleTimeoutSeconds": IDLE}
        self.is_accepted = False


class Client(threading.Thread):
    """One life after the other: create, look, heartbeats, an end of some kind."""

    timeout = 15  # seconds for one answer; beyond it nothing is known

    def __init__(self, number, world, records, seed):
        super().__init__(daemon=True)
        self.number = number
        self.world = world
        self.records = records
        self.dice = random.Random("%s/%d" % (seed, number))
        self.ending = threading.Event()
        self.leases = []
        self.kept = []  # some of them, until it needs the room
        self.failure = None

    # -- one request

    def send(self, daemon, method, path, owner, body=None):
        """Status, headers and JSON; None without a whole answer."""
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=self.timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {
                "Content-Type": "application/json",
                "Authorization": "Bearer " + self.world.tokens[owner]})
            response = connection.getresponse()
            return response.status, response.headers, json.loads(response.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def any_daemon(self):
        return self.dice.choice(self.world.daemons)

    def ask(self, kind, lease, daemon=None):
        """Sends a request of this kind and records it. Returns the record and the lease, if the
        answer has one."""
        method, path, body = {
            "create": ("POST", "", lease.body),
            "read": ("GET", "/" + lease.id, None),
            "beat": ("POST", "/%s/heartbeat" % lease.id, {}),
            "delete": ("POST", "/%s/release" % lease.id, {"delete": True}),
            "keep": ("POST", "/%s/release" % lease.id, {"delete": False}),
        }[kind]
        daemon = daemon or self.any_daemon()
        record = {"lease": lease.id, "account": lease.account, "owner": lease.owner,
                  "era": self.records.era, "switching": self.records.is_switching,
                  "client": self.number, "kind": kind,
                  "daemon": daemon.name, "mark": self.world.cloud.newest, "call": now(),
                  "return": 0, "status": 0, "phase": "", "epoch": 0, "touched": 0, "retention": "",
                  "state": "", "server": 0, "error": ""}
        answer = self.send(daemon, method, "/v1/leases" + path, lease.owner, body)
        told = self.understand(record, answer)
        self.records.add(record)
        return record, told

    def understand(self, record, answer):
        if answer is None:
            return None
        status, headers, body = answer
        record["error"] = body.get("error", "") if isinstance(body, dict) else ""
        if status >= 500:
            record["error"] = "%d %s" % (status, record["error"])
            return None
        record["status"] = status
        record["return"] = now()
        told = body.get("lease") if status // 100 == 2 else None
        if told:
            record.update({
                "phase": phase(told), "state": told["state"], "retention": told.get("retention", ""),
                "touched": milliseconds(told["lastTouchedAt"]),
                "server": told.get("serverID", 0),
                "epoch": int(headers.get("ETag", '"0"').strip('"'))})
        return told

    def insist(self, kind, lease, seconds=PATIENCE):
        """Repeats a request until its answer is definite, as clients do."""
        end = time.monotonic() + seconds
        while True:
            record, told = self.ask(kind, lease)
            if record["return"] and record["status"] != 429:
                return record, told
            if time.monotonic() > end:
                raise AssertionError("no answer to %s of %s: %r" % (kind, lease.id, record))
            # Like a client that obeys Retry-After, but sooner.
            self.ending.wait(0.1 + self.dice.random() * 0.4)

    # -- a life

    def create(self):
        lease = Lease(self.dice.choice(list(self.world.cloud.tokens)),
                      self.dice.choice(self.world.options.owners))
        self.leases.append(lease)
        while not self.ending.is_set():
            record, told = self.ask("create", lease)
            if record["status"] // 100 == 2:
                lease.is_accepted = True
                return lease, told
            self.ending.wait(0.2 + self.dice.random())
            if record["return"] and record["status"] != 429:
                return None, None
            if record["status"] == 429:
                self.make_room()
        return None, None

    def make_room(self):
        """Ends a lease that it had kept: what is kept counts against the limits."""
        if self.kept:
            lease = self.kept.pop(self.dice.randrange(len(self.kept)))
            if not self.ask("delete", lease)[0]["return"]:
                self.kept.append(lease)

    def live(self):
        lease, told = self.create()
        if not lease:
            return
        for _ in range(self.dice.randrange(2, 12)):
            if self.ending.is_set():
                return
            record, told = self.ask(self.dice.choice(("read", "beat")), lease)
            if told and record["phase"] != "live":
                break
            self.ending.wait(self.dice.random())
        self.end(lease)

    def end(self, lease):
        how = self.dice.random()
        if how < 0.5:
            self.ask("delete", lease)
        elif how < 0.8:
            self.ask("keep", lease)
            self.kept.append(lease)
            for _ in range(self.dice.randrange(4)):
                self.ask("read", lease)
                self.ending.wait(self.dice.random() * 2)
        else:
            # Another client ends the same lease at the same time, in the other way.
            other = Client(self.number + 1000, self.world, self.records, self.dice.random())
            rival = threading.Thread(target=other.ask, args=("keep", lease))
            rival.start()
            self.ask("delete", lease)
            rival.join()
            self.kept.append(lease)
        for _ in range(self.dice.randrange(3)):
            self.ask("read", lease)

    def run(self):
        try:
            while not self.ending.is_set():
                self.live()
        except Exception as e:  # it is reported at the end, wherever it comes from
            self.failure = e

    # -- the end of the storm

    def release_all(self):
        """Deletes all that it ever asked for, and waits until each is done."""
        for lease in self.leases:
            record, _ = self.insist("delete", lease)
            if record["status"] not in (200, 404):
                raise AssertionError("release of %s: %r" % (lease.id, record))

    def unfinished(self):
        """The first lease that is not cleaned up, as told."""
        while self.leases:
            record, told = self.insist("read", self.leases[0])
            if told and told["cleanup"]["state"] != "done":
                if phase(told) == "kept":
                    # By a mark of a release that a restored store does not know: said again.
                    self.ask("delete", self.leases[0])
                return told
            if not told and record["status"] != 404:
                return record
            self.leases.pop(0)
        return None


class Prober(Client):
    """Heartbeats of one lease of an account through one daemon, without a pause. All probers of
    an account together see how long nobody acknowledges a write."""

    timeout = 2
    pause = 0.1

    def __init__(self, number, world, records, lease, daemon, seed):
        super().__init__(number, world, records, seed)
        self.lease = lease
        self.daemon = daemon
        self.answered = []  # when, in microseconds

    def run(self):
        try:
            while not self.ending.is_set():
                kind = "beat" if self.lease.is_accepted else "create"
                record, _ = self.ask(kind, self.lease, self.daemon)
                if record["status"] // 100 == 2:
                    self.lease.is_accepted = True
                    self.answered.append(record["return"])
                self.ending.wait(self.pause)
        except Exception as e:
            self.failure = e
