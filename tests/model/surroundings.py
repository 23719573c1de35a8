# SPDX-License-Identifier: MIT
"""What happens to the daemon: provider, people, clients, crashes, copies of the store."""

from itertools import chain

from aggregate import VISIBLE_WITHIN, is_residue
from configurations import TWIN
from daemon import daemon
from world import (BY_A_PERSON, GOING, GONE, HIDDEN, KEEP_PROTECTED, KEEP_RECORDED, NO_PROMISE, OFF,
                   SHOWN, Generation, Move, Promise, Twin, Violation, apply, apply_to_all, at,
                   destroy, lift_protection, object_of, raise_generation, restart, twin_is_busy,
                   with_object)


def surroundings(world):
    for i in range(len(world.servers)):
        yield from provider(world, i, "server")
    yield from provider(world, 0, "key")
    yield from tick(world)
    yield from twin(world)
    yield from expiry_and_operator(world)
    yield from explicit_deletes(world)
    for i, lease in enumerate(world.leases):
        yield from client(world, i, lease)
    if world.crashes:
        yield Move("CRASH", restart(world)._replace(crashes=world.crashes - 1), False)
    if world.token_flips:
        yield Move(f"token opens {'our' if world.other_project else 'ANOTHER'} project",
                   world._replace(other_project=not world.other_project,
                                  token_flips=world.token_flips - 1), False)
    if world.copies:
        yield copy_of_the_store(world)


# ---- the provider, and people who use it ------------------------------------------------


def provider(world, i, kind):
    obj = object_of(world, i, kind)
    if obj.state == HIDDEN:
        yield Move(kind + " appears",
                   with_object(world, i, kind, obj._replace(state=SHOWN, hidden_ticks=0)))
    if obj.late_unprotect:
        yield Move("protection lifted LATE", lift_protection(world, i, "protection lifted LATE"))
    if obj.late_delete:
        late = with_object(world, i, kind, obj._replace(late_delete=False))
        if obj.state == SHOWN and obj.protection == OFF:
            late = destroy(late, i, kind, "DELETE carried out LATE")
        yield Move("DELETE carried out LATE", late)
    # Left out: between the daemon's read and its request, since nothing could detect that.
    if (kind == "server" and obj.state == SHOWN and obj.protection == OFF and world.people
            and not protection_is_changing(world)):
        protected = with_object(world, i, kind, obj._replace(protection=BY_A_PERSON))
        yield Move("a person PROTECTS the server",
                   protected._replace(people=world.people - 1), False)
    if obj.state == GOING:
        yield Move(kind + " is gone", with_object(world, i, kind, obj._replace(state=GONE)))
        if world.faults:
            still_there = with_object(world, i, kind, obj._replace(state=SHOWN))
            yield Move(kind + " delete FAILS later",
                       still_there._replace(faults=world.faults - 1), False)
    # Left out: between the read and the DELETE, since nothing could detect that.
    if (obj.state == SHOWN and obj.signed and world.faults and not obj.late_delete
            and not any(world.steps)):
        relabelled = with_object(world, i, kind, obj._replace(signed=False))
        yield Move("a person relabels the " + kind,
                   relabelled._replace(faults=world.faults - 1), False)


def protection_is_changing(world):
    steps = world.steps + (world.twin.steps if world.twin else ())
    return any(step and step.phase in ("protection read", "protect", "raise label", "unprotect")
               for step in steps)


def tick(world):
    """Time passes only between steps, and not before the provider has done what it must do within
    this time."""
    objects = world.servers + (world.key,)
    if any(world.steps) or twin_is_busy(world):
        return
    if any(obj.late_unprotect or obj.late_delete or (obj.state == HIDDEN and obj.hidden_ticks >= VISIBLE_WITHIN - 1)
           for obj in objects):
        return
    aged = [obj._replace(hidden_ticks=obj.hidden_ticks + (obj.state == HIDDEN))
            for obj in objects]
    later = world._replace(leases=apply_to_all(world.leases, "tick"), servers=tuple(aged[:-1]),
                           key=aged[-1])
    if later.twin:
        later = later._replace(
            twin=later.twin._replace(leases=apply_to_all(later.twin.leases, "tick")))
    yield Move("tick", later)


# ---- clients and operators --------------------------------------------------------------


def client(world, i, lease):
    if lease.state == "NONE":
        # The second lease comes when there is a key for it to reuse.
        if i == 0 or (world.key.state == SHOWN and world.leases[0].state != "NONE"):
            yield Move("client creates", apply(world, i, "create")[0], False)
    elif world.client_calls:
        yield no_delete_release(world, i)


def no_delete_release(world, i):
    released, reply = apply(world, i, "release_keep")
    label = "client: release, keep -> " + reply
    if reply == "retained" and not world.restored and world.servers[i].state in (GOING, GONE):
        raise Violation("honest: answered retained, but our delete was accepted", label)
    if reply.startswith("retained") and not world.restored and may_be_deleted_late(world, i):
        raise Violation("honest: answered retained, but a lost DELETE may yet be carried out", label)
    released = released._replace(client_calls=world.client_calls - 1)
    if reply.startswith("retained"):
        lease = released.leases[i]
        promise = Promise(*(KEEP_RECORDED if is_residue(row) else NO_PROMISE
                            for row in (lease.server, lease.key)))
        released = raise_generation(
            released._replace(promises=at(released.promises, i, promise)))
    return Move(label, released, False)


def may_be_deleted_late(world, i):
    return world.servers[i].late_delete or (world.key.late_delete
                                            and is_residue(world.leases[i].key))


def explicit_deletes(world):
    """The client requests a delete from this daemon's store: earlier promises end."""
    for i, lease in enumerate(world.leases):
        if lease.state == "NONE" or not world.client_calls:
            continue
        released, reply = apply(world, i, "release_delete")
        yield Move("client: release, delete -> " + reply, released._replace(
            client_calls=world.client_calls - 1,
            promises=at(world.promises, i, Promise(NO_PROMISE, NO_PROMISE))), False)


def expiry_and_operator(world):
    for i, lease in enumerate(world.leases):
        if lease.state == "ACTIVE":
            yield Move("expires", apply(world, i, "expire")[0], False)
    if world.fenced and world.client_calls:
        yield Move("operator: go on", take_over(world), False)


def take_over(world):
    """An operator checks the account and ends the fence. The operator decides about what has no
    label, so only what the gate can still recognise remains promised."""
    number = world.sentinel_generation + 1
    if number % 2 == world.second:
        number += 1
    promises = []
    for promise, lease, server in zip(world.promises, world.leases, world.servers):
        promises.append(Promise(promise.server if is_above(server, lease.server) else NO_PROMISE,
                                promise.key if is_above(world.key, lease.key) else NO_PROMISE))
    return world._replace(fenced=False, client_calls=world.client_calls - 1,
                          generation=Generation(number, 0, False), sentinel_generation=number,
                          promises=tuple(promises))


def is_above(obj, row):
    return obj.label > (row.retain_epoch if row else 0)


# ---- older stores and second daemons ----------------------------------------------------


def copy_of_the_store(world):
    if world.snapshot is None:
        return Move("backup taken", world._replace(snapshot=(world.leases, world.generation)),
                    False)
    leases, generation = world.snapshot
    older = world._replace(leases=leases, generation=generation, snapshot=None, restored=True,
                           copies=world.copies - 1)
    if world.copy == TWIN:
        there = restart(older._replace(second=1))
        return Move("a TWIN starts on the copy", older._replace(
            leases=world.leases, generation=world.generation,
            twin=Twin(there.leases, there.steps, False, False, there.generation)), False)
    # A promise that was only recorded may be lost with the store that recorded it.
    promises = tuple(Promise(*(kept if kept == KEEP_PROTECTED else NO_PROMISE for kept in promise))
                     for promise in world.promises)
    return Move("RESTORE of the backup", restart(older._replace(promises=promises)), False)


def twin(world):
    """The second daemon moves, and its clients and operators."""
    if world.twin is None:
        return
    there = swapped(world)
    try:
        for move in chain(daemon(there), expiry_and_operator(there), explicit_deletes(there)):
            yield Move("twin: " + move.label, swapped(move.world), move.healthy)
    except Violation as wrong:
        raise Violation(wrong.what, "twin: " + wrong.move) from None


def swapped(world):
    """The same world, seen from the other daemon."""
    twin_, here = world.twin, Twin(world.leases, world.steps, world.verified, world.fenced,
                                   world.generation)
    return world._replace(leases=twin_.leases, steps=twin_.steps, verified=twin_.verified,
                          fenced=twin_.fenced, generation=twin_.generation, twin=here,
                          second=1 - world.second)
