#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Images that retire under a configuration: what the account says, and what a create is told."""
import json
import tempfile
import unittest

from harness import Broker, cli_body, until

IMAGE = "ubuntu-24.04"


class Retired(unittest.TestCase):
    def broker(self, ends, types=(), **config):
        """A broker in a cloud whose image ends then, and that no longer has these types."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as scenario:
            json.dump({"config": config, "catalogue": {"retired": [
                {"image": IMAGE, "announced": "2025-01-01T00:00:00Z", "unavailable_after": ends},
                *({"type": name, "announced": "2025-01-01T00:00:00Z", "in_ms": 0}
                  for name in types)]}}, scenario)
            scenario.flush()
            broker = Broker(sim_options=("--scenario", scenario.name))
        self.addCleanup(broker.close)
        return broker

    def says(self, broker, text):
        def message():
            return broker.ask("GET", "/v1/providers", broker.alice).json["providers"][0]["message"]

        until(lambda: text in message(), why=message)
        self.assertTrue(message().startswith("The account is verified and in use. "))
        ready = broker.ask("GET", "/v1/providers/hetzner/readiness", broker.alice).json
        self.assertEqual((ready["configured"], ready["message"]), (True, message()))
        self.assertIn(text, broker.cli("providers"))
        self.assertIn("account hetzner: ", broker.log())

    def test_s4_the_account_says_when_its_image_retires(self):
        broker = self.broker("2036-12-31T00:00:00Z")
        self.says(broker, f"Its image '{IMAGE}' retires on 2036-12-31;")
        made = broker.ask("POST", "/v1/leases", broker.alice, cli_body())
        self.assertEqual((made.status, made.lease["state"]), (201, "active"))

    def test_s4_the_account_says_which_types_of_its_classes_are_gone(self):
        broker = self.broker("2036-12-31T00:00:00Z", types=("ccx63", "ccx53"))
        self.says(broker, "The provider does not offer types of the classes: ccx53, ccx63.")
        made = broker.ask("POST", "/v1/leases", broker.alice, cli_body())
        self.assertEqual((made.status, made.lease["serverType"]), (201, "ccx43"))
        self.assertEqual(broker.sim("GET", "/_sim/calls")["total"]["s.create"], 1)

    def test_s3_s4_a_create_with_an_image_that_is_gone_is_one_order(self):
        for old in (False, True):
            broker = self.broker("2026-01-01T00:00:00Z", image_field=old)
            self.says(broker, f"The provider has no image '{IMAGE}';")
            answer = broker.ask("POST", "/v1/leases", broker.alice, cli_body())
            self.assertEqual((answer.status, answer.error), (422, "provisioning_failed"), answer)
            self.assertIn(f"image '{IMAGE}'; choose another image", answer.lease["failureError"])
            self.assertEqual(broker.sim("GET", "/_sim/calls")["total"]["s.create"], 1)
            self.assertEqual(broker.servers(), [])
            other = broker.ask("POST", "/v1/leases", broker.alice, cli_body(image="debian-12"))
            self.assertEqual((other.status, other.lease["state"]), (201, "active"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
