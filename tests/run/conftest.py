import pytest

from tests.world.lab import Lab, lab, servers

__all__ = ["lab", "servers"]


@pytest.fixture
def ready(lab: Lab) -> Lab:
    """Servers on which all credentials are steady."""
    lab.steady()
    return lab
