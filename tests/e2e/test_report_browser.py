"""The report in a real browser: it needs no network, says what it must, moves, and runs nothing a broker wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rmqops.chaos.report import write_reports
from rmqops.chaos.verdicts.verdict import Verdict
from tests.support.browser import Page, browse, find_chromium
from tests.support.drill import END, FAULT, NAMESERVERS, NEW_MASTER, history, result, write_run

pytestmark = pytest.mark.e2e

ATTACK = (
    "<!--<script ></script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
    "<svg onload=\"document.title='broken'\"><a href=\"javascript:document.title='broken'\">"
)
BOX = "(({left, top}) => [left, top])(document.getElementById('chart').getBoundingClientRect())"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    chromium = find_chromium()
    assert chromium, "no Chromium here; install the package chromium (apt-get install chromium)"
    with browse(chromium, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reports(write_run(tmp_path_factory.mktemp("run"), result(Verdict.PASS, Verdict.FAIL))).html


@pytest.fixture
def page(browser: Page, report: Path) -> Page:
    browser.open(report, height=1400)
    return browser


def test_it_opens_without_network_and_without_complaint(page: Page, report: Path) -> None:
    assert page.requests == [report.as_uri()]
    assert page.troubles == []


def test_the_verdict_is_the_largest_text(page: Page) -> None:
    assert page.value("document.querySelector('h1').innerText").lower().endswith("fail")
    sizes = "[...document.querySelectorAll('body *')].map((each) => parseFloat(getComputedStyle(each).fontSize))"
    assert page.value("parseFloat(getComputedStyle(document.querySelector('h1')).fontSize)") == page.value(
        f"Math.max(...{sizes})"
    )


def test_the_lanes_are_drawn_and_share_one_axis(page: Page) -> None:
    texts = page.value("[...document.querySelectorAll('#chart svg text')].map((each) => each.textContent)")
    assert set(texts) >= {
        *NAMESERVERS,
        "broker-a-n0",
        "broker-a-n1",
        "broker-a-n2",
        "no master",
        "kill master broker-a-n0",
    }
    fault = page.value("+document.querySelector('#chart line.edge').getAttribute('x1')")
    assert fault == pytest.approx(page.value(f"chart.picture.x({FAULT})"), abs=0.1)
    starts = page.value(
        "[...document.querySelectorAll('#chart rect.nomaster')].map((each) => +each.getAttribute('x'))"
    )
    assert starts == pytest.approx([page.value(f"chart.picture.x({FAULT + 0.05})")] * 3, abs=0.1)
    for series in ("ok", "fail", "info", "read", "p50", "p99", "max", "lag"):
        assert page.value(f"document.querySelector('#chart path.{series}').getAttribute('d').length") > 10, series


def test_a_drag_zooms_and_a_double_click_shows_everything(page: Page) -> None:
    left, top = page.value(BOX)
    start, end = (left + page.value(f"chart.picture.x({t})") for t in (FAULT - 1, NEW_MASTER + 1))
    page.drag((start, top + 100), (end, top + 100))
    assert page.value("chart.view") == pytest.approx([FAULT - 1, NEW_MASTER + 1], abs=0.05)
    page.value("document.getElementById('chart').dispatchEvent(new MouseEvent('dblclick'))")
    assert page.value("chart.view") == [0, page.value("chart.data.end")]


def test_the_wheel_scrolls_the_page_until_the_chart_was_clicked(page: Page) -> None:
    left, top = page.value(BOX)
    page.mouse("mouseWheel", left + 400, top + 100, deltaX=0, deltaY=-100)
    assert page.value("chart.view") == [0, page.value("chart.data.end")]
    page.value("document.getElementById('chart').focus()")
    under = page.value("chart.picture.time(400)")
    page.mouse("mouseWheel", left + 400, top + 100, deltaX=0, deltaY=-100)
    page.wait("chart.view[1] - chart.view[0] < chart.data.end * 0.9")
    assert page.value("chart.picture.time(400)") == pytest.approx(under, abs=0.01), (
        "what is under the pointer stays"
    )


def test_hovering_tells_rates_latency_and_every_nameserver(page: Page) -> None:
    left, top = page.value(BOX)
    page.mouse("mouseMoved", left + page.value(f"chart.picture.x({FAULT + 2})"), top + 120)
    told = page.value("document.querySelector('.tip').innerText")
    assert "2.00 s after the fault" in told
    assert "refused\t20/s" in told
    assert told.count("no master") == len(NAMESERVERS)
    page.mouse("mouseMoved", left + page.value("chart.picture.x(2)"), top + 120)
    told = page.value("document.querySelector('.tip').innerText")
    assert "median\t4 ms" in told
    assert told.count("broker-a-n0") == len(NAMESERVERS)


def test_the_keys_do_what_the_mouse_does(page: Page) -> None:
    page.value("document.getElementById('chart').focus()")
    page.key("f")
    assert page.value("chart.view[0]") < FAULT < NEW_MASTER < page.value("chart.view[1]")
    assert page.value("chart.view[1] - chart.view[0]") < END
    page.key("ArrowRight")
    before = page.value("chart.cursor")
    page.key("ArrowRight")
    assert page.value("chart.cursor") == pytest.approx(before + page.value("chart.picture.level.width"))
    assert "after the fault" in page.value("document.getElementById('cursor').textContent")
    page.key("0")
    assert page.value("chart.view[0]") == 0
    stops = page.value(
        "[...document.querySelectorAll('button, summary, [tabindex=\"0\"]')].every((each) => each.tabIndex === 0)"
    )
    assert stops is True


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_fits_its_window_in_light_and_dark(browser: Page, report: Path, width: int, dark: bool) -> None:
    browser.open(report, width=width, dark=dark)
    assert browser.value("document.documentElement.scrollWidth") == width
    ground = browser.value("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(ground[:3]) < 60) == dark
    assert browser.value(LOWEST_CONTRAST) >= 4.5
    assert browser.troubles == []


LOWEST_CONTRAST = """(() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).map((each) => each / 255)
      .map((each) => (each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (each) => {
    const color = getComputedStyle(each).backgroundColor;
    return numbers(color).length === 3 ? color : behind(each.parentElement);
  };
  const texts = document.querySelectorAll("h1, h2, h3, p, dt, dd, td, th, li, summary, button, .chip");
  const shown = [...texts].filter((each) => each.innerText?.trim() && each.closest("[aria-hidden]") === null);
  const ratios = shown.map((each) => {
    const [one, other] = [light(getComputedStyle(each).color), light(behind(each))];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  });
  return Math.min(...ratios);
})()"""
"""The lowest contrast of text to what is behind it, by the formula of WCAG 2.1; 4.5 is its level AA."""


def test_on_paper_it_is_light_and_the_timeline_is_there(browser: Page, report: Path) -> None:
    browser.open(report, dark=True, media="print")
    assert (
        browser.value("getComputedStyle(document.querySelector('.panel')).backgroundColor") == "rgb(255, 255, 255)"
    )
    assert browser.value("getComputedStyle(document.querySelector('.controls')).display") == "none"
    assert browser.pdf().startswith(b"%PDF-")


def test_an_attack_in_keys_and_errors_is_inert(browser: Page, tmp_path: Path) -> None:
    told = [
        replace(
            event,
            process=event.process + ATTACK if event.op == "route" else event.process,
            broker=event.broker + ATTACK if event.broker else None,
            error=event.error + ATTACK if event.error else None,
        )
        for event in history()
    ]
    run = write_run(tmp_path / "run", result(Verdict.FAIL, text=ATTACK), told)
    browser.open(write_reports(run).html)
    browser.value("chart.show(7)")
    assert ATTACK in browser.value("document.querySelector('.tip').innerText")
    assert browser.value("document.title") == "fail: kill-master on local"
    assert browser.value("document.querySelectorAll('script').length") == 2
    assert browser.value("document.querySelectorAll('img, a[href^=javascript]').length") == 0
    assert len(browser.requests) == 1
    assert browser.troubles == []


def test_were_it_markup_the_policy_would_still_stop_it(browser: Page, report: Path) -> None:
    browser.open(report)
    browser.value("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
    browser.wait("document.querySelector('body > img').complete")
    assert browser.value("document.title") == "fail: kill-master on local"
    assert any("Content Security Policy" in trouble for trouble in browser.troubles)
