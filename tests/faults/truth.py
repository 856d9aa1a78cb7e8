"""An invented event day: who is in which photo, and who sends a selfie to which event."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

#: People who are in photos and never send a selfie.
STRANGERS = range(1000, 1020)


@dataclass(frozen=True)
class Photo:
    """A photo by its name, which is unique."""

    name: str
    event_id: int
    people: tuple[int, ...]

    @property
    def script(self) -> str:
        """What the scripted engine reads."""
        return f"people {' '.join(map(str, self.people))}\n{self.name}"


@dataclass(frozen=True)
class Guest:
    """An account; its person's number is also on the selfie."""

    user_id: int
    person: int
    event_ids: tuple[int, ...]

    def selfie_script(self, attempt: int) -> str:
        """What the scripted engine reads on the selfie."""
        return f"people {self.person}\nselfie-{self.user_id}-{attempt}"


@dataclass
class Truth:
    """What must be found in the end."""

    photos: list[Photo] = field(default_factory=list)
    guests: list[Guest] = field(default_factory=list)

    def matches(self) -> set[tuple[int, int, str]]:
        """All (user id, event id, photo name)."""
        return {
            (guest.user_id, photo.event_id, photo.name)
            for guest in self.guests
            for photo in self.photos
            if photo.event_id in guest.event_ids and guest.person in photo.people
        }


def invent_photos(
    rng: random.Random,
    event_ids: Sequence[int],
    guests: Sequence[Guest],
    count: int,
    *,
    first: int = 0,
) -> list[Photo]:
    """Return photos of zero to four people, guests of any event and strangers among them."""
    people = [*(guest.person for guest in guests), *STRANGERS]
    return [
        Photo(
            name=f"photo-{number}.jpg",
            event_id=rng.choice(event_ids),
            people=tuple(rng.sample(people, rng.randint(0, 4))),
        )
        for number in range(first, first + count)
    ]
