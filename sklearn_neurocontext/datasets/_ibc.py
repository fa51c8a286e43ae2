"""Download group maps of Individual Brain Charting (IBC) from NeuroVault.

The download folder ``ibc`` contains a subfolder ``maps`` with the average map of each
contrast, and a subfolder for each collection. The subfolder of a collection contains
the files downloaded by nilearn (``neurovault/…``) and the file ``images.json``, which
lists all images of the collection and the SHA-256 of each downloaded image.
"""

import hashlib
import io
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress
from itertools import chain
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pooch
from filelock import FileLock
from sklearn.utils import Bunch

from .._utils.files import atomic_write, data_folder, write_json, write_text
from ._files import read_json

_KEPT_FIELDS = (
    "id",
    "name",
    "contrast_definition",
    "map_type",
    "number_of_subjects",
)


def fetch_ibc_maps(
    data_home=None, *, contrasts=None, n_per_contrast=12, collection=6618
) -> Bunch:
    """Download maps of Individual Brain Charting and average them by contrast.

    NeuroVault has one z map per subject and acquisition. The group map of a contrast is
    the average of all selected z maps with the same contrast definition, as in the
    evaluation of NeuroConText. Each image is downloaded once. NeuroVault does not
    publish hashes. Therefore the SHA-256 of each image is computed after the download,
    and later calls compare the image with this SHA-256.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Folder in which the download folder ``ibc`` is created. If None, the folder
        ``sklearn_neurocontext`` in the user's data folder is used (on Linux,
        ``~/.local/share/sklearn_neurocontext``).
    contrasts : sequence of str or None, default=None
        Contrast definitions to select, for example ``["Move tongue"]``. If None, all
        contrasts of the collection are selected.
    n_per_contrast : int or None, default=12
        Maximum number of images per contrast. If a contrast has more images, those with
        the lowest ids are used. If None, all images are used. In August 2026, the
        default collection had about 9,500 images (29 GB).
    collection : int, default=6618
        Id of the NeuroVault collection. Collection 6618 is the third release of
        IBC, and collection 2138 is the first release.

    Returns
    -------
    maps : Bunch
        ``maps`` is a list of str with the path of one NIfTI file per contrast. The maps
        are in MNI space. ``contrasts`` is a DataFrame with one row per contrast,
        in the order of ``maps``; its columns are ``contrast_definition``, ``n_images``
        and ``image_ids``. ``description`` is a str.

    Raises
    ------
    ValueError
        If a contrast is not in the collection, or `n_per_contrast` is not positive.
    OSError
        If NeuroVault cannot be reached, an image is missing, or an image was changed
        after its download. Downloaded files are kept.

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
            "n_per_contrast must be positive, or None for all images; got "
            f"{n_per_contrast!r}."
        )
    home = data_folder(data_home) / "ibc"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        listing = _list_images(home / str(collection), collection)
        chosen = _choose_images(listing["images"], contrasts, n_per_contrast)
        ids = list(chain(*chosen.values()))
        images = _fetch_images(home / str(collection), collection, listing, ids)
        maps = [
            _average([images[image_id] for image_id in image_ids], home / "maps")
            for image_ids in chosen.values()
        ]
    table = pd.DataFrame(
        {
            "contrast_definition": list(chosen),
            "n_images": [len(image_ids) for image_ids in chosen.values()],
            "image_ids": list(chosen.values()),
        }
    )
    return Bunch(
        maps=maps,
        contrasts=table,
        description=(
            f"{len(maps)} contrasts of Individual Brain Charting (NeuroVault "
            f"collection {collection}). The maps are averages of {len(ids):,} images. "
            "Each image has the SHA-256 that was computed after its download."
        ),
    )


def _list_images(folder: Path, collection: int) -> dict:
    """Read the list of images of the collection; download it if it is missing."""
    path = folder / "images.json"
    if path.is_file():
        try:
            return read_json(path)
        except ValueError as error:
            raise OSError(
                f"{str(path)!r} was changed or truncated. Remove this file and call "
                "again. Existing images are not downloaded again."
            ) from error
    from nilearn.datasets import fetch_neurovault

    found = {}

    def record(image):
        found[image["id"]] = {name: image.get(name) for name in _KEPT_FIELDS}
        return False  # False means that nilearn does not download the image.

    folder.mkdir(parents=True, exist_ok=True)
    _run_quietly(
        fetch_neurovault,
        max_images=None,
        collection_terms={"id": collection},
        image_terms={"not_mni": False, "is_thresholded": False},
        image_filter=record,
        mode="overwrite",
        data_dir=folder,
    )
    images = [image for image in found.values() if image["contrast_definition"]]
    if not images:
        raise OSError(
            f"NeuroVault collection {collection} could not be listed: "
            f"neurovault.org could not be reached, or returned {len(found)} images "
            "without contrast definitions. Check the network and call again, or copy "
            f"the folder {str(folder.parent)!r} from a machine with network access."
        )
    listing = {"images": sorted(images, key=lambda image: image["id"]), "sha256": {}}
    write_json(path, listing)
    return listing


def _run_quietly(fetch, **arguments):
    """Call a download function of nilearn; hide its printed output and its warnings."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fetch(**arguments, verbose=0)


def _choose_images(images, contrasts, n_per_contrast) -> dict:
    """Return a dict that maps each contrast definition to the ids of its images."""
    ids = {}
    for image in images:
        ids.setdefault(image["contrast_definition"], []).append(image["id"])
    wanted = sorted(ids) if contrasts is None else list(dict.fromkeys(contrasts))
    unknown = [name for name in wanted if name not in ids]
    if unknown:
        raise ValueError(
            f"contrasts must be in the collection; got {', '.join(map(repr, unknown))}."
            f" The collection has {len(ids)} contrasts, for example "
            f"{', '.join(map(repr, sorted(ids)[:3]))}; "
            "fetch_ibc_maps().contrasts lists all contrasts."
        )
    return {name: ids[name][:n_per_contrast] for name in wanted}


def _fetch_images(folder, collection, listing, ids) -> dict:
    """Download missing images; return a dict that maps ids to (path, SHA-256)."""
    found, missing = _find_images(folder, collection, listing, ids)
    if missing:
        from nilearn.datasets import fetch_neurovault_ids

        try:
            # nilearn resumes an incomplete download only if image ids are passed.
            _run_quietly(fetch_neurovault_ids, image_ids=missing, data_dir=folder)
        finally:
            more, missing = _find_images(folder, collection, listing, missing)
            write_json(folder / "images.json", listing)
        found |= more
    if missing:
        raise OSError(
            f"{len(missing)} of {len(ids)} images could not be downloaded from "
            f"neurovault.org (the first is {missing[0]}). Downloaded images are kept: "
            f"call again to continue, or copy the folder {str(folder.parent)!r} from a "
            "machine with network access."
        )
    return found


def _find_images(folder, collection, listing, ids):
    """Find the existing images among `ids`, and the ids of the missing images.

    Return a dict that maps the id of each existing image to (path, SHA-256), and a list
    of the missing ids. The SHA-256 of each new image is added to `listing`.
    """
    found, missing = {}, []
    for image_id in ids:
        path = folder / f"neurovault/collection_{collection}/image_{image_id}.nii.gz"
        if not _is_complete(path, known=str(image_id) in listing["sha256"]):
            missing.append(image_id)
            continue
        digest = pooch.file_hash(str(path))
        known = listing["sha256"].setdefault(str(image_id), digest)
        if known != digest:
            raise OSError(
                f"{str(path)!r} has SHA-256 {digest}; expected {known}, the SHA-256 "
                "computed after the download. The file was changed or truncated. Move "
                "the file away and call again to download it."
            )
        found[image_id] = path, digest
    return found, missing


def _is_complete(path: Path, *, known: bool) -> bool:
    """Return whether an image exists; remove it if it is new and truncated."""
    # An image whose SHA-256 is not in the list of images is new (`known` is False). A
    # new image is read completely, to detect an interrupted download.
    if not path.is_file() or known:
        return path.is_file()
    try:
        nib.load(path).get_fdata(dtype=np.float32)
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError):
        path.unlink()
        return False
    return True


def _average(images, folder: Path) -> str:
    """Average images on the grid of the first image; return the path of the average."""
    # The average is cached. The name of its file depends on the hashes of the images.
    hashes = "".join(digest for _, digest in images)
    key = hashlib.sha256(hashes.encode()).hexdigest()[:32]
    path = folder / f"mean_{key}.nii.gz"
    note = folder / f"mean_{key}.sha256"
    with suppress(OSError):
        if note.read_text() == pooch.file_hash(str(path)):
            return str(path)
    from nilearn.image import resample_to_img

    first, total = None, 0.0
    for image_path, _ in images:
        img = nib.load(image_path)
        if first is None:
            first = img
        elif img.shape != first.shape or not np.allclose(img.affine, first.affine):
            img = resample_to_img(img, first, force_resample=True, copy_header=True)
        total = total + np.nan_to_num(img.get_fdata(dtype=np.float32))
    folder.mkdir(exist_ok=True)
    mean = nib.Nifti1Image((total / len(images)).astype(np.float32), first.affine)
    with atomic_write(path) as temporary:
        mean.to_filename(temporary)
        write_text(note, pooch.file_hash(str(temporary)))
    return str(path)
