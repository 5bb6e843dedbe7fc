"""From the file to a configuration that holds, or to all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
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
from rotator.config.parts import Part, included
from rotator.config.problems import ConfigurationError, Loc, Problem, dotted, problem_at
from rotator.config.relations import Found, flaws_between
from rotator.config.shape import CredentialName, Section
from rotator.config.source import MOST_CREDENTIALS, Tree, merge, read_tree
from rotator.wording import some

Model = TypeVar("Model", bound=Section)

_BEGIN = "Begin with config/rotator.example.yaml."
_LISTED = 3  # names of credentials that one message has at the most
_NAME = TypeAdapter(CredentialName)


def load(path: Path | str) -> Configuration:
    """Return the configuration of a file. Raises ConfigurationError with everything that is wrong with it."""
    examination = _Examination(Path(path))
    if examination.problems:
        raise ConfigurationError(examination.report())
    return examination.configuration(examination.good())


def load_lenient(path: Path | str, *, dependents: bool = False) -> tuple[Configuration, tuple[Problem, ...]]:
    """Return the configuration of the credentials that hold, and what is wrong with the others.

    A credential is set aside for a mistake within it, and with the credential that deploys for it. One that waits
    for it by ``rollout.after`` stays: ``after`` then names a credential that is not there. An included file that does
    not hold as a whole is set aside with all its credentials.
    Raises ConfigurationError for mistakes anywhere else, in ``defaults`` too, and when no credential holds.

    Args:
        dependents: those in which nothing is wrong stay, with a problem, also where their deployer is set aside. For
            whoever looks or asks, and deploys nothing.
    """
    examination = _Examination(Path(path))
    sound = examination.good()
    examination.set_dependents_aside()
    kept = sound if dependents else examination.good()
    problems = examination.report()
    if examination.concerns_all(problems) or not kept:
        raise ConfigurationError(problems)
    return examination.configuration(kept), problems


class _Examination:
    """All that is found in one file, and in those that it includes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._general: General | None = None
        self._credentials: dict[str, CredentialConfig] = {}
        self._trees: dict[str, Tree] = {}
        self._misspelt: set[str] = set()
        self._parts = [Part(file, Tree(None, (), 1, file))]
        tree, self.problems = read_tree(file)
        if tree is None:
            return
        if not isinstance(tree.value, dict):
            self._problem(tree, "should be a section with keys of its own", _BEGIN)
            return
        self._misspelt = misspelt_sections(tree)
        sections = dict(tree.value)
        main = Part(file, tree, sections.pop("defaults", None), sections.pop("credentials", None))
        self._general = self._model(General, replace(tree, value=sections))
        parts, problems = included(file, sections.get("include"))
        self._parts = [main, *parts]
        self.problems += [*problems, *chain.from_iterable(part.problems for part in parts)]
        self._read_parts(main, parts, sections.get("include"))
        if main.defaults_hold:
            self._examine_credentials(self._longest_request(sections.get("salesforce")))

    def report(self) -> tuple[Problem, ...]:
        """Return the problems in the order of the files; of several with one key the first that was found."""
        first: dict[tuple[Path, int | None, str], Problem] = {}
        for problem in self.problems:
            first.setdefault((problem.file, problem.line, problem.key), problem)
        order = {part.file: number for number, part in enumerate(self._parts)}
        return tuple(sorted(first.values(), key=lambda problem: (order[problem.file], problem.line or 0)))

    def concerns_all(self, problems: Iterable[Problem]) -> bool:
        """Tell whether one of the problems keeps all from being served."""
        return any(problem.credential is None and problem.file == self._file for problem in problems)

    def good(self) -> dict[str, CredentialConfig]:
        """Return the credentials in which nothing is wrong, nor in their file as a whole."""
        bad = {problem.credential for problem in self.problems}
        files = {problem.file for problem in self.problems if problem.credential is None}
        return {
            name: credential
            for name, credential in self._credentials.items()
            if name not in bad and self._trees[name].file not in files
        }

    def configuration(self, kept: dict[str, CredentialConfig]) -> Configuration:
        """Return that of some good credentials. To be called when nothing is wrong outside of credentials."""
        sections = dict(self._general) if self._general else {}
        origins = {name: self._trees[name].file for name in kept}
        return Configuration.model_validate(
            {**sections, "credentials": kept}, context={"file": self._file, "origins": origins}
        )

    def set_dependents_aside(self) -> None:
        """Add a problem to every credential whose deployer is set aside, and to those that it deploys for."""
        while orphans := self._orphans():
            for name, deployer in orphans.items():
                own = self._trees[name]
                path = (*own.path, "deploy", "with")
                what = f"{deployer}, which deploys for it, is set aside"
                # Not in defaults: this concerns it alone.
                told = problem_at(own.file, own.line, path, what, f"Mend {deployer}.")
                self.problems.append(replace(told, follows_from=deployer))

    def _orphans(self) -> dict[str, str]:
        """Return the good credentials whose deployer is not, and that deployer."""
        good = self.good()
        deployers = {name: credential.deployer_name for name, credential in good.items()}
        return {
            name: deployer
            for name, deployer in deployers.items()
            if deployer is not None and deployer not in good
        }

    def _read_parts(self, main: Part, parts: Sequence[Part], include: Tree | None) -> None:
        """Read defaults and credentials of all files."""
        pool: dict[Section, Section] = {}
        self._read_defaults(main)
        main.defaults_hold &= "defaults" not in self._misspelt
        if main.credentials is not None or (include is None and "credentials" not in self._misspelt):
            self._read_credentials(main, main.defaults, pool)
        for part in parts:
            if isinstance(part.tree.value, dict):
                self._read_defaults(part)
                part.defaults_hold &= main.defaults_hold
                self._read_credentials(part, _over(main.defaults, part.defaults), pool)
        if include is not None and not self._trees and not self.problems:
            self._problem(include, "names no file, and no credential is named here", "Name at least one.")
        if len(self._trees) > MOST_CREDENTIALS:
            self._problem(
                main.tree, f"has more than {MOST_CREDENTIALS} credentials", "Give some to another daemon."
            )

    def _read_defaults(self, part: Part) -> None:
        """Find mistakes in defaults that every credential may override."""
        if part.defaults is not None:
            self._model(CredentialConfig, part.defaults, partial=True)
            part.defaults_hold &= part.defaults.value is None or isinstance(part.defaults.value, dict)

    def _read_credentials(self, part: Part, defaults: Tree | None, pool: dict[Section, Section]) -> None:
        credentials = part.credentials
        if credentials is None:
            absent = replace(part.tree, value=None, path=("credentials",))
            self._problem(absent, "is missing", "Name at least one credential under `credentials`.")
            return
        if not isinstance(credentials.value, dict) or not credentials.value:
            self._problem(credentials, "should have credentials by name", "Name at least one.")
            return
        for name, own in credentials.value.items():
            if (first := self._trees.get(name)) is not None:
                what = f"is written twice, first in {first.file}:{first.line}"
                self._problem(own, what, "Keep one of them.")
                continue
            try:
                _NAME.validate_python(name)
            except ValidationError as error:
                self.problems += explain(error, own, ())
            tree = self._trees[name] = own if defaults is None else merge(defaults, own)
            credential = self._model(CredentialConfig, tree, partial=not part.defaults_hold, credential=name)
            if credential is not None and part.defaults_hold:
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
        complete = all(part.credentials is not None for part in self._parts if part.file != self._file)
        between = flaws_between(self._credentials, self._trees.keys(), complete=complete)
        alike: dict[tuple[Tree, str], list[Found]] = {}
        for name, flaw in chain(within, between):
            at = replace(self._place(name, flaw), value=None)
            alike.setdefault((at, flaw.message), []).append((name, flaw))
        for (at, message), found in alike.items():
            whose = f" ({_listed([name for name, _flaw in found])})" if at.path[0] == "defaults" else ""
            self._problem(at, message + whose, found[0][1].mend)

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
            self.problems += explain(error, tree, top, partial=partial)
            return None

    def _place(self, name: str, flaw: Flaw) -> Tree:
        """Return the first of a flaw's keys that the credential wrote itself, else that the defaults have."""
        tree = self._trees[name]
        written = [found for found in (_follow(tree, key) for key in flaw.keys) if found is not None]
        own = [found for found in written if found.path[0] == "credentials"]
        return next(iter(own or written), None) or replace(tree, value=None, path=(*tree.path, *flaw.keys[0]))

    def _problem(self, tree: Tree, what: str, mend: str) -> None:
        self.problems.append(problem_at(tree.file, tree.line, tree.path, what, mend))


def _over(defaults: Tree | None, own: Tree | None) -> Tree | None:
    """Return the defaults of an included file, over those of the file that includes it."""
    return merge(defaults, own) if defaults is not None and own is not None else own or defaults


def _listed(names: list[str]) -> str:
    listed = some([dotted((name,)) for name in names], _LISTED)
    return f"{'credential' if len(names) == 1 else 'credentials'} {listed}"


def _follow(tree: Tree, key: Loc) -> Tree | None:
    found: Tree | None = tree
    for part in key:
        found = None if found is None else found.child(part)
    return found
