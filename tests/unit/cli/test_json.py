# SPDX-License-Identifier: MIT
"""--json: a command that fails prints exactly one JSON object, whatever the reason."""
import json
import re

from cli_case import NOT_FOUND, Case, error, gone, lease, main, ok, owed
from cli_server import DROP, HANG, Answer

# What each command needs; a new one that needs more than a REF is added here.
WORDS = {"events": ["x"], "account": ["take-over", "hetzner", "--looked"], "resolve": ["x", "retry"],
         "extend": ["x", "1h"], "cp": ["x:a", "b"], "run": ["--", "true"]}
# They take any number of words.
OPEN = {"run", "ssh", "ssh-config"}
# They repeat a request whose outcome is unknown.
REPEAT = {"create", "release", "run"}
# They ask nobody, or report the failure as a result (doctor: tests/api/test_doctor.py).
LOCAL = {"context", "doctor", "help", "login", "logout", "version"}
NO_SETTINGS = "no URL of lessord"


class Json(Case):
    def serve(self, script):
        server = super().serve(script)
        server.is_classes_scripted = True
        return server

    def commands(self, own=True):
        table = self.run_cli("--help", code=0).out.split("commands:\n")[1].split("\n\nopt")[0]
        names = [line.split()[0] for line in table.splitlines() if line.startswith("  ")]
        self.assertGreater(len(names), 11)
        for name in names:
            if name in LOCAL and not own:
                continue
            usage = self.run_cli(name, "--help", code=0).out.splitlines()[0]
            words = WORDS.get(name, ["x"] * len(re.findall(r"(?:\s|^)REF(?:\s|$)", usage)))
            yield [name, *words]

    def failure(self, words, code, want, status=None):
        """The one object of a command that fails as it should."""
        r = self.run_cli(*words[:1], "--json", *words[1:])
        doc = r.json()
        self.assertEqual((r.code, doc["error"], doc.get("status")), (code, want, status), r.err)
        self.assertEqual(list(doc)[:2], ["error", "message"])
        self.assertTrue(doc["message"])
        self.assertNotIn("\n", doc["message"])
        self.assertTrue(r.err, "people are told, too")
        return doc

    def test_u10_invalid_usage(self):
        for words in self.commands():
            self.failure([words[0], "--no-such", *words[1:]], 2, "invalid_usage")
            if words[0] not in OPEN:
                self.failure([*words, *"abcd"], 2, "invalid_usage")
        for words in ([], ["nonsense"], ["list", "--state", "bogus"], ["--url"],
                      ["list", "--all", "--retained"], ["show"]):
            self.failure(words, 2, "invalid_usage")

    def test_u10_no_settings(self):
        self.env.pop("LESSOR_URL", None)
        for words in self.commands(own=False):
            self.assertIn(NO_SETTINGS, self.failure(words, 2, "invalid_settings")["message"])

    def test_u10_unreachable(self):
        self.env["LESSOR_URL"] = "http://127.0.0.1:1"
        for words in self.commands(own=False):
            doc = self.failure(words, 7, "unreachable")
            self.assertIn("cannot connect to http://127.0.0.1:1", doc["message"])

    def test_u10_refused(self):
        """The response's own members are there as well."""
        limit = {"scope": "owner", "used": 2, "max": 2}
        self.serve(lambda r: error(429, "cost_limit_exceeded", "You have 2 of 2.", limit=limit))
        for words in self.commands(own=False):
            if words[0] in REPEAT - {"create"}:     # a 429, too
                continue
            doc = self.failure(words, 4, "cost_limit_exceeded", 429)
            self.assertEqual((doc["message"], doc["limit"]), ("You have 2 of 2.", limit))
        self.serve(lambda r: Answer(400, raw=b"<html>what"))
        for words in self.commands(own=False):
            self.failure(words, 4, "http_error", 400)
        self.serve(lambda r: error(401, "unauthorized", "The token expired."))
        for words in self.commands(own=False):
            self.assertIn("The token expired.",
                          self.failure(words, 5, "unauthorized", 401)["message"])

    def test_u10_text_1_there_is_no_such_lease(self):
        text = "there is no lease '%s' of yours; lessor list --all shows those that ended"
        for answer in (NOT_FOUND, Answer(404, {"error": "not_found"}),
                       error(404, "not_found", "There is no lease 'x' of yours.")):
            self.serve(lambda r: error(404, "not_found", "Not found.")
                       if not r.path.startswith(("/v1/leases/x", "/v1/admin/leases/x"))
                       else answer)
            for words in self.commands(own=False):
                doc = self.failure(words, 3, "not_found", 404)
                if words[1:2] == ["x"] and answer is not NOT_FOUND:
                    self.assertEqual(doc["message"], text % "x")
        r = self.run_cli("show", "no pe/", code=3)
        self.assertIn("Not found. (not_found, HTTP 404)", r.err)
        self.serve(lambda r: Answer(404, {"error": "not_found"}))
        self.assertEqual(self.run_cli("show", "no pe/", code=3).err,
                         "lessor: show: " + text % "no pe/" + "\n")

    def test_u10_a_response_that_is_none(self):
        self.serve(lambda r: Answer(200, raw=b"[]"))
        for words in self.commands(own=False):
            if words[0] in REPEAT:
                continue
            self.failure(words, 1, "invalid_response", 200)
        self.serve(lambda r: Answer(200, {"lease": {}}))
        self.failure(["show", "x"], 1, "invalid_response", 200)

    def test_u10_a_lease_that_failed(self):
        self.serve(lambda r: ok(gone("failed", failureError="no capacity")))
        doc = self.failure(["create"], 6, "provisioning_failed")
        self.assertIn("failed: no capacity", doc["message"])
        self.assertEqual(doc["lease"]["state"], "failed")
        self.serve(lambda r: error(422, "provisioning_failed", "No such type.",
                                   lease=gone("failed")))
        doc = self.failure(["create"], 6, "provisioning_failed")
        self.assertEqual(doc["lease"]["state"], "failed")
        self.serve(lambda r: ok(lease("provisioning")))
        self.assertIn("timed out", self.failure(["create", "--wait=1s"], 7, "unreachable")["message"])

    def test_u10_what_is_left(self):
        self.serve(lambda r: ok(owed(cleanup="attention")))
        doc = self.failure_quiet(["release", "x"], 8, "cleanup_pending")
        self.assertEqual(len(doc["lease"]["cleanup"]["residue"]), 2)

    def failure_quiet(self, words, code, want):
        r = self.run_cli(*words, "--json", code=code)
        self.assertEqual(r.json()["error"], want)
        return r.json()

    def test_u10_interrupted(self):
        for words, method, end in ((["show", "x"], "GET", "/x"),
                                   (["release", "x"], "POST", "/release")):
            server = self.serve(lambda r: HANG)
            r = self.interrupt_when(server, method, end, [*words, "--json"])
            self.assertEqual((r.code, r.json()["error"]), (130, "interrupted"))

    def test_u10_lost(self):
        self.serve(lambda r: DROP)
        self.failure(["show", "x"], 7, "no_response")

    def test_success_is_one_document(self):
        self.serve(lambda r: Answer(200, {"events": [{"seq": 1, "at": "t", "kind": "a"}]})
                   if r.path.endswith("/events") else ok(gone()))
        for words in (["show", "x"], ["release", "x"], ["list"], ["events", "x"]):
            self.assertNotIn("error", self.run_cli(*words, "--json", code=0).json())


if __name__ == "__main__":
    main()
