"""What a replica claims and gives back, given the rows and who is alive. No IO."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.recognition.partitions.assignment import assign


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """A partition as the database has it; `seconds_left` of its lease by the database's clock."""

    partition: int
    owner: str | None
    epoch: int
    seconds_left: float

    def may_be_claimed_by(self, replica: str) -> bool:
        """Whether it is free, its lease is over, or it was this replica's in an earlier life."""
        return self.owner in (None, replica) or self.seconds_left <= 0


@dataclass(frozen=True, slots=True)
class Moves:
    """The changes a replica has to make; `targets` says who owns what in the end."""

    claim: tuple[int, ...]
    give_back: tuple[int, ...]
    targets: dict[int, str]


def plan_moves(
    rows: Sequence[PartitionRow], live: Collection[str], *, me: str, held: Collection[int]
) -> Moves:
    """Compare what this replica holds with its share among the live ones.

    A partition that should go to another replica is given back, not fought for: it changes
    hands by a row that is free or whose lease is over, and by nothing else.
    """
    targets = assign([row.partition for row in rows], live)
    return Moves(
        claim=tuple(
            row.partition
            for row in rows
            if targets.get(row.partition) == me
            and row.partition not in held
            and row.may_be_claimed_by(me)
        ),
        give_back=tuple(partition for partition in held if targets.get(partition) != me),
        targets=targets,
    )


def seconds_until_next_look(
    rows: Sequence[PartitionRow], *, me: str, renew_seconds: float
) -> float:
    """When to look again: for the next renewal, or as another owner's lease ends before it."""
    ends = [row.seconds_left for row in rows if row.owner != me and row.seconds_left > 0]
    return min(renew_seconds, *ends) if ends else renew_seconds
