"""Refusals of assertions that are well made: the key, the clock, the user, the app, limits."""

from __future__ import annotations

from rotator.sandbox.org.seed import ACME, GLOBEX
from tests.sandbox.table.row import CODES, HOUR, Row, after, set_text

POLICIES, PLUGINS = "ExtlClntAppOauthConfigurablePolicies", "ExtlClntAppConfigurablePolicies"
SETTINGS = "ExtlClntAppOauthSettings"
USER = "integration@acme.example"
NOT_FOUND_IN_ORG = "External client app is not installed in this org"
NOT_ADMIN_APPROVED = "user is not admin approved to access this app"
NOT_APPROVED = "user hasn't approved this consumer"
TEN_NET = ("10.0.0.0/8",)


def knobs(**values):
    return lambda box: box.org.set_knobs(**values)


def user(**changed):
    def deed(box):
        for name, value in changed.items():
            setattr(box.org.users[USER], name, value)

    return deed


def text(app, kind, path, value):
    return lambda box: set_text(box.org.app(app), kind, path, value)


def clear(app):
    """Deploy the app without its certificate."""
    return lambda box: box.deploy(box.files_without_certificate(app))


def mint(**claims):
    return lambda box: box.mint(**claims)


def new_key(box):
    return box.mint(key=box.new.key)


LOGINS = {
    # The key.
    "a key that is not the certificate's": Row(
        new_key, 400, "invalid_grant", "invalid assertion", f"field reports; {CODES}", "P"
    ),
    "the new key, while its certificate spreads": Row(
        after(
            knobs(propagation_seconds=1000),
            lambda box: box.deploy(box.acme_files(box.new.base64)),
            new_key,
        ),
        400, "invalid_grant", "invalid assertion", "SFDX guide v260: changes reach servers one by one", "I",
    ),
    "the old key, after the certificate was replaced": Row(
        after(lambda box: box.deploy(box.acme_files(box.new.base64)), mint()),
        400, "invalid_grant", "invalid assertion", "one slot in either metadata type", "P",
    ),
    "an External Client App whose certificate a deploy left out": Row(
        after(clear(ACME), mint()),
        400, "invalid_grant", "invalid assertion", "systempromptio/systemprompt-internal", "P",
    ),
    "a Connected App whose certificate a deploy left out": Row(
        after(clear(GLOBEX), mint(app=GLOBEX)),
        400, "invalid_grant", "invalid assertion", "by analogy to External Client Apps", "I",
    ),
    "an app that never had a certificate": Row(
        after(
            lambda box: box.deploy(box.fresh_app_files(certificate=False)),
            lambda box: box.mint(iss=box.org.app("Fresh").consumer_key),
        ),
        400, "invalid_client", "invalid client credentials", "DarthVaderRC vault plugin, SALESFORCE-SETUP", "P",
    ),
    # The clock.
    "exp a minute ago": Row(
        lambda box: box.mint(exp=int(box.clock.now.timestamp()) - 60),
        400, "invalid_grant", "expired authorization code", "SE 282513, SE 18039; simple-salesforce #439", "P",
    ),
    "a clock an hour behind the org's": Row(
        lambda box: (
            box.org.set_knobs(clock_offset_seconds=HOUR)
            or box.mint(exp=int(box.clock.now.timestamp()) + 120)
        ),
        400, "invalid_grant", "expired authorization code", "simple-salesforce #439", "P",
    ),
    "exp zero": Row(
        mint(exp=0), 400, "invalid_grant", "expired authorization code", "as any exp that is past", "I"
    ),
    "exp negative": Row(
        mint(exp=-1), 400, "invalid_grant", "expired authorization code", "as any exp that is past", "I"
    ),
    "exp in ten minutes, where there is a ceiling": Row(
        after(
            knobs(exp_ceiling_seconds=300),
            lambda box: box.mint(exp=int(box.clock.now.timestamp()) + 600),
        ),
        400, "invalid_grant", "invalid assertion", "knowledgelib.io, unmeasured; off unless the knob is set", "D",
    ),
    "nbf in a minute": Row(
        lambda box: box.mint(nbf=int(box.clock.now.timestamp()) + 60),
        400, "invalid_grant", "invalid assertion", "RFC 7519 section 4.1.5; Salesforce asks for no nbf", "I",
    ),
    # The audience.
    "the audience of somebody else": Row(
        mint(aud="https://example.com"),
        400, "invalid_grant", "audience is invalid", "field reports; help's sample says “Audience validation failed”", "P",
    ),
    "the audience of sandboxes, to a production org": Row(
        mint(aud="https://test.salesforce.com"),
        400, "invalid_grant", "audience is invalid", "help remoteaccess_oauth_jwt_flow", "P",
    ),
    "an audience with a slash at its end": Row(
        mint(aud="https://login.salesforce.com/"),
        400, "invalid_grant", "audience is invalid", "help names it without", "I",
    ),
    # The app.
    "a consumer key that nobody knows": Row(
        mint(iss="3MVG9nobody"),
        400, "invalid_client_id", "client identifier invalid", "pozil/salesforce-react-integration #15", "P",
    ),
    "the consumer key of an app that still spreads": Row(
        after(
            knobs(propagation_seconds=1000),
            lambda box: box.deploy(box.fresh_app_files()),
            lambda box: box.mint(iss=box.org.app("Fresh").consumer_key),
        ),
        400, "invalid_client_id", "client identifier invalid", "pozil/salesforce-react-integration #15", "P",
    ),
    "the consumer key of an External Client App of another org": Row(
        lambda box: box.org.foreign_consumer_keys.add("3MVG9elsewhere") or box.mint(iss="3MVG9elsewhere"),
        400, "app_not_found", NOT_FOUND_IN_ORG, "n8n #28990; forcedotcom/cli #3482; simple-salesforce #814", "P",
    ),
    "a blocked app": Row(
        after(text(ACME, PLUGINS, "isEnabled", "false"), mint()),
        400, "app_blocked", "this app is blocked by admin", CODES + " (the text is ours)", "D",
    ),
    "an app whose OAuth is turned off": Row(
        after(text(ACME, PLUGINS, "isOauthPluginEnabled", "false"), mint()),
        400, "oauth_flow_disabled", "oauth flow is disabled for this app", CODES + " (the text is ours)", "D",
    ),
    "an app without scopes": Row(
        after(text(ACME, SETTINGS, "commaSeparatedOauthScopes", ""), mint()),
        400, "invalid_grant", "no valid scopes defined", "sf-connected-apps skill (since Winter '26)", "P",
    ),
    "an app with no scope but RefreshToken": Row(
        after(text(ACME, SETTINGS, "commaSeparatedOauthScopes", "RefreshToken"), mint()),
        400, "invalid_grant", "no valid scopes defined", "help remoteaccess_oauth_jwt_flow: one scope besides it", "I",
    ),
    "an app without the RefreshToken scope": Row(
        after(text(ACME, SETTINGS, "commaSeparatedOauthScopes", "Api"), mint()),
        400, "invalid_request", "refresh_token scope is required", "field reports", "P",
    ),
    # The user.
    "a user that is not there": Row(
        mint(sub="nobody@acme.example"), 400, "invalid_grant", NOT_APPROVED, "SFDX guide v260; field reports", "P"
    ),
    "an External Client App that users approve themselves": Row(
        after(text(ACME, POLICIES, "permittedUsersPolicyType", "AllSelfAuthorized"), mint()),
        400, "invalid_grant", NOT_APPROVED, "field reports", "P",
    ),
    "a Connected App that users approve themselves": Row(
        after(text(GLOBEX, "ConnectedApp", "oauthConfig/isAdminApproved", "false"), mint(app=GLOBEX)),
        400, "invalid_grant", NOT_APPROVED, "field reports", "P",
    ),
    "a user without the External Client App's permission set": Row(
        after(user(permission_sets=set()), mint()),
        400, "invalid_app_access", NOT_ADMIN_APPROVED, f"field reports; {CODES}", "P",
    ),
    "a user without the Connected App's permission set": Row(
        lambda box: (
            box.org.users["integration@globex.example"].permission_sets.clear() or box.mint(app=GLOBEX)
        ),
        400, "invalid_app_access", NOT_ADMIN_APPROVED, f"field reports; {CODES}", "P",
    ),
    "a frozen user": Row(
        after(user(active=False), mint()),
        400, "user_authentication_failed", "user authentication failed", "community only", "D",
    ),
    "a login from an address outside the user's ranges": Row(
        after(user(login_ip_ranges=TEN_NET), mint()),
        400, "invalid_grant", "ip restricted", "tests of MetaDeploy", "P",
    ),
    # Limits and weather.
    "more logins than an hour allows": Row(
        after(knobs(login_limit_per_hour=1), mint(), mint()),
        400, "invalid_grant", "login rate exceeded", "limit: help 000381578; its JSON is unknown", "D",
    ),
    "a login in maintenance": Row(
        after(knobs(maintenance=True), mint()), 503, "text/html", "", "PostHog PR #101434; restforcephp #22", "P"
    ),
    "a login that Salesforce asks to repeat": Row(
        after(knobs(unknown_error_rate=1.0), mint()),
        400, "unknown_error", "retry your request", "amazon-connect-salesforce-lambda #43", "P",
    ),
    "a login that is throttled": Row(
        after(knobs(throttle=1), mint()), 429, "", "", "undocumented for this endpoint", "D"
    ),
}  # fmt: skip
