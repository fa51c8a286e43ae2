"""Code that comes with a model: which of it may run, and what it says."""

import inspect
import sys
from pathlib import Path

from transformers import PreTrainedConfig
from transformers.models.auto.tokenization_auto import get_tokenizer_config

_LENGTH_OF_COMMIT = 40
# Where transformers imports the code that comes with models.
_PACKAGE = "transformers_modules"


def check_commit(source) -> None:
    """Refuse code of the hub at whatever commit is the newest.

    Parameters
    ----------
    source : ModelSource
        What is to be loaded.

    Raises
    ------
    ValueError
        If code may run, comes from the hub, and `revision` is no commit.
    """
    if not source.trust_remote_code or Path(source.model_name).is_dir():
        return
    revision = source.revision or ""
    if len(revision) != _LENGTH_OF_COMMIT or set(revision) - set("0123456789abcdef"):
        raise ValueError(
            f"trust_remote_code=True runs code that comes with {source.model_name!r}, "
            f"and revision={source.revision!r} does not say which; expected a commit, "
            "40 hexadecimal digits. Read that code, then pass its commit as revision."
        )


def names_of_code(place, options) -> list:
    """Read which code a model's configurations name, without running it.

    Parameters
    ----------
    place : str
        Folder, or name on the hub.
    options : dict
        Revision, token, and whether code may run.

    Returns
    -------
    names : list of str
        For example ``"modeling.Model"``, or ``"org/name--modeling.Model"`` for that of
        another repository; empty where no code may run.

    Raises
    ------
    OSError
        If the configuration cannot be had.
    """
    if not options["trust_remote_code"]:
        return []
    where = {"revision": options["revision"], "token": options["token"]}
    config, _ = PreTrainedConfig.get_config_dict(place, **where)
    maps = [
        config.get("auto_map"),
        get_tokenizer_config(place, **where).get("auto_map"),
    ]
    names = []
    for auto_map in filter(None, maps):
        values = auto_map.values() if isinstance(auto_map, dict) else [auto_map]
        for value in values:
            # A tokenizer may name two, or none for one of them.
            names += [value] if isinstance(value, str) else filter(None, value)
    return names


def check_repositories(place, names) -> None:
    """Refuse a model whose code is in another repository, where no commit pins it.

    Parameters
    ----------
    place : str
        Folder, or name on the hub.
    names : list of str
        See `names_of_code`.

    Raises
    ------
    ValueError
        If one of them is in another repository.
    """
    for name in names:
        repository, mark, _ = name.partition("--")
        if mark and repository != place:
            raise ValueError(
                f"{place!r} runs the code {name!r} of another repository, at whatever "
                "commit is the newest there. Download the model into a folder, put "
                f"the code of {repository!r} beside it once you have read it, take "
                f"'{repository}--' out of 'auto_map' in its configurations, and pass "
                "the folder as model_name."
            )


def remote_sources(*objects) -> list:
    """Read the modules that come with a model, imported ones among them.

    Parameters
    ----------
    *objects : object
        Tokenizer, configuration, model and its layers.

    Returns
    -------
    sources : list of str
        Source of each module, in an order that no folder's name changes.
    """
    names = {type(thing).__module__ for thing in objects}
    packages = {
        name.rpartition(".")[0] + "." for name in names if name.startswith(_PACKAGE)
    }
    return sorted(
        inspect.getsource(module)
        for name, module in list(sys.modules.items())
        if name.startswith(tuple(packages)) and getattr(module, "__file__", None)
    )
