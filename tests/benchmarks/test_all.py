from benchmarks.__main__ import benchmark_names


def test_every_benchmark_is_run_and_no_helper_of_theirs() -> None:
    names = benchmark_names()
    assert {"bus", "pipeline", "scaling"} <= set(names)
    assert not {"report", "results", "replicas", "private_services"} & set(names)
