"""The conditions: what is done to each face, and in which kind of photo it is."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.hard_faces import effects
from benchmarks.hard_faces.effects import Tile
from benchmarks.hard_faces.photos import Place, cut_off, grid

#: Twelve megapixels, and a panorama of three such photos side by side.
_PHOTO, _PANORAMA = (4000, 3000), (16382, 3628)
_FACE_PX = 180.0


@dataclass(frozen=True, slots=True)
class Condition:
    """One way for faces to be hard. Widths are in pixels of the photo as it was uploaded."""

    name: str
    #: On the tile of one face; the number chooses among sides, colours and directions.
    effect: Callable[[Tile, int], Tile] | None = None
    face_px: float = _FACE_PX
    size: tuple[int, int] = _PHOTO
    places: tuple[Place, ...] = grid(columns=4, rows=3)
    #: On the whole photo: how bright it is, its sensor's noise (a deviation), JPEG's quality.
    brightness: float = 1.0
    noise: float = 0.0
    jpeg_quality: int = 90
    #: Whether the photo holds as many faces as there are places, of whoever there is.
    is_full: bool = False


def _by(much: float, effect: Callable[[Tile, float, int], Tile]) -> Callable[[Tile, int], Tile]:
    return lambda tile, seed: effect(tile, much, seed)


CONDITIONS = (
    Condition("plain"),
    Condition("group_60", face_px=100, places=grid(columns=12, rows=5), is_full=True),
    Condition(
        "panorama_40", face_px=90, size=_PANORAMA, places=grid(columns=20, rows=2), is_full=True
    ),
    *(Condition(f"small_{px}", face_px=px) for px in (70, 50, 36)),
    Condition("sunglasses", effects.sunglasses),
    Condition("mask", effects.mask),
    Condition("hat", effects.hat),
    Condition("covered", effects.covered),
    *(Condition(f"aside_{much}", _by(much, effects.turned_aside)) for much in (30, 45, 60)),
    *(Condition(f"cut_{much}", places=cut_off(much / 100)) for much in (25, 40)),
    Condition("black_white", effects.black_and_white),
    Condition("stage_light", effects.stage_light),
    *(Condition(f"motion_{much}", _by(much / 100, effects.moved)) for much in (5, 10, 20)),
    *(Condition(f"focus_{much}", _by(much / 100, effects.out_of_focus)) for much in (5, 10)),
    Condition("dark_noise", brightness=0.2, noise=7.0),
    Condition("jpeg_20", jpeg_quality=20),
    *(Condition(f"tilt_{much}", _by(much, effects.tilted)) for much in (15, 30, 45, 60, 90, 180)),
)
