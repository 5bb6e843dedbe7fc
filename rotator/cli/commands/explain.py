"""The command that explains: help."""

from __future__ import annotations

import click

from rotator.cli.exits import Exit
from rotator.cli.names import nearest
from rotator.cli.teaching import ALONE, command
from rotator.cli.topics import TOPICS

LISTS = "`rotator help` lists the topics, `rotator --help` the commands."


def _complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    root = context.find_root().command
    known = [*TOPICS, *(root.commands if isinstance(root, click.Group) else ())]
    return [name for name in known if name.startswith(incomplete)]


@command(
    "Explain a topic, or a command.",
    ALONE,
    "rotator help",
    "rotator help states",
    "rotator help rotate",
    name="help",
    exits=[Exit.USAGE],
)
@click.argument("topic", required=False, metavar="[TOPIC|COMMAND]", shell_complete=_complete)
@click.pass_context
def explain(context: click.Context, topic: str | None) -> None:
    """Explain the states of a credential, the events of the log, the metrics, the paths in Vault, or the exit codes.

    Without a TOPIC it lists them. What is longer than the terminal is shown page by page ($PAGER).
    """
    from rotator.cli.output import facts, say
    from rotator.cli.paging import page

    if topic is None:
        say("Topics:", "bold")
        facts([(name, one.short) for name, one in TOPICS.items()])
        say("`rotator help COMMAND` explains a command, `rotator --help` lists them.")
        return
    if topic in TOPICS:
        page(TOPICS[topic].pages())
        return
    root = context.find_root()
    found = root.command.get_command(root, topic) if isinstance(root.command, click.Group) else None
    if found is None:
        known = _complete(context, context.command.params[0], "")
        raise click.UsageError(f"There is no topic or command {topic!r}. {nearest(topic, known, LISTS)}")
    with click.Context(found, info_name=topic, parent=root) as own:
        click.echo(found.get_help(own))


COMMANDS = (explain,)
