"""The status page in Chromium: with a script and without, by keyboard, on a phone, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.core.model import Trouble
from tests.machines import screenshots
from tests.machines.browser import Browser, browser
from tests.world.exhibit import Exhibit, exhibit, names

TAB, ENTER = 9, 13
WIDTHS = (320, 360, 768, 1280)
PATHS = ("/", "/credentials/acme-dispatch-10", "/credentials/wayne-claims-07", "/nowhere")
AT_LEAST = 4.5
"""Contrast of text that is not large (WCAG 2.2, 1.4.3)."""

# Contrast of every text with what is behind it; what is half transparent is laid over what is behind that.
CONTRASTS = """
(() => {
  const parse = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    return [...found.slice(0, 3).map((part) => part * scale), found[3] ?? 1];
  };
  const over = (top, under) => top.slice(0, 3).map((part, at) => part * top[3] + under[at] * (1 - top[3]));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => part / 255).map((part) => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    const behind = ground(element);
    const style = getComputedStyle(element);
    const [one, other] = [light(over([...parse(style.color).slice(0, 3), parse(style.color)[3] * style.opacity], behind)), light(behind)];
    found.push([(Math.max(one, other) + .05) / (Math.min(one, other) + .05), walker.currentNode.textContent.trim().slice(0, 40)]);
  }
  return found.sort((a, b) => a[0] - b[0])[0];
})()
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exhibit]:
    with exhibit(tmp_path_factory.mktemp("fleet"), names(1000)) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def url(fleet: Exhibit) -> Iterator[str]:
    with screenshots.port(fleet) as url:
        yield url


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def page(chromium: Browser) -> Browser:
    """Chromium as it is at its start, which has nothing to complain of."""
    chromium.scripts(on=True)
    chromium.look_like(width=1280)
    chromium.complaints.clear()
    return chromium


@pytest.mark.parametrize("path", PATHS[:3])
def test_the_browser_has_nothing_to_complain_of(page, url, path):
    page.visit(url + path)
    page.evaluate("fetch(location.href).then((answer) => answer.text()).then((text) => text.length)")
    assert page.complaints == []


def test_its_policy_lets_no_foreign_script_run(page, url):
    page.visit(url)
    page.evaluate(
        "const one = document.createElement('script'); one.textContent = 'window.ran = 1'; document.body.append(one)"
    )
    assert page.evaluate("window.ran === undefined")
    page.until("true")
    assert any("Content Security Policy" in said for said in page.complaints)


def test_it_works_without_a_script(page, url):
    page.scripts(on=False)
    page.visit(f"{url}/?show=problems")
    text = page.ask("DOM.getDocument", depth=-1)
    found = page.ask("DOM.querySelectorAll", nodeId=text["root"]["nodeId"], selector="tbody tr")["nodeIds"]
    assert len(found) == 12
    page.scripts(on=True)


def test_it_refreshes_itself_and_keeps_what_was_typed_the_focus_and_the_place(page, url, fleet):
    page.visit(url)
    station = fleet.stations["acme"]
    page.evaluate(
        "window.scrollTo(0, 600); const q = document.getElementById('q'); q.focus({preventScroll: true}); q.value = 'glo'"
    )
    before = page.evaluate("[window.scrollY, document.querySelector('.asof time').textContent]")
    record, fleet.now = station.record, fleet.now + timedelta(seconds=1)
    try:
        trouble = Trouble("change", fleet.now, "x", "it was changed meanwhile", lasting=True)
        station.record = replace(record, trouble=(trouble,))
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.until("document.body.textContent.includes('it was changed meanwhile')")
        assert page.evaluate("[document.activeElement.id, document.getElementById('q').value]") == [
            "q",
            "glo",
        ]
        after = page.evaluate("[window.scrollY, document.querySelector('.asof time').textContent]")
        assert (after[0], after[1] != before[1]) == (before[0], True)
    finally:
        station.record = record
    assert page.complaints == []


def test_what_somebody_is_about_to_copy_stays_until_it_is_copied(page, url, fleet):
    page.visit(f"{url}/credentials/acme")
    shown = "document.querySelector('.asof time').textContent"
    before = page.evaluate(
        f"document.getSelection().selectAllChildren(document.querySelector('code.long')); {shown}"
    )
    fleet.now += timedelta(seconds=1)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.evaluate(
        "fetch(location.href).then((answer) => answer.text()).then(() => new Promise((done) => setTimeout(done, 500)))"
    )
    assert page.evaluate(f"[{shown}, document.getSelection().toString().length]") == [before, 64]
    page.evaluate(
        "document.getSelection().removeAllRanges(); document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.until(f"{shown} !== '{before}'")


def test_it_says_so_when_nobody_answers_any_more(page, tmp_path):
    with exhibit(tmp_path, names(3), troubled=False) as fleet, screenshots.port(fleet) as url:
        page.visit(url)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.until("document.body.classList.contains('stale')")
    assert (
        page.evaluate("document.getElementById('refresh').textContent") == "No answer: what is shown is old"
    )


def test_by_keyboard_all_can_be_reached_and_the_focus_is_seen(page, url):
    page.visit(f"{url}/?show=problems")
    reached = []
    for _ in range(60):
        page.press("Tab", TAB)
        reached.append(
            page.evaluate(
                "document.activeElement.textContent.trim() + '|' + getComputedStyle(document.activeElement).outlineStyle"
            )
        )
        if "acme-dispatch-10" in reached[-1]:
            break
    assert reached[0].startswith("Skip to the content")
    assert all(not said.endswith("|none") for said in reached)
    page.press("Enter", ENTER)
    page.until("location.pathname === '/credentials/acme-dispatch-10'")


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_wider_than_the_window(page, url, path, figures):
    for width in WIDTHS:
        page.look_like(width=width, mobile=width < 768)
        page.visit(url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
    figures(widths=len(WIDTHS))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_every_text_can_be_read(page, url, path, dark, figures):
    page.look_like(width=1280, dark=dark)
    page.visit(url + path)
    lowest, text = page.evaluate(CONTRASTS)
    figures(lowest_contrast=round(lowest, 2))
    assert lowest >= AT_LEAST, text


@pytest.mark.parametrize("dark", [False, True])
def test_what_concerns_all_can_be_read_and_is_no_wider_than_the_window(page, tmp_path, dark):
    with exhibit(tmp_path, names(30)) as fleet, screenshots.port(fleet) as url:
        wrong = f"/etc/rotator/{'a-long-name-' * 9}.yaml:3: fleet.reconcile_evry: is not known"
        fleet.refusal = fleet.refused["part.yaml"] = Trouble(
            "configuration", fleet.now, "x", wrong, "Mend it."
        )
        fleet.skews = {"Vault": 75.0, f"{'m' * 63}.my.salesforce.com": -90.0}
        for width in WIDTHS:
            page.look_like(width=width, mobile=width < 768, dark=dark)
            page.visit(url)
            assert page.evaluate("document.querySelectorAll('#notices ~ ul > li').length") == 2
            assert page.evaluate("document.documentElement.scrollWidth") <= width, width
            lowest, text = page.evaluate(CONTRASTS)
            assert lowest >= AT_LEAST, text


def test_on_a_phone_a_row_is_a_card_and_still_a_row(page, url):
    page.look_like(width=390, mobile=True)
    page.visit(url)
    tree = page.ask("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in tree if "role" in node and not node.get("ignored")]
    assert roles.count("row") == 101
    assert {"table", "columnheader", "rowheader", "cell", "search", "main"} <= set(roles)


def test_its_pictures_are_made_by_one_command_and_small(page, tmp_path, figures):
    sizes = [picture.stat().st_size for picture in screenshots.take_all(page, tmp_path)]
    figures(pictures=len(sizes), largest_bytes=max(sizes))
    assert len(sizes) == len(screenshots.PICTURES)
    assert max(sizes) < screenshots.MOST_BYTES
