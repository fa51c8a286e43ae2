"""Corrupt files of saved models at random and check that loading them fails.

    python -m benchmarks.robustness.corrupt_model [--n 200]

Each of n copies of two saved models (a network and an ensemble) gets one corrupted
file: a bit is flipped, or bytes are cut off, removed, inserted or overwritten. Loading
must raise ValueError; a copy that loads, or fails otherwise, is printed with its seed
and makes the exit code 1.
"""

import argparse
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurocontext import (
    ContrastiveTextBrain,
    KernelCCA,
    RidgeBaseline,
    TermCounts,
    TextBrainEnsemble,
    load_model,
    save_model,
)


def corrupt(content: bytes, rng) -> bytes:
    """Return the content of a file with one random corruption."""
    corrupted = bytearray(content)
    start, stop = np.sort(rng.integers(0, len(content), size=2))
    kind = rng.integers(5)
    if kind == 0:
        corrupted[start] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del corrupted[start:]
    elif kind == 2:
        del corrupted[start : stop + 1]
    elif kind == 3:
        corrupted[start:start] = rng.bytes(int(rng.integers(1, 40)))
    else:
        corrupted[start : stop + 1] = rng.bytes(int(stop + 1 - start))
    return bytes(corrupted)


def make_models() -> dict:
    """Return two fitted models by name."""
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(30)]
    texts = [" ".join(rng.choice(words, 8)) for _ in range(80)]
    X, y = rng.normal(size=(30, 4)), rng.normal(size=(80, 12))
    network = ContrastiveTextBrain(3, max_epochs=2, batch_size=32, random_state=0)
    ridge = make_pipeline(
        TruncatedSVD(8, random_state=0), RidgeBaseline(y_scaling="sqrt")
    )
    estimators = [
        (name, make_pipeline(TermCounts(min_df=2), TfidfTransformer(), model))
        for name, model in (("kernel", KernelCCA(4, random_state=0)), ("ridge", ridge))
    ]
    return {
        "network": make_pipeline(StandardScaler(), network).fit(X, y[:30]),
        "ensemble": TextBrainEnsemble(estimators, random_state=0).fit(texts, y),
    }


def try_corruption(saved: Path, copy: Path, seed: int) -> str | None:
    """Load a corrupted copy of a saved model; return a problem, or None if refused."""
    rng = np.random.default_rng(seed)
    shutil.copytree(saved, copy)
    files = sorted(copy.iterdir())
    path = files[rng.integers(len(files))]
    before = path.read_bytes()
    while (after := corrupt(before, rng)) == before:
        pass
    path.write_bytes(after)
    try:
        load_model(copy)
    except ValueError:
        return None
    except Exception as error:
        return f"{path.name}, seed {seed}: {type(error).__name__}: {error}"
    finally:
        shutil.rmtree(copy)
    return f"{path.name}, seed {seed}: loaded"


def main():
    """Corrupt and load n copies of each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=200, help="copies of each model")
    n = parser.parse_args().n
    warnings.simplefilter("ignore")
    n_problems = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, model in make_models().items():
            saved = Path(folder) / name
            save_model(model, saved)
            tries = (try_corruption(saved, Path(folder) / "copy", i) for i in range(n))
            problems = [problem for problem in tries if problem is not None]
            print(f"{name}: {n - len(problems)} of {n} corrupted copies were refused")
            print("\n".join(problems), end="\n" if problems else "")
            n_problems += len(problems)
    sys.exit(n_problems > 0)


if __name__ == "__main__":
    main()
