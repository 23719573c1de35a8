# SPDX-License-Identifier: MIT
"""Where a machine is created and from which image: preferences of the client, unless it insists
or the account says otherwise. The crabbox client always sends `"location": "fsn1"` and an
image."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BrokerCase, cli_body, new_key  # noqa: E402

PLACES = "locations = fsn1, nbg1\n"


def notices(answer):
    return {n["code"]: n["message"] for n in answer.lease.get("notices", [])}


class Place(BrokerCase):
    # The answers say where the machine is, also on a busy machine.
    options = {"create_wait": "50s"}

    def setUp(self):
        self.conf = self.broker.home + "/conf"
        with open(self.conf, encoding="ascii") as file:
            self.before = file.read()
        with open(self.broker.home + "/key.pub", "w", encoding="ascii") as file:
            file.write(new_key() + "\n")

    def tearDown(self):
        self.broker.sim("POST", "/_sim/catalogue", {"available": [{}]})
        for lease in self.ask("GET", "/v1/leases?state=active", self.broker.alice).json["leases"]:
            self.release(lease)
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(self.before)

    def account(self, places=PLACES):
        """Restarts with another account; what was sold out is forgotten."""
        self.broker.kill()
        if places != PLACES:
            self.broker.edit(PLACES, places)
        self.broker.start()

    def sold_out(self, *places):
        self.broker.sim("POST", "/_sim/catalogue", {"sold_out": [{"location": p} for p in places]})

    def post(self, status=201, method="POST", headers=None, **changes):
        body = cli_body(**{"class": "tiny", "serverType": "ccx13", **changes})
        path = "/v1/leases" + ("/" + body["leaseID"] if method == "PUT" else "")
        answer = self.ask(method, path, self.broker.alice, body, headers)
        self.assertEqual(answer.status, status, answer)
        return answer

    def refused(self, code, names, **changes):
        answer = self.post(status=400, **changes)
        self.assertEqual(answer.error, code)
        for name in names:
            self.assertIn(name, answer.json["message"])

    def test_x1_a_location_that_the_account_does_not_have(self):
        self.account("locations = nbg1, hel1\n")
        said = "fsn1 is not a location of account hetzner; this machine is in nbg1"
        made = self.post()
        self.assertEqual((made.lease["region"], made.lease["state"]), ("nbg1", "active"))
        self.assertEqual(notices(made), {"location_fallback": said})
        body = cli_body(createAttemptID=..., **{"class": "tiny"})
        for status in (201, 200):  # the repeated request gets the notice again
            again = self.ask("PUT", "/v1/leases/" + body["leaseID"], self.broker.alice, body)
            self.assertEqual((again.status, notices(again)), (status, {"location_fallback": said}))
        # Told before there is a machine.
        early = self.post(headers={"Prefer": "respond-async"})
        self.assertRegex(notices(early)["location_fallback"], "^fsn1 is not a location of account "
                         "hetzner; (another one is used|this machine is in nbg1)$")
        self.release(early.lease)
        self.refused("location_not_allowed", ("nbg1", "hel1"), locationExplicit=True)
        # Nonsense is refused, not replaced.
        self.refused("location_not_allowed", ("nbg1",), location="../etc")

    def test_x1_another_location_if_the_first_is_sold_out(self):
        self.account()
        self.sold_out("fsn1")
        made = self.post()
        self.assertEqual(made.lease["region"], "nbg1")
        self.assertEqual(made.lease["serverType"], "ccx13")
        self.assertRegex(notices(made)["location_fallback"],
                         "^fsn1 is not available .*; this machine is in nbg1$")
        self.assertEqual([a["region"] for a in made.lease["provisioningAttempts"]], ["fsn1"])
        # Whoever insists gets an answer instead of a machine elsewhere.
        answer = self.post(status=409, locationExplicit=True)
        self.assertEqual(answer.error, "provisioning_failed")
        self.assertEqual({a["region"] for a in answer.json["provisioningAttempts"]}, {"fsn1"})

    def test_x1_the_preferred_location_is_the_first(self):
        self.account()
        self.assertEqual(self.post(location="nbg1").lease["region"], "nbg1")
        self.assertEqual(self.post(location=...).lease["region"], "fsn1")
        self.sold_out("nbg1")
        made = self.post(location="nbg1")
        self.assertEqual(made.lease["region"], "fsn1")
        self.assertEqual(list(notices(made)), ["location_fallback"])

    def test_x1_x2_an_account_that_requires(self):
        self.account(PLACES + "client_location = require\nclient_image = require\n")
        self.refused("location_not_allowed", ("fsn1", "nbg1"), location="hel1")
        self.refused("image_not_allowed", ("ubuntu-24.04", "debian-12"), image="ubuntu-26.04")
        self.sold_out("fsn1")
        self.assertEqual(self.post(status=409).error, "provisioning_failed")

    def test_x1_x2_an_account_that_ignores(self):
        self.account("locations = nbg1\nclient_location = ignore\nclient_image = ignore\n")
        made = self.post(image="debian-12")
        self.assertEqual((made.lease["region"], made.lease["imageName"]),
                         ("nbg1", "ubuntu-24.04"))
        self.assertNotIn("notices", made.lease)
        made = self.post(location="nbg1", locationExplicit=True, image="debian-12",
                         imageExplicit=True)
        self.assertEqual(made.lease["imageName"], "debian-12")
        self.refused("location_not_allowed", ("nbg1",), locationExplicit=True)

    def test_x2_an_image_that_the_account_does_not_have(self):
        self.account()
        made = self.post(image="ubuntu-26.04", os="ubuntu:26.04")
        self.assertEqual(made.lease["imageName"], "ubuntu-24.04")
        self.assertEqual(notices(made), {"image_replaced": "image ubuntu-26.04 is not offered "
                                         "here; this machine has ubuntu-24.04"})
        self.assertEqual([s["image"]["name"] for s in self.broker.cloud_ask(
            "GET", "/servers")["servers"]], ["ubuntu-24.04"])
        self.assertEqual(self.post(image="debian-12").lease["imageName"], "debian-12")
        self.refused("image_not_allowed", ("ubuntu-24.04", "debian-12"), image="ubuntu-26.04",
                     imageExplicit=True)
        self.refused("image_not_allowed", ("debian-12",), image="http://169.254.169.254/")

    def test_x1_x2_lessor_create_insists(self):
        self.account()
        words = ("create", "--class", "tiny", "--ssh-key", self.broker.home + "/key.pub")
        for option, value, known in (("--location", "hel1", "fsn1, nbg1"),
                                     ("--image", "ubuntu-26.04", "ubuntu-24.04, debian-12")):
            said = self.broker.cli(*words, option, value, token=self.broker.alice, code=4)
            self.assertIn(known, said)
        self.sold_out("nbg1")
        said = self.broker.cli(*words, "--location", "nbg1", token=self.broker.alice, code=6)
        self.assertIn("nbg1", said)
        self.assertNotIn("fsn1", said)
        self.broker.cli(*words, "--location", "fsn1", "--image", "debian-12",
                        token=self.broker.alice)


if __name__ == "__main__":
    unittest.main()
