"""Whether a task is to blame for what happened to its worker, or the worker, or the machine."""

from collections.abc import Callable

import structlog

from libs.common.errors import Unavailable
from libs.common.exhaustion import Exhausted
from libs.common.workers.errors import WorkerCrashed, WorkerKilled, WorkerTimedOut
from libs.common.workers.process import WorkerProcess
from libs.common.workers.serving import A, Answer, P

log = structlog.get_logger(__name__)


class FileUnreadable(Unavailable):
    """Workers cannot read the task's file: the system says so, not a decoder."""


class WorkerOverwhelmed(Unavailable):
    """Over this task workers are ended, or have no memory, while they do what all can do.

    It may be too large for this machine, or the machine had a bad moment. Those who try it again
    count how often, and give it up in the end.
    """


def tried(
    worker: WorkerProcess[P, A],
    check_wanted: Callable[[], None],
    count_lost: Callable[[str], None],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Answer[A]:
    """Have a worker do a task; what is said against the task has been proven.

    A process that says so must do, right afterwards, a picture that is known to be good. One that
    dies, has no memory, or fails at that is replaced, and its successor does the known picture,
    the task, and the known picture again: only what happens to the task in between is the task's.
    So a storm that kills every process, or a machine on which nothing works, blames nobody, while
    a poisonous picture is found at once. Nothing is tried twice for tasks that are well.

    Raises WorkerCrashed and WorkerTimedOut, which are the task's, and what is not (Unavailable),
    WorkerOverwhelmed among it. `check_wanted` raises where nobody waits for the task any more.
    """
    try:
        answer = worker.run(*args, **kwargs)
    except WorkerCrashed as error:
        check_wanted()  # who gives a task up ends its worker
        count_lost("crashed")
        log.warning("worker_died", worker=worker.name, error=error)
    except WorkerTimedOut:
        count_lost("timed_out")
        worker.prove()
        raise
    else:
        if not answer.is_in_doubt:
            return answer
        if answer.lacks is None and not _is_unread(answer) and worker.is_well():
            return answer
        log.warning("worker_replaced", worker=worker.name, error=answer.error)
    check_wanted()
    worker.prove(anew=True)
    check_wanted()
    try:
        answer = worker.run(*args, **kwargs)
    except WorkerCrashed as error:
        check_wanted()
        count_lost("crashed")
        has_room = worker.prove()
        if isinstance(error, WorkerKilled) or not has_room:
            raise WorkerOverwhelmed(str(error)) from error
        raise
    except WorkerTimedOut:
        count_lost("timed_out")
        worker.prove()
        raise
    return _proven_twice(worker, answer)


def _proven_twice(worker: WorkerProcess[P, A], answer: Answer[A]) -> Answer[A]:
    """Return what a new process has said as well; raises what is not the task's."""
    if not answer.is_in_doubt:
        return answer
    has_room = worker.prove(anew=answer.lacks is not None)
    if answer.lacks is not None and answer.lacks != "memory":
        raise Exhausted(answer.lacks) from answer.error
    if _is_unread(answer):
        msg = f"a {worker.name} cannot read its file: {answer.error}"
        raise FileUnreadable(msg) from answer.error
    if answer.lacks is not None or not has_room:
        msg = f"a {worker.name} had no memory for this: {answer.error}"
        raise WorkerOverwhelmed(msg) from answer.error
    return answer


def _is_unread(answer: Answer[A]) -> bool:
    return isinstance(answer.error, OSError) and answer.error.errno is not None
