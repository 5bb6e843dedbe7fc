"""What a daemon on another machine, or in a container, is given of a site."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import yaml

from tests.world.site import Site

Edit = Callable[[dict[str, Any]], None]


def configuration(here: Site, secret_id_file: str, edits: Iterable[Edit]) -> str:
    """Return the configuration of a site, edited, with its secret where the daemon finds it."""
    settings = yaml.safe_load(here.stage.config.read_text())
    settings["vault"]["login"]["secret_id"] = {"file": secret_id_file}
    for edit in edits:
        edit(settings)
    return yaml.safe_dump(settings, sort_keys=False)
