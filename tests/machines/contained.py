"""rotator in a container: started, stopped, killed and listened to by Docker."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rotator.sandbox.lifetimes import Lifetimes
from tests.machines.docker import SHUT_OFF, Docker
from tests.machines.given import Edit, configuration
from tests.world.daemon import Journal
from tests.world.site import FAST, Site, site

USER = 10001
SECRET = "/run/secrets/secret_id"
STOP_SECONDS = 30
QUICK_HEALTH = ("--health-interval=2s", "--health-retries=1", "--health-timeout=60s")
"""What is asked every half minute, and believed the third time, is asked more often; it may take long here."""


class Contained:
    """One container after another; to be used as :class:`tests.world.daemon.Daemon` is.

    Attributes:
        name: of the container that was started last. What others were is kept, too.
        options: what `docker run` is given beside what shuts it off.
    """

    def __init__(self, docker: Docker, image: str, folder: Path, journal: Journal) -> None:
        self._docker, self._image, self._journal = docker, image, journal
        self.folder = folder
        self.name, self._count = "", 0
        self.options: list[str] = []

    @property
    def mounts(self) -> list[str]:
        """Return the options that hand configuration and secret to a container."""
        secret = f"{self.folder / 'secret_id'}:{SECRET}:ro"
        return [f"--volume={self.folder / 'rotator.yaml'}:/etc/rotator/rotator.yaml:ro", f"--volume={secret}"]

    def configure(self, here: Site, *edits: Edit) -> None:
        """Write the configuration of a site, edited, and its secret, which is the container's user's alone."""
        (self.folder / "rotator.yaml").write_text(configuration(here, SECRET, edits))
        self.put_secret(here.stage.approle.secret_id_file.read_text())

    def put_secret(self, text: str, owner: tuple[int, int] = (USER, USER), mode: int = 0o400) -> None:
        """Write the secret anew, for whom and with which mode."""
        file = self.folder / "secret_id"
        file.write_text(text)
        os.chown(file, *owner)
        file.chmod(mode)

    def start(self) -> None:
        self._count += 1
        self.name = f"rotator-{self._count}"
        options = [*SHUT_OFF, *QUICK_HEALTH, *self.mounts, *self.options]
        self._process = self._docker.start("run", f"--name={self.name}", *options, self._image)
        self._listener = threading.Thread(target=self._listen, args=[self._process], daemon=True)
        self._listener.start()

    def stop(self) -> tuple[int, float]:
        """Stop it as `docker stop` does; return its exit code and the seconds that it took."""
        began = time.monotonic()
        self._docker("stop", f"--time={STOP_SECONDS}", self.name)
        seconds = time.monotonic() - began
        return self._ended(), seconds

    def kill(self) -> None:
        self._docker("kill", self.name)
        self._ended()

    def signal(self, name: str) -> None:
        self._docker("kill", f"--signal={name}", self.name)

    def command(self, *arguments: object) -> tuple[int, str]:
        """Run a command of rotator in a container of its own; return its exit code and what it printed."""
        return self._docker.run(self._image, *arguments, options=tuple(self.mounts))

    def inspect(self, what: str) -> str:
        """Return a property of the container."""
        return self._docker("inspect", f"--format={{{{{what}}}}}", self.name)

    def told(self) -> str:
        """Return all that Docker tells of the containers and of their image."""
        names = [f"rotator-{number}" for number in range(1, self._count + 1)]
        logs = [self._docker("logs", name) for name in names]
        image = self._docker("history", "--no-trunc", self._image)
        return "\n".join([self._docker("inspect", *names, self._image), image, *logs])

    def remove(self) -> None:
        """Leave no container."""
        for number in range(1, self._count + 1):
            self._docker("rm", "--force", "--volumes", f"rotator-{number}")
        if self._count:
            self._ended()

    def _ended(self) -> int:
        code = self._process.wait(60)
        self._listener.join()
        return code

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            for line in stream:
                self._journal.write(line)


@contextmanager
def serving(
    docker: Docker,
    image: str,
    folder: Path,
    *edits: Edit,
    lives: Lifetimes = FAST,
    adopt: bool = True,
) -> Iterator[tuple[Site, Contained]]:
    """Build a site whose daemon is a container. Org and Vault are on the loopback of this machine.

    At the end nothing that Docker tells may hold a secret.

    Args:
        folder: what the container is given lies there.
        adopt: False: the container is not started yet.
    """
    journal = Journal()
    contained = Contained(docker, image, folder, journal)
    with site(lives, adopt=False, weather={}, journal=journal) as here:
        here.daemon = contained  # type: ignore[assignment]  # has all that is asked of one
        contained.configure(here, *edits)
        try:
            if adopt:
                here.adopt()
            yield here, contained
            leaks = here.leaks(contained.told())
            assert not leaks, leaks
        finally:
            contained.remove()
