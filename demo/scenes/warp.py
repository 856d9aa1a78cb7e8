"""Smooth warps by thin-plate splines: one picture's landmarks onto other landmarks."""

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from demo.scenes.portraits import Points

# The spline is evaluated on every eighth pixel and interpolated between: it is smooth, and the
# full grid would cost 60 times as much.
_GRID_STEP = 8
_STIFFNESS = 1e-3


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
