# SPDX-License-Identifier: MIT
"""Who used the CPUs of the machine meanwhile: the measured programs, the load, the neighbours."""
import os
import resource

from table import line

TICK = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()
# Above it, more work for one program is less for another: what is compared shares the CPUs.
FULL = 0.9
# What is not of the measurement and uses more than this part makes its figures worthless.
STRANGERS = 0.15


def busy_seconds():
    """CPU time of all that ran on this machine, in all."""
    with open("/proc/stat", encoding="ascii") as f:
        times = [int(n) for n in f.readline().split()[1:9]]
    # Without idle and iowait; stolen time was not this machine's.
    return (sum(times) - times[3] - times[4] - times[7]) / TICK


def seconds(pid, with_ended=False):
    """CPU time of a process, and of its children that have ended; 0 if it has ended itself."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(int(n) for n in fields[11:15 if with_ended else 13]) / TICK


def ended_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Usage:
    """CPU seconds since the start, by the name of the program. `read` returns a dictionary of what
    each program has used so far."""

    def __init__(self, read):
        self.read = read
        self.spent, self.all, self.wall = {}, 0, 0

    def add(self, work):
        """The result of work(), and its use of the CPUs is added."""
        times, busy, wall = self.read(), busy_seconds(), os.times().elapsed
        result = work()
        self.wall += os.times().elapsed - wall
        self.all += busy_seconds() - busy
        for name, used in self.read().items():
            self.spent[name] = self.spent.get(name, 0) + used - times[name]
        return result

    def line(self):
        room = self.wall * CORES
        shares = [f"{name} {100 * used / room:.0f} %" for name, used in self.spent.items()]
        rest = max(0, self.all - sum(self.spent.values()))
        limit = ("not the CPUs" if self.all / room < FULL else
                 "the CPUs" if rest / room < STRANGERS else "other programs")
        line("    limited by", limit, f"busy {100 * self.all / room:.0f} % of {CORES}: "
             + ", ".join(shares) + f", other programs {100 * rest / room:.0f} %")
