# SPDX-License-Identifier: MIT
"""The figures by name, the lines printed during the run, and the table at the end."""
import statistics

# Name, description, format, value when it landed, goal, and whether the goal is met. Nothing here
# passes or fails; the limits of a test are in counts.py and several.py.
MEASURES = (
    ("cpu_life", "CPU of lessord per life, 64 at a time", "{:.1f} ms", "8.2 ms", "<= 1.2 ms",
     lambda v: v <= 1.2),
    ("cpu_waiting", "the same, 1,000 waiting at once", "{:.1f} ms", "21 ms", "<= 1.2 ms",
     lambda v: v <= 1.2),
    ("lives", "whole lives, 64 clients", "{:,.0f}/s", "94-145/s", ">= 600/s",
     lambda v: v >= 600),
    ("creates", "creates until ready, 64 clients", "{:,.0f}/s", "168/s", ">= 800/s",
     lambda v: v >= 800),
    ("steps_account", "sqlite3_step per life, idle, keys = account", "{:.0f}", "-", "<= 80",
     lambda v: v <= 80),
    ("commits_account", "commits per life, idle, keys = account", "{:.0f}", "-", "<= 14",
     lambda v: v <= 14),
    ("steps_lease", "sqlite3_step per life, idle, keys = lease", "{:.0f}", "364", "<= 80",
     lambda v: v <= 80),
    ("commits_lease", "commits per life, idle, keys = lease", "{:.0f}", "28", "<= 14",
     lambda v: v <= 14),
    ("get", "GET lease at 64, of evhttp's hello", "{:.2f}", "0.46-0.61", ">= 0.9",
     lambda v: v >= 0.9),
    ("beats", "durable heartbeats at 64, of the same", "{:.2f}", "0.44", ">= 0.8",
     lambda v: v >= 0.8),
    ("beats_cpu", "their CPU in lessord", "{:.1f} us", "22 us", "-", None),
    ("beats_p99", "their p99", "{:.1f} ms", "8 ms", "<= 5 ms", lambda v: v <= 5),
    ("beats_runs", "their rate while four runs end, of the rate without", "{:.2f}", "-",
     ">= 0.95", lambda v: v >= 0.95),
    ("beats_runs_p99", "their p99 while four runs end", "{:.1f} ms", "9.3 ms", "<= 5 ms",
     lambda v: v <= 5),
    ("private", "private memory, idle", "{:.1f} MiB", "3.9 MiB", "<= 5 MiB", lambda v: v <= 5),
    ("rss", "RSS, idle", "{:.1f} MiB", "14.1 MiB", "-", None),
    ("open_rss", "RSS, 100,000 open leases, none polled", "{:.1f} MiB", "-", "<= 64 MiB",
     lambda v: v <= 64),
    ("open_start", "start with them until the first response", "{:.2f} s", "-", "<= 0.5 s",
     lambda v: v <= 0.5),
    ("start", "start, empty, until the first response", "{:.0f} ms", "12-18 ms", "<= 20 ms",
     lambda v: v <= 20),
    ("pressed_p99", "new client's p99, 1,000 slow + 10,000 idle", "{:.1f} ms", "fails at 1,024",
     "<= 50 ms", lambda v: v <= 50),
    ("pressed_ratio", "the same, of the p99 without them", "{:.1f}", "-", "-", None),
    ("pressed_tls_p99", "the same over TLS", "{:.1f} ms", "-", "<= 100 ms", lambda v: v <= 100),
    ("pressed_drip", "longest life of a slow client", "{:.1f} s", "-", "<= 20 s",
     lambda v: v <= 20),
    ("each_silent", "memory of a silent connection", "{:.1f} kB", "-", "<= 2.5 kB",
     lambda v: v <= 2.5),
    ("each_half", "memory of a half-read connection", "{:.1f} kB", "-", "<= 2.5 kB",
     lambda v: v <= 2.5),
    ("each_idle", "memory of an idle connection", "{:.1f} kB", "-", "<= 2.5 kB",
     lambda v: v <= 2.5),
    ("each_idle_tls", "the same over TLS", "{:.1f} kB", "-", "-", None),
    ("ended_start", "start, 100,000 ended leases", "{:.0f} ms", "12 ms", "<= 20 ms",
     lambda v: v <= 20),
)

figures = {}


def median(values):
    return statistics.median(values)


def line(name, figure, note=""):
    print(f"{name:<58} {figure:>14}  {note}", flush=True)


def exceeds(test, what, value, limit):
    """Prints whether a figure of a test is within its limit. 1: it is not."""
    verdict = "above its limit of" if value > limit else "within"
    print(f"{test}: {what}={value:.0f} {verdict} {limit}")
    return int(value > limit)


def show():
    """Prints the table. A figure that was not measured is a dash, neither met nor missed."""
    rows = [("measure", "measured", "landed", "goal", "met")]
    for name, what, form, landed, goal, is_met in MEASURES:
        value = figures.get(name)
        rows.append((what, "-" if value is None else form.format(value), landed, goal,
                     "-" if value is None or is_met is None else "yes" if is_met(value) else "no"))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    print()
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  ".join(cells), flush=True)
