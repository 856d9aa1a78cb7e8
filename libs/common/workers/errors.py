"""What becomes of a task whose worker does not answer it."""

from libs.common.errors import TransientError, Unavailable


class WorkerCrashed(TransientError):
    """The process died over this task, by a signal of its own making (a decoder's crash)."""


class WorkerKilled(WorkerCrashed):
    """The process was ended over this task, by somebody else or without memory."""


class WorkerTimedOut(TransientError):
    """The task took longer than allowed; its process was killed."""


class WorkerNotStarted(Unavailable):
    """No process could be had that does what all can do: no fault of the task's."""


class WorkersStopped(Unavailable):
    """The pool was stopped with the task in hand: no fault of the task's."""


class AskAgain(Exception):
    """For a worker, with other pipes: of these another process may have copies."""
