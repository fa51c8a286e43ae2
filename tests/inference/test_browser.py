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
    changed = tmp_path / "changed.html"
    changed.write_text(report.html.replace("</body>", "<script>none()</script></body>"))
    console, _ = _open(changed, tmp_path / "profile")
    assert "none is not defined" in console[0]
    path = report.save(tmp_path / "report.html")
    console, document = _open(path, tmp_path / "profile")
    assert console == []
    title = re.search("<title>(.*?)</title>", document, re.DOTALL)[1]
    assert html.unescape(title).startswith("<script>document")
    page = parse(document)
    assert len(page.scripts) == 2
    shown = [attrs for tag, attrs in page.tags if tag == "canvas"]
    assert [attrs.get("aria-label", "")[-19:-8] for attrs in shown][:1] != [""]
    assert "Strongest voxels above the threshold" in " ".join(page.words)


def test_browser_blocks_external_resources(report, tmp_path):
    path = tmp_path / "changed.html"
    outside = '<img src="http://localhost:9/a.png"></body>'
    path.write_text(report.html.replace("</body>", outside))
    console, _ = _open(path, tmp_path / "profile")
    assert "Content Security Policy" in console[0]


@pytest.mark.parametrize("which", ["corpus_report", "benchmark_report"])
def test_other_reports_open_without_errors(which, request, tmp_path):
    report = request.getfixturevalue(which)
    path = report.save(tmp_path / "report.html")
    console, document = _open(path, tmp_path / "profile")
    assert console == []
    assert "script" not in [tag for tag, _ in parse(document).tags]
