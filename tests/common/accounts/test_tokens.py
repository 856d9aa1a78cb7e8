import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.accounts.principal import Role
from libs.common.accounts.tokens import (
    CLOCK_LEEWAY_SECONDS,
    SessionOver,
    TokenClaims,
    Tokens,
    _digest,
)
from libs.common.signing_keys import Purpose, SigningKeys

SECRET = "a secret that is used by the tests only"
KEYS = SigningKeys(SECRET)
HOUR = timedelta(hours=1)
CLAIMS = TokenClaims(uuid.uuid4(), uuid.uuid4(), Role.PHOTOGRAPHER)


def issued(
    claims: TokenClaims = CLAIMS, *, keys: SigningKeys = KEYS, left: timedelta = HOUR
) -> str:
    return Tokens(keys).issue(claims, expires_at=datetime.now(UTC) + left)


@given(st.uuids(), st.uuids(), st.sampled_from(Role))
def test_a_token_claims_what_it_was_issued_for(
    subject: uuid.UUID, session: uuid.UUID, role: Role
) -> None:
    claims = TokenClaims(subject, session, role)
    assert Tokens(KEYS).verify(issued(claims)) == claims


def test_an_expired_token_is_refused() -> None:
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(issued(left=timedelta(seconds=-CLOCK_LEEWAY_SECONDS - 1)))


def test_a_session_does_not_end_early_where_the_clock_is_a_little_ahead() -> None:
    assert Tokens(KEYS).verify(issued(left=timedelta(seconds=-1))) == CLAIMS


@pytest.mark.parametrize("ahead_seconds", [1, 59, 600, -600])
def test_a_token_is_taken_from_a_machine_whose_clock_is_another(ahead_seconds: int) -> None:
    now = datetime.now(UTC) + timedelta(seconds=ahead_seconds)
    token = by_hand({"iat": now, "exp": now + HOUR})
    assert Tokens(KEYS).verify(token) == CLAIMS


def by_hand(
    claims: Mapping[str, object] | None = None,
    *,
    key: bytes | None = None,
    is_signed: bool = True,
) -> str:
    ours = KEYS.current(Purpose.ACCESS_TOKEN)
    whole = {
        "sub": str(CLAIMS.subject),
        "sid": str(CLAIMS.session_id),
        "role": CLAIMS.role.value,
        "exp": datetime.now(UTC) + HOUR,
    } | dict(claims or {})
    return jwt.encode(
        {name: value for name, value in whole.items() if value is not None},
        (key or ours.key) if is_signed else "",
        algorithm="HS256" if is_signed else "none",
        headers={"kid": ours.id},
    )


def test_a_token_made_by_hand_as_ours_is_taken() -> None:
    """Else the refusals below would say nothing."""
    assert Tokens(KEYS).verify(by_hand()) == CLAIMS


@pytest.mark.parametrize("claim", ["sub", "sid", "role", "exp"])
def test_a_token_without_one_of_its_claims_is_refused(claim: str) -> None:
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(by_hand({claim: None}))


@pytest.mark.parametrize(
    ("claim", "value"),
    [("sub", "7"), ("sub", "no uuid"), ("sid", ["a", "list"]), ("sid", ""), ("role", "owner")],
)
def test_a_token_with_odd_claims_is_refused(claim: str, value: object) -> None:
    """The tokens of earlier releases named a numeric id: their owners log in again."""
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(by_hand({claim: value}))


def test_a_token_of_an_earlier_release_is_refused() -> None:
    old = {"sub": "7", "role": "admin", "exp": datetime.now(UTC) + HOUR}
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(jwt.encode(old, SECRET, algorithm="HS256"))


@pytest.mark.parametrize("kid", ["", "no such key", 7, ["a"], {"a": 1}])
def test_a_token_of_an_unknown_key_is_refused(kid: object) -> None:
    ours = KEYS.current(Purpose.ACCESS_TOKEN)
    token = jwt.api_jws.PyJWS().encode(
        b"{}", ours.key, algorithm="HS256", headers={"kid": str(kid)}
    )
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(token)


def test_an_unsigned_token_is_refused() -> None:
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(by_hand(is_signed=False))


@pytest.mark.parametrize("purpose", [one for one in Purpose if one is not Purpose.ACCESS_TOKEN])
def test_the_keys_of_other_purposes_sign_no_tokens(purpose: Purpose) -> None:
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(by_hand(key=KEYS.current(purpose).key))


def test_the_secret_itself_signs_no_tokens() -> None:
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(by_hand(key=SECRET.encode()))


def test_a_token_signed_with_another_secret_is_refused() -> None:
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(issued(keys=SigningKeys(SECRET[::-1])))


def test_a_rotated_secrets_tokens_stay_valid_and_new_ones_are_the_new_secrets() -> None:
    new, both = SigningKeys("the next secret"), SigningKeys("the next secret", SECRET)
    assert Tokens(both).verify(issued()) == CLAIMS
    assert Tokens(new).verify(issued(keys=both)) == CLAIMS
    with pytest.raises(SessionOver):
        Tokens(new).verify(issued())


def test_before_a_rotation_the_next_secrets_tokens_are_taken_already() -> None:
    """Services are not all restarted at one moment."""
    assert (
        Tokens(SigningKeys(SECRET, "the next secret")).verify(
            issued(keys=SigningKeys("the next secret", SECRET))
        )
        == CLAIMS
    )


@given(st.text(max_size=200))
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(text)


@pytest.mark.parametrize("position", range(3))
def test_no_part_of_a_token_can_be_changed(position: int) -> None:
    parts = issued().split(".")
    parts[position] = ("A" if parts[position][0] != "A" else "B") + parts[position][1:]
    with pytest.raises(SessionOver):
        Tokens(KEYS).verify(".".join(parts))


def test_a_token_that_is_known_ends_at_its_time() -> None:
    now = datetime.now(UTC).timestamp()
    later: list[float] = [0]
    tokens, token = Tokens(KEYS, clock=lambda: now + later[0]), issued(left=HOUR)
    for later[0] in (0, HOUR.total_seconds() + CLOCK_LEEWAY_SECONDS - 2):
        assert tokens.verify(token) == CLAIMS
        assert _digest(token) in tokens._verified
    later[0] = HOUR.total_seconds() + CLOCK_LEEWAY_SECONDS + 1
    with pytest.raises(SessionOver):
        tokens.verify(token)
    assert _digest(token) not in tokens._verified


def test_a_token_that_is_like_a_known_one_is_not_known() -> None:
    tokens, token = Tokens(KEYS), issued()
    assert tokens.verify(token) == CLAIMS
    for other in (token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), token + " ", "\ud800"):
        with pytest.raises(SessionOver):
            tokens.verify(other)


def test_only_so_many_tokens_are_kept_and_the_one_shown_least_lately_goes() -> None:
    tokens = Tokens(KEYS, kept_at_most=2)
    known = [issued(TokenClaims(uuid.uuid4(), uuid.uuid4(), Role.PARTICIPANT)) for _ in range(3)]
    for token in (known[0], known[1], known[0], known[2]):
        tokens.verify(token)
    assert [_digest(token) in tokens._verified for token in known] == [True, False, True]
    with pytest.raises(SessionOver):
        tokens.verify("nonsense")
    assert _digest("nonsense") not in tokens._verified
