"""The scopes of an app: as its metadata names them, and as a token response does."""

from __future__ import annotations

# Metadata names of scopes and the names that a token response uses (help remoteaccess_oauth_tokens_scopes).
SCOPES = {
    "Address": "address", "Api": "api", "Basic": "id", "CDP": "cdp_api", "CDPCalculatedInsight": "cdp_calculated_insight_api",
    "CDPIdentityResolution": "cdp_identityresolution_api", "CDPIngest": "cdp_ingest_api", "CDPProfile": "cdp_profile_api",
    "CDPQuery": "cdp_query_api", "CDPSegment": "cdp_segment_api", "Chatbot": "chatbot_api", "Chatter": "chatter_api",
    "Content": "content", "CustomApplications": "visualforce", "CustomPermissions": "custom_permissions",
    "Eclair": "eclair_api", "EinsteinGPT": "einstein_gpt_api", "Email": "email", "ForgotPassword": "forgot_password",
    "Full": "full", "Interaction": "interaction_api", "Lightning": "lightning", "MCP": "mcp_api",
    "OfflineAccess": "offline_access", "OpenID": "openid", "Pardot": "pardot_api", "Phone": "phone", "Profile": "profile",
    "PwdlessLogin": "pwdless_login_api", "RefreshToken": "refresh_token", "SCRT": "scrt_api", "SFAP": "sfap_api",
    "UserRegistration": "user_registration_api", "Wave": "wave_api", "Web": "web",
}  # fmt: skip
REFRESH_SCOPES = frozenset({"refresh_token", "offline_access"})
