# SPDX-License-Identifier: MIT
"""Texts: each says what is the case and what to do next."""

import re
import signal
import subprocess
import unittest

from harness import CLOUD_TOKEN, KEY, Broker, cli_body, until


class Case(unittest.TestCase):
    def start(self, **options):
        broker = Broker(**options)
        self.addCleanup(broker.close)
        return broker


class TwoLeasesWithOneKey(Case):
    """Which is ordinary: nothing hangs, nothing counts twice, nothing is left."""

    def make(self, broker):
        answer = broker.ask("POST", "/v1/leases", broker.alice, cli_body(sshPublicKey=KEY))
        self.assertEqual(answer.status, 201, answer)
        return answer.lease

    def release(self, broker, lease):
        path = "/v1/leases/" + lease["id"]
        broker.ask("POST", path + "/release", broker.alice, {"delete": True})
        until(lambda: broker.ask("GET", path, broker.alice).lease["cleanup"]["state"] == "done")

    def lives(self, broker, order):
        made = [self.make(broker), self.make(broker)]
        # Each counts once, so one more is one too many.
        answer = broker.ask("POST", "/v1/leases", broker.alice, cli_body(sshPublicKey=KEY))
        self.assertEqual(answer.error, "cost_limit_exceeded")
        for lease in order(made):
            self.release(broker, lease)
            # It no longer counts, although the other one still has the key.
            self.release(broker, self.make(broker))
        self.assertEqual(broker.ask("GET", "/v1/leases?attention=true", broker.admin).json,
                         {"leases": []})
        for lease in made:
            events = broker.ask("GET", "/v1/leases/%s/events" % lease["id"], broker.admin).json
            self.assertNotIn("lease.attention", [e["type"] for e in events["events"]])
        cloud = broker.sim("GET", "/_sim/state")
        self.assertEqual(cloud["servers"], [])
        self.assertEqual([k["labels"]["lessor-kind"] for k in cloud["ssh_keys"]], ["sentinel"])

    def both_orders(self, keys):
        broker = self.start(limits="max_active_per_owner = 2", accounts="keys = " + keys)
        for order in (list, reversed):
            with self.subTest(order=order):
                self.lives(broker, order)

    def test_text_2_two_leases_with_one_key_of_their_own(self):
        self.both_orders("lease")

    def test_text_2_two_leases_with_one_key_and_account_keys(self):
        self.both_orders("account")


class Token(Case):
    def add(self, broker, *more):
        return subprocess.run(
            [broker.lessord, "token", "add", "--config", broker.home + "/conf", "--owner", "carol",
             *more], check=True, capture_output=True, text=True).stdout.strip()

    def refusal(self, broker, token):
        answer = broker.ask("GET", "/v1/leases", token)
        self.assertEqual((answer.status, answer.error), (401, "unauthorized"))
        return answer.json["message"]

    def test_text_7_an_ended_token_says_when_it_ended(self):
        broker = self.start()
        brief, revoked = self.add(broker, "--expires", "1s"), self.add(broker)
        broker.revoke(revoked)
        day = r" on \d{4}-\d\d-\d\d at \d\d:\d\d:\d\d UTC; ask an operator for a new one$"
        until(lambda: broker.ask("GET", "/v1/leases", brief).status == 401)
        self.assertRegex(self.refusal(broker, brief), "^this token expired" + day)
        self.assertRegex(self.refusal(broker, revoked), "^this token was revoked" + day)
        # Who has not the whole token learns nothing.
        for token in (revoked, "lsr_0000000000000000_" + 43 * "0"):
            wrong = token[:-1] + ("b" if token[-1] == "a" else "a")
            self.assertEqual(self.refusal(broker, wrong),
                             "a valid bearer token is required; this one is not known here")
        self.assertEqual(self.refusal(broker, None), "a bearer token is required")
        said = broker.cli("list", token=brief, code=5)
        self.assertRegex(said, "^lessor: list: this token expired on")

    def tool(self, broker, *words, code=0):
        done = subprocess.run([broker.lessord, "token", *words, "--config", broker.home + "/conf"],
                              check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done)
        return done.stderr

    def test_text_7_the_tool_says_what_became_of_a_token(self):
        broker = self.start()
        said = self.tool(broker, "add", "--owner", "dave", "--expires", "1h")
        self.assertRegex(said, r"^Token [0-9a-f]{16} of dave \(user\), valid until \S+Z\. It will not be "
                         r"shown again\.\nIts user sets LESSOR_TOKEN, or token_file ")
        token = self.add(broker)
        # A token that was found somewhere is revoked as it is.
        self.assertEqual(self.tool(broker, "revoke", token), "Token %s is revoked.\n" % token[4:20])
        self.assertRegex(self.tool(broker, "revoke", token[4:20], code=2),
                         r"^lessord: token %s was revoked already, on \S+Z$" % token[4:20])
        for other in (token[4:20] + "0", token[4:19], "x"):
            self.assertEqual(self.tool(broker, "revoke", other, code=2),
                             "lessord: there is no token with this id; lessord token list shows the "
                             "ids\n")


class Account(Case):
    def test_text_9_a_blocked_account_says_why_and_what_to_do(self):
        broker = self.start()
        broker.sim("POST", "/_sim/token", {"token": CLOUD_TOKEN, "revoked": True})
        # The first create finds out.
        broker.ask("POST", "/v1/leases", broker.alice, cli_body())
        until(lambda: broker.ask("POST", "/v1/leases", broker.alice, cli_body()).status == 424)

        def refusal(token):
            answer = broker.ask("POST", "/v1/leases", token, cli_body())
            self.assertEqual((answer.status, answer.error), (424, "provider_not_configured"))
            return answer.json["message"]

        self.assertEqual(refusal(broker.alice),
                         "account hetzner cannot be used until an operator has acted; tell an "
                         "operator, or choose another account")
        said = refusal(broker.admin)
        self.assertRegex(said, "^account hetzner is blocked: .+; correct its token, then run: "
                         "systemctl reload lessord$")
        providers = broker.ask("GET", "/v1/providers", broker.admin).json["providers"]
        self.assertEqual(providers[0]["message"], said)
        said = broker.ask("GET", "/v1/providers", broker.alice).json["providers"][0]["message"]
        self.assertEqual(said, "The account cannot be used until an operator has acted. Tell an "
                         "operator, or choose another account.")
        # What it says to do resolves it, and at once.
        broker.sim("POST", "/_sim/token", {"token": CLOUD_TOKEN, "revoked": False})
        broker.process.send_signal(signal.SIGHUP)
        until(lambda: broker.ask("POST", "/v1/leases", broker.alice, cli_body()).status == 201)

    def test_text_11_an_unknown_account_is_named_and_the_known_ones_are_listed(self):
        broker = self.start()
        said = "there is no account 'nope'; accounts: hetzner"
        self.assertIn(said, broker.cli("create", "--account", "nope", "--ssh-key", self.key(broker),
                                       code=4))
        self.assertIn(said, broker.cli("sweep", "--run", "--account", "nope", code=4))
        self.assertIn(said, broker.cli("account", "take-over", "nope", "--looked", code=3))
        for path in ("/v1/pool?provider=nope", "/v1/providers/nope/readiness"):
            self.assertEqual(broker.ask("GET", path, broker.admin).json["message"], said)
        # Only a plain word is repeated.
        answer = broker.ask("POST", "/v1/leases", broker.alice, cli_body(provider="http 404"))
        self.assertEqual((answer.status, answer.json["message"]),
                         (400, "there is no account of this name; accounts: hetzner"))

    def key(self, broker):
        with open(broker.home + "/key.pub", "w", encoding="ascii") as file:
            file.write(KEY + "\n")
        return broker.home + "/key.pub"


class Reload(Case):
    def reload(self, broker):
        """Returns what a reload logs."""
        before = len(broker.log())
        broker.process.send_signal(signal.SIGHUP)
        until(lambda: "configuration reloaded" in broker.log()[before:])
        return broker.log()[before:]

    def test_text_10_a_reload_says_what_was_applied_and_what_needs_a_restart(self):
        broker = self.start(limits="max_active = 5", server="drain = 3s")
        again = "; tokens, CAs and TLS certificates were read again"
        self.assertIn("configuration reloaded: no setting has changed" + again, self.reload(broker))
        broker.edit("max_active = 5", "max_active = 6\nmax_ttl = 2d")
        broker.edit("drain = 3s", "drain = 4s\nboot_timeout = 9m")
        broker.edit("images = ubuntu-24.04, debian-12", "images = ubuntu-24.04")
        broker.edit("poll = 50ms", "poll = 60ms\nmax_steps = 3")
        said = self.reload(broker)
        self.assertIn("configuration reloaded: [limits] max_active = 6, max_ttl = 2d" + again, said)
        self.assertIn("needs a restart: [server] boot_timeout, drain; [account hetzner] images, "
                      "max_steps, poll; until then", said)
        # What is in effect now is no news; what is not, is still said.
        said = self.reload(broker)
        self.assertIn("configuration reloaded: no other setting has changed" + again, said)
        self.assertIn("needs a restart: [server] boot_timeout, drain;", said)


class Trouble(Case):
    def test_text_9_an_account_that_cannot_be_verified_is_a_warning_with_the_reason(self):
        broker = self.start(server="probe = 100ms")
        broker.fault("k.get", "error", status=503, code="unavailable")
        until(lambda: re.search("warning account hetzner cannot be verified: .+; nothing is created, "
                                "deleted or concluded", broker.log()))
        broker.no_faults()
        until(lambda: "account hetzner is verified again" in broker.log())

    def test_text_9_a_sweep_that_did_not_complete_says_what_to_run(self):
        broker = self.start()
        broker.fault(["s.find", "s.list"], "error", status=503, code="unavailable")
        broker.cli("sweep", "--run")
        until(lambda: "did not complete" in broker.cli("sweep"))
        self.assertRegex(broker.cli("sweep"), "(?m)^hetzner: the last sweep did not complete: .*; to "
                         "repeat it: lessor sweep --run$")


if __name__ == "__main__":
    unittest.main()
