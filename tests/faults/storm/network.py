# SPDX-License-Identifier: MIT
"""Cables that can be pulled: a pair of network devices between each daemon and each thing that it
needs, whose other end is in a second network namespace, where the proxies listen.

When a cable is pulled the kernel drops every packet in silence, in both directions, as in a real
partition: acknowledgements of what was sent too, which a proxy that holds bytes back cannot do. It
takes root and a network namespace for the storm itself (`enter`), which then has addresses of
127.0.0.0/16 on its own loopback, and 127.99.N.0/30 on cable N."""

import os
import shutil
import subprocess
import sys

MARK = "LESSOR_STORM_NETNS"
TOOLS = ("ip", "tc", "nsenter", "unshare")


def enter(words):
    """Starts this program again in a network namespace of its own, if that is allowed."""
    if MARK in os.environ or os.geteuid() != 0 or not all(shutil.which(t) for t in TOOLS):
        return
    # The last command shows whether this kernel can lose packets.
    trial = "ip link set lo up && tc qdisc add dev lo root blackhole"
    if subprocess.run(["unshare", "--net", "sh", "-c", trial], check=False, stdin=subprocess.DEVNULL,
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
        os.environ[MARK] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, "-B", *words])


def is_entered():
    return MARK in os.environ


def run(*words):
    done = subprocess.run(words, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise OSError("%s: %s" % (" ".join(words), done.stdout.strip()))


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class Network:
    def __init__(self):
        run("ip", "link", "set", "lo", "up")
        run("ip", "addr", "del", "127.0.0.1/8", "dev", "lo")
        run("ip", "addr", "add", "127.0.0.1/16", "dev", "lo")
        write("/proc/sys/net/ipv4/conf/all/route_localnet", "1")
        # The second namespace lives as long as this process.
        self.other = subprocess.Popen(
            ["unshare", "--net", "sh", "-c",
             "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; echo; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.other.stdout.readline()
        self.netns = "/proc/%d/ns/net" % self.other.pid
        self.cables = {}

    def there(self, *words):
        run("nsenter", "--net=" + self.netns, *words)

    def lay(self, name):
        """A new cable: the address and the namespace of its far end."""
        number = self.cables[name] = len(self.cables)
        near, far = "near%d" % number, "far%d" % number
        run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns",
            str(self.other.pid))
        run("ip", "addr", "add", "127.99.%d.2/30" % number, "dev", near)
        run("ip", "link", "set", near, "up")
        self.there("ip", "addr", "add", "127.99.%d.1/30" % number, "dev", far)
        self.there("ip", "link", "set", far, "up")
        return "127.99.%d.1" % number, self.netns

    def pull(self, name):
        number = self.cables[name]
        run("tc", "qdisc", "replace", "dev", "near%d" % number, "root", "blackhole")
        self.there("tc", "qdisc", "replace", "dev", "far%d" % number, "root", "blackhole")

    def put_back(self, name):
        number = self.cables[name]
        run("tc", "qdisc", "replace", "dev", "near%d" % number, "root", "pfifo")
        self.there("tc", "qdisc", "replace", "dev", "far%d" % number, "root", "pfifo")

    def close(self):
        self.other.stdin.close()
        self.other.wait(30)
        self.other.stdout.close()
