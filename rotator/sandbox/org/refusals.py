"""Refusals of the OAuth endpoints, in Salesforce's own words (HTTP 400 unless noted)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    error: str
    description: str
    status: int = 400


class Refused(Exception):
    """Ends the handling of a request with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.error)
        self.refusal = refusal


INVALID_ASSERTION = Refusal("invalid_grant", "invalid assertion")
NOT_APPROVED = Refusal("invalid_grant", "user hasn't approved this consumer")
NOT_ADMIN_APPROVED = Refusal("invalid_app_access", "user is not admin approved to access this app")
WRONG_AUDIENCE = Refusal("invalid_grant", "audience is invalid")
EXPIRED = Refusal("invalid_grant", "expired authorization code")
IP_RESTRICTED = Refusal("invalid_grant", "ip restricted")
NO_SCOPES = Refusal("invalid_grant", "no valid scopes defined")
REFRESH_SCOPE_REQUIRED = Refusal("invalid_request", "refresh_token scope is required")
UNKNOWN_CLIENT = Refusal("invalid_client_id", "client identifier invalid")
BAD_CREDENTIALS = Refusal("invalid_client", "invalid client credentials")
APP_NOT_FOUND = Refusal("app_not_found", "External client app is not installed in this org")
UNSUPPORTED_GRANT = Refusal("unsupported_grant_type", "grant type not supported")
USER_INACTIVE = Refusal("user_authentication_failed", "user authentication failed")
LOGIN_RATE_EXCEEDED = Refusal("invalid_grant", "login rate exceeded")
UNKNOWN_ERROR = Refusal("unknown_error", "retry your request")
MUST_POST = Refusal("invalid_request", "must use HTTP POST")
APP_BLOCKED = Refusal("app_blocked", "this app is blocked by admin")
FLOW_DISABLED = Refusal("oauth_flow_disabled", "oauth flow is disabled for this app")
SCOPE_NOT_ALLOWED = Refusal("invalid_scope", "the requested scope is not allowed")
INVALID_TOKEN = Refusal("invalid_token", "invalid token")
UNSUPPORTED_TOKEN = Refusal("unsupported_token_type", "this token type is not supported")
REPEATED_PARAMETER = Refusal("invalid_request", "a parameter is repeated")


def missing(parameter: str) -> Refusal:
    return Refusal("invalid_request", f"missing required parameter: {parameter}")
