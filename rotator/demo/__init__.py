"""The story of rotator on one machine: the real daemon, a real Vault server, an org, and consumers that notice nothing."""

from rotator.demo.play import run

__all__ = ["run"]
