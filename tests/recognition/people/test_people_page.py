from hypothesis import given
from hypothesis import strategies as st

from services.recognition.people.people import People, Person, SeenFace


def face(
    face_id: int,
    photo_id: int,
    *,
    width: float = 0.25,
    confidence: float = 0.9,
    quality: float = 0.5,
) -> SeenFace:
    return SeenFace(photo_id, 0.1, 0.2, width, 0.3, face_id, confidence, quality)


def only(people: People) -> Person:
    (person,) = people.page(min_photos=1, limit=10, after=None)
    return person


def test_people_in_more_photos_come_first_and_of_equals_the_one_seen_first() -> None:
    faces = [face(n, photo_id=n) for n in range(1, 7)]
    people = People(faces, groups=[7, 8, 8, 9, 9, 7])
    assert [person.id for person in people.page(min_photos=1, limit=9, after=None)] == [1, 2, 4]
    people = People(faces, groups=[7, 8, 8, 9, 9, 9])
    assert [person.id for person in people.page(min_photos=1, limit=9, after=None)] == [4, 2, 1]


def test_the_best_face_is_the_cover_whichever_comes_first() -> None:
    blurred, sharp, small = face(1, 1, quality=0.3), face(2, 2, quality=0.9), face(3, 3, width=0.1)
    for faces in ([blurred, sharp, small], [small, sharp, blurred]):
        assert only(People(faces, groups=[0, 0, 0])).cover == sharp


def test_a_photo_counts_once_with_its_best_face_and_the_newest_photo_is_first() -> None:
    faces = [face(1, 10), face(2, 11, quality=0.2), face(3, 11, quality=0.8)]
    person = only(People(faces, groups=[4, 4, 4]))
    assert (person.photo_count, person.face_count) == (2, 3)
    assert [seen.face_id for seen in person.faces] == [3, 1]


def test_a_person_is_found_by_each_of_their_faces() -> None:
    people = People([face(1, 1), face(2, 2), face(3, 3)], groups=[0, 0, 1])
    assert people.find(1) == people.find(2)
    assert people.find(3) not in (None, people.find(1))
    assert people.find(4) is None


def test_what_the_detector_was_never_sure_of_is_no_person() -> None:
    """A badge that many wear looks the same in all photos."""
    badges = [face(n, photo_id=n, confidence=0.6) for n in (1, 2, 3)]
    doubtful, sure = face(4, 4, confidence=0.6), face(5, 5, confidence=0.7)
    people = People([*badges, doubtful, sure], groups=[0, 0, 0, 1, 1])
    assert only(people).faces == (sure, doubtful)
    assert people.find(1) is None


def test_an_event_without_faces_has_no_people() -> None:
    assert People([], groups=[]).page(min_photos=1, limit=10, after=None) == []


@given(
    st.lists(st.integers(0, 6), max_size=30),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_pages_put_together_are_the_whole_list(
    groups: list[int], min_photos: int, limit: int
) -> None:
    people = People([face(n, photo_id=n) for n in range(len(groups))], groups)
    whole = people.page(min_photos=min_photos, limit=100, after=None)
    assert all(person.photo_count >= min_photos for person in whole)
    paged: list[Person] = []
    while page := people.page(
        min_photos=min_photos, limit=limit, after=paged[-1].position if paged else None
    ):
        assert len(page) <= limit
        paged += page
    assert paged == whole
