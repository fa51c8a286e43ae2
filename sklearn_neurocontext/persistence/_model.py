"""Save fitted models in a folder, and load them."""

import hashlib
import importlib
import json
import threading
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.base import clone

from .._utils.packages import library_versions
from .._utils.validation import check_is_fitted
from ._format import Module, Reader, Writer, read_files, write_files
from ._kinds import COMMON, KINDS, LOCAL_PARAMETERS

# MNI coordinates, in mm, of a study with a single peak. When a masker is saved, the
# coefficients of this peak are saved too. When the masker is loaded, the coefficients
# are computed again. An error is raised if they differ from the saved coefficients.
_PROBE = [[[-42.0, -22.0, 54.0]]]
# Largest accepted difference between saved and recomputed coefficients, relative to the
# largest absolute coefficient. Small differences are accepted, because the last digits
# of coefficients may differ between machines.
_TOLERANCE = 1e-4
# Lock that is held while `_offline` sets the Hugging Face Hub library to offline mode.
_SWITCHING = threading.RLock()
_ADVICE = (
    "By default, language models and atlases are not downloaded. If you trust the "
    "source of the model, pass allow_download=True (on the command line: "
    "--allow-download) to download them."
)


def save_model(model, directory, *, half=False) -> Path:
    """Save a fitted model, with settings as JSON and arrays as safetensors.

    Only the following types can be saved:

    - The estimators of this package, including the embedder and the masker.
    - These estimators of scikit-learn: Pipeline, FeatureUnion, CountVectorizer,
      TfidfVectorizer, TfidfTransformer, TruncatedSVD, Nystroem, Normalizer,
      StandardScaler and RidgeCV.

    Estimators may be nested. Parameters that depend on the machine are not saved:
    `cache`, `data_dir`, `device`, `memory`, `n_jobs`, `shards` and
    `token_env_variable`. Loaded estimators have the default values of these parameters.

    The weights of the language model and the maps of the atlas are not saved. For the
    embedder, only the parameters, the embedding dimension and a hash of the language
    model are saved. For the masker, only the parameters, a hash of the atlas, and the
    coefficients of one peak are saved. `load_model` fits the embedder and the masker
    again, and raises an error if the new values differ from the saved values.

    Parameters
    ----------
    model : estimator
        Fitted estimator.
    directory : path-like
        New or empty folder. The files ``model.json``, ``model.safetensors`` and
        ``SHA256SUMS`` are written to it.
    half : bool, default=False
        Whether to save matrices of floats with 16 bits per value. This reduces the size
        of a float32 matrix to one half, and the size of a float64 matrix to one
        quarter. When the matrices are loaded, they are converted to their original
        type, but only about three of their decimal digits are correct. Vectors are
        always saved with full precision. Matrices whose range of values is too large
        for 16 bits are also saved with full precision.

    Returns
    -------
    directory : Path
        The folder.

    Raises
    ------
    FileExistsError
        If the folder exists and is not empty.
    TypeError
        If the model, a nested estimator or a parameter has a type that cannot be saved.
    ValueError
        If a value is NaN or infinite. If a parameter of the embedder or the masker was
        changed after fitting, or if ``trust_remote_code`` of the embedder is True.
    NotFittedError
        If the model is not fitted.

    See Also
    --------
    load_model : Load a saved model.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_neurocontext import RidgeBaseline, load_model, save_model
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 4))
    >>> model = RidgeBaseline().fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     loaded = load_model(save_model(model, folder + "/ridge"))
    >>> np.array_equal(loaded.predict(X), model.predict(X))
    True
    """
    content, arrays = _write_model(model, half)
    return write_files(
        directory, {"versions": library_versions(), "model": content}, arrays
    )


def load_model(directory, *, device=None, allow_download=False):
    """Load a model saved by `save_model`.

    Loading does not execute code from the files. Only the types that `save_model` can
    save are loaded. Parameters are validated, and the shapes of arrays are checked. The
    hashes in ``SHA256SUMS`` detect files that were corrupted or truncated by accident.
    The hashes do not detect files that were tampered with. The embedder or the masker
    of a tampered model may open any language model, atlas or mask. Load models only
    from sources that you trust.

    Parameters
    ----------
    directory : path-like
        Folder written by `save_model`.
    device : str or None, default=None
        Torch device of the networks and the embedder. If None, the CPU is used,
        because the device with which the model was saved may not exist.
    allow_download : bool, default=False
        Whether to download the language model or the DiFuMo atlas if the files are not
        on this machine. By default, nothing is downloaded. Language models are then
        read from an installed package, a folder or the cache of the Hugging Face Hub.

    Returns
    -------
    model : estimator
        Fitted estimator. On the same machine, its predictions equal those of the saved
        model. If the model was saved with ``half=True``, they are approximately equal.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    OSError
        If a language model or an atlas is not on this machine.
    ValueError
        If a file was altered or cut off. If the type of an estimator or the shape of an
        array is not as expected. If the version of the format is not supported. If the
        language model or the atlas of this machine differs from the one used in
        training.

    See Also
    --------
    save_model : Save a model in a folder.

    Examples
    --------
    >>> from sklearn_neurocontext import load_model
    >>> load_model("no_such_folder")
    Traceback (most recent call last):
    ...
    FileNotFoundError: 'no_such_folder' holds no SHA256SUMS; expected a folder \
written by save_model.
    """
    description, arrays = read_files(directory)
    read_estimator = partial(
        _read_estimator, device=device, allow_download=allow_download
    )
    with _explained_errors(directory):
        reader = Reader(arrays, read_estimator)
        return read_estimator(reader, description["model"], "model")


def save_values(values: dict, directory, *, half=False) -> Path:
    """Save a dictionary of JSON values and arrays.

    Parameters
    ----------
    values : dict
        Dictionary whose keys are strings. Its values may be numbers, strings, arrays,
        or lists and dictionaries of such values.
    directory : path-like
        New or empty folder. The same files as in `save_model` are written to it.
    half : bool, default=False
        Whether to save matrices of floats with 16 bits per value. See `save_model`.

    Returns
    -------
    directory : Path
        The folder.

    Raises
    ------
    FileExistsError
        If the folder exists and is not empty.
    TypeError, ValueError
        If a value cannot be saved.
    """
    writer = Writer(half)
    content = writer.write(values, "values")
    description = {"versions": library_versions(), "values": content}
    return write_files(directory, description, writer.arrays)


def load_values(directory) -> dict:
    """Load a dictionary saved by `save_values`.

    Parameters
    ----------
    directory : path-like
        Folder written by `save_values`.

    Returns
    -------
    values : dict
        The saved values. Arrays have their original types.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a file was altered or cut off, or if the version of its format is not
        supported.
    """
    description, arrays = read_files(directory)
    with _explained_errors(directory):
        return Reader(arrays).read(description["values"], "values")


def fingerprint(model) -> str:
    """Return a hash of the settings and arrays of a fitted model.

    Parameters
    ----------
    model : estimator
        Fitted estimator of a type that `save_model` can save.

    Returns
    -------
    digest : str
        SHA-256 in hexadecimal. Different models have different hashes. If a model is
        fitted to the same data on two machines, the two hashes may differ, because the
        last digits of the fitted arrays may differ.

    Raises
    ------
    TypeError
        If the model, a nested estimator or a parameter has a type that cannot be saved.
    """
    content, arrays = _write_model(model, half=False)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(memoryview(arrays[name]).cast("B"))
    return digest.hexdigest()


@contextmanager
def _explained_errors(directory):
    """Convert errors that occur during reading to a ValueError with advice."""
    try:
        yield
    except (
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
    ) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"{str(directory)!r} cannot be loaded: {reason}. It may have been saved "
            "with another version of this package or of scikit-learn. The versions are "
            "stated in model.json. Save the model again, or train it again."
        ) from error


def _write_model(model, half) -> tuple[dict, dict]:
    """Return a fitted model as JSON and arrays."""
    name = type(model).__name__
    _check_kind(model, name)
    check_is_fitted(model)
    writer = Writer(half, _write_estimator)
    return _write_estimator(writer, model, name), writer.arrays


def _check_kind(estimator, where):
    """Check that an estimator can be saved, and return its entry in `KINDS`."""
    kind = KINDS.get(type(estimator).__name__)
    if kind is None or type(estimator) is not _load_class(type(estimator).__name__):
        raise TypeError(
            f"{where} is a {type(estimator).__module__}.{type(estimator).__name__}, "
            f"which cannot be saved; expected one of {', '.join(KINDS)}."
        )
    return kind


def _load_class(name) -> type:
    return getattr(importlib.import_module(KINDS[name].home), name)


def _write_estimator(writer, estimator, where) -> dict:
    """Return the type, the parameters and the fitted attributes of an estimator."""
    kind = _check_kind(estimator, where)
    params = estimator.get_params(deep=False)
    content = {
        "type": type(estimator).__name__,
        "params": {
            name: writer.write(value, f"{where}.{name}")
            for name, value in params.items()
            if name not in LOCAL_PARAMETERS
        },
        "learned": {},
    }
    learned = {
        name: value
        for name, value in vars(estimator).items()
        if name not in params and name not in kind.transient
    }
    if content["type"] in _IDENTIFIERS:
        if learned:
            content["learned"] = _identify(estimator, where)
        return content
    unknown = sorted(set(learned) - set(kind.learned) - set(COMMON))
    if unknown:
        raise TypeError(
            f"{where} has the fitted attributes {', '.join(unknown)}, which cannot be "
            "saved. Expected the fitted attributes of this package and of scikit-learn "
            "1.6 to 1.9."
        )
    content["learned"] = {
        name: writer.write(value, f"{where}.{name}") for name, value in learned.items()
    }
    return content


def _read_estimator(reader, content, where, device, allow_download):
    """Build an estimator from JSON and set its fitted attributes."""
    name = content["type"]
    if name not in KINDS:
        raise ValueError(
            f"{where} is of type {name!r}, which cannot be loaded; expected one of "
            f"{', '.join(KINDS)}"
        )
    params = {
        key: reader.read(value, f"{where}.{key}")
        for key, value in content["params"].items()
        if key not in LOCAL_PARAMETERS
    }
    estimator = _load_class(name)(**params)
    if device is not None and hasattr(estimator, "device"):
        estimator.set_params(device=device)
    if hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()
    learned = {
        key: reader.read(value, f"{where}.{key}")
        for key, value in content["learned"].items()
    }
    if learned and name in _IDENTIFIERS:
        with nullcontext() if allow_download else _offline(estimator):
            _fit_again(estimator, learned, where)
    elif learned:
        _check_learned(learned, KINDS[name].learned, where)
        _set_learned(estimator, learned)
    return estimator


def _set_learned(estimator, learned) -> None:
    """Set fitted attributes."""
    # Neural networks are built last, because `build_module` uses the other attributes.
    networks = {name for name, one in learned.items() if isinstance(one, Module)}
    vars(estimator).update({n: v for n, v in learned.items() if n not in networks})
    for name in networks:
        from ..models import build_module

        setattr(estimator, name, build_module(estimator, name, learned[name].weights))


def _check_learned(learned, expected, where) -> None:
    """Check that the types and shapes of fitted attributes are as in `KINDS`."""
    unknown = sorted(set(learned) - set(expected) - set(COMMON))
    if unknown:
        raise ValueError(f"{where} has the unknown attributes {', '.join(unknown)}")
    sizes = {name: value for name, value in learned.items() if type(value) is int}
    for name, described in {**COMMON, **expected}.items():
        value = learned.get(name)
        if not isinstance(described, str):
            if not isinstance(value, described):
                raise ValueError(
                    f"{where}.{name} is of type {type(value).__name__}; expected "
                    f"{described}"
                )
        elif value is None and not described.endswith("?"):
            raise ValueError(f"{where}.{name} is missing")
        elif value is not None and not described.startswith("net"):
            _check_array(f"{where}.{name}", value, described.rstrip("?"), sizes)


def _check_array(name, array, described, sizes) -> None:
    """Check the type and shape of a fitted array, and add its sizes to `sizes`."""
    # `described` contains one word per dimension of the array, for example
    # "n_components_ latent_dim_". `sizes` maps each of these words to the size of the
    # dimension.
    words = described.split()
    kind = "i" if words[0] == "int" else "f"
    if words[0] in ("int", "sparse"):
        words = words[1:]
    pairs = zip(words, array.shape, strict=False)
    expected = tuple(sizes.setdefault(word, size) for word, size in pairs)
    fits = array.ndim == len(words) and array.shape == expected
    if array.dtype.kind != kind or not fits:
        raise ValueError(
            f"{name} is an array of {array.dtype} and shape {array.shape}; expected "
            f"{'integers' if kind == 'i' else 'floats'} and shape ({', '.join(words)}) "
            f"with { {word: sizes.get(word) for word in words} }"
        )


def _identify_masker(masker) -> dict:
    """Return the hash of the atlas of a masker and the coefficients of one peak."""
    probe = np.asarray(masker.transform(_PROBE), dtype=float)[0].tolist()
    return {"atlas_hash": masker.atlas_hash_, "probe": probe}


def _identify_embedder(embedder) -> dict:
    """Return the embedding dimension and the settings key of an embedder."""
    return {
        "settings_key": embedder.settings_key(),
        "embedding_dim": embedder.embedding_dim_,
    }


# The fitted attributes of these classes do not depend on studies. Instead of the fitted
# attributes, the values that these functions return are saved. When a model is loaded,
# its embedder and masker are fitted again, and the functions are called again. The
# returned values must equal the saved values.
_IDENTIFIERS = {
    "KDEDiFuMoMasker": _identify_masker,
    "LLMChunkEmbedder": _identify_embedder,
}


def _identify(estimator, where) -> dict:
    """Return the identifying values of a clone of a masker or an embedder."""
    # If parameters were set after fitting, the values of the estimator differ from the
    # values of a newly fitted clone. Both are compared to detect such changes.
    identify = _IDENTIFIERS[type(estimator).__name__]
    fresh = clone(estimator)
    _refuse_remote_code(fresh)
    identity = identify(fresh.fit())
    if not all(map(_is_same, identity.values(), identify(estimator).values())):
        raise ValueError(
            f"Parameters of {where} were set after fitting. Fit it again before saving."
        )
    return identity


def _fit_again(estimator, identity, where) -> None:
    """Fit a masker or an embedder, and compare its identifying values with `identity`.

    `identity` contains the saved values.
    """
    _refuse_remote_code(estimator)
    found = _IDENTIFIERS[type(estimator).__name__](_fit_as_saved(estimator, identity))
    differing = [
        f"{name} is {str(value)[:70]} instead of {str(identity.get(name))[:70]}"
        for name, value in found.items()
        if not _is_same(value, identity.get(name))
    ]
    if differing:
        raise ValueError(
            f"{where} differs from the one used in training: "
            f"{', '.join(differing)}. Install the atlas or the language model that was "
            "used in training"
        )


def _fit_as_saved(estimator, identity):
    """Fit a masker or an embedder with the saved precision; return it."""
    estimator.fit()
    # dtype="auto" depends on the device, which may differ from the device on which the
    # model was fitted. The precision is the second part of the settings key.
    _, *settings = identity.get("settings_key", "").split("|")
    if settings and estimator.dtype == "auto" and estimator.dtype_ != settings[0]:
        estimator.set_params(dtype=settings[0]).fit()
    return estimator


def _refuse_remote_code(estimator) -> None:
    if getattr(estimator, "trust_remote_code", False):
        raise ValueError(
            "trust_remote_code=True runs code of a language model, which is not "
            "allowed in saved models. Save only the steps that follow the embedder"
        )


def _is_same(one, other) -> bool:
    """Return whether two values are equal; lists of numbers may differ slightly."""
    if not (isinstance(one, list) and isinstance(other, list)):
        return one == other
    one, other = np.array(one), np.array(other)
    if one.shape != other.shape:
        return False
    return bool(np.abs(one - other).max(initial=0) <= _TOLERANCE * np.abs(one).max())


@contextmanager
def _offline(estimator):
    """Prevent network connections while an embedder or a masker is fitted."""
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
    """Check that the DiFuMo files exist, because nilearn downloads missing files."""
    from nilearn.datasets import get_data_dirs

    if not (isinstance(masker.atlas, str) and masker.atlas == "difumo"):
        return
    n, resolution = masker.n_components, masker.resolution_mm
    folders = [
        Path(folder) / "difumo_atlases" for folder in get_data_dirs(masker.data_dir)
    ]
    folder = next((one for one in folders if one.is_dir()), folders[0])
    needed = ("README.md", f"{n}/labels_{n}_dictionary.csv")
    for name in (*needed, f"{n}/{resolution}mm/maps.nii.gz"):
        if not (folder / name).is_file():
            raise OSError(
                f"The DiFuMo atlas with {n} maps is not on this machine: "
                f"{str(folder / name)!r} is missing. If it is in another folder, set "
                f"the environment variable NILEARN_DATA to that folder. {_ADVICE}"
            )
