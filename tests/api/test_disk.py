#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""D5, D6: the disk of the database is full. Needs root, to mount a small file system; else
test-store-reserve plays a full disk under the store."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from harness import Broker, cli_body, until

FULL = "the disk of the database is full"


def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=60)


class SmallDisk:
    """A file system of its own: a tmpfs, or ext4 in an image with blocks of 1 KiB."""

    def __init__(self, kind, mib):
        self.place = tempfile.mkdtemp(prefix="lessor-disk-")
        self.path = self.place + "/mnt"
        os.mkdir(self.path)
        if kind == "tmpfs":
            done = run("mount", "-t", "tmpfs", "-o", "size=%dm,mode=700" % mib, "none", self.path)
        else:
            image = self.place + "/image"
            with open(image, "wb") as file:
                file.truncate(mib << 20)
            done = run("mkfs.ext4", "-q", "-b", "1024", "-m", "0", "-O", "^has_journal", image)
            if done.returncode == 0:
                done = run("mount", "-o", "loop", image, self.path)
        self.why = done.stdout if done.returncode else ""

    def fill(self):
        """Takes every block that is left."""
        with open(self.path + "/fill", "ab", buffering=0) as file:
            size = 1 << 20
            while size >= 512:
                try:
                    file.write(b"x" * size)
                except OSError:
                    size //= 2
            try:
                os.fsync(file.fileno())
            except OSError:
                pass

    def empty(self):
        os.unlink(self.path + "/fill")

    def close(self):
        run("umount", "-l", self.path)
        shutil.rmtree(self.place, ignore_errors=True)


class Desk(Broker):
    """Only the store is on the small disk: the log of lessord must not be lost."""

    def __init__(self, disk, **more):
        self.disk = disk
        super().__init__(**more)

    def token(self, owner, org, role):
        store = "store = %s/store" % self.home
        if self.disk:
            self.edit(store, "store = %s/store" % self.disk.path)
            self.disk = None
        return super().token(owner, org, role)

    def command(self, *words):
        return run(self.lessord, *words, "--config", self.home + "/conf")


class Disk(unittest.TestCase):
    kind, mib = "tmpfs", 16

    def setUp(self):
        self.disk = SmallDisk(self.kind, self.mib)
        self.addCleanup(self.disk.close)
        if self.disk.why:
            self.fail(self.disk.why)
        self.desk = Desk(self.disk)
        self.addCleanup(self.desk.close)

    def create(self):
        return self.desk.ask("POST", "/v1/leases", self.desk.alice, cli_body())

    def creates_until_refused(self):
        """The leases that were acknowledged, until creates are refused for lack of room."""
        leases = []
        for _ in range(400):
            answer = self.create()
            if answer.status != 201:
                self.assertEqual((answer.status, answer.error), (503, "store_unavailable"), answer)
                self.assertIn("disk", answer.json["message"])
                self.assertIn("retry-after", answer.headers)
                return leases
            leases.append(answer.lease["id"])
            # The log grows with what is written, so write more than leases do.
            for _ in range(20):
                self.desk.ask("PUT", "/v1/leases/%s/share" % leases[-1], self.desk.alice,
                              {"users": {"bob@example.com": "use"}})
        self.fail("400 creates on a full disk")

    def release(self, lease, delete):
        answer = self.desk.ask("POST", "/v1/leases/%s/release" % lease, self.desk.alice,
                               {"delete": delete})
        self.assertEqual((answer.status, answer.lease["state"]), (200, "released"), answer)

    def test_d5_releases_and_keeps_go_on(self):
        first = [self.create().lease["id"] for _ in range(3)]
        self.disk.fill()
        leases = first + self.creates_until_refused()
        self.assertEqual(self.desk.metric("lessor_store_state"), 1)
        self.assertEqual(self.desk.ask("GET", "/v1/health").json["store"], "reserve")
        answer = self.desk.ask("POST", "/v1/leases/%s/heartbeat" % leases[0], self.desk.alice, {})
        self.assertEqual(answer.status, 200)
        # What is eaten while the reserve is in use is not the reserve.
        self.disk.fill()
        kept = leases.pop(0)
        self.release(kept, False)
        for lease in leases:
            self.release(lease, True)
        until(lambda: len(self.desk.servers()) == 1)
        # Killed and started on the full disk: it knows all of it.
        self.desk.kill()
        self.disk.fill()
        self.desk.start()
        for lease in leases:
            shown = self.desk.ask("GET", "/v1/leases/" + lease, self.desk.alice).lease
            self.assertEqual((shown["state"], shown["cleanup"]["state"]), ("released", "done"), shown)
        self.assertEqual(self.create().status, 503)
        # Run history has no reserve, and is there again when there is room.
        run = {"command": ["true"]}
        self.assertEqual(self.desk.metric("lessor_runs_available"), 1)
        self.assertEqual(self.desk.ask("POST", "/v1/runs", self.desk.alice, run).status, 503)
        self.assertEqual(self.desk.log().count(FULL), 2, "once for each process")
        # There is room again: it goes on by itself, and holds a reserve again.
        self.disk.empty()
        lease = until(lambda: (lambda a: a.status == 201 and a)(self.create())).lease["id"]
        self.release(lease, True)
        self.assertEqual(self.desk.ask("POST", "/v1/runs", self.desk.alice, run).status, 201)
        self.assertEqual(self.desk.metric("lessor_store_state"), 0)
        self.assertGreater(os.stat(self.disk.path + "/store.reserve").st_size, self.mib << 16)
        self.release(kept, True)
        until(lambda: not self.desk.servers())

    def test_d5_reading_and_revoking_need_no_room(self):
        lease = self.create().lease["id"]
        self.disk.fill()
        token = self.desk.token("carol", "acme", "user")
        listed = self.desk.command("token", "list")
        self.assertEqual(listed.returncode, 0, listed.stdout)
        self.assertIn("carol", listed.stdout)
        owed = self.desk.command("--owed")
        self.assertEqual(owed.returncode, 7, owed.stdout)
        self.desk.kill()
        self.disk.fill()
        listed = self.desk.command("token", "list")
        self.assertEqual(listed.returncode, 0, listed.stdout)
        owed = self.desk.command("--owed")
        self.assertEqual(owed.returncode, 7, owed.stdout)
        self.assertIn(lease, owed.stdout)
        revoked = self.desk.command("token", "revoke", token[4:20])
        self.assertEqual(revoked.returncode, 0, revoked.stdout)
        self.disk.fill()
        self.desk.start()
        self.assertEqual(self.desk.ask("GET", "/v1/whoami", token).status, 401)
        self.release(lease, True)

    def test_d6_no_room_and_no_reserve_is_a_sentence(self):
        self.create()
        # The log and its index are gone after a clean end, and have to be made.
        self.assertEqual(self.desk.kill(signal.SIGTERM), 0)
        os.truncate(self.disk.path + "/store.reserve", 0)
        self.disk.fill()
        for _ in range(3):
            done = self.desk.command()
            # 1: the unit starts it again.
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("is full", done.stdout)
        self.disk.empty()
        self.desk.start()
        answer = self.desk.ask("GET", "/v1/leases", self.desk.alice)
        self.assertEqual(len(answer.json["leases"]), 1)

    def test_d6_recovery_without_room_for_the_index(self):
        """The log has to be recovered, and there is no room for its index."""
        lease = self.create().lease["id"]
        self.desk.kill()
        for end in (".reserve", "-shm", "-runs-shm"):
            os.truncate(self.disk.path + "/store" + end, 0)
        self.disk.fill()
        done = self.desk.command()
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("is full", done.stdout)
        # Reading needs no index on the disk.
        owed = self.desk.command("--owed")
        self.assertEqual(owed.returncode, 7, owed.stdout)
        self.assertIn(lease, owed.stdout)
        self.disk.empty()
        self.desk.start()

    def test_d1_overwritten_in_place(self):
        """The same inode, other content: noticed within a second, and nothing is acknowledged."""
        self.create()
        with open(self.disk.path + "/store", "rb") as file:
            other = file.read()
        began = time.monotonic()
        with open(self.disk.path + "/store", "wb") as file:
            file.write(other)
        self.assertEqual(self.desk.process.wait(30), 1)
        self.assertLess(time.monotonic() - began, 25)
        self.assertIn("was overwritten while it was in use", self.desk.log())
        self.desk.start()


class Ext4(Disk):
    """Blocks smaller than a page: SQLite allocates one of each page of the log's index."""
    kind, mib = "ext4", 24


if __name__ == "__main__":
    probe = SmallDisk("tmpfs", 1)
    probe.close()
    if probe.why:
        print("1..0 # SKIP cannot mount a file system: %s" % probe.why.strip())
        sys.exit(77)
    probe = SmallDisk("ext4", 8)
    probe.close()
    if probe.why:
        print("without ext4: %s" % probe.why.strip())
        del Ext4
    unittest.main()
