"""The two forms of a scenario: in every test run, and at length by `make test-faults`."""

import pytest

LONG_TIMEOUT_SECONDS = 900


def short_and_long(name: str, short: object, long: object) -> pytest.MarkDecorator:
    """Parametrize an argument of the test with either form."""
    marks = [pytest.mark.long, pytest.mark.timeout(LONG_TIMEOUT_SECONDS)]
    return pytest.mark.parametrize(
        name, [pytest.param(short, id="short"), pytest.param(long, id="long", marks=marks)]
    )
