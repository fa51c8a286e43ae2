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

# A peak in mm, whose coefficients are saved to detect a different masker.
_PROBE = [[[-42.0, -22.0, 54.0]]]
# Coefficients of the same masker on another machine differ in their last digits.
_TOLERANCE = 1e-4
_SWITCHING = threading.RLock()
_ADVICE = (
    "By default, a model is loaded with language models and atlases of this machine. "
    "If you trust the source of the model, pass allow_download=True (on the command "
    "line: --allow-download) to download them."
)


def save_model(model, directory, *, half=False) -> Path:
    """Save a fitted model: its settings as JSON, its arrays as safetensors.

    The types that can be saved are a closed list: the estimators of this package, its
    embedder and masker, and scikit-learn's Pipeline, FeatureUnion, CountVectorizer,
    TfidfVectorizer, TfidfTransformer, TruncatedSVD, Nystroem, Normalizer,
    StandardScaler and RidgeCV, nested in any way. Of the embedder and the masker, only
    parameters and hashes are saved; `load_model` fits them again and compares the
    hashes.

    Parameters
    ----------
    model : estimator
        Fitted estimator.
    directory : path-like
        New or empty folder, into which ``model.json``, ``model.safetensors`` and
        ``SHA256SUMS`` are written.
    half : bool, default=False
        Whether to save matrices of floats with 16 bits, which reduces their size to a
        half or a quarter. Loaded matrices have their original type and about three
        correct decimal digits. Vectors, and matrices whose range of values is too large
        for 16 bits, are saved with full precision.

    Returns
    -------
    directory : Path
        The folder.

    Raises
    ------
    FileExistsError
        If the folder exists and is not empty.
    TypeError
        If the model, a part of it or a parameter has a type that is not on the list.
    ValueError
        If a value is NaN or infinite, or a parameter was changed after fitting.
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

    No code in the files is executed: types come from a closed list, parameters are
    validated, and shapes of arrays are compared with the dimensions of the model.
    Hashes detect files that were altered or cut off by accident. They do not protect
    against forged files, whose embedder or masker may name any language model, atlas or
    mask to open. Load models only from sources that you trust.

    Parameters
    ----------
    directory : path-like
        The folder.
    device : str or None, default=None
        Torch device of the networks and the embedder; None selects the saved device.
    allow_download : bool, default=False
        Whether a language model or DiFuMo that is not on this machine may be
        downloaded. By default, language models come from a package, a folder or the
        cache of the hub, and nothing connects to the network.

    Returns
    -------
    model : estimator
        Fitted estimator. Its predictions are exactly those of the saved model, unless
        it was saved with ``half=True``.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    OSError
        If a language model or an atlas is not on this machine.
    ValueError
        If a file was altered or cut off, an array does not have the stated shape, a
        type is not on the list, the format version is not supported, or the language
        model or the atlas differs from the one used in training.

    See Also
    --------
    save_model : Write the folder.

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
        Numbers, strings, arrays, and lists and dictionaries of them.
    directory : path-like
        New or empty folder, into which the same files as by `save_model` are written.
    half : bool, default=False
        Whether to save matrices of floats with 16 bits, see `save_model`.

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
        The folder.

    Returns
    -------
    values : dict
        The saved values; arrays have their original types.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a file was altered, cut off, or written by another version.
    """
    description, arrays = read_files(directory)
    with _explained_errors(directory):
        return Reader(arrays).read(description["values"], "values")


def fingerprint(model) -> str:
    """Return a hash of a fitted model, computed from its content as saved.

    Parameters
    ----------
    model : estimator
        Fitted estimator of a type that `save_model` can save.

    Returns
    -------
    digest : str
        SHA-256 in hexadecimal. Different models have different hashes. The same model
        fitted on another machine may have another hash, as its last digits differ.

    Raises
    ------
    TypeError
        If the model, a part of it or a parameter has a type that cannot be saved.
    """
    content, arrays = _write_model(model, half=False)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(memoryview(arrays[name]).cast("B"))
    return digest.hexdigest()


@contextmanager
def _explained_errors(directory):
    """Replace errors in reading by one ValueError with advice."""
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
            f"{str(directory)!r} cannot be loaded: {reason}. Another version of this "
            "package or of scikit-learn may have written it (model.json states the "
            "versions). Save the model again, or train it again."
        ) from error


def _write_model(model, half) -> tuple[dict, dict]:
    """Return a fitted model as JSON and arrays."""
    name = type(model).__name__
    _check_kind(model, name)
    check_is_fitted(model)
    writer = Writer(half, _write_estimator)
    return _write_estimator(writer, model, name), writer.arrays


def _check_kind(estimator, where):
    """Check that an estimator can be saved; return its entry in the list of types."""
    kind = KINDS.get(type(estimator).__name__)
    if kind is None or type(estimator) is not _load_class(type(estimator).__name__):
        raise TypeError(
            f"{where} is a {type(estimator).__module__}.{type(estimator).__name__}, "
            f"which cannot be saved; types that can be saved are {', '.join(KINDS)}."
        )
    return kind


def _load_class(name) -> type:
    return getattr(importlib.import_module(KINDS[name].home), name)


def _write_estimator(writer, estimator, where) -> dict:
    """Return an estimator as JSON: its type, parameters and learned attributes."""
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
            f"{where} has learned {', '.join(unknown)}, which this package cannot "
            "save. Expected the attributes of scikit-learn 1.6 to 1.9 and of this "
            "package."
        )
    content["learned"] = {
        name: writer.write(value, f"{where}.{name}") for name, value in learned.items()
    }
    return content


def _read_estimator(reader, content, where, device, allow_download):
    """Return an estimator from JSON, with its learned attributes."""
    name = content["type"]
    if name not in KINDS:
        raise ValueError(
            f"{where} is of type {name!r}, which is not on the list of types "
            f"({', '.join(KINDS)})"
        )
    params = {
        key: reader.read(value, f"{where}.{key}")
        for key, value in content["params"].items()
        if key not in LOCAL_PARAMETERS
    }
    if device is not None and "device" in params:
        params["device"] = device
    estimator = _load_class(name)(**params)
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
    """Set learned attributes; networks are last, as they depend on the others."""
    networks = {name for name, one in learned.items() if isinstance(one, Module)}
    vars(estimator).update({n: v for n, v in learned.items() if n not in networks})
    for name in networks:
        from ..models import build_module

        setattr(estimator, name, build_module(estimator, name, learned[name].weights))


def _check_learned(learned, expected, where) -> None:
    """Check the types and shapes of learned attributes, see `KINDS`."""
    unknown = sorted(set(learned) - set(expected) - set(COMMON))
    if unknown:
        raise ValueError(f"{where} has the unknown attributes {', '.join(unknown)}")
    sizes = {name: value for name, value in learned.items() if type(value) is int}
    for name, described in {**COMMON, **expected}.items():
        value = learned.get(name)
        if not isinstance(described, str):
            if not isinstance(value, described):
                raise ValueError(
                    f"{where}.{name} is {type(value).__name__}; expected {described}"
                )
        elif value is None and not described.endswith("?"):
            raise ValueError(f"{where}.{name} is missing")
        elif value is not None and not described.startswith("net"):
            _check_array(f"{where}.{name}", value, described.rstrip("?"), sizes)


def _check_array(name, array, described, sizes) -> None:
    """Check the type and shape of a learned array; add its dimensions to `sizes`."""
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
    """Return the hash of the atlas, and the coefficients of one peak."""
    probe = masker.transform(_PROBE)[0].astype(float).tolist()
    return {"atlas_hash": masker.atlas_hash_, "probe": probe}


def _identify_embedder(embedder) -> dict:
    """Return the hash of weights, tokenizer and chunk settings, and the dimension."""
    return {
        "settings_key": embedder.settings_key(),
        "embedding_dim": embedder.embedding_dim_,
    }


# Classes that learn nothing from studies. They are fitted again when loaded, and these
# values are compared with the saved ones.
_IDENTIFIERS = {
    "KDEDiFuMoMasker": _identify_masker,
    "LLMChunkEmbedder": _identify_embedder,
}


def _identify(estimator, where) -> dict:
    """Return the identity of a masker or an embedder after fitting it again."""
    identify = _IDENTIFIERS[type(estimator).__name__]
    fresh = clone(estimator)
    _refuse_remote_code(fresh)
    identity = identify(fresh.fit())
    if not all(map(_is_same, identity.values(), identify(estimator).values())):
        raise ValueError(
            f"{where} had parameters set after it was fitted. Fit it again, then save."
        )
    return identity


def _fit_again(estimator, identity, where) -> None:
    """Fit a masker or an embedder, and compare it with the saved one."""
    _refuse_remote_code(estimator)
    found = _IDENTIFIERS[type(estimator).__name__](estimator.fit())
    differing = [
        f"{name} {str(value)[:70]} instead of {str(identity.get(name))[:70]}"
        for name, value in found.items()
        if not _is_same(value, identity.get(name))
    ]
    if differing:
        raise ValueError(
            f"{where} differs from the one that the model was trained with: "
            f"{', '.join(differing)}. Install the same atlas and language model"
        )


def _refuse_remote_code(estimator) -> None:
    if getattr(estimator, "trust_remote_code", False):
        raise ValueError(
            "trust_remote_code=True runs code that comes with a language model. Saved "
            "models must not run code; save the model that follows the embedder instead"
        )


def _is_same(one, other) -> bool:
    """Return whether two values are equal; lists of numbers, up to rounding."""
    if not (isinstance(one, list) and isinstance(other, list)):
        return one == other
    one, other = np.array(one), np.array(other)
    if one.shape != other.shape:
        return False
    return bool(np.abs(one - other).max(initial=0) <= _TOLERANCE * np.abs(one).max())


@contextmanager
def _offline(estimator):
    """Prevent the fit of an embedder or a masker from connecting to the network."""
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
    """Check that the files of DiFuMo, which nilearn would download, are present."""
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
                f"{str(folder / name)!r} is missing. {_ADVICE}"
            )
