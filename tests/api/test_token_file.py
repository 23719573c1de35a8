#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A new provider token in token_file is taken over at SIGHUP: proven before anything is deleted
with it, or refused with the file and the reason. And a credential that the provider refuses."""

import os
import signal
import socket
import tempfile
import unittest

from harness import Broker, CLOUD_TOKEN, cli_body, until

NEW = "simulated-token-which-replaces-the-other-0123456789abcdefgh"


class TokenFile(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="lessor-notify-")
        self.addCleanup(place.cleanup)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(place.name + "/notify")
        self.manager.settimeout(60)
        os.environ["NOTIFY_SOCKET"] = place.name + "/notify"
        self.addCleanup(os.environ.pop, "NOTIFY_SOCKET")
        self.broker = Broker(server="probe = 1s")
        self.addCleanup(self.broker.close)

    def write(self, text, mode=0o600):
        path = self.broker.home + "/token"
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)

    def hup(self, *words):
        """Reloads and waits until the log says all the words."""
        before = len(self.broker.log())
        self.broker.process.send_signal(signal.SIGHUP)
        for word in words:
            until(lambda word=word: word in self.broker.log()[before:],
                  why=lambda: self.broker.log()[before:])

    def make(self):
        answer = self.broker.ask("POST", "/v1/leases", self.broker.alice, cli_body())
        self.assertEqual(answer.status, 201, answer)
        return answer.lease

    def release(self, lease):
        return self.broker.ask("POST", "/v1/leases/%s/release" % lease["id"], self.broker.alice,
                               {"delete": True})

    def test_d11_a_new_token_is_used_at_once(self):
        lease = self.make()
        self.broker.sim("POST", "/_sim/token", {"token": NEW})
        self.write(NEW + "\n")
        self.hup("account hetzner uses the new provider token", "configuration reloaded")
        self.broker.sim("POST", "/_sim/token", {"token": CLOUD_TOKEN, "revoked": True})
        self.release(self.make())
        self.release(lease)
        self.broker.sim_wait("servers=0")
        # Read again without a change, nothing is said about it.
        before = self.broker.log().count("uses the new provider token")
        self.hup("configuration reloaded")
        self.assertEqual(self.broker.log().count("uses the new provider token"), before)
        self.assertNotIn(NEW, self.broker.log())

    def test_d11_a_token_of_another_project_deletes_and_concludes_nothing(self):
        lease = self.make()
        self.broker.sim("POST", "/_sim/token", {"token": NEW, "project": 1})
        self.write(NEW)
        self.hup("account hetzner uses the new provider token", "account hetzner is blocked")
        self.release(lease)
        self.assertEqual(len(self.broker.servers()), 1)
        found = self.broker.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice).lease
        self.assertNotEqual(found["cleanup"]["state"], "done")
        self.write(CLOUD_TOKEN)
        self.hup("account hetzner uses the new provider token", "account hetzner is verified again")
        self.broker.sim_wait("servers=0")

    def test_d11_a_token_file_that_cannot_be_read_refuses_the_reload(self):
        path = self.broker.home + "/token"
        lease = self.make()
        self.write("")
        self.hup("the token file " + path + " is empty; nothing was changed")
        self.write(NEW, 0o644)
        self.hup("the token file " + path + " with mode 0644", "nothing was changed")
        self.write("two words")
        self.hup("the token file " + path + " must contain one line", "nothing was changed")
        os.unlink(path)
        self.hup("cannot open the token file " + path, "nothing was changed")
        self.release(lease)
        self.broker.sim_wait("servers=0")

    def status(self, *words):
        """Waits for a status text with all the words; one without any of them: no words."""
        while True:
            text = self.manager.recv(4096).decode().rpartition("STATUS=")[2]
            if all(word in text for word in words) if words else text == "serving":
                return

    def test_p4_a_refused_credential_is_counted_and_shown(self):
        self.broker.sim("POST", "/_sim/token", {"token": CLOUD_TOKEN, "revoked": True})
        until(lambda: self.broker.metric('lessor_account_calls_failed_total{account="hetzner"}'))
        until(lambda: self.broker.metric('lessor_account_blocked{account="hetzner"}'))
        self.status("account hetzner is blocked: ")
        self.broker.sim("POST", "/_sim/token", {"token": CLOUD_TOKEN, "revoked": False})
        self.status()


if __name__ == "__main__":
    unittest.main()
