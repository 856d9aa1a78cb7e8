"""A server in a container: it stops, dies and starts again on the same data and ports."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support.services import wait_until

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer


class ContainerServer:
    """Starts once `is_ready`; `what` names it where it never is."""

    def __init__(
        self, container: "DockerContainer", *, is_ready: Callable[[], bool], what: str
    ) -> None:
        self._container = container
        self._is_ready = is_ready
        self._what = what
        self._was_started = False

    def start(self) -> None:
        if self._was_started:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._was_started = True
        wait_until(self._is_ready, what=f"{self._what}'s container")

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def execute(self, *command: str) -> None:
        """Run a command in the container."""
        result = self._container.get_wrapped_container().exec_run(list(command))
        assert result.exit_code == 0, result.output

    def remove(self) -> None:
        self._container.stop()
