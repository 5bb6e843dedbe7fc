"""Answers what a step asks for (load, save, perform) from the adapters, for every credential of this process."""

from rotator.performer.alarms import alarms_on
from rotator.performer.driver import Driver
from rotator.performer.station import Station, Tokens

__all__ = ["Driver", "Station", "Tokens", "alarms_on"]
