import multiprocessing
from dataclasses import replace
from pathlib import Path

import dlib
import numpy as np
import onnxruntime as ort
import pytest

from services.recognition.engine.decode import PhotoScales
from services.recognition.engine.embed.dlib import (
    MODEL_NAME,
    DlibChipCutter,
    DlibEmbedder,
    check_against_dlib,
)
from services.recognition.engine.face_engine import FloatArray
from services.recognition.engine.models import dlib_weights, onnx_export
from services.recognition.engine.models.dlib_weights import FaceResNet
from services.recognition.engine.models.files import ModelUnusable, default_model_dir, dlib_file
from tests.support.faces import astronaut, grace_hopper, yunet


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    DlibEmbedder(directory)
    return directory


@pytest.fixture(scope="module")
def chips(
    tmp_path_factory: pytest.TempPathFactory,
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    detector, cutter = yunet(), DlibChipCutter()
    chips = []
    for number, portrait in enumerate((astronaut(), grace_hopper())):
        path = tmp_path_factory.mktemp("portraits") / f"{number}.png"
        portrait.save(path)
        photo = PhotoScales(path)
        chips += [cutter.cut(photo.base, face).pixels for face in detector.locate(photo)]
    return np.array(chips)


def _altered(data: bytes) -> FaceResNet:
    """A conversion with a mistake: one part in a hundred in the last layer."""
    network = parse(data)
    return replace(network, projection=network.projection * np.float32(1.01))


parse = dlib_weights.parse


def test_embeddings_are_dlib_s_own(
    model_dir: Path, chips: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    reference = dlib.face_recognition_model_v1(str(dlib_file(MODEL_NAME)))
    expected = np.array([reference.compute_face_descriptor(chip) for chip in chips])
    embeddings = DlibEmbedder(model_dir).embed(chips)
    assert embeddings.shape == (len(chips), 128)
    assert embeddings.dtype == np.float32
    assert np.abs(embeddings - expected).max() < 1e-5


def test_a_crowd_s_embeddings_are_those_of_each_face_alone(
    model_dir: Path, chips: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> None:
    embedder = DlibEmbedder(model_dir)
    crowd = chips[np.arange(19) % 2]
    alone = embedder.embed(chips)
    np.testing.assert_allclose(embedder.embed(crowd), alone[np.arange(19) % 2], atol=1e-5)


def test_no_faces_have_no_embeddings(model_dir: Path) -> None:
    assert DlibEmbedder(model_dir).embed(np.empty((0, 150, 150, 3), np.uint8)).shape == (0, 128)


def test_the_conversion_is_cached_once_and_readable_by_all(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cached,) = model_dir.iterdir()
    assert cached.stat().st_mode & 0o777 == 0o644
    monkeypatch.setattr(dlib_weights, "parse", _altered)
    DlibEmbedder(model_dir)  # would be refused if it converted again
    assert list(model_dir.iterdir()) == [cached]


def test_a_damaged_cache_is_replaced(model_dir: Path, tmp_path: Path) -> None:
    (good,) = model_dir.iterdir()
    damaged = tmp_path / good.name
    damaged.write_bytes(good.read_bytes()[:1_000_000])
    DlibEmbedder(tmp_path)
    assert damaged.read_bytes() == good.read_bytes()


def test_a_conversion_unlike_dlib_is_refused_and_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlib_weights, "parse", _altered)
    with pytest.raises(ModelUnusable, match="differs from dlib"):
        DlibEmbedder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_computes_nan_is_refused() -> None:
    weights = dlib_file(MODEL_NAME)
    network = parse(weights.read_bytes())
    broken = replace(network, projection=network.projection * np.float32(np.nan))
    session = ort.InferenceSession(onnx_export.export(broken))
    with pytest.raises(ModelUnusable, match="nan"):
        check_against_dlib(session, weights)


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    embedder = DlibEmbedder(tmp_path / "file" / "models")
    assert embedder.embed(np.zeros((1, 150, 150, 3), np.uint8)).shape == (1, 128)
    assert "cannot be cached" in caplog.text


@pytest.mark.parametrize("kept", [0, 1000, 20_000_000])
def test_weights_that_are_not_whole_are_refused(kept: int) -> None:
    data = dlib_file(MODEL_NAME).read_bytes()
    with pytest.raises(ModelUnusable, match="truncated, or not dlib's"):
        parse(data[:kept])


def test_a_missing_model_file_is_named() -> None:
    with pytest.raises(ModelUnusable, match=r"no file nothing\.dat"):
        dlib_file("nothing.dat")


def test_processes_that_convert_at_once_share_one_whole_file(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        embeddings = pool.map(_first_embedding, [tmp_path] * 3)
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(embeddings[0], embeddings[1])
    np.testing.assert_array_equal(embeddings[0], embeddings[2])
    np.testing.assert_array_equal(embeddings[0], _first_embedding(tmp_path))


def _first_embedding(model_dir: Path) -> FloatArray:
    return DlibEmbedder(model_dir).embed(np.zeros((1, 150, 150, 3), np.uint8))


def test_the_cache_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FINDME_MODEL_DIR", str(tmp_path / "models"))
    assert default_model_dir() == tmp_path / "models"
    monkeypatch.delenv("FINDME_MODEL_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_model_dir() == tmp_path / "findme"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_model_dir() == tmp_path / ".cache" / "findme"
