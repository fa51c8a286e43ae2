"""Local web server with a page and a JSON interface for a model.

This subpackage requires the extra ``[serve]``.
"""

from .._utils.packages import import_optional

for _package in ("fastapi", "python_multipart", "uvicorn"):
    import_optional(_package, extra="serve")

from ._app import create_app  # noqa: E402
from ._run import run_server  # noqa: E402

__all__ = ["create_app", "run_server"]
