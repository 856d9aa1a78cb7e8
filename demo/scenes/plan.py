"""A whole event planned: who is in which photo, and where they stand. Nothing is drawn here."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from demo.scenes.backdrop import Backdrop
from demo.scenes.people import GUESTS, STRANGERS
from demo.scenes.scene import FULL_SIZE, HEAD_ASPECT, Light, Placement, SceneSpec

VERSION = 1
"""Raised whenever the same plan would draw other pixels: kept files are then drawn anew."""

MOST_FACES = 6
MOST_FACES_UPRIGHT = 3

# Heads are 400 to 1100 pixels high in a photo of 12 megapixels: people whom the photo is of. At 400
# the face has 85 pixels at 1600. The engine is as sure of half that; 26 are too blurred to match,
# and of 18 not all are found.
SMALLEST_HEAD, LARGEST_HEAD = 400 / 3000, 1100 / 3000

# A tilted head is a little wider, and friends do not touch.
_ELBOW_ROOM = 1.12
_LARGEST_TILT = 11.0

_START = datetime(2026, 6, 20, 15, 0, tzinfo=UTC)
_GUEST_SHARE = 0.55
_UPRIGHT_SHARE = 0.15
_UPSIDE_DOWN_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class PlannedPhoto:
    """One photo of an event."""

    filename: str
    scene: SceneSpec


@dataclass(frozen=True, slots=True)
class EventPlan:
    """An event's photos and guests; the truth follows from them."""

    seed: int
    guests: tuple[str, ...]
    photos: tuple[PlannedPhoto, ...]

    @property
    def truth(self) -> Mapping[str, frozenset[str]]:
        """The names of the files that each guest is in."""
        return {
            guest: frozenset(photo.filename for photo in self.photos if guest in photo.scene.names)
            for guest in self.guests
        }

    @property
    def fingerprint(self) -> str:
        """Changes whenever any pixel of any photo would."""
        return sha256(f"{VERSION} {self.photos!r}".encode()).hexdigest()[:12]


def event(
    seed: int,
    photos: int = 100,
    guests: int = 3,
    mean_faces: float = 2.5,
    size: tuple[int, int] = FULL_SIZE,
) -> EventPlan:
    """Plan an event. From five photos on, one shows nobody and one shows strangers only.

    Every guest is in at least one photo when there is any that may show them.
    Raises ValueError when there are not so many guests to invite.
    """
    if not 0 <= guests <= len(GUESTS):
        raise ValueError(f"an event has 0 to {len(GUESTS)} guests, not {guests}")
    if not 0 <= mean_faces <= MOST_FACES:
        raise ValueError(f"a photo has 0 to {MOST_FACES} faces on average, not {mean_faces}")
    rng = random.Random(f"event {seed}")  # noqa: S311 - scenery, no secret
    invited = tuple(person.name for person in GUESTS[:guests])
    crowds = _crowds(rng, photos, invited, mean_faces)
    rng.shuffle(crowds)
    return EventPlan(
        seed=seed,
        guests=invited,
        photos=tuple(_photo(seed, index, crowd, size, rng) for index, crowd in enumerate(crowds)),
    )


def arrange(
    people: Sequence[str], size: tuple[int, int], rng: random.Random
) -> tuple[Placement, ...]:
    """Place people side by side, every face whole and none covered; the same for the same `rng`."""
    if not people:
        return ()
    width, height = size
    shorter = min(size)
    slot = width / len(people)
    largest = min(LARGEST_HEAD * shorter, slot / (HEAD_ASPECT * _ELBOW_ROOM))
    eye_level = rng.uniform(0.36, 0.5)
    warmth = rng.uniform(-0.07, 0.09)
    brightness = rng.uniform(0.86, 1.12)
    placements = []
    for index, person in enumerate(people):
        head = rng.uniform(min(SMALLEST_HEAD * shorter, largest), largest)
        slack = (slot - head * HEAD_ASPECT * _ELBOW_ROOM) / 2
        x = (index + 0.5) * slot + rng.uniform(-slack, slack)
        margin = head / 2 / height + 0.02
        y = min(max(eye_level + rng.uniform(-0.07, 0.07), margin), 0.62)
        placements.append(
            Placement(
                person=person,
                x=x / width,
                y=y,
                head_height=head / shorter,
                flip=rng.random() < 0.5,
                tilt=max(-_LARGEST_TILT, min(_LARGEST_TILT, rng.gauss(0, 4.5))),
                light=Light(
                    brightness=brightness * rng.uniform(0.93, 1.07),
                    contrast=rng.uniform(0.88, 1.1),
                    warmth=warmth,
                    side=rng.uniform(-0.12, 0.12),
                ),
                blur=rng.uniform(0, 0.7),
            )
        )
    return tuple(placements)


def _crowds(
    rng: random.Random, photos: int, guests: tuple[str, ...], mean_faces: float
) -> list[list[str]]:
    """Who is in each photo."""
    strangers = [person.name for person in STRANGERS]
    crowds = []
    for _ in range(photos):
        faces = sum(rng.random() < mean_faces / MOST_FACES for _ in range(MOST_FACES))
        coming = sum(rng.random() < _GUEST_SHARE for _ in range(faces))
        known = rng.sample(guests, min(coming, len(guests)))
        others = rng.sample(strangers, min(faces - len(known), len(strangers)))
        crowd = known + others
        rng.shuffle(crowd)
        crowds.append(crowd)
    reserved = 0
    if photos >= 5:
        crowds[0] = []
        crowds[1] = rng.sample(strangers, 2)
        reserved = 2
    _include_everyone(crowds, guests, reserved)
    return crowds


def _include_everyone(crowds: list[list[str]], guests: tuple[str, ...], reserved: int) -> None:
    open_crowds = crowds[reserved:]
    seen = {person for crowd in crowds for person in crowd}
    for index, guest in enumerate(guests):
        if guest not in seen and open_crowds:
            crowd = open_crowds[index % len(open_crowds)]
            del crowd[MOST_FACES - 1 :]
            crowd.append(guest)


def _photo(
    seed: int, index: int, crowd: list[str], size: tuple[int, int], rng: random.Random
) -> PlannedPhoto:
    orientation = 1
    if len(crowd) <= MOST_FACES_UPRIGHT and rng.random() < _UPRIGHT_SHARE:
        size = (size[1], size[0])
        orientation = rng.choice((6, 8))
    elif rng.random() < _UPSIDE_DOWN_SHARE:
        orientation = 3
    scene = SceneSpec(
        seed=seed * 100_003 + index,
        backdrop=rng.choice(list(Backdrop)),
        people=arrange(crowd, size, rng),
        size=size,
        orientation=orientation,
        taken_at=_START + timedelta(minutes=3 * index),
    )
    return PlannedPhoto(filename=f"IMG_{index + 1:04}.jpg", scene=scene)
