"""The Salesforce client: assertions, the OAuth endpoints, the REST API, and what their refusals mean."""
