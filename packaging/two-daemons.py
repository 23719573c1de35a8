#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The clients of two-daemons.sh: they lease machines from two daemons that share a database, keep
them alive and release some; meanwhile one daemon is killed. Then each answer is held against the
database and the simulated clouds. Exit: 0 nothing was lost, 1 something was."""

import argparse
import base64
import http.client
import json
import os
import signal
import sys
import threading
import time
import urllib.parse
import urllib.request

PATIENCE = 120  # seconds: a delete that was under way is looked into after 50
PAUSE = 0.05
NEVER = threading.Event()  # what another process does offers no event: between two looks
PASSING = (429, 500, 502, 503, 504)


def new_key():
    """A public key that belongs to nobody: any 32 bytes are valid."""
    return "ssh-ed25519 " + base64.b64encode(
        b"\0\0\0\x0bssh-ed25519\0\0\0 " + os.urandom(32)).decode()


class Lost(Exception):
    """A promise was broken."""


class Client:
    """Uses any of the daemons; when one does not answer, the next. One thread each."""

    def __init__(self, urls, token, first):
        self.urls, self.token, self.at = urls, token, first

    def once(self, method, path, body, headers):
        url = urllib.parse.urlsplit(self.urls[self.at % len(self.urls)])
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Authorization": "Bearer " + self.token, **headers})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def ask(self, method, path, body=None, wanted=(200, 201, 202)):
        """The same request, under the same name, until it is answered for good."""
        headers = {"Content-Type": "application/json",
                   "Idempotency-Key": base64.b16encode(os.urandom(16)).decode()}
        end = time.monotonic() + PATIENCE
        while True:
            try:
                status, answer = self.once(method, path, body, headers)
            except (OSError, http.client.HTTPException, ValueError) as error:
                status, answer = 0, str(error)
            if status in wanted:
                return answer
            # "A delete may be under way": not an error, but not now either.
            passing = status in (0, *PASSING) or (
                status == 409 and answer.get("error") == "cleanup_in_progress")
            if not passing or time.monotonic() > end:
                raise Lost("%s %s: %d %s" % (method, path, status, answer))
            self.at += 1
            NEVER.wait(PAUSE)


class Worker(threading.Thread):
    """Leases machines of one account, one after another, and keeps them alive. The first worker of
    an account keeps one."""

    def __init__(self, client, account, number, stop):
        super().__init__()
        self.client, self.account, self.number, self.stop = client, account, number, stop
        self.alive = {}  # id: when the last heartbeat was acknowledged, as the answer says
        self.released = []
        self.answers = []  # monotonic times of acknowledged changes
        self.error = None

    def run(self):
        try:
            self.lease()
            while not self.stop.is_set():
                for lease in list(self.alive):
                    self.heartbeat(lease)
                if self.number == 0:
                    pass  # nothing that takes time: its pauses are those of the account
                elif len(self.alive) < 2:
                    self.lease()
                else:
                    self.release(next(iter(self.alive)))
                self.stop.wait(PAUSE)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def answered(self, answer):
        self.answers.append(time.monotonic())
        return answer["lease"]

    def lease(self):
        lease = self.answered(self.client.ask("POST", "/v1/leases", {
            "provider": self.account, "class": "small", "ttlSeconds": 3600,
            "idleTimeoutSeconds": 600, "sshPublicKey": new_key()}))
        self.alive[lease["id"]] = lease["lastTouchedAt"]

    def heartbeat(self, lease):
        answer = self.client.ask("POST", "/v1/leases/%s/heartbeat" % lease, {})
        self.alive[lease] = self.answered(answer)["lastTouchedAt"]

    def release(self, lease):
        del self.alive[lease]
        self.released.append(lease)
        self.answered(self.client.ask("POST", "/v1/leases/%s/release" % lease, {"delete": True}))


def longest_pause(times):
    times = sorted(times)
    return max((b - a for a, b in zip(times, times[1:])), default=0.0)


def cloud_state(url):
    with urllib.request.urlopen(url + "/_sim/state", timeout=30) as answer:
        return json.load(answer)


def servers(clouds):
    """{lease id: number of servers} of all clouds."""
    found = {}
    for url in clouds:
        for server in cloud_state(url)["servers"]:
            found[server["lease"]] = found.get(server["lease"], 0) + 1
    return found


def until(what, why):
    end = time.monotonic() + PATIENCE
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > end:
            raise Lost(why)
        NEVER.wait(PAUSE)


def check(client, clouds, workers):
    """Each answer against what is there now."""
    alive = {lease: touched for w in workers for lease, touched in w.alive.items()}
    for lease, touched in alive.items():
        now = until(lambda lease=lease: (
            lambda found: found if found["state"] != "provisioning" else None)(
                client.ask("GET", "/v1/leases/" + lease)["lease"]), lease + " is not ready")
        if now["state"] != "active":
            raise Lost("%s was acknowledged, but is %s" % (lease, now["state"]))
        if now["lastTouchedAt"] < touched:
            raise Lost("a heartbeat of %s was acknowledged, but is lost" % lease)
    print("%d leases were acknowledged and not released: all are active, with their last "
          "heartbeats." % len(alive))
    until(lambda: servers(clouds) == dict.fromkeys(alive, 1),
          "the servers in the clouds are not exactly those of the active leases")
    print("The clouds hold exactly their %d servers: none is missing, and none was left by the "
          "%d leases that were released." % (len(alive), sum(len(w.released) for w in workers)))
    return alive


def kill_owner(client, account, daemons):
    def owner():
        rows = client.ask("GET", "/v1/daemons")["accounts"]
        return next((row for row in rows if row["account"] == account and row["daemon"]), None)
    found = until(owner, "no daemon owns account " + account)
    pid = int(next(d.split("=")[1] for d in daemons if d.startswith(found["address"] + "=")))
    os.kill(pid, signal.SIGKILL)
    print("kill -9 %d, which owned account %s" % (pid, account), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemon", action="append", required=True, metavar="URL[=PID]",
                        help="one with a process id may be killed")
    parser.add_argument("--cloud", action="append", required=True, help="of a simulated cloud")
    parser.add_argument("--account", action="append", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--kill", action="store_true",
                        help="kill the daemon that owns the first account")
    parser.add_argument("--seconds", type=float, default=8, help="before it, and after it")
    parser.add_argument("--workers", type=int, default=4, help="for each account")
    given = parser.parse_args()
    urls = [daemon.split("=")[0] for daemon in given.daemon]
    with open(given.token_file, encoding="ascii") as file:
        token = file.read().strip()
    stop = threading.Event()
    workers = [Worker(Client(urls, token, n), account, n, stop)
               for n in range(given.workers) for account in given.account]
    for worker in workers:
        worker.start()
    stop.wait(given.seconds)
    if given.kill:
        kill_owner(Client(urls, token, 0), given.account[0], given.daemon)
        stop.wait(given.seconds + 6)
    stop.set()
    for worker in workers:
        worker.join()
    for worker in workers:
        if worker.error:
            raise worker.error
    print("%d changes were acknowledged." % sum(len(w.answers) for w in workers))
    for account in given.account:
        pause = max(longest_pause(w.answers) for w in workers
                    if w.account == account and w.number == 0)
        print("Account %s: the longest time without an acknowledged change was %.1f s." % (
            account, pause))
    client = Client(urls, token, 0)
    for lease in check(client, given.cloud, workers):
        client.ask("POST", "/v1/leases/%s/release" % lease, {"delete": True})
    until(lambda: not servers(given.cloud), "servers are left in the clouds")
    print("All were released, and the clouds are empty.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Lost as lost:
        print("LOST: %s" % lost)
        sys.exit(1)
