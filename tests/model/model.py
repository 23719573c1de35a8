#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Explores all states of the model of the lease aggregate (README.md).

Prints one line for each configuration and each seeded mistake, and under a failing one the shortest
trail to it. Exit: 0 success; 1 a property does not hold, a mistake is not found, or the counts of a
configuration are not the expected ones."""

import argparse
import gc
import sys
import time

from configurations import CONFIGS
from explore import explore
from mistakes import MISTAKES, seed


def check_config(config):
    """True if everything holds and the counts are the expected ones."""
    started = time.process_time()
    result = explore(config)
    wrong = result.violation
    counts = (result.states, result.moves)
    if not wrong and counts != (config.states, config.moves):
        wrong = (f"expected {config.states} states and {config.moves} moves;"
                 " the model changed: update the count")
    report("config", config.name, result, started, wrong or "all hold")
    if wrong:
        print_trail(result)
    return not wrong


def check_mistake(mistake):
    """True if it is found as what it should be."""
    started = time.process_time()
    with seed(mistake.name):
        result = explore(CONFIGS[mistake.config])
    good = result.violation is not None and result.violation.startswith(mistake.found_as + ":")
    outcome = f"found as {result.violation}" if result.violation else "NOT FOUND"
    if not good:
        outcome += f"; expected: {mistake.found_as}"
    report("mistake", mistake.name, result, started, outcome)
    print_trail(result)
    return good


def report(sort, name, result, started, outcome):
    print(f"{sort:7} {name:22} {result.states:9,} states {result.moves:10,} moves"
          f" {time.process_time() - started:6.1f} s  {outcome}", flush=True)


def print_trail(result):
    for label in result.trail:
        print("        " + label)
    sys.stdout.flush()


def list_all():
    """Sort, name and who runs it, in columns that long.sh reads."""
    for config in CONFIGS.values():
        print(f"config  {config.name:22} {where(config):5}  {config.states:,} states")
    for mistake in MISTAKES.values():
        print(f"mistake {mistake.name:22} {where(CONFIGS[mistake.config]):5}  {mistake.what}")


def where(config):
    return "ctest" if config.in_ctest else "long"


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--config", action="append", default=[], choices=CONFIGS, metavar="NAME",
                        help="explore this configuration; everything must hold")
    parser.add_argument("--mistake", action="append", default=[], choices=MISTAKES, metavar="NAME",
                        help="seed this mistake; it must be found")
    parser.add_argument("--mistakes-of", action="append", default=[], choices=CONFIGS,
                        metavar="CONFIG", help="each mistake that this configuration must find")
    parser.add_argument("--all", action="store_true", help="every configuration and mistake")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    chosen = parser.parse_args()
    if not (chosen.all or chosen.list or chosen.config or chosen.mistake or chosen.mistakes_of):
        parser.error("nothing to do: see --help")
    return chosen


def main():
    chosen = options()
    if chosen.list:
        list_all()
        return 0
    configs = [c for c in CONFIGS.values() if chosen.all or c.name in chosen.config]
    mistakes = [m for m in MISTAKES.values()
                if chosen.all or m.name in chosen.mistake or m.config in chosen.mistakes_of]
    # A state refers to nothing that refers to it, so the collector would only search in vain.
    gc.disable()
    results = [check_config(config) for config in configs]
    results += [check_mistake(mistake) for mistake in mistakes]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
