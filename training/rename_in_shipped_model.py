"""Rename parameters and fitted attributes in the files of a saved NeuroContextModel.

    python -m training.rename_in_shipped_model FOLDER

Run it once after names in the package have changed. It rewrites ``model.json`` and the
names of arrays in ``model.safetensors`` of the folders model, masker and index, and
their hashes; the values of all arrays stay equal bit by bit. Applied to files that have
the new names already, it changes nothing.
"""

import hashlib
import json
import sys
from pathlib import Path

from safetensors.numpy import load, save

# Types of estimators: old name -> new name.
TYPES = {"LandmarkKernel": "NystroemKernel"}
# Parameters and fitted attributes of a type (new name): old name -> new name.
ATTRIBUTES = {
    "KernelCCA": {
        "n_landmarks": "n_nystroem",
        "landmarks_": "nystroem_components_",
        "landmark_projection_": "nystroem_projection_",
    },
    "NystroemKernel": {"n_landmarks": "n_components", "landmarks_": "components_"},
    "TextBrainEnsemble": {"members_": "estimators_", "deviations_": "stds_"},
}
# Names of steps in pipelines, which `make_pipeline` derives from types.
STEPS = {"landmarkkernel": "nystroemkernel"}
# Entries of the index, at any depth.
INDEX = {
    "n_landmarks": "n_nystroem",
    "curvature": "quadratic_coef",
    "z_scale": "null_std",
}


def rename(value, arrays):
    """Return a JSON value with new names; rename the arrays that it mentions."""
    if isinstance(value, list):
        return [rename(one, arrays) for one in value]
    if not isinstance(value, dict):
        return value
    if {"type", "params"} < set(value):
        return _rename_estimator(value, arrays)
    if set(value) == {"tuple"} and len(value["tuple"]) == 2:
        name, step = value["tuple"]
        if isinstance(step, dict) and "estimator" in step:
            return {"tuple": [STEPS.get(name, name), rename(step, arrays)]}
    return {name: rename(one, arrays) for name, one in value.items()}


def _rename_estimator(content, arrays):
    """Return the description of an estimator with new names."""
    kind = TYPES.get(content["type"], content["type"])
    names = ATTRIBUTES.get(kind, {})
    renamed = {"type": kind}
    learned = content.get("learned", content.get("facts"))
    for part, values in (("params", content["params"]), ("learned", learned)):
        renamed[part] = {
            names.get(name, name): _rename_arrays(rename(one, arrays), names, arrays)
            for name, one in values.items()
        }
    return renamed


def _rename_arrays(value, names, arrays):
    """Rename the array that a fitted attribute is stored in, where its name ends so."""
    if not (isinstance(value, dict) and "array" in value):
        return value
    path, _, last = value["array"].rpartition(".")
    new = f"{path}.{names.get(last, last)}"
    arrays[new] = arrays.pop(value["array"])
    return {**value, "array": new}


def rename_in_index(value, arrays):
    """Return the index with new names; rename the arrays that it mentions."""
    if isinstance(value, list):
        return [rename_in_index(one, arrays) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        INDEX.get(name, name): _rename_arrays(
            rename_in_index(one, arrays), INDEX, arrays
        )
        for name, one in value.items()
    }


def _rename_index(description, arrays, hashes):
    """Return the values of the index with new names and the hashes of the parts."""
    content = description.pop("index", None) or description.pop("values")
    description.pop("sums", None)
    content["dict"].pop("hashes", None)
    for name in [name for name in arrays if name.startswith("index.")]:
        arrays[name.replace("index", "values", 1)] = arrays.pop(name)
    text = json.dumps(content).replace('"array": "index.', '"array": "values.')
    index = json.loads(text)["dict"]
    # Terms are words of studies, not names of the package.
    renamed = {**rename_in_index(index, arrays), "terms": index["terms"]}
    return {"dict": {"hashes": {"dict": hashes}, **renamed}}


def write(folder, description, packed):
    """Write the three files of a saved model; return the hash of its hashes."""
    text = json.dumps(description, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    files = {"model.json": text.encode("utf-8"), "model.safetensors": packed}
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in files.items()
    )
    files["SHA256SUMS"] = sums.encode("ascii")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return hashlib.sha256(files["SHA256SUMS"]).hexdigest()


def main(directory):
    """Rename in the folders model, masker and index of a saved model."""
    directory = Path(directory)
    hashes = {}
    for part in ("model", "masker", "index"):
        folder = directory / part
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        packed = (folder / "model.safetensors").read_bytes()
        arrays = load(packed)
        before = {array.tobytes() for array in arrays.values()}
        names = set(arrays)
        description.pop("array_bytes", None)
        if part == "index":
            described = json.loads((directory / "model" / "model.json").read_text())
            description["versions"] = described["versions"]
            description["values"] = _rename_index(description, arrays, hashes)
        else:
            description["model"] = rename(description["model"], arrays)
        if set(arrays) != names:
            packed = save(arrays)
            if {array.tobytes() for array in load(packed).values()} != before:
                raise RuntimeError(f"The arrays of {folder} changed.")
        hashes[part] = write(folder, description, packed)


if __name__ == "__main__":
    main(sys.argv[1])
