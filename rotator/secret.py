"""A value that does not show itself."""

from __future__ import annotations

from typing import Final


class Secret:
    """A string that must not be seen: prints, formats and compares without giving itself away.

    Call :meth:`reveal` at the one place where the value leaves for the wire or the disk.
    """

    __slots__ = ("_value",)
    MASK: Final = "**********"

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.MASK!r})"

    def __str__(self) -> str:
        return self.MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret cannot be pickled or copied")
