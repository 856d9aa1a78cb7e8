"""The README's pictures, of what `make screenshots` has seen: `python -m tests.web.pictures`.

The people in them are those of public-domain portraits that packages bring along.
"""

from pathlib import Path
from typing import Final

from PIL import Image

PROJECT: Final = Path(__file__).parents[2]
SEEN: Final = PROJECT / "web" / "screenshots"
PICTURES: Final = PROJECT / "docs" / "pictures"
#: Name: what was seen (the first that there is), and how wide a picture of it is kept.
WANTED: Final = {
    "code": (("landing-phone-light.png",), 360),
    "selfie": (("selfie-good-phone-light.png",), 360),
    "yours": (("yours-phone-light.png",), 360),
    "studio": (("parts-photos-laptop-light.png", "studio-done-laptop-light.png"), 1200),
}
QUALITY: Final = 70


def main() -> None:
    """Write them; what was not seen keeps the picture that it has."""
    PICTURES.mkdir(exist_ok=True)
    for name, (wanted, width) in WANTED.items():
        seen = next((SEEN / one for one in wanted if (SEEN / one).exists()), None)
        if seen is not None:
            with Image.open(seen) as picture:
                small = picture.convert("RGB")
                small.thumbnail((width, 3 * width))
                small.save(PICTURES / f"{name}.webp", quality=QUALITY, method=6)


if __name__ == "__main__":
    main()
