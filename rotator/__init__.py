"""rotator renews the key pairs and access tokens with which servers call Salesforce.

It keeps one key pair a credential alive through the OAuth 2.0 JWT bearer flow (RFC 7523): it makes the next
pair before the certificate expires, brings the certificate into the org, proves it, promotes it or goes back,
and publishes access tokens to Vault all the while.
"""

__version__ = "0.1.0"
