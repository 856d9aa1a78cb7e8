import random
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps

from demo import scenes
from demo.scenes.plan import LARGEST_HEAD, MOST_FACES, SMALLEST_HEAD
from demo.scenes.scene import HEAD_ASPECT

SMALL = (800, 600)

plans = st.builds(
    scenes.event,
    seed=st.integers(0, 2**32),
    photos=st.integers(0, 40),
    guests=st.integers(0, len(scenes.GUESTS)),
    mean_faces=st.floats(0, 6),
)


@given(plans)
def test_the_truth_names_exactly_the_photos_that_show_a_guest(plan: scenes.EventPlan) -> None:
    assert set(plan.truth) == set(plan.guests)
    for photo in plan.photos:
        shown = {placement.person for placement in photo.scene.people}
        named = {guest for guest, files in plan.truth.items() if photo.filename in files}
        assert named == shown & set(plan.guests)


@given(plans)
def test_a_photo_shows_up_to_six_people_each_once(plan: scenes.EventPlan) -> None:
    for photo in plan.photos:
        assert len(photo.scene.names) == len(photo.scene.people) <= MOST_FACES
        assert photo.scene.names <= set(scenes.PEOPLE)
    assert len({photo.filename for photo in plan.photos}) == len(plan.photos)


@given(plans)
def test_every_guest_is_in_a_photo_and_some_photos_show_no_guest(plan: scenes.EventPlan) -> None:
    if plan.photos:
        enough_room = len(plan.photos) >= 5 or len(plan.photos) * MOST_FACES > len(plan.guests)
        assert not enough_room or all(plan.truth.values())
    if len(plan.photos) >= 5:
        crowds = [photo.scene.names for photo in plan.photos]
        assert frozenset() in crowds
        assert any(crowd and not crowd & set(plan.guests) for crowd in crowds)


@given(plans)
def test_heads_are_inside_the_photo_and_beside_each_other(plan: scenes.EventPlan) -> None:
    for photo in plan.photos:
        width, height = photo.scene.size
        heads = []
        for placement in photo.scene.people:
            tall = placement.head_height * min(width, height)
            assert SMALLEST_HEAD <= placement.head_height <= LARGEST_HEAD
            half = tall * HEAD_ASPECT / 2
            heads.append((placement.x * width - half, placement.x * width + half))
            assert tall / 2 <= placement.y * height <= height - tall / 2
        heads.sort()
        assert all(left >= -1 and right <= width + 1 for left, right in heads)
        assert all(one[1] <= other[0] for one, other in pairwise(heads))


def test_a_hundred_photos_have_the_wanted_number_of_faces_and_share_them_out() -> None:
    plan = scenes.event(seed=5)
    faces = [len(photo.scene.people) for photo in plan.photos]
    assert 2.0 <= sum(faces) / len(faces) <= 3.0
    assert {0, 1, 2, 3, 4} <= set(faces)
    assert all(20 <= len(files) <= 70 for files in plan.truth.values())


def test_the_same_seed_plans_the_same_event_and_another_seed_another() -> None:
    assert scenes.event(seed=1) == scenes.event(seed=1)
    assert scenes.event(seed=1).fingerprint == scenes.event(seed=1).fingerprint
    assert scenes.event(seed=1).fingerprint != scenes.event(seed=2).fingerprint


@pytest.mark.parametrize("guests", [-1, len(scenes.GUESTS) + 1])
def test_an_event_with_guests_nobody_can_draw_is_refused(guests: int) -> None:
    with pytest.raises(ValueError, match="guests"):
        scenes.event(seed=1, guests=guests)


def test_more_faces_than_fit_a_photo_are_refused() -> None:
    with pytest.raises(ValueError, match="faces"):
        scenes.event(seed=1, mean_faces=7)


def test_the_same_scene_gives_the_same_pixels_and_bytes() -> None:
    spec = next(p.scene for p in scenes.event(3, photos=9, size=SMALL).photos if p.scene.people)
    first, second = scenes.compose(spec), scenes.compose(spec)
    assert np.array_equal(first, second)
    assert scenes.jpeg_bytes(first) == scenes.jpeg_bytes(second)
    assert not np.array_equal(first, scenes.compose(replace(spec, seed=spec.seed + 1)))
    assert scenes.selfie("amelie", 4) == scenes.selfie("amelie", 4)
    assert scenes.selfie("amelie", 4) != scenes.selfie("amelie", 5)


@pytest.mark.parametrize("faces", range(MOST_FACES + 1))
def test_a_scene_has_its_size_with_any_number_of_faces(faces: int) -> None:
    people = scenes.arrange(list(scenes.PEOPLE)[:faces], SMALL, random.Random(faces))
    spec = scenes.SceneSpec(faces, scenes.Backdrop.GARDEN, people, size=SMALL)
    empty = scenes.compose(replace(spec, people=()))
    pixels = scenes.compose(spec)
    assert pixels.shape == (600, 800, 3)
    assert pixels.dtype == np.uint8
    for placement in people:
        x, y = round(placement.x * 800), round(placement.y * 600)
        before, after = (
            each[y - 10 : y + 10, x - 10 : x + 10].astype(float) for each in (empty, pixels)
        )
        assert np.abs(before - after).mean() > 15


def test_a_full_scene_is_twelve_megapixels_and_as_large_as_a_phones_jpeg() -> None:
    people = scenes.arrange(list(scenes.PEOPLE)[:3], scenes.FULL_SIZE, random.Random(8))
    data = scenes.jpeg_bytes(scenes.compose(scenes.SceneSpec(8, scenes.Backdrop.HALL, people)))
    with Image.open(BytesIO(data)) as image:
        assert image.size == (4000, 3000)
    assert 2_500_000 <= len(data) <= 5_000_000


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_file_of_any_orientation_is_seen_upright(orientation: int) -> None:
    pixels = scenes.portrait("bruno", 160)[:120]
    buffer = BytesIO()
    taken_at = datetime(2026, 6, 20, 18, 30, 5)  # noqa: DTZ001 - EXIF knows no zone
    scenes.write_jpeg(pixels, buffer, orientation=orientation, taken_at=taken_at)
    with Image.open(buffer) as image:
        exif = image.getexif()
        assert exif[ExifTags.Base.Orientation] == orientation
        taken = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal]
        assert taken == "2026:06:20 18:30:05"
        assert image.size == ((160, 120) if orientation < 5 else (120, 160))
        seen = np.asarray(ImageOps.exif_transpose(image)).astype(float)
    assert np.abs(seen - pixels).mean() < 5


def test_a_selfie_is_one_upright_portrait() -> None:
    with Image.open(BytesIO(scenes.selfie("carla", 1))) as image:
        assert image.size == scenes.SELFIE_SIZE


def test_an_event_is_drawn_once_and_found_again(tmp_path: Path) -> None:
    plan = scenes.event(seed=2, photos=4, size=SMALL)
    calls: list[tuple[int, int]] = []
    paths = scenes.write_event(
        plan, tmp_path, workers=2, progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(done, 4) for done in range(5)]
    assert [path.name for path in paths] == [photo.filename for photo in plan.photos]
    assert sorted(each for each in tmp_path.rglob("*") if each.is_file()) == sorted(paths)
    for path, photo in zip(paths, plan.photos, strict=True):
        with Image.open(path) as image:
            assert ImageOps.exif_transpose(image).size == photo.scene.size

    first_bytes = paths[0].read_bytes()
    paths[0].unlink()
    kept = paths[1].stat().st_mtime_ns
    again = scenes.write_event(plan, tmp_path, workers=1)
    assert again == paths
    assert paths[0].read_bytes() == first_bytes
    assert paths[1].stat().st_mtime_ns == kept
