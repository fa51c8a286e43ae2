"""Change the files of saved models; save and load in one step."""

import json

from sklearn_neurocontext import load_model, save_model
from sklearn_neurocontext.persistence._format import (
    ARRAYS,
    DESCRIPTION,
    HASHES,
    _hash_file,
)


def edit(directory, change):
    """Change the description of a saved model, and its hash."""
    path = directory / DESCRIPTION
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))
    names = (DESCRIPTION, ARRAYS)
    lines = [f"{_hash_file(directory, name)}  {name}\n" for name in names]
    (directory / HASHES).write_text("".join(lines))


def reload(model, directory):
    """Save and load a model."""
    return load_model(save_model(model, directory))
