import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media.responses.byte_range import Answer, Conditions, choose

ETAG = '"abc"'
SIZE = 1000
WHOLE = Answer(200, 0, SIZE)


def _choose(size_bytes: int = SIZE, **headers: str) -> Answer:
    return choose(Conditions(**headers), size_bytes=size_bytes, etag=ETAG)


def test_without_conditions_the_whole_is_sent() -> None:
    assert _choose() == WHOLE


@pytest.mark.parametrize(
    "header", ['"abc"', 'W/"abc"', '"x", "abc"', '"x",W/"abc" , "y"', "*", " * "]
)
def test_a_known_tag_is_answered_by_304(header: str) -> None:
    assert _choose(if_none_match=header).status == 304
    assert _choose(if_none_match=header, range="bytes=0-1").status == 304


@pytest.mark.parametrize("header", ["", '"x"', "abc", '"ABC"', '"abc', '"xabc"'])
def test_another_tag_gets_the_bytes(header: str) -> None:
    assert _choose(if_none_match=header) == WHOLE


@pytest.mark.parametrize("header", ['"abc"', '"x", "abc"', 'W/"x" ,"abc"', "*", " * "])
def test_the_object_that_a_client_has_is_gone_on_with(header: str) -> None:
    assert _choose(if_match=header) == WHOLE
    assert _choose(if_match=header, range="bytes=5-") == Answer(206, 5, SIZE)
    assert _choose(if_match=header, if_none_match='"abc"').status == 304


@pytest.mark.parametrize(
    "header", ["", '"x"', "abc", 'W/"abc"', '"x", W/"abc"', 'W/"x"abc"', '"ABC"']
)
def test_another_object_than_the_client_has_is_not_gone_on_with(header: str) -> None:
    refused = Answer(412, 0, 0)
    assert _choose(if_match=header) == refused
    assert _choose(if_match=header, range="bytes=5-") == refused
    assert _choose(if_match=header, if_none_match='"abc"') == refused


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-999", 0, 1000),
        ("bytes=0-1000", 0, 1000),
        ("bytes=500-", 500, 1000),
        ("bytes=-1", 999, 1000),
        ("bytes=-1000", 0, 1000),
        ("bytes=-5000", 0, 1000),
        ("Bytes= 1-2 ", 1, 3),
        ("bytes=0-999999999999999999", 0, 1000),
    ],
)
def test_a_satisfiable_range_is_sent_alone(header: str, start: int, end: int) -> None:
    assert _choose(range=header) == Answer(206, start, end)


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0"])
def test_a_range_outside_is_not_satisfiable(header: str) -> None:
    assert _choose(range=header) == Answer(416, 0, 0)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-5", "bytes=-5"])
def test_an_empty_object_has_no_ranges(header: str) -> None:
    assert _choose(size_bytes=0, range=header).status == 416


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=0-1,5-6",
        "bytes=--1",
        "bytes=0x1-2",
        "bytes=٣-",
        "lines=0-1",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_what_is_no_single_valid_range_is_ignored(header: str) -> None:
    assert _choose(range=header) == WHOLE


def test_if_range_lets_the_range_count_only_for_the_same_object() -> None:
    assert _choose(range="bytes=0-1", if_range=ETAG) == Answer(206, 0, 2)
    assert _choose(range="bytes=0-1", if_range='"other"') == WHOLE
    assert _choose(range="bytes=0-1", if_range=f"W/{ETAG}") == WHOLE
    assert _choose(range="bytes=0-1", if_range="Tue, 15 Nov 1994 12:45:26 GMT") == WHOLE


@given(
    size=st.integers(0, 10**12),
    first=st.none() | st.integers(0, 10**13),
    last=st.none() | st.integers(0, 10**13),
)
def test_whatever_is_asked_the_answer_lies_within_the_object(
    size: int, first: int | None, last: int | None
) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"

    answer = _choose(size_bytes=size, range=header)

    assert 0 <= answer.start <= answer.end <= size
    assert (answer.status == 206) <= (answer.length > 0)
    assert answer.status in {200, 206, 416}


@given(st.text(max_size=50))
def test_no_header_breaks_the_choice(header: str) -> None:
    _choose(if_match=header, if_none_match=header, range=header, if_range=header)
