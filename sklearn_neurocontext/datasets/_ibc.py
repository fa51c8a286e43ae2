"""Group maps of Individual Brain Charting, from NeuroVault by nilearn's fetcher.

Everything is kept below one folder: nilearn's own (``neurovault/…``), ``images.json``
(what the collection lists, and the SHA-256 of each image as it was downloaded), and the
means, in ``maps``.
"""

import hashlib
import io
import json
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress
from itertools import chain
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from filelock import FileLock
from sklearn.utils import Bunch

from .._utils.files import atomic_write

_LISTING = "images.json"
_KEPT = ("id", "name", "contrast_definition", "map_type", "number_of_subjects")


def fetch_ibc_maps(
    data_home=None, *, contrasts=None, n_per_contrast=12, collection=6618
) -> Bunch:
    """Download maps of Individual Brain Charting once, and average them by contrast.

    NeuroVault holds one z map of each subject and acquisition; the group map of a
    contrast is the mean of those that state the same contrast definition, as in
    NeuroConText's evaluation. Images that are there are not downloaded again, and each
    is compared with the SHA-256 that it had when it came; NeuroVault publishes none.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Where downloads are kept, in ``ibc``; None is ``~/sklearn_neurocontext_data``.
    contrasts : sequence of str or None, default=None
        Contrast definitions to take; None takes all.
    n_per_contrast : int or None, default=12
        Images averaged at most, those of the lowest id. None takes all: some 9,500
        images, 29 GB, in August 2026.
    collection : int, default=6618
        NeuroVault's collection: 6618 is the third release, 2138 the first.

    Returns
    -------
    maps : Bunch
        ``maps`` (list of str: a NIfTI file per contrast, MNI space), ``contrasts``
        (DataFrame with the columns ``contrast_definition``, ``n_images`` and
        ``image_ids``, rows as in ``maps``, by definition), and ``description``.

    Raises
    ------
    ValueError
        If a contrast is not in the collection, or `n_per_contrast` is not positive.
    OSError
        If NeuroVault cannot be reached or an image is missing, or an image is another
        one than when it was downloaded. What came is kept.

    References
    ----------
    Pinho et al., Individual Brain Charting dataset extension, Scientific Data 2020
    (CC0). Gorgolewski et al., NeuroVault.org, Frontiers in Neuroinformatics 2015.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import fetch_ibc_maps
    >>> ibc = fetch_ibc_maps(contrasts=["Move tongue"])  # doctest: +SKIP
    """
    if n_per_contrast is not None and n_per_contrast < 1:
        raise ValueError(
            f"n_per_contrast={n_per_contrast!r}; expected a positive number, or None "
            "for all images."
        )
    home = Path(data_home or "~/sklearn_neurocontext_data").expanduser() / "ibc"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        listing = _list_images(home / str(collection), collection)
        chosen = _choose(listing["images"], contrasts, n_per_contrast)
        paths = _bring(home, collection, listing, chain(*chosen.values()))
        maps = [_average(home / "maps", paths, ids) for ids in chosen.values()]
    table = pd.DataFrame(
        {
            "contrast_definition": list(chosen),
            "n_images": [len(ids) for ids in chosen.values()],
            "image_ids": list(chosen.values()),
        }
    )
    return Bunch(
        maps=maps,
        contrasts=table,
        description=(
            f"{len(maps)} contrasts of Individual Brain Charting (NeuroVault's "
            f"collection {collection}), means of {table['n_images'].sum():,} images. "
            "Files: verified against the hashes of their first download."
        ),
    )


def _list_images(folder: Path, collection: int) -> dict:
    """Read which images the collection has; ask NeuroVault where it is not known."""
    path = folder / _LISTING
    if path.is_file():
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise OSError(
                f"{str(path)!r} was altered or cut off. Remove it and call again: no "
                "image is downloaded twice."
            ) from error
    from nilearn.datasets import fetch_neurovault

    found = {}

    def note(image):
        found[image["id"]] = {name: image.get(name) for name in _KEPT}
        return False  # nothing is downloaded yet

    folder.mkdir(parents=True, exist_ok=True)
    _quietly(
        fetch_neurovault,
        max_images=None,
        collection_terms={"id": collection},
        image_terms={"not_mni": False, "is_thresholded": False},
        image_filter=note,
        mode="overwrite",
        data_dir=folder,
    )
    images = [one for one in found.values() if one["contrast_definition"]]
    if not images:
        raise OSError(
            f"NeuroVault's collection {collection} could not be listed: "
            f"neurovault.org was not reached, or gave {len(found)} images and no "
            "contrast definition. Call again with network; without, copy the folder "
            f"{str(folder.parent)!r} from a machine where the call went through."
        )
    listing = {"images": sorted(images, key=lambda one: one["id"]), "sha256": {}}
    _write_listing(path, listing)
    return listing


def _quietly(fetch, **arguments):
    """Call a fetcher of nilearn, which prints a traceback for each failed attempt."""
    nothing = io.StringIO()
    with redirect_stdout(nothing), redirect_stderr(nothing), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fetch(**arguments, verbose=0)


def _write_listing(path: Path, listing: dict):
    with atomic_write(path) as part:
        part.write_text(json.dumps(listing, indent=1), encoding="utf-8")


def _choose(images, contrasts, n_per_contrast) -> dict:
    """Give the images of each contrast, by definition."""
    ids = {}
    for image in images:
        ids.setdefault(image["contrast_definition"], []).append(image["id"])
    wanted = sorted(ids) if contrasts is None else list(dict.fromkeys(contrasts))
    unknown = [name for name in wanted if name not in ids]
    if unknown:
        raise ValueError(
            f"The collection has no contrast {', '.join(map(repr, unknown))}. It has "
            f"{len(ids)}, for example {', '.join(map(repr, sorted(ids)[:3]))}; the "
            "listing is fetch_ibc_maps().contrasts."
        )
    return {name: ids[name][:n_per_contrast] for name in wanted}


def _bring(home, collection, listing, ids) -> dict:
    """Download the images that are missing; give the file of each, checked."""
    folder, ids = home / str(collection), list(ids)
    found, missing = _find(folder, collection, listing, ids)
    if missing:
        from nilearn.datasets import fetch_neurovault_ids

        try:
            # Of a collection that is there in part nilearn fetches single images only.
            _quietly(fetch_neurovault_ids, image_ids=missing, data_dir=folder)
        finally:
            more, missing = _find(folder, collection, listing, missing)
            _write_listing(folder / _LISTING, listing)
        found |= more
    if missing:
        raise OSError(
            f"{len(missing)} of {len(ids)} images did not come from neurovault.org "
            f"(the first is {missing[0]}). What came is kept, and the next call goes "
            "on from there. Without network, copy the folder "
            f"{str(home)!r} from a machine where the call went through."
        )
    return found


def _find(folder, collection, listing, ids):
    """Look images up on disk; those that are new get their hash noted."""
    found, missing = {}, []
    for one in ids:
        path = _path(folder, collection, one)
        if not _is_whole(path, known=str(one) in listing["sha256"]):
            missing.append(one)
            continue
        digest = _hash(path)
        known = listing["sha256"].setdefault(str(one), digest)
        if known != digest:
            raise OSError(
                f"{str(path)!r} has SHA-256 {digest}; it had {known} when it was "
                "downloaded, so it was altered or cut off since. It was left as it "
                "is: move it away and call again."
            )
        found[one] = path, digest
    return found, missing


def _is_whole(path: Path, *, known: bool) -> bool:
    """Say whether an image is there; one that came cut off is removed."""
    if not path.is_file() or known:
        return path.is_file()
    try:
        img = nib.load(path)
        img.get_fdata(dtype=np.float32)
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError):
        path.unlink()
        return False
    return True


def _path(folder: Path, collection: int, image: int) -> Path:
    return folder / f"neurovault/collection_{collection}/image_{image}.nii.gz"


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _average(folder: Path, paths: dict, ids) -> str:
    """Average images onto the grid of the first; kept under the hash of all."""
    names = "".join(paths[one][1] for one in ids)
    key = hashlib.sha256(names.encode()).hexdigest()[:32]
    path = folder / f"mean_{key}.nii.gz"
    note = path.with_name(f"mean_{key}.sha256")
    with suppress(OSError):
        if note.read_text() == _hash(path):
            return str(path)
    from nilearn.image import resample_to_img

    first, total = None, 0.0
    for one in ids:
        img = nib.load(paths[one][0])
        if first is None:
            first = img
        elif img.shape != first.shape or not np.allclose(img.affine, first.affine):
            img = resample_to_img(img, first, force_resample=True, copy_header=True)
        total = total + np.nan_to_num(img.get_fdata(dtype=np.float32))
    folder.mkdir(exist_ok=True)
    mean = nib.Nifti1Image((total / len(ids)).astype(np.float32), first.affine)
    with atomic_write(path) as part:
        mean.to_filename(part)
        note.write_text(_hash(part))
    return str(path)
