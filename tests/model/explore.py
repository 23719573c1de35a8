# SPDX-License-Identifier: MIT
"""Breadth first over all states of a configuration."""

from collections import deque, namedtuple
from itertools import chain

from daemon import daemon
from properties import settled, violated
from surroundings import surroundings
from world import Violation, start

# More than any configuration has: a runaway model ends here instead of using up all memory.
MOST_STATES = 8_000_000

# `violation` is None if everything holds; `trail` is the labels of the moves that lead to it.
Result = namedtuple("Result", "states moves violation trail")


def explore(config):
    first = start(config)
    found = {first: None}  # state: the state and the move that led to it first
    before = {}  # state: those from which a healthy move leads to it
    todo = deque([first])
    moves = 0
    while todo:
        world = todo.popleft()
        try:
            for move in chain(daemon(world), surroundings(world)):
                moves += 1
                then = move.world
                if then not in found:
                    found[then] = world, move.label
                    todo.append(then)
                    what = violated(then)
                    if what:
                        raise Violation(what, move.label)
                if move.healthy and then != world:
                    before.setdefault(then, []).append(world)
        except Violation as wrong:
            return Result(len(found), moves, wrong.what, trail(found, world) + [wrong.move])
        if len(found) > MOST_STATES:
            return Result(len(found), moves, "too many states", [])
    settles = settling(found, before)
    for world in found:  # the first one that was found has the shortest trail
        if world not in settles:
            return Result(len(found), moves, "stuck: never settles by itself", trail(found, world))
    return Result(len(found), moves, None, [])


def settling(found, before):
    """The states from which healthy moves alone can lead to a settled one."""
    todo = [world for world in found if settled(world)]
    reached = set(todo)
    while todo:
        for world in before.get(todo.pop(), ()):
            if world not in reached:
                reached.add(world)
                todo.append(world)
    return reached


def trail(found, world):
    labels = []
    while found[world]:
        world, label = found[world]
        labels.append(label)
    return labels[::-1]
