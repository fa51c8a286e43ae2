"""The README's Python runs as printed, and links lead somewhere."""

import re
from pathlib import Path

import pytest

from sklearn_neurocontext.persistence._kinds import KINDS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    inside = [target for target in targets if "://" not in target]
    missing = [name for name in inside if not (page.parent / name).exists()]
    assert not missing


def test_docs_name_all_that_can_be_saved():
    text = (ROOT / "docs" / "index.md").read_text()
    section = text.split("\n## Saving\n")[1].split("\n## ")[0]
    named = set(re.findall(r"`([A-Z]\w+)`", section))
    assert named == set(KINDS)


@pytest.mark.filterwarnings(
    "ignore::sklearn_neurocontext.datasets.CoordinateSpaceWarning",
    "ignore:Dropped 300 of 9492",
)
def test_python_blocks_run_as_printed(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        namespace = {}
        exec(compile(block, str(README), "exec"), namespace)
    assert (tmp_path / "map.nii.gz").is_file()
    printed = capsys.readouterr().out
    for word in ("finger", "recall_at_1", "recall_at_5", "mix_match", "dice"):
        assert word in printed
    assert len(namespace["scores"]["test_mix_match"]) == 15
    assert namespace["scores"]["test_mix_match"].mean() > 0.5


@pytest.mark.filterwarnings("ignore:Dropped")
def test_python_blocks_of_the_user_guide_run():
    text = (ROOT / "docs" / "index.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/index.md", "exec"), {})
