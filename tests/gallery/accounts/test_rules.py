import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gallery.accounts.names import (
    email_key,
    is_username,
    tidy_email,
    tidy_username,
    username_key,
)
from services.gallery.accounts.rules import (
    JUDGED_CHARACTERS,
    MAX_PASSWORD_CHARACTERS,
    NewAccount,
    account_problems,
    password_problems,
    strength_problems,
    tidy_password,
)

GOOD = NewAccount.of("anna", "anna@example.org", "Quiet-Lake-12")


def test_a_good_account_has_no_problems() -> None:
    assert account_problems(GOOD) == []
    assert strength_problems(GOOD.password, about=[GOOD.username, GOOD.email]) == []


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("Sh-1", "at least 8 characters"),
        ("secret-12", "an upper-case letter"),
        ("Secret-word", "a digit"),
        ("Secret1234", "a special character"),
        ("Se\u0301cret1234", "a special character"),
    ],
)
def test_each_thing_a_password_lacks_is_named(password: str, missing: str) -> None:
    assert password_problems(password) == [f"The password needs {missing}."]


def test_everything_a_password_lacks_is_one_sentence() -> None:
    assert password_problems("") == [
        "The password needs at least 8 characters, an upper-case letter, a digit, "
        "a special character."
    ]


@pytest.mark.parametrize(
    "password",
    [
        "Загадка-12",  # another script's upper case
        "ὈΔΥΣΣΕΎΣ 9 ὁ",
        "静かな湖のほとり-7",  # no case at all
        "שקט-באגם-42",
        "بحيرة-هادئة-٤٢",  # its own digits
        "Ruhig am See 12",  # a space is special
        "Ruhig🦆See12",
    ],
)
def test_other_scripts_have_passwords(password: str) -> None:
    assert password_problems(password) == []
    assert strength_problems(password) == []


def test_a_password_is_counted_in_the_form_that_is_hashed() -> None:
    # A ligature is two letters then, a full-width digit a digit.
    assert password_problems(tidy_password("Quiet-ﬁ1")) == []
    assert tidy_password("Ｑuiet-Lake-１２") == "Quiet-Lake-12"


def test_a_very_long_password_is_refused_before_it_is_hashed() -> None:
    assert len(password_problems("Aa-1" * 1000)) == 1
    assert len(tidy_password("ﷺ" * 10_000)) < 20 * (MAX_PASSWORD_CHARACTERS + 2)


@pytest.mark.parametrize(
    "password", ["Password1!", "Passw0rd!", "Qwerty1!", "Abcdefg1!", "Aaaaaaa1!", "Secret-12"]
)
def test_what_is_guessed_first_is_refused_although_it_keeps_the_rule(password: str) -> None:
    assert password_problems(password) == []
    (problem,) = strength_problems(password)
    assert problem.startswith("The password is too easy to guess.")
    assert ";" not in problem


def test_ones_own_name_and_address_are_guessed_first() -> None:
    password = "Esmeralda.Quasimodo1"
    about = ["esmeralda.quasimodo", "esmeralda.quasimodo@example.org"]
    assert strength_problems(password) == []
    assert strength_problems(password, about=about) != []


@pytest.mark.parametrize("password", ["P7767!abcd", "abcd!P7767", "P7767-Lake"])
def test_ones_own_name_with_a_little_around_it_is_no_password(password: str) -> None:
    about = ["p7767", "p7767@example.org"]
    assert strength_problems(password) == []
    (problem,) = strength_problems(password, about=about)
    assert "your name or address" in problem
    assert strength_problems("P7767-Quiet-Lake-12", about=about) == []


@settings(max_examples=10)  # each takes up to 0.2 s
@given(st.text(alphabet="aA1!4@8({[</3|", min_size=1, max_size=200), st.text(max_size=300))
def test_a_password_is_judged_by_its_beginning_alone(password: str, name: str) -> None:
    found = strength_problems(password, about=[name, f"{name}@example.org"])
    assert found == strength_problems(
        password[:JUDGED_CHARACTERS], about=[name, f"{name}@example.org"]
    )


@pytest.mark.parametrize(
    "email",
    [
        "",
        "anna",
        "anna@",
        "@example.org",
        "a b@example.org",
        "a@b",
        "a..b@example.org",
        "an\u200bna@example.org",
        "anna@exam\u200dple.org",
        "\u202eanna@example.org",
        f"{'a' * 260}@example.org",
    ],
)
def test_something_else_than_an_address_is_refused(email: str) -> None:
    account = NewAccount.of("anna", email, GOOD.password)
    assert account_problems(account) == ["A valid email address is required."]


@pytest.mark.parametrize("email", ["u@load.test", "u@mail.local", "ä.ö+x@münchen.de", "u@x.museum"])
def test_an_address_is_not_looked_up(email: str) -> None:
    assert account_problems(NewAccount.of("anna", email, GOOD.password)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.ORG", "anna@example.org"),
        ("x@xn--mnchen-3ya.de", "X@MÜNCHEN.de"),
        ("re\u0301ne@example.org", "réne@example.org"),
        (" anna@example.org ", "anna@example.org"),
    ],
)
def test_addresses_that_are_the_same_compare_so(one: str, other: str) -> None:
    assert email_key(one) == email_key(other)
    assert email_key(tidy_email(one)) == email_key(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Zoë", "Zoe\u0308"),
        ("Zoë", "ZOË"),
        ("anna", "ＡＮＮＡ"),
        ("Anna  Maria", "anna maria"),
        ("O’Neil", "o'neil"),
        ("ΝΙΚΟΣ", "νικος"),
        ("Straße", "STRASSE"),
        ("finn", "ﬁnn"),
        ("anna", "an\u200bna"),
    ],
)
def test_names_that_look_alike_compare_so(one: str, other: str) -> None:
    assert username_key(one) == username_key(other)


def test_names_that_look_different_compare_so() -> None:
    names = ["anna", "ana", "zoe", "zoë", "anna maria", "annamaria", "а", "a"]
    assert len({username_key(name) for name in names}) == len(names)


@given(st.text())
def test_a_key_is_its_own_key(name: str) -> None:
    key = username_key(name)
    assert username_key(key) == key
    assert username_key(tidy_username(name)) == key


@given(st.text())
def test_a_stored_name_is_its_own_stored_form(name: str) -> None:
    tidy = tidy_username(name)
    assert tidy_username(tidy) == tidy
    assert email_key(tidy_email(name)) == email_key(name)


@pytest.mark.parametrize("name", ["Zoë", "李小龍", "עברית", "Ünal İpek", "o'neil-smith_2", "C3PO"])
def test_names_of_all_scripts_are_names(name: str) -> None:
    assert is_username(tidy_username(name))


@pytest.mark.parametrize(
    "name",
    [
        "an\u200bna",  # not seen
        "\u202eanna",  # turns the text's direction
        "an\u00adna",
        "an\x07na",
        "anna\x7f",
        "раypal",  # Cyrillic and Latin
        "Αnna",  # Greek and Latin
        "😀",
        "\u0301",
    ],
)
def test_names_that_deceive_are_refused(name: str) -> None:
    account = NewAccount.of(name, GOOD.email, GOOD.password)
    (problem,) = account_problems(account)
    assert problem.startswith("The username may have")


def test_a_name_of_white_space_is_no_name() -> None:
    account = NewAccount.of("  ", GOOD.email, GOOD.password)
    assert account_problems(account) == ["A username is required."]


def test_nobody_may_be_named_like_another_persons_address() -> None:
    account = NewAccount.of("victim@example.org", GOOD.email, GOOD.password)
    assert len(account_problems(account)) == 1


def test_ones_own_address_may_be_the_username() -> None:
    account = NewAccount.of("Anna@example.org", GOOD.email, GOOD.password)
    assert account_problems(account) == []


def test_the_password_does_not_show_in_logs() -> None:
    assert GOOD.password not in repr(GOOD)
