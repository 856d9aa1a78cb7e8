"""YuNet and SFace, as a pip package carries them: without a network, a fresh copy has both.

They are OpenCV's own with weights of less precision. The files of `findme models pull` come first
where they are.
"""

import hashlib
from pathlib import Path

from services.recognition.engine.models.files import (
    CARRIER,
    ModelUnusable,
    PackagedModel,
    read_model,
)
from services.recognition.engine.models.unquantised import unquantised


def read_packaged(path: Path, model: PackagedModel) -> bytes:
    """Return the model as ONNX with weights in float32; raises `ModelUnusable` for other content.

    YuNet takes 5 ms, SFace 300.
    """
    content = read_model(path)
    if hashlib.sha256(content).hexdigest() != model.sha256:
        raise ModelUnusable(
            f"{path} has another content than expected: install the package {CARRIER} anew, of the "
            "version in requirements/recognition.lock"
        )
    return unquantised(content)
