# SPDX-License-Identifier: MIT
"""Runs the programs as users do, and reads what they print about themselves."""

import os
import re
import subprocess
import sys

SOURCE, PAGES, BIN = os.environ["SOURCE"], os.environ["PAGES"], os.environ["BIN"]
PROVIDERS = os.environ["LESSOR_PROVIDERS"]
sys.path.insert(0, SOURCE + "/tests/api")

ACCOUNT = "[account hetzner]\nprovider = hetzner\nlocations = fsn1\n"


def run(name, *args, code=0, env=None, **kwargs):
    """Returns stdout and stderr together; the exit code must be `code` or one of its elements."""
    done = subprocess.run([os.path.join(BIN, name), *args], stdin=subprocess.DEVNULL, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env=env, **kwargs)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode not in (code if isinstance(code, tuple) else (code,)):
        raise AssertionError(f"{name} {' '.join(args)}: exit {done.returncode}\n{text}")
    return text


def write(path, text, mode=0o644):
    with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, mode)) as file:
        file.write(text)
    return path


def allowed(name, *args):
    """The options that a program lists when it is given an unknown one."""
    text = run(name, *args, "--no-such", code=2)
    there = re.search(r"the options are (--[a-z-]+(?:, --[a-z-]+)*)", text)
    if not there:
        raise AssertionError(f"{name} {args}: {text}")
    return {option[2:] for option in there.group(1).split(", ")}


def commands():
    """The commands of lessor, from its --help."""
    table = run("lessor", "--help").split("commands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in table.splitlines()]


def in_help(text):
    """The options that a --help text mentions."""
    return set(re.findall(r"(?<![\w-])--([a-z][a-z-]*[a-z])", text))


def sections(config):
    """The output of --dump-config as {section: {key: value or None}}."""
    found, at = {}, None
    for line in config.splitlines():
        if line.startswith("["):
            at = found.setdefault(line[1:-1], {})
        elif line:
            key, value = line.lstrip("#").split(" =", 1)
            at[key] = value.strip() or None
    return found
