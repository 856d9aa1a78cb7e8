"""Photos of events that never happened, with known truth: for the demo, tests and benchmarks.

People are morphed from two public-domain portraits, lit, turned and placed into scenes of 12
megapixels. Everything follows from a seed.
"""

from demo.scenes.backdrop import Backdrop
from demo.scenes.files import SELFIE_SIZE, jpeg_bytes, portrait, selfie, write_event, write_jpeg
from demo.scenes.people import GUESTS, PEOPLE, STRANGERS, Person
from demo.scenes.plan import VERSION, EventPlan, PlannedPhoto, arrange, event
from demo.scenes.scene import FULL_SIZE, Light, Placement, SceneSpec, compose

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
