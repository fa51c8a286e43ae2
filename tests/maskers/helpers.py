"""Atlases, densities and coefficients computed in other ways, for the tests."""

import itertools
import tempfile
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.image import resample_img
from nilearn.maskers import NiftiMapsMasker
from scipy.ndimage import gaussian_filter
from scipy.sparse import csc_array
from sklearn.utils import gen_batches

from sklearn_neurocontext.maskers._atlas import find_atlas, sample_atlas
from sklearn_neurocontext.maskers._images import open_mask, resample_mask
from sklearn_neurocontext.maskers._kde import peaks_to_weights
from sklearn_neurocontext.maskers._maps import gram_matrix, invert_gram
from sklearn_neurocontext.maskers._table import Table, build_table

MOTOR, FUSIFORM, CENTER = [-40, -24, 56], [44, -50, -20], [0, 0, 0]
FWHM_TO_SIGMA = 1 / 2.3548200450309493

# Grid of atlases: rotated, flipped, between the voxels of the mask, on a part of it.
ATLAS_SHAPE = (17, 23, 16)
ATLAS_AFFINE = np.array(
    [[-7.0, 0.5, 0, 61], [0.25, 7, 0, -83], [0, 0, 7, -51], [0, 0, 0, 1]]
)

# A grid of a few voxels, on which densities are direct sums.
SHAPE = (9, 8, 7)
VOXEL_MM = np.array([4.0, 3.0, 5.0])
AFFINE = np.diag([*VOXEL_MM, 1.0])
AFFINE[:3, 3] = [-16, -12, -15]
FWHM = 8.0


def load_mask(voxel_mm):
    """Return the MNI mask with voxels of this size."""
    return resample_mask(open_mask("mni"), voxel_mm)


def sample(atlas, n_components, mask_img, **source):
    """Return the labels of an atlas, and its maps as (n_voxels, n_components)."""
    labels, columns = sample_atlas(find_atlas(atlas, n_components, **source), mask_img)
    maps = np.zeros((np.count_nonzero(mask_img.dataobj), len(labels)), dtype=np.float32)
    for component, (nonzero, values) in enumerate(columns):
        maps[nonzero, component] = values
    return labels, maps


def resample(img, mask_img, interpolation):
    """Return the values of an image at the voxels of a mask, by nilearn."""
    resampled = resample_img(
        img,
        target_affine=mask_img.affine,
        target_shape=mask_img.shape,
        interpolation=interpolation,
        copy_header=True,
        force_resample=True,
    )
    return np.asarray(resampled.dataobj)[np.asarray(mask_img.dataobj) > 0]


def one_hot(values):
    """Return a column for each nonzero label."""
    return (values[:, None] == [v for v in np.unique(values) if v]).astype(float)


def append_map(img, make_map):
    """Return an atlas with one more map, computed from its maps."""
    maps = np.asarray(img.dataobj)
    maps = np.concatenate([maps, make_map(maps)[..., None]], axis=3)
    return nib.Nifti1Image(maps, img.affine)


def nilearn_coefficients(masker, img, mask_img=None):
    """Compute coefficients of images by nilearn on the atlas of a masker."""
    nilearn_masker = NiftiMapsMasker(
        masker.maps_img_, mask_img=mask_img, resampling_target=None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nilearn_masker.fit_transform(img)


def density_img_of(peaks, mask_img, fwhm_mm):
    """Count peaks in voxels and smooth the counts by scipy."""
    density = np.zeros((*mask_img.shape, len(peaks)))
    sigma = fwhm_mm * FWHM_TO_SIGMA / np.diag(mask_img.affine)[:3]
    for study, xyz in enumerate(peaks):
        voxels = nib.affines.apply_affine(np.linalg.inv(mask_img.affine), xyz)
        for i, j, k in np.floor(voxels + 0.5).astype(int):
            density[i, j, k, study] += 1
        density[..., study] = gaussian_filter(
            density[..., study], sigma, mode="constant", truncate=6
        )
    return nib.Nifti1Image(density, mask_img.affine)


def draw_peaks(inside, rng, n_studies=6, jitter=0.49):
    """Draw 0, 1, 2, … peaks near voxels of a mask on the small grid."""
    voxels = np.argwhere(inside)
    studies = (voxels[rng.integers(len(voxels), size=n)] for n in range(n_studies))
    return [
        to_mm(chosen + rng.uniform(-jitter, jitter, chosen.shape)) for chosen in studies
    ]


def to_mm(positions):
    """Convert positions in voxels of the small grid to mm."""
    return positions * VOXEL_MM + AFFINE[:3, 3]


def to_voxels(xyz):
    """Convert positions in mm to voxels of the small grid."""
    return (xyz - AFFINE[:3, 3]) / VOXEL_MM


def slow_density(peaks, inside, voxelization):
    """Sum the Gaussians of peaks at the voxels of the mask."""
    voxels = np.argwhere(inside)
    density = np.zeros(len(voxels))
    for peak in peaks:
        for center, share in _shares_of(to_voxels(peak), voxelization):
            density += share * _gaussian(voxels - center)
    return density


def _shares_of(position, voxelization):
    """Return the nearest voxel, or the eight around a position, and their shares."""
    if voxelization == "nearest":
        return [(np.floor(position + 0.5), 1.0)]
    corners = itertools.product(*[(np.floor(p), np.floor(p) + 1) for p in position])
    return [(np.array(c), np.prod(1 - np.abs(c - position))) for c in corners]


def _gaussian(offsets):
    """Sample a Gaussian of unit sum at offsets in voxels."""
    values = 1.0
    for offset, voxel_mm in zip(offsets.T, VOXEL_MM, strict=True):
        sigma = FWHM * FWHM_TO_SIGMA / voxel_mm
        total = sum(np.exp(-0.5 * (step / sigma) ** 2) for step in range(-99, 100))
        values = values * np.exp(-0.5 * (offset / sigma) ** 2) / total
    return values


def lstsq(maps, densities):
    """Fit maps to densities by NumPy: one row of coefficients per density."""
    maps = maps.astype(float)
    return np.stack([np.linalg.lstsq(maps, row, rcond=None)[0] for row in densities])


def make_table(
    maps, inside, *, fwhm=FWHM, voxel_mm=VOXEL_MM, strategy="lstsq", kernel="endless"
):
    """Build a table in blocks of two maps; return it and the condition number."""
    maps = csc_array(maps)
    blocks = list(gen_batches(maps.shape[1], 2))

    def read(block):
        return maps[:, np.arange(block.start, block.stop)]

    mixing, condition = invert_gram(gram_matrix(blocks, read))
    if strategy == "mean":
        mass = maps.sum(axis=0)
        mixing = 1 / np.where(mass > 0, mass, 1)
    settings = {"fwhm": fwhm, "voxel_mm": voxel_mm, "kernel": kernel}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_table(folder, blocks, read, mixing, inside, **settings)
        assert {path.name for path in folder.iterdir()} == {"table.npy", "rows.npy"}
        table = Table(np.load(folder / "rows.npy"), np.load(folder / "table.npy"))
    return table, condition


def table_coefficients(peaks, maps, inside, *, voxelization="nearest", **settings):
    """Compute coefficients by a table on the small grid, as the masker does."""
    kernel = "reflected" if voxelization == "neuroquery" else "endless"
    table, _ = make_table(maps, inside, kernel=kernel, **settings)
    weights, _, _ = peaks_to_weights(peaks, AFFINE, inside, voxelization=voxelization)
    return table.sum_rows(weights)
