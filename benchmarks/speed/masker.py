"""Speed of peaks to coefficients: this package, NeuroQuery with nilearn, and NiMARE.

    python -m benchmarks.speed.masker --output bench_masker

All use the same studies, the same atlas of 512 overlapping maps on the 4 mm grid, and
two threads. Each measurement runs in a new process, whose peak resident memory is
reported. CPU time is reported beside wall-clock time, since other jobs on the machine
affect it less. NeuroQuery runs on --reference studies; its time for other numbers is
extrapolated from the mean per study and marked with a tilde.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import resource
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import nibabel as nib
import numpy as np
import pandas as pd

N_MAPS = 512
SIZES = (1, 100, 200, 1000, 2000)
FWHM = 9.0


class Stopwatch:
    """Wall-clock time and CPU time since creation."""

    def __init__(self):
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self):
        """Return both times in seconds."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"wall_s": wall, "cpu_s": cpu}


def peak_gb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def in_fresh_process(function, *args):
    """Run a function that returns a dictionary in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        result = pool.submit(function, *args).result()
    print(f"{function.__name__:12s} {json.dumps(result)}", flush=True)
    return result


def load_peaks(n_studies):
    """Return peaks of studies of NeuroQuery and Neurosynth in a fixed random order."""
    from sklearn_neurocontext.datasets import load_corpus

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peaks = load_corpus("neuroquery+neurosynth").peaks
    order = np.random.default_rng(0).permutation(len(peaks))[:n_studies]
    return [peaks[row] for row in order]


def peaks_table(peaks):
    pmid = np.repeat(np.arange(len(peaks)), [len(xyz) for xyz in peaks])
    return pd.DataFrame(np.concatenate(peaks), columns=list("xyz")).assign(pmid=pmid)


def make_atlas(path, mask_img):
    """Save overlapping Gaussians (sigma 10 mm) around random voxels of the mask."""
    grid = np.moveaxis(np.indices(mask_img.shape), 0, -1)
    voxels = np.argwhere(mask_img.dataobj)
    centers = np.random.default_rng(1).choice(voxels, N_MAPS, replace=False)
    maps = np.empty((*mask_img.shape, N_MAPS), dtype=np.float32)
    for index, center in enumerate(centers):
        squares = ((grid - center) ** 2).sum(axis=3)
        maps[..., index] = np.exp(-squares / (2 * 2.5**2))
    nib.save(nib.Nifti1Image(maps, mask_img.affine), path)


def load_atlas(path):
    """Load maps into memory, as nilearn does when it concatenates images."""
    img = nib.load(path)
    return nib.Nifti1Image(np.asarray(img.dataobj), img.affine)


def ours(atlas, n_studies):
    from sklearn_neurocontext import KDEDiFuMoMasker

    warnings.simplefilter("ignore")
    peaks = load_peaks(n_studies)
    watch = Stopwatch()
    masker = KDEDiFuMoMasker(atlas).fit()
    fit = watch.read()
    watch = Stopwatch()
    masker.transform(peaks)
    return watch.read() | {
        "n": len(peaks),
        "fit_s": fit["wall_s"],
        "fit_cpu_s": fit["cpu_s"],
        "peak_gb": peak_gb(),
    }


def neuroquery(n_studies, path):
    """Measure `coordinates_to_maps` and save its maps."""
    from neuroquery.img_utils import coordinates_to_maps

    warnings.simplefilter("ignore")
    table = peaks_table(load_peaks(n_studies))
    watch = Stopwatch()
    with contextlib.redirect_stdout(io.StringIO()):
        maps, masker = coordinates_to_maps(table, target_affine=(4, 4, 4), fwhm=FWHM)
    seconds = watch.read()
    np.save(path, maps.to_numpy(dtype=np.float32))
    nib.save(masker.mask_img_, Path(path).with_name("mask.nii"))
    return seconds | {"n": len(maps), "peak_gb": peak_gb()}


def nilearn(atlas, n_studies, densities):
    """Measure `NiftiMapsMasker.transform` on densities in memory."""
    from nilearn.maskers import NiftiMapsMasker

    warnings.simplefilter("ignore")
    mask_img = nib.load(Path(densities).with_name("mask.nii"))
    inside = np.asarray(mask_img.dataobj) > 0
    # The time does not depend on values: rows are repeated to reach n_studies.
    rows = np.resize(np.load(densities), (n_studies, inside.sum()))
    volume = np.zeros((*inside.shape, n_studies), dtype=np.float32)
    volume[inside] = rows.T
    img = nib.Nifti1Image(volume, mask_img.affine)
    masker = NiftiMapsMasker(load_atlas(atlas), mask_img=mask_img)
    masker.set_params(resampling_target=None).fit()
    watch = Stopwatch()
    masker.transform(img)
    return watch.read() | {"n": n_studies, "peak_gb": peak_gb()}


def nimare(atlas, n_studies):
    """Measure NiMARE's Gaussian kernel and its masker on the 4 mm grid.

    On this grid its Gaussian is narrower than requested: only the time is comparable.
    """
    from nilearn.maskers import NiftiMapsMasker
    from nimare.meta.kernel import ALEKernel
    from nimare.ml import MAKernel, MaskerTransformer
    from nimare.studyset import Studyset

    from sklearn_neurocontext import KDEDiFuMoMasker

    warnings.simplefilter("ignore")
    mask_img = KDEDiFuMoMasker("geometric", 128).fit().mask_img_
    studies = []
    for row, xyz in enumerate(load_peaks(n_studies)):
        points = [
            {"space": "MNI", "coordinates": peak.tolist(), "values": []} for peak in xyz
        ]
        analysis = {"id": "1", "name": "", "conditions": [], "weights": []}
        analysis |= {"images": [], "points": points}
        study = {"id": str(row), "name": "", "authors": "", "publication": ""}
        studies.append(study | {"metadata": {}, "analyses": [analysis]})
    content = {"id": "bench", "name": "", "studies": studies}
    bunch = Studyset(content, mask=mask_img).to_bunch()
    maps_masker = NiftiMapsMasker(load_atlas(atlas), mask_img=mask_img)
    maps_masker.set_params(resampling_target=None)
    watch = Stopwatch()
    kernel = MAKernel(ALEKernel(fwhm=FWHM), source_masker=bunch.masker)
    densities = kernel.fit_transform(bunch.data)
    smoothing = watch.read()
    reducer = MaskerTransformer(maps_masker, source_masker=bunch.masker)
    reducer.fit_transform(densities)
    return watch.read() | {
        "n": len(studies),
        "smoothing_cpu_s": smoothing["cpu_s"],
        "peak_gb": peak_gb(),
    }


def measure_speed(folder, n_reference):
    """Run all measurements in turn; those of an earlier run are kept."""
    file = folder / "speed.json"
    results = json.loads(file.read_text()) if file.exists() else {}

    def measure(function, *args, name=None):
        key = name or f"{function.__name__} {args[1]}"
        if key not in results:
            results[key] = in_fresh_process(function, *args)
            file.write_text(json.dumps(results, indent=1))

    atlas, densities = str(folder / "atlas.nii"), str(folder / "densities.npy")
    measure(neuroquery, n_reference, densities, name="neuroquery")
    if not Path(atlas).exists():
        make_atlas(atlas, nib.load(folder / "mask.nii"))
    measure(ours, atlas, 1, name="build")
    for n_studies in (*SIZES, None):
        measure(ours, atlas, n_studies)
    for n_studies in (200, 1, 2000, 100, 1000):
        measure(nilearn, atlas, n_studies, densities)
    measure(nimare, atlas, 100)
    return results


def gather(results, name):
    """Return the measurements of a function, sorted by number of studies."""
    rows = [row for key, row in results.items() if key.split()[0] == name]
    return sorted(rows, key=lambda row: row["n"])


def draw(results, path):
    """Plot time and memory against the number of studies."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    theirs = reference_rows(results)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
    lines = {
        "NeuroQuery + NiftiMapsMasker": (theirs, "#999999", "s"),
        "NiMARE + NiftiMapsMasker": (gather(results, "nimare"), "#E69F00", "^"),
        "KDEDiFuMoMasker": (gather(results, "ours"), "#0072B2", "o"),
    }
    for name, (rows, color, marker) in lines.items():
        if not rows:
            continue
        style = {"color": color, "marker": marker, "label": name}
        left.loglog([r["n"] for r in rows], [r["cpu_s"] for r in rows], **style)
        right.semilogx([r["n"] for r in rows], [r["peak_gb"] for r in rows], **style)
    left.set_ylabel("CPU time (s)")
    right.set_ylabel("peak resident memory (GB)")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xlabel("studies in one call")
        axes.spines[["top", "right"]].set_visible(False)
    handles = left.get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=100)


def reference_rows(results):
    """Return the sum of NeuroQuery's and nilearn's times for each number of studies."""
    measured, rows = results["neuroquery"], []
    for nilearn_row in gather(results, "nilearn"):
        n_studies = nilearn_row["n"]
        row = {"n": n_studies}
        for unit in ("wall_s", "cpu_s"):
            smoothing = measured[unit] * n_studies / measured["n"]
            row[unit] = smoothing + nilearn_row[unit]
        row["peak_gb"] = max(measured["peak_gb"], nilearn_row["peak_gb"])
        rows.append(row)
    return rows


def write_table(results, path):
    theirs = {row["n"]: row for row in reference_rows(results)}
    nimare_rows = {row["n"]: row for row in gather(results, "nimare")}
    names = ("KDEDiFuMoMasker", "NeuroQuery + nilearn", "ratio", "NiMARE + nilearn")
    lines = [f"| studies | {' | '.join(names)} |", "|---|---|---|---|---|"]
    for row in gather(results, "ours"):
        n_studies = row["n"]
        cells = [f"{n_studies:,}", cell(row), "–", "–", "–"]
        if n_studies in theirs:
            other = theirs[n_studies]
            mark = "~" if n_studies != results["neuroquery"]["n"] else ""
            cells[2] = mark + cell(other)
            wall, cpu = (other[unit] / row[unit] for unit in ("wall_s", "cpu_s"))
            cells[3] = f"{mark}{wall:,.0f} / {cpu:,.0f}"
        if n_studies in nimare_rows:
            cells[4] = cell(nimare_rows[n_studies])
        lines.append(f"| {' | '.join(cells)} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


def cell(row):
    wall, cpu = (f"{float(f'{row[unit]:.3g}'):,g}" for unit in ("wall_s", "cpu_s"))
    return f"{wall} / {cpu} s, {row['peak_gb']:.2f} GB"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("bench_masker"))
    parser.add_argument(
        "--reference", type=int, default=200, help="studies that NeuroQuery runs on"
    )
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("NEUROCONTEXT_CACHE", str(options.output.resolve() / "cache"))
    results = measure_speed(options.output, options.reference)
    write_table(results, options.output / "speed.md")
    draw(results, options.output / "masker_speed.png")


if __name__ == "__main__":
    main()
