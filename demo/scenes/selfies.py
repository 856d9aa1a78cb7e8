"""Selfies and plain portraits: one person, close, in a light that no photo has."""

import random

import numpy as np
from numpy.typing import NDArray

from demo.scenes.backdrop import Backdrop
from demo.scenes.jpeg import jpeg_bytes
from demo.scenes.light import Light
from demo.scenes.scene import Placement, SceneSpec, compose

SELFIE_SIZE = (960, 1280)


def selfie(person: str, seed: int) -> bytes:
    """A JPEG of 960 x 1280 pixels; the same person and seed give the same bytes."""
    rng = random.Random(f"selfie {person} {seed}")  # noqa: S311 - scenery, no secret
    light = Light(
        brightness=rng.uniform(0.82, 1.08),
        contrast=rng.uniform(0.9, 1.08),
        warmth=rng.uniform(-0.1, 0.03),
        side=rng.choice((-1, 1)) * rng.uniform(0.14, 0.22),
    )
    placement = Placement(
        person=person,
        x=rng.uniform(0.47, 0.53),
        y=rng.uniform(0.42, 0.47),
        head_height=rng.uniform(0.68, 0.78),
        flip=rng.random() < 0.5,
        tilt=rng.uniform(-6, 6),
        light=light,
        blur=rng.uniform(0, 0.4),
    )
    backdrop = rng.choice((Backdrop.HALL, Backdrop.GARDEN, Backdrop.TERRACE))
    spec = SceneSpec(rng.getrandbits(31), backdrop, (placement,), size=SELFIE_SIZE)
    return jpeg_bytes(compose(spec))


def portrait(person: str, size: int = 480) -> NDArray[np.uint8]:
    """A person as they are, evenly lit; RGB, shape (size, size, 3)."""
    placement = Placement(person=person, x=0.5, y=0.47, head_height=0.62)
    return compose(SceneSpec(0, Backdrop.HALL, (placement,), size=(size, size)))
