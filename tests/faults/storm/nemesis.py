# SPDX-License-Identifier: MIT
"""What goes wrong during a storm: every few seconds one fault, several at once if they last."""

import random
import signal
import threading

from world import now

BATCHES = ("answer", "lost", "late")


class Nemesis:
    """`faults`: names of methods of this class. Each is run in a thread of its own, so that the
    next one comes while a long one lasts; on one daemon there is one at a time."""

    def __init__(self, world, records, options, say):
        self.world = world
        self.records = records
        self.options = options
        self.say = say
        self.dice = random.Random("%s/nemesis" % options.seed)
        self.ending = threading.Event()
        self.busy = {d.name: threading.Lock() for d in world.daemons}
        self.database = threading.Lock()
        self.threads = []
        self.done = []  # (kind, start, end)
        self.failures = []
        self.restores = []  # the newest event in the cloud at the backup, and at its restore

    def pause(self, low, high):
        """Waits, but not beyond the end of the storm."""
        self.ending.wait(self.dice.uniform(low, high))

    def run(self):
        while not self.ending.is_set():
            self.pause(self.options.every[0], self.options.every[1])
            if self.ending.is_set():
                break
            kind = self.dice.choice(self.options.faults)
            thread = threading.Thread(target=self.one, args=(kind, ))
            thread.start()
            self.threads.append(thread)

    def one(self, kind):
        try:
            if kind in ("failover", "restore"):
                if self.database.acquire(blocking=False):
                    try:
                        self.timed(kind, getattr(self, kind))
                    finally:
                        self.database.release()
                return
            daemon = self.dice.choice(self.world.daemons)
            if self.busy[daemon.name].acquire(blocking=False):
                try:
                    self.timed(kind, lambda: getattr(self, kind)(daemon), daemon.name)
                finally:
                    self.busy[daemon.name].release()
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

    def database_cut(self, daemon):
        self.silence(daemon.databases)

    def cloud_cut(self, daemon):
        self.silence([daemon.name + "-cloud"])

    def silence(self, names):
        """As when a cable is pulled; sometimes the connections are gone when it is put back."""
        for name in names:
            self.world.proxies.do("drop", name)
        self.pause(1, self.options.longest / 2)
        if self.dice.random() < 0.5:
            for name in names:
                self.world.proxies.do("cut", name)
        for name in names:
            self.world.proxies.do("pass", name)

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
        return True

    def restore(self):
        """Somebody puts back a database that is some seconds old, beneath running daemons, and
        says soon after that they have looked."""
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
        self.pause(2, 6)

    def heal(self):
        """Everything works again, and nothing else goes wrong."""
        self.ending.set()
        for thread in self.threads:
            thread.join()
        for daemon in self.world.daemons:
            for name in daemon.databases + [daemon.name + "-cloud"]:
                self.world.proxies.do("pass", name)
            daemon.revive()
