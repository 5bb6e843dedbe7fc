"""The administrator of a sandbox, for those who follow the tutorial: what a person does in Setup, and in the editor."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import yaml

from rotator.sandbox.control import Control
from rotator.sandbox.stage import CONTROL_URL
from rotator.sandbox.vault_api import write_private


def administer(config: Path, directory: Path) -> dict[str, str]:
    """Deploy a folder of metadata into the org, and write the consumer keys of its apps into the configuration.

    Args:
        config: the configuration of a sandbox that runs; it tells beside it where the org is.

    Returns the consumer keys by the name of the app. Raises ControlError when the org does not take the folder,
    OSError when there is none, or no sandbox.
    """
    control = Control((config.parent / CONTROL_URL).read_text())
    keys = control.deploy(_zipped(directory))
    said = yaml.safe_load(config.read_text())
    for credential in said["credentials"].values():
        if (key := keys.get(credential["app"]["name"])) is not None:
            credential["consumer_key"] = key
    write_private(config, yaml.safe_dump(said, sort_keys=False))
    return keys


def _zipped(directory: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(directory))
    return buffer.getvalue()
