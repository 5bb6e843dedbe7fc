"""A Postman collection and its environment: what people do by hand to try a credential, for Postman and newman.

Nothing here reads a key or writes a file. The scripts that run inside Postman are in ``scripts``.
"""

from rotator.postman.collection import collection
from rotator.postman.environment import Given, environment, without_assertion

__all__ = ["Given", "collection", "environment", "without_assertion"]
