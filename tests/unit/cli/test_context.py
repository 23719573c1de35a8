# SPDX-License-Identifier: MIT
"""login, logout, context and version: the saved servers, and which of them is used."""
import os
import pty
import select
import signal
import subprocess

from cli_case import PROGRAM, Case, error, main
from cli_server import Answer

WHO = {"owner": "alice@example.com", "org": "acme", "admin": False, "auth": "bearer",
       "role": "user", "version": "0.9.9"}


class Context(Case):
    def setUp(self):
        super().setUp()
        del self.env["LESSOR_TOKEN"]
        self.dir = self.home + "/.config/lessor/"

    def server(self, token="tok-1", owner="alice@example.com"):
        """Knows one token; its URL is not in the environment."""
        server = self.serve(lambda r: Answer(200, dict(WHO, owner=owner))
                            if r.headers["Authorization"] == "Bearer " + token else
                            error(401, "unauthorized", "A valid bearer token is needed."))
        del self.env["LESSOR_URL"]
        return server

    def cli(self, *words, stdin=None, code=0):
        done = subprocess.run([PROGRAM, *words], env=self.env, input=stdin, text=True, check=False,
                              timeout=60, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotIn("tok-1", done.stdout + done.stderr)
        return done

    def login(self, server, name, token="tok-1", **more):
        return self.cli("login", "--url", server.url, "--name", name, "--token-stdin",
                        stdin=token + "\n", **more)

    def who(self, *words):
        return self.cli("whoami", *words).stdout.split(",")[0].split()[0]

    def read(self, name):
        with open(self.dir + name, encoding="ascii") as file:
            return file.read()

    def names(self):
        found = []
        for base, _, files in os.walk(self.dir):
            found += [os.path.relpath(os.path.join(base, f), self.dir) for f in files]
        return sorted(found)

    def test_login(self):
        server = self.server()
        done = self.cli("login", "--url", server.url, "--token-stdin", stdin="tok-1\n")
        self.assertEqual(done.stdout, f"logged in to {server.url} as alice@example.com; "
                                      "the context is '127.0.0.1'\n")
        self.assertEqual(self.names(), ["context", "contexts/127.0.0.1.conf",
                                        "contexts/127.0.0.1.token"])
        for name in ("context", "contexts/127.0.0.1.token", "contexts/127.0.0.1.conf"):
            self.assertEqual(os.stat(self.dir + name).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(self.dir + "contexts").st_mode & 0o777, 0o700)
        self.assertEqual(self.read("contexts/127.0.0.1.token"), "tok-1\n")
        self.assertEqual(self.who(), "alice@example.com")

    def test_nothing_is_saved_unless_the_server_knows_the_token(self):
        server = self.server()
        done = self.login(server, "x", token="wrong", code=5)
        self.assertIn("A valid bearer token is needed.", done.stderr)
        self.assertIn("nothing was saved", done.stderr)
        self.cli("login", "--url", "http://127.0.0.1:1", "--token-stdin", stdin="t", code=7)
        self.serve(lambda r: Answer(200, raw=b"<html>"))
        self.cli("login", "--url", self.env.pop("LESSOR_URL"), "--token-stdin", stdin="t", code=1)
        self.cli("login", "--url", server.url, "--token-stdin", stdin="", code=2)
        self.cli("login", "--url", server.url, "--token-stdin", stdin="a b", code=2)
        self.cli("login", "--url", server.url, "--token-stdin", stdin="x" * 5000, code=2)
        self.assertEqual(self.names(), [])

    def test_a_failed_login_leaves_the_old_one(self):
        server = self.server()
        self.login(server, "x")
        self.login(server, "x", token="wrong", code=5)
        self.assertEqual(self.who(), "alice@example.com")

    def test_a_token_file_is_copied(self):
        server = self.server()
        path = self.home + "/tok"
        with open(path, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write("tok-1\n")
        self.cli("login", "--url", server.url, "--token-file", path)
        os.unlink(path)
        self.assertEqual(self.who(), "alice@example.com")

    def test_usage(self):
        server = self.server()
        for words, want in (
                ((), "which server?"), (("--name", "x"), "no context 'x'"),
                (("--url", server.url), "use --token-stdin or --token-file"),
                (("--url", server.url, "--name", "../x"), "cannot be the name of a context"),
                (("--url", server.url, "--name", "none"), "cannot be the name of a context"),
                (("--url", server.url, "--token-file", "/x", "--token-stdin"), "exclusive"),
                (("--url", "ftp://x", "--token-stdin"), "is not http://"),
                (("--url", server.url, "--token-file", "/nonexistent"), "/nonexistent"),
                (("--url", server.url, "--config", "/x"), "no --config"),
                (("--url", server.url, "--ca-file", "/nonexistent"), "/nonexistent")):
            self.assertIn(want, self.cli("login", *words, code=2).stderr)
        for words, want in ((("use",), "which context?"), (("what",), "the action must be"),
                            (("use", "x"), "there is no context 'x', nor any other"),
                            (("remove", "../../x"), "cannot be the name")):
            self.assertIn(want, self.cli("context", *words, code=2).stderr)
        self.assertIn("no current context", self.cli("logout", code=2).stderr)
        self.assertEqual((self.names(), server.requests), ([], []))

    def test_several_servers(self):
        one, two = self.server("tok-1", "one"), self.server("tok-2", "two")
        self.login(one, "prod")
        self.login(two, "test", token="tok-2")
        self.assertEqual(self.who(), "two")
        self.assertEqual(self.who("--context", "prod"), "one")
        self.env["LESSOR_CONTEXT"] = "prod"
        self.assertEqual(self.who(), "one")
        self.assertEqual(self.who("--context", "test"), "two")
        del self.env["LESSOR_CONTEXT"]
        self.assertIn("'prod'", self.cli("context", "use", "prod").stdout)
        self.assertEqual(self.who(), "one")
        rows = self.cli("context").stdout.splitlines()
        self.assertRegex(rows[1], r"^\* +prod +" + one.url + " +saved")
        self.assertRegex(rows[2], r"^ +test +" + two.url + " +saved")
        self.assertIn("there is no context 'nope'; the contexts are prod, test",
                      self.cli("whoami", "--context", "nope", code=2).stderr)
        self.env["LESSOR_CONTEXT"] = "nope"
        self.assertIn("LESSOR_CONTEXT: there is no context 'nope'", self.cli("whoami", code=2).stderr)
        del self.env["LESSOR_CONTEXT"]
        self.cli("context", "remove", "prod")
        self.assertEqual(self.names(), ["contexts/test.conf", "contexts/test.token"])
        self.assertIn("no URL of lessord", self.cli("whoami", code=2).stderr)

    def test_one_name_is_one_server(self):
        one, two = self.server(), self.server()
        self.cli("login", "--url", one.url, "--token-stdin", stdin="tok-1")
        done = self.cli("login", "--url", two.url, "--token-stdin", stdin="tok-1", code=2)
        self.assertIn(f"the context '127.0.0.1' is for {one.url}; name this one with --name",
                      done.stderr)
        self.assertEqual(two.requests, [])
        self.login(two, "127.0.0.1")    # said expressly, it is replaced
        self.assertIn(two.url, self.cli("context", "show").stdout)

    def test_another_token_keeps_the_settings(self):
        server = self.server("tok-2")
        self.login(server, "x", token="tok-2")
        with open(self.dir + "contexts/x.conf", "a", encoding="ascii") as file:
            file.write("account = hetzner ; mine\n")
        self.cli("logout")
        self.assertIn("none", self.cli("context", "show").stdout)
        self.assertIn("run lessor login", self.cli("whoami", code=5).stderr)
        self.cli("login", "--token-stdin", stdin="tok-2")
        self.assertRegex(self.cli("context", "show").stdout, r"account +hetzner\n")

    def test_precedence(self):
        """A token goes to its own server only."""
        mine, other = self.server(), self.server("tok-2", "two")
        self.login(mine, "x")
        self.env["LESSOR_URL"] = other.url
        self.assertIn("run lessor login", self.cli("whoami", code=5).stderr)
        self.assertIsNone(other.requests[-1].headers["Authorization"])
        self.env["LESSOR_TOKEN"] = "tok-2"
        self.assertEqual(self.who(), "two")
        # --context means that server, whatever the environment says.
        self.assertEqual(self.who("--context", "x"), "alice@example.com")
        self.assertIn("LESSOR_URL is set and overrides", self.cli("context", "use", "x").stderr)
        for words in (("--url", other.url), ("--config", "/dev/null")):
            self.assertIn("exclusive", self.cli("whoami", "--context", "x", *words, code=2).stderr)

    def test_an_older_settings_file_keeps_working(self):
        server, other = self.server(), self.server("tok-2", "two")
        os.makedirs(self.dir)
        for name, text in (("lessor.conf", f"url = {server.url}\ntoken_file = token\n"),
                           ("token", "tok-1\n")):
            with open(self.dir + name, "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(text)
        self.assertEqual(self.who(), "alice@example.com")
        self.login(other, "two", token="tok-2")
        self.assertEqual(self.who(), "two")
        self.assertEqual(self.who("--context", "none"), "alice@example.com")
        self.assertEqual(self.who("--config", self.dir + "lessor.conf"), "alice@example.com")
        self.assertIn("lessor.conf is", self.cli("context", "use", "none").stdout)
        self.assertEqual(self.who(), "alice@example.com")

    def test_text_14_no_settings(self):
        said = self.cli("list", code=2).stderr
        for part in ("lessor login --url URL", "url = ...", "token_file = ...", "LESSOR_URL",
                     "LESSOR_TOKEN", self.dir + "lessor.conf"):
            self.assertIn(part, said)
        self.serve(lambda r: error(401, "unauthorized", "x"))
        self.assertIn("run lessor login", self.cli("list", code=5).stderr)

    def test_damaged_files(self):
        server = self.server()
        self.login(server, "x")
        with open(self.dir + "contexts/y.conf", "w", encoding="ascii") as file:
            file.write("nonsense = 1\n")
        rows = self.cli("context").stdout.splitlines()
        self.assertIn(server.url, rows[1])
        self.assertIn("unknown setting 'nonsense'", rows[2])
        self.assertIn("unknown setting", self.cli("login", "--name", "y", code=2).stderr)
        with open(self.dir + "contexts/x.token", "w", encoding="ascii") as file:
            file.write("two words\n")
        self.assertIn("printable ASCII without spaces", self.cli("whoami", code=2).stderr)
        self.cli("login", "--token-stdin", stdin="tok-1")
        self.assertEqual(self.who(), "alice@example.com")
        self.login(server, "y")
        self.cli("context", "use", "x")
        with open(self.dir + "context", "w", encoding="ascii") as file:
            file.write("../../etc\n")
        self.assertIn("cannot be the name of a context", self.cli("whoami", code=2).stderr)
        self.cli("context", "use", "x")
        self.assertEqual(self.who(), "alice@example.com")

    def test_a_name_in_the_clear_is_warned_about(self):
        said = self.cli("login", "--url", "http://lessor.invalid", "--token-stdin", stdin="tok-1",
                        code=7).stderr
        self.assertIn("warning: the token is sent to lessor.invalid unencrypted", said)

    def test_json(self):
        server = self.server()
        self.login(server, "x")
        doc = self.run_cli("context", "--json", code=0).json()
        self.assertEqual(doc, {"current": "x", "contexts": [
            {"name": "x", "url": server.url, "hasToken": True, "isCurrent": True}]})
        doc = self.run_cli("context", "show", "--json", code=0).json()
        self.assertEqual((doc["context"], doc["url"]), ("x", server.url))
        self.assertEqual(self.run_cli("logout", "--json", code=0).json(), {"context": "x"})
        self.assertEqual(self.run_cli("context", "use", "nope", "--json", code=2).json()["error"],
                         "invalid_settings")
        self.assertEqual(self.run_cli("context", "use", "none", "--json", code=0).json(),
                         {"context": None})

    def terminal(self, words, typed, number=None):
        """Types once it is asked; (code, what the terminal showed)."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(PROGRAM, [PROGRAM, *words], self.env)
        text, done = b"", False
        while select.select([fd], [], [], 60)[0]:
            try:
                part = os.read(fd, 4096)
            except OSError:
                break
            text += part
            if b"not shown): " in text and not done:
                done = True
                if number:
                    os.kill(pid, number)
                else:
                    os.write(fd, typed)
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.decode()

    def test_the_terminal_shows_no_token(self):
        server = self.server()
        words = ("login", "--url", server.url, "--name", "x")
        code, text = self.terminal(words, b"tok-1\n")
        self.assertEqual(code, 0, text)
        self.assertNotIn("tok", text.split("not shown)")[1].split("logged in")[0])
        self.assertEqual(self.who(), "alice@example.com")
        code, text = self.terminal(words, b"", signal.SIGINT)
        self.assertEqual(code, 130, text)

    def test_version(self):
        self.assertRegex(self.run_cli("version", code=0).out, r"^lessor \d[\w.]+\n$")
        server = self.server()
        self.login(server, "x")
        r = self.run_cli("version", code=0)
        self.assertRegex(r.out, r"^lessor \d[\w.]+\nlessord 0.9.9 at " + server.url + "\n$")
        doc = self.run_cli("version", "--json", code=0).json()
        self.assertEqual((doc["server"], doc["url"]), ("0.9.9", server.url))
        self.env["LESSOR_URL"] = "http://127.0.0.1:1"
        r = self.run_cli("version", code=0)
        self.assertRegex(r.out, r"^lessor \d[\w.]+\n$")
        self.assertIn("lessord: cannot connect", r.err)

    def test_help(self):
        self.assertEqual(self.run_cli("help", code=0).out, self.run_cli("--help", code=0).out)
        for name in ("create", "context", "help"):
            self.assertEqual(self.run_cli("help", name, code=0).out,
                             self.run_cli(name, "--help", code=0).out)
        for words, want in ((("lsit",), "'lsit'; did you mean list?"), (("rel",), "mean release?"),
                            (("help", "shwo"), "mean show?"), (("delete",), "command 'delete'\n"),
                            (("q",), "command 'q'\n"), (("x" * 99,), "unknown command 'xxx")):
            self.assertIn(want, self.run_cli(*words, code=2).err)


if __name__ == "__main__":
    main()
