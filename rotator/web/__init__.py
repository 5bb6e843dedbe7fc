"""Health, metrics and the status page, on one port. It is given what it shows, and asks neither Vault nor Salesforce."""

from rotator.web.port import Port, examine
from rotator.web.seen import Seen

__all__ = ["Port", "Seen", "examine"]
