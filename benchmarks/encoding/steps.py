"""Runs of ``bench_encoding.py``: names of methods, maps that are kept, and their steps.

The name of a method may end in steps, which are the same for all: ", 8 mm" smooths its
maps with that full width at half maximum; ", 0.5 on the mean map" takes half of what
they differ from the method's map of no information, and adds it to the mean of the
training studies' densities. Maps of components are coarser than voxels, that mean is
not.
"""

import argparse
import hashlib
import inspect
import re
import time
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np

from benchmarks.encoding.methods import (
    CHOSEN,
    DENSITIES,
    FLOORS,
    LEARNED,
    MAPS,
    OURS,
    Z_MAPS,
    predict,
)
from sklearn_neurocontext._utils.volumes import smooth_voxels
from sklearn_neurocontext.datasets import study_texts
from training.measures import mean_density

_BASES = (*FLOORS, *Z_MAPS, *DENSITIES, *LEARNED, OURS)
# Chosen on development studies, see docs/benchmarks.md. NeuroQuery's maps are of voxels
# already; the recipe has steps of its own.
_STEPS = ", 8 mm, 0.5 on the mean map"
METHODS = (
    *FLOORS,
    *Z_MAPS,
    *DENSITIES,
    *LEARNED,
    *(f"{name}, 0.5 on the mean map" for name in DENSITIES),
    *(f"{name}{_STEPS}" for name in LEARNED),
    OURS,
)
_NAME = re.compile(r"(.+?)(?:, (\d*\.?\d+) mm)?(?:, (\d*\.?\d+) on the mean map)?")
# Code that the maps of a method depend on.
_ROOT = Path(__file__).parents[2]
_PARTS = ("models", "text")
_CODE = ("benchmarks/encoding/methods.py", "benchmarks/encoding/features.py")


@dataclass(frozen=True)
class Method:
    """A method and its steps.

    Attributes
    ----------
    base : str
        What predicts.
    fwhm : float
        What maps are smoothed with, in mm; 0 for not at all.
    gain : float or None
        What the deviation from the method's mean is multiplied with; None leaves maps
        as they are.
    """

    base: str
    fwhm: float
    gain: float | None

    @property
    def steps(self) -> str:
        """What its steps are called; empty without any."""
        words = [f"{self.fwhm:g} mm"] if self.fwhm else []
        if self.gain is not None:
            words.append(f"{self.gain:g} on the mean map")
        return ", ".join(words)


def read_name(name) -> Method:
    """Read a method's name."""
    base, fwhm, gain = _NAME.fullmatch(name).groups()
    return Method(base, float(fwhm or 0), None if gain is None else float(gain))


def read_names(text) -> tuple:
    """Read names of methods, as the command line has them: "all", or by semicolons."""
    names = [" ".join(name.split()) for name in text.split(";")]
    names = METHODS if text == "all" else tuple(name for name in names if name)
    if not names:
        raise argparse.ArgumentTypeError(f"no name; known are {'; '.join(_BASES)}")
    methods = [read_name(name) for name in names]
    unknown = sorted({method.base for method in methods} - set(_BASES))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown}; known are {'; '.join(_BASES)}")
    meanless = [method.base for method in methods if method.gain is not None]
    meanless = sorted(set(meanless) - {*LEARNED, *DENSITIES})
    if meanless:
        raise argparse.ArgumentTypeError(f"{meanless} cannot be put on the mean map")
    wanted = any(method.base in (*DENSITIES, *Z_MAPS) for method in methods)
    if wanted and find_spec("neuroquery") is None:
        raise argparse.ArgumentTypeError(
            "NeuroQuery is not installed: pip install neuroquery, or name other methods"
        )
    return names


def run(name, task) -> dict:
    """Give the maps of a method, from a file where an earlier run made them."""
    method = read_name(name)
    result = _predict(method.base, task)
    maps = result["maps"].astype(np.float64)
    mask_img = task.masker.mask_img_
    if method.fwhm:
        maps = smooth_voxels(maps, mask_img, method.fwhm)
    if method.gain is not None:
        mean = result["mean"].astype(np.float64)[None]
        mean = smooth_voxels(mean, mask_img, method.fwhm)
        maps = result["fine_mean"] + method.gain * (maps - mean)
    return result | {"maps": maps}


def _predict(base, task):
    path = task.output / f"maps_{base.replace(' ', '_')}_{_key(base, task)[:12]}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return {key: kept[key] for key in kept}
    started = time.perf_counter()
    result = predict(base, task)
    result["seconds"] = np.array(time.perf_counter() - started)
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, **result)
    part.replace(path)
    print(f"{base}: {result['seconds']:.0f} s", flush=True)
    return result


def _key(base, task) -> str:
    """Hash what a method's maps depend on, the code that makes them included.

    It takes what data and settings say, no numbers that another machine would round
    otherwise.
    """
    facts = [base, task.seed, task.studies, task.peaks(), task.masker.get_params()]
    facts += [study_texts(task.corpus, "title"), task.corpus.get("term_counts")]
    topics = task.topics
    facts += [topics.descriptions, topics.experiments, topics.left_out]
    if base in LEARNED:
        facts += [vars(task.rows()[1])]
    if base == OURS:
        facts += [CHOSEN, MAPS]
    return joblib.hash((facts, _code_hash(base)))


def _code_hash(base) -> str:
    modules, parts = list(_CODE), list(_PARTS)
    if base == OURS:
        modules += ["training/recipe.py", "training/measures.py"]
        parts.append("inference")
    if base in (*DENSITIES, *Z_MAPS):
        modules.append("benchmarks/encoding/neuroquery_maps.py")
    paths = [_ROOT / module for module in modules]
    for part in parts:
        folder = Path(str(files("sklearn_neurocontext"))) / part
        paths += sorted(folder.glob("*.py"))
    code = [path.read_bytes() for path in paths]
    code.append(inspect.getsource(mean_density).encode())
    return hashlib.sha256(b"".join(code)).hexdigest()
