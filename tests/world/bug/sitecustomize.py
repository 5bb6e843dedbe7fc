"""Plants a mistake in rotator, as nobody foresees one. Python imports this by itself where the folder is in PYTHONPATH.

BUG_AT names a function, as ``module:name``. It does what it does, and then raises an error that quotes all that it was
given and all that it made: the worst that a library could do with the secrets in its local variables.
"""

from __future__ import annotations

import functools
import importlib
import os
from dataclasses import fields, is_dataclass


def plant(place):
    module, _, name = place.partition(":")
    *path, last = name.split(".")
    owner = functools.reduce(getattr, path, importlib.import_module(module))
    whole = getattr(owner, last)

    @functools.wraps(whole)
    def bug(*args, **kwargs):
        made = whole(*args, **kwargs)
        quoted = f"{bare(args)} {bare(kwargs)} {bare(made)}"
        raise LookupError(f"this error of a test quotes what it was given: {quoted}")

    setattr(owner, last, bug)


def bare(value):
    """Return a value without what hides its secrets."""
    if hasattr(value, "reveal"):
        return value.reveal()
    if hasattr(value, "private_bytes"):
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return value.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: bare(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): bare(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [bare(one) for one in value]
    if hasattr(value, "body") and hasattr(value, "headers"):  # a request of the library
        return f"{value.headers} {bare(value.body)}"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


if place := os.environ.get("BUG_AT"):
    plant(place)
