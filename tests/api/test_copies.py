#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Restored, copied and moved databases, and accounts removed from the configuration: while it
is unknown which store is newer, no lease ends, and an operator decides."""

import os
import shutil
import signal
import sqlite3
import tempfile
import time
import unittest

from harness import Broker, cli_body, moment, need, new_key, until

FENCED = "lessor_account_fenced{account=\"hetzner\"}"


def backup(store, to):
    """Like sqlite3's .backup, while the daemon runs."""
    source, target = sqlite3.connect(store), sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()
    os.chmod(to, 0o600)


class Desk(Broker):
    """A broker whose account is probed often, with an operator's helpers."""

    def __init__(self, **options):
        super().__init__(**{"server": "probe = 300ms", **options})

    def account(self, token=None):
        return self.ask("GET", "/v1/providers", token or self.admin).json["providers"][0]

    def is_fenced(self):
        return self.account()["fenced"]

    def create(self, **changes):
        answer = self.ask("POST", "/v1/leases", self.alice, cli_body(**changes))
        if answer.status != 201:
            raise AssertionError(answer)
        return answer.lease

    def release(self, lease, delete, prefer=None):
        answer = self.ask("POST", "/v1/leases/%s/release" % lease["id"], self.alice,
                          {"delete": delete}, {"Prefer": prefer} if prefer else None)
        if answer.status != 200:
            raise AssertionError(answer)
        return answer.lease

    def keep(self, lease):
        """Releases without delete; waits until protected and recorded on the account's sentinel."""
        before = self.generation()
        kept = self.release(lease, False, "wait=20")
        until(lambda: self.generation() > before)
        return kept

    def lease(self, lease):
        return self.ask("GET", "/v1/leases/" + lease["id"], self.alice).lease

    def cleanup(self, lease):
        return self.lease(lease)["cleanup"]["state"]

    def generation(self):
        """The generation in the sentinel's label."""
        marks = [int(key["labels"]["lessor-gen"]) for key in
                 self.sim("GET", "/_sim/state")["ssh_keys"] if "lessor-gen" in key["labels"]]
        return marks[0] if marks else 0

    def instances(self):
        """Those that have a sentinel in the cloud."""
        return [key["labels"]["lessor-instance"] for key in
                self.sim("GET", "/_sim/state")["ssh_keys"] if "lessor-gen" in key["labels"]]

    def instance(self):
        store = sqlite3.connect("file:%s/store?mode=ro" % self.home, uri=True)
        try:
            return store.execute("SELECT value FROM meta WHERE key = 'instance'"
                                 ).fetchone()[0].decode("ascii")
        finally:
            store.close()

    def proven(self):
        """Waits until a new probe has verified the account."""
        seen = self.account().get("provenAt", "")
        until(lambda: self.account().get("provenAt", "") > seen)

    def stop(self):
        if self.kill(signal.SIGTERM) != 0:
            raise AssertionError(self.log())

    def restore(self, copy):
        """Overwrites the store in place, so that it keeps its inode; the daemon is stopped."""
        inode = os.stat(self.home + "/store").st_ino
        shutil.copyfile(copy, self.home + "/store")
        for name in ("-wal", "-shm"):
            if os.path.exists(self.home + "/store" + name):
                os.unlink(self.home + "/store" + name)
        if os.stat(self.home + "/store").st_ino != inode:
            raise AssertionError("the restored store has another inode")


class Copy(Desk):
    """A second lessord with a copy of the first one's database and the same cloud."""

    def __init__(self, first, store):  # pylint: disable=super-init-not-called
        self.home = tempfile.mkdtemp(prefix="lessor-copy-")
        self.lessord, self.process, self.port = need("LESSORD"), None, 0
        self.sim_port, self.cloud = first.sim_port, None
        self.alice, self.admin, self.reader = first.alice, first.admin, first.reader
        shutil.copyfile(store, self.home + "/store")
        os.chmod(self.home + "/store", 0o600)
        shutil.copyfile(first.home + "/conf", self.home + "/conf")
        self.edit("store = %s/store" % first.home, "store = %s/store" % self.home)
        self.start()

    def close(self):
        self.kill(signal.SIGTERM)
        shutil.rmtree(self.home)


class Second(Desk):
    """Another lessord, with a database of its own, in the cloud of the first."""

    def __init__(self, first):  # pylint: disable=super-init-not-called
        self.home = tempfile.mkdtemp(prefix="lessor-second-")
        self.lessord, self.process, self.port = need("LESSORD"), None, 0
        self.sim_port, self.cloud = first.sim_port, None
        shutil.copyfile(first.home + "/conf", self.home + "/conf")
        self.edit("store = %s/store" % first.home, "store = %s/store" % self.home)
        self.alice = self.token("alice@example.com", "acme", "user")
        self.reader = self.token("rita@example.com", "acme", "reader")
        self.admin = self.token("root@example.com", "ops", "admin")
        self.start()

    def close(self):
        self.kill(signal.SIGTERM)
        shutil.rmtree(self.home)


class Case(unittest.TestCase):
    def desk(self, **options):
        desk = Desk(**options)
        self.addCleanup(desk.close)
        return desk

    def copy(self, first, store):
        copy = Copy(first, store)
        self.addCleanup(copy.close)
        return copy

    def server(self, desk, lease):
        return next((s for s in desk.servers() if s["lease"] == lease["id"]), None)

    def nothing_ends(self, desk, lease):
        """The lease has expired, yet it and its server stay alive."""
        until(lambda: time.time() > moment(lease["expiresAt"]))
        # The second probe begins after the expiry, and so after everything due by then.
        desk.proven()
        desk.proven()
        self.assertEqual(desk.lease(lease)["state"], "active")
        self.assertIsNotNone(self.server(desk, lease))

    def told(self, desk, why):
        """Admins see the reason, others only that an operator must act; the metrics show it too."""
        account = desk.account()
        self.assertEqual((account["fenced"], account["blocked"]), (True, True), account)
        self.assertIn(why, account["message"])
        self.assertIn("lessor account take-over hetzner --looked", account["message"])
        self.assertEqual(desk.account(desk.alice)["message"],
                         "The account cannot be used until an operator has acted. Tell an "
                         "operator, or choose another account.")
        ready = desk.ask("GET", "/v1/providers/hetzner/readiness", desk.alice).json
        self.assertIs(ready["configured"], False)
        self.assertEqual(desk.metric(FENCED), 1)
        answer = desk.ask("POST", "/v1/leases", desk.alice, cli_body())
        self.assertEqual((answer.status, answer.error), (424, "provider_not_configured"))
        self.assertRegex(desk.cli("providers"), r"hetzner +hetzner +fenced")

    def take_over(self, desk):
        # The refusal names the commands to check with, and these commands work.
        said = desk.cli("account", "take-over", "hetzner", code=2)
        self.assertIn("lessor sweep", said)
        for words in (("sweep",), ("list", "--retained"), ("list", "--attention")):
            self.assertIn("lessor " + " ".join(words), said)
            desk.cli(*words)
        self.assertIn("taken over", desk.cli("account", "take-over", "hetzner", "--looked",
                                             "--reason", "restored"))
        until(lambda: desk.metric(FENCED) == 0)
        self.assertRegex(desk.log(), r"takes over account hetzner: .*: restored")


class Restored(Case):
    def test_a_copy_from_before_a_no_delete_release(self):
        desk = self.desk()
        kept, other = desk.create(ttlSeconds=5), desk.create(ttlSeconds=5)
        backup(desk.home + "/store", desk.home + "/copy")
        self.assertEqual(desk.keep(kept)["retention"], "protected")
        desk.stop()
        desk.restore(desk.home + "/copy")
        desk.start()
        until(desk.is_fenced)
        self.told(desk, "generation")
        self.nothing_ends(desk, kept)
        self.nothing_ends(desk, other)
        # A restart does not end the fence.
        desk.kill()
        desk.start()
        self.told(desk, "generation")
        self.nothing_ends(desk, kept)
        self.take_over(desk)
        # Now this store decides what ends. It does not know of the release, but the server has
        # the label.
        for lease in (kept, other):
            desk.release(lease, True)
        until(lambda: desk.cleanup(other) == "done")
        self.assertIsNone(self.server(desk, other))
        left = until(lambda: desk.lease(kept) if desk.cleanup(kept) == "retained" else None)
        self.assertIn("this store does not know", left["attention"])
        until(lambda: desk.lease(kept)["retention"] == "protected")
        self.assertIn("lessor release %s --delete" % kept["id"], desk.lease(kept)["attention"])
        self.assertTrue(self.server(desk, kept)["protected"])
        # From then on it is the newest store.
        desk.create()
        self.assertFalse(desk.is_fenced())

    def test_what_a_copy_says_is_protected(self):
        """It is protected again after a take-over: a newer store may have lifted the protection."""
        desk = self.desk()
        kept = desk.create()
        self.assertEqual(desk.keep(kept)["retention"], "protected")
        backup(desk.home + "/store", desk.home + "/copy")
        desk.keep(desk.create())
        server = self.server(desk, kept)["id"]
        desk.cloud_ask("POST", "/servers/%d/actions/change_protection" % server,
                       {"delete": False, "rebuild": False})
        desk.stop()
        desk.restore(desk.home + "/copy")
        desk.start()
        until(desk.is_fenced)
        self.assertEqual(desk.lease(kept)["retention"], "unsure")
        self.assertFalse(self.server(desk, kept)["protected"])
        self.take_over(desk)
        until(lambda: desk.lease(kept)["retention"] == "protected")
        self.assertTrue(self.server(desk, kept)["protected"])

    def test_releases_of_a_fenced_account_are_answered(self):
        desk = self.desk()
        lease, kept, older = desk.create(), desk.create(), desk.create()
        backup(desk.home + "/store", desk.home + "/copy")
        desk.keep(older)
        desk.stop()
        desk.restore(desk.home + "/copy")
        desk.start()
        until(desk.is_fenced)
        begin = time.monotonic()
        for one, delete in ((lease, True), (kept, False)):
            answer = desk.release(one, delete, "wait=20")
            self.assertEqual(answer["state"], "released")
            self.assertIn("account hetzner is fenced", answer["attention"])
        self.assertEqual(answer["retention"], "unsure")
        self.assertLess(time.monotonic() - begin, 10)
        listed = desk.cli("list", "--attention")
        self.assertIn(lease["id"], listed)
        self.assertIn(kept["id"], listed)
        desk.proven()
        self.assertEqual(len(desk.servers()), 3)
        self.take_over(desk)
        until(lambda: desk.cleanup(lease) == "done")
        until(lambda: desk.lease(kept)["retention"] == "protected")
        self.assertNotIn("attention", desk.lease(kept))
        self.assertIsNone(self.server(desk, lease))
        self.assertTrue(self.server(desk, kept)["protected"])


class Elsewhere(Case):
    def test_a_moved_file(self):
        desk = self.desk()
        lease = desk.create(ttlSeconds=4)
        desk.stop()
        # Another file with the same contents and name.
        shutil.copy(desk.home + "/store", desk.home + "/moved")
        os.rename(desk.home + "/moved", desk.home + "/store")
        desk.start()
        self.told(desk, "not where it was")
        self.nothing_ends(desk, lease)
        desk.proven()
        self.take_over(desk)
        desk.release(lease, True)
        until(lambda: desk.cleanup(lease) == "done")
        # After the take-over this is its known place.
        desk.stop()
        desk.start()
        desk.proven()
        self.assertFalse(desk.is_fenced())

    def test_a_second_daemon_on_a_copy(self):
        desk = self.desk()
        kept, lease = desk.create(ttlSeconds=6), desk.create()
        backup(desk.home + "/store", desk.home + "/copy")
        second = self.copy(desk, desk.home + "/copy")
        self.told(second, "not where it was")
        self.assertFalse(desk.is_fenced())
        desk.keep(kept)
        self.nothing_ends(second, kept)
        second.proven()
        # After a take-over the other one is fenced, so that only one of them can delete.
        self.take_over(second)
        until(desk.is_fenced)
        self.told(desk, "generation")
        self.assertEqual(desk.release(lease, True)["cleanup"]["state"], "owed")
        self.assertIn("fenced", desk.lease(lease)["attention"])
        second.release(kept, True)
        left = until(lambda: second.lease(kept) if second.cleanup(kept) == "retained" else None)
        self.assertIn("this store does not know", left["attention"])
        self.assertTrue(self.server(desk, kept)["protected"])
        second.release(lease, True)
        until(lambda: second.cleanup(lease) == "done")

    def test_a_second_daemon_that_nothing_shows_to_be_one(self):
        """As if the copy were in the same place on a clone of the machine."""
        desk = self.desk()
        kept = desk.create(ttlSeconds=8)
        backup(desk.home + "/store", desk.home + "/copy")
        clone = sqlite3.connect(desk.home + "/copy")
        clone.execute("DELETE FROM meta WHERE key = 'place'")
        clone.commit()
        clone.close()
        desk.keep(kept)
        second = self.copy(desk, desk.home + "/copy")
        until(second.is_fenced)
        self.told(second, "generation")
        self.assertFalse(desk.is_fenced())
        self.nothing_ends(second, kept)
        self.assertTrue(self.server(desk, kept)["protected"])

    def test_the_first_one_is_overtaken(self):
        """With no change since the copy, the second daemon continues and the first is fenced."""
        desk = self.desk()
        lease = desk.create()
        until(lambda: desk.generation() > 0)
        desk.proven()
        backup(desk.home + "/store", desk.home + "/copy")
        clone = sqlite3.connect(desk.home + "/copy")
        clone.execute("DELETE FROM meta WHERE key = 'place'")
        clone.commit()
        clone.close()
        second = self.copy(desk, desk.home + "/copy")
        until(desk.is_fenced)
        self.assertFalse(second.is_fenced())
        self.told(desk, "generation")
        self.assertIn("fenced", desk.release(lease, True)["attention"])
        self.assertIsNotNone(self.server(desk, lease))
        self.assertEqual(second.lease(lease)["state"], "active")
        second.release(lease, True)
        until(lambda: second.cleanup(lease) == "done")


class Unconfigured(Case):
    def test_an_account_that_is_gone(self):
        desk = self.desk()
        deleted, kept, left = desk.create(), desk.create(), desk.create()
        early = desk.create()
        desk.keep(early)
        self.assertEqual(desk.metric("lessor_leases_without_account"), 0)
        desk.stop()
        desk.edit("[account hetzner]", "[account renamed]")
        desk.start()
        self.assertIn("leases of accounts that are not configured: 4", desk.log())
        self.assertEqual(desk.metric("lessor_leases_without_account"), 4)
        gone = "account hetzner is no longer configured"
        for lease in (deleted, kept, left, early):
            self.assertIn(gone, desk.lease(lease)["attention"])
            self.assertIn(lease["id"], desk.cli("list", "--attention"))
        self.assertEqual(desk.lease(left)["state"], "active")
        self.assertEqual(desk.lease(early)["retention"], "unsure")
        # Every response is quick and states the situation.
        begin = time.monotonic()
        answer = desk.release(deleted, True)
        self.assertEqual((answer["state"], answer["cleanup"]["state"]), ("released", "owed"))
        self.assertEqual(answer["cleanupStatus"], "failed")
        self.assertIn(gone, answer["cleanupError"])
        self.assertIn(gone, answer["attention"])
        answer = desk.release(kept, False, "wait=20")
        self.assertEqual((answer["cleanup"]["state"], answer["retention"]), ("retained", "unsure"))
        self.assertIn(gone, answer["attention"])
        self.assertLess(time.monotonic() - begin, 5)
        self.assertIn("is no longer configured", desk.cli("release", left["id"], "--delete",
                                                          token=desk.alice, code=8))
        self.assertEqual(desk.ask("POST", "/v1/admin/accounts/hetzner/take-over", desk.admin,
                                  {"looked": True}).status, 404)
        self.assertEqual(len(desk.servers()), 4)
        # The account is configured again: everything resumes.
        desk.stop()
        desk.edit("[account renamed]", "[account hetzner]")
        desk.start()
        for lease in (deleted, left):
            until(lambda: desk.cleanup(lease) == "done")  # pylint: disable=cell-var-from-loop
        for lease in (kept, early):
            until(lambda: desk.lease(lease)["retention"] == "protected")  # pylint: disable=cell-var-from-loop
            self.assertNotIn("attention", desk.lease(lease))
        self.assertEqual(desk.metric("lessor_leases_without_account"), 0)
        self.assertEqual(sorted(s["lease"] for s in desk.servers()),
                         sorted(lease["id"] for lease in (kept, early)))


class Stranger(Case):
    """An account that another instance uses, and a store that never used it."""

    def second(self, desk):
        """A lessord with a database of its own in the same cloud."""
        second = Second(desk)
        self.addCleanup(second.close)
        return second

    def blocked(self, desk, *instances):
        until(desk.is_fenced)
        self.told(desk, "another lessord database (instance %s) uses it" % instances[0]
                  if len(instances) == 1 else "%d other lessord databases" % len(instances))
        for instance in instances:
            self.assertIn(instance, desk.account()["message"])
        self.assertEqual(desk.log().count("account hetzner is fenced"), 1)

    def test_c5_an_empty_store(self):
        desk = self.desk()
        lease = desk.create()
        first = desk.instance()
        second = self.second(desk)
        self.blocked(second, first)
        # It has created nothing, not even a sentinel, and a restart or later probes change nothing.
        keys = len(desk.sim("GET", "/_sim/state")["ssh_keys"])
        for _ in range(2):
            second.stop()
            second.start()
            self.blocked(second, first)
        desk.proven()
        self.assertEqual(len(desk.sim("GET", "/_sim/state")["ssh_keys"]), keys)
        self.assertFalse(desk.is_fenced())
        # Meant: from now on both work, also after restarts, and each only on its own machines.
        self.take_over(second)
        until(lambda: len(second.instances()) == 2)
        other = second.create()
        for _ in range(2):
            second.stop()
            second.start()
            second.proven()
            self.assertFalse(second.is_fenced())
        self.assertFalse(desk.is_fenced())
        second.release(other, True)
        until(lambda: second.cleanup(other) == "done")
        self.assertIsNotNone(self.server(desk, lease))
        desk.release(lease, True)
        until(lambda: desk.cleanup(lease) == "done")

    def test_c5_the_word_is_kept_if_the_daemon_dies_before_it_uses_it(self):
        desk = self.desk()
        until(lambda: desk.generation() == 1)
        second = self.second(desk)
        self.blocked(second, desk.instance())
        desk.fault("k.list", "status", status=503)
        self.take_over(second)
        second.kill()
        self.assertEqual(desk.instances(), [desk.instance()])
        second.start()
        desk.no_faults()
        second.proven()
        self.assertFalse(second.is_fenced())

    def test_c5_several_and_a_store_that_has_leases_elsewhere(self):
        desk = self.desk()
        until(lambda: desk.generation() == 1)
        desk.cloud_ask("POST", "/ssh_keys", {
            "name": "mark", "public_key": new_key(),
            "labels": {"lessor-kind": "sentinel", "lessor-instance": "othertwo"}})
        # What cannot be an instance, and what is no sentinel, counts for nothing.
        for labels in ({"lessor-kind": "sentinel", "lessor-instance": "No.Instance"},
                       {"lessor-kind": "sentinel"},
                       {"lessor-kind": "key", "lessor-instance": "otherthree"}):
            desk.cloud_ask("POST", "/ssh_keys", {"name": "x%d" % len(desk.log() + str(labels)),
                                                 "public_key": new_key(), "labels": labels})
        # Its leases are in a cloud of its own; then the account's token opens this project.
        own = self.desk()
        lease = own.create()
        own.stop()
        with open(own.home + "/conf", encoding="ascii") as file:
            text = file.read()
        place = ":%d/v1" % own.sim_port, ":%d/v1" % desk.sim_port
        account = text[text.index("[account hetzner]"):].replace("hetzner]", "other]")
        with open(own.home + "/conf", "a", encoding="ascii") as file:
            file.write("\n" + account.replace(*place))
        own.start()

        def named(name):
            return next(a for a in own.ask("GET", "/v1/providers", own.admin).json["providers"]
                        if a["name"] == name)
        until(lambda: named("other")["fenced"])
        said = named("other")["message"]
        self.assertFalse(named("hetzner")["fenced"])
        self.assertIn("2 other lessord databases (instances ", said)
        for instance in (desk.instance(), "othertwo"):
            self.assertIn(instance, said)
        self.assertNotIn("otherthree", said)
        # The same ledger with the token of the other project alone: its sentinel is not there.
        own.stop()
        with open(own.home + "/conf", "w", encoding="ascii") as file:
            file.write(text.replace(*place))
        own.start()
        until(lambda: own.account()["blocked"])
        self.assertEqual(own.lease(lease)["state"], "active")


class TakeOver(Case):
    def test_what_it_takes(self):
        desk = self.desk()
        path = "/v1/admin/accounts/hetzner/take-over"
        until(lambda: desk.generation() == 1)

        def ask(body, token=desk.admin, where=path):
            answer = desk.ask("POST", where, token, body)
            return answer.status, answer.error

        for token in (desk.alice, desk.reader):
            self.assertEqual(ask({"looked": True}, token), (403, "forbidden"))
        for body in ({}, {"looked": False}, {"reason": "why"}):
            self.assertEqual(ask(body), (400, "not_looked"))
        said = desk.ask("POST", path, desk.admin, {}).json["message"]
        for what in ("lessor sweep", "lessor list --retained", "lessor list --attention"):
            self.assertIn(what, said)
        for body in ({"looked": "yes"}, {"looked": None},
                     {"looked": True, "reason": "two\nlines"},
                     {"looked": True, "reason": "x" * 160}):
            self.assertEqual(ask(body), (400, "invalid_field"))
        self.assertEqual(ask({"looked": True}, where=path.replace("hetzner", "x")),
                         (404, "not_found"))
        # For an account that is not fenced it changes nothing.
        for _ in range(2):
            self.assertEqual(ask({"looked": True, "reason": "sure"}), (200, None))
        self.assertEqual(desk.generation(), 1)


if __name__ == "__main__":
    unittest.main()
