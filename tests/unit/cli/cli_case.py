# SPDX-License-Identifier: MIT
"""Runs the real program against a scripted server."""
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from cli_server import Answer, Server

PROGRAM = os.environ.get("LESSOR", "lessor")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICX1Fh75OzRTsGkswkFtolOn48ENJpddThBvt6hGA8y+"


def lease(state="active", **more):
    doc = {"id": "cbx_0123456789ab", "slug": "violet-prawn", "provider": "hetzner",
           "state": state, "owner": "alice@example.com", "org": "acme", "class": "tiny",
           "serverType": "cx23", "requestedServerType": "ccx13", "region": "fsn1",
           "host": "203.0.113.7" if state == "active" else "", "sshUser": "crabbox",
           "sshPort": "2222", "cloudID": "4711", "serverName": "crabbox-violet-prawn",
           "createdAt": "2026-08-21T10:00:00.000Z", "expiresAt": "2099-08-21T10:30:00.000Z",
           "cleanup": {"state": "none", "tries": 0}}
    doc.update(more)
    return doc


RESIDUE = [{"kind": "server", "id": "4711", "name": "crabbox-violet-prawn"},
           {"kind": "ssh_key", "id": "12", "name": "key-x"}]


def owed(state="released", cleanup="owed", **more):
    return lease(state, cleanup=dict({"state": cleanup, "tries": 2, "lastError": "locked",
                                      "residue": RESIDUE}, **more))


def gone(state="released", **more):
    return lease(state, cleanup={"state": "done", "tries": 0}, **more)


def ok(doc, status=200):
    return Answer(status, {"lease": doc})


def error(status, code, message="text", **more):
    return Answer(status, dict({"error": code, "message": message}, **more))


NOT_FOUND = error(404, "not_found")


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        return json.loads(lines[0])


class Case(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="cli-")
        self.addCleanup(shutil.rmtree, self.home)
        os.mkdir(self.home + "/.ssh")
        with open(self.home + "/.ssh/id_ed25519.pub", "w") as f:
            f.write(KEY + " alice@laptop\n")
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                    "LESSOR_TOKEN": "s3cret-token"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def serve(self, script, path=None):
        server = Server(script, path)
        self.addCleanup(server.__exit__)
        self.env["LESSOR_URL"] = server.url
        return server

    def start(self, *words):
        return subprocess.Popen([PROGRAM, *words], env=self.env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def finish(self, process, timeout=60):
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        self.assertNotIn("s3cret", out + err)
        self.assertNotIn("\x1b", out + err)
        return Result(process.returncode, out, err)

    def run_cli(self, *words, code=None):
        result = self.finish(self.start(*words))
        if code is not None:
            self.assertEqual(result.code, code, result.out + result.err)
        return result

    def interrupt_when(self, server, method, end, words, number=signal.SIGINT):
        """Sends the signal once the request has come, and returns the result."""
        process = self.start(*words)
        server.await_request(method, end)
        process.send_signal(number)
        return self.finish(process)

    def run_tty(self, *words):
        """Standard error and output on one terminal of 80 columns; (code, text)."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(PROGRAM, [PROGRAM, *words], self.env)
        text = b""
        while True:
            if not select.select([fd], [], [], 60)[0]:
                os.kill(pid, signal.SIGKILL)
                break
            try:
                part = os.read(fd, 4096)
            except OSError:
                break
            if not part:
                break
            text += part
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.decode()


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
