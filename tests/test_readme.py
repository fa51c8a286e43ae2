"""The README's Python runs as printed."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_python_block_runs_as_printed(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) == 1
    namespace = {}
    exec(compile(blocks[0], str(README), "exec"), namespace)
    printed = capsys.readouterr().out
    for word in ("recall_at_1", "recall_at_5", "mix_match", "dice"):
        assert word in printed
    assert len(namespace["scores"]["test_mix_match"]) == 15
    assert namespace["scores"]["test_mix_match"].mean() > 0.5
