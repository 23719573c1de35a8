# SPDX-License-Identifier: MIT
"""One state of the whole model: store, steps under way, provider, and what may still happen.

A World is a value. Moves (daemon.py, surroundings.py) lead from one to the next; each is one commit
or one request, so that a crash is possible between any two. A move that breaks a promise to the
client or to the owner of a resource raises Violation.
"""

from collections import namedtuple

from aggregate import (KINDS, MAY_BE_DELETED, NO_LEASE, TERMINAL, Facts, Seen, is_done,
                       lease_apply)

# States of an object at the provider.
UNBORN = "unborn"
HIDDEN = "hidden"  # created, and not shown yet
SHOWN = "shown"
GOING = "going"  # a delete was accepted; still shown
GONE = "gone"

# Who switched the server's delete protection on. The daemon reads only whether it is on.
OFF = 0
BY_US = 1
BY_A_PERSON = 2

# What the client was promised by a no-delete release, for each kind of resource.
NO_PROMISE = 0
KEEP_RECORDED = 1
KEEP_PROTECTED = 2

Object = namedtuple("Object", (
    "state",
    "signed",  # False: a person changed its labels
    "label",  # lessor-retain
    "hidden_ticks",
    "protection",
    "late_unprotect",  # a lost request to lift the protection will be carried out later
    "late_delete",  # the same for a lost DELETE
))

# A request or a commit that the daemon is about to make. `epoch` is the lease's when it began.
Step = namedtuple("Step", "phase kind data epoch")

# `repeat`: another raise was asked for while `pending` was not yet written.
Generation = namedtuple("Generation", "current pending repeat")

Promise = namedtuple("Promise", KINDS)

# The second daemon, on a copy of the store.
Twin = namedtuple("Twin", "leases steps verified fenced generation")

World = namedtuple("World", (
    "leases", "steps",  # the store; one step of each lease
    "verified", "fenced",  # the account, since the start
    "generation",
    "servers", "key",  # the provider: one server for each lease, one key for all
    "other_project",  # the token opens another project now
    "sentinel_generation",
    "copy", "snapshot",  # what a copy of the store is for; the copy: (leases, generation)
    "restored",  # an older store is, or was, in use
    "promises",  # one for each lease
    "faults", "crashes", "client_calls", "token_flips", "copies", "lies", "people",  # budgets
    "twin",
    "second",  # 1: this world is seen from the second daemon
))

# `healthy`: it happens by itself, without a fault, a person or a client.
Move = namedtuple("Move", "label world healthy", defaults=(True,))

NO_OBJECT = Object(UNBORN, True, 0, 0, OFF, False, False)


class Violation(Exception):
    def __init__(self, what, move):
        super().__init__(what)
        self.what = what
        self.move = move


def start(config):
    return World(
        leases=(NO_LEASE,) * config.leases, steps=(None,) * config.leases,
        verified=False, fenced=False, generation=Generation(1, 0, False),
        servers=(NO_OBJECT,) * config.leases, key=NO_OBJECT,
        other_project=False, sentinel_generation=1,
        copy=config.copy, snapshot=None, restored=False,
        promises=(Promise(NO_PROMISE, NO_PROMISE),) * config.leases,
        faults=config.faults, crashes=config.crashes, client_calls=config.client_calls,
        token_flips=config.token_flips, copies=int(config.copy is not None), lies=config.lies,
        people=config.people, twin=None, second=0)


# ---- reading and replacing parts --------------------------------------------------------


def at(items, i, item):
    return items[:i] + (item,) + items[i + 1:]


def object_of(world, i, kind):
    return world.servers[i] if kind == "server" else world.key


def with_object(world, i, kind, obj):
    if kind == "server":
        return world._replace(servers=at(world.servers, i, obj))
    return world._replace(key=obj)


def read(obj):
    return Seen(obj.signed, obj.label, obj.protection != OFF)


def with_step(world, i, step):
    return world._replace(steps=at(world.steps, i, step))


def other_users(world, i):
    """Numbers of the other leases whose rows name the key."""
    return [k for k, lease in enumerate(world.leases)
            if k != i and lease.key is not None and not is_done(lease)
            and lease.key.state not in TERMINAL]


def promise_protected(promise, kinds):
    """From now on these kinds are protected, if the client was promised that they are kept."""
    return promise._replace(**{kind: KEEP_PROTECTED for kind in kinds if getattr(promise, kind)})


def twin_is_busy(world):
    return world.twin is not None and any(world.twin.steps)


# ---- events -----------------------------------------------------------------------------


def request_out(step):
    if step is None:
        return False
    if step.phase == "result":
        return step.data.startswith(("delete", "unprotect"))
    return step.phase in ("delete", "raise label", "unprotect", "unprotect answered")


def facts(world, i):
    rows = [world.leases[k].key for k in other_users(world, i)]
    return Facts(world.verified and not world.fenced, bool(rows),
                 any(row.state in MAY_BE_DELETED for row in rows), request_out(world.steps[i]))


def apply(world, i, *event):
    """One event for one lease, committed: returns the world and the reply."""
    lease, reply = lease_apply(world.leases[i], event, facts(world, i))
    return world._replace(leases=at(world.leases, i, lease)), reply


def apply_to_all(leases, *event):
    return tuple(lease_apply(lease, event, None)[0] for lease in leases)


def restart(world):
    world = raise_generation(world._replace(steps=(None,) * len(world.steps), verified=False,
                                            fenced=False))
    return world._replace(leases=apply_to_all(world.leases, "restart"))


def raise_generation(world):
    """Commits a new generation, which a probe then writes into the account's sentinel: an older
    store does not know it. Here a number's parity stands for the holder: the two daemons never
    choose the same one."""
    if world.copy is None:
        return world
    current, pending, _ = world.generation
    if pending:
        return world._replace(generation=Generation(current, pending, True))
    number = max(current, world.sentinel_generation) + 1
    if number % 2 == world.second:
        number += 1
    return world._replace(generation=Generation(current, number, False))


# ---- what the provider executes: every wrong request is detected here -------------------


def destroy(world, i, kind, move):
    """The provider executes a DELETE."""
    obj = object_of(world, i, kind)
    if not obj.signed:
        raise Violation("foreign: deleted what a person relabelled", move)
    if kind == "server" and world.promises[i].server > world.second:
        raise Violation("retained: deleted after the no-delete release", move)
    if kind == "key":
        for k, lease in enumerate(world.leases):
            if lease.key is None:
                continue
            if world.servers[k].state in (HIDDEN, SHOWN, GOING) and not world.restored:
                raise Violation("order: key deleted, a server that uses it exists", move)
            if world.promises[k].key > world.second and not is_done(lease):
                raise Violation("retained: key of a retained lease deleted", move)
    return with_object(world, i, kind, obj._replace(state=GOING))


def lift_protection(world, i, move):
    """Our request switches a server's delete protection off."""
    server = world.servers[i]
    if server.protection == BY_A_PERSON:
        raise Violation("foreign: lifted a protection that a person set", move)
    if world.promises[i].server > world.second:
        raise Violation("retained: protection lifted after the no-delete release", move)
    return with_object(world, i, "server", server._replace(protection=OFF, late_unprotect=False))
