#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A storm: several lessord on one PostgreSQL, clients, and something goes wrong all the time.

A simulated cloud keeps the truth. At the end everything is released, and then: nothing that
costs money is left (P1), nothing that a client had asked to keep was deleted (P2), nothing of
others was touched (P3), no limit was exceeded, no lease had two machines, and for every lease
there is an order of all requests that explains every answer (linear/, which needs Go).

From the environment: LESSORD, LESSOR_PROVIDERS, HETZNER_SIM, LESSOR_MODULES for PostgreSQL, and
LESSOR_SKEW (the module test-skew) for clocks that are wrong. As root, partitions are those of the
kernel (network.py), otherwise of the proxies.
Exit: 0 nothing found; 1 a violation; 2 the harness failed; 77 a program is missing."""

import argparse
import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "api"))
import clients  # noqa: E402
import figures  # noqa: E402
from harness import until  # noqa: E402
import network  # noqa: E402
from judge import Judge  # noqa: E402
from nemesis import OF_ALL, OF_ONE, Nemesis  # noqa: E402
from proxies import ProxyError  # noqa: E402
from world import CLOCKS, HERE, StormError, World, now  # noqa: E402

FAULTS = OF_ONE + OF_ALL
# With a file the times of leases are by the machine's clock, so they step as it does.
ONE_FILE = ("kill", "stop", "leave", "cloud_cut", "rolling")


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--seconds", type=float, default=60, help="of faults; the end takes longer (60)")
    add("--daemons", type=int, default=3)
    add("--store", choices=("postgresql", "sqlite"), default="postgresql")
    add("--alone", dest="pair", action="store_false", help="a database without a standby")
    add("--faults", default="", help="comma-separated, of: %s (all but restore)" %
        ", ".join(FAULTS))
    add("--every", default="3-8", help="seconds between two faults (3-8)")
    add("--longest", type=float, default=30, help="seconds that one lasts at most (30)")
    add("--accounts", type=int, default=3)
    add("--clients", type=int, default=6)
    add("--cap", type=int, default=40, help="leases at a time, of all owners")
    add("--owner-cap", type=int, default=15, help="of one owner")
    add("--speed", type=float, default=50, help="of the simulated cloud")
    add("--seed", default="1")
    add("--settle", type=float, default=300, help="seconds in which all must be cleaned up")
    add("--keep", default="", help="a directory for logs and the history, unless all is well")
    add("--figures", default="", help="a file to which this storm's are appended, for figures.py")
    options = parser.parse_args(words)
    options.owners = ["ann", "bob", "eve"]
    options.every = [float(x) for x in options.every.split("-")]
    can = ONE_FILE if options.store == "sqlite" else FAULTS
    options.faults = options.faults.split(",") if options.faults else [
        f for f in can if f != "restore"]
    unknown = [f for f in options.faults if f not in can]
    if unknown:
        parser.error("not possible here: " + ", ".join(unknown))
    if not options.pair and "failover" in options.faults:
        options.faults.remove("failover")
    if not CLOCKS and "clock" in options.faults:
        print("clocks are NOT STEPPED: LESSOR_SKEW names no module")
        options.faults.remove("clock")
    return options


def find_go():
    return shutil.which("go") or shutil.which("/usr/local/go/bin/go")


def prepare_linear():
    """The module that it needs, as long as there is a way to it (network.enter)."""
    if find_go() and not network.is_entered():
        subprocess.run([find_go(), "mod", "download"], cwd=HERE + "/linear", check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def build_linear(to):
    """The checker's path; None, after a line that says why, if it cannot be built."""
    go = find_go()
    if not go:
        print("linearizability is NOT CHECKED: there is no Go")
        return None
    done = subprocess.run([go, "build", "-mod=readonly", "-o", to, "."], cwd=HERE + "/linear",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print("linearizability is NOT CHECKED: " + done.stdout.strip()[-500:])
        return None
    return to


class Storm:
    def __init__(self, options):
        self.options = options
        self.started = time.monotonic()
        self.world = World(options)
        self.records = clients.Records(self.world.home + "/history", self.world.cloud)
        self.violations = []
        self.order = "NOT CHECKED"  # what linear/ says
        self.is_over = False
        self.operator = 0
        self.people = [clients.Client(n, self.world, self.records, options.seed)
                       for n in range(options.clients)]
        self.probers = {}
        for account in self.world.cloud.tokens:
            lease = clients.Lease(account, options.owners[0])
            self.probers[account] = [
                clients.Prober(100 + n, self.world, self.records, lease, d, options.seed)
                for n, d in enumerate(self.world.daemons)]
        self.nemesis = Nemesis(self.world, self.records, options, self.look, self.say)

    def say(self, text):
        print("%6.1f s  %s" % (time.monotonic() - self.started, text), flush=True)

    def everybody(self):
        return self.people + [p for some in self.probers.values() for p in some]

    def watch(self, stopped):
        while not stopped.wait(0.2):
            for daemon in self.world.daemons:
                daemon.revive()

    def run(self):
        stopped = threading.Event()
        watcher = threading.Thread(target=self.watch, args=(stopped, ), daemon=True)
        watcher.start()
        try:
            self.blow()
            self.say("calm")
            self.calm()
        finally:
            stopped.set()
            watcher.join()
        state = self.world.cloud.finish()
        caps = {"": self.options.cap}
        caps.update({owner: self.options.owner_cap for owner in self.options.owners})
        self.violations += Judge(self.records.all, self.world.cloud.events,
                                 self.world.cloud.foreign, caps,
                                 self.nemesis.restores).all(state)
        self.linear()
        figures.report(self)
        self.is_over = True

    def blow(self):
        for one in self.everybody():
            one.start()
        self.until(lambda: all(some[0].lease.is_accepted for some in self.probers.values()), 120,
                   "no account takes a lease before anything went wrong")
        nemesis = threading.Thread(target=self.nemesis.run)
        nemesis.start()
        self.nemesis.ending.wait(self.options.seconds)
        self.nemesis.ending.set()
        nemesis.join()
        self.nemesis.heal()
        if self.nemesis.restores and not self.look():
            self.violations.append("stuck: an account does not hear that an operator has looked")
        # As long as clients keep on asking: it must work again, not only be cleaned up.
        calm = now()
        self.until(lambda: all(any(p.answered and p.answered[-1] > calm for p in some)
                               for some in self.probers.values()), 60,
                   "an account takes no writes although nothing is broken any more")
        for one in self.everybody():
            one.ending.set()
        for one in self.everybody():
            one.join()
            if one.failure:
                raise StormError("client %d: %r" % (one.number, one.failure))

    def look(self):
        """After a restore nothing ends until an operator has looked, and says so until somebody
        hears it. Returns whether all accounts were told."""
        return all([self.look_at(account) for account in self.world.cloud.tokens])

    def look_at(self, account):
        ways = itertools.cycle(self.world.daemons)

        def is_heard():
            answer = self.people[0].send(next(ways), "POST",
                                         "/v1/admin/accounts/%s/take-over" % account, "root",
                                         {"looked": True, "reason": "restored"})
            return answer and answer[0] == 200
        try:
            return until(is_heard, 60)
        except AssertionError:
            return False

    def until(self, what, seconds, why):
        try:
            until(what, seconds, why)
            return True
        except AssertionError as e:
            self.violations.append("stuck: %s" % e)
            return False

    def calm(self):
        """Everything is released, and cleaned up in the end."""
        people = self.people + [some[0] for some in self.probers.values()]
        for some in self.probers.values():
            some[0].leases.append(some[0].lease)
        for one in people:
            one.ending.clear()
        ends = [threading.Thread(target=self.release, args=(one, )) for one in people]
        for end in ends:
            end.start()
        for end in ends:
            end.join()
        left, pause = {}, threading.Event()
        def is_clean():
            for one in people:
                told = one.unfinished()
                if told:
                    left[one.number] = told
                    self.resolve(told)
                    # Each look is a request of the history.
                    pause.wait(0.5)
                    return False
            return True
        if not self.until(is_clean, self.options.settle, "not cleaned up"):
            self.violations[-1] += ": %r" % list(left.values())[-1:]
        # A key without a server may outlive its lease by one step.
        cloud = self.world.cloud
        self.until(lambda: not Judge([], cloud.events, cloud.foreign, restores=self.nemesis.restores)
                   .left(cloud.sim("GET", "state")), 30, "something is left in the cloud")

    def release(self, one):
        try:
            one.release_all()
        except AssertionError as e:
            self.violations.append("stuck: %s" % e)

    def resolve(self, told):
        """What only a person can know: a protection whose answer was lost may be anybody's."""
        if "delete protection that lessor did not set" not in told.get("attention", ""):
            return
        self.operator += 1
        for server in self.world.cloud.sim("GET", "state")["servers"]:
            if server["lease"] == told["id"]:
                with contextlib.suppress(StormError):  # it may be gone by now
                    self.world.cloud.sim("POST", "human", {"verb": "unprotect", "kind": "server",
                                                           "id": server["id"],
                                                           "project": server["project"]})
        self.people[0].send(self.world.daemons[0], "POST",
                            "/v1/admin/leases/%s/resolve" % told["id"], "root",
                            {"action": "retry"})

    def linear(self):
        self.records.close()
        program = build_linear(self.world.home + "/linear")
        if not program:
            return
        with open(self.world.home + "/history", encoding="ascii") as history:
            done = subprocess.run([program], stdin=history, stdout=subprocess.PIPE, text=True,
                                  check=False, timeout=900)
        lines = done.stdout.strip().split("\n")
        print(lines[-1])
        self.order = lines[-1]
        if done.returncode != 0:
            self.violations.append("linear: " + "\n".join(lines[:60]))

    def close(self):
        if self.options.keep and (self.violations or self.nemesis.failures or not self.is_over):
            self.world.keep_logs(self.options.keep)
            shutil.copyfile(self.world.home + "/history", self.options.keep + "/history")
            print("kept: " + self.options.keep)
        self.world.close()


def main(words):
    options = options_of(words)
    prepare_linear()
    network.enter(sys.argv)
    try:
        storm = Storm(options)
    except StormError as e:
        print("the storm cannot begin: %s" % e)
        return 2
    try:
        storm.run()
    except (ProxyError, StormError) as e:
        print("the harness failed: %s" % e)
        return 2
    finally:
        storm.close()
    if storm.nemesis.failures and not storm.violations:
        return 2
    return 1 if storm.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
