"""The pure core: what is decided, and what follows from an answer. Standard library only; no I/O, no clock."""
