"""What the service knows of decoding, which its workers do: by what, and how it fails."""

from collections.abc import Callable
from importlib.metadata import version

from libs.common.workers.serving import Certain

#: What is able to decode here: what one release cannot read, the next one may.
DECODERS = ", ".join(
    f"{package} {version(package)}" for package in ("pyvips-binary", "pillow-heif", "pillow")
)

#: What a worker does: the path, the longest side in pixels, and the most pixels.
Make = Callable[[str, int | None, int], bytes]


class CannotDecode(Exception):
    """These bytes are no picture that we show; the message says why."""


class NotShown(CannotDecode, Certain):
    """They are not even given to a decoder."""
