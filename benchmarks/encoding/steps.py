"""Names of methods, the steps after prediction, and maps kept between runs.

The name of a method may end in steps: ", 8 mm" smooths its maps with that full width at
half maximum; ", 0.5 on the mean map" multiplies the difference from the method's mean
map by 0.5 and adds it to the mean density of the training studies, which has the
resolution of voxels, whereas maps of components are coarser.
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
    BASELINES,
    CHOSEN,
    DENSITIES,
    LEARNED,
    MAPS,
    OURS,
    Z_MAPS,
    predict,
)
from sklearn_neurocontext._utils.volumes import smooth_voxels
from sklearn_neurocontext.datasets import study_texts
from training.measures import mean_density

_BASES = (*BASELINES, *Z_MAPS, *DENSITIES, *LEARNED, OURS)
# Chosen on development studies, see docs/results.md. NeuroQuery's maps have the
# resolution of voxels already; the shipped recipe has its own steps.
_STEPS = ", 8 mm, 0.5 on the mean map"
METHODS = (
    *BASELINES,
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
        Name without steps.
    fwhm : float
        Full width at half maximum of the smoothing, in mm; 0 for none.
    gain : float or None
        Factor of the difference from the method's mean map; None leaves maps
        unchanged.
    """

    base: str
    fwhm: float
    gain: float | None

    @property
    def steps(self) -> str:
        """Name of the steps; empty if there are none."""
        words = [f"{self.fwhm:g} mm"] if self.fwhm else []
        if self.gain is not None:
            words.append(f"{self.gain:g} on the mean map")
        return ", ".join(words)


def read_name(name) -> Method:
    """Parse the name of a method."""
    base, fwhm, gain = _NAME.fullmatch(name).groups()
    return Method(base, float(fwhm or 0), None if gain is None else float(gain))


def read_names(text) -> tuple:
    """Parse names separated by semicolons, or "all"."""
    names = [" ".join(name.split()) for name in text.split(";")]
    names = METHODS if text == "all" else tuple(name for name in names if name)
    if not names:
        raise argparse.ArgumentTypeError(f"no method; known are {'; '.join(_BASES)}")
    methods = [read_name(name) for name in names]
    unknown = sorted({method.base for method in methods} - set(_BASES))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown}; known are {'; '.join(_BASES)}")
    meanless = [method.base for method in methods if method.gain is not None]
    meanless = sorted(set(meanless) - {*LEARNED, *DENSITIES})
    if meanless:
        raise argparse.ArgumentTypeError(f"{meanless} have no mean map to replace")
    wanted = any(method.base in (*DENSITIES, *Z_MAPS) for method in methods)
    if wanted and find_spec("neuroquery") is None:
        raise argparse.ArgumentTypeError(
            "NeuroQuery is not installed: pip install neuroquery, or name other methods"
        )
    return names


def run(name, task) -> dict:
    """Return the maps of a method, from a file if an earlier run saved them."""
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
    """Return a hash of data, settings and code that the maps of a method depend on.

    Numbers that another machine could round differently are left out.
    """
    content = [
        base,
        task.random_state,
        task.studies,
        task.peaks(),
        task.masker.get_params(),
    ]
    content += [study_texts(task.corpus, "title"), task.corpus.get("term_counts")]
    topics = task.topics
    content += [topics.descriptions, topics.experiments, topics.left_out]
    if base in LEARNED:
        content += [vars(task.rows()[1])]
    if base == OURS:
        content += [CHOSEN, MAPS]
    return joblib.hash((content, _code_hash(base)))


def _code_hash(base) -> str:
    modules, parts = list(_CODE), list(_PARTS)
    if base == OURS:
        modules += ["training/recipe.py", "training/measures.py"]
        parts.append("inference")
    if base in (*DENSITIES, *Z_MAPS):
        modules.append("benchmarks/encoding/neuroquery_maps.py")
        parts.append("comparators")
    paths = [_ROOT / module for module in modules]
    for part in parts:
        folder = Path(str(files("sklearn_neurocontext"))) / part
        paths += sorted(folder.glob("*.py"))
    code = [path.read_bytes() for path in paths]
    code.append(inspect.getsource(mean_density).encode())
    return hashlib.sha256(b"".join(code)).hexdigest()
