"""How what the doctor finds is shown: as it is found, under a heading for each part on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Final

from rich.console import Console

from rotator.cli.exits import Exit
from rotator.cli.host import SUBJECT
from rotator.cli.output import (
    BAD,
    DOUBTFUL,
    FAINT,
    GOOD,
    console,
    hanging,
    has_shapes,
    is_live,
    say,
    show,
    styled,
)
from rotator.config import Configuration
from rotator.finding import Finding
from rotator.wording import some

MOST_NAMES: Final = 5


def show_findings(found: Iterable[Finding], configuration: Configuration) -> list[Finding]:
    """Show findings as they come, and return them."""
    out, seen = console(), []
    if not out.is_terminal:
        for finding in found:
            seen.append(finding)
            _print_line(finding)
        return seen
    told = _Grouped(out, configuration)
    with out.status("looking ...", spinner_style=DOUBTFUL) if is_live(out) else nullcontext():
        for finding in found:
            seen.append(finding)
            told.tell(finding)
    return seen


def _print_line(finding: Finding) -> None:
    """Print a finding so that a search finds subject and verdict on one line."""
    if not finding.looked:
        say(f"unseen  {finding.subject}: {finding.message}")
        say(f"        by hand: {finding.hint}")
        return
    say(f"{'ok    ' if finding.ok else 'FAILED'}  {finding.subject}: {finding.message}")
    if finding.hint:
        say(f"        mend: {finding.hint}")


class _Grouped:
    """Prints a heading wherever a new part begins."""

    def __init__(self, out: Console, configuration: Configuration) -> None:
        self._out, self._configuration = out, configuration
        self._heading = ""
        self._marks = tuple("✔✖○" if has_shapes(out) else "-!?")

    def tell(self, finding: Finding) -> None:
        heading = self._heading_of(finding)
        if heading != self._heading:
            show(*([styled("")] if self._heading else []), styled(heading, "bold"), out=self._out)
            self._heading = heading
        well, bad, unseen = self._marks
        about = f"{_label(finding)}: {finding.message}"
        if not finding.looked:
            show(
                hanging(f"  {unseen} ", about, DOUBTFUL),
                hanging("    by hand: ", finding.hint, FAINT),
                out=self._out,
            )
        elif finding.ok:
            show(hanging(styled(f"  {well} ", GOOD), about), out=self._out)
        else:
            mend = [hanging("    mend: ", finding.hint)] if finding.hint else []
            show(hanging(f"  {bad} ", about, BAD), *mend, out=self._out)

    def _heading_of(self, finding: Finding) -> str:
        """Return the part that a finding is about; what names neither part nor credential belongs to the last one."""
        head, parted, _rest = finding.subject.partition(": ")
        credential = self._configuration.credentials.get(head)
        if parted and credential is not None:
            return f"{head}, in the org at {credential.login_url}"
        if head == "configuration":
            return "Configuration"
        if finding.subject.startswith(SUBJECT):
            return "This machine"
        return self._heading if parted else f"Vault at {self._configuration.vault.address}"


def _label(finding: Finding) -> str:
    """Return what was looked at, without what the heading says."""
    head, parted, rest = finding.subject.partition(": ")
    return rest if parted else {"configuration": "file"}.get(head, head.removeprefix("vault."))


def show_summary(found: Sequence[Finding]) -> None:
    """Print how many findings are well, and where the others are."""
    failed = [one for one in found if not one.ok]
    unseen = sum(not one.looked for one in found)
    more = f"; {unseen} could not be looked at" if unseen else ""
    if console().is_terminal:
        show(styled(""))
    if not failed:
        say(f"all {len(found) - unseen} findings are well{more}", GOOD)
        return
    where = list(dict.fromkeys(one.subject.partition(": ")[0] for one in failed))
    verb = "wants" if len(failed) == 1 else "want"
    say(f"{len(failed)} of {len(found)} findings {verb} mending: {some(where, MOST_NAMES)}{more}", BAD)


def verdict(found: Sequence[Finding]) -> Exit:
    """Return whether all is well, or would be if Vault and Salesforce could be reached."""
    failed = [one for one in found if not one.ok]
    if not failed:
        return Exit.OK
    return Exit.UNAVAILABLE if all(one.transient for one in failed) else Exit.PROBLEM
