#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""bootstrap-yaml.py CASES COUNT: does an independent YAML parser read from each document
exactly what the lease asked for, and do the arguments of the one command reach it
through the shell that cloud-init puts between as they were?

Exit 77 (skipped) without python3-yaml."""

import shutil
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    print("python3-yaml is not installed")
    sys.exit(77)

FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FILES = {
    "/etc/ssh/sshd_config.d/10-lessor.conf": "0644",
    "/etc/lessor-work-root": "0644",
    "/usr/local/bin/crabbox-ready": "0755",
    "/usr/local/sbin/lessor-setup": "0755",
}


def expected(user, root, key, ports, lease, host_key, private, scripts):
    once = list(dict.fromkeys(ports.split()))
    sshd = "".join(f"Port {p}\n" for p in once)
    sshd += "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    contents = [sshd, root + "\n", *scripts]
    keys = {"ssh_keys": {"ed25519_private": private, "ed25519_public": host_key}}
    return {
        **(keys if host_key else {}),
        "users": [{
            "name": user, "shell": "/bin/bash", "groups": ["sudo"],
            "sudo": "ALL=(ALL) NOPASSWD:ALL", "lock_passwd": True,
            "ssh_authorized_keys": [" ".join(key.split(" ")[:2]) + " " + lease],
        }],
        "ssh_pwauth": False,
        "package_update": False,
        "package_upgrade": False,
        "write_files": [
            {"path": path, "owner": "root:root", "permissions": mode, "content": content}
            for (path, mode), content in zip(FILES.items(), contents)
        ],
        "runcmd": [["/usr/local/sbin/lessor-setup", user, root]],
    }


def cases(raw):
    at = 0

    def line():
        nonlocal at
        end = raw.index(b"\n", at)
        text = raw[at:end].decode("ascii")
        at = end + 1
        return text

    while at < len(raw):
        fields = [line() for _ in range(6)]
        size = int(line())
        fields.append(raw[at:at + size].decode("ascii"))
        at += size
        size = int(line())
        yield fields, raw[at:at + size]
        at += size


def shellify(argv):
    """As cloud-init 23 writes a list of runcmd into its script."""
    return " ".join("'" + a.replace("'", "'\\''") + "'" for a in argv)


def through_shell(commands):
    """One shell for many commands, each with printf in place of the script."""
    script = "".join(shellify(["printf", "%s\\0%s\\0", *argv[1:]]) + "\n" for argv in commands)
    out = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True).stdout
    return out.decode().split("\0")[:-1]


def check_scripts(scripts):
    for text in scripts:
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as f:
            f.write(text)
            f.flush()
            subprocess.run(["sh", "-n", f.name], check=True)
            if shutil.which("shellcheck"):
                subprocess.run(["shellcheck", "-s", "sh", f.name], check=True)


def check_pair(public, private):
    with tempfile.NamedTemporaryFile("w") as f:
        f.write(private)
        f.flush()
        said = subprocess.run(["ssh-keygen", "-y", "-P", "", "-f", f.name], check=True,
                              capture_output=True, text=True).stdout
    if said.split() != public.split():
        sys.exit(f"ssh-keygen reads {said} where {public} is told")


def main():
    program, count = sys.argv[1], sys.argv[2]
    raw = subprocess.run([program, count], capture_output=True, check=True).stdout
    scripts = None
    commands = []
    wanted = []
    n = 0
    for fields, document in cases(raw):
        # The slow parser is the one that cloud-init uses; the fast one is libyaml.
        loader = yaml.SafeLoader if n % 20 == 0 else FAST
        if not document.startswith(b"#cloud-config\n") or len(document) > 32768:
            sys.exit(f"case {n}: not a cloud-config of at most 32 KiB")
        tree = yaml.load(document.decode("ascii"), Loader=loader)
        if scripts is None:
            scripts = [f["content"] for f in tree["write_files"][2:]]
            check_scripts(scripts)
        if tree != expected(*fields, scripts):
            sys.exit(f"case {n}: {fields}\n{tree}")
        # What a program of others makes of the private half, now and then.
        if n % 500 < 2 and fields[5] and shutil.which("ssh-keygen"):
            check_pair(fields[5], fields[6])
        commands.append(tree["runcmd"][0])
        wanted += [fields[0], fields[1]]
        n += 1
    if through_shell(commands) != wanted:
        sys.exit("an argument changed on its way through the shell")
    if n != int(count):
        sys.exit(f"{n} cases instead of {count}")
    print(f"{n} documents read back exactly")


main()
