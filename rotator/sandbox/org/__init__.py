"""A Salesforce org on loopback: stricter and ruder than Salesforce, in memory only.

It speaks the OAuth 2.0 JWT bearer flow, the REST and SOAP faces that rotator and the Salesforce
tools use, and lets its manners be changed at run time through a control port. It shares no code
with the adapters of rotator, so that a mistake in one of them can't hide in a helper of both.
"""

from __future__ import annotations
