# SPDX-License-Identifier: MIT
"""What goes wrong during a storm: every few seconds one fault, several at once if they last."""

import contextlib
import random
import signal
import threading

from world import now

BATCHES = ("answer", "lost", "late")
# What happens to one daemon, and what to all of them or to the database.
OF_ONE = ("kill", "stop", "leave", "clock", "database_cut", "cloud_cut", "commit")
OF_ALL = ("failover", "restore", "rolling")
# After these an account is frozen until it was compared, and deletes nothing: less often.
SHARES = {"failover": 2, "restore": 1, "rolling": 2}
SHARE = 4
STEPS = (-7200, -900, -60, -2, 2, 60, 900, 4000, 86400)  # seconds that a clock is wrong


class Nemesis:
    """`options.faults`: names of methods of this class. Each is run in a thread of its own, so
    that the next one comes while a long one lasts; on one daemon there is one at a time."""

    def __init__(self, world, records, options, operator, say):
        """`operator`: says to every account, after a restore, that somebody has looked."""
        self.world = world
        self.records = records
        self.options = options
        self.operator = operator
        self.say = say
        self.dice = random.Random("%s/nemesis" % options.seed)
        self.ending = threading.Event()
        self.busy = {d.name: threading.Lock() for d in world.daemons}
        self.all = {kind: threading.Lock() for kind in ("database", "rolling")}
        self.threads = []
        self.deck = []
        self.done = []  # (kind, start, end)
        self.failures = []
        self.restores = []  # the newest event in the cloud at the backup, and at its restore

    def pause(self, low, high):
        """Waits, but not beyond the end of the storm."""
        self.ending.wait(self.dice.uniform(low, high))

    def draw(self):
        """The next kind: all have their share of each deck, in any order."""
        if not self.deck:
            self.deck = [k for k in self.options.faults for _ in range(SHARES.get(k, SHARE))]
            self.dice.shuffle(self.deck)
        return self.deck.pop()

    def run(self):
        while not self.ending.is_set():
            self.pause(self.options.every[0], self.options.every[1])
            if self.ending.is_set():
                break
            thread = threading.Thread(target=self.one, args=(self.draw(), ))
            thread.start()
            self.threads.append(thread)

    @contextlib.contextmanager
    def alone(self, lock):
        """Whether nothing else has it."""
        taken = lock.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                lock.release()

    def one(self, kind):
        try:
            if kind in OF_ALL:
                with self.alone(self.all["rolling" if kind == "rolling" else "database"]) as free:
                    if free:
                        self.timed(kind, getattr(self, kind))
                return
            for daemon in self.dice.sample(self.world.daemons, len(self.world.daemons)):
                with self.alone(self.busy[daemon.name]) as free:
                    if free:
                        self.timed(kind, lambda d=daemon: getattr(self, kind)(d), daemon.name)
                        return
        except Exception as e:  # reported at the end; the storm goes on
            self.failures.append("%s: %r" % (kind, e))

    def timed(self, kind, what, where=""):
        start = now()
        self.say("%s %s" % (kind, where))
        if what() is not False:
            self.done.append((kind, start, now()))

    # -- the faults

    def kill(self, daemon):
        daemon.kill()
        self.pause(0.2, 4)
        daemon.start()

    def stop(self, daemon):
        daemon.signal(signal.SIGSTOP)
        self.pause(1, self.options.longest)
        daemon.signal(signal.SIGCONT)

    def leave(self, daemon):
        """A planned stop."""
        daemon.leave()
        self.pause(0.2, 4)
        daemon.start()

    def rolling(self):
        """All are stopped and started, one after the other, as for new settings."""
        for daemon in self.world.daemons:
            with self.busy[daemon.name]:
                daemon.leave()
                daemon.start()
                daemon.wait_until_up()

    def clock(self, daemon):
        daemon.skew(self.dice.choice(STEPS))
        self.pause(1, self.options.longest)
        daemon.skew(0)

    def database_cut(self, daemon):
        self.silence(daemon, "database", daemon.databases)

    def cloud_cut(self, daemon):
        self.silence(daemon, "cloud", [daemon.name + "-cloud"])

    def silence(self, daemon, way, names):
        """As when a cable is pulled; sometimes the connections are gone when it is put back."""
        self.world.pull(daemon, way, names)
        self.pause(1, self.options.longest / 2)
        if self.dice.random() < 0.5:
            for name in names:
                self.world.proxies.do("cut", name)
        self.world.put_back(daemon, way, names)

    def commit(self, daemon):
        """The next batches of this daemon meet a connection that breaks at the worst moment."""
        for _ in range(self.dice.randrange(1, 4)):
            how = self.dice.choice(BATCHES)
            for name in daemon.databases:
                self.world.proxies.do("commit", name, how=how, ms=self.dice.randrange(20, 6000))
            self.pause(0.5, 2)

    def failover(self):
        if not self.world.cluster.standby:
            return False
        self.world.cluster.fail_over()
        self.pause(0, 3)
        self.world.cluster.rebuild()
        # Nothing is lost, so an account thaws by itself, or sooner if somebody has looked.
        if self.dice.random() < 0.5:
            self.pause(1, 10)
            self.operator()
        return True

    def restore(self):
        """Somebody puts back a database that is some seconds old, beneath running daemons, and
        says some time after that they have looked."""
        self.world.cloud.catch_up()
        backup = self.world.cloud.newest
        self.world.back_up()
        self.pause(3, 12)
        self.world.prepare_restore()
        self.records.switch()
        self.world.restore()
        self.world.cloud.catch_up()
        self.restores.append((backup, self.world.cloud.newest))
        self.records.switched()
        self.pause(2, 20)
        self.operator()

    def heal(self):
        """Everything works again, and nothing else goes wrong."""
        self.ending.set()
        for thread in self.threads:
            thread.join()
        for daemon in self.world.daemons:
            self.world.put_back(daemon, "database", daemon.databases)
            self.world.put_back(daemon, "cloud", [daemon.name + "-cloud"])
            daemon.revive()
