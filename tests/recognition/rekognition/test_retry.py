import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.indexes.rekognition.retry import (
    LONGEST_PAUSE_SECONDS,
    Fault,
    fault_of,
    pause_seconds,
)


def refusal(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "IndexFaces",
    )


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (refusal("ThrottlingException", 400), Fault.THROTTLED),
        (refusal("ProvisionedThroughputExceededException", 400), Fault.THROTTLED),
        (refusal("InternalServerError", 500), Fault.UNKNOWN),
        (refusal("InvalidParameterException", 400), Fault.REFUSED),
        (refusal("AccessDeniedException", 400), Fault.REFUSED),
        (EndpointConnectionError(endpoint_url="x"), Fault.NOT_SENT),
        (ConnectTimeoutError(endpoint_url="x"), Fault.NOT_SENT),
        (ReadTimeoutError(endpoint_url="x"), Fault.UNKNOWN),
        (ConnectionResetError(), Fault.UNKNOWN),
        (NoCredentialsError(), Fault.REFUSED),
    ],
)
def test_an_error_tells_whether_the_call_may_have_had_its_effect(
    error: Exception, fault: Fault
) -> None:
    assert fault_of(error) is fault


@given(st.integers(1, 50), st.floats(0, 1))
def test_pauses_are_jittered_and_bounded(attempt: int, jitter: float) -> None:
    assert 0 <= pause_seconds(attempt, jitter) <= LONGEST_PAUSE_SECONDS


def test_the_longest_possible_pause_doubles() -> None:
    assert [pause_seconds(attempt, 1) for attempt in (1, 2, 3)] == [0.2, 0.4, 0.8]
