"""Fit what a saved model names from this machine alone."""

import threading
from contextlib import contextmanager
from pathlib import Path

_SWITCHING = threading.RLock()
_ADVICE = (
    "Loading a model takes language models and atlases from this machine only. Pass "
    "allow_download=True (on the command line: --allow-download) to fetch them, if you "
    "trust the model's source."
)


@contextmanager
def only_local(estimator):
    """Keep the fit of an embedder or masker from connecting to anything.

    Parameters
    ----------
    estimator : LLMChunkEmbedder or KDEDiFuMoMasker
        With its parameters.

    Raises
    ------
    OSError
        If what it names is not on this machine; the message says how to fetch it.
    """
    if hasattr(estimator, "atlas"):
        _check_difumo(estimator)
        yield
        return
    from huggingface_hub import constants

    with _SWITCHING:
        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = True
        try:
            yield
        except OSError as error:
            raise OSError(f"{error} {_ADVICE}") from error
        finally:
            constants.HF_HUB_OFFLINE = before


def _check_difumo(masker) -> None:
    """Refuse DiFuMo where nilearn would fetch a part of it."""
    from nilearn.datasets import get_data_dirs

    if not (isinstance(masker.atlas, str) and masker.atlas == "difumo"):
        return
    n, resolution = masker.n_components, masker.resolution_mm
    folders = [
        Path(folder) / "difumo_atlases" for folder in get_data_dirs(masker.data_dir)
    ]
    folder = next((one for one in folders if one.is_dir()), folders[0])
    wanted = ("README.md", f"{n}/labels_{n}_dictionary.csv")
    for name in (*wanted, f"{n}/{resolution}mm/maps.nii.gz"):
        if not (folder / name).is_file():
            raise OSError(
                f"The DiFuMo atlas with {n} maps is not on this machine: "
                f"{str(folder / name)!r} is missing. {_ADVICE}"
            )
