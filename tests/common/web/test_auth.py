from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import NotAuthenticated
from libs.common.web.auth import CLOCK_LEEWAY_SECONDS, Principal, Role, Tokens

SECRET = "a secret that is used by the tests only"
HOUR = timedelta(hours=1)


@given(st.integers(1, 2**62), st.sampled_from(Role))
def test_a_token_says_who_its_bearer_is(user_id: int, role: Role) -> None:
    principal = Principal(user_id, role)
    tokens = Tokens(SECRET)
    assert tokens.verify(tokens.issue(principal, lifetime=HOUR)) == principal


def test_an_expired_token_is_refused() -> None:
    tokens = Tokens(SECRET)
    lifetime = timedelta(seconds=-CLOCK_LEEWAY_SECONDS - 1)
    expired = tokens.issue(Principal(1, Role.ADMIN), lifetime=lifetime)
    with pytest.raises(NotAuthenticated):
        tokens.verify(expired)


@pytest.mark.parametrize("ahead_seconds", [1, 59, 600, -600])
def test_a_token_is_taken_from_a_machine_whose_clock_is_another(ahead_seconds: int) -> None:
    now = datetime.now(UTC) + timedelta(seconds=ahead_seconds)
    claims = {"sub": "7", "role": "admin", "iat": now, "exp": now + HOUR}
    token = jwt.encode(claims, SECRET, algorithm="HS256")
    assert Tokens(SECRET).verify(token) == Principal(7, Role.ADMIN)


def test_a_session_does_not_end_early_where_the_clock_is_a_little_ahead() -> None:
    tokens = Tokens(SECRET)
    principal = Principal(1, Role.PARTICIPANT)
    just_over = tokens.issue(principal, lifetime=timedelta(seconds=-1))
    assert tokens.verify(just_over) == principal


def test_a_token_signed_with_another_secret_is_refused() -> None:
    foreign = Tokens(SECRET[::-1]).issue(Principal(1, Role.ADMIN), lifetime=HOUR)
    with pytest.raises(NotAuthenticated):
        Tokens(SECRET).verify(foreign)


@given(st.text(max_size=200))
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        Tokens(SECRET).verify(text)


@pytest.mark.parametrize("position", range(3))
def test_no_part_of_a_token_can_be_changed(position: int) -> None:
    token = Tokens(SECRET).issue(Principal(1, Role.PARTICIPANT), lifetime=HOUR)
    parts = token.split(".")
    parts[position] = ("A" if parts[position][0] != "A" else "B") + parts[position][1:]
    with pytest.raises(NotAuthenticated):
        Tokens(SECRET).verify(".".join(parts))
