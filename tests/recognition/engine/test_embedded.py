import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from services.recognition.engine.detect.selfie_check import check_selfie
from services.recognition.engine.engines import EmbeddedEngine
from services.recognition.engine.face_engine import (
    CALIBRATED_SIMILARITY,
    EMBEDDED,
    FloatArray,
    PhotoAnalysis,
    UndecodablePhoto,
)
from services.recognition.matching.compare import alike_pairs
from tests.support.faces import astronaut, grace_hopper, labelled_faces


@pytest.fixture(scope="module")
def engine(model_dir: Path) -> EmbeddedEngine:
    return EmbeddedEngine(model_dir=model_dir)


@pytest.fixture(scope="module")
def portraits(
    engine: EmbeddedEngine, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Image.Image, FloatArray]]:
    """Two people, and the embeddings of their selfies."""
    path: Path = tmp_path_factory.mktemp("selfies") / "selfie.jpg"
    return [(image, selfie(engine, save(image, path))) for image in (astronaut(), grace_hopper())]


def embeddings(analysis: PhotoAnalysis) -> FloatArray:
    return np.array([face.embedding for face in analysis.faces]).reshape(
        -1, EMBEDDED.embedding_size
    )


def selfie(engine: EmbeddedEngine, path: Path) -> FloatArray:
    """The embedding of a selfie that passes the check."""
    analysis = engine.analyze(path)
    verdict = check_selfie(analysis.width, analysis.height, analysis.faces)
    assert verdict.face is not None, f"{path.name}: {verdict.problem}"
    return analysis.faces[verdict.face].embedding


def save(picture: Image.Image, path: Path) -> Path:
    picture.save(path, quality=90)
    return path


def event_photo(left: Image.Image, right: Image.Image) -> Image.Image:
    """12 megapixels with two people, their faces a twentieth of its width or more."""
    scene = Image.new("RGB", (4000, 3000), (110, 120, 130))
    scene.paste(left.resize((1200, 1200 * left.height // left.width)), (300, 900))
    scene.paste(right.resize((700, 700 * right.height // right.width)), (2500, 1100))
    return scene


def test_the_people_of_an_event_photo_are_told_apart(
    engine: EmbeddedEngine, tmp_path: Path
) -> None:
    analysis = engine.analyze(
        save(event_photo(astronaut(), grace_hopper()), tmp_path / "photo.jpg")
    )
    assert (analysis.width, analysis.height) == (4000, 3000)
    assert len(analysis.placeholder) >= 20
    selfies = [
        selfie(engine, save(portrait, tmp_path / "selfie.jpg"))
        for portrait in (astronaut(), grace_hopper())
    ]
    found = alike_pairs(
        np.array(selfies), embeddings(analysis), EMBEDDED.calibration, CALIBRATED_SIMILARITY
    )
    assert found.selfies.tolist() == [0, 1]
    astronaut_face, hopper_face = (analysis.faces[face] for face in found.faces)
    assert 0.17 < astronaut_face.left + astronaut_face.width / 2 < 0.27
    assert 0.63 < hopper_face.left + hopper_face.width / 2 < 0.80


def test_boxes_are_fractions_of_the_upright_photo(engine: EmbeddedEngine, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    # Stored turned to the left: the camera says that it is to be shown turned to the right.
    grace_hopper().transpose(Image.Transpose.ROTATE_90).save(
        tmp_path / "turned.jpg", exif=exif, quality=90
    )
    turned = engine.analyze(tmp_path / "turned.jpg")
    straight = engine.analyze(save(grace_hopper(), tmp_path / "straight.jpg"))
    assert (turned.width, turned.height) == (straight.width, straight.height) == (512, 600)
    (one,), (other,) = turned.faces, straight.faces
    assert (one.left, one.top) == pytest.approx((other.left, other.top), abs=0.02)
    assert (one.left, one.top) == pytest.approx((161 / 512, 137 / 600), abs=0.04)
    assert 0.5 <= one.confidence < 1


def test_a_face_at_the_border_has_a_box_inside_the_photo(
    engine: EmbeddedEngine, tmp_path: Path
) -> None:
    close_up = grace_hopper().crop((150, 150, 390, 360)).resize((480, 420))
    (face,) = engine.analyze(save(close_up, tmp_path / "photo.jpg")).faces
    assert face.left >= 0
    assert face.top >= 0
    assert face.left + face.width <= 1
    assert face.top + face.height <= 1


def test_a_photo_without_faces_has_none(engine: EmbeddedEngine, tmp_path: Path) -> None:
    path = save(Image.new("RGB", (800, 600), "gray"), tmp_path / "photo.jpg")
    assert engine.analyze(path).faces == ()


def test_a_file_overwritten_by_another_photo_is_read_again(
    engine: EmbeddedEngine, tmp_path: Path
) -> None:
    path = tmp_path / "photo.jpg"
    assert len(engine.analyze(save(grace_hopper(), path)).faces) == 1
    assert engine.analyze(save(Image.new("RGB", (512, 512)), path)).faces == ()


def test_the_pixel_limit_is_the_engine_s(model_dir: Path, tmp_path: Path) -> None:
    engine = EmbeddedEngine(model_dir=model_dir, pixel_limit=1000)
    with pytest.raises(UndecodablePhoto, match="million pixels"):
        engine.analyze(save(astronaut(), tmp_path / "photo.jpg"))


def test_an_analysis_survives_pickling(engine: EmbeddedEngine, tmp_path: Path) -> None:
    analysis = engine.analyze(save(astronaut(), tmp_path / "photo.jpg"))
    copy = pickle.loads(pickle.dumps(analysis))
    assert copy.width == analysis.width
    np.testing.assert_array_equal(copy.faces[0].embedding, analysis.faces[0].embedding)


VARIANTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "turned left": lambda image: image.rotate(12, Image.Resampling.BICUBIC),
    "turned right": lambda image: image.rotate(-12, Image.Resampling.BICUBIC),
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "bright": lambda image: ImageEnhance.Brightness(image).enhance(1.4),
    "flat": lambda image: ImageEnhance.Contrast(image).enhance(0.6),
    "small": lambda image: ImageOps.scale(image, 0.6),
    "large": lambda image: ImageOps.scale(image, 2.5),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_people_match_themselves_and_not_each_other_in_any_light(
    engine: EmbeddedEngine,
    portraits: list[tuple[Image.Image, FloatArray]],
    tmp_path: Path,
    variant: str,
) -> None:
    selfies = [embedding for _, embedding in portraits]
    for index, (portrait, _) in enumerate(portraits):
        path = save(VARIANTS[variant](portrait), tmp_path / "photo.jpg")
        found = alike_pairs(
            np.array(selfies),
            embeddings(engine.analyze(path)),
            EMBEDDED.calibration,
            CALIBRATED_SIMILARITY,
        )
        assert found.selfies.tolist() == [index]


def test_labelled_guests_are_all_found_and_nobody_is_mistaken(
    engine: EmbeddedEngine,
) -> None:
    labelled = labelled_faces()
    selfies = [selfie(engine, path) for path in labelled.selfies.values()]
    names = list(labelled.selfies)
    wrong, found = [], 0
    for path, people in labelled.photos.items():
        alike = alike_pairs(
            np.array(selfies),
            embeddings(engine.analyze(path)),
            EMBEDDED.calibration,
            CALIBRATED_SIMILARITY,
        )
        matched = {names[selfie] for selfie in alike.selfies}
        found += len(matched & people)
        wrong += [(path.name, name) for name in matched - people]
    assert wrong == []
    assert found == sum(map(len, labelled.photos.values()))


@pytest.mark.parametrize("degrees", [-40, 0, 40])
def test_a_tilted_head_is_recognised(
    engine: EmbeddedEngine,
    portraits: list[tuple[Image.Image, FloatArray]],
    tmp_path: Path,
    degrees: int,
) -> None:
    _, (_, own) = portraits
    tilted = grace_hopper().rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90))
    (face,) = engine.analyze(save(tilted, tmp_path / "photo.jpg")).faces
    assert np.linalg.norm(face.embedding - own) < 0.25
