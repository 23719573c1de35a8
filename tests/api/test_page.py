#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The files of the web page, as the daemon serves them."""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BrokerCase, until  # noqa: E402

LOAD_MOST = 100 * 1000
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
         "mjs": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
POLICY = {"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'",
          "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
          "require-trusted-types-for 'script'", "trusted-types 'none'"}
HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "..", "..", "broker", "page")


class Page(BrokerCase):
    def files(self):
        """All that the index needs, directly or by what that imports: path to answer."""
        found, left = {}, ["/"]
        while left:
            path = left.pop()
            if path in found:
                continue
            answer = self.ask("GET", path)
            self.assertEqual(answer.status, 200, path)
            found[path] = answer
            text = answer.body.decode("utf-8")
            left += re.findall(r"""(?:(?:src|href)="|from '|import\(')(/page/[^"']+)""", text)
        return found

    def test_a_first_load_is_small_and_complete(self):
        files = self.files()
        served = {path.replace("/page/", "") for path in files if path != "/"} | {"index.html"}
        self.assertEqual(served, {name for name in os.listdir(SOURCES)
                                  if name.rsplit(".", 1)[-1] in TYPES})
        self.assertLess(sum(len(answer.body) for answer in files.values()), LOAD_MOST)
        for path, answer in files.items():
            with open(os.path.join(SOURCES, os.path.basename(path) or "index.html"), "rb") as file:
                self.assertEqual(answer.body, file.read(), path)

    def test_nothing_comes_from_elsewhere(self):
        for path, answer in self.files().items():
            text = answer.body.decode("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
            self.assertIsNone(re.search(r"https?:|//[a-z0-9-]+\.|\bdata:,|@import|[\s:]url\(", text),
                              path)
            if path.endswith(".mjs"):
                for risky in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(",
                              "localStorage", "sessionStorage", "document.cookie", "indexedDB",
                              ".style"):
                    self.assertNotIn(risky, text, path)
            else:
                self.assertIsNone(re.search(r"(?i)<style|\sstyle=|\son[a-z]+=|<script>", text), path)

    def test_each_has_its_type_and_the_policy(self):
        for path, answer in self.files().items():
            kind = path.rsplit(".", 1)[-1] if path != "/" else "html"
            self.assertEqual(answer.headers["content-type"], TYPES[kind], path)
            self.assertEqual(set(answer.headers["content-security-policy"].split("; ")), POLICY)
            for name, value in (("X-Content-Type-Options", "nosniff"),
                                ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-cache"),
                                ("Cross-Origin-Opener-Policy", "same-origin"),
                                ("Cross-Origin-Resource-Policy", "same-origin")):
                self.assertEqual(answer.headers[name.lower()], value, path)
            self.assertIsNone(answer.headers.get("set-cookie"))

    def test_a_tag_saves_the_body(self):
        for path, answer in self.files().items():
            tag = answer.headers["etag"]
            for sent in (tag, "W/" + tag, '"other", ' + tag, "*"):
                again = self.ask("GET", path, None, None, {"If-None-Match": sent})
                self.assertEqual((again.status, again.body), (304, b""), path)
                self.assertEqual(again.headers["etag"], tag)
                self.assertIn("content-security-policy", again.headers)
            again = self.ask("GET", path, None, None, {"If-None-Match": '"other"'})
            self.assertEqual((again.status, again.body), (200, answer.body))
            head = self.ask("HEAD", path)
            self.assertEqual((head.status, head.body), (200, b""))
            self.assertEqual(head.headers["content-length"], str(len(answer.body)))

    def test_a_run_has_the_same_page(self):
        index = self.ask("GET", "/").body
        for path in ("/portal/runs/run_0123456789ab", "/portal/runs/%3Cscript%3E", "/?a=b",
                     "/portal/runs/x?y"):
            answer = self.ask("GET", path)
            self.assertEqual((answer.status, answer.body), (200, index), path)

    def test_everything_else_stays_as_it_was(self):
        for path in ("/page/", "/page/none.mjs", "/page/page.c", "/page/..%2fpage.css", "/page",
                     "/page/page.css/x", "/index.html", "/favicon.ico"):
            answer = self.ask("GET", path)
            self.assertEqual((answer.status, answer.error), (404, "not_found"), path)
            self.assertEqual(answer.headers["content-type"], "application/json", path)
        for path in ("/", "/page/page.css", "/portal/runs/run_1"):
            answer = self.ask("POST", path, self.broker.admin, {})
            self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET, HEAD"), path)
        foreign = self.ask("GET", "/page/main.mjs", None, None, {"Origin": "http://elsewhere.test"})
        self.assertEqual((foreign.status, foreign.error), (403, "origin_not_allowed"))

    def test_accounts_tell_their_generation_and_requests(self):
        def account():
            return self.ask("GET", "/v1/providers", self.broker.reader).json["providers"][0]
        until(lambda: account().get("generation", 0) > 0 and account().get("requestsLeft", 0) > 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
