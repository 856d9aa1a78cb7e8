from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from services.recognition.rekognition.planner import From, Sides, plan_searches

few = st.integers(min_value=0, max_value=4)
many = st.integers(min_value=0, max_value=1_000_000)
sides = st.builds(Sides, few, few, few, few)


def pairs_to_compare(given: Sides) -> set[tuple[str, str]]:
    """All (selfie, face) of which one is new."""
    selfies = names("s", given.new_selfies, given.old_selfies)
    faces = names("f", given.new_faces, given.old_faces)
    return {pair for pair in product(selfies, faces) if "new" in pair[0] or "new" in pair[1]}


def names(side: str, new: int, old: int) -> list[str]:
    return [f"{side} new {i}" for i in range(new)] + [f"{side} old {i}" for i in range(old)]


def searched(given: Sides, selfies: From, faces: From) -> set[str]:
    chosen: set[str] = set()
    for side, choice, new, old in (
        ("s", selfies, given.new_selfies, given.old_selfies),
        ("f", faces, given.new_faces, given.old_faces),
    ):
        if choice is not From.NONE:
            chosen.update(names(side, new, old if choice is From.ALL else 0))
    return chosen


@given(sides)
def test_a_plan_meets_every_pair_of_which_one_is_new(given: Sides) -> None:
    plan = plan_searches(given)
    chosen = searched(given, plan.selfies, plan.faces)
    assert all(selfie in chosen or face in chosen for selfie, face in pairs_to_compare(given))
    assert plan.calls == len(chosen)


@given(st.builds(Sides, *[st.integers(0, 3)] * 4))
def test_no_other_choice_of_searches_is_cheaper(given: Sides) -> None:
    pairs = pairs_to_compare(given)
    everything = sorted(searched(given, From.ALL, From.ALL))
    # Brute force: the smallest set of searches that meets all pairs.
    cheapest = min(
        len(chosen)
        for choice in product((False, True), repeat=len(everything))
        for chosen in [{name for name, taken in zip(everything, choice, strict=True) if taken}]
        if all(selfie in chosen or face in chosen for selfie, face in pairs)
    )
    assert plan_searches(given).calls == cheapest


@given(st.builds(Sides, many, many, many, many))
def test_a_plan_never_costs_more_than_searching_from_either_side(given: Sides) -> None:
    calls = plan_searches(given).calls
    assert calls <= given.new_selfies + given.old_selfies
    assert calls <= given.new_faces + given.old_faces


def test_a_batch_of_many_faces_is_searched_from_the_selfies() -> None:
    plan = plan_searches(Sides(new_selfies=0, old_selfies=50, new_faces=320, old_faces=40))
    assert (plan.selfies, plan.faces, plan.calls) == (From.ALL, From.NONE, 50)


def test_a_few_faces_are_searched_from_themselves() -> None:
    plan = plan_searches(Sides(new_selfies=0, old_selfies=50, new_faces=8, old_faces=4000))
    assert (plan.selfies, plan.faces, plan.calls) == (From.NEW, From.NEW, 8)


def test_a_late_selfie_costs_one_search() -> None:
    plan = plan_searches(Sides(new_selfies=1, old_selfies=50, new_faces=0, old_faces=52))
    assert (plan.selfies, plan.calls) == (From.NEW, 1)


def test_nothing_is_searched_where_one_side_is_empty() -> None:
    assert plan_searches(Sides(0, 0, new_faces=400, old_faces=1)).calls == 0
    assert plan_searches(Sides(new_selfies=50, old_selfies=3, new_faces=0, old_faces=0)).calls == 0
