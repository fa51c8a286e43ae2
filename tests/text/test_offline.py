"""With sockets blocked, local models work and nothing tries to connect."""

import os
import subprocess
import sys

from tests.text.tiny_models import save_tiny_model

# A new process without the offline switches of the test suite: its environment is that
# of a user who has never heard of them.
SCRIPT = """
import socket, sys

tried = []

def refuse(*args, **kwargs):
    tried.append(args)
    raise OSError("sockets are blocked")

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse)
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse)

from sklearn_neurocontext import LLMChunkEmbedder

for name in [LLMChunkEmbedder().model_name, *sys.argv[1:]]:
    X = LLMChunkEmbedder(name, cache=None).fit_transform(["pain " * 600, "fear"])
    print(name, X.shape)
print("tried:", tried)
"""


def test_nothing_tries_to_connect(tmp_path):
    models = [save_tiny_model(tmp_path / name, name) for name in ("bert", "mistral")]
    hidden = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME")
    environment = {key: os.environ[key] for key in os.environ.keys() - set(hidden)}
    environment |= {"HF_HOME": str(tmp_path / "hub")}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *models],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    # The default model, and the local ones.
    assert ran.stdout.count("(2, ") == 1 + len(models)
    assert ran.stdout.endswith("tried: []\n")
