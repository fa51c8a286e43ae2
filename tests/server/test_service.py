"""The model is loaded in the background; questions wait and keep their answers."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from sklearn_neurocontext.server import _service as service_module
from sklearn_neurocontext.server import create_app
from sklearn_neurocontext.server._worker import Worker


def _client(load, **options):
    app = create_app(load, **options)
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)


def test_page_answers_while_the_model_loads(model):
    ready = threading.Event()

    def load(notify):
        notify("Loading the corpus …")
        ready.wait(60)
        return model

    with _client(load) as client, ThreadPoolExecutor(1) as pool:
        question = pool.submit(client.get, "/api/map?text=pain")
        assert client.get("/").status_code == 200
        status = client.get("/api/status").json()
        assert status["state"] == "loading"
        assert not question.done()
        ready.set()
        assert question.result().status_code == 200
        assert client.get("/api/status").json()["state"] == "ready"


def test_model_that_cannot_be_loaded():
    failed = threading.Event()

    def load(notify):
        raise OSError("no such model")

    with _client(load, on_failure=failed.set) as client:
        response = client.get("/api/map?text=pain")
        assert response.status_code == 503
        assert response.json() == {"error": "The model could not be loaded."}
        assert failed.is_set()
        assert str(client.app.state.service.error) == "no such model"
        assert client.get("/api/status").json()["state"] == "failed"


def test_simultaneous_questions_get_their_own_answers(client):
    texts = [f"{word} {n}" for n in range(10) for word in ("pain", "finger", "faces")]

    def ask(text):
        return client.get("/api/map", params={"text": text, "k": 1}).json()

    expected = {text: ask(text) for text in texts}
    with ThreadPoolExecutor(15) as pool:
        answers = list(pool.map(ask, texts * 3))
    for text, answer in zip(texts * 3, answers, strict=True):
        assert answer == expected[text]
        assert answer["title"] == text


def test_time_limit(model, monkeypatch):
    monkeypatch.setattr(service_module, "TIME_LIMIT", 0.05)
    stop = threading.Event()

    def load(notify):
        stop.wait(60)
        return model

    with _client(load) as client:
        response = client.get("/api/map?text=pain")
        stop.set()
    assert response.status_code == 503
    assert "busy" in response.json()["error"]


def test_waiting_question_ends_with_the_server(model):
    stop = threading.Event()
    service = service_module.ModelService(lambda notify: stop.wait(60), None, None)
    service.start()

    async def ask_and_cancel():
        task = asyncio.create_task(service.ask("kinds"))
        await asyncio.sleep(0.1)
        task.cancel()
        await task

    with pytest.raises(HTTPException, match="The server was stopped"):
        asyncio.run(ask_and_cancel())
    stop.set()
    service.stop()


def test_defect_is_not_shown(model, monkeypatch):
    def fail(self, *args):
        raise RuntimeError("secret")

    monkeypatch.setattr(service_module.ModelAnswers, "describe", fail)
    with _client(lambda notify: model) as client:
        response = client.get("/api/map?text=pain")
    assert response.status_code == 500
    assert "secret" not in response.text


def test_worker_keeps_the_order_and_survives_errors():
    worker, calls = Worker(), []
    futures = [worker.submit(calls.append, n) for n in range(20)]
    failing = worker.submit(int, "x")
    last = worker.submit(calls.append, 20)
    last.result(10)
    assert calls == list(range(21))
    assert all(future.done() for future in futures)
    with pytest.raises(ValueError, match="invalid literal"):
        failing.result()
    worker.stop(5)
    assert not worker._thread.is_alive()


def test_worker_skips_cancelled_calls():
    worker, started, calls = Worker(), threading.Event(), []
    first = worker.submit(started.wait, 30)
    second = worker.submit(calls.append, 1)
    assert second.cancel()
    started.set()
    assert first.result(10)
    worker.stop(5)
    assert calls == []
