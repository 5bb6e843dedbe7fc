from tests.world.lab import lab, servers

__all__ = ["lab", "servers"]
