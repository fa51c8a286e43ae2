"""The page works in a browser: by mouse, by keyboard, on a phone and in the dark.

These tests need Chromium and its driver. The test with axe-core also needs the path of
``axe.min.js`` in the environment variable NEUROCONTEXT_AXE.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from sklearn_neurocontext import NeuroContextModel
from tests.text_model import make_parts

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
AXE = os.environ.get("NEUROCONTEXT_AXE")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="needs Chromium and its driver"
    ),
]
WAIT = 120


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """File of the map of a text."""
    path = tmp_path_factory.mktemp("images") / "pain.nii.gz"
    (img,) = NeuroContextModel(**make_parts()).transform(["pain heat"])["brain_map"]
    img.to_filename(path)
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Address of the page of a server in another process."""
    counts = {"word_counts": {"pain": 30, "finger": 40}, "n_studies": 150}
    model = NeuroContextModel(**make_parts(), **counts, z_threshold=4)
    folder = model.save(tmp_path_factory.mktemp("models") / "small")
    program = "from sklearn_neurocontext.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--model", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[0]
        process.send_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium that saves downloads in the folder ``browser.downloads``."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    downloads = tmp_path_factory.mktemp("downloads")
    preferences = {"download.default_directory": str(downloads)}
    options.add_experimental_option("prefs", preferences)
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    service = webdriver.ChromeService(DRIVER)
    with webdriver.Chrome(options=options, service=service) as browser:
        browser.set_window_size(1200, 1600)
        browser.downloads = downloads
        yield browser


@pytest.fixture(autouse=True)
def no_errors_and_no_other_host(browser, address):
    """Check the console and the requests of each test."""
    yield
    messages = [entry["message"] for entry in browser.get_log("browser")]
    # Chromium logs each answer with status 4xx, which these tests ask for.
    refused = "Failed to load resource: the server responded with a status of 4"
    assert [text for text in messages if refused not in text] == []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            assert url.startswith((address, "data:", "blob:", "chrome", "about:")), url


def _element(browser, name):
    return browser.find_element("id", name)


def _wait(browser, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, WAIT, poll_frequency=0.2).until(condition)


def _wait_for_title(browser, title):
    def is_shown(browser):
        found = _element(browser, "title")
        return found.is_displayed() and found.text == title

    _wait(browser, is_shown)
    _wait_for_frame(browser)


def _wait_for_frame(browser):
    """Wait until the page has drawn its changes."""
    browser.execute_async_script(
        "const done = arguments[0];"
        "requestAnimationFrame(() => requestAnimationFrame(done));"
    )


def _open(browser, address, query="", title=None):
    browser.get(f"{address}{query}")
    if title is not None:
        _wait_for_title(browser, title)


def _set_slider(browser, name, value):
    browser.execute_script(
        "const slider = document.getElementById(arguments[0]);"
        "slider.value = arguments[1];"
        "slider.dispatchEvent(new Event('input'));"
        "slider.dispatchEvent(new Event('change'));",
        name,
        value,
    )
    _wait_for_frame(browser)


def _colored_pixels(browser):
    """Return the number of pixels of each canvas that show the map."""
    return browser.execute_script(
        "return [...document.querySelectorAll('.viewer canvas')].map((canvas) => {"
        " const copy = new OffscreenCanvas(canvas.width, canvas.height)"
        "   .getContext('2d', {willReadFrequently: true});"
        " copy.drawImage(canvas, 0, 0);"
        " const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);"
        " let n = 0;"
        " for (let i = 0; i < data.length; i += 4)"
        "   n += Math.abs(data[i] - data[i + 2]) > 60 && data[i + 3] > 200;"
        " return n; });"
    )


def _rows(browser, part):
    return browser.find_elements("css selector", f"#{part} tbody tr")


def _downloaded(browser, link, name):
    path = browser.downloads / name
    path.unlink(missing_ok=True)
    link.click()
    _wait(browser, lambda _: path.exists() and path.stat().st_size)
    return path


def test_text_to_map_threshold_and_downloads(browser, address):
    _open(browser, address)
    _element(browser, "text").send_keys("finger tapping")
    browser.find_element("css selector", "#ask button").click()
    _wait_for_title(browser, "finger tapping")
    largest = float(_element(browser, "threshold").get_attribute("max"))
    _set_slider(browser, "threshold", 0.25 * largest)
    many, n_peaks = _colored_pixels(browser), len(_rows(browser, "peaks"))
    _set_slider(browser, "threshold", 0.75 * largest)
    few = _colored_pixels(browser)
    assert sum(many) > sum(few) > 0
    assert n_peaks > len(_rows(browser, "peaks"))
    assert _element(browser, "threshold-value").text == f"{0.75 * largest:.2f}"
    query = parse_qs(urlsplit(browser.current_url).query)
    assert float(query["threshold"][0]) == pytest.approx(0.75 * largest, rel=1e-3)
    nifti = _downloaded(browser, _element(browser, "nifti"), "z_map.nii.gz")
    assert nifti.read_bytes()[:2] == b"\x1f\x8b"
    png = _downloaded(browser, _element(browser, "png"), "z_map.png")
    assert png.read_bytes().startswith(b"\x89PNG")
    (button,) = browser.find_elements("css selector", "#terms button")
    table = _downloaded(browser, button, "terms.csv").read_text()
    assert table.startswith("term,similarity,weight_in_brain_map")
    assert len(table.splitlines()) == 1 + len(_rows(browser, "terms"))


def test_permanent_link(browser, address):
    query = "?text=pain&minus=finger&map=brain_map&threshold=0.05&view=glass"
    _open(browser, address, query, "pain minus finger")
    link = _element(browser, "link").get_attribute("href")
    assert _element(browser, "minus").get_attribute("value") == "finger"
    assert browser.find_element("css selector", "[value=glass]").is_selected()
    assert browser.find_element("css selector", "[value=brain_map]").is_selected()
    drawn = _colored_pixels(browser)
    assert len(drawn) == 9
    _open(browser, address)
    browser.get(link)
    _wait_for_title(browser, "pain minus finger")
    assert _colored_pixels(browser) == drawn


def test_click_into_a_slice_moves_the_position(browser, address):
    from selenium.webdriver import ActionChains

    _open(browser, address, "?text=pain", "pain")
    coronal = browser.find_elements("css selector", ".viewer canvas")[1]
    ActionChains(browser).move_to_element_with_offset(
        coronal, 20, -15
    ).click().perform()
    _wait_for_frame(browser)
    x, z = (int(_element(browser, axis).get_attribute("value")) for axis in "xz")
    box = coronal.rect
    assert x == pytest.approx(20 * 164 / box["width"], abs=3)
    assert z == pytest.approx(11 + 15 * 162 / box["height"], abs=3)
    caption = browser.find_elements("css selector", "figcaption")[0].text
    assert caption.startswith("sagittal, x = ")


def test_values_below_the_cursor_are_those_of_the_map(browser, address):
    _open(browser, address, "?text=pain", "pain")
    row = _rows(browser, "peaks")[0]
    row.find_element("css selector", "button").click()
    _wait_for_frame(browser)
    value = row.find_elements("css selector", "td")[-1].text
    assert _element(browser, "value").text.endswith(f": {value}")


def test_surface(browser, address):
    _open(browser, address, "?text=pain&view=surface&threshold=0.5", "pain")
    browser.switch_to.frame(_element(browser, "surface"))
    _wait(browser, lambda page: page.find_elements("css selector", "select"))
    assert browser.execute_script("return typeof Plotly") == "object"
    browser.switch_to.default_content()
    browser.get("about:blank")
    browser.get_log("browser")  # The graphics driver logs its performance.


def test_upload_to_terms(browser, address, image):
    _open(browser, address)
    _element(browser, "file").send_keys(str(image))
    browser.find_element("css selector", "#decode button").click()
    _wait_for_title(browser, "Uploaded map pain.nii.gz")
    _wait(browser, lambda page: _rows(page, "terms"))
    terms = [row.text.split()[0] for row in _rows(browser, "terms")[:2]]
    assert set(terms) == {"pain", "heat"}
    headings = browser.find_element("css selector", "#terms thead").text
    assert "percentile" in headings
    assert not _element(browser, "link").is_displayed()


def test_hostile_file(browser, address, tmp_path):
    path = tmp_path / "<img src=x onerror=alert(1)>.nii"
    path.write_bytes(b"<script>alert(1)</script>" * 100)
    _open(browser, address)
    _element(browser, "file").send_keys(str(path))
    browser.find_element("css selector", "#decode button").click()
    error = _wait(browser, lambda page: _element(page, "error").text)
    assert error.startswith("The file is not a NIfTI file.")
    assert not _element(browser, "result").is_displayed()


def test_hostile_text(browser, address):
    text = "<img src=x onerror=alert(1)> <script>alert(1)</script> pain"
    _open(browser, address)
    _element(browser, "text").send_keys(text)
    browser.find_element("css selector", "#ask button").click()
    _wait_for_title(browser, text)
    assert not browser.find_elements("css selector", "#result img, #result script")
    assert browser.find_element("css selector", "mark").text == "pain"


@pytest.mark.parametrize("text", ["?!", "pain " * 2000])
def test_refused_texts(browser, address, text):
    _open(browser, address)
    browser.execute_script(
        "document.getElementById('text').value = arguments[0];"
        "document.querySelector('#ask button').click();",
        text,
    )
    error = _wait(browser, lambda page: _element(page, "error").text)
    assert error.endswith(".")
    assert ("one word" in error) or ("5,000 characters" in error)


def test_number_of_supporting_studies(browser, address):
    _open(browser, address, "?text=pain&minus=finger", "pain minus finger")
    hints = browser.find_elements("css selector", "#texts .hint")
    assert [hint.text for hint in hints] == [
        "Supported by about 30 of 150 training studies.",
        "Supported by about 40 of 150 training studies.",
    ]


def test_low_confidence_warning(browser, address):
    _open(browser, address, "?text=brain", "brain")
    warning = browser.find_element("css selector", "#texts .warning").text
    assert "threshold 4.0" in warning


def test_keyboard_only(browser, address):
    from selenium.webdriver import ActionChains, Keys

    def press(*keys):
        ActionChains(browser).send_keys(*keys).perform()

    def focus_on(selector):
        for _ in range(60):
            press(Keys.TAB)
            focused = browser.switch_to.active_element
            if browser.execute_script(
                "return arguments[0].matches(arguments[1])", focused, selector
            ):
                return
        raise AssertionError(f"{selector} is not reached by the key Tab")

    _open(browser, address)
    focus_on("#text")
    press("pain", Keys.ENTER)
    _wait_for_title(browser, "pain")
    before = float(_element(browser, "threshold").get_attribute("value"))
    focus_on("#threshold")
    press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert float(_element(browser, "threshold").get_attribute("value")) < before
    x = int(_element(browser, "x").get_attribute("value"))
    focus_on("#x")
    press(Keys.ARROW_RIGHT)
    assert int(_element(browser, "x").get_attribute("value")) == x + 2
    focus_on("#nifti")
    focus_on("#peaks .table button")
    press(Keys.ENTER)


def _emulate(browser, dark, width):
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


@pytest.fixture
def _restored_screen(browser):
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.usefixtures("_restored_screen")
@pytest.mark.parametrize("query", ["?text=pain", "?text=pain&minus=finger", "api"])
def test_phone_width(browser, address, query):
    _emulate(browser, False, 360)
    title = {"?text=pain": "pain", "api": None}.get(query, "pain minus finger")
    _open(browser, address, query, title)
    wide = browser.execute_script(
        "return document.documentElement.scrollWidth - window.innerWidth"
    )
    assert wide <= 0


@pytest.mark.usefixtures("_restored_screen")
def test_dark_mode(browser, address):
    levels = []
    for dark in (False, True):
        _emulate(browser, dark, 1000)
        _open(browser, address)
        color = browser.execute_script(
            "return getComputedStyle(document.body).backgroundColor"
        )
        levels.append(np.mean([int(n) for n in color[4:-1].split(",")[:3]]))
    assert levels[0] > 240
    assert levels[1] < 60


@pytest.mark.usefixtures("_restored_screen")
@pytest.mark.skipif(not AXE, reason="NEUROCONTEXT_AXE is not the path of axe.min.js")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1200])
def test_accessibility(browser, address, dark, width):
    _emulate(browser, dark, width)
    for query, title in (
        ("", None),
        ("?text=pain", "pain"),
        ("?text=pain&minus=finger", "pain minus finger"),
        ("api", None),
    ):
        _open(browser, address, query, title)
        browser.execute_script(Path(AXE).read_text("utf-8"))
        found = browser.execute_async_script("axe.run().then(arguments[0])")
        serious = [
            (one["id"], one["nodes"][0]["html"])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []
        assert len(found["passes"]) > 10
