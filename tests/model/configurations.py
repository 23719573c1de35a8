# SPDX-License-Identifier: MIT
"""The configurations: how much may go wrong in each, and how large its state space is.

`states` and `moves` are what the exploration must count. They catch a change that explores less
without anybody noticing, so they are updated only together with the change that explains them.
"""

from collections import namedtuple

RESTORE = "restore"  # an older copy of the store is put back
TWIN = "twin"  # a second daemon starts on the copy

Config = namedtuple("Config", (
    "name",
    "states",
    "moves",
    "in_ctest",  # False: only long.sh runs it
    "leases",  # the second one uses the key of the first
    "faults",  # lost answers, refusals, deletes given up, relabelled resources
    "crashes",
    "client_calls",  # releases, and operators who end a fence
    "token_flips",  # the token opens another project, or ours again
    "copy",  # what happens to a copy of the store: None, RESTORE or TWIN
    "lies",  # observations that find nothing although the resource is there
    "people",  # somebody switches the server's delete protection on
), defaults=(False, 1, 0, 0, 0, 0, None, 0, 0))

CONFIGS = {config.name: config for config in (
    Config("protection", 223778, 919594, in_ctest=True,
           faults=1, crashes=1, client_calls=3, people=1),
    Config("faults", 128049, 415218, in_ctest=True, faults=2, client_calls=2, lies=1),
    Config("crashes", 147392, 522464, in_ctest=True, faults=1, crashes=2, client_calls=2),
    Config("other-project", 91698, 327111, crashes=1, client_calls=2, token_flips=2),
    Config("restore", 824965, 3565030, client_calls=3, copy=RESTORE),
    Config("two-daemons", 573667, 2941871, client_calls=1, copy=TWIN),
    Config("shared-key", 742822, 3005071, leases=2, faults=1, client_calls=2),
    Config("shared-key-crash", 815278, 3209547, leases=2, crashes=1, client_calls=2),
    Config("protection-older", 1188972, 5207298, client_calls=3, copy=RESTORE, people=1),
    Config("protection-older-again", 4590721, 19773507, client_calls=4, copy=RESTORE, people=1),
    Config("protection-twin", 892359, 4648179, client_calls=1, copy=TWIN, people=1),
)}
