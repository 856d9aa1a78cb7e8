"""A person's head and neck on a transparent canvas, made from the two portraits."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from demo.scenes.portraits import Head, Points, load
from demo.scenes.shape import CANVAS, EYES, UNIT, FaceShape, eyes, shaped, similarity, warp

Colour = tuple[float, float, float]
"""Factors on red, green and blue."""

_UNTINTED: Colour = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that makes one face: whose head, which features, which colours."""

    head: Head
    shape: FaceShape = field(default_factory=FaceShape)
    other_features: float = 0.0
    """Weight, 0 to 1, of the other portrait's eyes, nose and mouth."""
    skin: Colour = _UNTINTED
    hair: Colour = _UNTINTED
    beard: float = 0.0
    brows: float = 0.0
    smoothness: float = 0.0
    """Blur of the skin in pixels of the canvas: younger."""
    mirror: str = ""
    """"left" or "right": that half of the face on both sides."""


@lru_cache(maxsize=64)
def cutout(look: Look) -> NDArray[np.uint8]:
    """RGBA, shape (600, 512, 4). The array is shared: do not write into it."""
    target = shaped(look.head, look.shape)
    own = _warped(look.head, target)
    rgb, alpha, skin = own[..., :3].astype(np.float32), own[..., 3:4], own[..., 4:5] / 255.0
    inside = _face_mask(target)
    if look.other_features:
        rgb = _blend_features(rgb, look, target, inside * look.other_features)
    if look.mirror:
        rgb = _symmetric(rgb, inside, look.mirror)
    if look.smoothness:
        soft = Image.fromarray(rgb.clip(0, 255).astype(np.uint8))
        blurred = soft.filter(ImageFilter.GaussianBlur(look.smoothness))
        rgb += inside * 0.7 * (np.asarray(blurred, dtype=np.float32) - rgb)
    rgb *= 1 + skin * (np.array(look.skin, dtype=np.float32) - 1)
    # The shirt below the neck keeps its colours.
    above_neck = (np.arange(CANVAS[1]) < target[8, 1]).astype(np.float32)[:, None, None]
    rgb *= 1 + (1 - skin) * above_neck * (np.array(look.hair, dtype=np.float32) - 1)
    rgb *= 1 - _hair_on_face(target, look)
    result: NDArray[np.uint8] = np.dstack([rgb.clip(0, 255).astype(np.uint8), alpha])
    result.flags.writeable = False
    return result


def _warped(head: Head, target: Points) -> NDArray[np.uint8]:
    """A portrait's colours, outline and skin mask, its landmarks moved onto the target."""
    portrait = load(head)
    matrix, offset = similarity(EYES, np.array(eyes(portrait.landmarks)))
    # The rim stays, so that only the face changes its shape.
    anchors = _rim()
    bands = np.dstack([portrait.pixels, portrait.outline, portrait.skin])
    return warp(
        bands,
        np.vstack([portrait.landmarks, anchors @ matrix.T + offset]),
        np.vstack([target, anchors]),
        CANVAS,
    )


def _rim() -> Points:
    """Points around the head, on the canvas, that no change of shape moves."""
    width, height = CANVAS
    sides = [(x, y) for x in (40, width - 40) for y in range(60, height, 90)]
    ends = [(x, y) for y in (20, height - 10) for x in range(80, width - 40, 88)]
    return np.array(sides + ends, dtype=np.float64)


def _blend_features(
    rgb: NDArray[np.float32], look: Look, target: Points, weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    other = Head.ADMIRAL if look.head is Head.ASTRONAUT else Head.ASTRONAUT
    features = _warped(other, target)[..., :3].astype(np.float32)
    core = weight[..., 0] > 0.8 * weight.max()
    for band in range(3):
        mine, theirs = rgb[..., band][core], features[..., band][core]
        gain = np.clip(mine.std() / theirs.std(), 0.7, 1.3)
        features[..., band] = (features[..., band] - theirs.mean()) * gain + mine.mean()
    blended: NDArray[np.float32] = rgb + weight * (features - rgb)
    return blended


def _symmetric(
    rgb: NDArray[np.float32], inside: NDArray[np.float32], half: str
) -> NDArray[np.float32]:
    """One half of the face mirrored over the other, softly at the middle line."""
    middle = EYES.mean(axis=0)[0]
    columns = np.arange(CANVAS[0], dtype=np.float64)
    mirrored = rgb[:, np.clip(2 * middle - columns, 0, CANVAS[0] - 1).astype(np.intp)]
    far_side = (columns - middle) * (1 if half == "left" else -1)
    ramp = np.clip(far_side / 12 + 0.5, 0, 1).astype(np.float32)[None, :, None]
    result: NDArray[np.float32] = rgb + inside * ramp * (mirrored - rgb)
    return result


def _face_mask(target: Points) -> NDArray[np.float32]:
    """1 inside the face, 0 outside, soft between; shape (h, w, 1)."""
    lifted = target[17:27][::-1] - (0, 0.22 * UNIT)
    outline = np.vstack([target[1:16], lifted])
    centre = outline.mean(axis=0)
    return _drawn([centre + (outline - centre) * 0.93], blur=7)


def _hair_on_face(target: Points, look: Look) -> NDArray[np.float32]:
    """How much light a beard and thicker brows take; shape (h, w, 1)."""
    mouth = target[48:60]
    around_mouth = mouth.mean(axis=0) + (mouth - mouth.mean(axis=0)) * (1.05, 1.25)
    moustache = target[[35, 33, 31]] + (0, 0.16 * UNIT)
    bearded = [np.vstack([target[3:14], moustache])]
    beard = _drawn(bearded, blur=5) * (1 - _drawn([around_mouth], blur=2))
    rows = np.random.default_rng(7).normal(1, 0.25, (CANVAS[1], CANVAS[0], 1))
    beard = beard * rows.clip(0.3, 1.4).astype(np.float32)
    thick = np.array([0.0, 0.07 * UNIT])
    brows = [
        np.vstack([brow - thick, (brow + thick)[::-1]]) for brow in (target[17:22], target[22:27])
    ]
    taken: NDArray[np.float32] = beard * look.beard + _drawn(brows, blur=2) * look.brows
    return taken.clip(0, 0.9)


def _drawn(polygons: list[Points], *, blur: float) -> NDArray[np.float32]:
    mask = Image.new("L", CANVAS)
    draw = ImageDraw.Draw(mask)
    for polygon in polygons:
        draw.polygon([(float(x), float(y)) for x, y in polygon], fill=255)
    soft = mask.filter(ImageFilter.GaussianBlur(blur))
    return (np.asarray(soft, dtype=np.float32) / 255.0)[..., None]
