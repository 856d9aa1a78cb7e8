from benchmarks.partition_handover import Handling, evaluate


def handling(message: str, owner: str, started: float, ended: float) -> Handling:
    return Handling("findme.match.00", message, owner, started, ended)


def test_a_clean_handover_is_as_long_as_the_gap_between_the_owners() -> None:
    result = evaluate(
        [handling("1", "a", 0, 1), handling("2", "a", 5, 6), handling("3", "b", 8, 9)]
    )
    assert (result.count, result.messages) == (1, 3)
    assert (result.duplicates, result.overlaps) == (0, 0)
    assert result.longest_seconds == 2


def test_a_message_handled_by_both_owners_is_a_duplicate() -> None:
    assert evaluate([handling("1", "a", 0, 1), handling("1", "b", 2, 3)]).duplicates == 1


def test_two_owners_at_the_same_time_are_an_overlap() -> None:
    assert evaluate([handling("1", "a", 0, 3), handling("2", "b", 2, 4)]).overlaps == 1


def test_partitions_are_judged_apart() -> None:
    other = Handling("findme.match.01", "2", "b", 0.5, 2)
    result = evaluate([handling("1", "a", 0, 1), other])
    assert (result.count, result.overlaps) == (0, 0)
