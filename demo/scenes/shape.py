"""The shape of a face: as numbers, as the landmarks that follow from them, and on a picture.

A picture takes on a shape by a smooth warp, a thin-plate spline, of its landmarks onto others.
"""

from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from demo.scenes.portraits import Head, Points, load

CANVAS = (512, 600)
"""Width and height of every cut-out, pixels."""
EYES = np.array([[218.0, 190.0], [294.0, 190.0]])
"""Where the eyes of an unchanged face are on the canvas."""
UNIT = 76.0
"""The distance of the eyes, pixels: the unit of every length below."""

# The spline is evaluated on every eighth pixel and interpolated between: it is smooth, and the
# full grid would cost 60 times as much.
_GRID_STEP = 8
_STIFFNESS = 1e-3

_JAW, _BROWS, _NOSE, _MOUTH = slice(0, 17), slice(17, 27), slice(27, 36), slice(48, 60)
_NOSTRILS = slice(31, 36)
_EYES = (slice(36, 42), slice(42, 48))


@dataclass(frozen=True, slots=True)
class FaceShape:
    """How a face differs from its portrait: factors are 1 and shifts are 0 for no change."""

    toward_other: float = 0.0
    """0: the shape of the head's own face, 1: of the other portrait's."""
    jaw_width: float = 1.0
    chin: float = 0.0
    """Longer (+) or shorter (-) chin, in eye distances; so are the other shifts."""
    eye_spacing: float = 0.0
    eye_size: float = 1.0
    brow_height: float = 0.0
    nose_width: float = 1.0
    nose_length: float = 0.0
    mouth_width: float = 1.0
    lip_fullness: float = 1.0
    mouth_drop: float = 0.0


def upright(landmarks: Points) -> Points:
    """Landmarks moved, turned and scaled so that the eyes are where the canvas has them."""
    matrix, offset = similarity(np.array(eyes(landmarks)), EYES)
    result: Points = landmarks @ matrix.T + offset
    return result


def shaped(head: Head, shape: FaceShape) -> Points:
    """The landmarks of a face on the canvas."""
    own, other = (upright(load(each).landmarks) for each in _self_and_other(head))
    points: Points = own + shape.toward_other * (other - own)
    middle = EYES.mean(axis=0)[0]

    below = np.clip((points[_JAW, 1] - EYES[0, 1]) / (1.6 * UNIT), 0.25, 1.0)
    points[_JAW, 0] = middle + (points[_JAW, 0] - middle) * (1 + (shape.jaw_width - 1) * below)
    points[_JAW, 1] += shape.chin * UNIT * below**2
    for side, eye in zip((-1, 1), _EYES, strict=True):
        centre = points[eye].mean(axis=0)
        points[eye] = centre + (points[eye] - centre) * shape.eye_size
        points[eye, 0] += side * shape.eye_spacing * UNIT
    points[_BROWS, 1] -= shape.brow_height * UNIT
    points[17:22, 0] -= shape.eye_spacing * UNIT
    points[22:27, 0] += shape.eye_spacing * UNIT

    points[_NOSE, 1] += shape.nose_length * UNIT * np.linspace(0, 1, 9).clip(0, 0.5) * 2
    _scale(points, _NOSTRILS, shape.nose_width, 1.0)
    _scale(points, _MOUTH, shape.mouth_width, shape.lip_fullness)
    points[_MOUTH, 1] += (shape.mouth_drop + shape.nose_length / 2) * UNIT
    return points


def eyes(landmarks: Points) -> tuple[Points, Points]:
    """The centres of the left and the right eye (as seen in the picture)."""
    return landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)


def similarity(source: Points, target: Points) -> tuple[NDArray[np.float64], Points]:
    """The 2x2 matrix and offset that take two source points onto two target points."""
    before, after = source[1] - source[0], target[1] - target[0]
    ratio = complex(*after) / complex(*before)
    matrix = np.array([[ratio.real, -ratio.imag], [ratio.imag, ratio.real]])
    return matrix, target[0] - matrix @ source[0]


def warp(
    bands: NDArray[np.uint8], source: Points, target: Points, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample `bands` (h, w, n) so that the source points land on the target points.

    `size` is the width and height of the result.
    """
    width, height = size
    columns, rows = -(-width // _GRID_STEP), -(-height // _GRID_STEP)
    middle = (_GRID_STEP - 1) / 2
    ys, xs = np.mgrid[0:rows, 0:columns] * _GRID_STEP + middle
    coarse = _spline(target, source, np.column_stack([xs.ravel(), ys.ravel()]))
    planes = [
        np.asarray(
            Image.fromarray(
                np.ascontiguousarray(coarse[:, axis].reshape(rows, columns), dtype=np.float32)
            ).resize((columns * _GRID_STEP, rows * _GRID_STEP), Image.Resampling.BICUBIC)
        )[:height, :width]
        for axis in (0, 1)
    ]
    index = pyvips.Image.new_from_array(np.ascontiguousarray(np.dstack(planes)))
    image = pyvips.Image.new_from_array(np.ascontiguousarray(bands))
    warped = image.mapim(index, interpolate=pyvips.Interpolate.new("bicubic"), extend="copy")
    return np.asarray(warped.numpy(), dtype=np.uint8).reshape(height, width, -1)


def _self_and_other(head: Head) -> tuple[Head, Head]:
    return (head, Head.ADMIRAL if head is Head.ASTRONAUT else Head.ASTRONAUT)


def _scale(points: Points, part: slice, across: float, along: float) -> None:
    centre = points[part].mean(axis=0)
    points[part] = centre + (points[part] - centre) * (across, along)


def _spline(knots: Points, values: Points, queries: Points) -> Points:
    """Interpolate `values` given at `knots` with the thin plate's least bending."""
    count = len(knots)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(knots, knots) + _STIFFNESS * np.eye(count)
    system[:count, count:] = np.column_stack([np.ones(count), knots])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))]))
    affine = np.column_stack([np.ones(len(queries)), queries])
    result: Points = _kernel(queries, knots) @ weights[:count] + affine @ weights[count:]
    return result


def _kernel(left: Points, right: Points) -> NDArray[np.float64]:
    squared = ((left[:, None, :] - right[None, :, :]) ** 2).sum(axis=2)
    kernel: NDArray[np.float64] = squared * np.log(np.maximum(squared, 1e-9)) / 2
    return kernel
