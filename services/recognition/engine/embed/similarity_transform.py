"""The turn, scale and shift that take points onto other points best."""

import numpy as np

from services.recognition.engine.detect.located_face import Points


def fit_similarity(source: Points, target: Points) -> tuple[complex, complex]:
    """Least squares over (n, 2) points: `turn * (x + iy) + shift`, never a mirror image.

    Umeyama's problem, which complex numbers make linear.
    """
    before, after = (points[:, 0] + 1j * points[:, 1] for points in (source, target))
    centred = before - before.mean()
    turn = np.vdot(centred, after - after.mean()) / np.vdot(centred, centred)
    return complex(turn), complex(after.mean() - turn * before.mean())
