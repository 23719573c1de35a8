# SPDX-License-Identifier: MIT
"""Starts proxy.py and gives it its commands, which its own text lists."""

import json
import os
import subprocess
import sys
import threading

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "proxy.py")


class ProxyError(Exception):
    pass


class Proxies:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-B", PROGRAM], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock = threading.Lock()

    def do(self, what, name, **words):
        with self.lock:
            self.process.stdin.write(json.dumps(dict(words, do=what, name=name)) + "\n")
            answer = json.loads(self.process.stdout.readline() or '{"error": "it has ended"}')
        if "error" in answer:
            raise ProxyError(answer["error"])
        return answer

    def open(self, name, to, database=False, at=("127.0.0.1", "")):
        """The port that leads to `to`; `at`: the address, and the network namespace that has it."""
        return self.do("open", name, to=to, database=database, host=at[0], netns=at[1])["port"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
