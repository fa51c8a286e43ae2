"""Find the peaks of a map, and name their regions and networks."""

import re
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from .._utils.validation import check_peaks
from .._utils.volumes import check_top, keep_strongest, open_img

# Pattern of the labels of the Schaefer atlas with 7 or 17 networks. The group of the
# pattern is the name of the network.
_SCHAEFER = re.compile(r"(?:7|17)Networks_[LR]H_([A-Za-z]+)")
_BACKGROUND = "background"


def region_names(coordinates, atlas=None) -> pd.DataFrame:
    """Find the region of an atlas at, or nearest to, each coordinate.

    Parameters
    ----------
    coordinates : array-like of shape (n_peaks, 3)
        Coordinates x, y, z in mm, in MNI space.
    atlas : Bunch or None, default=None
        Deterministic atlas of nilearn, for example the output of
        ``nilearn.datasets.fetch_atlas_schaefer_2018()`` or of
        ``fetch_atlas_harvard_oxford("cort-maxprob-thr25-2mm")``. A dict with the keys
        ``maps`` and ``labels`` is also possible. ``maps`` is an image of integers, or
        its path. ``labels`` is a list of str. The first label belongs to the value 1,
        the second label to the value 2, and so on. If the first label is "Background",
        the labels belong to the values 0, 1 and so on instead. If the atlas has the key
        ``lut``, it must be a table with the columns ``index`` and ``name``, and is used
        instead of ``labels``. If None, the regions are those of Dosenbach et al. They
        are part of nilearn, so that nothing is downloaded.

    Returns
    -------
    regions : DataFrame
        One row per coordinate, with the columns ``region``, ``network`` and
        ``distance_mm``. ``region`` is the region at the coordinate, or the nearest
        region. ``distance_mm`` is the distance between the coordinate and the region.
        For the regions of Dosenbach et al., it is the distance to the center of the
        region. For an atlas image, it is the distance to the center of the nearest
        voxel of the region, or 0 if the coordinate is inside the region. ``network`` is
        the network of the region. The atlases of Dosenbach and Schaefer have networks.
        For an atlas without networks, ``network`` is an empty string.

    Raises
    ------
    TypeError, ValueError
        If coordinates do not have shape (n_peaks, 3), or if the atlas has no image, no
        labels, or more values than labels.

    References
    ----------
    Dosenbach et al., Prediction of individual brain maturity using fMRI, Science 2010.

    Examples
    --------
    >>> from sklearn_neurocontext.inference import region_names
    >>> region_names([[-42, -22, 54]])
         region       network  distance_mm
    0  parietal  sensorimotor         7.55
    """
    (coordinates,) = check_peaks([coordinates])
    if atlas is None:
        return _nearest_dosenbach(coordinates)
    return _look_up(coordinates, atlas)


def peak_table(
    img, *, threshold=None, top=0.1, two_sided=False, min_distance=8.0, atlas=None
) -> pd.DataFrame:
    """Find the peaks of a map, and name their regions and networks.

    The peaks are found by `nilearn.reporting.get_clusters_table`. It returns the
    highest peak and at most three other peaks of each cluster.

    Parameters
    ----------
    img : Nifti image or path-like
        One map in MNI space, for example a map of z values.
    threshold : float or None, default=None
        Voxels with higher values form clusters. If None, the threshold is chosen so
        that the fraction `top` of the voxels in the brain is above it.
    top : float, default=0.1
        Fraction of voxels, in (0, 1]. It is ignored if `threshold` is passed.
    two_sided : bool, default=False
        Whether voxels with values below minus `threshold` also form clusters. If
        `threshold` is None, it is then chosen so that the fraction `top` of the voxels
        has larger magnitudes.
    min_distance : float, default=8.0
        Minimum distance between peaks of the same cluster, in mm.
    atlas : Bunch or None, default=None
        Atlas of the regions, see `region_names`. If None, the nearest region of
        Dosenbach et al. is used.

    Returns
    -------
    peaks : DataFrame
        One row per peak, in descending order of the absolute value. The columns are
        ``x``, ``y``, ``z`` (in mm), ``value``, ``cluster_mm3`` and the columns of
        `region_names`. ``cluster_mm3`` is the volume of the cluster for the highest
        peak of a cluster, and NaN for the other peaks.

    Raises
    ------
    ValueError
        If `img` contains several maps, if `threshold` is not positive, if `top` is out
        of range, or if `threshold` is None and no voxel of the brain is positive
        (with ``two_sided=True``, if all voxels are zero).

    See Also
    --------
    sklearn_neurocontext.plotting.plot_maps : Plot a map with a table of its peaks.
    nilearn.reporting.get_clusters_table : Find clusters and their peaks.

    Examples
    --------
    >>> from nilearn.datasets import load_sample_motor_activation_image
    >>> from sklearn_neurocontext.inference import peak_table
    >>> img = load_sample_motor_activation_image()
    >>> peak_table(img, threshold=5)[["x", "y", "z", "region"]].head(1)
          x     y     z    region
    0  39.0 -22.0  58.0  parietal
    """
    from nilearn.reporting import get_clusters_table

    img = open_img(img, "img")
    n_maps = np.prod(img.shape[3:], dtype=int)
    if n_maps != 1:
        raise ValueError(
            f"img must contain one map; got {n_maps}. Select a map by "
            "nilearn.image.index_img(img, i)."
        )
    if threshold is None:
        check_top(top)
        img = keep_strongest(img, top, "img", two_sided)
        magnitudes = np.abs(img.get_fdata())
        threshold = np.nextafter(magnitudes[magnitudes > 0].min(), 0)
    elif not threshold > 0:
        raise ValueError(f"threshold must be positive; got {threshold!r}.")
    with warnings.catch_warnings():
        # Warnings of nilearn are ignored in two cases: if no voxel reaches the
        # threshold, so that the table is empty, and if the center of mass of a cluster
        # is outside the cluster and is therefore moved.
        warnings.filterwarnings("ignore", "The given float value must not exceed")
        warnings.filterwarnings("ignore", "No clusters found")
        warnings.filterwarnings("ignore", ".*outside of the cluster body")
        clusters = get_clusters_table(
            img, threshold, two_sided=two_sided, min_distance=min_distance
        )
    sizes = pd.to_numeric(clusters["Cluster Size (mm3)"], errors="coerce")
    peaks = pd.DataFrame(
        {
            "x": clusters["X"].astype(float),
            "y": clusters["Y"].astype(float),
            "z": clusters["Z"].astype(float),
            "value": clusters["Peak Stat"].astype(float),
            "cluster_mm3": sizes,
        }
    )
    order = np.argsort(-peaks["value"].abs().to_numpy(), kind="stable")
    peaks = peaks.iloc[order].reset_index(drop=True)
    return peaks.join(region_names(peaks[["x", "y", "z"]].to_numpy(), atlas))


def _nearest_dosenbach(coordinates) -> pd.DataFrame:
    """Return the region of Dosenbach et al. that is nearest to each coordinate."""
    from nilearn.datasets import fetch_coords_dosenbach_2010

    regions = fetch_coords_dosenbach_2010()
    centers = regions["rois"][["x", "y", "z"]].to_numpy(dtype=float)
    distances, nearest = KDTree(centers).query(coordinates)
    # A label such as "ACC 19" ends with the number of the region.
    names = [re.sub(r"\s+\d+$", "", str(one)) for one in regions["labels"]]
    networks = [str(one) for one in regions["networks"]]
    return _make_table(
        [names[place] for place in nearest],
        [networks[place] for place in nearest],
        distances,
    )


def _look_up(coordinates, atlas) -> pd.DataFrame:
    """Return the region of an atlas at, or nearest to, each coordinate."""
    try:
        atlas_img, labels = atlas["maps"], atlas["labels"]
    except (TypeError, KeyError):
        raise TypeError(
            "atlas must be a dict or Bunch with the keys maps and labels, as returned "
            f"by nilearn's functions fetch_atlas_*; got {type(atlas).__name__}."
        ) from None
    atlas_img = open_img(atlas_img, "the image of atlas")
    values = np.rint(atlas_img.get_fdata()).astype(int)
    names = _name_values(np.unique(values[values > 0]), labels, atlas.get("lut"))
    places = np.argwhere(np.isin(values, list(names)))
    centers = nib.affines.apply_affine(atlas_img.affine, places)
    distances, nearest = KDTree(centers).query(coordinates)
    voxels = np.rint(
        nib.affines.apply_affine(np.linalg.inv(atlas_img.affine), coordinates)
    )
    inside = (voxels == places[nearest]).all(axis=1)
    found = [names[values[tuple(place)]] for place in places[nearest]]
    matches = [_SCHAEFER.match(name) for name in found]
    networks = [match[1] if match else "" for match in matches]
    return _make_table(found, networks, np.where(inside, 0.0, distances))


def _name_values(present, labels, lut) -> dict:
    """Return a dict with the name of each positive value of an atlas image."""
    if lut is not None:
        names = dict(zip(lut["index"].astype(int), lut["name"].map(_text), strict=True))
    else:
        labels = [_text(label) for label in labels]
        has_background = bool(labels) and labels[0].lower() == _BACKGROUND
        names = dict(enumerate(labels, start=0 if has_background else 1))
    missing = [int(value) for value in present if value not in names]
    if missing:
        raise ValueError(
            "atlas must have a label for each value of its image; got none for "
            f"{', '.join(map(str, missing[:3]))}."
        )
    if not len(present):
        raise ValueError("The image of atlas must contain positive values; got none.")
    return {int(value): names[value] for value in present}


def _text(label) -> str:
    """Return a label as a string; nilearn sometimes returns labels as bytes."""
    return label.decode() if isinstance(label, bytes) else str(label)


def _make_table(names, networks, distances) -> pd.DataFrame:
    """Return a table of regions, networks and distances."""
    return pd.DataFrame(
        {
            "region": names,
            "network": networks,
            "distance_mm": np.round(distances, 2),
        }
    )
