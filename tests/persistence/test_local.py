"""Loading connects to the network only with ``allow_download=True``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")

# A new process without the offline switches of the test suite.
SCRIPT = """
import socket, sys
from pathlib import Path

tried = []

class Connected(BaseException):
    # Not an Exception, so that no code catches it to try again.
    pass

def refuse(*args, **kwargs):
    tried.append(args)
    raise Connected

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse)
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse)

from tests.persistence.editing import edit
from tests.text.tiny_models import save_tiny_model
from sklearn_neurocontext import LLMChunkEmbedder, load_model, save_model

folder, hub = Path(sys.argv[1]), Path(sys.argv[2])
commit = "0123456789" * 4
cached = hub / "hub" / "models--we--tiny"
save_tiny_model(cached / "snapshots" / commit, "bert")
# The hub's client marks missing files in this way.
none = cached / ".no_exist" / commit / "sentence_bert_config.json"
none.parent.mkdir(parents=True)
none.touch()
(cached / "refs").mkdir()
(cached / "refs" / "main").write_text(commit)
texts = ["reading words", "pain"]
for model_name in (LLMChunkEmbedder().model_name, "we/tiny"):
    # A model of the hub is only found in the cache.
    embedder = LLMChunkEmbedder(model_name, cache=None)
    from huggingface_hub import constants
    constants.HF_HUB_OFFLINE = True
    saved = save_model(embedder.fit(texts), folder / model_name.replace("/", "-"))
    constants.HF_HUB_OFFLINE = False
    from sklearn_neurocontext.text import _language_model
    _language_model._load.cache_clear()
    loaded = load_model(saved)
    assert constants.HF_HUB_OFFLINE is False
    print("same:", (loaded.transform(texts) == embedder.transform(texts)).all())
print("tried:", tried)
edit(saved, lambda d: d["model"]["params"].update(model_name="others/model"))
try:
    load_model(saved)
except OSError as error:
    print("advised:", "allow_download=True" in str(error), "tried:", tried)
try:
    load_model(saved, allow_download=True)
except Connected:
    print("allowed: connects")
"""


@pytest.mark.slow
def test_loading_connects_to_network_only_if_allowed(tmp_path):
    hidden = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME", "HF_HUB_CACHE")
    environment = {key: os.environ[key] for key in os.environ.keys() - set(hidden)}
    here = Path(__file__).parent
    paths = [str(here), str(here.parent / "text"), *sys.path]
    environment |= {"HF_HOME": str(tmp_path / "hub")}
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "models", tmp_path / "hub"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "same: True",
        "same: True",
        "tried: []",
        "advised: True tried: []",
        "allowed: connects",
    ]
