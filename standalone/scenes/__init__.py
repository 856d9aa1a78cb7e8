"""Photos of events that never happened, with known truth: for the demo, tests and benchmarks.

People are morphed from two public-domain portraits, lit, turned and placed into scenes of 12
megapixels. Everything follows from a seed.
"""

from standalone.scenes.backdrop import Backdrop
from standalone.scenes.jpeg import jpeg_bytes, write_jpeg
from standalone.scenes.layout import arrange
from standalone.scenes.light import Light
from standalone.scenes.people import GUESTS, PEOPLE, STRANGERS, Person
from standalone.scenes.plan import VERSION, EventPlan, PlannedPhoto, event
from standalone.scenes.scene import FULL_SIZE, Placement, SceneSpec, compose
from standalone.scenes.selfies import SELFIE_SIZE, portrait, selfie
from standalone.scenes.store import write_event

__all__ = [
    "FULL_SIZE",
    "GUESTS",
    "PEOPLE",
    "SELFIE_SIZE",
    "STRANGERS",
    "VERSION",
    "Backdrop",
    "EventPlan",
    "Light",
    "Person",
    "Placement",
    "PlannedPhoto",
    "SceneSpec",
    "arrange",
    "compose",
    "event",
    "jpeg_bytes",
    "portrait",
    "selfie",
    "write_event",
    "write_jpeg",
]
