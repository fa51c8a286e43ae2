"""Web application with a page and a JSON interface for a model."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from .. import __version__
from .._utils.pages import PAGE_FILES, make_environment
from ._answers import MAX_TEXT, MapQuestion, check_text
from ._middleware import SecurityHeaders, SizeLimit
from ._service import ModelService
from ._uploads import MAX_UPLOAD_MB

LOCAL_HOSTS = ("127.0.0.1", "localhost")
_STATIC = Path(__file__).parent / "static"
# The HTML page of nilearn's surface view contains scripts. One of them (plotly)
# compiles functions. The HTML page is displayed in a frame without access to the
# surrounding page or to the network.
_SURFACE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)
# Maximum number of bytes of a request in addition to the uploaded file. The additional
# bytes contain, for example, the name of the file.
_FORM_BYTES = 10_000

_Text = Annotated[
    str | None, Query(description=f"Text of at most {MAX_TEXT:,} characters.")
]
_Kind = Annotated[
    Literal["z_map", "brain_map"],
    Query(alias="map", description="Map of a text: z map or brain map."),
]
_Minus = Annotated[
    str | None, Query(description="Text whose map is subtracted from the map of text.")
]
_Upload = Annotated[
    str | None, Query(description="Key of an uploaded map, from /api/decode.")
]
_Count = Annotated[
    int, Query(ge=1, le=100, description="Number of terms, tasks or studies to return.")
]
_Threshold = Annotated[
    float,
    Query(gt=0, allow_inf_nan=False, description="Smallest magnitude to show."),
]


def create_app(
    load_model, *, load_ontology=None, allowed_hosts=LOCAL_HOSTS, on_failure=None
):
    """Create the web application that `neurocontext serve` runs.

    The application loads the model in the background when it starts. Questions are
    answered one at a time, in the order in which they arrive. The application writes no
    file, except that large uploads are kept in a temporary file until they are read.

    Parameters
    ----------
    load_model : callable
        Function called as ``load_model(notify)``. It must return a `NeuroContextModel`.
        It can call ``notify(message)`` to display its progress on the page. If the
        page should list studies, the function must call ``model.index_corpus``.
    load_ontology : callable or None, default=None
        Function called without arguments in the background, for example
        `fetch_cognitive_atlas`. It must return an ontology, and the page lists its
        tasks. If None, the page lists no tasks.
    allowed_hosts : sequence of str, default=("127.0.0.1", "localhost")
        Host names under which the application can be reached. Requests for other names
        are refused, because another web site could otherwise read answers (DNS
        rebinding).
    on_failure : callable or None, default=None
        Function called without arguments if the model cannot be loaded. The exception
        is then in ``app.state.service.error``.

    Returns
    -------
    app : fastapi.FastAPI
        Application for an ASGI server such as uvicorn.

    Examples
    --------
    >>> from sklearn_neurocontext import NeuroContextModel
    >>> from sklearn_neurocontext.server import create_app
    >>> app = create_app(lambda notify: NeuroContextModel.from_pretrained())
    >>> app.title
    'sklearn_neurocontext'
    """
    service = ModelService(load_model, load_ontology, on_failure)

    @asynccontextmanager
    async def _lifespan(app):
        service.start()
        yield
        service.stop()

    app = FastAPI(
        title="sklearn_neurocontext",
        version=__version__,
        description="Brain maps of texts, and texts that match brain maps.",
        lifespan=_lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_wrong_parameter)
    message = f"The file must have at most {MAX_UPLOAD_MB} MB. Resample the map."
    max_bytes = MAX_UPLOAD_MB * 2**20 + _FORM_BYTES
    app.add_middleware(SizeLimit, max_bytes=max_bytes, message=message)
    app.add_middleware(
        TrustedHostMiddleware, allowed_hosts=list(allowed_hosts), www_redirect=False
    )
    app.add_middleware(SecurityHeaders)
    _add_pages(app)
    _add_interface(app, service)
    _add_files(app, service)
    return app


def _question(
    text: _Text = None,
    map: _Kind = "z_map",
    minus: _Minus = None,
    upload: _Upload = None,
) -> MapQuestion:
    """Return the question that a request contains; check its texts."""
    if (text is None) == (upload is None):
        raise HTTPException(422, "Exactly one of text and upload must be given.")
    if upload is not None and minus is not None:
        raise HTTPException(422, "minus can only be given together with text.")
    return MapQuestion(map, _checked(text, "text"), _checked(minus, "minus"), upload)


def _checked(text, name):
    try:
        return None if text is None else check_text(text, name)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error


_Question = Annotated[MapQuestion, Depends(_question)]


def _add_pages(app):
    """Add the page, the description of the interface, scripts and styles."""
    templates = make_environment(__package__)
    # Scripts and styles of the page, and those that it shares with reports.
    app.mount("/static", StaticFiles(directory=_STATIC))
    app.mount("/shared", StaticFiles(directory=PAGE_FILES))

    @app.get("/", include_in_schema=False)
    async def page():
        template = templates.get_template("page.html")
        limits = {"max_text": MAX_TEXT, "max_mb": MAX_UPLOAD_MB}
        return HTMLResponse(template.render(version=__version__, **limits))

    @app.get("/api", include_in_schema=False)
    async def interface():
        schema = app.openapi()
        return HTMLResponse(templates.get_template("api.html").render(schema=schema))


def _add_interface(app, service):
    """Add the JSON interface."""

    @app.get("/api/status")
    async def status() -> dict:
        """Return whether the model is loaded, and facts about it.

        The value of "state" is "loading", "ready" or "failed".
        """
        return service.status()

    @app.get("/api/map")
    async def describe_map(question: _Question, k: _Count = 20) -> dict:
        """Return the peaks of a map, and the terms with similar maps.

        Pass one of the parameters text and upload. The answer states the unit, the
        largest magnitude and the default threshold of the map. For each text, it
        contains a sentence about the number of training studies that support the map,
        and the low-confidence warning. The sentence is empty if the model does not know
        this number, and the warning is empty if the model is confident.
        """
        return await service.ask("describe", question, k)

    @app.get("/api/studies")
    async def list_studies(
        text: Annotated[str, Query(description="Text to compare with studies.")],
        k: _Count = 20,
    ) -> dict:
        """Return the studies of the corpus whose maps are most similar to a text.

        The server must have been started with the option --corpus.
        """
        return await service.ask("studies", _checked(text, "text"), k)

    @app.get("/api/tasks")
    async def list_tasks(
        text: Annotated[str, Query(description="Text to compare with tasks.")],
        k: _Count = 20,
    ) -> dict:
        """Return the tasks of the Cognitive Atlas that match the map of a text.

        The server must have been started with the option --tasks.
        """
        return await service.ask("tasks", _checked(text, "text"), k)

    @app.post("/api/decode")
    async def decode(file: UploadFile, k: _Count = 20) -> dict:
        """Return the terms, tasks and studies that match an uploaded map.

        The file must be a NIfTI file (.nii or .nii.gz) with one map in MNI space. The
        value of "upload" in the answer identifies the map in later requests. The server
        keeps the map until newer uploads replace it.
        """
        return await service.ask("decode", await file.read(), k)


def _add_files(app, service):
    """Add the addresses that return maps as NIfTI files, pictures or HTML pages."""

    @app.get("/template.nii.gz", include_in_schema=False)
    async def template():
        return _nifti(await service.ask("template"), "template")

    @app.get("/api/map.nii.gz", response_class=Response)
    async def map_nifti(question: _Question):
        """Return a map as a NIfTI file."""
        return _nifti(await service.ask("nifti", question), question.kind)

    @app.get("/api/map.png", response_class=Response)
    async def map_picture(question: _Question, threshold: _Threshold):
        """Return a picture of a map on a glass brain."""
        content = await service.ask("picture", question, threshold)
        return _download(content, "image/png", f"{question.kind}.png")

    @app.get("/api/surface.html", response_class=HTMLResponse)
    async def map_surface(question: _Question, threshold: _Threshold):
        """Return an HTML page with an interactive view of a map on the cortex."""
        headers = {"Content-Security-Policy": _SURFACE_POLICY}
        page = await service.ask("surface", question, threshold)
        return HTMLResponse(page, headers=headers)


def _nifti(content, name):
    return _download(content, "application/gzip", f"{name}.nii.gz")


def _download(content, media_type, name):
    headers = {"Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


async def _answer_http_error(request: Request, error: HTTPException):
    """Answer an error with a sentence in JSON."""
    sentence = error.detail
    if error.status_code == 404 and sentence == "Not Found":
        sentence = "This address does not exist."
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


async def _answer_wrong_parameter(request: Request, error: RequestValidationError):
    """Answer a missing or wrong parameter with a sentence in JSON."""
    first = error.errors()[0]
    name = first["loc"][-1]
    sentence = f"{name} is wrong: {first['msg'][:1].lower()}{first['msg'][1:]}."
    return JSONResponse({"error": sentence}, 422)
