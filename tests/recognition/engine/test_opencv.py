import re
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.recognition.engine.detect.found_face import LocatedFace
from services.recognition.engine.detect.selfie_check import check_selfie
from services.recognition.engine.embed.sface import SFaceChipCutter, SFaceEmbedder, open_sface
from services.recognition.engine.engines import OpenCvEngine, make_engine
from services.recognition.engine.face_engine import (
    CALIBRATED_SIMILARITY,
    MIN_QUALITY,
    OPENCV,
    PROFILES,
    Purpose,
)
from services.recognition.engine.models import files
from services.recognition.engine.models.files import ModelUnusable
from services.recognition.engine.photo_engine import fit_similarity
from tests.support.faces import astronaut, labelled_faces, yunet_model


def stand_in(path: Path, *, size: int = 128) -> Path:
    """A model with SFace's interface: the chip's 64 brightest patches, projected at random."""
    random = np.random.default_rng(1)
    weights = {
        "mean": np.array(127.5, np.float32),
        "matrix": random.normal(size=(3 * 14 * 14, size)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Sub", ["data", "mean"], ["centred"]),
        helper.make_node(
            "AveragePool", ["centred"], ["patches"], kernel_shape=[8, 8], strides=[8, 8]
        ),
        helper.make_node("Flatten", ["patches"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["fc1"]),
    ]
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, size])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def embedder_of(model: Path) -> SFaceEmbedder:
    """Of the newest file in the model's folder."""
    embedder = open_sface(model.parent)
    assert embedder is not None
    return embedder


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    stand_in(folder / "face_recognition_sface_test.onnx")
    return folder


def test_a_photo_goes_through_detector_alignment_and_network(
    model_dir: Path, tmp_path: Path
) -> None:
    engine = make_engine("opencv", model_dir=model_dir, detector_model=None, pixel_limit=10**8)
    analyses = []
    for number, portrait in enumerate((astronaut(), astronaut().resize((900, 900)))):
        path = tmp_path / f"{number}.png"
        portrait.save(path)
        analyses.append(engine.analyze(path))
    for analysis in analyses:
        (face,) = analysis.faces
        assert face.embedding.shape == (OPENCV.embedding_size,)
        assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
        assert face.quality > 0.5
        assert face.left + face.width / 2 == pytest.approx(225 / 512, abs=0.03)
    (one,), (other,) = (analysis.faces for analysis in analyses)
    distance = float(np.linalg.norm(one.embedding - other.embedding))
    assert OPENCV.calibration.similarity(distance) > 85


def test_with_the_packaged_weights_labelled_guests_are_all_found_and_nobody_is_mistaken(
    tmp_path: Path,
) -> None:
    labelled = labelled_faces()
    engine = OpenCvEngine(model_dir=tmp_path)
    guests = {}
    for name, path in labelled.selfies.items():
        analysis = engine.analyze(path, Purpose.SELFIE)
        own = check_selfie(analysis.width, analysis.height, analysis.faces).face
        assert own is not None
        guests[name] = analysis.faces[own].embedding
    near = OPENCV.calibration.distance_of(CALIBRATED_SIMILARITY)
    for path, people in labelled.photos.items():
        found = {
            name
            for face in engine.analyze(path).faces
            for name, own in guests.items()
            if face.quality >= MIN_QUALITY and np.linalg.norm(face.embedding - own) <= near
        }
        assert found == people, path.name


def test_chips_are_those_of_opencv_s_own_recogniser(model_dir: Path) -> None:
    recogniser = cv2.FaceRecognizerSF.create(
        str(model_dir / "face_recognition_sface_test.onnx"), ""
    )
    marks = np.array([[187.0, 97], [248, 104], [222, 130], [201, 142], [245, 146]])
    face = LocatedFace(160, 60, 110, 120, 0.9, marks)
    picture = np.asarray(astronaut())
    row = np.array([[160, 60, 110, 120, *marks.ravel(), 0.9]], np.float32)
    expected = recogniser.alignCrop(picture, row).astype(int)
    chip = SFaceChipCutter().cut(picture, face).pixels.astype(int)
    assert chip.shape == (112, 112, 3)
    assert np.abs(chip - expected).mean() < 1.0


def test_embeddings_are_those_of_opencv_s_own_recogniser(model_dir: Path) -> None:
    model = model_dir / "face_recognition_sface_test.onnx"
    chip = np.random.default_rng(3).integers(0, 256, (112, 112, 3), np.uint8)
    (embedding,) = embedder_of(model).embed(chip[np.newaxis])
    # OpenCV's recogniser takes blue first.
    feature = cv2.FaceRecognizerSF.create(str(model), "").feature(chip[..., ::-1].copy())[0]
    np.testing.assert_allclose(embedding, feature / np.linalg.norm(feature), atol=1e-4)


def test_no_faces_have_no_embeddings(model_dir: Path) -> None:
    embedder = embedder_of(model_dir / "face_recognition_sface_test.onnx")
    assert embedder.embed(np.empty((0, 112, 112, 3), np.uint8)).shape == (0, 128)


def test_a_missing_model_is_named_together_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yunet = yunet_model()
    monkeypatch.setattr(files, "CARRIER", "a_package_that_is_not_there")
    with pytest.raises(ModelUnusable, match=r"yunet.*findme models pull"):
        OpenCvEngine(model_dir=tmp_path)
    (tmp_path / "face_detection_yunet_test.onnx").write_bytes(yunet)
    with pytest.raises(ModelUnusable, match=r"sface.*findme models pull"):
        OpenCvEngine(model_dir=tmp_path)


def test_a_model_with_other_embeddings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"shape \(512,\)"):
        embedder_of(stand_in(tmp_path / "face_recognition_sface_2020.onnx", size=512))
    damaged = tmp_path / "face_recognition_sface_2021.onnx"
    damaged.write_bytes(b"no model")
    with pytest.raises(ModelUnusable, match="not a usable SFace model"):
        embedder_of(damaged)


def test_a_turn_a_scale_and_a_shift_are_found_again() -> None:
    points = np.array([[0.0, 0.0], [4.0, 1.0], [2.0, 5.0]])
    turn, shift = 1.5 * np.exp(0.7j), 3 - 2j
    moved = turn * (points[:, 0] + 1j * points[:, 1]) + shift
    fitted = fit_similarity(points, np.stack([moved.real, moved.imag], axis=1))
    assert fitted == pytest.approx((turn, shift))


def test_every_engine_means_the_same_by_its_best_and_worst_similarity() -> None:
    for profile in PROFILES.values():
        assert profile.calibration.similarity(0.0) == 100.0
        assert profile.calibration.similarity(2.0) == 0.0


def test_what_is_stored_names_the_numbers_and_their_version_not_the_setting() -> None:
    names = [profile.name for profile in PROFILES.values()]
    assert len({*names}) == len(names)
    assert not {*names} & {*PROFILES}
    assert all(re.search(r"-\d+$", name) for name in names)
