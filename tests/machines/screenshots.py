"""Pictures of the status page, as docs/images/page-*.png. Make them again with: python -m tests.machines.screenshots"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rotator.config.web import WebConfig
from rotator.show import logs
from rotator.web import Port
from tests.machines.browser import Browser, browser
from tests.world.exhibit import Exhibit, exhibit, hurried, names

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MOST_BYTES = 150_000
"""Of one picture: they are kept with the code."""


@dataclass(frozen=True)
class Picture:
    """One picture of the page of a thousand credentials, or of one of them."""

    name: str
    path: str = "/"
    height: int = 800


PICTURES = (
    Picture("thousand"),
    Picture("credential", "/credentials/acme-dispatch-10", height=1150),
)


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=IMAGES)
    asked = parser.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder)) as page:
        taken = take_all(page, asked.to)
    print(f"screenshots: {len(taken)} pictures in {asked.to}")


def take_all(page: Browser, to: Path) -> list[Path]:
    """Take all pictures, and return where they are."""
    taken = []
    with (
        tempfile.TemporaryDirectory() as folder,
        exhibit(Path(folder), names(1000)) as fleet,
        port(fleet) as url,
    ):
        for picture in PICTURES:
            file = to / f"page-{picture.name}.png"
            file.write_bytes(take(page, url, picture))
            taken.append(file)
    return taken


@contextmanager
def port(fleet: Exhibit) -> Iterator[str]:
    """Serve a fleet on a free port, and give its address."""
    with logs.capture() as lines, Port(hurried()) as serving:
        serving.show(fleet.look, fleet.is_alive)
        serving.serve(WebConfig(listen="127.0.0.1:0"))
        (line,) = [line for line in lines if line["event"] == "web.listening"]
        yield line["url"].rstrip("/")


def take(page: Browser, url: str, picture: Picture) -> bytes:
    """Return a picture as PNG."""
    page.look_like(width=1280, height=picture.height)
    page.visit(url + picture.path)
    small = ["pngquant", "--quality=80-98", "--strip", "-"]
    return subprocess.run(small, input=page.screenshot(), stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    main()
