"""Save a fitted model in a folder, and load it."""

from dataclasses import dataclass, field
from pathlib import Path

from sklearn.base import clone

from .._utils.validation import check_is_fitted
from .._utils.versions import library_versions
from ._files import read_files, write_files
from ._kinds import KINDS, LOCAL_PARAMETERS
from ._restore import restore, same_identity
from ._values import Reader, Writer

_PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True)
class _Options:
    """How to load, and the versions that wrote the model."""

    device: str | None
    allow_download: bool
    versions: dict = field(default_factory=dict)


def save_model(model, directory, *, half=False) -> Path:
    """Save a fitted model: its settings as JSON, its arrays as safetensors.

    What can be saved is a closed list: the estimators of this package, its embedder and
    masker (by their settings and hashes: loading fits them anew and compares), and
    Pipeline, FeatureUnion, CountVectorizer, TfidfVectorizer, TfidfTransformer,
    TruncatedSVD, Nystroem, Normalizer, StandardScaler and RidgeCV, nested as one likes.

    Parameters
    ----------
    model : estimator
        Fitted.
    directory : path-like
        A new or empty folder. ``model.json``, ``model.safetensors`` and ``SHA256SUMS``
        are written into it at once.
    half : bool, default=False
        Whether matrices of floats are kept with 16 bits, half or a quarter of the
        size. Loaded, they have their type again and about three decimal digits.
        Vectors, and matrices whose values span more than 16 bits can tell apart, stay
        whole.

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
        If a number is NaN or infinite, or parameters were changed after fitting.
    NotFittedError
        If the model is not fitted.

    See Also
    --------
    load_model : The way back.

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
    writer = Writer(half, _write_estimator)
    name = type(model).__name__
    _kind_of(model, name)
    check_is_fitted(model)
    content = _write_estimator(writer, model, name)
    description = {"versions": library_versions(), "model": content}
    return write_files(directory, description, writer.arrays)


def load_model(directory, *, device=None, allow_download=False):
    """Load a model that `save_model` saved.

    Nothing in the files is executed: types come from a closed list, parameters are
    validated, arrays compared with the dimensions that the model states. Files that
    were cut off or altered are refused by their hashes. The hashes tell accidents, not
    a forger who writes new ones: whose models you load remains your decision. What such
    a forger can reach: an embedder or masker opens the language model, atlas and mask
    that its parameters name, hence any folder or image on this machine, and refuses
    what has other hashes; the pattern of words of a vectorizer may be one that takes
    very long on some texts. Nothing is sent anywhere unless `allow_download` is set.

    Parameters
    ----------
    directory : path-like
        The folder.
    device : str or None, default=None
        Torch device of the model's nets and embedder; None takes the one that it was
        saved with.
    allow_download : bool, default=False
        Whether a language model or DiFuMo that is not on this machine may be fetched.
        By default, language models come from a wheel, a folder or the hub's cache, and
        nothing connects.

    Returns
    -------
    model : estimator
        Fitted; its predictions are bit for bit those of the saved one, unless it was
        saved with ``half=True``.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    OSError
        If a language model or an atlas is not on this machine.
    ValueError
        If a file was cut off, altered or is too large, an array has another shape than
        stated or holds NaN, a type is not on the list, the format version is another,
        or encoder or atlas are not those that the model was trained with.

    See Also
    --------
    save_model : Writes the folder.

    Examples
    --------
    >>> from sklearn_neurocontext import load_model
    >>> load_model("no_such_folder")
    Traceback (most recent call last):
    ...
    FileNotFoundError: 'no_such_folder' holds no SHA256SUMS; expected a folder that \
save_model wrote.
    """
    description, arrays = read_files(directory)
    versions = description.get("versions")
    options = _Options(
        device, allow_download, versions if isinstance(versions, dict) else {}
    )

    def read_estimator(reader, content, where):
        return _read_estimator(reader, content, where, options)

    reader = Reader(arrays, read_estimator)
    try:
        model = reader.read({"estimator": description.get("model")}, "model")
    except RecursionError as error:
        raise ValueError(
            "The saved model was altered: it is nested too deep."
        ) from error
    if reader.arrays:
        raise ValueError(
            f"The saved model was altered: {', '.join(sorted(reader.arrays)[:3])} "
            "belong to no part of it. Save the model again."
        )
    return model


def _kind_of(estimator, where):
    kind = KINDS.get(type(estimator).__name__)
    if kind is None or type(estimator) is not kind.load_class():
        raise TypeError(
            f"{where} is a {type(estimator).__module__}.{type(estimator).__name__}, "
            f"which cannot be saved; the list is {', '.join(KINDS)}."
        )
    return kind


def _write_estimator(writer, estimator, where) -> dict:
    kind = _kind_of(estimator, where)
    names = estimator.get_params(deep=False)
    _check_input(names, where)
    params = {
        name: writer.write(value, f"{where}.{name}")
        for name, value in names.items()
        if name not in LOCAL_PARAMETERS
    }
    held = {
        name: value
        for name, value in vars(estimator).items()
        if name not in names and name not in kind.transient
    }
    content = {"type": kind.name, "params": params, "facts": {}}
    if kind.refit is not None:
        content["facts"] = _identify(kind, estimator, where) if held else {}
        return content
    unknown = sorted(set(held) - set(kind.all_facts()))
    if unknown:
        raise TypeError(
            f"{where} has learned {', '.join(unknown)}, which this package does not "
            "know how to save. Expected what scikit-learn 1.6 to 1.9 and this package "
            "learn."
        )
    content["facts"] = {n: writer.write(v, f"{where}.{n}") for n, v in held.items()}
    return content


def _identify(kind, estimator, where) -> dict:
    """Give what a refitted type is recognised by, as its settings make it."""
    fresh = clone(estimator)
    kind.refit(fresh)
    identity = kind.identify(fresh)
    if not same_identity(identity, kind.identify(estimator)):
        raise ValueError(
            f"{where} had parameters set after it was fitted. Fit it again, then save."
        )
    return identity


def _read_estimator(reader, content, where, options):
    if not isinstance(content, dict) or set(content) != {"type", "params", "facts"}:
        raise ValueError(f"The saved model was altered: {where} is no estimator.")
    kind = KINDS.get(str(content["type"]))
    if kind is None:
        raise ValueError(
            f"{where} is of type {content['type']!r}, which cannot be loaded; the list "
            f"is {', '.join(KINDS)}. It may need a newer version of this package."
        )
    params = reader.read({"dict": content["params"]}, where)
    for name in LOCAL_PARAMETERS:
        params.pop(name, None)
    facts = reader.read({"dict": content["facts"]}, where)
    try:
        _check_params(kind, params, options.versions)
        _check_input(params, where)
        if options.device is not None and "device" in params:
            params["device"] = options.device
        estimator = kind.load_class()(**params)
        if hasattr(estimator, "_parameter_constraints"):
            estimator._validate_params()
        restore(kind, estimator, facts, allow_download=options.allow_download)
    except (TypeError, ValueError, AttributeError, OverflowError, MemoryError) as error:
        raise ValueError(
            f"{where} ({kind.name}) cannot be loaded: {error}. The saved model was "
            "altered, or another version wrote it (model.json states which)."
        ) from error
    return estimator


def _check_params(kind, params, versions) -> None:
    """Refuse unknown parameters, and missing ones that the writer's version had."""
    names = set(kind.load_class()._get_param_names()) - set(LOCAL_PARAMETERS)
    unknown = sorted(set(params) - names)
    if unknown:
        raise ValueError(f"the parameters {', '.join(unknown)} are unknown")
    package = "scikit-learn" if kind.home.startswith("sklearn.") else _PACKAGE
    missing = sorted(names - set(params))
    if missing and versions.get(package) == library_versions()[package]:
        raise ValueError(f"the parameters {', '.join(missing)} are missing")


def _check_input(params, where) -> None:
    """Refuse vectorizers that would take texts for names of files."""
    if params.get("input", "content") != "content":
        raise ValueError(
            f"{where} has input={params['input']!r}, which opens the files that texts "
            "name; expected input='content'. Read the files first"
        )
