"""What can happen to a fleet: each as a daemon would have it in memory and tell it, and the alerts that it ends in."""

from tests.machines.situations import credentials, daemon, quiet
from tests.machines.situations.telling import CALM_MINUTES, HEALING, SITUATIONS

__all__ = ["CALM_MINUTES", "HEALING", "SITUATIONS", "credentials", "daemon", "quiet"]
