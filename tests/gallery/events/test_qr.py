import cv2
import numpy as np
import pytest

from services.gallery.events.routes import qr_png
from services.gallery.events.rules import invite_url


@pytest.mark.parametrize(
    ("template", "code", "url"),
    [
        ("/e/{code}", "AB12", "https://photos.example/e/AB12"),
        ("/join/{code}", "a b/ü?", "https://photos.example/join/a%20b%2F%C3%BC%3F"),
        ("https://app.example/i/{code}", "AB12", "https://app.example/i/AB12"),
    ],
)
def test_the_address_carries_the_code_whatever_is_in_it(template: str, code: str, url: str) -> None:
    assert invite_url(template, code, base_url="https://photos.example/") == url


@pytest.mark.parametrize("text", ["https://photos.example/e/AB12CD34", "x" * 600])
def test_a_phone_reads_from_the_picture_what_was_put_into_it(text: str) -> None:
    picture = cv2.imdecode(np.frombuffer(qr_png(text), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    found, _, _ = cv2.QRCodeDetector().detectAndDecode(picture)
    assert found == text
