"""Where people stand in a photo, so that every face is whole and none covers another."""

import random
from collections.abc import Sequence

from demo.scenes.light import Light
from demo.scenes.scene import HEAD_ASPECT, Placement

# Heads are 400 to 1100 pixels high in a photo of 12 megapixels. Below 400 the face is smaller
# than the 80 pixels that dlib's detector needs at 1600 pixels.
SMALLEST_HEAD, LARGEST_HEAD = 400 / 3000, 1100 / 3000

# A tilted head is a little wider, and friends do not touch.
_ELBOW_ROOM = 1.12
_LARGEST_TILT = 11.0


def arrange(
    people: Sequence[str], size: tuple[int, int], rng: random.Random
) -> tuple[Placement, ...]:
    """Place people side by side; deterministic by the state of `rng`."""
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
