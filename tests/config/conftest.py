"""A small configuration that holds, and what breaks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.config import ConfigurationError, load

VAULT = """\
vault:
  address: https://vault.example.com:8200
  login: {method: token, token: {file: vault-token}}
"""

ACME = """\
  acme:
    login_url: https://acme.my.salesforce.com
    consumer_key: 3MVG9acme
    users: [integration@acme.example]
"""

DEPLOYER = """\
  deployer:
    login_url: https://acme.my.salesforce.com
    consumer_key: 3MVG9deployer
    users: [deployer@acme.example]
    publish: false
"""

Write = Callable[[str], Path]
Mistakes = Callable[[str], list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration and return its file."""

    def write_text(text: str) -> Path:
        file = tmp_path / "rotator.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return write_text


@pytest.fixture
def mistakes(write: Write) -> Mistakes:
    """Return what is wrong with a text, each as ``line: key: message``."""

    def of(text: str) -> list[str]:
        file = write(text)
        with pytest.raises(ConfigurationError) as refused:
            load(file)
        assert all(problem.file == file and problem.mend.strip() for problem in refused.value.problems)
        return [f"{p.line}: {p.key}: {p.message}" for p in refused.value.problems]

    return of
