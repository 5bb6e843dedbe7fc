"""From the file to a configuration that holds, or to all that is wrong with it."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from rotator.config.arithmetic import flaws_of
from rotator.config.credential import CredentialConfig
from rotator.config.explain import explain, misspelt_sections
from rotator.config.flaws import Flaw
from rotator.config.model import Configuration, General, SalesforceConfig
from rotator.config.problems import ConfigurationError, Loc, Problem, dotted, problem_at
from rotator.config.relations import Found, flaws_between
from rotator.config.shape import CredentialName, Section
from rotator.config.source import Tree, merge, read_tree

Model = TypeVar("Model", bound=Section)

_BEGIN = "Begin with config/rotator.example.yaml."
_LISTED = 3  # names of credentials that one message has at the most
_NAME = TypeAdapter(CredentialName)


def load(path: Path | str) -> Configuration:
    """Return the configuration of a file. Raises ConfigurationError with everything that is wrong with it."""
    examination = _Examination(Path(path))
    if examination.problems:
        raise ConfigurationError(examination.report())
    return examination.configuration()


def load_lenient(path: Path | str) -> tuple[Configuration, tuple[Problem, ...]]:
    """Return the configuration of the credentials that hold, and what is wrong with the others.

    A credential is set aside for a mistake within it, and with the credential that deploys for it. One that waits
    for it by ``rollout.after`` stays: ``after`` then names a credential that is not there.
    Raises ConfigurationError for mistakes anywhere else, in ``defaults`` too, and when no credential holds.
    """
    examination = _Examination(Path(path))
    examination.set_dependents_aside()
    problems = examination.report()
    if any(problem.credential is None for problem in problems) or not examination.good():
        raise ConfigurationError(problems)
    return examination.configuration(), problems


class _Examination:
    """All that is found in one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._general: General | None = None
        self._credentials: dict[str, CredentialConfig] = {}
        self._trees: dict[str, Tree] = {}
        self._misspelt: set[str] = set()
        self._defaults_hold = True
        tree, self.problems = read_tree(file)
        if tree is None:
            return
        if not isinstance(tree.value, dict):
            self._problem(tree, "should be a section with keys of its own", _BEGIN)
            return
        self._misspelt = misspelt_sections(tree)
        sections = dict(tree.value)
        defaults, credentials = sections.pop("defaults", None), sections.pop("credentials", None)
        self._general = self._model(General, Tree(sections, (), tree.line))
        self._read_defaults(defaults)
        self._read_credentials(tree, defaults, credentials)
        if self._defaults_hold:
            self._examine_credentials(self._longest_request(sections.get("salesforce")))

    def report(self) -> tuple[Problem, ...]:
        """Return the problems in the order of the file; of several with one key the first that was found."""
        first: dict[tuple[int | None, str], Problem] = {}
        for problem in self.problems:
            first.setdefault((problem.line, problem.key), problem)
        return tuple(sorted(first.values(), key=lambda problem: problem.line or 0))

    def good(self) -> dict[str, CredentialConfig]:
        """Return the credentials in which nothing is wrong."""
        bad = {problem.credential for problem in self.problems}
        return {name: credential for name, credential in self._credentials.items() if name not in bad}

    def configuration(self) -> Configuration:
        """Return what is good. To be called when nothing is wrong outside of credentials."""
        sections = dict(self._general) if self._general else {}
        return Configuration.model_validate(
            {**sections, "credentials": self.good()}, context={"file": self._file}
        )

    def set_dependents_aside(self) -> None:
        """Add a problem to every credential whose deployer is set aside, and to those that it deploys for."""
        while orphans := self._orphans():
            for name, deployer in orphans.items():
                own = self._trees[name]
                at = Tree(
                    None, (*own.path, "deploy", "with"), own.line
                )  # not in defaults: this concerns it alone
                self._problem(at, f"{deployer}, which deploys for it, is set aside", f"Mend {deployer}.")

    def _orphans(self) -> dict[str, str]:
        """Return the good credentials whose deployer is not, and that deployer."""
        good = self.good()
        deployers = {name: credential.deployer_name for name, credential in good.items()}
        return {
            name: deployer
            for name, deployer in deployers.items()
            if deployer is not None and deployer not in good
        }

    def _read_defaults(self, defaults: Tree | None) -> None:
        """Find mistakes in defaults that every credential may override."""
        if defaults is not None:
            self._model(CredentialConfig, defaults, partial=True)
        readable = defaults is None or defaults.value is None or isinstance(defaults.value, dict)
        self._defaults_hold = readable and "defaults" not in self._misspelt

    def _read_credentials(self, root: Tree, defaults: Tree | None, credentials: Tree | None) -> None:
        if credentials is None:
            if "credentials" not in self._misspelt:
                absent = Tree(None, ("credentials",), root.line)
                self._problem(absent, "is missing", "Name at least one credential under `credentials`.")
            return
        if not isinstance(credentials.value, dict) or not credentials.value:
            self._problem(credentials, "should have credentials by name", "Name at least one.")
            return
        pool: dict[Section, Section] = {}
        for name, own in credentials.value.items():
            try:
                _NAME.validate_python(name)
            except ValidationError as error:
                self.problems += explain(error, self._file, own, ())
            tree = self._trees[name] = own if defaults is None else merge(defaults, own)
            credential = self._model(CredentialConfig, tree, partial=not self._defaults_hold, credential=name)
            if credential is not None:
                self._credentials[name] = credential.sharing(pool)

    def _longest_request(self, salesforce: Tree | None) -> timedelta | None:
        """Return how long a request to Salesforce may take, whatever else is wrong; None if that is what is wrong."""
        if salesforce is None:
            return None if "salesforce" in self._misspelt else SalesforceConfig().longest_request
        if not isinstance(salesforce.value, dict):
            return None
        # What is left besides the timeouts is not known, and may be meant for one of them.
        others = SalesforceConfig.model_fields.keys() - {"connect_timeout", "read_timeout"}
        inputs = {key: tree.plain() for key, tree in salesforce.value.items() if key not in others}
        try:
            return SalesforceConfig.model_validate(inputs).longest_request
        except ValidationError:
            return None

    def _examine_credentials(self, request: timedelta | None) -> None:
        within = (
            (name, flaw)
            for name, credential in self._credentials.items()
            for flaw in flaws_of(credential, request)
        )
        between = flaws_between(self._credentials, self._trees.keys())
        alike: dict[tuple[Loc, int, str], list[Found]] = {}
        for name, flaw in chain(within, between):
            at = self._place(name, flaw)
            alike.setdefault((at.path, at.line, flaw.message), []).append((name, flaw))
        for (path, line, message), found in alike.items():
            whose = f" ({_listed([name for name, _flaw in found])})" if path[0] == "defaults" else ""
            self._problem(Tree(None, path, line), message + whose, found[0][1].mend)

    def _model(
        self, model: type[Model], tree: Tree, *, partial: bool = False, credential: str = ""
    ) -> Model | None:
        """Return what a tree means, or None and note what is wrong with it. ``partial``: it need not be whole."""
        for empty in tree.empty_values():
            self._problem(empty, "has no value", "Give it one, or delete the key.")
        context = {"folder": self._file.absolute().parent, "credential": credential}
        try:
            return model.model_validate(tree.plain(), context=context)
        except ValidationError as error:
            top = ("credentials", credential) if model is CredentialConfig else ()
            self.problems += explain(error, self._file, tree, top, partial=partial)
            return None

    def _place(self, name: str, flaw: Flaw) -> Tree:
        """Return the first of a flaw's keys that the credential wrote itself, else that the defaults have."""
        tree = self._trees[name]
        written = [found for found in (_follow(tree, key) for key in flaw.keys) if found is not None]
        own = [found for found in written if found.path[0] == "credentials"]
        return next(iter(own or written), None) or Tree(None, (*tree.path, *flaw.keys[0]), tree.line)

    def _problem(self, tree: Tree, what: str, mend: str) -> None:
        self.problems.append(problem_at(self._file, tree.line, tree.path, what, mend))


def _listed(names: list[str]) -> str:
    some = ", ".join(dotted((name,)) for name in names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{'credential' if len(names) == 1 else 'credentials'} {some}{more}"


def _follow(tree: Tree, key: Loc) -> Tree | None:
    found: Tree | None = tree
    for part in key:
        found = None if found is None else found.child(part)
    return found
