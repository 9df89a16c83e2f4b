"""The page of a report, driven in headless Chromium: it plays, switches in place, tests the listener, and keeps to itself."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright
from scipy.stats import binom, binomtest
from shaper import Shaper

from circuits.errors import SignalError
from validation.audio import Audio
from validation.compare import compare
from validation.rendering import Entry
from validation.report import figure_text, write_report
from validation.styles import comparison_styles
from validation.signals import shipped_phrase

CHROMIUM = next((path for path in ("/usr/bin/chromium", *map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome")))
                 if path and Path(path).exists()), None)
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
RATE = 48000.0
DRY = Audio(shipped_phrase("single-notes").samples[300000:396000], RATE)
HOSTILE = "\"'><script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>"

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed, so the page can't be driven"),
              pytest.mark.xdist_group("chromium")]


def _fails(rate):
    raise SignalError("there is no such file")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    found = compare(DRY, Entry("amplifier", lambda rate: Shaper(rate)), [
        Entry("near", lambda rate: Shaper(rate, drive=4.3)), Entry("far", lambda rate: Shaper(rate, drive=9.0)),
        Entry(HOSTILE, lambda rate: Shaper(rate, drive=6.0)), Entry("y" * 10000, lambda rate: Shaper(rate, drive=7.0)), Entry("missing", _fails)],
        measure=False)
    return found, write_report(found, tmp_path_factory.mktemp("page") / "report", formats=("html",))["html"]


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, report):
    """An open page; whatever it says, asks of the network or throws fails the test."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    trouble = []
    page.on("console", lambda message: trouble.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    page.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: trouble.append(f"request: {request.url[:200]}") if request.url != report[1].as_uri() and
            not request.url.startswith(("data:", "blob:")) else None)
    page.goto(report[1].as_uri())
    page.wait_for_selector("html[data-ready=yes]", timeout=60000)
    yield page
    assert not page.evaluate("'harmed' in window")
    context.close()
    assert trouble == []


def _until(page, expression: str) -> None:
    """Wait for a condition; the page's own policy forbids the polling that Playwright would inject."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never came true: {expression}")


def _offline(page, steps: str, seconds: float):
    """What the ear would get: the page's own graph on an offline context, with ``steps`` (JavaScript) in its course."""
    return np.array(page.evaluate("""async ([seconds, steps]) => {
        const { player } = ampwright, context = new OfflineAudioContext(1, seconds * 48000, 48000);
        const graph = player.build(context, 0, 0.25);
        await eval(`(async () => { ${steps} })()`);
        return Array.from((await context.startRendering()).getChannelData(0));
    }""", [seconds, steps]))


def test_it_plays_and_keeps_the_clock(page):
    page.click("#play")
    _until(page, "ampwright.player.position() > 0.3")
    assert page.evaluate("""async () => {
        const { player } = ampwright, ear = player.context.createAnalyser(), heard = new Float32Array(ear.fftSize);
        player.graph.master.connect(ear);
        await new Promise((done) => setTimeout(done, 200));
        ear.getFloatTimeDomainData(heard);
        return Math.max(...heard.map(Math.abs));
    }""") > 0.01
    page.click("#play")
    place = page.evaluate("ampwright.player.position()")
    page.wait_for_timeout(150)
    assert page.evaluate("ampwright.player.position()") == place and page.inner_text("#play") == "Play"


def test_switching_keeps_the_position_and_has_no_gap(page, report):
    """Until the switch the target, 50 ms later the candidate, at the same place of the music, in between a cross-fade."""
    found, _ = report
    heard = _offline(page, "context.suspend(0.5).then(() => { player.track = 'c2'; player.apply(graph, 0.5); context.resume(); });", 1.0)
    headroom = page.evaluate("ampwright.player.headroom")
    gains = page.evaluate("Object.fromEntries(ampwright.player.gains)")
    signals = {"target": found.reference(), "c2": found.estimate(found.good[1])}
    peak = max(np.abs(found.target.samples).max(), *(np.abs(row.rendering.samples).max() for row in found.good))
    scale = min(1.0, 0.999 / peak)
    start = int(0.25 * RATE)
    expected = {name: scale * headroom * gains[name] * samples[start:start + 48000] for name, samples in signals.items()}
    switch = int(0.5 * RATE)
    assert np.abs(heard[:switch - 128] - expected["target"][:switch - 128]).max() < 1e-4
    later = switch + int(0.05 * RATE)
    assert np.abs(heard[later:] - expected["c2"][later:]).max() < 1e-4
    middle = slice(switch - 128, later)  # between the two at every moment: no silence, no bump
    low, high = np.minimum(expected["target"], expected["c2"])[middle], np.maximum(expected["target"], expected["c2"])[middle]
    assert (heard[middle] > low - 1e-3).all() and (heard[middle] < high + 1e-3).all()
    # live: nothing is started again, and the clock runs on
    page.click("#play")
    _until(page, "ampwright.player.position() > 0.2")
    before = page.evaluate("[ampwright.player.restarts, ampwright.player.position() - ampwright.player.context.currentTime]")
    for button in page.query_selector_all("[data-track]"):
        button.click()
    after = page.evaluate("[ampwright.player.restarts, ampwright.player.position() - ampwright.player.context.currentTime]")
    assert after[0] == before[0] == 1
    length = page.evaluate("ampwright.player.duration")
    assert abs((after[1] - before[1] + length / 2) % length - length / 2) < 1e-6


def test_the_difference_is_target_minus_candidate(page, report):
    found, _ = report
    heard = _offline(page, "player.track = 'c2'; player.difference = true; player.ensure('-c2');"
                     "player.join(graph, '-c2', 0, 0.25); for (const [id, n] of graph.nodes) n.gain.gain.value = player.level(id);", 0.5)
    expected = (found.reference() - found.estimate(found.good[1]))[12000:36000]
    factor = heard @ expected / (expected @ expected)
    assert 0.3 < factor <= 1.0 and np.abs(heard - factor * expected).max() < 1e-4


def test_keys_and_loop(page):
    page.keyboard.press("Space")
    _until(page, "ampwright.player.playing")
    page.keyboard.press("2")
    assert page.get_attribute("[data-track=c2]", "aria-pressed") == "true"
    page.keyboard.press("t")
    assert page.get_attribute("[data-track=target]", "aria-pressed") == "true"
    page.keyboard.press("m")
    assert not page.is_checked("#matched") and page.evaluate("ampwright.player.level('target') === ampwright.player.headroom")
    page.keyboard.press("d")
    assert page.is_checked("#difference")
    page.keyboard.press("d")
    box = page.query_selector("#wave").bounding_box()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 20, steps=4)
    page.mouse.up()
    start, end = page.evaluate("ampwright.player.loop")
    length = page.evaluate("ampwright.player.duration")
    assert start == pytest.approx(0.25 * length, abs=0.02) and end == pytest.approx(0.4 * length, abs=0.02)
    places = []
    for _ in range(12):
        page.wait_for_timeout(60)
        places.append(page.evaluate("ampwright.player.position()"))
    assert all(start - 1e-6 <= place <= end + 1e-6 for place in places) and min(np.diff(places)) < 0.0, "it has come round"
    page.keyboard.press("Escape")
    assert page.evaluate("ampwright.player.loop") is None
    page.keyboard.press("Space")
    _until(page, "!ampwright.player.playing")


def test_abx_of_ten_trials_has_the_right_p_value(page):
    page.select_option("#abx-b", "c2")
    page.click("#abx-start")
    assert page.evaluate("document.getElementById('listen').inert")
    assert page.evaluate("document.activeElement.dataset.abx") == "X", "the keyboard is where the test is"
    page.keyboard.press("x")
    _until(page, "ampwright.player.playing")
    for trial in range(10):
        assert f"Trial {trial + 1} of 10" in page.inner_text("#abx-count")
        page.click("[data-abx=A]" if trial % 2 else "[data-abx=X]")
        assert page.locator("#listen [data-track][aria-pressed=true]").count() == 0, "the page must not tell who plays"
        if trial % 3:
            page.click("[data-answer=A]")
        else:
            page.keyboard.press("Shift+B")
    with page.expect_download() as download:
        page.click("#abx-export")
    results = json.loads(Path(download.value.path()).read_text())
    right = sum(trial["x"] == trial["answer"] for trial in results["trials"])
    assert len(results["trials"]) == 10 and results["right"] == right and (results["a"], results["b"]) == ("target", "c2")
    p_value = binomtest(right, 10, 0.5, alternative="greater").pvalue
    assert results["p_value"] == pytest.approx(p_value, rel=1e-12)
    assert f"{right} of 10" in page.inner_text("#abx-result") and f"p = {p_value:.4f}" in page.inner_text("#abx-result")
    assert not page.evaluate("document.getElementById('listen').inert")


def test_guessing_probabilities_are_binomial(page):
    for trials in (1, 5, 10, 16, 100):
        values = page.evaluate("(n) => Array.from({ length: n + 1 }, (_, k) => ampwright.guessing(k, n))", trials)
        assert values == pytest.approx(binom.sf(np.arange(trials + 1) - 1, trials, 0.5).tolist(), rel=1e-9)


def test_abx_draws_are_fair_coins(page):
    draws = page.evaluate("""() => { const { abx } = ampwright, out = []; abx.results = { trials: [], wanted: 1 };
        for (let k = 0; k < 2000; k++) { abx.next(); out.push(abx.secret); } return out; }""")
    assert binomtest(sum(draws), 2000).pvalue > 1e-6


@pytest.mark.parametrize("scale, low, high", [("mushra", 0, 100), ("dmos", 1, 5)])
def test_rating_with_hidden_reference_and_anchor(page, scale, low, high):
    page.select_option("#rating-scale", scale)
    page.click("#rating-start")
    sliders = page.query_selector_all("#rating-list input")
    assert len(sliders) == 6, "hidden reference, anchor and four candidates"
    words = page.inner_text("#rating-list")
    assert "near" not in words and "anchor" not in words and "Sound 1" in words
    page.click("#rating-reference")
    page.click("#rating-list li:nth-child(2) button")
    _until(page, "ampwright.player.playing")
    page.keyboard.press("3")
    assert page.get_attribute("#rating-list li:nth-child(3) button", "aria-pressed") == "true"
    sliders[3].focus()
    page.keyboard.press("r")
    assert page.get_attribute("#rating-reference", "aria-pressed") == "true" and page.input_value("#rating-list li:nth-child(4) input") == str(low)
    page.keyboard.press("ArrowRight")
    assert float(page.input_value("#rating-list li:nth-child(4) input")) > low, "sliders stay sliders"
    page.click("#rating-done")
    assert "Rate every sound" in page.inner_text("#rating-result")
    for number, slider in enumerate(sliders):
        slider.fill(str(low + (high - low) * number / 5))
    page.click("#rating-done")
    assert page.evaluate("document.activeElement.id") == "rating-start"
    with page.expect_download() as download:
        page.click("#rating-export")
    results = json.loads(Path(download.value.path()).read_text())
    hidden = next(s["score"] for s in results["stimuli"] if s["role"] == "hidden reference")
    assert ("The hidden reference got" in page.inner_text("#rating-result")) == (scale == "mushra" and hidden < 90)
    assert results["test"] == scale.upper()
    assert sorted(s["role"] for s in results["stimuli"]) == ["anchor"] + ["candidate"] * 4 + ["hidden reference"]
    assert [s["score"] for s in results["stimuli"]] == pytest.approx([low + (high - low) * k / 5 for k in range(6)])


def test_table_sorts_and_shows_both_alignments(page, report):
    found, _ = report

    def order():
        return [text.strip()[:10] for text in page.locator("#scores tbody th").all_inner_texts()]
    best_first = order()
    assert best_first[0] == "near" and best_first[-1] == "missing"
    esr = page.locator("#scores thead button", has_text="ESR").first
    esr.click()
    assert order() == best_first and page.get_attribute("#scores thead th:nth-child(2)", "aria-sort") == "ascending"
    esr.click()
    assert order() == best_first[:-1][::-1] + ["missing"], "what failed stays below"
    assert page.locator("#scores tbody tr:nth-child(1) .asis").first.is_hidden()
    page.click("[data-view=asis]")
    assert page.locator("#scores tbody tr:nth-child(1) .asis").first.is_visible()
    assert page.locator("#scores .more").first.is_hidden()
    page.check("#all-metrics")
    assert page.locator("#scores .more").first.is_visible()


def test_with_and_without_alignment_stand_side_by_side(page, report):
    found, _ = report
    heads = [text.split("\n")[0].strip() for text in page.locator("[aria-label=Alignment] thead th").all_inner_texts()]
    assert heads[-3:] == ["ESR as it came", "ESR latency out", "ESR gain out too"]
    for line, row in zip(page.locator("[aria-label=Alignment] tbody tr").all(), found.good):
        cells = line.locator("td").all_inner_texts()
        assert cells[-3:] == [figure_text(value) for value in (row.scores_as_is["esr"], row.scores["esr"], row.alignment.esr_after)]
        assert float(cells[0]) == pytest.approx(row.alignment.latency, abs=1e-3) and float(cells[1]) == pytest.approx(row.alignment.gain_db, abs=1e-3)


def test_dark_and_light_have_contrast(page):
    def contrast():
        return page.evaluate("""() => { const parse = (c) => c.match(/[\\d.]+/g).map(Number).slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b, style = getComputedStyle(document.body);
            const [a, b] = [light(parse(style.color)), light(parse(style.backgroundColor))].sort((x, y) => x - y); return [(b + 0.05) / (a + 0.05), style.backgroundColor]; }""")
    first, paper = contrast()
    page.click("#theme")
    second, other = contrast()
    assert first > 7.0 and second > 7.0 and paper != other
    inks = page.evaluate("[...document.querySelectorAll('figure svg text')].slice(0, 3).map((t) => getComputedStyle(t).fill)")
    assert all(ink == page.evaluate("getComputedStyle(document.body).color") for ink in inks), "pictures follow the theme"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_every_figure_can_be_read_at_every_width(page, width, scheme):
    """Nothing scrolls sideways, no figure lies under another thing or outside, and each names its metric where there are no columns."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    hidden = page.evaluate("""() => [...document.querySelectorAll("#scores tbody td:not(.more):not(.message), #scores tbody th")].filter((cell) => {
        const figure = cell.querySelector("span.aligned, bdi") ?? cell, box = figure.getBoundingClientRect();
        figure.scrollIntoView({ block: "center", inline: "nearest" });
        const seen = figure.getBoundingClientRect(), top = document.elementFromPoint(seen.x + Math.min(seen.width, 20) / 2, seen.y + seen.height / 2);
        return seen.left < 0 || seen.right > innerWidth + 0.5 || !top || !(figure.contains(top) || top.contains(figure) && cell.contains(top));
    }).map((cell) => cell.textContent.trim().slice(0, 40))""")
    assert hidden == []
    scores = page.locator("#scores").evaluate("(table) => [table.scrollWidth, table.parentElement.clientWidth]")
    assert scores[0] <= scores[1], "all columns that are shown fit, and so do the tiles"
    names = page.evaluate("""() => [...document.querySelectorAll("#scores tbody tr:first-child td:not(.more)")].map((cell) =>
        getComputedStyle(cell, "::before").content.replaceAll('"', ""))""")
    assert (names[0] == "ESR" and "SI-SDR dB" in names and "none" not in names) if width <= 820 else set(names) == {"none"}
    if width <= 820:  # the heads have become a row of buttons that sort
        page.locator("#scores thead button", has_text="MR-STFT").click()
        assert page.get_attribute("#scores thead th[aria-sort]", "aria-sort") == "ascending"


def test_the_legend_of_the_page_has_the_lines_of_the_pictures(page, report):
    found, _ = report
    styles = comparison_styles(found)
    drawn = page.evaluate("""() => [...document.querySelectorAll(".legend span")].map((span) => [span.querySelector("line").getAttribute("stroke"),
        span.querySelector("line").getAttribute("stroke-dasharray"), span.querySelector("g").innerHTML])""")
    assert [one[0] for one in drawn[1:]] == [styles[label]["color"] for label in list(styles)[1:5]]
    assert len({tuple(one[1:]) for one in drawn}) == 5, "five lines differ in dashes and marker, without their colours"
    assert page.locator("figure").count() >= 7 and page.locator("figure svg .legend, figure svg [id*=legend]").count() == 0
