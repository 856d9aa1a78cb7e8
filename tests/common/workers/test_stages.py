from libs.common.workers.stages import stage, take_stages


def test_stages_are_measured_in_their_own_time() -> None:
    take_stages()
    with stage("outer"), stage("inner"):
        pass
    inner, outer = take_stages()
    assert (inner.name, outer.name) == ("inner", "outer")
    assert outer.began_ns <= inner.began_ns <= inner.ended_ns <= outer.ended_ns
