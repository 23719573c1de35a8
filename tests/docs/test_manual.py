#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The manual against the programs: it lists all that they accept, and they accept all that it
lists.

lessord.conf(5) and hetzner-sim(1) have tests of their own."""

import glob
import http.client
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from page import Page
from programs import ACCOUNT, BIN, PAGES, PROVIDERS, SOURCE, allowed, commands, in_help, run, write
from harness import Broker, new_key, wait_for  # noqa: E402  programs.py says where it is

LESSOR, LESSORD = Page(PAGES + "/man1/lessor.1"), Page(PAGES + "/man8/lessord.8")
CHECK = Page(PAGES + "/man1/lessor-plugin-check.1")
PROVIDER = Page(PAGES + "/man3/lessor-provider.3")
HOME = tempfile.mkdtemp(prefix="lessor-docs-")
NOWHERE = "unix:/nonexistent/socket"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def tearDownModule():
    shutil.rmtree(HOME)


class Lint(unittest.TestCase):
    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is missing")
    def test_mandoc_has_nothing_to_say(self):
        done = subprocess.run(["mandoc", "-Tlint", *glob.glob(PAGES + "/man*/*")], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        # mandoc looks for other pages where they are installed; ours are checked below.
        said = [line for line in done.stdout.decode().splitlines()
                if "referenced manual not found" not in line]
        self.assertEqual(said, [])

    def test_pages_name_each_other(self):
        pages = [os.path.basename(path) for path in glob.glob(PAGES + "/man*/*")]
        self.assertEqual(sorted(pages), [
            "hetzner-sim.1", "lessor-plugin-check.1", "lessor-provider.3", "lessor.1",
            "lessord.8", "lessord.conf.5"])
        for path in glob.glob(PAGES + "/man*/*"):
            text = read(path)
            self.assertNotRegex(text, r"@[A-Z_]+@", path)
            for name, section in re.findall(r"^\.Xr (\S+) (\d)", text, re.M):
                self.assertIn(f"{name}.{section}", pages, path)


class Lessord(unittest.TestCase):
    """The tests of the options end with a real daemon that gets everything that the page names."""

    run_options = LESSORD.options("DESCRIPTION")
    token_options = LESSORD.options("DESCRIPTION", "Client tokens")
    migrate_options = LESSORD.options("DESCRIPTION", "Migrate")
    doctor_options = LESSORD.options("DESCRIPTION", "Doctor")

    @classmethod
    def setUpClass(cls):
        cls.token = write(HOME + "/provider-token", "sesame\n", 0o600)
        cls.socket = HOME + "/socket"
        cls.conf = write(HOME + "/lessord.conf", f"""\
[server]
listen = 127.0.0.1:0
listen = unix:{cls.socket}
store = {HOME}/lessor.db
providers = {PROVIDERS}
{ACCOUNT}token_file = {cls.token}
endpoint = http://127.0.0.1:1/v1
""")

    def lessord(self, *args, **kwargs):
        return run("lessord", *args, "--config", self.conf, **kwargs)

    def test_the_same_options(self):
        self.assertEqual(set(self.run_options), allowed("lessord"))
        self.assertEqual(set(self.token_options), allowed("lessord", "token", "add"))
        for name in ("list", "revoke"):
            self.assertEqual(set(self.token_options), allowed("lessord", "token", name))
        everything = (set(self.run_options) | set(self.token_options) |
                      set(self.migrate_options) | set(self.doctor_options))
        self.assertEqual(everything, in_help(run("lessord", "--help")))
        for name in ("check", "doctor", "backup", "migrate"):
            self.assertEqual(set(LESSORD.options("DESCRIPTION", name.capitalize())),
                             allowed("lessord", name), name)
        # The synopsis lists the same options.
        synopsis = "\n".join(LESSORD.part("SYNOPSIS"))
        self.assertEqual(set(re.findall(r"Fl Fl ([a-z-]+)", synopsis)), everything)

    def test_the_same_verbs(self):
        verbs = LESSORD.named("DESCRIPTION", "Client tokens", "Cm")
        said = run("lessord", "token", "nonsense", code=2)
        self.assertEqual(set(verbs), set(re.search(r"one of ([a-z, ]+);", said).group(1).split(", ")))
        self.assertEqual(set(re.findall(r"^\.Cm token (\w+)$", LESSORD.text, re.M)), set(verbs))

    def test_the_same_exit_codes(self):
        there = re.findall(r"\b(\d) [a-z]", run("lessord", "--help").split("Exit codes:")[1])
        self.assertEqual([i.words[0] for i in LESSORD.items("EXIT STATUS", "")], there)

    def test_environment(self):
        used = set()
        for path in glob.glob(SOURCE + "/broker/**/*.c", recursive=True):
            if "/broker/cli/" not in path:
                used |= set(re.findall(r'(?:getenv|number|env_get)\("([A-Z_]+)"', read(path)))
        # Only in builds with crash points.
        used -= {"LESSOR_CRASH_AT", "LESSOR_CRASH_COUNT"}
        named = [w for item in LESSORD.items("ENVIRONMENT", "", "Ev") for w in item.words
                 if w not in ("Ev", ",")]
        self.assertEqual(sorted(named), sorted(used))

    def test_its_examples(self):
        lines = "".join(LESSORD.examples()).splitlines()
        self.assertGreater(len(lines), 5)
        ids = []
        for line in lines:
            words = [w.replace("./lessord.conf", self.conf).replace(
                "0123456789abcdef", ids[0] if ids else "") for w in shlex.split(line)]
            said = run(*words, *(() if "--config" in words else ("--config", self.conf)),
                       cwd=os.path.dirname(self.conf))
            ids += re.findall(r"^Token ([0-9a-f]{16}) of", said, re.M)
        self.assertEqual(len(ids), 2)

    def test_everything_is_taken(self):
        tried = {"run": set(), "token": set()}

        def told(mode, *args, **kwargs):
            tried[mode] |= {arg[2:] for arg in args if arg.startswith("--")} | {"config"}
            return self.lessord(*args, **kwargs)

        self.assertIn("is valid", told("run", "--check-config"))
        self.assertIn("[limits]", told("run", "--dump-config"))
        self.assertNotIn("sesame", told("run", "--dump-config"))
        self.assertIn("name=hetzner", told("run", "--dump-provider", "hetzner"))
        self.assertIn("name=hetzner", told("run", "--dump-provider", PROVIDERS + "/hetzner.so"))
        self.assertIn("0 leases", told("run", "--owed"))
        told("run", "--version")
        told("run", "--help")
        roles = re.findall(r"--role must be ([a-z, ]+)", told("token", "token", "add", "--owner", "a",
                                                         "--role", "nonsense", code=2))
        roles = re.findall(r"user|reader|admin", roles[0])
        text = "\n".join(self.token_options["role"].body)
        self.assertEqual(set(re.findall(r"^\.Cm (\w+)$", text, re.M)), set(roles))
        for role in roles:
            told("token", "token", "add", "--owner", "alice@example.com", "--org", "acme",
                 "--role", role, "--expires", "90d", "--label", "x")
        tried["token"].add("store")
        said = run("lessord", "token", "list", "--store", HOME + "/lessor.db")
        self.assertEqual(len(re.findall(r" valid +(?:user|reader|admin) .*alice@example.com @ acme",
                                        said)), 3)
        made = re.search(r"^([0-9a-f]{16}) ", said, re.M).group(1)
        new = told("token", "token", "rotate", made, "--grace", "1h")
        self.assertIn(f"Token {made}, which it replaces, is valid until ", new)
        told("token", "token", "revoke", made)
        self.assertIn("revoked", told("token", "token", "list"))
        told("token", "token", "add", "--help")
        self.daemon()
        tried["run"].add("port-file")
        self.assertEqual(tried["run"], set(self.run_options))
        self.assertEqual(tried["token"], set(self.token_options))

    def daemon(self):
        """A lifecycle by signals, as the service manager sees it, and a second daemon."""
        seen = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        seen.bind(HOME + "/notify")
        seen.settimeout(30)
        told = set()

        def until(word):
            while word not in told:
                told.update(seen.recv(4096).decode().split("\n"))

        with open(HOME + "/log", "wb") as log:
            process = subprocess.Popen(
                [BIN + "/lessord", "--config", self.conf, "--port-file", HOME + "/port"],
                env=dict(os.environ, NOTIFY_SOCKET=HOME + "/notify",
                         WATCHDOG_USEC="300000"), stdout=log, stderr=log)
        try:
            port = wait_for(HOME + "/port", process)
            socket.create_connection(("127.0.0.1", port)).close()
            until("READY=1")
            served = re.findall(r"^\.Pa (/v1/\S+)", LESSORD.text, re.M)
            self.assertIn("/v1/health", served)
            for path in served:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                self.assertEqual(answer.status, 200 if path == "/v1/health" else 401, path)
                connection.close()
            self.assertIn("another lessord", self.lessord(code=5))
            for name in ("lessor.db", "lessor.db-wal", "lessor.db-shm", "lessor.db.lock",
                         "lessor-runs.db", "lessor-runs.db-wal", "lessor-runs.db-shm",
                         "lessor-runs.db.lock"):
                self.assertTrue(os.path.exists(f"{HOME}/{name}"), name)
                self.assertIn("/" + name, LESSORD.text)
            until("WATCHDOG=1")
            process.send_signal(signal.SIGHUP)
            until("RELOADING=1")
            told.discard("READY=1")
            until("READY=1")
            process.send_signal(signal.SIGTERM)
            until("STOPPING=1")
            self.assertEqual(process.wait(30), 0)
        finally:
            process.kill()
            process.wait()
            seen.close()
        self.assertEqual({word for word in told if word.endswith("=1")},
                         set(re.findall(r"\bQl ([A-Z]+=1)", LESSORD.text)))

    def test_how_it_ends(self):
        """The exit codes that can be produced without a broken disk."""
        self.lessord("--check-config")
        text = read(self.conf)

        def ends(code, *change):
            path = write(HOME + "/wrong.conf", text.replace(*change))
            run("lessord", "--config", path, code=code)

        ends(2, "listen = 127.0.0.1:0", "listen = nonsense")
        # D7: an address that is not there yet; the unit starts it again.
        ends(1, "listen = 127.0.0.1:0", "listen = 192.0.2.1:1\nbehind_proxy = yes")
        ends(3, "provider = hetzner", "provider = nonsense")
        write(HOME + "/damaged.db", "no database", 0o600)
        ends(4, "/lessor.db", "/damaged.db")
        ends(6, "/lessor.db", "/empty.db")
        path = write(HOME + "/wrong.conf", text.replace("/lessor.db", "/none.db"))
        run("lessord", "--owed", "--config", path, code=8)

    def setUp(self):
        if not os.path.exists(HOME + "/lessor.db"):
            self.lessord("token", "add", "--owner", "first")


class Lessor(unittest.TestCase):
    """Uses each option with an unreachable server: exit code 7 shows that it was accepted."""

    words = {"show": ["x"], "events": ["x"], "heartbeat": ["x"], "release": ["x"],
             "extend": ["x", "1h"],
             "resolve": ["x", "retry"], "account": ["take-over", "x", "--looked"],
             "wait": ["x"], "keepalive": ["x"],
             "login": ["--url", NOWHERE, "--token-file", HOME + "/token"],
             "ssh": ["x"], "cp": ["x:a", "b"]}
    # Those that ask nobody, or go without an answer; logout wants a context.
    codes = {"context": 0, "doctor": 1, "version": 0, "help": 0, "logout": 2, ("login", "token-stdin"): 2}
    # What follows the options.
    rest = {"run": ["--", "true"]}
    samples = {"duration": "1h30m", "lease": "x", "URL": NOWHERE, "file": HOME + "/key.pub",
               "time": "2026-08-21T10:00:00Z", "what": "gone", "context": "other",
               "state": "active", "row": "12", "YYYY-MM": "2026-08",
               "--token-file": HOME + "/token", "--ca-file": HOME + "/ca.pem", "--config": HOME + "/settings"}
    # Options that another option requires.
    beside = {("release", "until"): ["--keep-server"], ("release", "reason"): ["--keep-server"],
              ("sweep", "account"): ["--run"], ("sweep", "reason"): ["--run"],
              ("token", "owner"): ["add"], ("token", "grace"): ["rotate", "x"],
              **{("token", name): ["add", "--owner", "x"]
                 for name in ("org", "role", "label", "expires")}}

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker()
        cls.url = f"http://127.0.0.1:{cls.broker.port}"
        os.makedirs(HOME + "/.ssh")
        write(HOME + "/.ssh/id_ed25519.pub", new_key() + " me\n")
        write(HOME + "/key.pub", new_key() + " me\n")
        write(HOME + "/token", cls.broker.admin + "\n", 0o600)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x",
                        "-keyout", HOME + "/ca.key", "-out", HOME + "/ca.pem"], check=True,
                       stderr=subprocess.DEVNULL)
        os.makedirs(HOME + "/.config/lessor/contexts")
        write(HOME + "/.config/lessor/contexts/other.conf", f"url = {NOWHERE}\n")
        cls.env = {"HOME": HOME, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        cls.common = LESSOR.options("DESCRIPTION", "Options of every command")
        cls.own = {title.split()[0]: LESSOR.options("COMMANDS", title)
                   for title in LESSOR.subsections("COMMANDS")}

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def lessor(self, *args, code=0, **env):
        return run("lessor", *args, code=code, env=dict(self.env, **env))

    def test_the_same_commands_and_options(self):
        self.assertEqual(list(self.own), commands())
        self.assertEqual(set(self.common), allowed("lessor"))
        self.assertEqual(set(self.common), in_help(run("lessor", "--help")) - {"account", "class",
                                                                             "token"})
        for command, own in self.own.items():
            self.assertEqual(set(own) | set(self.common), allowed("lessor", command), command)
            self.assertLessEqual(set(own), in_help(run("lessor", command, "--help")), command)

    def test_every_option_is_taken(self):
        write(HOME + "/settings", "class = small\n")
        for command, own in self.own.items():
            words = [command, *self.words.get(command, [])]
            rest = self.rest.get(command, [])
            self.lessor(*words, *rest, code=self.codes.get(command, 7), LESSOR_URL=NOWHERE)
            # Tests above show that every command accepts the common options.
            for name, item in ({**self.common, **own} if command == "list" else own).items():
                args = [*words, *self.beside.get((command, name), []), "--" + name]
                if item.words[3:4] == ["Ar"]:
                    args.append(self.samples.get("--" + name,
                                                 self.samples.get(item.words[4], "x")))
                self.lessor(*args, *rest, code=0 if name in ("help", "version") else
                            self.codes.get((command, name), 7), LESSOR_URL=NOWHERE)
                if "Op" in item.words:
                    self.lessor(*args[:-1], f"--{name}=5m", *rest, code=7, LESSOR_URL=NOWHERE)
                elif item.words[3:4] == ["Ar"]:
                    # An option fails without the value that the page shows.
                    self.lessor(*args[:-1], *rest, code=2, LESSOR_URL=NOWHERE)
                else:
                    self.lessor(*args[:-1], f"--{name}=x", *rest, code=2, LESSOR_URL=NOWHERE)

    def test_states_and_decisions(self):
        states = re.findall(r"\b(?:provisioning|active|released|expired|failed)\b",
                            run("lessor", "list", "--help"))
        text = self.own["list"]["state"].text
        self.assertEqual(re.findall(r"[a-z]+", " ".join(re.findall(r"^\.Cm (.*)", text, re.M))),
                         states)
        for state in states:
            self.lessor("list", "--state", state, "--url", self.url, "--token-file", HOME + "/token")
        self.lessor("list", "--state", "nonsense", "--url", self.url, "--token-file",
                    HOME + "/token", code=2)
        title = next(t for t in LESSOR.subsections("COMMANDS") if t.startswith("resolve"))
        decisions = LESSOR.named("COMMANDS", title, "Cm")
        said = self.lessor("resolve", "x", "nonsense", code=2)
        self.assertEqual(list(decisions), re.findall(r"retry|forget|adopt", said.split("\n")[0]))

    def test_the_same_exit_codes(self):
        there = re.findall(r"^ +(\d+)  (.*)$", run("lessor", "--help").split("exit codes:")[1], re.M)
        items = LESSOR.items("EXIT STATUS", "")
        self.assertEqual([i.words[0] for i in items], [number for number, _ in there])
        for item, (number, meaning) in zip(items[:-1], there):
            self.assertEqual(item.text.split("\n")[0].lower(), meaning.lower() + ".", number)

    def test_environment(self):
        """Each way is enough to authenticate, directly or through the settings file."""
        named = set(LESSOR.named("ENVIRONMENT", "", "Ev"))
        used = set()
        for path in [*glob.glob(SOURCE + "/broker/cli/*.c"), SOURCE + "/broker/util/ca.c"]:
            used |= set(re.findall(r'(?:getenv|env_get|env_trimmed)\("(\w+)"\)', read(path)))
        self.assertEqual(named, used)
        self.assertEqual(named, set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", run("lessor", "--help")))
                         - {"YYYY"} | {"HOME", "COLUMNS"})
        admin = self.broker.admin
        os.makedirs(HOME + "/xdg/lessor")
        os.makedirs(HOME + "/there/lessor/contexts")
        write(HOME + "/there/lessor/contexts/here.conf",
              f"url = {self.url}\ntoken_file = ../../../token\n")
        settings = f"url = {self.url}\ntoken_file = ~/token\n"
        write(HOME + "/.config/lessor/lessor.conf", settings)
        write(HOME + "/xdg/lessor/lessor.conf", settings.replace("~/token", "../../token"))
        ways = [{"LESSOR_URL": self.url, "LESSOR_TOKEN": admin},
                {"LESSOR_URL": self.url, "LESSOR_TOKEN_FILE": HOME + "/token"},
                {"CRABBOX_COORDINATOR": self.url, "CRABBOX_COORDINATOR_TOKEN": admin},
                {"XDG_CONFIG_HOME": HOME + "/xdg"}, {"HOME": HOME},
                {"XDG_CONFIG_HOME": HOME + "/there", "LESSOR_CONTEXT": "here"}]
        # Those for https are tested in tests/api/test_tls.py.
        trust = {"LESSOR_CA_FILE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
        # Those for ssh in tests/unit/cli/test_login.py.
        login = {"LESSOR_SSH", "XDG_STATE_HOME"}
        self.assertEqual(named, set().union(*ways) | trust | {"COLUMNS"} | login)
        for way in ways:
            env = {"HOME": "/nonexistent", **way}
            self.assertIn("root@example.com", self.lessor("whoami", **env))
        os.unlink(HOME + "/.config/lessor/lessor.conf")

    def test_settings(self):
        keys = LESSOR.named("FILES", "", "Ic")
        path = write(HOME + "/settings", "nonsense = 1\n")
        said = self.lessor("whoami", "--config", path, code=2)
        self.assertEqual(list(keys), re.findall(r"\w+", said.split("the settings are ")[1]
                                                .replace(" and ", " ")))
        write(path, f"url = {self.url}\ntoken_file = token\naccount = nonsense\nclass = tiny\n")
        self.assertIn("there is no account 'nonsense'; accounts: ", self.lessor("create", "--config", path, code=4))

    def test_its_examples(self):
        lines = "".join(LESSOR.examples()).splitlines()
        tried = set()
        for line in lines:
            words = shlex.split(re.split("[<>]", line)[0])
            if words[0] == "export":
                self.assertIn(words[1].split("=")[0], LESSOR.named("ENVIRONMENT", "", "Ev"))
                continue
            self.assertEqual(words[0], "lessor")
            if words[1] == "login":     # asks for the token
                words = ["lessor", "login", "--url", self.url, "--token-file", HOME + "/token"]
            if words[1] == "run" and "cbx_0123456789ab" not in words:
                continue # in tests/sim/test_login.py: this cloud has no machines to log in to
            # This lease does not exist; every other example really runs.
            code = 3 if "cbx_0123456789ab" in line else 0
            self.lessor(*words[1:], code=code, LESSOR_URL=self.url,
                        LESSOR_TOKEN_FILE=HOME + "/token")
            tried.add(words[1])
        self.assertLessEqual({"create", "heartbeat", "release", "resolve", "show"}, tried)


class PluginCheck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(HOME + "/my.c", "w", encoding="ascii") as file:
            file.write(PROVIDER.examples()[0])
        # The second example adds actions to the first one.
        os.mkdir(HOME + "/http", 0o755)
        bare = PROVIDER.examples()[0].replace(
            "\t.capabilities = LESSOR_OWN_IO,\n",
            "\t.http_auth = \"bearer\",\n\t.actions = actions,\n"
            "\t.action_count = sizeof(actions) / sizeof(actions[0]),\n"
            "\t.action_size = sizeof(actions[0]),\n")
        first, rest = bare.split("\n", 1)
        with open(HOME + "/http/my.c", "w", encoding="ascii") as file:
            file.write(first + "\n" + PROVIDER.examples()[1] + rest)
        for name, source in (("my", HOME + "/my.c"), ("http/my", HOME + "/http/my.c"),
                             ("folder", SOURCE + "/sdk/example/folder.c")):
            subprocess.run([os.environ["CC"], "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fPIC",
                            "-shared", "-I" + SOURCE + "/sdk/include", "-o", f"{HOME}/{name}.so",
                            source], check=True)

    def test_the_same_options_and_exit_codes(self):
        said = run("lessor-plugin-check", "--help")
        self.assertEqual(set(CHECK.options("DESCRIPTION")), in_help(said))
        run("lessor-plugin-check", "--version")
        run("lessor-plugin-check", "--no-such", code=2)
        there = re.findall(r"\b(\d) [a-z]", said.split("Exit codes:")[1])
        self.assertEqual([i.words[0] for i in CHECK.items("EXIT STATUS", "")], there)
        run("lessor-plugin-check", HOME + "/my.c", code=1)
        line, = CHECK.examples()[0].splitlines()
        run(*line.split(), cwd=HOME)

    def test_what_it_says(self):
        said = run("lessor-plugin-check", PROVIDERS + "/hetzner.so") + \
            run("lessor-plugin-check", HOME + "/folder.so")
        self.assertIn("name=my\n", run("lessor-plugin-check", HOME + "/my.so"))
        self.assertIn("action.delete_server=destroys DELETE /v2/servers/{id}\n",
                      run("lessor-plugin-check", HOME + "/http/my.so"))
        said += "option.x.max=\n" if ".max=" not in said else ""
        there = set()
        for key in re.findall(r"^([^=]+)=", said, re.M):
            parts = key.split(".")
            there |= {parts[0]} if parts[0] == "action" else {parts[0], parts[-1]}
        named = CHECK.named("DESCRIPTION", "", "Ic")
        self.assertEqual(set(named), there)
        for type_name in re.findall(r"\.type=(\w+)", said):
            self.assertIn(f".Ql {type_name}", named["type"].text)
        for effect in re.findall(r"^action\.\w+=(\w+)", said, re.M):
            self.assertIn(f".Ql {effect}", named["action"].text)


class ProviderHeader(unittest.TestCase):
    maxDiff = None
    header = re.sub(r"/\*.*?\*/", "", read(SOURCE + "/sdk/include/lessor/provider.h"), flags=re.S)

    def test_functions(self):
        there = {name: args.count(",") + 1 for name, args in
                 re.findall(r"^#define (lessor_\w+|LESSOR_HAS|LESSOR_PROVIDER|LESSOR_KIND_BIT)"
                            r"\(([^)]*)\)", self.header, re.M)}
        for name, args in re.findall(r"^static inline [^(]*\b(lessor_\w+)\(([^)]*)\)", self.header,
                                     re.M):
            there[name] = args.count(",") + 1
        named = {}
        for name, args in re.findall(r"\bFn (\w+)((?: (?:\w+|\.\.\.))+)(?: \.)?$", PROVIDER.text,
                                     re.M):
            named[name] = len(args.split())
        self.assertEqual(named, there)
        self.assertLessEqual(set(PROVIDER.macro("Fn")), set(there))

    def test_constants(self):
        there = set(re.findall(r"^#define (LESSOR_\w+)(?!\()\b", self.header, re.M))
        there -= set(re.findall(r"^#define (LESSOR_\w+)\(", self.header, re.M))
        there -= {"LESSOR_PROVIDER_H", "LESSOR_EXPORT"}
        named = set(re.findall(r"\bDv (LESSOR_\w+)", PROVIDER.text))
        self.assertEqual(named, there)

    def test_structures(self):
        there = {}
        for name, body in re.findall(r"^struct (lessor_\w+) \{(.*?)^\};", self.header, re.M | re.S):
            there[name] = set(re.findall(r"\(\*(\w+)\)\(", body)) | \
                set(re.findall(r"(\w+);", re.sub(r"\([^;]*", "", body)))
        # The host's functions are listed by their wrappers.
        members = there.pop("lessor_host") - {"size", "abi"}
        wrapped = set(re.findall(r"\(call\)->host->(\w+)", self.header))
        self.assertEqual(members, wrapped)
        self.assertEqual(there.pop("lessor_call"), {"host"})
        named = {}
        for section in ("THE TABLE", "STRUCTURES"):
            for title in PROVIDER.subsections(section):
                named[title.split()[1]] = {word for item in PROVIDER.items(section, title, "Fa")
                                           for word in item.words[1:] if word != ","}
        self.assertEqual(named, there)


if __name__ == "__main__":
    os.umask(0o022)
    result = unittest.main(verbosity=2, exit=False).result
    for test, why in result.skipped:
        print(f"SKIPPED: {test}: {why}")
    sys.exit(1 if not result.wasSuccessful() else 77 if result.skipped else 0)
