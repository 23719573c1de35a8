# SPDX-License-Identifier: MIT
"""Seeded mistakes: wrong rules that the exploration must find.

The model calls `seeded(NAME)` at the place of each. Ordinary runs seed none. If a mistake is not
found, or is found as another violation than stated here, the model no longer checks what it claims
to check.
"""

from collections import namedtuple
from contextlib import contextmanager

Mistake = namedtuple("Mistake", "name config found_as what")

MISTAKES = {mistake.name: mistake for mistake in (
    Mistake("lost-delete-present", "faults", "honest",
            "a delete whose answer was lost leaves the row PRESENT"),
    Mistake("absence-10s", "faults", "leak",
            "two observations in one tick prove absence, whatever the age of the row"),
    Mistake("early-look", "faults", "leak",
            "an observation counts before the provider must show what it created"),
    Mistake("believe-plugin", "faults", "leak",
            "a plugin's word for a delete and an absence is accepted without evidence"),
    Mistake("key-first", "faults", "order",
            "the key is deleted while its server may exist"),
    Mistake("unsigned", "faults", "foreign",
            "the gate does not check the signature"),
    Mistake("kept-as-present", "faults", "stuck",
            "a resource found after a no-delete release is PRESENT and never protected"),
    Mistake("permit-in-memory", "crashes", "honest",
            "the permit to delete is not committed"),
    Mistake("lift-any", "protection", "foreign",
            "a delete protection is lifted whoever switched it on"),
    Mistake("perhaps-is-ours", "protection", "foreign",
            "a delete protection that is only perhaps ours is lifted"),
    Mistake("423-is-retry", "protection", "stuck",
            "a protection that is not ours is retried instead of reported"),
    Mistake("protected-forgets-delete", "protection", "honest",
            "a protection is taken as proof that no delete is under way"),
    Mistake("unprotect-in-memory", "protection", "retained",
            "the permit to lift the protection is not committed"),
    Mistake("protect-once", "protection", "honest",
            "a second no-delete release trusts the protection of the first one"),
    Mistake("project", "other-project", "leak",
            "absence counts without proof that it was our project that was read"),
    Mistake("no-generation", "restore", "retained",
            "a store that is behind the generation of the sentinel is not fenced"),
    Mistake("no-label", "two-daemons", "retained",
            "the gate and adoption ignore the retention label"),
    Mistake("shared", "shared-key", "order",
            "a key is deleted while another lease uses it"),
    Mistake("no-handover", "shared-key", "stuck",
            "a key that another lease uses is not handed over to it"),
    Mistake("reuse-dying", "shared-key", "order",
            "a key is reused while its delete may be under way"),
    Mistake("lift-keeps-label", "protection-older", "foreign",
            "the protection is lifted without raising the retention label first"),
    Mistake("label-unread", "protection-older-again", "foreign",
            "a retention label of another store is overwritten, and its protection taken for ours"),
)}

_active = set()


def seeded(name):
    return name in _active


@contextmanager
def seed(name):
    """Runs the body of the `with` statement with this mistake in the model."""
    _active.add(name)
    try:
        yield
    finally:
        _active.discard(name)
