"""A Salesforce org and a real Vault server on loopback. Shares no code with the adapters."""
