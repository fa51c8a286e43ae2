"""Import optional dependencies."""

import importlib
from types import ModuleType


def import_optional(name: str, extra: str) -> ModuleType:
    """Import a module of an optional dependency.

    Parameters
    ----------
    name : str
        Name of the module, for example ``"pyarrow"``.
    extra : str
        Extra of this package that installs it, for example ``"demo"``.

    Returns
    -------
    module : module
        The imported module.

    Raises
    ------
    ImportError
        If the module cannot be imported; the message holds the installation command.

    Examples
    --------
    >>> from sklearn_neurocontext._utils.optional import import_optional
    >>> import_optional("json", extra="demo").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"The package {name} could not be imported ({error}). "
            f"Install it with: pip install 'sklearn-neurocontext[{extra}]'"
        ) from error
