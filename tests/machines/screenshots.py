"""Pictures of the status page, as docs/images/page-*.png. Make them again with: python -m tests.machines.screenshots"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rotator.config.web import WebConfig
from rotator.show import logs
from rotator.web import Port
from tests.machines.browser import Browser, browser
from tests.world.exhibit import Exhibit, exhibit, names
from tests.world.states import STATES

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MOST_BYTES = 150_000
"""Of one picture: they are kept with the code."""


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        count: credentials of the fleet.
    """

    name: str
    count: int
    path: str = "/"
    width: int = 1280
    height: int = 800
    dark: bool = False
    mobile: bool = False


PICTURES = (
    Picture("empty", 0, height=460),
    Picture("three", 3, height=520),
    Picture("three-dark", 3, height=520, dark=True),
    Picture("thousand", 1000),
    Picture("thousand-dark", 1000, dark=True),
    Picture("phone", 1000, width=390, height=844, mobile=True),
    Picture("phone-dark", 1000, width=390, height=844, mobile=True, dark=True),
    Picture("credential", 1000, "/credentials/acme-dispatch-10", height=1150),
    Picture("credential-phone", 1000, "/credentials/acme-dispatch-10", width=390, height=844, mobile=True),
)


def main() -> None:
    """Take all pictures, or those whose name begins as said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=IMAGES)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder)) as page:
        taken = take_all(page, asked.to, asked.only)
    print(f"screenshots: {len(taken)} pictures in {asked.to}")


def take_all(page: Browser, to: Path, only: str = "") -> list[Path]:
    """Take all pictures whose name begins as said, and return where they are."""
    taken = []
    for count in sorted({picture.count for picture in PICTURES}):
        with served(count) as url:
            for picture in PICTURES:
                if picture.count == count and picture.name.startswith(only):
                    file = to / f"page-{picture.name}.png"
                    file.write_bytes(take(page, url, picture))
                    taken.append(file)
    return taken


@contextmanager
def served(count: int) -> Iterator[str]:
    """Serve a fleet that is well if it is small, and has everything that there is if it is large."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        fleet = running.enter_context(exhibit(folder, names(count), troubled=count > len(STATES)))
        yield running.enter_context(port(fleet))


@contextmanager
def port(fleet: Exhibit) -> Iterator[str]:
    """Serve a fleet on a free port, and give its address."""
    with logs.capture() as lines, Port() as serving:
        serving.show(fleet.look, fleet.is_alive)
        serving.serve(WebConfig(listen="127.0.0.1:0"))
        (line,) = [line for line in lines if line["event"] == "web.listening"]
        yield line["url"].rstrip("/")


def take(page: Browser, url: str, picture: Picture) -> bytes:
    """Return a picture as PNG."""
    page.look_like(width=picture.width, height=picture.height, dark=picture.dark, mobile=picture.mobile)
    page.visit(url + picture.path)
    small = ["pngquant", "--quality=80-98", "--strip", "-"]
    return subprocess.run(small, input=page.screenshot(), stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    main()
