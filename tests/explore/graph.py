"""Holds millions of states in little memory: every state is one number, and is known by the order of its finding.

A world consists of a record, of daemons and of all else. Each part is kept once, however many worlds it is a part of,
so that a state is three indices packed into one integer. Nothing is hashed away: two states never fall together.
"""

from __future__ import annotations

from array import array
from typing import Any

from tests.explore.canonical import KEPT
from tests.explore.world import World

RECORD, DAEMONS, REST = 20, 22, 22
"""Bits that each part has in a packed state."""


class Parts:
    """The different values of one part of the states, numbered."""

    def __init__(self, bits: int) -> None:
        self._most = 1 << bits
        self.numbers: dict[Any, int] = {}
        self.values: list[Any] = []

    def new(self, value: Any) -> int:
        """Return the number of a value that was never seen."""
        number = self.numbers[value] = len(self.values)
        self.values.append(value)
        assert number < self._most, "too many for the bits of this part"
        return number


class States:
    """The states that were found, in this order, and from which other one each was found first."""

    def __init__(self) -> None:
        self._order: dict[int, int] = {}
        self._packed, self._from = array("Q"), array("I")
        self._daemons, self._rest = Parts(DAEMONS), Parts(REST)

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, index: int) -> World:
        packed = self._packed[index]
        daemons = self._daemons.values[(packed >> RECORD) & ((1 << DAEMONS) - 1)]
        rest = self._rest.values[packed >> (RECORD + DAEMONS)]
        return tuple.__new__(World, (KEPT[packed & ((1 << RECORD) - 1)], daemons, *rest))

    def add(self, world: World, found_from: int) -> int:
        """Return the index of a state, which is the last one if it was never seen."""
        daemons, rest = world[1], world[2:]
        number = self._rest.numbers.get(rest)
        if number is None:
            number = self._rest.new(rest)
        packed = number << DAEMONS
        number = self._daemons.numbers.get(daemons)
        packed |= self._daemons.new(daemons) if number is None else number
        packed = packed << RECORD | world[0].number
        index = self._order.setdefault(packed, len(self._packed))
        if index == len(self._packed):
            self._packed.append(packed)
            self._from.append(found_from)
        return index

    def path(self, index: int) -> list[int]:
        """Return the indices from the first state to this one: a shortest way, as states are found in breadth."""
        way = [index]
        while index:
            index = self._from[index]
            way.append(index)
        return way[::-1]
