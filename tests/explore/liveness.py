"""Judges that steady is always reached once faults have stopped, on the whole graph of what may happen then.

Calm is a world without budgets: nothing is lost, late, killed, refused out of the blue or done by others. What is left
is still many-sided: which server answers, in which order daemons, time, spreading and late deploys come, how long a
deploy takes. In that graph a settled state must be reachable from every state, so that no set of states that is never
left is without one: whatever happens, steady is reached under strong fairness (what is possible again and again
happens at some time). That asks of the world, and no more than that:

- time passes, and a daemon that wants to act does so;
- a deploy ends, and a certificate spreads to every server;
- what went wrong is held back for a while, so that what comes after it in the table has its turn (the driver's
  pacing; ``World.tried``);
- people do what the alerts ask: bring a certificate in by hand, let a frozen user log in, resume what is paused.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from rotator.core.model import Phase
from rotator.core.slot import is_leaked
from tests.explore.around import by_itself, consumers, mended
from tests.explore.daemons import Daemons, Move, Steps
from tests.explore.graph import States
from tests.explore.world import Left, World

NONE = Left()
MORE = 2
"""A leaked key that cannot be replaced is tried with serial after serial: so many more are enough."""


def goes_on(world: World, more: int = 0) -> bool:
    """Tell whether a world is within the serials that are explored."""
    return world.record.newest < world.rules.newest + MORE + more


def calm(world: World) -> World:
    """Return the world in which faults have stopped."""
    return world._replace(left=NONE, proofs=(0, 0), backup=None)


def settled(world: World) -> bool:
    """Tell whether all is well: the current key is in the org, and the published tokens work."""
    record = world.record
    if world.request is not None or record.shredding is not None:
        return False
    if record.phase is Phase.EMPTY:
        return True
    return (
        record.phase is Phase.STEADY
        and world.org == (record.current, record.current)
        and all(one.lives and one.token == "fresh" for one in world.sessions)
        and not any(record.trouble_of(f"token:{one.user}") for one in world.sessions)
        and record.paused is None
        and not record.revoke
        and not is_leaked(record, record.current)
    )


class Calm:
    """The graph of calm states."""

    def __init__(self, steps: Steps) -> None:
        self._daemons = Daemons(steps, calm=True)
        self.states = States()
        self._edges, self._ends = array("I"), array("Q")
        self._reach = bytearray()

    def _moves(self, world: World) -> Iterator[Move]:
        yield from self._daemons.moves(world)
        yield from by_itself(world)
        yield from consumers(world)
        yield from mended(world)

    def explore(self, worlds: Iterable[World], most: int) -> int | None:
        """Return which of these worlds is the first from which steady may never be reached, or None.

        No more states than ``most`` are followed; those that are left have the benefit of the doubt.
        """
        entered = array("I", (self.states.add(calm(world), 0) for world in worlds))
        while (index := len(self._ends)) < len(self.states):
            world = self.states[index]
            self._reach.append(index >= most or settled(world))
            if not self._reach[index] and goes_on(world, 1):
                # Where a settled world goes is known from elsewhere: it is as good a start as any.
                self._edges.extend([self.states.add(after, index) for _event, after in self._moves(world)])
            self._ends.append(len(self._edges))
        self._spread_back()
        stuck = (n for n, index in enumerate(entered) if not self._reach[index])
        return next((n for n in stuck if goes_on(self.states[entered[n]])), None)

    def _spread_back(self) -> None:
        """Mark every state from which a marked one is reached."""
        begins = array("Q", bytes(8 * (len(self.states) + 1)))
        for end in self._edges:
            begins[end + 1] += 1
        for index in range(len(self.states)):
            begins[index + 1] += begins[index]
        sources, free = array("I", bytes(4 * len(self._edges))), array("Q", begins)
        for index in range(len(self.states)):
            for end in self._next(index):
                sources[free[end]] = index
                free[end] += 1
        found = [index for index, marked in enumerate(self._reach) if marked]
        while found:
            index = found.pop()
            for source in sources[begins[index] : begins[index + 1]]:
                if not self._reach[source]:
                    self._reach[source] = True
                    found.append(source)

    def _next(self, index: int) -> array[int]:
        return self._edges[self._ends[index - 1] if index else 0 : self._ends[index]]

    def stays_in(self, world: World) -> list[Phase]:
        """Return the phases of states that are never left again on the way that a world may go."""
        found = self._reached(self.states.add(calm(world), 0))
        while len(further := self._reached(found[-1])) < len(found):
            found = further
        phases = {self.states[index].record.phase for index in found}
        return [phase for phase in Phase if phase in phases]

    def _reached(self, first: int) -> list[int]:
        """Return the states that are reached from one, in breadth."""
        found = {first}
        for index in (order := [first]):
            for end in self._next(index):
                if end not in found:
                    found.add(end)
                    order.append(end)
        return order
