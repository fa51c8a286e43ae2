"""Load a model in the background and pass questions to it, one at a time."""

import asyncio
import warnings
from contextlib import contextmanager

from starlette.exceptions import HTTPException

from ._answers import ModelAnswers, UploadNotFoundError
from ._worker import Worker

# Time limit of a request, in seconds. If 50 clients ask at once, the last one waits for
# the answers of the others, each of which can take several seconds.
TIME_LIMIT = 600.0
# When the server is stopped, it waits at most this number of seconds for calls.
_STOP_TIMEOUT = 5.0


class ModelService:
    """Model that is loaded in the background, and its queue of questions.

    Parameters
    ----------
    load_model : callable
        Function called as ``load_model(notify)``, which returns a model. It can call
        ``notify(message)`` to describe its progress.
    load_ontology : callable or None
        Function called without arguments, which returns an ontology with tasks.
    on_failure : callable or None
        Function called without arguments if the model cannot be loaded.
    """

    def __init__(self, load_model, load_ontology, on_failure):
        self._load_model = load_model
        self._load_ontology = load_ontology
        self._on_failure = on_failure
        self._worker = None
        self.state = "loading"
        self.message = "Loading the model …"
        self.error = None
        self.facts = {}

    def start(self) -> None:
        """Start to load the model. Questions wait until the model is loaded."""
        self._worker = Worker()
        self._worker.submit(self._load)

    def stop(self) -> None:
        """End the thread of the model."""
        self._worker.stop(_STOP_TIMEOUT)

    def status(self) -> dict:
        """Return the state of the model and facts about it."""
        return {"state": self.state, "message": self.message, **self.facts}

    async def ask(self, method: str, *args):
        """Call a method of `ModelAnswers` in the thread of the model.

        Wrong questions are answered with status 422. Questions that wait too long, or
        that still wait when the server is stopped, are answered with status 503.
        """
        future = self._worker.submit(self._answer, method, args)
        try:
            async with asyncio.timeout(TIME_LIMIT):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            message = "The server is busy. Try again later."
            raise HTTPException(503, message) from error
        except asyncio.CancelledError as error:
            raise HTTPException(503, "The server was stopped.") from error
        except UploadNotFoundError as error:
            raise HTTPException(404, error.args[0]) from error
        except ValueError as error:
            raise HTTPException(422, str(error)) from error

    def _notify(self, message):
        self.message = message

    def _load(self):
        try:
            answers = ModelAnswers(self._load_model(self._notify), self._ontology())
            self.facts = _describe_model(answers)
        except BaseException as error:
            self.state, self.error = "failed", error
            self.message = "The model could not be loaded."
            if self._on_failure is not None:
                self._on_failure()
            return
        self._answers = answers
        self.state, self.message = "ready", "The model is ready."

    def _ontology(self):
        """Load the ontology, if there is one."""
        if self._load_ontology is None:
            return None
        self._notify("Loading the tasks …")
        return self._load_ontology()

    def _answer(self, method, args):
        if self.state == "failed":
            raise HTTPException(503, self.message)
        with _without_warnings():
            return getattr(self._answers, method)(*args)


@contextmanager
def _without_warnings():
    """Ignore warnings; the page displays low-confidence messages in their place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _describe_model(answers) -> dict:
    """Return the facts about a model that the page displays."""
    model = answers.model
    n_indexed = 0 if model.studies is None else len(model.studies.titles)
    with _without_warnings():
        kinds = answers.kinds()
    return {
        "maps": kinds,
        "n_studies": model.card.get("n_studies"),
        "n_terms": len(model.terms),
        "n_indexed_studies": n_indexed,
        "has_tasks": answers.ontology is not None,
    }
