from libs.common.signing_keys import SigningKeys
from libs.common.web.internal import (
    CONNECT_SECONDS,
    internal_client,
    internal_token,
    verify_internal_token,
)

SECRET = "a secret that is used by the tests only"
KEYS = SigningKeys(SECRET)


def test_the_token_of_the_same_secret_is_accepted() -> None:
    assert verify_internal_token(internal_token(KEYS), KEYS)


def test_other_tokens_are_refused() -> None:
    for token in ("", "é", internal_token(KEYS)[:-1], internal_token(SigningKeys(SECRET + "x"))):
        assert not verify_internal_token(token, KEYS)


def test_the_token_does_not_contain_the_secret() -> None:
    assert SECRET not in internal_token(KEYS)


def test_while_a_secret_is_rotated_both_are_taken() -> None:
    new = SigningKeys("the next secret of the services")
    both = SigningKeys("the next secret of the services", SECRET)
    for keys in (KEYS, new, both):
        assert verify_internal_token(internal_token(keys), both)
    assert not verify_internal_token(internal_token(KEYS), new)


def test_a_service_next_door_is_not_connected_to_for_as_long_as_it_may_answer() -> None:
    client = internal_client("http://recognition", keys=KEYS, timeout_seconds=60)
    assert (client.timeout.connect, client.timeout.read) == (CONNECT_SECONDS, 60)
