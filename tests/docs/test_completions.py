#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the shells: bash, zsh and fish complete exactly what lessor and lessord accept."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from programs import ACCOUNT, BIN, SOURCE, allowed, commands, run, write
from harness import Broker, new_key  # noqa: E402  programs.py says where it is

COMPLETIONS = SOURCE + "/packaging/completions"
STATES = ["active", "expired", "failed", "provisioning", "released"]
PATIENCE = 60  # seconds; a completion takes a fraction of one


def setUpModule():
    global BROKER, HOME, LEASE, ENDED
    HOME = tempfile.mkdtemp(prefix="lessor-docs-")
    BROKER = Broker()
    write(HOME + "/key.pub", new_key() + "\n")
    write(HOME + "/token", BROKER.alice + "\n", 0o600)
    server = ["--url", f"http://127.0.0.1:{BROKER.port}", "--token-file", HOME + "/token"]
    made = []
    for slug in ("box-alive", "box-ended"):
        run("lessor", "create", "--type", "cx23", "--slug", slug, "--ssh-key", HOME + "/key.pub",
            *server)
        made.append(re.search(r"cbx_\w{12}", run("lessor", "show", slug, *server)).group())
    LEASE, ENDED = made
    run("lessor", "release", "box-ended", "--keep-server", *server)
    for name, url in (("one", server[1]), ("two", "unix:/nonexistent")):
        path = HOME + "/.config/lessor/contexts/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write(path + ".conf", f"url = {url}\ntoken_file = {name}.token\n")
        write(path + ".token", BROKER.alice, 0o600)
    write(HOME + "/.config/lessor/context", "two\n")
    # A name with a space, which the shells must quote in order to query that server.
    os.mkdir(HOME + "/a b")
    write(HOME + "/a b/settings", f"url = {server[1]}\ntoken_file = {HOME}/token\n")


def tearDownModule():
    BROKER.close()
    shutil.rmtree(HOME)


def environment():
    """A command line without --url uses the server of the environment."""
    return {"HOME": HOME, "PATH": BIN + ":" + os.environ["PATH"], "LC_ALL": "C.UTF-8",
            "LESSOR_URL": f"http://127.0.0.1:{BROKER.port}", "LESSOR_TOKEN_FILE": HOME + "/token",
            "TERM": "dumb"}


class Terminal:
    """An interactive shell on a terminal."""

    def __init__(self, *command, env):
        pid, self.fd = pty.fork()
        if pid == 0:
            os.execvpe(command[0], command, env)
        self.pid, self.rest = pid, b""

    def until(self, mark):
        """Reads up to the mark; returns the text before it."""
        text, end = self.rest, time.monotonic() + PATIENCE
        while mark not in text:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"timed out waiting for {mark!r}: {text[-2000:]!r}")
            try:
                text += os.read(self.fd, 65536)
            except OSError as error:
                raise AssertionError(f"the shell has exited: {text[-2000:]!r}") from error
        text, self.rest = text.split(mark, 1)
        return text.decode("utf-8", "replace")

    def say(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


class Asked:
    """The same checks for each shell. ask(LINE) returns the completions of the last word."""

    def test_commands(self):
        self.assertEqual(sorted(self.ask("lessor ")), sorted(commands()))
        self.assertEqual(self.ask("lessor rel"), ["release"])
        self.assertEqual(self.ask("lessor --json rel"), ["release"])
        self.assertEqual(self.ask(f"lessor --config {HOME}/x rel"), ["release"])

    def test_options(self):
        self.assertEqual(self.options("lessor --"), allowed("lessor"))
        for command in commands():
            self.assertEqual(self.options(f"lessor {command} --"), allowed("lessor", command), command)
        self.assertEqual(self.options("lessord --"), allowed("lessord"))
        for mode in ("check", "doctor"):
            self.assertEqual(self.options(f"lessord {mode} --"), allowed("lessord", mode))
        for verb in ("add", "list", "rotate", "revoke"):
            there = allowed("lessord", "token", verb)
            # The parser accepts these options; the command rejects them afterwards.
            if verb != "add":
                there -= {"owner", "org", "role", "label"}
            if verb not in ("add", "rotate"):
                there -= {"expires"}
            if verb != "rotate":
                there -= {"grace"}
            self.assertEqual(self.options(f"lessord token {verb} --"), there, verb)

    def test_verbs(self):
        self.assertIn("token", self.ask("lessord tok"))
        self.assertEqual(self.ask("lessord ch"), ["check"])
        self.assertEqual(self.ask("lessord token re"), ["revoke"])
        self.assertEqual(self.ask("lessor token ro"), ["rotate"])
        self.assertEqual(sorted(self.ask("lessor token add --role ")), ["admin", "reader", "user"])
        offers = set(self.ask("lessord token ")) - {"--help"}
        self.assertEqual(offers, {"add", "list", "rotate", "revoke"})
        self.assertEqual(sorted(self.ask("lessord token add --role ")), ["admin", "reader", "user"])
        self.assertEqual(sorted(self.ask("lessor resolve x ")), ["adopt", "forget", "retry"])
        self.assertEqual(self.ask("lessor account "), ["take-over"])
        self.assertEqual(sorted(self.ask("lessor wait x --for ")), ["gone", "ready"])
        self.assertEqual(self.ask("lessor help rel"), ["release"])
        self.assertEqual(sorted(self.ask("lessor list --state ")), STATES)
        self.assertEqual(sorted(self.ask("lessor list --json --state ")), STATES)
        self.assertEqual(self.ask("lessor list --state=rel"), ["released"])

    def test_files(self):
        for line in ("lessor create --ssh-key ", "lessor --token-file ", "lessord --config "):
            self.assertIn("key.pub", "".join(self.ask(f"{line}{HOME}/k")), line)

    def test_leases(self):
        for command in ("show", "events", "release", "wait"):
            self.assertEqual(sorted(self.ask(f"lessor {command} ")),
                             sorted(["box-alive", LEASE, ENDED]), command)
        for command in ("heartbeat", "keepalive", "extend", "ssh", "run", "ssh-config"):
            self.assertEqual(sorted(self.ask(f"lessor {command} ")), sorted(["box-alive", LEASE]))
        self.assertIn("box-alive", [o.rstrip(":") for o in self.ask("lessor cp box")])
        self.assertEqual(self.ask("lessor release box"), ["box-alive"])
        self.assertEqual(self.ask("lessor release --no-wait box"), ["box-alive"])
        self.assertEqual(self.ask("lessor resolve "), [], "no lease is in attention")
        # The completion queries the server that the command line names.
        self.assertEqual(self.ask("lessor --url unix:/nonexistent show box"), [])
        self.assertEqual(self.ask("lessor --url=unix:/nonexistent show box"), [])
        self.assertEqual(self.ask(f"lessor show --url http://127.0.0.1:{BROKER.port} box"),
                         ["box-alive"])

    def test_contexts(self):
        self.assertEqual(sorted(self.ask("lessor context ")), ["list", "remove", "show", "use"])
        for line in ("context use ", "context remove ", "logout ", "--context ", "list --context "):
            self.assertEqual(sorted(self.ask("lessor " + line)), ["one", "two"], line)
        # The completion queries the server that the command line names.
        self.assertEqual(self.ask("lessor --context two show box"), [])
        self.assertEqual(self.ask("lessor --context=one show box"), ["box-alive"])

    def test_accounts_and_classes(self):
        self.assertEqual(self.ask("lessor create --account "), ["hetzner"])
        self.assertEqual(self.ask("lessor create --account=h"), ["hetzner"])
        self.assertEqual(self.ask("lessor account take-over "), ["hetzner"])
        write(HOME + "/least", ACCOUNT)
        classes = re.findall(r"^\[class (\w+)\]", run("lessord", "--dump-config", "--config",
                                                      HOME + "/least"), re.M)
        self.assertEqual(sorted(self.ask("lessor create --class ")), sorted(classes))

    def test_nothing_is_run(self):
        """Completion does not evaluate the contents of the command line."""
        for word in ("$(touch ran)", "`touch ran`", "'$(touch ran)'"):
            self.ask(f"lessor --config {word} show ")
            self.ask(f"lessor create --class {word}")
        self.assertFalse(os.path.exists(HOME + "/ran"))

    def options(self, line):
        return {offer[2:].rstrip("=") for offer in self.ask(line) if offer.startswith("--")}


class Bash(Asked, unittest.TestCase):
    """Calls the completion function in bash, the way bash does."""

    SCRIPT = r"""
    . "$1/lessor.bash"; . "$1/lessord.bash"
    compopt() { :; }    # exists only while TAB is pressed
    while IFS= read -r COMP_LINE; do
        COMP_POINT=${#COMP_LINE}
        name=${COMP_LINE%% *}
        COMPREPLY=()
        function=$(complete -p "$name" | sed 's/.*-F \([^ ]*\) .*/\1/')
        "$function" "$name" "" ""
        ((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
        echo ---
    done
    """

    @classmethod
    def setUpClass(cls):
        cls.bash = subprocess.Popen(
            ["bash", "--norc", "-u", "-c", cls.SCRIPT, "bash", COMPLETIONS], text=True, bufsize=1,
            env=environment(), cwd=HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @classmethod
    def tearDownClass(cls):
        cls.bash.stdin.close()
        assert cls.bash.wait(30) == 0
        cls.bash.stdout.close()

    def ask(self, line):
        self.bash.stdin.write(line + "\n")
        offers = []
        for offer in self.bash.stdout:
            if offer == "---\n":
                return offers
            offers.append(offer[:-1])
        raise AssertionError(f"bash ended at: {line}")

    def test_by_tab(self):
        """With TAB pressed, where bash also splits words at = and :."""
        shell = Terminal("bash", "--norc", "-i", env=dict(environment(), PS1="ready> "))
        try:
            shell.until(b"ready> ")
            shell.say(f". {COMPLETIONS}/lessor.bash\r")
            shell.until(b"ready> ")
            for line, becomes in (
                    ("lessor rel\t", "lessor release "),
                    ("lessor list --state=rel\t", "lessor list --state=released "),
                    (f"lessor --url http://127.0.0.1:{BROKER.port} show box\t", "show box-alive "),
                    (f"lessor create --ssh-key {HOME}/key\t", "/key.pub ")):
                shell.say(line + "END")
                self.assertIn(becomes, shell.until(b"END"))
                shell.say("\x15")
        finally:
            shell.close()


@unittest.skipUnless(shutil.which("fish"), "fish is missing")
class Fish(Asked, unittest.TestCase):
    def ask(self, line):
        done = subprocess.run(
            ["fish", "--no-config", "-c",
             f"source {COMPLETIONS}/lessor.fish; source {COMPLETIONS}/lessord.fish;"
             " complete -C $argv[1]", line], env=environment(), cwd=HOME, check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        # WORD, or WORD and a description; for --state=rel it is the whole word.
        offers = [offer.split("\t")[0] for offer in done.stdout.splitlines()]
        return [re.sub(r"^--[a-z-]+=(?=.)", "", offer) for offer in offers]

    def test_quoted(self):
        self.assertEqual(self.ask(f"lessor --config '{HOME}/a b/settings' show box"), ["box-alive"])

    def test_syntax(self):
        for name in ("lessor", "lessord"):
            subprocess.run(["fish", "-n", f"{COMPLETIONS}/{name}.fish"], check=True)


@unittest.skipUnless(shutil.which("zsh"), "zsh is missing")
class Zsh(Asked, unittest.TestCase):
    """Presses TAB in a zsh whose compadd also writes the completions to a file."""

    SETUP = r"""
    PS1='ready> ' RPS1=; unsetopt prompt_sp; unset zle_bracketed_paste
    fpath=($COMPLETIONS $fpath)
    autoload -U compinit && compinit -D -u
    zstyle ':completion:*' verbose no
    compadd() {
        if [[ ${@[(r)-[OAD]*]} == "" || ${@[(I)-[OAD]]} -eq 0 ]]; then
            local -a offers; builtin compadd -A offers "$@"; print -rl -- $offers >>$OFFERS
        fi
        builtin compadd "$@"
    }
    bindkey '^I' complete-word
    """

    @classmethod
    def setUpClass(cls):
        cls.offers = HOME + "/offers"
        write(HOME + "/setup.zsh", cls.SETUP)
        cls.shell = Terminal("zsh", "-f", "-i", env=dict(
            environment(), COMPLETIONS=COMPLETIONS, OFFERS=cls.offers))
        cls.shell.say(f"cd {HOME}; . {HOME}/setup.zsh\r")
        cls.shell.until(b"ready> ")

    @classmethod
    def tearDownClass(cls):
        cls.shell.close()

    def ask(self, line):
        write(self.offers, "")
        os.truncate(self.offers, 0)
        # ^U discards the line; the next line prints the end mark.
        self.shell.say(line + "\t\x15print AS''KED\r")
        self.shell.until(b"ASKED")
        # Before the next prompt, the terminal would consume ^U itself.
        self.shell.until(b"ready> ")
        with open(self.offers, encoding="utf-8") as file:
            return sorted(set(file.read().split("\n")) - {""})

    def test_quoted(self):
        self.assertEqual(self.ask(f"lessor --config '{HOME}/a b/settings' show box"), ["box-alive"])

    def test_syntax(self):
        for name in ("_lessor", "_lessord"):
            subprocess.run(["zsh", "-n", f"{COMPLETIONS}/{name}"], check=True)


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    for test, why in result.skipped:
        print(f"SKIPPED: {test}: {why}")
    sys.exit(1 if not result.wasSuccessful() else 77 if result.skipped else 0)
