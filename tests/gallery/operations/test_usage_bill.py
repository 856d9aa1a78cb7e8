from services.gallery.operations.rules import PaidCalls, bill


def test_calls_and_cost_are_summed_per_operation_and_per_event() -> None:
    rows = [
        PaidCalls(1, "IndexFaces", 10),
        PaidCalls(1, "CreateCollection", 1),
        PaidCalls(2, "IndexFaces", 5),
        PaidCalls(2, "SearchFaces", 20),
    ]
    told = bill(rows, price_per_call=0.001)
    assert (told["calls"], told["cost"]) == (36, 0.035)
    assert told["operations"] == {
        "IndexFaces": {"calls": 15, "cost": 0.015},
        "CreateCollection": {"calls": 1, "cost": 0},
        "SearchFaces": {"calls": 20, "cost": 0.02},
    }
    assert told["events"] == [
        {
            "event_id": 1,
            "calls": 11,
            "cost": 0.01,
            "operations": {"IndexFaces": 10, "CreateCollection": 1},
        },
        {
            "event_id": 2,
            "calls": 25,
            "cost": 0.025,
            "operations": {"IndexFaces": 5, "SearchFaces": 20},
        },
    ]


def test_nothing_costs_nothing() -> None:
    told = bill([], price_per_call=0.001)
    assert (told["calls"], told["cost"], told["operations"]) == (0, 0, {})
