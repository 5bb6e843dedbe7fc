"""The pages: what they say, and that nothing in them is taken for more than text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.core.model import Entry, Pause, PauseKind, Reason, Trouble
from rotator.core.outcome import Outcome
from rotator.standing import runbook_of
from rotator.web.choice import ON_A_PAGE, Choice
from rotator.web.page import credential_page, fleet_page
from rotator.web.rows import rows
from tests.world.exhibit import exhibit, names

EVIL = """<script>alert(1)</script>'"><img src=x onerror=alert(1)>&amp;{{7*7}}`x`\x00\u202e"""

NOW = datetime(2026, 11, 26, tzinfo=UTC)


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def title(self) -> str:
        return next(text for text in self.texts if text.strip())

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """Return the attributes of all such elements."""
        return [has for name, has in self.tags if name == tag and wanted.items() <= has.items()]

    @property
    def links(self) -> list[str]:
        return [has.get("href") or "" for has in self.all("a")]

    @property
    def rows(self) -> list[str]:
        """Return the credentials of the table, in its order."""
        return [
            has["id"].removeprefix("to-") for has in self.all("a") if (has.get("id") or "").startswith("to-")
        ]


def page(visitor, path="/", status=200) -> Page:
    answer = visitor.get(path)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    return Page(answer.text)


def test_the_fleet_is_shown_with_what_is_wrong_first(fleet, visitor):
    shown = page(visitor)
    assert shown.rows == ["locked-out", "due", "refused", "empty", "paused", "proving", "unread", "well"]
    assert "3 of 8 credentials need a look" in shown.text
    assert "locked-out : the org takes no key that is kept" in shown.text
    assert "Bring the certificate of the current key pair into the app by hand" in shown.text


def test_one_sentence_says_whether_all_is_well(fleet, visitor):
    for name in set(fleet.stations) - {"well", "proving"}:
        del fleet.stations[name]
    assert "All 2 credentials are well" in page(visitor).text
    fleet.stations["well"].record = replace(
        fleet.stations["well"].record, paused=Pause(PauseKind.OPERATOR, fleet.now, "a weekend")
    )
    assert "Nothing is wrong; waiting: well" in page(visitor).text
    fleet.lease = None
    assert "The daemon is not logged in to Vault yet" in page(visitor).text
    fleet.let_vault_fail("Vault is sealed", "Unseal it.")
    text = page(visitor).text
    assert "Vault does not serve: Vault is sealed" in text
    assert "Unseal it." in text
    fleet.alive = False
    assert "The daemon does not move" in page(visitor).text


def test_a_configuration_that_is_refused_and_clocks_that_differ_stand_on_top(fleet, visitor):
    for name in set(fleet.stations) - {"well", "proving"}:
        del fleet.stations[name]
    wrong = "rotator.yaml:3: fleet.reconcile_evry: is not known"
    fleet.refusal = Trouble("configuration", fleet.now, "config.mistakes", wrong, "Mend it and reload.")
    fleet.skews = {"acme.example": -90.4, "Vault": 75.0}
    shown = page(visitor)
    assert shown.title.startswith(
        f"The configuration is refused, and that of {fleet.look().loaded_at:%Y-%m-%d}"
    )
    top = shown.text.partition("Credentials, ")[0]
    assert f"{wrong} Mend Mend it and reload." in top
    assert "Nothing is deployed, for clocks differ" in top
    assert "By our clock: Vault 1 m 15 s ahead, acme.example 1 m 30 s behind" in top
    wiki = "https://wiki.example.com/rotator/runbook"
    assert {f"{wiki}#configuration", f"{wiki}#clocks-differ"} <= set(shown.links)
    fleet.refusal, fleet.skews = None, {"acme.example": -90.4}
    assert "Nothing is deployed to acme.example, for clocks differ" in page(visitor).title
    fleet.skews = {}
    assert page(visitor).title.startswith("All 2 credentials are well")


def test_consumers_that_are_refused_come_before_what_hurts_nobody_yet(fleet, visitor):
    fleet.skews = {"Vault": 75.0}
    shown = page(visitor)
    assert shown.title.startswith("3 of 8 credentials need a look")
    assert "Nothing is deployed, for clocks differ" in shown.text
    del fleet.stations["locked-out"]
    shown = page(visitor)
    assert shown.title.startswith("Nothing is deployed, for clocks differ")
    assert "due : the deploy was refused" in shown.text
    fleet.let_vault_fail("Vault is sealed")
    assert page(visitor).title.startswith("Vault does not serve: Vault is sealed")


def test_a_certificate_that_ends_soon_is_a_problem_also_where_somebody_paused_its_rotation(fleet, visitor):
    station = fleet.stations["well"]
    pause = Pause(PauseKind.OPERATOR, fleet.now, "a weekend")
    for days, problem in ((20, False), (3, True)):
        (*_others, key) = station.record.keys
        key = replace(key, not_after=fleet.now + timedelta(days=days))
        station.record = replace(station.record, keys=(key,), paused=pause)
        assert ("well" in page(visitor, "/?show=problems").rows) == problem
        assert "paused: a weekend" in page(visitor, "/?q=well").text


def test_one_that_was_not_read_yet_is_not_told_as_empty(fleet, visitor):
    assert "not read yet" in page(visitor, "/credentials/unread").text
    assert "No key pair yet" in page(visitor, "/credentials/empty").text


def test_settings_that_are_wrong_are_shown_for_what_is_left_alone_and_for_what_is_kept(fleet, visitor):
    wrong = Trouble("configuration", fleet.now, "configuration", "rotator.yaml:9: is missing", "Write it.")
    fleet.aside |= {"broken": wrong, "well": wrong}
    assert {"broken", "well"} <= set(page(visitor, "/?show=problems").rows)
    for name in ("broken", "well"):
        shown = page(visitor, f"/credentials/{name}")
        assert "rotator.yaml:9: is missing" in shown.text
        assert "https://wiki.example.com/rotator/runbook#configuration" in shown.links


def test_what_cannot_be_read_is_shown_as_what_status_says(fleet, visitor):
    fleet.unusable["well"] = Trouble("record", fleet.now, "vault.document.damaged", "the record is damaged")
    assert "the record is damaged" in page(visitor, "/credentials/well").text
    assert "well" in page(visitor, "/?show=problems").rows


def test_a_credential_has_a_page_with_its_key_its_tokens_and_its_past(fleet, visitor):
    shown = page(visitor, "/credentials/due")
    station = fleet.stations["due"]
    key = station.record.key(station.record.current)
    for said in (key.fingerprint, "integration@due.example", "https://due.my.salesforce.com", "Refused :",
                 "the app is being changed by somebody else", "nothing was deployed", "Failed in a row 2"):  # fmt: skip
        assert said in shown.text, said
    assert f"{key.not_after:%Y-%m-%dT%H:%M:%SZ}" in [has["datetime"] for has in shown.all("time")]


def test_a_change_under_way_tells_how_far_it_is(visitor):
    shown = page(visitor, "/credentials/proving")
    assert "has 3 of 5 proofs" in shown.text
    assert shown.all("progress", max="5", value="3")


@pytest.mark.parametrize(
    ("subject", "code", "lasting", "section"),
    [
        ("token:a@b", "session.dead", False, "token-does-not-work"),
        ("mint:a@b", "salesforce.invalid_grant", True, "token-does-not-work"),
        ("key:3", "proof.rival_taken", True, "key-still-accepted"),
        ("key:3", "vault.permission_denied", True, "key-not-destroyed"),
        ("key:3", "certificate.expired", False, "certificate-expiring"),
        ("change", "credential.locked_out", True, "locked-out"),
        ("change", "deploy.refused", True, "change-stuck"),
        ("change", "deploy.refused", False, "change-failed"),
        ("record", "vault.document.damaged", True, "vault-document"),
        ("configuration", "configuration", True, "configuration"),
    ],
)
def test_a_trouble_leads_to_the_section_of_the_event_that_tells_it(subject, code, lasting, section):
    assert runbook_of(Trouble(subject, NOW, code, "", lasting=lasting)) == section


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("q=LOCKED-", ["locked-out"]),
        ("q=integration@refused", ["refused"]),
        ("q=nobody+is+called+so", []),
        ("show=problems", ["locked-out", "due", "refused"]),
        ("phase=proving", ["proving"]),
        ("phase=steady", ["due", "refused", "paused", "well"]),
        ("phase=steady&show=problems&q=re", ["due", "refused"]),
        ("sort=name", ["due", "empty", "locked-out", "paused", "proving", "refused", "unread", "well"]),
        ("sort=-name&show=problems", ["refused", "locked-out", "due"]),
        ("sort=certificate&show=problems", ["due", "locked-out", "refused"]),
        ("sort=nonsense&page=nonsense&show=problems", ["locked-out", "due", "refused"]),
        ("page=-1&show=problems", ["locked-out", "due", "refused"]),
        ("page=99999&show=problems", ["locked-out", "due", "refused"]),
        ("=&&%zz&q=%ff%00", []),
    ],
)
def test_rows_are_found_and_sorted_by_the_address(visitor, query, rows):
    assert page(visitor, f"/?{query}").rows == rows


def test_headings_sort_and_say_how_it_is_sorted(visitor):
    shown = page(visitor, "/?sort=token&show=problems")
    assert [
        has["aria-sort"] for has in shown.all("th") if has.get("aria-sort") != "none" and "aria-sort" in has
    ] == ["ascending"]
    assert "/?show=problems&sort=-token" in shown.links
    assert "/?show=problems&sort=name" in shown.links


def test_a_large_fleet_is_shown_in_pages(tmp_path, serve):
    with exhibit(tmp_path, names(2 * ON_A_PAGE + 5), troubled=False) as fleet:
        visitor = serve(fleet)
        found = [name for number in (1, 2, 3) for name in page(visitor, f"/?page={number}").rows]
        assert sorted(found) == sorted(fleet.stations)
        assert "Page 3 of 3" in page(visitor, "/?page=3").text


def test_a_page_has_headings_a_skip_link_and_named_parts(visitor):
    shown = page(visitor)
    assert shown.all("a", **{"class": "skip", "href": "#live"})
    assert len(shown.all("h1")) == len(shown.all("main", id="live")) == len(shown.all("caption")) == 1
    assert shown.all("label", **{"for": "q"})
    assert all(has.get("scope") for has in shown.all("th"))
    assert all(has.get("aria-label") for has in shown.all("nav"))
    ids = [has["id"] for _tag, has in shown.tags if "id" in has]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/credentials/", "/credentials/nobody", "/static/", "/static/../page.py", "/static/%2e%2e/page.py",
     "//evil.example", "/credentials/well/more", "/%00", "/static/page.css/", "/%ff%fe", "/credentials/..%2f..%2fetc"],
)  # fmt: skip
def test_what_is_not_there_is_not_found_and_says_so_with_the_same_face(visitor, path):
    answer = visitor.get(path)
    assert answer.status in {404, 400}
    if answer.status == 404:
        assert "/static/page.css" in answer.text
        assert "There is nothing here." in answer.text


def test_what_it_needs_is_served_by_itself(visitor):
    shown = page(visitor)
    needed = [has["href"] for has in shown.all("link")] + [has["src"] for has in shown.all("script")]
    assert len(needed) == 3
    for path in needed:
        assert path.startswith("/static/")
        assert visitor.get(path).status == 200


def test_it_needs_no_inline_script_and_no_inline_style(visitor):
    for path in ("/", "/credentials/proving", "/credentials/due", "/nowhere"):
        shown = Page(visitor.get(path).text)
        assert not shown.all("style")
        assert all(has.get("src") for has in shown.all("script"))
        assert not [
            has for _tag, has in shown.tags if any(name == "style" or name.startswith("on") for name in has)
        ]


def test_no_secret_is_in_a_page(fleet, visitor):
    for path in ("/", *(f"/credentials/{name}" for name in fleet.stations)):
        text = visitor.get(path).text
        assert "may-see" not in text
        assert "3MVG9" not in text  # no secret, and yet half of what a login needs


def test_a_file_that_is_refused_stands_above_the_table_and_is_no_credential(fleet, visitor):
    wrong = Trouble("configuration", fleet.now, "configuration", "team-a.yaml:3: is not YAML", "Write it.")
    fleet.refused["/etc/rotator/team-a.yaml"] = wrong
    shown = page(visitor, "/")
    assert "team-a.yaml:3: is not YAML" in shown.text.partition("Credentials, ")[0]
    assert sorted(shown.rows) == sorted(fleet.stations)
    for name in {*fleet.stations} - {"well"}:
        del fleet.stations[name]
    assert "A part of the configuration is refused" in page(visitor, "/").text


def evil(fleet, text: str) -> None:
    """Let everything that others may have a say in be this."""
    station, now = fleet.stations["due"], fleet.now
    trouble = Trouble("change", now, text, text, text)
    entry = Entry(3, Reason.ROTATION, Outcome.REFUSED, now, now, deployed=True, message=text)
    station.record = replace(
        station.record, trouble=(trouble,), history=(entry,), paused=Pause(PauseKind.OPERATOR, now, text)
    )
    station.sentence = text
    fleet.let_vault_fail(text, text)
    fleet.aside["broken"] = fleet.refused["part.yaml"] = fleet.refusal = trouble
    fleet.skews[text] = 90


def _shape(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the elements of a page, without what they say."""
    return [(tag, tuple(sorted(has))) for tag, has in Page(text).tags if tag != "code"]


@given(text=st.just(EVIL) | st.text(min_size=1, max_size=40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_others_say_is_taken_for_more_than_text(fleet, text):
    pages = {}
    for said in ("plain", text):
        evil(fleet, said)
        seen = fleet.look()
        pages[said] = [
            fleet_page(seen, rows(seen), "", alive=True).body.decode(),
            credential_page(seen, "due").body.decode(),
            credential_page(seen, "broken").body.decode(),
        ]
    for plain, strange in zip(pages["plain"], pages[text], strict=True):
        assert _shape(plain) == _shape(strange)


@given(query=st.text(max_size=80) | st.just(f"q={EVIL}"))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_in_an_address_is_taken_for_more_than_text(fleet, query):
    seen = fleet.look()
    shown = Page(fleet_page(seen, rows(seen), query, alive=True).body.decode())
    assert len(shown.all("script")) == 1
    assert all(re.match(r"/|#live", link) for link in shown.links if not link.startswith("https://wiki"))


def test_an_address_that_says_too_much_is_read_as_far_as_it_means_something(visitor):
    assert visitor.get("/?" + "x=1&" * 30 + "q=refused").status == 200
    assert Choice.read("x=1&" * 30 + "q=refused").text == "refused"
    assert Choice.read("x=1&" * 3000 + "q=refused").text == ""


@given(st.builds(Choice, st.text(max_size=9), st.booleans(), st.text(max_size=9), st.sampled_from(["state", "token"]),
                 st.booleans(), st.integers(1, 99)))  # fmt: skip
def test_a_link_leads_to_the_very_choice_it_was_made_from(choice):
    clean = replace(choice, text=choice.text.strip(), phase=choice.phase)
    assert Choice.read(clean.link(page=clean.page).partition("?")[2]) == clean


def test_times_are_told_from_the_moment_of_the_look(fleet, visitor):
    fleet.stations["well"].tokens.clear()
    user = fleet.stations["refused"].terms.users[0]
    before = page(visitor, "/?q=refused").text
    fleet.now += timedelta(hours=1)
    assert "12 m left" in before
    assert "ended" in page(visitor, f"/?q={user}").text
