"""A small event with composed photos and known truth, drawn once per test run."""

from dataclasses import dataclass, field
from pathlib import Path

from demo.scenario import Guest
from demo.scenes import EventPlan, event, selfie, write_event

PASSWORD = "Correct-horse-7"
SEED = 11


@dataclass(frozen=True)
class SmallEvent:
    """Photos of 1600 x 1200 pixels, and a selfie for each guest."""

    plan: EventPlan
    photos: list[Path]
    selfies: dict[str, Path] = field(default_factory=dict)

    def guests(self, run: str) -> list[Guest]:
        """The guests, under names of this run's own; the last one is late."""
        return [
            Guest(
                name=f"{name}-{run}",
                selfie=self.selfies[name],
                late=number == len(self.plan.guests) - 1,
                truth=self.plan.truth[name],
            )
            for number, name in enumerate(self.plan.guests)
        ]


def draw(folder: Path) -> SmallEvent:
    """Draw what is missing of the event's files below the folder."""
    plan = event(SEED, photos=10, guests=3, size=(1600, 1200))
    selfies = {name: folder / f"selfie-{name}.jpg" for name in plan.guests}
    for name, path in selfies.items():
        if not path.exists():
            path.write_bytes(selfie(name, SEED))
    # In one process: each draws the people anew before it draws a photo.
    return SmallEvent(plan, write_event(plan, folder, workers=1), selfies)
