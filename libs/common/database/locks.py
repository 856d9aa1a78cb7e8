"""PostgreSQL's advisory locks: whoever has one is the only one that does what it stands for.

All are named here, as two of the same number would keep each other out without anybody noticing.
"""

from enum import IntEnum, unique


@unique
class AdvisoryLock(IntEnum):
    """What there is one of at a time, in all processes."""

    #: Two at once (two replicas' jobs) wait for each other.
    MIGRATION = 0x46494E44
    RELAY = 0x46494E45
    FIRST_ADMIN = 0x46494E46
    EVENT_CODES = 0x46494E47
    REINDEXING = 0x46494E48
    EVENT_ERASURE = 0x46494E49
