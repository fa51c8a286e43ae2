"""CPU time per token of large models, extrapolated from some of their layers.

    python -m benchmarks.speed.large_models

creates models with the shapes of GPT-Neo-1.3B and Mistral-7B, but with few layers,
random weights and a small vocabulary; embeds chunks of 1,024 tokens with
`LLMChunkEmbedder` on the CPU in float32; and multiplies by the number of layers. All
layers are alike, and the rest of a model takes a negligible share of the time.
"""

import os
import statistics
import tempfile
import time

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModel,
    GPTNeoConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
)

from sklearn_neurocontext.text import LLMChunkEmbedder

_CHUNK = 1024
_N_WORDS = 1000
# Configuration, number of layers here, number of layers of the whole model.
SHAPES = {
    "GPT-Neo-1.3B": (
        GPTNeoConfig(
            vocab_size=_N_WORDS,
            hidden_size=2048,
            num_heads=16,
            num_layers=2,
            attention_types=[[["global", "local"], 1]],
        ),
        2,
        24,
    ),
    "Mistral-7B": (
        MistralConfig(vocab_size=_N_WORDS, num_hidden_layers=1),
        1,
        32,
    ),
}


def save_model(config, folder):
    """Save a model with random weights and a tokenizer whose words are numbers."""
    vocabulary = {str(number): number for number in range(_N_WORDS)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="0"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    named = {"unk_token": "0", "model_max_length": 2048}
    PreTrainedTokenizerFast(tokenizer_object=backend, **named).save_pretrained(folder)
    AutoModel.from_config(config).save_pretrained(folder)


def measure_cpu_time(folder, n_chunks, repeats):
    """Return the median CPU time of embedding a text of n_chunks chunks, in s."""
    embedder = LLMChunkEmbedder(folder, chunk_size=_CHUNK, cache=None).fit()
    text = " ".join(str(n % _N_WORDS) for n in range(n_chunks * _CHUNK))
    embedder.transform(["1 2 3"])
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        embedder.transform([text])
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


def main():
    """Measure both models."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    for name, (config, n_made, n_layers) in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            save_model(config, folder)
            seconds = measure_cpu_time(folder, n_chunks=2, repeats=3)
        rate = 2 * _CHUNK / seconds * n_made / n_layers
        print(
            f"{name}: {n_made} of {n_layers} layers, {seconds:.1f} s CPU time "
            f"for {2 * _CHUNK} tokens; whole model {rate:.1f} tokens per core second",
            flush=True,
        )


if __name__ == "__main__":
    main()
