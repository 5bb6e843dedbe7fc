"""What Salesforce's refusals mean, as data: from its words to our errors. The first row that fits decides.

The words come from Salesforce's documentation and from what clients met in the field. They are matched loosely,
because Salesforce rewords them. A refusal that no row knows never counts as one of the key: "the org refuses the
other key" is half of a proof, and must not be concluded from words that nobody has seen before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rotator.errors import KeyRefused, Misconfigured, RotatorError, SessionDead, Transient


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of refusal.

    Attributes:
        error: what the whole error code must match (regular expression, in any case).
        words: what must be found in the description (the same).
        raises: the class of the error, and with it the policy.
        code: of the error, after ``salesforce.``.
        retry_after_seconds: how long to wait where the answer does not say.
    """

    error: str
    words: str
    raises: type[RotatorError]
    code: str
    hint: str
    retry_after_seconds: float | None = None


GRACE_CODES: Final = frozenset(
    {"salesforce.app_not_found", "salesforce.invalid_client_id", "salesforce.invalid_grant.not_approved"}
)
"""Refusals that also come for half an hour after an app was made or changed, while the servers copy it."""

_CERTIFICATE = (
    "The key does not match the certificate in the app, or the certificate was cleared, or it has not reached "
    "this server of the org yet (2 to 30 minutes). `rotator doctor` looks."
)
_WRONG_CLIENT = "Check the client secret, and that it belongs to `consumer_key`."
_LOGIN_HISTORY = "See the user's Login History in Setup for the reason."
STATUS_PAGE: Final = "If it lasts, see status.salesforce.com."
SESSION_ENDS: Final = (
    "If it happens again and again: is `session.timeout` longer than the org's, does the org lock sessions to an IP "
    "address, or does somebody end them?"
)
_INACTIVE_USER = "The user is inactive, frozen or locked: see its page in Setup."
_INACTIVE_ORG = "The org is locked, expired or deleted."
_CONSUMER_KEY = (
    "Check `consumer_key`, that `login_url` is of the app's org, and that nobody deleted the app. A new app needs up to "
    "30 minutes."
)
_SCOPES = "Give the app the scopes api and refresh_token."
_RETIRED = "Raise `api_version`, or leave it out: the newest is found by itself."

# A table reads by its rows:
# fmt: off

TOKEN: Final = (
    # Rates and outages first, whatever the error code says.
    Row(".*", "login rate exceeded|rate limit", Transient, "login_rate",
        "The user made more than 3,600 logins in an hour. Find out who else logs in as this user.", 3600.0),
    Row("rate_limit_exceeded|slow_down", "", Transient, "login_rate",
        "Find out who else logs in as this user.", 60.0),
    Row("unknown_error", "", Transient, "unknown_error",
        "Salesforce asks for another try. If it lasts, check `login_url`: a wrong host answers so, too."),
    Row("server_error|service_unavailable|system_down", "", Transient, "unavailable", STATUS_PAGE),
    # The key.
    Row("invalid_grant", "invalid assertion", KeyRefused, "invalid_grant.invalid_assertion", _CERTIFICATE),
    Row("invalid_grant", "validate jwt", KeyRefused, "invalid_grant.invalid_jwt", _CERTIFICATE),
    Row("invalid_client", "invalid client credentials", KeyRefused, "invalid_client.credentials", _CERTIFICATE),
    # The clock.
    Row("invalid_grant", "expired authorization code|assertion.*expired|expired.*assertion",
        Transient, "invalid_grant.expired",
        "This machine's clock differs from Salesforce's: let chrony or systemd-timesyncd set it."),
    # The user, and what it may do.
    Row("invalid_grant", "hasn.t approved", Misconfigured, "invalid_grant.not_approved",
        "Set Permitted Users in the app's policies to pre-authorized, and add a profile or permission set of the "
        "user. Check username and host as well. A new app needs up to 30 minutes."),
    Row("invalid_app_access", "", Misconfigured, "invalid_app_access",
        "Add a profile or permission set of the user to the app's policies."),
    Row("invalid_grant", "audience", Misconfigured, "invalid_grant.audience",
        "Set `audience`: https://login.salesforce.com for production, https://test.salesforce.com for a sandbox, "
        "or the URL of the My Domain or the site."),
    Row("invalid_grant", "ip restricted|ip address", Misconfigured, "invalid_grant.ip_restricted",
        "Add this machine's address to the login IP ranges of the user's profile, or relax IP restrictions in the "
        "app's policies."),
    Row("invalid_grant", "no valid scopes", Misconfigured, "invalid_grant.no_scopes", _SCOPES),
    Row("invalid_request", "refresh_token scope", Misconfigured, "invalid_request.refresh_scope", _SCOPES),
    Row("invalid_scope", "", Misconfigured, "invalid_scope", _SCOPES),
    Row("invalid_grant", "user.*(inactive|frozen|locked)|(inactive|frozen|locked).*user",
        Misconfigured, "inactive_user", _INACTIVE_USER),
    Row("inactive_user|user_authentication_failed", "", Misconfigured, "inactive_user", _INACTIVE_USER),
    Row("invalid_grant", "org.*(inactive|locked|expired)|(inactive|locked|expired) org",
        Misconfigured, "inactive_org", _INACTIVE_ORG),
    Row("inactive_org", "", Misconfigured, "inactive_org", _INACTIVE_ORG),
    Row("invalid_session_level", "", Misconfigured, "invalid_session_level",
        "The app's policies demand a high-assurance session, which this flow can't have: lower them."),
    Row("access_denied|login_error", "", Misconfigured, "access_denied", _LOGIN_HISTORY),
    Row("invalid_grant", "", Misconfigured, "invalid_grant.other", _LOGIN_HISTORY),
    # The app.
    Row("app_not_found", "", Misconfigured, "app_not_found",
        "The app is not in the org behind `login_url`. For an external client app in a sandbox, `login_url` and "
        "`audience` are both the sandbox's My Domain. A new app needs up to 30 minutes."),
    Row("invalid_client_id", "", Misconfigured, "invalid_client_id", _CONSUMER_KEY),
    Row("invalid_client", "identifier invalid", Misconfigured, "invalid_client_id", _CONSUMER_KEY),
    Row("invalid_client|invalid_basic_auth_header", "", Misconfigured, "invalid_client.other", _CONSUMER_KEY),
    Row("app_blocked|fail_close_app_blocked", "", Misconfigured, "app_blocked",
        "An admin blocked the app: see Connected Apps OAuth Usage in Setup."),
    Row("oauth_flow_disabled|unsupported_grant_type", "", Misconfigured, "flow_disabled",
        "Turn on the JWT bearer flow for the app, and check that `login_url` is Salesforce's."),
    Row("(oauth|ecapp)_policy_not_found|invalid_distribution_state|installation_error",
        "", Misconfigured, "app_state",
        "The app is not installed as it should be. Open its policies in Setup and save them, or install its "
        "package again."),
    Row("use_dpop_nonce", "", Misconfigured, "dpop",
        "Turn off DPoP for the app: the published tokens are bearer tokens."),
    # The request.
    Row("bad_jti_claim|invalid_assertion_type|invalid_request", "", Misconfigured, "invalid_request",
        "Check that `login_url` is Salesforce's. If it is, Salesforce has changed its mind: look for a newer rotator."),
)
"""The token endpoint: ``error`` and ``error_description``. The list of codes is Salesforce's own (SalesforceMobileSDK
for Android, OAuthErrorCode.kt)."""

SECRET_HOLDER: Final = (
    Row("invalid_client|invalid_client_id|invalid_basic_auth_header", "", Misconfigured, "client_secret",
        _WRONG_CLIENT),
    Row("invalid_grant", "client", Misconfigured, "client_secret", _WRONG_CLIENT),
    Row("invalid_token", "", SessionDead, "invalid_token", SESSION_ENDS),
    Row("unsupported_token_type", "", Misconfigured, "unsupported_token_type",
        "Take the client secret out of the configuration: this org does not tell about such tokens."),
    *(row for row in TOKEN if row.raises is not KeyRefused),
)
"""Introspection and revocation. The client shows its secret there, and no key, so nothing is said about a key."""

REST: Final = (
    Row("INVALID_SESSION_ID|INVALID_JWT_FORMAT|INVALID_AUTH_HEADER|(Bad|Missing)_OAuth_Token|invalid_token",
        "", SessionDead, "session_dead",
        SESSION_ENDS),
    Row("REQUEST_LIMIT_EXCEEDED", "", Transient, "request_limit",
        "The org has used up its API calls of 24 hours, or runs too many at once. See System Overview in Setup.",
        300.0),
    Row("SERVER_UNAVAILABLE|UNABLE_TO_LOCK_ROW|QUERY_TIMEOUT|UNKNOWN_EXCEPTION",
        "", Transient, "unavailable", STATUS_PAGE),
    Row("API_DISABLED_FOR_ORG|API_CURRENTLY_DISABLED", "", Misconfigured, "api_disabled",
        "Give the user the permission API Enabled. The edition of the org must include the API."),
    Row("INSUFFICIENT_ACCESS.*|FORBIDDEN|OPERATION_NOT_ALLOWED|FUNCTIONALITY_NOT_ENABLED",
        "", Misconfigured, "insufficient_access",
        "Give the user the permission, by a profile or permission set."),
    Row("TXN_SECURITY.*|LOGIN.*|INVALID_LOGIN.*|IP_.*|PASSWORD_.*|INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        "", Misconfigured, "policy",
        "A security policy of the org is in the way: see Login History and Transaction Security in Setup."),
    Row("INVALID_TYPE|INVALID_FIELD|INVALID_QUERY.*|MALFORMED_QUERY|MALFORMED_ID", "", Misconfigured, "query",
        "Check `proof.query`, and that the user may read what it names."),
    Row("NOT_FOUND", "", Misconfigured, "not_found", "Check `api_version`, and the names in the request."),
    Row("GONE|UNSUPPORTED_API_VERSION", "", Misconfigured, "version_retired", _RETIRED),
)
"""The REST API: ``errorCode`` and ``message`` (REST API Developer Guide, "Status Codes and Error Responses")."""


OVERRIDING: Final = (
    Row("429", "", Transient, "too_many_requests", STATUS_PAGE),
    Row("5[0-9][0-9]", "", Transient, "unavailable", STATUS_PAGE),
)
"""Statuses that decide by themselves; they stand where the other tables have the error code."""

WORDLESS: Final = (
    Row("403", "", Transient, "blocked",
        "A firewall or proxy answers in place of Salesforce, or Salesforce blocks this address for a while after "
        "failed logins."),
    Row("404", "", Misconfigured, "not_found", "Check `login_url` and `api_version`: that host knows no such path."),
    Row("405", "", Misconfigured, "not_found", "Check `login_url`: that host takes no such request."),
    Row("407", "", Misconfigured, "proxy", "Put user and password into `salesforce.proxy`."),
    Row("410", "", Misconfigured, "version_retired", _RETIRED),
)
"""Statuses that decide where the answer holds no words that can be read."""

NO_WORDS: Final = Row(".*", "", Transient, "not_json",
    "Usually maintenance, or a proxy that answers in place of Salesforce. If it lasts, check the URL.")
"""Nothing to read, and a status that says nothing either."""

UNKNOWN_WORDS: Final = Row(".*", "", Misconfigured, "refused",
    "No such refusal is known. Salesforce's documentation, or the user's Login History in Setup, may tell.")
"""Words that stand in no table."""
