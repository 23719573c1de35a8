# SPDX-License-Identifier: MIT
"""What the daemon does by itself, one commit or one request at a time.

A step of a lease goes through phases. A request is one move and the commit of its outcome is
another, so that a crash, which forgets the step, can come between them. When an answer is lost, the
request may or may not have been carried out: the outcome is "unknown".
"""

from aggregate import KINDS, LABELLED, PROTECTED, TERMINAL, UNMARKED, WITHOUT_ID, is_residue
from configurations import RESTORE
from mistakes import seeded
from world import (BY_US, GOING, GONE, HIDDEN, NO_OBJECT, OFF, SHOWN, Generation, Move, Step, apply,
                   at, destroy, lift_protection, object_of, other_users, promise_protected, read,
                   twin_is_busy, with_object, with_step)

PHASES = {}  # name: function(world, i, step) -> moves


def phase(*names):
    def register(function):
        PHASES.update((name, function) for name in names)
        return function
    return register


def daemon(world):
    yield from probe(world)
    for i, step in enumerate(world.steps):
        if step is not None:
            yield from PHASES[step.phase](world, i, step)
        elif world.verified and not world.fenced:
            yield from begin_step(world, i)


def probe(world):
    """Reads the account's sentinel: until it is ours nothing is created, deleted or concluded."""
    current, pending, repeat = world.generation
    if world.other_project:
        probed = world._replace(verified=False)
    elif world.sentinel_generation not in (current, pending) and not seeded("no-generation"):
        probed = world._replace(verified=False, fenced=True)
    else:
        probed = world._replace(verified=True)
    yield Move("probe", probed)
    if probed.verified and pending:
        following = pending + 2 if repeat else 0
        written = world._replace(generation=Generation(pending, following, False),
                                 sentinel_generation=pending)
        # From here on an older store is fenced, so what is recorded is safe from its return;
        # except what was recorded while this generation was on its way.
        if world.copy == RESTORE and not repeat:
            written = written._replace(promises=tuple(
                promise_protected(promise, KINDS) for promise in written.promises))
        yield Move("generation written", written)


# ---- a step begins ----------------------------------------------------------------------


def begin_step(world, i):
    lease = world.leases[i]
    if lease.state == "PROVISIONING":
        yield from begin_provision(world, i, lease)
    elif lease.state == "ENDED" and lease.retained:
        yield from begin_protect(world, i, lease)
    elif lease.state == "ENDED" and (not lease.attention or has_unknown_delete(lease)):
        for kind in reversed(KINDS) if seeded("key-first") else KINDS:
            row = getattr(lease, kind)
            if is_residue(row) and row.state != "RETAINED":
                yield from observe(world, i, kind)
                return


def has_unknown_delete(lease):
    """Then a retry in attention finds out that the delete will never be carried out."""
    return any(is_residue(row) and row.deletes_unknown for row in (lease.server, lease.key))


def begin_provision(world, i, lease):
    if lease.key is None and i > 0:  # the second lease finds the key of the first one
        event = ("reuse", lease.epoch) if world.key.state == SHOWN else ("give_up",)
        yield Move("reuse key", apply(world, i, *event)[0])
        return
    for kind in ("key", "server"):
        row = getattr(lease, kind)
        if row is None:
            intended, reply = apply(world, i, "intend", kind, lease.epoch)
            if reply == "ok":
                yield Move("intend " + kind,
                           with_step(intended, i, Step("create", kind, None, lease.epoch)))
            return
        if row.state in WITHOUT_ID:
            yield from observe(world, i, kind)
            return
        if row.state in TERMINAL:
            yield Move("no candidate left", apply(world, i, "give_up")[0])
            return
    server = world.servers[i]
    if lease.server.state == "PRESENT" and server.state == SHOWN:
        yield Move("ready", apply(world, i, "ready", "server", lease.epoch)[0])
    elif server.state in (GOING, GONE):
        yield Move("deadline", apply(world, i, "give_up")[0])


def begin_protect(world, i, lease):
    """Writes the retention at the provider: the label first, then the server's protection."""
    for kind in KINDS:
        row = getattr(lease, kind)
        if is_residue(row) and row.state in WITHOUT_ID:
            yield from observe(world, i, kind)
            return
    for kind in KINDS:
        row, obj = getattr(lease, kind), object_of(world, i, kind)
        if row is None or row.state != "RETAINED" or obj.state != SHOWN:
            continue
        if kind == "server" and row.marked == LABELLED and not world.other_project:
            yield Move("read protection",
                       with_step(world, i, Step("protection read", kind, read(obj), lease.epoch)))
            return
        # A label that the other daemon writes between this read and this write is left out.
        if row.marked == UNMARKED and not twin_is_busy(world):
            labelled = with_object(world, i, kind, obj._replace(label=row.retain_epoch))
            yield Move("label written", with_step(
                labelled, i, Step("label written", kind, (row.retain_epoch, obj.label), None)))
            return


def observe(world, i, kind):
    """One complete observation: the exact id where it is known, name and labels, all pages."""
    lease, obj = world.leases[i], object_of(world, i, kind)
    state = getattr(lease, kind).state
    there = obj.state in (SHOWN, GOING) and not world.other_project

    def absent(proof):
        return with_step(world, i, Step("absent", kind, proof, lease.epoch))

    if there:
        yield Move("observe " + kind, with_step(
            world, i, Step("seen", kind, (read(obj), obj.state), lease.epoch)))
    else:
        yield Move("observe " + kind, absent(not world.other_project))
    if there and world.lies and state != "DELETING":
        yield Move(f"observe {kind}: LIE, nothing there",
                   absent(True)._replace(lies=world.lies - 1), False)
    if world.faults and seeded("believe-plugin"):
        claimed = apply(world, i, "delete_accepted", kind)[0]
        claimed = apply(claimed, i, "absent", kind, True)[0]
        yield Move(f"plugin claims {kind} deleted and gone",
                   claimed._replace(faults=world.faults - 1), False)


# ---- requests ---------------------------------------------------------------------------


def outcome(world, i, step, event):
    return with_step(world, i, step._replace(phase="result", data=event))


def fault(label, world):
    return Move(label, world._replace(faults=world.faults - 1), False)


@phase("create")
def create(world, i, step):
    kind = step.kind
    if object_of(world, i, kind).state in (HIDDEN, SHOWN, GOING):
        # An older store asks again for what is there.
        yield Move(f"create {kind}: name taken", outcome(world, i, step, "create_unknown"))
        return
    made = with_object(world, i, kind, NO_OBJECT._replace(state=HIDDEN))
    yield Move(f"create {kind}: answered", outcome(made, i, step, "created"))
    if world.faults:
        yield fault(f"create {kind}: REFUSED", outcome(world, i, step, "not_created"))
        yield fault(f"create {kind}: LOST before", outcome(world, i, step, "create_unknown"))
        yield fault(f"create {kind}: LOST after", outcome(made, i, step, "create_unknown"))


@phase("delete")
def delete(world, i, step):
    kind = step.kind
    obj = object_of(world, i, kind)
    if world.other_project:
        yield Move(f"DELETE {kind}: 404 in the other project",
                   outcome(world, i, step, "delete_refused"))
        return
    if obj.protection != OFF:
        yield Move(f"DELETE {kind}: 423 protected", outcome(world, i, step, "delete_protected"))
        if world.faults:
            yield fault(f"DELETE {kind}: 423, LOST", outcome(world, i, step, "delete_unknown"))
        return
    carried_out = world
    if obj.state == SHOWN:  # otherwise it is gone or going, and there is nothing to do
        carried_out = destroy(world, i, kind, "DELETE " + kind)
    yield Move(f"DELETE {kind}: accepted", outcome(carried_out, i, step, "delete_accepted"))
    if world.faults:
        yield fault(f"DELETE {kind}: REFUSED", outcome(world, i, step, "delete_refused"))
        yield fault(f"DELETE {kind}: LOST before", outcome(world, i, step, "delete_unknown"))
        yield fault(f"DELETE {kind}: LOST after", outcome(carried_out, i, step, "delete_unknown"))
        if obj.state == SHOWN:
            later = with_object(world, i, kind, obj._replace(late_delete=True))
            yield fault(f"DELETE {kind}: LOST, comes late",
                        outcome(later, i, step, "delete_unknown"))


@phase("raise label")
def raise_label(world, i, step):
    """Before the protection is lifted, so that no older store takes what follows for its own."""
    kind = step.kind
    row, obj = getattr(world.leases[i], kind), object_of(world, i, kind)
    if world.other_project or obj.state != SHOWN:
        yield Move("raise label: 404", outcome(world, i, step, "unprotect_unsent"))
    elif obj.label > row.label_known and not seeded("label-unread"):
        yield Move("raise label: it is not ours", outcome(world, i, step, "unprotect_stale"))
    else:
        raised = with_object(world, i, kind, obj._replace(label=row.retain_epoch))
        yield Move("label raised", with_step(raised, i, step._replace(phase="unprotect")))


@phase("protect", "unprotect")
def change_protection(world, i, step):
    """Switches the server's delete protection on or off."""
    kind, what = step.kind, step.phase
    obj = object_of(world, i, kind)
    if world.other_project or obj.state != SHOWN:
        yield Move(what + ": 404", outcome(world, i, step, what + "_refused"))
        return
    carried_out = world
    if what == "protect" and obj.protection == OFF:
        carried_out = with_object(world, i, kind, obj._replace(protection=BY_US))
    elif what == "unprotect" and obj.protection != OFF:
        carried_out = lift_protection(world, i, what)
    yield Move(what + ": answered",
               with_step(carried_out, i, step._replace(phase=what + " answered")))
    if world.faults:
        yield fault(what + ": REFUSED", outcome(world, i, step, what + "_refused"))
        yield fault(what + ": LOST before", outcome(world, i, step, what + "_unknown"))
        yield fault(what + ": LOST after", outcome(carried_out, i, step, what + "_unknown"))
        if what == "unprotect" and obj.protection != OFF:
            later = with_object(world, i, kind, obj._replace(late_unprotect=True))
            yield fault(what + ": LOST, comes late", outcome(later, i, step, what + "_unknown"))


# ---- commits ----------------------------------------------------------------------------


def committed(world, i, kind, *event):
    """The step ends with this event; a client that waits for `protected` is answered."""
    world = with_step(apply(world, i, *event)[0], i, None)
    return answer_protected(world, i, kind)


def answer_protected(world, i, kind):
    """A key is protected by its label, a server by its label and its delete protection."""
    row = getattr(world.leases[i], kind)
    enough = PROTECTED if kind == "server" else LABELLED
    if row.state != "RETAINED" or row.marked < enough:
        return world
    return world._replace(promises=at(world.promises, i,
                                      promise_protected(world.promises[i], (kind,))))


@phase("result")
def commit_result(world, i, step):
    yield Move(f"commit {step.data} {step.kind}",
               committed(world, i, step.kind, step.data, step.kind))


@phase("label written")
def commit_label(world, i, step):
    yield Move(f"commit label {step.kind}",
               committed(world, i, step.kind, "label_written", step.kind, *step.data))


@phase("protection read")
def commit_protection_read(world, i, step):
    kind = step.kind
    world, reply = apply(world, i, "protection_read", kind, step.epoch, step.data)
    follows = Step("protect", kind, None, step.epoch) if reply == "protect" else None
    yield Move("commit protection read: " + reply,
               with_step(answer_protected(world, i, kind), i, follows))


@phase("protect answered", "unprotect answered")
def commit_protection_changed(world, i, step):
    """The request was answered; the protection is read back and committed."""
    kind, obj = step.kind, object_of(world, i, step.kind)
    on = obj.protection != OFF
    if world.other_project or obj.state != SHOWN:
        event = (step.phase.split()[0] + "_unknown", kind)
    elif step.phase == "protect answered":
        event = ("protect_read", kind, on, obj.label)
    else:
        event = ("unprotect_read", kind, True, on)
    yield Move(f"commit {step.phase}, read {'on' if on else 'off'}",
               committed(world, i, kind, *event))


@phase("absent")
def commit_absent(world, i, step):
    yield Move("commit absent " + step.kind,
               with_step(apply(world, i, "absent", step.kind, step.data)[0], i, None))


@phase("seen")
def commit_seen(world, i, step):
    kind = step.kind
    seen, state = step.data
    row = getattr(world.leases[i], kind)
    world = apply(world, i, "seen", kind)[0]
    if row.state in WITHOUT_ID:
        event = ("adopt", kind, seen.label) if seen.signed else ("foreign", kind)
        yield Move("commit found " + kind, with_step(apply(world, i, *event)[0], i, None))
    elif row.state == "DELETING":
        if state == SHOWN:  # its action says that it failed
            world = apply(world, i, "delete_failed", kind)[0]
        yield Move("commit still there " + kind, with_step(world, i, None))
    elif row.state == "UNPROTECT_UNKNOWN":
        world = apply(world, i, "unprotect_read", kind, False, seen.protected)[0]
        yield Move(f"commit protection is {'on' if seen.protected else 'off'}",
                   with_step(world, i, None))
    else:
        yield from commit_authorization(world, i, step, seen)


def commit_authorization(world, i, step, seen):
    kind = step.kind
    decided, reason = apply(world, i, "authorize", kind, step.epoch, seen)
    follows = None
    if reason == "GRANTED":
        follows = "delete"
    elif reason == "UNPROTECT":
        follows = "unprotect" if seeded("lift-keeps-label") else "raise label"
    elif reason == "SHARED" and not seeded("no-handover"):
        heirs = [k for k in other_users(world, i) if not world.leases[k].key.ours]
        if heirs:  # two aggregates, one commit
            decided = apply(apply(decided, i, "handed_over")[0], heirs[0], "inherit")[0]
    yield Move(f"commit authorize {kind}: {reason}", with_step(
        decided, i, follows and Step(follows, kind, None, step.epoch)))
