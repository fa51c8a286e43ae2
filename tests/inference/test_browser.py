"""Reports open in a browser without errors and without external resources."""

import html
import re
import shutil
import subprocess

import pytest

from tests.inference.pages import parse

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


def _open(path, profile):
    """Open a page in Chromium; return its console messages and its document."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--log-level=0"]
    command += [f"--user-data-dir={profile}", "--enable-logging=stderr"]
    command += ["--virtual-time-budget=8000", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return [ln for ln in done.stderr.splitlines() if "CONSOLE" in ln], done.stdout


def test_text_report_opens_without_errors(report, tmp_path):
    path = report.save(tmp_path / "report.html")
    console, document = _open(path, tmp_path / "profile")
    assert console == []
    title = re.search("<title>(.*?)</title>", document, re.DOTALL)[1]
    assert html.unescape(title).startswith("<script>document")
    page = parse(document)
    assert len(page.scripts) == 2
    labels = [attrs["aria-label"] for tag, attrs in page.tags if tag == "canvas"]
    assert "sagittal, x = " in labels[0]
    assert "Strongest voxels above the threshold" in " ".join(page.words)


@pytest.mark.parametrize(
    "outside",
    [
        '<img src="http://localhost:9/a.png">',
        "<script>document.title = 'owned'</script>",
    ],
)
def test_browser_blocks_external_resources_and_other_scripts(outside, report, tmp_path):
    path = tmp_path / "changed.html"
    outside += "</body>"
    path.write_text(report.html.replace("</body>", outside))
    console, _ = _open(path, tmp_path / "profile")
    assert "Content Security Policy" in console[0]


@pytest.mark.parametrize("which", ["corpus_report", "benchmark_report"])
def test_other_reports_open_without_errors(which, request, tmp_path):
    report = request.getfixturevalue(which)
    path = report.save(tmp_path / "report.html")
    console, document = _open(path, tmp_path / "profile")
    assert console == []
    assert len(parse(document).scripts) == (2 if which == "corpus_report" else 0)
