"""Print the concepts and tasks of the Cognitive Atlas in random order.

    python -m training.draw_queries FOLDER

FOLDER contains ``ConceptCollection.json`` and ``TaskCollection.json`` (see
`fetch_cognitive_atlas`). The queries of the set "cognitive atlas" in
``query_positions.tsv`` are the first 60 names in this order that fulfill these
conditions, judged without looking at predicted maps:

- The name is a function, a stimulus or a task, not a questionnaire or a test battery.
- A meta-analysis, a localizer paper or an atlas gives one place, or a few places that
  all respond. The column reference names it.
- No earlier query has the same name, and no earlier name of this set means the same
  function.
"""

import json
import sys
from pathlib import Path

import numpy as np

SEED = 2026
_FILES = {"concept": "ConceptCollection.json", "task": "TaskCollection.json"}


def draw(folder) -> list[tuple[str, str]]:
    """Return pairs of a kind ("concept" or "task") and a name, in random order."""
    found = set()
    for kind, file in _FILES.items():
        entries = json.loads((folder / file).read_text(encoding="utf-8"))["entries"]
        # Two entries of one kind can have the same name.
        found |= {
            (kind, entry["name"], entry.get("definition_text") or "")
            for entry in entries
        }
    order = np.random.default_rng(SEED).permutation(len(found))
    found = sorted(found)
    return [found[place][:2] for place in order]


if __name__ == "__main__":
    for place, (kind, name) in enumerate(draw(Path(sys.argv[1]))):
        print(f"{place}\t{kind}\t{name}")
