from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from services.recognition.indexes.rekognition.planner import Plan, Sides, plan_searches

moments = st.integers(0, 3)


def named(kind: str, count: int) -> list[str]:
    return [f"{kind} {number}" for number in range(count)]


def dated(kind: str, dates: list[int]) -> dict[str, int]:
    return {f"{kind} {number}": date for number, date in enumerate(dates)}


def sides_of(most: int) -> st.SearchStrategy[Sides]:
    few = st.integers(0, most)
    dates = st.lists(moments, max_size=most)
    return st.builds(
        Sides,
        few.map(lambda count: named("new selfie", count)),
        dates.map(lambda met: dated("old selfie", met)),
        dates.map(lambda seen: dated("new face", [date + 1 for date in seen])),
        few.map(lambda count: named("old face", count)),
    )


def counted(*, new_selfies: int, old_selfies: int, new_faces: int, old_faces: int) -> Sides:
    """None of the old selfies has met any of the new faces."""
    return Sides(
        named("new selfie", new_selfies),
        dated("old selfie", [0] * old_selfies),
        dated("new face", [1] * new_faces),
        named("old face", old_faces),
    )


def pairs_to_compare(sides: Sides) -> set[tuple[str, str]]:
    """All (selfie, face) that have not met."""
    pairs = set(product(sides.new_selfies, (*sides.new_faces, *sides.old_faces)))
    for (selfie, met), (face, seen) in product(sides.old_selfies.items(), sides.new_faces.items()):
        if seen > met:
            pairs.add((selfie, face))
    return pairs


def covers(plan: Plan, pairs: set[tuple[str, str]]) -> bool:
    return all(selfie in plan.selfies or face in plan.faces for selfie, face in pairs)


def sources(plan: Plan, start: str) -> int:
    return sum(name.startswith(start) for name in (*plan.selfies, *plan.faces))


@given(sides_of(5))
def test_a_plan_meets_every_pair_that_has_not_met(sides: Sides) -> None:
    assert covers(plan_searches(sides), pairs_to_compare(sides))


@given(sides_of(3))
def test_no_other_choice_of_searches_is_cheaper(sides: Sides) -> None:
    pairs = pairs_to_compare(sides)
    everything = sorted({name for pair in pairs for name in pair})
    # Brute force: the smallest set of searches that meets all pairs.
    cheapest = min(
        sum(choice)
        for choice in product((False, True), repeat=len(everything))
        for chosen in [{name for name, taken in zip(everything, choice, strict=True) if taken}]
        if all(selfie in chosen or face in chosen for selfie, face in pairs)
    )
    assert plan_searches(sides).calls == cheapest


def test_a_batch_of_many_faces_is_searched_from_the_selfies() -> None:
    plan = plan_searches(counted(new_selfies=0, old_selfies=50, new_faces=320, old_faces=40))
    assert (sources(plan, "old selfie"), plan.calls) == (50, 50)


def test_a_few_faces_are_searched_from_themselves() -> None:
    plan = plan_searches(counted(new_selfies=0, old_selfies=50, new_faces=8, old_faces=4000))
    assert (sources(plan, "new face"), plan.calls) == (8, 8)


def test_a_late_selfie_costs_one_search() -> None:
    plan = plan_searches(counted(new_selfies=1, old_selfies=50, new_faces=0, old_faces=52))
    assert (sources(plan, "new selfie"), plan.calls) == (1, 1)


def test_who_has_met_the_waiting_photos_is_not_searched_for_again() -> None:
    met = dated("old selfie", [2] * 30 + [0] * 3)
    faces = dated("new face", [1] * 20 + [2] * 20)
    assert plan_searches(Sides((), met, faces, ())).calls == 3


def test_the_youngest_faces_may_be_searched_from_themselves_and_the_others_from_selfies() -> None:
    met = dated("old selfie", [1] * 30 + [0] * 3)
    faces = dated("new face", [1] * 20 + [2] * 4)
    plan = plan_searches(Sides((), met, faces, ()))
    assert (sources(plan, "old selfie"), sources(plan, "new face")) == (3, 4)


def test_nothing_is_searched_where_one_side_is_empty() -> None:
    for sides in (
        counted(new_selfies=0, old_selfies=0, new_faces=400, old_faces=1),
        counted(new_selfies=50, old_selfies=3, new_faces=0, old_faces=0),
    ):
        assert plan_searches(sides).calls == 0
