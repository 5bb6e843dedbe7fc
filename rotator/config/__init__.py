"""The configuration file: read with line numbers, checked as a whole, and frozen.

:func:`load` gives a configuration that holds, or every mistake at once.
"""

from rotator.config.credential import CredentialConfig, LoginTarget
from rotator.config.loading import load, load_lenient
from rotator.config.model import Configuration
from rotator.config.problems import ConfigurationError, Problem
from rotator.config.reloading import bad_files, reload
from rotator.config.schema import included_schema, schema, schema_text
from rotator.config.secrets import SecretReference
from rotator.config.windows import MaintenanceWindow, next_window

__all__ = [
    "Configuration",
    "ConfigurationError",
    "CredentialConfig",
    "LoginTarget",
    "MaintenanceWindow",
    "Problem",
    "SecretReference",
    "bad_files",
    "included_schema",
    "load",
    "load_lenient",
    "next_window",
    "reload",
    "schema",
    "schema_text",
]
