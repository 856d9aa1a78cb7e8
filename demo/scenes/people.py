"""Everybody who can be in a scene. Raise `plan.VERSION` when anybody changes.

The looks were found by measuring: 1200 random morphs, embedded by dlib's ResNet, from
which the eight farthest from each other were kept. The engine joins SFace's numbers to those: its
distances between them are 0.65 on average and 0.58 at the least (0.705 between real people), its
threshold is 0.54.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from demo.scenes.cutout import Look
from demo.scenes.portraits import Head
from demo.scenes.shape import FaceShape


@dataclass(frozen=True, slots=True)
class Person:
    """An identity: one face, one set of clothes."""

    name: str
    clothes: tuple[int, int, int]
    """RGB."""
    seed: int
    """Of the folds of the clothes."""
    look: Look


GUESTS: tuple[Person, ...] = (
    Person(
        "amelie",
        (150, 44, 52),
        0,
        Look(
            head=Head.ASTRONAUT,
            shape=FaceShape(
                jaw_width=0.89,
                chin=0.25,
                eye_spacing=-0.01,
                eye_size=0.86,
                brow_height=-0.05,
                nose_width=1.07,
                nose_length=0.15,
                mouth_width=1.28,
                lip_fullness=1.16,
                mouth_drop=0.04,
            ),
            skin=(0.83, 0.75, 0.68),
            hair=(1.25, 0.8, 0.55),
            brows=0.42,
        ),
    ),
    Person(
        "bruno",
        (38, 52, 84),
        1,
        Look(
            head=Head.ADMIRAL,
            shape=FaceShape(
                toward_other=0.59,
                jaw_width=1.06,
                chin=0.27,
                eye_spacing=0.06,
                eye_size=1.16,
                brow_height=-0.06,
                nose_width=0.91,
                nose_length=-0.15,
                mouth_width=1.27,
                lip_fullness=0.72,
                mouth_drop=0.1,
            ),
            skin=(1.03, 1.0, 0.97),
            mirror="left",
        ),
    ),
    Person(
        "carla",
        (58, 104, 92),
        2,
        Look(
            head=Head.ASTRONAUT,
            shape=FaceShape(
                toward_other=0.13,
                jaw_width=0.93,
                chin=-0.12,
                eye_spacing=-0.05,
                eye_size=1.28,
                brow_height=-0.1,
                nose_width=0.7,
                nose_length=-0.04,
                mouth_width=1.14,
                lip_fullness=1.42,
                mouth_drop=0.05,
            ),
            skin=(0.97, 0.96, 0.99),
            hair=(0.42, 0.36, 0.36),
            brows=0.24,
            smoothness=2.0,
        ),
    ),
    Person(
        "dario",
        (196, 168, 120),
        3,
        Look(
            head=Head.ASTRONAUT,
            shape=FaceShape(
                jaw_width=0.87,
                chin=0.21,
                eye_size=1.22,
                brow_height=0.02,
                nose_width=1.45,
                nose_length=-0.04,
                mouth_width=0.81,
                lip_fullness=0.76,
            ),
            skin=(1.04, 0.9, 0.84),
            hair=(1.2, 1.1, 0.8),
            smoothness=2,
        ),
    ),
)
"""Who may send a selfie, in the order in which they are invited."""

STRANGERS: tuple[Person, ...] = (
    Person(
        "stranger-1",
        (88, 66, 110),
        4,
        Look(
            head=Head.ADMIRAL,
            shape=FaceShape(
                toward_other=0.11,
                jaw_width=1.25,
                chin=0.24,
                eye_spacing=-0.02,
                eye_size=0.8,
                brow_height=0.11,
                nose_width=1.25,
                nose_length=0.11,
                mouth_width=1.12,
                lip_fullness=0.78,
                mouth_drop=-0.01,
            ),
            skin=(0.85, 0.78, 0.71),
            hair=(1.0, 0.85, 0.75),
            mirror="left",
        ),
    ),
    Person(
        "stranger-2",
        (46, 46, 50),
        5,
        Look(
            head=Head.ASTRONAUT,
            shape=FaceShape(
                jaw_width=1.25,
                chin=-0.14,
                eye_spacing=0.04,
                eye_size=0.8,
                brow_height=0.11,
                nose_width=0.83,
                nose_length=-0.07,
                mouth_width=0.95,
                lip_fullness=1.41,
                mouth_drop=-0.02,
            ),
            skin=(0.7, 0.58, 0.54),
            hair=(1.0, 0.8, 0.6),
            beard=0.42,
        ),
    ),
    Person(
        "stranger-3",
        (178, 186, 194),
        6,
        Look(
            head=Head.ADMIRAL,
            shape=FaceShape(
                jaw_width=0.99,
                chin=0.18,
                eye_size=0.8,
                brow_height=0.07,
                nose_width=1.35,
                nose_length=-0.05,
                mouth_width=0.84,
                lip_fullness=0.86,
                mouth_drop=0.01,
            ),
            other_features=0.63,
            skin=(1.0, 0.92, 0.9),
            beard=0.44,
            brows=0.3,
            smoothness=1.5,
            mirror="left",
        ),
    ),
    Person(
        "stranger-4",
        (116, 82, 58),
        7,
        Look(
            head=Head.ADMIRAL,
            shape=FaceShape(
                jaw_width=0.83,
                chin=0.06,
                eye_spacing=-0.06,
                eye_size=1.16,
                brow_height=-0.08,
                nose_width=0.77,
                nose_length=-0.02,
                mouth_width=1.12,
                lip_fullness=0.95,
                mouth_drop=-0.06,
            ),
            other_features=1.0,
            smoothness=2.0,
            mirror="left",
        ),
    ),
)
"""Who is in photos and never sends a selfie."""

PEOPLE: Mapping[str, Person] = {person.name: person for person in GUESTS + STRANGERS}
