"""Accuracy of the masker, and its cost with an atlas of realistic size.

    python -m benchmarks.speed.check_masker parity
    python -m benchmarks.speed.check_masker voxelization
    python -m benchmarks.speed.check_masker real-size

parity: 200 studies compared with NeuroQuery's smoothing and nilearn's NiftiMapsMasker,
for DiFuMo (100 maps) and 512 overlapping maps, with a mask and without. voxelization:
difference of the three methods from Gaussians at the exact positions of the peaks.
real-size: time and memory to build a table for 512 maps of DiFuMo's shape, and to open
it in a second process.
"""

import argparse
import contextlib
import io
import os
import tempfile
import time
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks.speed.masker import (
    in_fresh_process,
    load_atlas,
    load_peaks,
    make_atlas,
    peak_gb,
    peaks_table,
)
from sklearn_neurocontext import KDEDiFuMoMasker

N_STUDIES = 200
# Maximum difference from the reference as a share of its largest coefficient.
TOLERANCE = 1e-4
REAL_SHAPE = (104, 123, 104, 512)


def measure_parity(folder, data) -> float:
    """Return the largest difference of coefficients from NeuroQuery and nilearn."""
    from neuroquery.img_utils import coordinates_to_maps, get_masker
    from nilearn.maskers import NiftiMapsMasker

    table = peaks_table(load_peaks(N_STUDIES))
    grid = get_masker(None, (4, 4, 4)).mask_img_
    make_atlas(folder / "atlas.nii", grid)
    (difumo,) = (data / "atlases").glob("*DiFuMo*probseg.nii.gz")
    worst = 0.0
    whole = nib.Nifti1Image(np.ones(grid.shape, np.uint8), grid.affine)
    for mask_img, theirs in (("mni", grid), (None, whole)):
        with contextlib.redirect_stdout(io.StringIO()):
            maps, masker = coordinates_to_maps(table, mask_img=theirs)
        densities = masker.inverse_transform(maps.to_numpy())
        for name, atlas in (("difumo", difumo), ("soft", folder / "atlas.nii")):
            ours = KDEDiFuMoMasker(atlas, mask_img=mask_img, voxelization="neuroquery")
            coefficients = ours.fit().transform(table)
            nilearn = NiftiMapsMasker(
                load_atlas(atlas),
                mask_img=mask_img and theirs,
                resampling_target="data",
            )
            expected = nilearn.fit_transform(densities)
            off = np.abs(coefficients - expected).max() / np.abs(expected).max()
            print(f"{name:7s} mask_img={mask_img!s:5s} n={len(maps)} {off:.1e}")
            # Unlike `max`, this keeps not-a-number.
            worst = np.maximum(worst, off)
    return float(worst)


def check_parity(folder, data):
    worst = measure_parity(folder, data)
    if not worst <= TOLERANCE:
        raise SystemExit(
            f"The difference must be at most {TOLERANCE:.0e}; got {worst:.1e}."
        )


def check_voxelization(folder, data):
    names = ("nearest", "linear", "neuroquery")
    maskers = {
        name: KDEDiFuMoMasker("geometric", 512, voxelization=name).fit()
        for name in names
    }
    mask_img = maskers["nearest"].mask_img_
    inside = np.asarray(mask_img.dataobj) > 0
    centers = nib.affines.apply_affine(mask_img.affine, np.argwhere(inside))
    width = 9 / np.sqrt(8 * np.log(2))
    peaks, exact = [], []
    for xyz in load_peaks(2 * N_STUDIES):
        voxels = nib.affines.apply_affine(np.linalg.inv(mask_img.affine), xyz)
        voxels = np.rint(voxels).astype(int)
        on_grid = ((voxels >= 0) & (voxels < inside.shape)).all(axis=1)
        on_grid[on_grid] = inside[tuple(voxels[on_grid].T)]
        if not on_grid.any():
            continue
        peaks.append(xyz[on_grid])
        squares = ((centers[:, None] - xyz[on_grid]) ** 2).sum(axis=2)
        density = np.zeros(inside.shape)
        density[inside] = np.exp(-squares / (2 * width**2)).sum(axis=1)
        density *= 4**3 / (np.sqrt(2 * np.pi) * width) ** 3
        img = nib.Nifti1Image(density, mask_img.affine)
        exact.append(maskers["nearest"].transform_imgs(img)[0])
    rows = {name: masker.transform(peaks) for name, masker in maskers.items()}
    rows["exact"] = np.array(exact)
    for one, other in (
        *((name, "exact") for name in names),
        ("neuroquery", "nearest"),
        ("linear", "nearest"),
    ):
        pairs = zip(rows[one], rows[other], strict=True)
        correlation = np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs])
        off = np.linalg.norm(rows[one] - rows[other]) / np.linalg.norm(rows[other])
        print(
            f"{one:10s} against {other:8s} n={len(peaks)} correlation "
            f"{correlation:.3f} distance {off:.3f}"
        )


def make_real_size(path, full):
    """Write 512 maps of DiFuMo's shape: blobs like its own, or maps without zeros."""
    rng = np.random.default_rng(0)
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = [-103, -139, -81]
    header = nib.Nifti1Header()
    header.set_data_shape(REAL_SHAPE)
    header.set_data_dtype(np.float32)
    header.set_sform(affine)
    header["magic"], header["vox_offset"] = b"n+1", 352
    grid = np.indices(REAL_SHAPE[:3])
    with path.open("wb") as stream:
        stream.write(header.binaryblock + bytes(4))
        for _ in range(REAL_SHAPE[3]):
            center = rng.uniform(20, np.array(REAL_SHAPE[:3]) - 20)
            squares = sum((grid[axis] - center[axis]) ** 2 for axis in range(3))
            blob = np.exp(-squares / (2 * 8**2)).astype(np.float32)
            if not full:
                blob[blob < 0.01] = 0
            blob.ravel(order="F").tofile(stream)


def fit_real_size(path, settings):
    warnings.simplefilter("ignore")
    before, start = peak_gb(), time.perf_counter()
    masker = KDEDiFuMoMasker(path, **settings).fit()
    seconds = time.perf_counter() - start
    row = masker.transform([[[-40, -24, 56], [10, 20, 30]]])
    return {
        "fit_s": seconds,
        "cpu_s": time.process_time(),
        "peak_gb": peak_gb(),
        "peak_before_gb": before,
        "grid": masker.mask_img_.shape,
        "condition": masker._recipe.maps().condition,
        "sum": float(row.sum()),
    }


def check_real_size(folder, data):
    for full in (False, True):
        path = folder / f"real_size_{'full' if full else 'sparse'}.nii"
        make_real_size(path, full)
        for settings in ({}, {"mask_img": None, "target_affine": None}):
            print(path.name, settings)
            for _ in range(2):
                in_fresh_process(fit_real_size, str(path), settings)
        path.unlink()


CHECKS = {
    "parity": check_parity,
    "voxelization": check_voxelization,
    "real-size": check_real_size,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("check", choices=list(CHECKS))
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("NEUROCONTEXT_DATA")
    )
    parser.add_argument("--folder", type=Path, help="folder of temporary files (6 GB)")
    options = parser.parse_args()
    if options.data:
        os.environ["NEUROCONTEXT_DATA"] = str(options.data)
    elif options.check != "real-size":
        parser.error("set --data or NEUROCONTEXT_DATA to the folder of the corpora")
    warnings.simplefilter("ignore")
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        os.environ["NEUROCONTEXT_CACHE"] = str(Path(name) / "cache")
        CHECKS[options.check](Path(name), options.data)


if __name__ == "__main__":
    main()
