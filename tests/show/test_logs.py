"""What comes out of the log, and what does not."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog

from rotator import events
from rotator.secret import Secret
from rotator.show import logs

SESSION = "00D5e000001abcdEAA!AQ4AQFj0kXZ3.aSecretSession"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging is one for the whole process: put it back as it was."""
    root, own = logging.getLogger(), logging.getLogger("rotator")
    before = (
        root.handlers[:],
        root.level,
        own.level,
        sys.excepthook,
        sys.unraisablehook,
        threading.excepthook,
    )
    yield
    root.handlers[:], root.level, own.level, sys.excepthook, sys.unraisablehook, threading.excepthook = before
    logging.captureWarnings(capture=False)


@pytest.fixture
def stream(restored: None) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level="info", stream=stream)
    return stream


def leak() -> None:
    raise ValueError(f"could not use {SESSION}") from RuntimeError("password=hunter2")


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_time_level_name_and_fields(stream):
    logs.emit(events.TOKEN_PUBLISHED, credential="acme", user="a@acme.example", sequence=4)
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "credential", "user", "sequence"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line.pop("timestamp"))
    assert line == {
        "level": "info",
        "event": "token.published",
        "credential": "acme",
        "user": "a@acme.example",
        "sequence": 4,
    }


def test_an_event_for_which_a_person_must_act_says_so_and_names_the_runbook(stream):
    logs.emit(events.VAULT_SEALED, code="vault.sealed")
    (line,) = lines(stream)
    assert (line["level"], line["alert"], line["runbook"]) == ("error", True, "vault-sealed")


def test_a_field_that_the_catalogue_does_not_name_is_an_error_in_tests():
    with pytest.raises(RuntimeWarning, match=r"daemon\.stopped carries \['colour'\], not in the catalogue"):
        logs.emit(events.DAEMON_STOPPED, colour="blue")


def test_in_production_it_is_a_warning_and_the_line_is_written_all_the_same(stream):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.emit(events.DAEMON_STOPPED, colour="blue")
    assert [line["event"] for line in lines(stream)][-1] == "daemon.stopped"


def test_what_is_below_the_level_is_not_written(stream):
    logs.emit(events.TOKEN_VERIFIED, credential="acme")
    assert stream.getvalue() == ""


def test_libraries_speak_through_the_same_chain_from_warning_on(stream):
    logging.getLogger("urllib3.connectionpool").info("Starting new connection")
    logging.getLogger("urllib3.connectionpool").warning("Retrying %s after %d", f"/query?sid={SESSION}", 3)
    (line,) = lines(stream)
    assert line["logger"] == "urllib3.connectionpool"
    assert line["event"] == "Retrying /query?sid=00D5e000001abcdEAA![redacted] after 3"


def test_warnings_are_lines_too(stream):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old behaviour", DeprecationWarning, stacklevel=1)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert "old behaviour" in line["event"]


def test_context_of_the_thread_is_added(stream):
    with structlog.contextvars.bound_contextvars(credential="acme"):
        logs.emit(events.VAULT_RECOVERED, seconds=3)
        logging.getLogger("hvac").warning("slow")
    assert [line["credential"] for line in lines(stream)] == ["acme", "acme"]


def test_secrets_are_taken_out_of_fields_messages_and_tracebacks(stream):
    try:
        leak()
    except ValueError as error:
        logs.emit(
            events.STEP_FAILED, credential="acme", error={"assertion": "abc", "text": SESSION}, exc_info=error
        )
    (line,) = lines(stream)
    assert "AQ4AQFj0kXZ3" not in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
    assert line["error"] == {"assertion": "[redacted]", "text": "00D5e000001abcdEAA![redacted]"}
    assert "Traceback" in line["exception"]
    assert "direct cause" in line["exception"]


def test_a_known_secret_is_taken_out_of_everything(stream, monkeypatch):
    monkeypatch.setattr(logs.redactor, "_known", {})
    monkeypatch.setattr(logs.redactor, "_pattern", None)
    logs.redactor.remember(Secret("tr0ub4dor"))
    logs.emit(events.DAEMON_STARTED, config="/etc/tr0ub4dor.yaml")
    assert lines(stream)[0]["config"] == "/etc/[redacted].yaml"


def test_a_stream_that_is_gone_does_not_hurt_the_caller(restored):
    stream = io.StringIO()
    logs.configure(stream=stream)
    stream.close()
    logs.emit(events.DAEMON_STOPPED)


def test_configuring_twice_writes_each_line_once(restored):
    first, second = io.StringIO(), io.StringIO()
    logs.configure(stream=first)
    logs.configure(stream=second)
    logs.emit(events.DAEMON_STOPPED)
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


@pytest.mark.parametrize(
    ("format_", "stream", "is_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("json", Terminal, True),
        ("console", io.StringIO, False),
    ],
    ids=["auto in a pipe", "auto on a terminal", "json on a terminal", "console in a pipe"],
)
def test_auto_is_for_people_on_a_terminal_and_for_machines_elsewhere(restored, format_, stream, is_json):
    out = stream()
    logs.configure(format=format_, stream=out)
    try:
        leak()
    except ValueError:
        logs.emit(events.STEP_FAILED, credential="acme", exc_info=True)
    assert out.getvalue().startswith("{") is is_json
    assert "Traceback" in out.getvalue()
    assert "AQ4AQFj0kXZ3" not in out.getvalue()


@pytest.fixture
def led_to_journal(restored, tmp_path, monkeypatch):
    """A stream of which systemd says that it leads to its journal."""
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        yield stream


def test_the_journal_of_systemd_is_told_the_level_of_each_line(led_to_journal):
    logs.configure(stream=led_to_journal)
    logs.emit(events.TOKEN_PUBLISHED, credential="acme")
    logging.getLogger("hvac").warning("slow")
    logging.getLogger("hvac").log(35, "louder than a warning")
    logs.emit(events.VAULT_SEALED, code="vault.sealed")
    logs.emit(events.LOCKED_OUT, credential="acme")
    led_to_journal.seek(0)
    told = [re.fullmatch(r"<(\d)>(\{.*\})\n", line) for line in led_to_journal]
    assert [line[1] for line in told] == ["6", "4", "4", "3", "2"]
    assert json.loads(told[0][2])["event"] == "token.published"


def test_a_traceback_is_one_line_of_the_journal(led_to_journal):
    logs.configure(stream=led_to_journal)
    try:
        leak()
    except ValueError as error:
        logs.emit(events.STEP_FAILED, credential="acme", exc_info=error)
    led_to_journal.seek(0)
    (line,) = led_to_journal
    assert "Traceback" in json.loads(line.removeprefix("<3>"))["exception"]


def test_a_stream_that_was_led_elsewhere_gets_bare_lines(led_to_journal, tmp_path):
    with (tmp_path / "elsewhere").open("w+") as stream:
        logs.configure(stream=stream)
        logs.emit(events.DAEMON_STOPPED)
        stream.seek(0)
        assert json.loads(stream.read())["event"] == "daemon.stopped"


@pytest.mark.parametrize(("format_", "begins"), [("journal", "<6>{"), ("json", "{")])
def test_levels_for_the_journal_can_be_asked_for_and_declined(led_to_journal, format_, begins):
    logs.configure(format=format_, stream=led_to_journal)
    logs.emit(events.DAEMON_STOPPED)
    led_to_journal.seek(0)
    assert led_to_journal.read().startswith(begins)


def test_an_unknown_level_is_refused(restored):
    with pytest.raises(KeyError):
        logs.configure(level="loud", stream=io.StringIO())


def test_tests_can_collect_what_is_logged_at_any_level():
    with logs.capture() as captured:
        logs.emit(events.TOKEN_VERIFIED, credential="acme", user=SESSION)
    logs.emit(events.TOKEN_VERIFIED, credential="globex")
    assert [(line["event"], line["level"], line["credential"]) for line in captured] == [
        ("token.verified", "debug", "acme")
    ]
    assert captured[0]["user"] == "00D5e000001abcdEAA![redacted]"


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


PROGRAM = """
import threading
from rotator import events
from rotator.show import logs

logs.emit(events.DAEMON_STARTED, version="said before the log is configured")
logs.configure()

def leak():
    raise ValueError("password=hunter2")

class Late:
    def __del__(self):
        leak()

thread = threading.Thread(target=leak, name="worker-1")
thread.start()
thread.join()
Late()
leak()
"""


def test_uncaught_exceptions_of_every_kind_go_through_the_log():
    done = run(PROGRAM)
    assert done.returncode == 1
    assert done.stdout == ""
    thread, late, main = (json.loads(line) for line in done.stderr.splitlines())
    assert (thread["event"], thread["thread"], thread["error"]) == (
        "daemon.crashed",
        "worker-1",
        "ValueError",
    )
    assert late["event"] == "exception ignored: ValueError"
    assert (main["event"], main["thread"], main["alert"]) == ("daemon.crashed", "MainThread", True)
    assert all("password=[redacted]" in line["exception"] for line in (thread, late, main))
    assert "hunter2" not in done.stderr


def test_a_line_that_cannot_be_made_is_told_of_without_its_content():
    done = run(
        "import logging; from rotator.show import logs; logs.configure();"
        "logging.getLogger('library').error('%d things', 'password=hunter2')"
    )
    assert (done.returncode, done.stderr) == (0, "a log line of library could not be written\n")
