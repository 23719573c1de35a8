# SPDX-License-Identifier: MIT
"""The lease aggregate: a lease, its two resources, and the two functions that decide about them.

  lease_apply(lease, event, facts) -> (lease, reply)    the only one that changes a lease or a row
  authorize(lease, kind, epoch, seen, facts) -> reason  the gate in front of every delete

Both are pure. An event is a tuple: its name, then its arguments; `kind` is "server" or "key", the
resource that it is about. Time is counted in ticks; a step of the daemon is shorter than one.
"""

from collections import namedtuple

from mistakes import seeded

# The provider shows a resource at most this many ticks after creating it.
VISIBLE_WITHIN = 2

KINDS = ("server", "key")

# Whether the server's delete protection at the provider is ours.
NOT_OURS = 0
PERHAPS_OURS = 1  # a change of it was committed and has no proof yet: never lifted by itself
OURS = 2  # read off, switched on by us, answered, read back on

# How much of a retention is at the provider, as far as this row knows.
UNMARKED = 0
LABELLED = 1  # the label is written
PROTECTED = 2  # and, after that, the delete protection was read back on

# When the first complete observation found nothing.
NO_ABSENCE = 0
ABSENT_NOW = 1  # in this tick
ABSENT_BEFORE = 2  # in an earlier tick

Lease = namedtuple("Lease", (
    "state",  # NONE, PROVISIONING, ACTIVE, ENDED
    "epoch",  # raised by every change of goal
    "retained",  # released without deleting
    "attention",  # an operator must decide
    "server",  # a Resource or None
    "key",
))

Resource = namedtuple("Resource", (
    "state",
    "ours",  # False: a key that another lease created
    "seen",  # it was read with a valid signature
    "deletes_unknown",  # a delete with an unknown outcome was sent
    "age",  # ticks since a request about it could last be out, up to VISIBLE_WITHIN
    "first_absent",
    "retain_epoch",  # epoch of the newest retention, committed before the label is written
    "marked",
    "label_known",  # the label that we last wrote or took over; above it: another store was there
    "protect_by",
))

# What the reducer needs besides the aggregate.
Facts = namedtuple("Facts", (
    "verified",  # the account is ours and its generation is ours, read since the start
    "in_use",  # another lease uses this key
    "in_use_deleting",  # and there a delete of it may be under way
    "request_out",  # a delete or unprotect request is out (known to the mistakes only)
))

# What an exact read of a resource, or a listing, answered.
Seen = namedtuple("Seen", "signed label protected")

NO_LEASE = Lease("NONE", 0, False, False, None, None)
INTENDED = Resource("INTENDED", True, False, False, 0, NO_ABSENCE, 0, UNMARKED, 0, NOT_OURS)

TERMINAL = ("GONE", "NEVER_EXISTED", "HANDED_OVER")
WITHOUT_ID = ("INTENDED", "CREATE_UNKNOWN")  # it may exist, and its id is not known
MAY_BE_DELETED = ("DELETE_AUTHORIZED", "DELETE_UNKNOWN", "DELETING",
                  "UNPROTECT_AUTHORIZED", "UNPROTECT_UNKNOWN")
# The clock of a row stops while its request is out, and where no absence is counted.
AGELESS = ("DELETING", "DELETE_AUTHORIZED", "UNPROTECT_AUTHORIZED", "RETAINED")


# ---- questions about an aggregate -----------------------------------------------------


def rows(lease):
    return [row for row in (lease.server, lease.key) if row is not None]


def is_residue(row):
    """The row is ours, and its resource may exist."""
    return row is not None and row.ours and row.state not in TERMINAL


def is_done(lease):
    return lease.state == "ENDED" and not any(is_residue(row) for row in rows(lease))


def is_unsure(lease):
    return any(row.ours and row.state in WITHOUT_ID for row in rows(lease))


def is_being_deleted(lease):
    return any(is_residue(row) and row.state in MAY_BE_DELETED for row in rows(lease))


# ---- the gate ---------------------------------------------------------------------------


def authorize(lease, kind, epoch, seen, facts):
    """May this resource, read in this very step as `seen`, be deleted now?

    UNPROTECT means: not yet, but its delete protection may be lifted, because it is ours."""
    row = getattr(lease, kind)
    if not facts.verified:
        return "ACCOUNT_UNVERIFIED"
    if row is None or not row.ours:
        return "NOT_OURS"
    if lease.retained or row.state == "RETAINED":
        return "RETAINED"
    if epoch != lease.epoch:
        return "STALE"
    if row.state not in ("PRESENT", "DELETE_UNKNOWN"):
        return "NOT_DELETABLE"
    if lease.state != "ENDED":
        return "IN_USE"
    if kind == "key" and is_residue(lease.server) and not seeded("key-first"):
        return "SERVER_FIRST"
    if kind == "key" and facts.in_use and not seeded("shared"):
        return "SHARED"
    if not seen.signed and not seeded("unsigned"):
        return "SIGNATURE"
    if seen.label > row.retain_epoch and not seeded("no-label"):
        return "RETENTION_MARK"  # written by a store that knew more
    if seen.protected and may_unprotect(row):
        return "UNPROTECT"
    if seen.protected and not seeded("423-is-retry"):
        return "PROTECTED"  # perhaps by somebody else
    return "GRANTED"


def may_unprotect(row):
    if seeded("lift-any"):
        return True
    if seeded("perhaps-is-ours") and row.protect_by == PERHAPS_OURS:
        return True
    return row.protect_by == OURS


# ---- changes that several events share --------------------------------------------------


def put(lease, kind, row):
    return lease._replace(**{kind: row})


def change(lease, kind, **fields):
    return put(lease, kind, getattr(lease, kind)._replace(**fields))


def set_state(lease, kind, state, **fields):
    """Enters a state: the row's clock and its absence start again."""
    if state == "RETAINED":
        keeps = seeded("protect-once") and getattr(lease, kind).marked == PROTECTED
        fields = {"retain_epoch": lease.epoch, "marked": PROTECTED if keeps else UNMARKED, **fields}
    return change(lease, kind, state=state, age=0, first_absent=NO_ABSENCE, **fields)


def present_state(lease):
    return "RETAINED" if lease.retained and not seeded("kept-as-present") else "PRESENT"


def set_present(lease, kind, **fields):
    return set_state(lease, kind, present_state(lease), **fields)


def end(lease):
    return lease._replace(state="ENDED", epoch=lease.epoch + 1, attention=False)


def retain(lease):
    """Turns the goal into "keep", and each present row with it."""
    lease = lease._replace(retained=True, epoch=lease.epoch + 1, attention=False)
    for kind in KINDS:
        row = getattr(lease, kind)
        if is_residue(row) and row.state == "PRESENT":
            lease = set_state(lease, kind, "RETAINED")
    return lease


def observe_absence(row, proof, facts):
    """A complete observation found nothing: returns the row, and whether that proves it gone.

    `proof`: after it the same step read the account's sentinel, or had this row's delete or its
    action answered, so it was our project that was looked at."""
    if not facts.verified or not (proof or seeded("project")):
        return row, False
    if row.state == "DELETING":  # our delete was accepted: one observation is enough
        return row, True
    if seeded("absence-10s"):
        return row._replace(first_absent=ABSENT_NOW), row.first_absent != NO_ABSENCE
    if not row.seen and row.age < VISIBLE_WITHIN and not seeded("early-look"):
        return row, False  # it may exist and not be shown yet
    if row.first_absent == ABSENT_BEFORE:
        return row, True
    return row._replace(first_absent=row.first_absent or ABSENT_NOW), False


# ---- the reducer ------------------------------------------------------------------------

EVENTS = {}  # name: function(lease, facts, *arguments) -> (lease, reply)


def handles(name):
    def register(function):
        EVENTS[name] = function
        return function
    return register


def lease_apply(lease, event, facts):
    return EVENTS[event[0]](lease, facts, *event[1:])


# ---- events: the life of the lease ------------------------------------------------------


@handles("create")
def on_create(_lease, _facts):
    return Lease("PROVISIONING", 1, False, False, None, None), "ok"


@handles("ready")
def on_ready(lease, _facts, kind, epoch):
    row = getattr(lease, kind)
    if lease.state != "PROVISIONING" or epoch != lease.epoch or row.state != "PRESENT":
        return lease, "refused"
    return change(lease._replace(state="ACTIVE"), kind, seen=True), "ok"


@handles("give_up")
def on_give_up(lease, _facts):
    return (end(lease) if lease.state == "PROVISIONING" else lease), "ok"


@handles("expire")
def on_expire(lease, _facts):
    return (end(lease) if lease.state == "ACTIVE" else lease), "ok"


@handles("release_delete")
def on_release_delete(lease, _facts):
    if lease.state in ("PROVISIONING", "ACTIVE"):
        return end(lease), "ok"
    if not lease.retained:
        return lease, "ok"
    lease = lease._replace(retained=False, epoch=lease.epoch + 1)
    for kind in KINDS:
        row = getattr(lease, kind)
        if row is not None and row.state == "RETAINED":
            lease = change(lease, kind, state="PRESENT")
    return lease, "ok"


@handles("release_keep")
def on_release_keep(lease, facts):
    if lease.retained or is_done(lease):
        return lease, "ok"
    if is_being_deleted(lease):
        return lease, "cleanup_in_progress"
    # With a permit that is only in memory, this is all that the daemon can check.
    if facts.request_out and (seeded("permit-in-memory") or seeded("unprotect-in-memory")):
        return lease, "cleanup_in_progress"
    if lease.state == "ENDED" and lease.server is not None and lease.server.state == "GONE":
        return lease, "cleanup_in_progress"  # only its key is left, and that is no machine
    kept = retain(lease)._replace(state="ENDED")
    if is_done(kept):
        return kept._replace(retained=False), "ok"
    return kept, "retained_unsure" if is_unsure(kept) or not facts.verified else "retained"


@handles("restart")
def on_restart(lease, _facts):
    """What was under way when the process ended has an unknown outcome."""
    for kind in KINDS:
        row = getattr(lease, kind)
        if row is None:
            continue
        if row.state == "INTENDED":
            lease = change(lease, kind, state="CREATE_UNKNOWN")
        elif row.state == "DELETE_AUTHORIZED":
            lease = change(lease, kind, state="DELETE_UNKNOWN", deletes_unknown=True)
        elif row.state == "UNPROTECT_AUTHORIZED":
            lease = change(lease, kind, state="UNPROTECT_UNKNOWN")
    return lease, "ok"


@handles("tick")
def on_tick(lease, _facts):
    for kind in KINDS:
        row = getattr(lease, kind)
        if not is_residue(row) or row.state in AGELESS:
            continue
        # A resource that was seen need not become visible: its age says only "a tick ago".
        age = VISIBLE_WITHIN if row.seen else min(row.age + 1, VISIBLE_WITHIN)
        before = NO_ABSENCE if row.first_absent == NO_ABSENCE else ABSENT_BEFORE
        lease = change(lease, kind, age=age, first_absent=before)
    return lease, "ok"


# ---- events: creation -------------------------------------------------------------------


@handles("intend")
def on_intend(lease, facts, kind, epoch):
    if lease.state != "PROVISIONING" or epoch != lease.epoch or not facts.verified:
        return lease, "refused"
    if is_residue(getattr(lease, kind)):
        return lease, "refused"
    return put(lease, kind, INTENDED), "ok"


@handles("reuse")
def on_reuse(lease, facts, epoch):
    """Uses the key of the same material that another lease created."""
    if lease.state != "PROVISIONING" or epoch != lease.epoch:
        return lease, "refused"
    if facts.in_use_deleting and not seeded("reuse-dying"):
        return lease, "refused"
    return put(lease, "key", INTENDED._replace(state="PRESENT", ours=False)), "ok"


@handles("created")
def on_created(lease, _facts, kind):
    return set_present(lease, kind), "ok"


@handles("not_created")
def on_not_created(lease, _facts, kind):
    lease = set_state(lease, kind, "NEVER_EXISTED")
    return (end(lease) if lease.state == "PROVISIONING" else lease), "ok"


@handles("create_unknown")
def on_create_unknown(lease, _facts, kind):
    return set_state(lease, kind, "CREATE_UNKNOWN"), "ok"


# ---- events: observations ---------------------------------------------------------------


@handles("seen")
def on_seen(lease, _facts, kind):
    """It was read or listed, whatever the step does with it: earlier absence counts no more."""
    return change(lease, kind, first_absent=NO_ABSENCE), "ok"


@handles("adopt")
def on_adopt(lease, _facts, kind, label):
    """A resource whose create had no answer was found, and its signature is valid."""
    row = getattr(lease, kind)
    if row.state not in WITHOUT_ID:
        return lease, "ok"
    if label > row.retain_epoch and not seeded("no-label"):  # kept by a store that knew more
        if lease.state in ("PROVISIONING", "ACTIVE"):
            lease = end(lease)
        lease = lease._replace(retained=True)
        return set_state(lease, kind, "RETAINED", seen=True, retain_epoch=label, marked=LABELLED,
                         label_known=label), "ok"
    return set_present(lease, kind, seen=True), "ok"


@handles("foreign")
def on_foreign(lease, _facts, _kind):
    """Something has our name, and nothing proves that it is ours."""
    return lease._replace(attention=True), "ok"


@handles("absent")
def on_absent(lease, facts, kind, proof):
    row = getattr(lease, kind)
    if row.state in TERMINAL:
        return lease, "ok"
    row, gone = observe_absence(row, proof, facts)
    if not gone:
        return put(lease, kind, row), "not yet"
    return set_state(lease, kind, "NEVER_EXISTED" if row.state in WITHOUT_ID else "GONE"), "ok"


# ---- events: deletion -------------------------------------------------------------------


@handles("authorize")
def on_authorize(lease, facts, kind, epoch, seen):
    reason = authorize(lease, kind, epoch, seen, facts)
    if reason == "GRANTED" and not seeded("permit-in-memory"):
        lease = set_state(lease, kind, "DELETE_AUTHORIZED", seen=True, protect_by=NOT_OURS)
    elif reason == "UNPROTECT" and not seeded("unprotect-in-memory"):
        lease = set_state(lease, kind, "UNPROTECT_AUTHORIZED", seen=True, protect_by=PERHAPS_OURS,
                          retain_epoch=lease.epoch)
    elif reason == "PROTECTED":
        # An earlier delete without an answer had no effect so far, but may have one if the
        # protection is lifted, until it can no longer arrive.
        row = getattr(lease, kind)
        if (not row.deletes_unknown or row.age >= VISIBLE_WITHIN
                or seeded("protected-forgets-delete")):
            lease = set_state(lease, kind, "PRESENT", deletes_unknown=False)
        lease = lease._replace(attention=True)
    elif reason == "SIGNATURE":
        lease = lease._replace(attention=True)
    elif reason == "RETENTION_MARK":  # a retention that this store has forgotten
        lease = set_state(retain(lease), kind, "RETAINED", retain_epoch=seen.label, marked=LABELLED,
                          label_known=seen.label, protect_by=NOT_OURS)
    return lease, reason


@handles("delete_accepted")
def on_delete_accepted(lease, _facts, kind):
    return set_state(lease, kind, "DELETING"), "ok"


@handles("delete_unknown")
def on_delete_unknown(lease, _facts, kind):
    if seeded("lost-delete-present"):
        return set_present(lease, kind), "ok"
    return set_state(lease, kind, "DELETE_UNKNOWN", deletes_unknown=True), "ok"


@handles("delete_refused")
def on_delete_refused(lease, _facts, kind):
    """Refused for certain; that says nothing of an earlier delete without a known outcome."""
    unknown = getattr(lease, kind).deletes_unknown
    return set_state(lease, kind, "DELETE_UNKNOWN" if unknown else present_state(lease)), "ok"


@handles("delete_protected")
def on_delete_protected(lease, _facts, kind):
    """Answered 423: it is there; an earlier delete without an answer may yet be carried out."""
    lease = on_delete_refused(lease, _facts, kind)[0]
    return lease._replace(attention=not seeded("423-is-retry")), "ok"


@handles("delete_failed")
def on_delete_failed(lease, _facts, kind):
    """The provider accepted the delete and gave it up later; an earlier one may yet be carried out."""
    if getattr(lease, kind).state == "DELETING":
        unknown = getattr(lease, kind).deletes_unknown
        lease = set_state(lease, kind, "DELETE_UNKNOWN" if unknown else present_state(lease))
    return lease, "ok"


# ---- events: lifting our own delete protection ------------------------------------------


@handles("unprotect_unsent")
def on_unprotect_unsent(lease, _facts, kind):
    return set_present(lease, kind, protect_by=OURS), "ok"


@handles("unprotect_refused")
def on_unprotect_refused(lease, _facts, kind):
    """The label was raised before, and the lifting was refused for certain."""
    row = getattr(lease, kind)
    return set_present(lease, kind, protect_by=OURS, label_known=row.retain_epoch), "ok"


@handles("unprotect_stale")
def on_unprotect_stale(lease, _facts, kind):
    """Another store wrote its label since: its protection is not ours to lift."""
    return set_present(lease, kind, protect_by=NOT_OURS), "ok"


@handles("unprotect_unknown")
def on_unprotect_unknown(lease, _facts, kind):
    return set_state(lease, kind, "UNPROTECT_UNKNOWN", protect_by=PERHAPS_OURS), "ok"


@handles("unprotect_read")
def on_unprotect_read(lease, _facts, kind, answered, protected):
    """The protection was read after our request to lift it."""
    if protected and not answered and getattr(lease, kind).age < VISIBLE_WITHIN:
        return lease, "not yet"  # the request may still be carried out
    # On although our request was answered: somebody else switched it on again.
    perhaps = protected and not answered
    return set_present(lease, kind, protect_by=PERHAPS_OURS if perhaps else NOT_OURS), "ok"


# ---- events: writing the retention at the provider --------------------------------------


@handles("label_written")
def on_label_written(lease, _facts, kind, written, found):
    """The label `written` is at the provider; `found` was there before."""
    row = getattr(lease, kind)
    if found > row.label_known and not seeded("label-unread"):
        row = row._replace(protect_by=NOT_OURS)  # another store was there
    row = row._replace(label_known=written)
    if row.state == "RETAINED" and row.retain_epoch == written:
        row = row._replace(marked=LABELLED, seen=True)
    return put(lease, kind, row), "ok"


@handles("protection_read")
def on_protection_read(lease, _facts, kind, epoch, seen):
    """A kept server with our label was read: is the protection to be switched on?"""
    row = getattr(lease, kind)
    if row.state != "RETAINED" or epoch != lease.epoch:
        return lease, "refused"
    if not seen.signed:
        return lease._replace(attention=True), "SIGNATURE"
    if seen.label > row.retain_epoch:
        row = row._replace(retain_epoch=seen.label, label_known=seen.label, protect_by=NOT_OURS)
        return put(lease, kind, row), "label"
    if seen.label < row.retain_epoch:
        return put(lease, kind, row._replace(marked=UNMARKED)), "label"
    if seen.protected:
        return put(lease, kind, row._replace(marked=PROTECTED)), "protected"
    return put(lease, kind, row._replace(protect_by=PERHAPS_OURS)), "protect"


@handles("protect_refused")
def on_protect_refused(lease, _facts, kind):
    return change(lease, kind, protect_by=NOT_OURS), "ok"  # it was read off


@handles("protect_unknown")
def on_protect_unknown(lease, _facts, _kind):
    return lease, "ok"


@handles("protect_read")
def on_protect_read(lease, _facts, kind, protected, label):
    """Our request to switch the protection on was answered, and then it was read back."""
    row = getattr(lease, kind)
    if protected:
        row = row._replace(protect_by=OURS)
        if row.state == "RETAINED" and row.retain_epoch == label:
            row = row._replace(marked=PROTECTED)
    return put(lease, kind, row), "ok"


# ---- events: a key that passes to another lease -----------------------------------------


@handles("handed_over")
def on_handed_over(lease, _facts):
    return set_state(lease, "key", "HANDED_OVER"), "ok"


@handles("inherit")
def on_inherit(lease, _facts):
    return set_present(lease, "key", ours=True), "ok"
