# SPDX-License-Identifier: MIT
"""What must hold. Some violations are detected during a move (world.Violation), the others here.

Once an older store has been in use, history is lost: then leaks, honesty and order are not checked
(the sweep reports what is left), only that nothing foreign and nothing protected is deleted."""

from aggregate import PROTECTED, is_being_deleted, is_done, is_residue, is_unsure
from world import HIDDEN, OFF, SHOWN


def violated(world):
    """What is wrong in this state, or None."""
    if world.restored:
        return None
    for lease, server in zip(world.leases, world.servers):
        if server.state in (HIDDEN, SHOWN) and not is_residue(lease.server):
            return "leak: a server exists, but no row holds it"
        if lease.retained and is_being_deleted(lease):
            return "honest: retained, but a delete may be under way"
        if lease.retained and says_protected(lease.server) and not is_protected(lease, server):
            return "honest: reported as protected, but is not"
    if world.key.state in (HIDDEN, SHOWN) and not any(is_residue(lease.key)
                                                      for lease in world.leases):
        return "leak: a key exists, but no row holds it"
    return None


def says_protected(row):
    return row is not None and row.state == "RETAINED" and row.marked == PROTECTED


def is_protected(lease, server):
    if server.state != SHOWN:
        return True
    return server.protection != OFF and server.label >= lease.server.retain_epoch


def settled(world):
    """Nothing is left to do: no lease, active, done, in attention, or retained and protected. While
    the account waits for an operator, and while two daemons run, nothing is required."""
    if world.other_project or world.fenced or world.twin:
        return True
    return not any(world.steps) and all(
        is_settled(lease, server) for lease, server in zip(world.leases, world.servers))


def is_settled(lease, server):
    if lease.state in ("NONE", "ACTIVE") or is_done(lease) or lease.attention:
        return True
    if not lease.retained or is_unsure(lease):
        return False
    # A retained lease's server must be protected, if it still exists.
    return (not is_residue(lease.server) or says_protected(lease.server)
            or server.state != SHOWN)
