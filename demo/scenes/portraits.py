"""The two public-domain portraits that everybody in a scene is made of.

Both come inside pip packages: scikit-image's astronaut (Eileen Collins, NASA) and matplotlib's
Grace Hopper (U.S. Navy). The landmarks were measured once with dlib's 68-point predictor, the
outlines were traced by hand; as constants they need no face library at run time.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Points = NDArray[np.float64]
"""Shape (n, 2): x, y in pixels."""

# Outlines are drawn this much larger and shrunk again, for edges without steps.
_SUPERSAMPLING = 4


class Head(StrEnum):
    """Whose hair, or cap, and neck a person has."""

    ASTRONAUT = "astronaut"
    ADMIRAL = "admiral"


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A source picture in its own pixel coordinates."""

    pixels: NDArray[np.uint8]
    """Shape (h, w, 3), RGB."""
    landmarks: Points
    """The first 60 of the 68-point scheme: jaw, brows, nose, eyes, outer lips."""
    outline: NDArray[np.uint8]
    """Shape (h, w): 255 on head, hair and neck."""
    skin: NDArray[np.uint8]
    """Shape (h, w): 255 on face, ears and neck."""


@lru_cache(maxsize=2)
def load(head: Head) -> Portrait:
    """Read a portrait from its package and draw its masks."""
    with Image.open(_file(*_FILES[head])) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
    height, width = pixels.shape[:2]
    return Portrait(
        pixels=pixels,
        landmarks=np.array(_LANDMARKS[head], dtype=np.float64),
        outline=_mask(_OUTLINES[head], (width, height), feather=1.2),
        skin=_mask(_SKIN[head], (width, height), feather=2.0),
    )


def _file(package: str, path: str) -> Path:
    """A file inside an installed package, which is not imported: that would take a second."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the portraits need {package}", name=package)
    return Path(spec.origin).parent / path


def _mask(
    polygon: tuple[tuple[float, float], ...],
    size: tuple[int, int],
    *,
    feather: float,
) -> NDArray[np.uint8]:
    """Fill a polygon, shrunk by a pixel so that no old background shines in."""
    large = Image.new("L", (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING))
    scaled = [(x * _SUPERSAMPLING, y * _SUPERSAMPLING) for x, y in polygon]
    ImageDraw.Draw(large).polygon(scaled, fill=255)
    mask = large.resize(size, Image.Resampling.BOX)
    mask = mask.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.GaussianBlur(feather))
    return np.asarray(mask, dtype=np.uint8)


_FILES = {
    Head.ASTRONAUT: ("skimage", "data/astronaut.png"),
    Head.ADMIRAL: ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}

# fmt: off
_LANDMARKS: dict[Head, tuple[tuple[int, int], ...]] = {
    Head.ASTRONAUT: (
        (179, 104), (180, 116), (181, 127), (182, 139), (185, 150), (191, 160), (200, 168),
        (209, 176), (220, 178), (232, 177), (243, 171), (253, 163), (260, 154), (265, 143),
        (268, 131), (270, 120), (272, 108), (186, 94), (192, 88), (200, 87), (208, 89), (216, 92),
        (236, 93), (244, 91), (252, 91), (260, 92), (265, 99), (226, 102), (225, 111), (225, 119),
        (225, 127), (214, 131), (219, 133), (224, 134), (229, 133), (234, 132), (195, 101),
        (200, 98), (207, 98), (212, 104), (206, 104), (199, 104), (237, 106), (243, 100),
        (250, 100), (255, 105), (250, 107), (244, 107), (201, 139), (209, 139), (218, 139),
        (224, 141), (230, 140), (238, 140), (246, 141), (238, 151), (229, 155), (222, 156),
        (216, 155), (208, 150),
    ),
    Head.ADMIRAL: (
        (178, 203), (181, 226), (186, 248), (192, 270), (199, 291), (209, 310), (226, 323),
        (245, 331), (269, 333), (293, 329), (312, 319), (329, 304), (340, 284), (347, 262),
        (351, 241), (353, 218), (355, 195), (189, 188), (196, 172), (211, 165), (228, 165),
        (243, 171), (284, 168), (298, 161), (315, 161), (331, 167), (340, 181), (265, 188),
        (265, 205), (266, 221), (267, 238), (247, 246), (257, 249), (268, 252), (278, 249),
        (287, 246), (210, 195), (218, 187), (228, 187), (238, 194), (229, 195), (219, 196),
        (291, 192), (300, 184), (310, 184), (319, 190), (311, 192), (301, 193), (233, 281),
        (245, 274), (258, 272), (267, 274), (277, 271), (288, 273), (300, 277), (289, 284),
        (278, 287), (269, 289), (259, 288), (246, 285),
    ),
}

_OUTLINES: dict[Head, tuple[tuple[float, float], ...]] = {
    Head.ASTRONAUT: (
        (186, 177), (186, 155), (182, 133), (178, 131), (174, 127), (171, 121), (166, 114),
        (160, 107), (156, 99), (154, 90), (153.5, 75), (154, 65), (158, 55), (166, 47), (176, 40),
        (188, 35), (191, 31), (198, 25), (210, 19.5), (222, 17), (232, 16), (243, 18), (252, 21),
        (265, 26), (278, 32), (288, 40), (295, 52), (299, 68), (301, 85), (300, 98), (296, 110),
        (290, 119), (282, 127), (277, 134), (274, 136), (269, 137), (267, 140), (264, 148),
        (258, 160), (256, 168), (254, 183), (234, 190), (220, 188), (196, 184),
    ),
    Head.ADMIRAL: (
        (202, 319), (203, 311), (198, 297), (183, 290), (167, 276), (161.5, 252), (154.5, 217),
        (153, 196), (154, 185), (150, 175), (148, 150), (151, 119), (158, 103), (168.5, 89),
        (174, 82), (181, 66), (197, 49), (218, 40), (225, 31), (239, 26), (260, 24), (281, 28),
        (298, 38), (303.5, 43), (326, 50), (340, 61), (353, 82), (363, 86), (368.5, 98),
        (371, 126), (372, 147), (370, 178), (375.5, 187), (375.5, 203), (370, 227), (361.5, 248),
        (361.5, 276), (354, 294), (340, 306), (330.5, 313), (329, 343), (321, 378), (301, 431),
        (288, 459), (253, 527), (230, 478), (217, 441), (200, 389), (196, 347),
    ),
}

_SKIN: dict[Head, tuple[tuple[float, float], ...]] = {
    Head.ASTRONAUT: (
        (187, 73), (200, 80), (230, 81), (252, 85), (268, 90), (270, 105), (271, 125), (270, 136),
        (258, 160), (254, 183), (234, 190), (196, 184), (186, 177), (186, 155), (182, 133),
        (172, 122), (178, 115), (181, 105), (184, 85),
    ),
    Head.ADMIRAL: (
        (183, 147), (214, 134), (249, 132), (298, 131), (326, 138), (347, 150), (358, 164),
        (375, 187), (375, 203), (361, 248), (340, 271), (331, 305), (330, 336), (312, 364),
        (281, 399), (246, 408), (218, 375), (205, 357), (205, 311), (190, 268), (172, 248),
        (156, 217), (153, 196), (161, 178), (176, 157),
    ),
}
# fmt: on
