#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Several daemons, one of which dies, stops or is late, and databases that lose something: what
was acknowledged holds, no server is deleted that somebody keeps, and none is made twice. The
numbers T1 to T14 are those of the table in tests/README.md."""

import os
import signal
import socket
import subprocess
import sys
import time
import unittest
import unittest.mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import postgres  # noqa: E402
from daemons import Group, West  # noqa: E402
from harness import (KEY, cli_body, cluster, moment, need, new_attempt, new_id,  # noqa: E402
                     month_is_ending, skip, until)  # noqa: E402

SKEW = os.environ.get("LESSOR_SKEW", "")


class Case(unittest.TestCase):
    def group(self, url, count=2, **options):
        group = Group(url, count, **options)
        self.addCleanup(group.close)
        return group

    def kept(self, group, lease):
        """It is retained and protected, and its server is there."""
        member = group.owner()
        until(lambda: group.lease(member, lease).get("retention") == "protected",
              why=lambda: "%r\n%s" % (group.lease(member, lease), group.said()))
        self.assertEqual(group.lease(member, lease)["cleanup"]["state"], "retained")
        self.assertTrue(group.server(lease)["protected"])


class Late(Case):
    """T4: a delete that was accepted before a no-delete release, and arrives after it."""

    def test_it_is_held_on_its_way_to_the_owner(self):
        group = self.group(cluster().database())
        owner = group.owner()
        (relay,) = group.others(owner)
        lease = group.create(relay)
        owner.gate.shut()
        late = group.later(group.release, relay, lease, True)
        self.assertTrue(owner.gate.held.wait(60))
        kept = group.release(owner, lease, False, wait=20)
        self.assertEqual((kept.status, kept.lease["retention"]), (200, "protected"), kept)
        owner.gate.open()
        answer = late.result(60)
        self.assertEqual((answer.status, answer.error), (409, "lease_changed"), answer)
        self.kept(group, lease)
        # Who does not own the account has not looked, and believes who does.
        for member in group.members:
            self.assertEqual(group.lease(member, lease)["retention"], "protected")

    def test_the_owner_dies_and_who_forwards_it_sleeps(self):
        group = self.group(cluster().database(), 3)
        owner = group.owner()
        relay, third = group.others(owner)
        lease = group.create(third)
        owner.gate.shut()
        late = group.later(group.release, relay, lease, True)
        self.assertTrue(owner.gate.held.wait(60))
        relay.stop()
        owner.kill()
        self.assertIs(group.owner(), third)
        kept = group.release(third, lease, False, wait=20)
        self.assertEqual((kept.status, kept.lease["retention"]), (200, "protected"), kept)
        relay.go_on()
        owner.gate.open()
        answer = late.result(60)
        # It had no answer within its time, or it was too late.
        self.assertIn((answer.status, answer.error),
                      [(409, "lease_changed"), (503, "account_moving")], answer)
        self.kept(group, lease)

    def test_one_request_twice(self):
        group = self.group(cluster().database())
        owner = group.owner()
        (relay,) = group.others(owner)
        lease = group.create(owner)
        first = group.release(owner, lease, False, "only-once", 20)
        events = group.events(owner, lease)
        again = group.release(relay, lease, False, "only-once", 20)
        self.assertEqual((first.status, again.status), (200, 200))
        self.assertEqual(again.lease["endedAt"], first.lease["endedAt"])
        self.assertEqual(again.headers["etag"], first.headers["etag"])
        self.assertEqual(group.events(relay, lease), events)


class Seen(Case):
    """Whoever is asked about an account says who owns it, and what is recorded of it."""

    def test_by_who_does_not_own_it(self):
        url = cluster().database()
        group = self.group(url)
        owner = group.owner()
        (other,) = group.others(owner)
        name = url.rsplit("/", 1)[1]

        def told(member, token, key):
            return member.ask("GET", "/v1/providers", token).json["providers"][0][key]

        def sql(text):
            cluster().primary.sql(text, name)

        until(lambda: told(owner, owner.admin, "message").startswith("The account is verified"))
        self.assertEqual(told(owner, owner.admin, "daemon"), "self")
        until(lambda: told(other, other.admin, "daemon") == "other")
        self.assertIn("127.0.0.1:%d" % owner.gate.port, told(other, other.admin, "message"))
        self.assertEqual(told(other, other.alice, "message"),
                         "The account is in use by another daemon.")
        ready = other.ask("GET", "/v1/providers/hetzner/readiness", other.alice).json
        self.assertEqual((ready["configured"], ready["checks"][0]["status"]), (True, "ok"))
        self.assertRegex(other.cli("providers"), r"hetzner +hetzner +ready ")
        sql("UPDATE shard SET frozen = 'a test'")
        for member in group.members:
            until(lambda member=member: told(member, member.admin, "frozen"))
            self.assertIn("a test", told(member, member.admin, "message"))
            self.assertNotIn("a test", told(member, member.alice, "message"))
        sql("UPDATE shard SET frozen = ''")
        sql("UPDATE generation SET is_fenced = 1, why = 'it is older'")
        self.assertTrue(told(other, other.admin, "fenced"))
        self.assertIn("fenced: it is older;", told(other, other.admin, "message"))
        self.assertEqual(other.metric('lessor_account_fenced{account="hetzner"}'), 1)


    def test_a_refused_token(self):
        """Only the owner asks the provider; the others, and their service managers, know it."""
        group = self.group(cluster().database())
        owner = group.owner()
        (other,) = group.others(owner)
        other.kill(signal.SIGTERM)
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(other.home + "/notify")
        manager.settimeout(60)
        os.environ["NOTIFY_SOCKET"] = other.home + "/notify"
        self.addCleanup(os.environ.pop, "NOTIFY_SOCKET", None)
        other.start()
        del os.environ["NOTIFY_SOCKET"]

        def account(member):
            return member.ask("GET", "/v1/providers", member.admin).json["providers"][0]

        def says(member, key, wanted):
            until(lambda: account(member)[key] == wanted,
                  why=lambda: "%r\n%s" % (account(member), group.said()))

        def status(wanted):
            while wanted != ("is blocked" in manager.recv(4096).decode()):
                pass

        says(other, "daemon", "other")
        until(lambda: account(other)["provenAt"])
        group.first.sim("POST", "/_sim/faults", {"match": {}, "count": "always",
                                                 "fault": {"kind": "unauthorized"}})
        for member in group.members:
            says(member, "blocked", True)
            self.assertIn("account hetzner is blocked: ", account(member)["message"])
            self.assertIn("correct its token", account(member)["message"])
            ready = member.ask("GET", "/v1/providers/hetzner/readiness", group.alice).json
            self.assertEqual((ready["configured"], ready["checks"][0]["status"]), (False, "failed"))
            self.assertEqual(member.metric('lessor_account_blocked{account="hetzner"}'), 1)
        status(True)
        group.first.no_faults()
        owner.process.send_signal(signal.SIGHUP)
        for member in group.members:
            says(member, "blocked", False)
        status(False)

    def test_a_new_token_by_who_is_flooded_with_bad_ones(self):
        """Its own address is refused too often, and each daemon reads the tokens for itself."""
        group = self.group(cluster().database())
        first, second = group.members
        bad = "lsr_00000000000000aa_" + "a" * 43

        def flood():
            return [second.ask("GET", "/v1/whoami", bad).status for _ in range(20)]

        flood()
        self.assertEqual(flood(), [429] * 20)
        token = first.token("carol@example.com", "acme", "user")
        again = group.later(flood)
        answer = until(lambda: next((a for a in [second.ask("GET", "/v1/whoami", token)]
                                     if a.status == 200), None), seconds=2)
        self.assertEqual(answer.json["owner"], "carol@example.com")
        again.result(60)


class Queued(Case):
    """What one daemon has acknowledged is in the next answer of any other."""

    def test_the_queue_of_another_daemon(self):
        group = self.group(cluster().database(), limits="max_active_per_account = 1")
        owner = group.owner()
        (other,) = group.others(owner)

        def queue(member):
            return [e["id"] for e in member.ask("GET", "/v1/queue", group.alice).json["queue"]]

        first = group.create(owner)
        self.assertEqual((queue(owner), queue(other)), ([], []))
        for member in (owner, other):
            body = cli_body(waitForCapacity=3600)
            made = member.ask("POST", "/v1/leases", group.alice, body,
                              {"Prefer": "respond-async"})
            self.assertEqual(made.status, 201, made)
            self.assertEqual((queue(other), queue(owner)), ([body["leaseID"]],) * 2)
            shown = other.ask("GET", "/v1/leases/" + body["leaseID"], group.alice).lease
            self.assertEqual(shown["queue"]["place"], 1)
            self.assertEqual(group.release(owner, made.lease, True, wait=20).status, 200)
            self.assertEqual((queue(other), queue(owner)), ([], []))
        group.release(owner, first, True, wait=20)


class Months(Case):
    """The money of a month is one sum, whichever daemon admits a lease in whichever account."""

    SMALL = {"class": "tiny", "serverType": "cx23", "serverTypeExplicit": True}

    def total(self, member):
        answer = member.ask("GET", "/v1/capacity", member.admin)
        return next(s for s in answer.json["scopes"] if s["scope"] == "total")

    @unittest.skipIf(month_is_ending(), "the month is ending")
    def test_creates_of_two_accounts_at_once(self):
        west = West()
        self.addCleanup(west.close)
        group = self.group(cluster().database(), limits="max_monthly = 1000",
                           accounts=west.section)
        for account in ("hetzner", "west"):
            def is_priced(account=account):
                lease = group.create(group.first, provider=account, **self.SMALL)
                group.release(group.first, lease, True, wait=20)
                return lease.get("hourlyPrice")
            price = until(is_priced)
        taken = until(lambda: self.total(group.first)["monthlyReserved"] == 0 and
                      self.total(group.first)["monthlyCost"])
        # 90 minutes are two hours: six leases, wherever they are.
        most = taken + 12 * price + 0.000001
        for member in group.members:
            before = member.log().count("configuration reloaded")
            member.edit("max_monthly = 1000", "max_monthly = %.6f" % most)
            member.process.send_signal(signal.SIGHUP)
            until(lambda member=member, before=before:
                  member.log().count("configuration reloaded") > before)
        asked = [group.later(member.ask, "POST", "/v1/leases", group.alice,
                             cli_body(provider=account, **self.SMALL))
                 for account in ("hetzner", "west") for member in group.members for _ in range(3)]
        answers = [one.result(120) for one in asked]
        made = [answer.lease for answer in answers if answer.status == 201]
        self.assertEqual(len(made), 6, answers)
        for answer in answers:
            if answer.status != 201:
                self.assertEqual((answer.status, answer.json["limit"]["of"]), (429, "monthlyCost"))
        for member in group.members:
            self.assertAlmostEqual(self.total(member)["monthlyCost"], taken + 12 * price, 5)
        for lease in made:
            group.release(group.first, lease, True, wait=20)
        until(lambda: self.total(group.first)["monthlyReserved"] == 0)
        self.assertAlmostEqual(self.total(group.members[1])["monthlyCost"], taken + 6 * price, 5)


class Skewed(Case):
    """A daemon whose machine's clock is two hours ahead tells the time of the database."""

    @unittest.skipUnless(SKEW, "LESSOR_SKEW is missing")
    def test_what_it_says(self):
        group = self.group(cluster().database())
        owner = group.owner()
        (other,) = group.others(owner)
        token = subprocess.run(
            [other.lessord, "token", "add", "--config", other.home + "/conf", "--owner", "dora",
             "--expires", "1h"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        with open(other.home + "/skew", "w", encoding="ascii") as file:
            file.write("7200\n")
        other.kill(signal.SIGTERM)
        with unittest.mock.patch.dict(os.environ, LD_PRELOAD=SKEW, SKEW=other.home + "/skew"):
            other.start()
        # A second later it has read the database's.
        until(lambda: other.ask("GET", "/v1/providers", other.admin).json["providers"][0][
            "daemon"] == "other", why=group.said)
        self.assertEqual(other.ask("GET", "/v1/whoami", token).status, 200)
        for member in group.members:
            seen = member.ask("GET", "/v1/capacity", group.alice).json["observedAt"]
            self.assertLess(abs(moment(seen) - time.time()), 60, member.log())
        # As the owner, too.
        owner.kill(signal.SIGTERM)
        self.assertIs(group.owner(), other)
        until(lambda: other.ask("GET", "/v1/providers", other.admin).json["providers"][0].get(
            "provenAt"), why=group.said)
        proven = other.ask("GET", "/v1/providers", other.admin).json["providers"][0]["provenAt"]
        self.assertLess(abs(moment(proven) - time.time()), 60)
        lease = group.create(other)
        kept = group.change(other, lease, "release", {
            "delete": False, "retainUntil": time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                          time.gmtime(time.time() + 3600))})
        self.assertEqual(kept.status, 200, kept)
        owner.start()


class Nothing(Case):
    """A daemon that owns no account says of a lease that there is none what its owner would say."""

    @classmethod
    def setUpClass(cls):
        cls.shared = Group(cluster().database())
        cls.addClassCleanup(cls.shared.close)
        (cls.other,) = cls.shared.others(cls.shared.owner())

    def told(self, method, path, body, token=None):
        answer = self.other.ask(method, path, token or self.shared.alice, body)
        return answer.status, answer.error

    def test_there_is_no_such_lease(self):
        for name in (new_id(), "no-such-box"):
            for method, what, body in (
                    ("POST", "heartbeat", {}), ("POST", "extend", {"ttlSeconds": 7200}),
                    ("POST", "release", {"delete": True}), ("POST", "retry", {}),
                    ("PUT", "share", {"users": {"bob@example.com": "use"}}),
                    ("DELETE", "share", {})):
                with self.subTest(what=what, name=name):
                    self.assertEqual(self.told(method, "/v1/leases/%s/%s" % (name, what), body),
                                     (404, "not_found"))
            self.assertEqual(self.told("POST", "/v1/admin/leases/%s/release" % name, {},
                                       self.other.admin), (404, "not_found"))

    def test_it_is_cancelled_before_it_comes(self):
        body = cli_body()
        path = "/v1/leases/%s/cancel-create" % body["leaseID"]
        answer = self.other.ask("POST", path, self.shared.alice,
                                {"createAttemptID": body["createAttemptID"]})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["canceledCreate"]["state"], "canceled")
        for member in self.shared.members:
            answer = member.ask("POST", "/v1/leases", self.shared.alice, body)
            self.assertEqual((answer.status, answer.error), (409, "create_canceled"))


class Repeated(Case):
    """A create that is repeated at a daemon with another default account is still that create."""

    @classmethod
    def setUpClass(cls):
        cls.west = West()
        cls.addClassCleanup(cls.west.close)
        cls.shared = Group(cluster().database(), accounts=cls.west.section)
        cls.addClassCleanup(cls.shared.close)
        second = cls.shared.members[1]
        second.kill(signal.SIGTERM)
        with open(second.home + "/conf", encoding="ascii") as file:
            text = file.read()
        at, to = text.index("[account hetzner]"), text.index("[account west]")
        with open(second.home + "/conf", "w", encoding="ascii") as file:
            file.write(text[:at] + text[to:] + "\n" + text[at:to])
        second.start()

    def both(self, method, path, body, account, headers=None):
        """From each daemon to the other; `account`: that of the first create."""
        for member, other in ((0, 1), (1, 0)):
            with self.subTest(member=member):
                member, other = self.shared.members[member], self.shared.members[other]
                lease_id = new_id()
                words = (method, path % lease_id if "%" in path else path, self.shared.alice,
                         body(lease_id), headers(lease_id) if headers else None)
                first = member.ask(*words)
                self.assertEqual(first.status, 201, self.shared.said())
                self.assertEqual(first.lease["provider"], account(member))
                for again in (other.ask(*words), member.ask(*words)):
                    self.assertEqual(again.status, 200, again)
                    self.assertEqual(again.lease["id"], first.lease["id"])
                    self.assertEqual(again.lease["provider"], first.lease["provider"])
                self.shared.release(other, first.lease, True)

    def default(self, member):
        return "hetzner" if member is self.shared.first else "west"

    def named(self, **more):
        return lambda lease_id: cli_body(lease_id, provider=..., location=..., leaseID=...,
                                         createAttemptID=..., sshPublicKey=KEY, **more)

    def test_by_its_key(self):
        self.both("POST", "/v1/leases", self.named(), self.default,
                  lambda lease_id: {"Idempotency-Key": lease_id})

    def test_by_its_id(self):
        attempt = new_attempt()
        self.both("POST", "/v1/leases", lambda lease_id: cli_body(
            lease_id, provider=..., location=..., createAttemptID=attempt), self.default)

    def test_of_a_put(self):
        self.both("PUT", "/v1/leases/%s", self.named(), self.default)

    def test_with_another_body(self):
        first, second = self.shared.members
        key = {"Idempotency-Key": new_id()}
        made = first.ask("POST", "/v1/leases", self.shared.alice, self.named()(new_id()), key)
        self.assertEqual(made.status, 201, made)
        for member in (first, second):
            answer = member.ask("POST", "/v1/leases", self.shared.alice,
                                self.named(ttlSeconds=5401)(new_id()), key)
            self.assertEqual((answer.status, answer.error), (409, "idempotency_key_reused"))
        self.shared.release(second, made.lease, True)


class Killed(Case):
    """T11: kill -9 of the owner at each point of a no-delete release; its client asks another."""

    @classmethod
    def setUpClass(cls):
        cluster().primary.set(log_statement="all")
        cls.shared = Group(cluster().database())
        cls.addClassCleanup(cls.shared.close)

    def setUp(self):
        self.addCleanup(self.shared.first.no_faults)

    def keep_at(self, is_reached, wait=20):
        """The owner is killed once that is so, and started again in the end."""
        group = self.shared
        lease = group.create(group.owner())
        live = group.change(group.first, lease, "heartbeat", {}).headers["etag"]
        owner = group.owner()
        (other,) = group.others(owner)
        first = group.later(group.release, owner, lease, False, "keep-1", wait)
        until(lambda: is_reached(lease, first), why=group.said)
        self.assertTrue(owner.owns())
        owner.kill()
        if wait:
            # No answer: the client must ask again.
            self.assertIsNotNone(first.exception(60))
        group.first.no_faults()
        # Until the new owner has seen that the account is the right one, it says "unsure".
        again = until(lambda: self.protected(other, lease))
        self.assertNotEqual(again.headers["etag"], live)
        events = group.events(other, lease)
        self.assertEqual(len([e for e in events if e["type"] == "lease.released"]), 1, events)
        # What the dead one had sent arrives now.
        group.first.sim("POST", "/_sim/release", {})
        self.kept(group, lease)
        owner.start()
        third = group.release(owner, lease, False, "keep-1", 20)
        self.assertEqual((third.status, third.lease["endedAt"], third.headers["etag"]),
                         (200, again.lease["endedAt"], again.headers["etag"]))
        self.assertEqual(group.events(owner, lease), group.events(other, lease))
        self.nobody_notifies()

    def protected(self, daemon, lease):
        """The answer to the same request, once it says that the machine is protected."""
        answer = self.shared.release(daemon, lease, False, "keep-1", 20)
        self.assertEqual(answer.status, 200, answer)
        self.assertIn(answer.lease["retention"], ("unsure", "protected"), answer)
        return answer if answer.lease["retention"] == "protected" else None

    def nobody_notifies(self):
        """T13: all of that went on without a NOTIFY that could be lost."""
        said = cluster().primary.log()
        self.assertRegex(said, r"execute .*UPDATE shard ")
        self.assertNotRegex(said, r"(?i)\b(listen|notify|pg_notify)\b[^\n]*")

    def is_held(self, _lease, _first):
        return self.shared.first.sim("GET", "/_sim/wait?held=1-&timeout_ms=20000")

    def test_before_the_label_is_written(self):
        self.shared.first.fault("s.update", "hold", 1)
        self.keep_at(self.is_held)

    def test_before_the_protection(self):
        self.shared.first.fault("s.act", "hold", 1)
        self.keep_at(self.is_held)

    def test_before_the_protections_answer(self):
        self.shared.first.fault("s.act", "delay", 1, ms=20000)
        self.keep_at(lambda lease, _first: self.shared.server(lease)["protected"])

    def test_right_after_the_answer(self):
        self.keep_at(lambda _lease, first: first.done() and first.result().status == 200, None)


class Created(Case):
    """T9: a create that is under way while its daemon dies."""

    def test_a_late_server_is_adopted(self):
        group = self.group(cluster().database())
        owner = group.owner()
        (other,) = group.others(owner)
        group.first.fault("s.create", "hold", 1)
        lease = {"id": new_id()}
        first = group.later(group.create, owner, lease_id=lease["id"])
        group.first.sim_wait("held=1")
        owner.kill()
        self.assertIsNotNone(first.exception(60))
        self.assertIs(group.owner(), other)
        # It looks, finds nothing, and concludes nothing.
        calls = self.looks(group)
        until(lambda: self.looks(group) >= calls + 2, why=group.said)
        self.assertEqual(group.lease(other, lease)["state"], "provisioning")
        group.first.sim("POST", "/_sim/release", {})
        until(lambda: group.lease(other, lease)["state"] == "active", why=group.said)
        server = group.server(lease)
        self.assertEqual(group.lease(other, lease)["cloudID"], str(server["id"]))
        calls = group.first.sim("GET", "/_sim/calls")
        self.assertEqual(calls["total"]["s.create"], 1)

    def looks(self, group):
        calls = group.first.sim("GET", "/_sim/calls")["total"]
        return calls.get("s.find", 0) + calls.get("s.list", 0)


class Pair(Case):
    """A primary and a standby that confirms nothing: what it has not received is lost with the
    primary."""

    def setUp(self):
        self.cluster = postgres.Cluster()
        self.addCleanup(self.cluster.close)
        self.database = self.cluster.database().rsplit("/", 1)[1]

    def pair(self):
        self.cluster.pair()
        self.cluster.primary.set(synchronous_standby_names="")
        until(lambda: self.cluster.primary.sql(
            "SELECT sync_state FROM pg_stat_replication") == "async")

    def cut(self):
        """From now on the standby receives nothing; it has all that was acknowledged."""
        primary, standby = self.cluster.primary, self.cluster.standby
        lsn = primary.sql("SELECT pg_current_wal_lsn()")
        until(lambda: standby.sql("SELECT pg_last_wal_replay_lsn() >= '%s'" % lsn) == "t")
        standby.set(primary_conninfo="")
        until(lambda: primary.sql("SELECT count(*) FROM pg_stat_replication") == "0")

    def provider(self, member):
        answer = member.ask("GET", "/v1/providers", member.admin)
        return answer.json["providers"][0] if answer.status == 200 else {}

    def asked(self, group, lease, delete, **headers):
        """A release, as soon as somebody owns the account."""
        def ask():
            answer = group.release(group.owner(), lease, delete, **headers)
            return answer if answer.status != 503 else None
        return until(ask, why=group.said)

    def is_frozen(self):
        """What the account's row says; daemons tell it a second later."""
        try:
            return self.cluster.primary.sql("SELECT frozen FROM shard", self.database) != ""
        except postgres.PostgresError:
            return False

    def halted(self, group):
        """Waits until the owner knows that the database may have lost something."""
        until(lambda: self.is_frozen() or self.provider(group.owner()).get("fenced"),
              why=group.said)

    def nothing_ends(self, group, lease):
        """Whatever is due, the account has been looked at after that; yet all is there."""
        for _ in range(2):
            seen = self.provider(group.owner()).get("provenAt", "")
            until(lambda: self.provider(group.owner()).get("provenAt", "") > seen, why=group.said)
        self.assertIsNotNone(group.server(lease))


class Lost(Pair):
    def test_a_permit(self):
        """T6: of a delete that is still under way, of which the new primary knows nothing."""
        self.pair()
        group = self.group(self.cluster.urls(self.database), release_wait="100ms")
        lease = group.create(group.owner())
        self.cut()
        group.first.fault("s.delete", "hold", 1)
        self.assertEqual(group.release(group.owner(), lease, True).status, 200)
        group.first.sim_wait("held=1")
        self.cluster.fail_over()
        owner = group.owner()
        self.assertEqual(group.lease(owner, lease)["state"], "active")
        answer = self.asked(group, lease, False)
        self.assertEqual((answer.status, answer.error), (409, "cleanup_in_progress"), answer)
        group.first.sim("POST", "/_sim/release", {})
        until(lambda: not group.server(lease))
        # Nobody was told that it is kept, and nobody is.
        answer = self.asked(group, lease, False)
        self.assertEqual((answer.status, answer.error), (409, "cleanup_in_progress"), answer)

    def test_a_claim(self):
        """T5: the owner before it wakes up on the promoted standby, which still names it."""
        self.pair()
        group = self.group(self.cluster.urls(self.database))
        owner = group.owner()
        (other,) = group.others(owner)
        lease = group.create(owner, ttlSeconds=10)
        self.cut()
        owner.stop()
        self.assertIs(group.owner(), other)
        kept = group.release(other, lease, False, wait=20)
        self.assertEqual((kept.status, kept.lease["retention"]), (200, "protected"), kept)
        self.cluster.fail_over()
        owner.go_on()
        self.halted(group)
        until(lambda: time.time() > moment(group.lease(other, lease)["expiresAt"]))
        self.nothing_ends(group, lease)
        # It has not ended by its time: it is active, or found to be kept by the label.
        self.assertTrue(group.server(lease)["protected"])
        left = group.lease(other, lease)
        self.assertIn((left["state"], left["cleanup"]["state"]),
                      [("active", "none"), ("released", "retained")], left)


class Forgotten(Pair):
    """T7: a no-delete release that was acknowledged, and that the database does not know of."""

    def begin(self):
        """An account with a lease that will be kept, and another."""
        group = self.group(self.cluster.urls(self.database))
        owner = group.owner()
        return group, [group.create(owner) for _ in range(2)]

    def generation(self, group):
        """In the label of the account's sentinel."""
        return max(int(key["labels"].get("lessor-gen", 0)) for key in
                   group.first.sim("GET", "/_sim/state")["ssh_keys"])

    def keep(self, group, lease):
        before = self.generation(group)
        kept = group.release(group.owner(), lease, False, wait=20)
        self.assertEqual((kept.status, kept.lease["retention"]), (200, "protected"), kept)
        until(lambda: self.generation(group) > before, why=group.said)

    def looked(self, owner):
        """What an operator does. Too early, before the account was listed, it is refused."""
        until(lambda: owner.ask("GET", "/v1/admin/sweep", owner.admin).status == 200)
        owner.cli("sweep")
        def taken_over():
            if not self.provider(owner).get("fenced"):
                return True
            answer = owner.ask("POST", "/v1/admin/accounts/hetzner/take-over", owner.admin,
                               {"looked": True, "reason": "restored"})
            self.assertIn(answer.status, (200, 409, 503), answer)
            return answer.status == 200
        until(taken_over, why=owner.log)
        def looked():
            answer = owner.ask("POST", "/v1/admin/sweep", owner.admin,
                               {"action": "looked", "provider": "hetzner"})
            self.assertIn(answer.status, (200, 202, 409, 503), answer)
            return not self.is_frozen()
        until(looked, why=owner.log)

    def is_found_again(self, group, kept, other):
        self.halted(group)
        # What was asked for before the release without delete, as far as the database knows: it
        # comes before the release is found again, or it is too late.
        asked = self.asked(group, kept, True, **{"If-Match": '"1"'})
        self.assertIn(asked.status, (200, 412), asked)
        self.assertEqual(self.asked(group, other, True).status, 200)
        self.nothing_ends(group, kept)
        owner = group.owner()
        self.looked(owner)
        until(lambda: group.lease(owner, other)["cleanup"]["state"] == "done", why=group.said)
        self.assertIsNone(group.server(other))
        self.kept(group, kept)
        self.assertIn("lessor release %s --delete" % kept["id"],
                      group.lease(owner, kept)["attention"])

    def test_after_a_fail_over(self):
        self.pair()
        group, (kept, other) = self.begin()
        self.cut()
        self.keep(group, kept)
        self.cluster.fail_over()
        self.is_found_again(group, kept, other)

    def copied(self):
        """A copy of the files, with the same identity, that is not started."""
        copy = postgres.Server(self.cluster, "copy")
        copy.port = self.cluster.primary.port
        copy.copy_of(self.cluster.primary)
        os.unlink(copy.data + "/standby.signal")
        return copy

    def swap(self, copy):
        self.cluster.primary.kill()
        self.cluster.primary = copy
        copy.start()

    def test_after_a_copy_of_the_files(self):
        group, (kept, other) = self.begin()
        copy = self.copied()
        self.keep(group, kept)
        self.swap(copy)
        self.is_found_again(group, kept, other)

    def test_after_a_restart_too(self):
        """Nobody is left who remembers: only the provider does."""
        group, (kept, other) = self.begin()
        copy = self.copied()
        self.keep(group, kept)
        for member in group.members:
            member.kill()
        self.swap(copy)
        for member in group.members:
            member.start()
        self.is_found_again(group, kept, other)


if __name__ == "__main__":
    need("LESSORD")
    if postgres.missing():
        skip(postgres.missing())
    unittest.main()
