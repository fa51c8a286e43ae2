"""The code blocks of the README and of the docs run, and links lead somewhere."""

import re
from pathlib import Path

import pytest

from sklearn_neurocontext.cli import main
from sklearn_neurocontext.persistence._kinds import KINDS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    inside = [target for target in targets if "://" not in target]
    # Pages in this folder are written by the build of the site, which checks the links.
    inside = [target for target in inside if not target.startswith("generated/")]
    missing = [name for name in inside if not (page.parent / name).exists()]
    assert not missing


def test_docs_name_all_that_can_be_saved():
    text = (ROOT / "docs" / "guide" / "saving.md").read_text()
    section = text.split("\n## Saved models\n")[1].split("\n## ")[0]
    named = set(re.findall(r"`([A-Z]\w+)`", section))
    assert named == set(KINDS)


@pytest.mark.filterwarnings("ignore:Dropped 300 of 9492")
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


def _python_blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)


@pytest.mark.filterwarnings("ignore:Dropped", "ignore:imgs are being resampled")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES[1:] if _python_blocks(page)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_python_blocks_of_a_page_run_in_their_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in _python_blocks(page):
        exec(compile(block, str(page), "exec"), namespace)


def _commands(page):
    """Return the arguments of each `neurocontext` command in a page."""
    text = page.read_text().replace("\\\n", " ")
    return re.findall(r"(?:^|`)neurocontext ([a-z][^`\n]*)", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _commands(page)], ids=lambda page: page.name
)
def test_commands_and_their_options_exist(page):
    for arguments in _commands(page):
        command = main.commands[arguments.split()[0]]
        known = {name for option in command.params for name in option.opts}
        used = re.findall(r"(?<=\s)--?[a-z][\w-]*", arguments)
        assert set(used) <= known | {"--help"}, arguments


def test_blocks_that_need_a_cluster_compile():
    text = (ROOT / "docs" / "guide" / "scaling.md").read_text()
    (block,) = re.findall(r"```py\n(.*?)```", text, flags=re.DOTALL)
    compile(block, "scaling.md", "exec")
