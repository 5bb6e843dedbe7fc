"""The acts of the story. Each ends when what it is about has happened; otherwise a promise is broken."""

from __future__ import annotations

from collections.abc import Callable

from rotator.core.model import Ask, Phase
from rotator.demo.daemon import LogLine
from rotator.demo.scene import BrokenPromiseError, Scene

ROTATED = ("acme", "globex")


def adopt(scene: Scene) -> None:
    """The daemon takes over what it finds, and publishes the first tokens."""
    scene.act("Key pairs made by hand are taken over, and consumers get their first tokens")
    scene.say(
        f"the daemon runs as process {scene.daemon.start()}, with no more rights in Vault than it needs"
    )
    for name in scene.operator.configuration.credentials:
        scene.until(f"key pair 1 of {name} was taken over", _logged(scene, "key.promoted", credential=name))
    scene.until("every consumer had a token", lambda: all(one.held for one in scene.consumers) or None)


def rotate(scene: Scene) -> None:
    """Two certificates come near their end."""
    scene.act("Two certificates come near their end, and are replaced without anybody asking")
    for name in ROTATED:
        promoted = _logged(scene, "key.promoted", credential=name, reason="rotation")
        scene.until(f"{name} was rotated when it was due", promoted)


def restore(scene: Scene) -> None:
    """A deploy succeeds, and the org takes neither certificate."""
    scene.act("A deploy goes wrong: the org says that it succeeded, and takes neither key")
    scene.stage.control.knobs(break_certificate=1)
    since = len(scene.seen)
    scene.ask("globex", Ask.ROTATE)
    scene.until(
        "the deploy was seen to have failed", _logged(scene, "change.restoring", since, credential="globex")
    )
    scene.until(
        "the old certificate was back and proved",
        _logged(scene, "change.restored", since, credential="globex"),
    )


def kill(scene: Scene) -> None:
    """The daemon dies between the deploy and its proof."""
    scene.act("The daemon is killed in the middle of a rotation")
    since = len(scene.seen)
    deploys = _deploys(scene)
    scene.ask("acme", Ask.ROTATE)
    scene.until("a deploy was on its way", _logged(scene, "deploy.sent", since, credential="acme"))
    scene.until("the record knew of the deploy", lambda: _is_under_way(scene) or None)
    scene.daemon.kill()
    scene.kills += 1
    before = scene.record("acme")
    target = before.change.target if before.change else None
    if target is None:
        raise BrokenPromiseError("the daemon was too fast to be killed in the middle of a rotation")
    scene.say(f"kill -9: nobody is at home, and the record says {before.phase.value}, key pair {target}")
    scene.pause(1)
    since = len(scene.seen)
    scene.say(f"another daemon starts as process {scene.daemon.start()}, and reads the record")
    promoted = _logged(scene, "key.promoted", since, credential="acme", serial=target)
    scene.until("the rotation was resumed and ended", promoted)
    scene.say(f"deploys that this rotation sent, over both daemons: {_deploys(scene) - deploys}")


def destroy(scene: Scene) -> None:
    """The key that never came to sign goes, once no late deploy of its certificate is to be feared any more."""
    scene.act("Every key is accounted for")
    restoring = scene.happened("change.restoring", credential="globex") or {}
    destroyed = _logged(scene, "key.destroyed", credential="globex", serial=restoring.get("failed"))
    scene.until("the failed key was destroyed", destroyed)


def _logged(scene: Scene, event: str, since: int = 0, **fields: object) -> Callable[[], LogLine | None]:
    return lambda: scene.happened(event, since, **fields)


def _is_under_way(scene: Scene) -> bool:
    record = scene.record("acme")
    return record.phase in (Phase.DEPLOYING, Phase.PROVING) and record.busy_until is None


def _deploys(scene: Scene) -> int:
    """Return how many deploys that change something the org has taken."""
    return sum(not deploy["check_only"] for deploy in scene.stage.control.state()["deploys"])
