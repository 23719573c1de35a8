#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The installed files suffice to build a provider outside the tree and to use it.

Installs the build, builds sdk/example outside the tree with CMake and with make, runs a lease
with the installed daemon and command line, and kills the daemon around the provider's effects.
Environment: BUILD, SOURCE, CMAKE, CC and optionally CXX.
Exit: 0 passed, 1 failed, 77 a tool is missing."""

import base64
import concurrent.futures
import os
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

PATIENCE = 90  # in seconds; most steps take a few, establishing absence takes 65
BUILD, SOURCE = os.environ.get("BUILD", ""), os.environ.get("SOURCE", "")
CMAKE, CC = os.environ.get("CMAKE", "cmake"), os.environ.get("CC", "cc")
CXX = shutil.which(os.environ.get("CXX") or "c++")
EXAMPLE = SOURCE + "/sdk/example"

CONFIG = """\
[server]
listen = unix:{home}/socket
store = {home}/lessor.db
providers = {providers}
settle = 300ms
create_wait = 5s
release_wait = 5s

[account folder]
provider = folder
locations = here
base = {home}/machines
"""

MINIMAL = """\
#include <lessor/provider.h>
static int step(void *i, struct lessor_call *c, const struct lessor_lease *l)
{ (void)i; (void)l; return lessor_retry(c, LESSOR_CLASS_TRANSIENT, 0, "no"); }
static int list(void *i, struct lessor_call *c, uint32_t k)
{ (void)i; (void)c; (void)k; return LESSOR_DONE; }
static int open_it(struct lessor_call *c, void **i) { (void)c; (void)i; return LESSOR_DONE; }
static void close_it(void *i) { (void)i; }
static const struct lessor_provider table = { .size = sizeof(table), .abi = LESSOR_ABI,
    .name = "NAME", .version = "1", .summary = "One", .capabilities = LESSOR_OWN_IO,
    .open = open_it, .close = close_it, .provision = step, .cleanup = step, .inspect = step, .list = list };
LESSOR_PROVIDER(table)
"""


def run(*args, fails=False, **kwargs):
    """The output of a program that must succeed, or must fail."""
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False, **kwargs)
    text = done.stdout.decode("utf-8", "replace")
    if (done.returncode != 0) != fails:
        raise AssertionError(f"{args}: exit {done.returncode}\n{text}")
    return text


def write(path, text, mode=0o644):
    with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, mode)) as f:
        f.write(text)


def files_below(top):
    return sorted(os.path.relpath(os.path.join(folder, name), top)
                  for folder, _, names in os.walk(top) for name in names)


def exports(plugin):
    text = run("nm", "-D", "--defined-only", plugin)
    return [line.split()[-1] for line in text.splitlines() if line]


class Installed:
    """The build, installed once into a prefix that it was not configured for."""

    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="lessor-install-")
        self.prefix = self.top + "/usr"
        run(CMAKE, "--install", BUILD, "--prefix", self.prefix)
        pc = [f for f in files_below(self.prefix) if f.endswith("/lessor.pc")]
        self.pkg_config = "pkg-config --define-variable=prefix=" + self.prefix
        self.env = dict(os.environ, PKG_CONFIG=self.pkg_config,
                        PKG_CONFIG_PATH=os.path.dirname(f"{self.prefix}/{pc[0]}"))
        self.providers = run(*self.pkg_config.split(), "--variable=providerdir", "lessor",
                             env=self.env).strip()
        self.cflags = run(*self.pkg_config.split(), "--cflags", "lessor", env=self.env).split()
        self.lessord = self.prefix + "/sbin/lessord"
        self.lessor = self.prefix + "/bin/lessor"

    def copy(self, name):
        place = f"{self.top}/{name}"
        shutil.copytree(EXAMPLE, place)
        return place

    def cmake(self, place, **kwargs):
        run(CMAKE, "-S", place, "-B", place + "/build", "-DCMAKE_PREFIX_PATH=" + self.prefix)
        return run(CMAKE, "--build", place + "/build", **kwargs)

    def make(self, place, *args, **kwargs):
        return run("make", "-C", place, *args, env=self.env, **kwargs)


class Daemon:
    """The installed lessord with its own store and directory; restarted repeatedly."""

    def __init__(self, name, providers):
        self.home = f"{IT.top}/{name}"
        self.machines = self.home + "/machines"
        os.makedirs(self.machines)
        write(self.home + "/conf", CONFIG.format(home=self.home, providers=providers))
        os.mkfifo(self.home + "/fifo")
        blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + secrets.token_bytes(32)
        write(self.home + "/key.pub", "ssh-ed25519 " + base64.b64encode(blob).decode("ascii"))
        run(IT.lessord, "--check-config", "--config", self.home + "/conf")
        token = subprocess.run(
            [IT.lessord, "token", "add", "--owner", "alice@example.com", "--config",
             self.home + "/conf"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
            timeout=PATIENCE).stdout
        write(self.home + "/token", token.decode("ascii"), 0o600)
        self.ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ready.bind(self.home + "/ready")
        self.ready.settimeout(PATIENCE)
        self.process = None

    def start(self, hold=""):
        env = dict(os.environ, NOTIFY_SOCKET=self.home + "/ready", LESSOR_TEST_HOLD_AT=hold,
                   LESSOR_TEST_HOLD=self.home + "/fifo")
        with open(self.home + "/log", "ab") as log:
            self.process = subprocess.Popen([IT.lessord, "--config", self.home + "/conf"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=env)
        while b"READY=1" not in self.ready.recv(4096):
            pass

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def command(self, *args):
        env = dict(os.environ, HOME=self.home, LESSOR_URL=f"unix:{self.home}/socket",
                   LESSOR_TOKEN_FILE=self.home + "/token")
        return [IT.lessor, *args], env

    def cli(self, *args):
        command, env = self.command(*args)
        return run(*command, env=env)

    def begin(self, *args):
        """Starts a command in the background; its result is checked elsewhere."""
        command, env = self.command(*args)
        return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def held(self):
        """Waits until the plugin reports that it has reached the place."""
        fd = os.open(self.home + "/fifo", os.O_RDONLY | os.O_NONBLOCK)
        try:
            there, _, _ = select.select([fd], [], [], PATIENCE)
            if not there or os.read(fd, 1) != b"x":
                raise AssertionError("the place was never reached")
        finally:
            os.close(fd)

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.ready.close()

    def create(self):
        return ("create", "--type", "any", "--slug", "box", "--ttl", "1h", "--ssh-key",
                self.home + "/key.pub")


def life_with_kill(place):
    """The life of a lease, with SIGKILL when the provider reaches `place`."""
    daemon = Daemon(place.replace(" ", "-"), IT.top + "/held")
    client = None
    try:
        made = place == "after create" or place == "before delete"
        if place.endswith("create"):
            daemon.start(place)
            client = daemon.begin(*daemon.create())
        else:
            daemon.start()
            daemon.cli(*daemon.create())
            daemon.stop()
            daemon.start(place)
            client = daemon.begin("release", "box")
        daemon.held()
        daemon.stop(signal.SIGKILL)
        if len(os.listdir(daemon.machines)) != made:
            raise AssertionError(f"{place}: {os.listdir(daemon.machines)}")
        daemon.start()
        lease = re.search(r"cbx_[0-9a-f]{12}", daemon.cli("list", "--all", "--json")).group(0)
        if place.endswith("create"):
            # The client lost its response, repeated the request, and got the same lease.
            if client.wait(PATIENCE) != 0:
                raise AssertionError(f"{place}: create ended with {client.returncode}")
            if len(os.listdir(daemon.machines)) != 1:
                raise AssertionError(f"{place}: {os.listdir(daemon.machines)}")
        daemon.cli("release", lease)
        if os.listdir(daemon.machines):
            raise AssertionError(f"{place}: left behind: {os.listdir(daemon.machines)}")
        if daemon.stop() != 0:
            raise AssertionError("lessord did not exit cleanly")
    except BaseException:
        with open(daemon.home + "/log", encoding="utf-8", errors="replace") as log:
            sys.stderr.write(f"-- {place}: log of lessord:\n{log.read()[-3000:]}\n")
        raise
    finally:
        daemon.close()
        if client:
            client.kill()
            client.wait()


class InstallTest(unittest.TestCase):
    def test_1_components_are_the_whole(self):
        dest = IT.top + "/dest"
        parts = {}
        for part in ("daemon", "postgresql", "cli", "devel"):
            run(CMAKE, "--install", BUILD, "--prefix", "/usr", "--component", part,
                env=dict(os.environ, DESTDIR=f"{dest}/{part}"))
            parts[part] = files_below(f"{dest}/{part}/usr")
        self.assertEqual(sorted(sum(parts.values(), [])), files_below(IT.prefix))
        self.assertIn("sbin/lessord", parts["daemon"])
        self.assertEqual([os.path.basename(f) for f in parts["postgresql"]],
                         ["lessord-postgresql.so"])
        self.assertEqual([f for f in parts["cli"] if not f.startswith("share/")], ["bin/lessor"])
        # Each program comes with its manual and completions.
        for part, name in (("daemon", "man/man8/lessord.8"), ("daemon", "man/man5/lessord.conf.5"),
                           ("cli", "man/man1/lessor.1"), ("devel", "man/man3/lessor-provider.3"),
                           ("devel", "man/man1/lessor-plugin-check.1"),
                           ("cli", "bash-completion/completions/lessor"),
                           ("cli", "fish/vendor_completions.d/lessor.fish"),
                           ("daemon", "bash-completion/completions/lessord"),
                           ("daemon", "fish/vendor_completions.d/lessord.fish")):
            self.assertIn("share/" + name, parts[part])
        for part, name in (("daemon", "_lessord"), ("cli", "_lessor")):
            self.assertIn(name, [os.path.basename(f) for f in parts[part] if "/zsh/" in f])
        self.assertEqual("bin/hetzner-sim" in parts["devel"],
                         "share/man/man1/hetzner-sim.1" in parts["devel"])
        self.assertIn("include/lessor/provider.h", parts["devel"])
        self.assertTrue(os.access(IT.prefix + "/bin/hetzner-sim", os.X_OK)
                        or "bin/hetzner-sim" not in parts["devel"])

    def test_2_the_daemon_looks_where_providers_are_installed(self):
        self.assertEqual(sorted(os.listdir(IT.providers)), ["hetzner.so", "static.so"])
        said = run(IT.lessord, "--dump-provider", "none", "--config", IT.top + "/none", fails=True)
        built_in = run("pkg-config", "--variable=providerdir", "lessor", env=IT.env).strip()
        self.assertIn(f"'{built_in}/none.so'", said)
        dumped = run(IT.lessord, "--dump-provider", IT.providers + "/hetzner.so")
        self.assertIn("name=hetzner\n", dumped)
        self.assertEqual(exports(IT.providers + "/hetzner.so"), ["lessor_provider_entry_v1"])

    def test_3_the_header_stands_alone(self):
        strict = ("-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", *IT.cflags)
        for dialect in ("c99", "c11"):
            run(CC, "-std=" + dialect, *strict, SOURCE + "/tests/sdk/header-c.c")
        if CXX:
            run(CXX, "-std=c++11", *strict, SOURCE + "/tests/sdk/header-cxx.cpp")

    def test_4_what_a_provider_may_not_be(self):
        place = IT.top + "/minimal"
        os.mkdir(place)
        write(place + "/loud.c", MINIMAL.replace("NAME", "loud") +
              '__attribute__((visibility("default"))) int loud_symbol(void);\n'
              "int loud_symbol(void) { return 1; }\n")
        write(place + "/lacking.c", MINIMAL.replace("NAME", "lacking") +
              "int nobody_has_this(void);\nint lacking(void);\n"
              "int lacking(void) { return nobody_has_this(); }\n"
              "int (*volatile lacking_kept)(void) = lacking;\n")
        write(place + "/CMakeLists.txt", "cmake_minimum_required(VERSION 3.18)\n"
              "project(minimal LANGUAGES C)\nfind_package(Lessor 0.1 REQUIRED)\n"
              "lessor_add_provider(loud loud.c)\n")
        IT.cmake(place)
        self.assertEqual(exports(place + "/build/loud.so"), ["lessor_provider_entry_v1"])
        with open(place + "/CMakeLists.txt", "a", encoding="ascii") as f:
            f.write("lessor_add_provider(lacking SOURCES lacking.c)\n")
        self.assertIn("nobody_has_this", IT.cmake(place, fails=True))
        shutil.copy(place + "/lacking.c", IT.copy("lacking"))
        self.assertIn("nobody_has_this",
                      IT.make(IT.top + "/lacking", "SOURCES=folder.c lacking.c", fails=True))

    def live(self, name):
        plugin = IT.providers + "/folder.so"
        self.assertEqual(exports(plugin), ["lessor_provider_entry_v1"])
        daemon = Daemon(name, IT.providers)
        try:
            daemon.start()
            daemon.cli(*daemon.create())
            machine, = os.listdir(daemon.machines)
            self.assertIn("lessor-sig=", os.readlink(f"{daemon.machines}/{machine}"))
            self.assertIn("127.0.0.1", daemon.cli("show", "box"))
            daemon.cli("release", "box")
            self.assertEqual(os.listdir(daemon.machines), [])
            self.assertNotIn("box", daemon.cli("list"))
            self.assertEqual(daemon.stop(), 0)
        finally:
            daemon.close()
            os.unlink(plugin)

    def test_5_the_example_with_cmake(self):
        place = IT.copy("with-cmake")
        IT.cmake(place)
        run(CMAKE, "--install", place + "/build")
        self.live("life-cmake")

    def test_6_the_example_with_make(self):
        place = IT.copy("with-make")
        IT.make(place, "CFLAGS=-O2 -Wall -Wextra -Werror")
        IT.make(place, "install")
        check = IT.prefix + "/bin/lessor-plugin-check"
        said = run(check, "folder.so", cwd=IT.providers)
        self.assertIn("name=folder\n", said)
        self.assertIn("option.base.required=1\n", said)
        # Each refusal is one line.
        for name, change, why in (("other", None, "its name is 'folder'"),
                                  ("open", 0o666, "must not be writable"),
                                  ("none", 0, "No such file")):
            plugin = f"{place}/{name}.so"
            if change != 0:
                shutil.copy(place + "/folder.so", plugin)
                os.chmod(plugin, change or 0o644)
            said = run(check, plugin, fails=True)
            self.assertIn(why, said)
            self.assertEqual(said.count("\n"), 1, said)
        self.live("life-make")

    def test_7_killed_around_its_effects(self):
        place = IT.copy("to-be-held")
        shutil.copy(SOURCE + "/tests/sdk/held.c", place)
        IT.make(place, "SOURCES=folder.c held.c",
                "CPPFLAGS=-Dsymlinkat=held_symlinkat -Dunlinkat=held_unlinkat")
        os.mkdir(IT.top + "/held")
        shutil.copy(place + "/folder.so", IT.top + "/held")
        places = [f"{when} {what}" for when in ("before", "after") for what in ("create", "delete")]
        with concurrent.futures.ThreadPoolExecutor(len(places)) as pool:
            for done in [pool.submit(life_with_kill, place) for place in places]:
                done.result()


if __name__ == "__main__":
    for tool in ("make", "nm", "pkg-config"):
        if not shutil.which(tool):
            print(tool + " is not installed")
            sys.exit(77)
    # lessord refuses providers that others can write to.
    os.umask(0o022)
    os.environ["CC"] = CC
    os.environ.pop("DESTDIR", None)
    IT = Installed()
    try:
        unittest.main(verbosity=2)
    finally:
        shutil.rmtree(IT.top, ignore_errors=True)
