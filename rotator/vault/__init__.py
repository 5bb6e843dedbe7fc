"""Vault (or OpenBao): the client, the logins, and the documents that rotator keeps there."""
