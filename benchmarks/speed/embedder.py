"""Speed of the embedder, sentence-transformers and the published approach.

    python -m benchmarks.speed.embedder --data FOLDER --output FILE.json

embeds 5,000 titles and 30 full texts with MiniLM in chunks of 256 tokens, with
OMP_NUM_THREADS threads, in interleaved runs of:

- ``ours``: `LLMChunkEmbedder` without a cache;
- ``plain layers``: the same without packing linear layers for oneDNN;
- ``sentence-transformers``: its ``encode`` on the same chunks as strings, averaged;
- ``published``: every chunk padded to 256 tokens, batches of 8, as in NeuroConText's
  code. All its batches cost the same, so it embeds every tenth title (``--share``) and
  its time is extrapolated; runs on half of those check that the time is linear.

Wall-clock time and CPU time are reported; beside other jobs, CPU time varies less.
Needs sentence-transformers, which the package itself does not need.
"""

import argparse
import json
import lzma
import os
import platform
import statistics
import time
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import transformers
from transformers import AutoModel, AutoTokenizer

from sklearn_neurocontext.text import LLMChunkEmbedder, _language_model
from sklearn_neurocontext.text._language_model import wheel_folder

_LIMIT = 256
_TEXTS_CHECKED = 12
# Maximum difference from the oracle.
TOLERANCE = 1e-5


def average(chunk_vectors, owners):
    """Average the chunk vectors of each text."""
    sums = np.zeros((owners[-1] + 1, chunk_vectors.shape[1]))
    np.add.at(sums, owners, chunk_vectors)
    return sums / np.bincount(owners)[:, None]


def chunk_ids(tokenizer, texts):
    """Cut texts into chunks of tokens with the special ones around them."""
    chunks, owners = [], []
    for row, text in enumerate(texts):
        ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        for start in range(0, len(ids), _LIMIT - 2):
            piece = ids[start : start + _LIMIT - 2]
            chunks.append([tokenizer.cls_token_id, *piece, tokenizer.sep_token_id])
            owners.append(row)
    return chunks, np.array(owners)


class Ours:
    """`LLMChunkEmbedder` of this package."""

    def __init__(self, folder):
        self.embedder = LLMChunkEmbedder(cache=None).fit()

    def prepare(self, texts):
        """Return texts unchanged."""
        return texts

    def run(self, texts):
        """Embed texts, including tokenization."""
        return self.embedder.transform(texts)

    oracle = None


class PlainLayers(Ours):
    """`LLMChunkEmbedder` without packed linear layers."""

    def __init__(self, folder):
        with mock.patch.object(_language_model, "pack_linear_layers"):
            self.embedder = LLMChunkEmbedder(str(folder), cache=None).fit()


class Published:
    """Every chunk padded to the limit, batches of 8."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).eval()

    def prepare(self, texts):
        """Return texts unchanged."""
        return texts

    def run(self, texts):
        """Embed texts, including tokenization."""
        chunks, owners = chunk_ids(self.tokenizer, texts)
        vectors = [
            self._embed(chunks[start : start + 8], _LIMIT)
            for start in range(0, len(chunks), 8)
        ]
        return average(np.concatenate(vectors), owners)

    def oracle(self, texts):
        """Embed one chunk at a time without padding."""
        chunks, owners = chunk_ids(self.tokenizer, texts)
        vectors = [self._embed([chunk], len(chunk)) for chunk in chunks]
        return average(np.concatenate(vectors), owners)

    @torch.inference_mode()
    def _embed(self, chunks, width):
        mask = torch.zeros((len(chunks), width), dtype=torch.long)
        ids = torch.zeros_like(mask)
        for row, chunk in enumerate(chunks):
            ids[row, : len(chunk)] = torch.tensor(chunk)
            mask[row, : len(chunk)] = 1
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        vectors = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return torch.nn.functional.normalize(vectors, dim=1).numpy()


class SentenceTransformers:
    """``SentenceTransformer.encode`` of chunks as strings."""

    def __init__(self, folder):
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(folder), device="cpu")
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def prepare(self, texts):
        """Split texts into strings of one chunk each."""
        chunks, owners = chunk_ids(self.tokenizer, texts)
        n_chunks = np.bincount(owners)
        strings = [
            texts[row] if n_chunks[row] == 1 else self.tokenizer.decode(chunk[1:-1])
            for row, chunk in zip(owners, chunks, strict=True)
        ]
        return strings, owners

    def run(self, prepared):
        """Encode strings and average them over texts."""
        strings, owners = prepared
        return average(self.model.encode(strings, normalize_embeddings=True), owners)

    def oracle(self, prepared):
        """Encode one string at a time."""
        strings, owners = prepared
        return average(
            np.stack([self.run(([s], owners[:1]))[0] for s in strings]), owners
        )


RIVALS = {
    "ours": Ours,
    "plain layers": PlainLayers,
    "sentence-transformers": SentenceTransformers,
    "published": Published,
}


def load_texts(data, kind, n_texts):
    """Load a fixed random sample of titles or full texts."""
    rng = np.random.default_rng(0)
    if kind == "titles":
        import pandas as pd

        name = "data-neuroquery_version-1_metadata.tsv.gz"
        titles = pd.read_csv(data / "neuroquery" / name, sep="\t")["title"]
        texts = titles.dropna().drop_duplicates().tolist()
    else:
        with lzma.open(data / "fulltext" / "fulltext.jsonl.xz", "rt") as lines:
            texts = [json.loads(line)["text"] for line in lines]
    return [texts[row] for row in rng.permutation(len(texts))[:n_texts]]


def check(rivals, texts):
    """Return the largest difference of each rival from its oracle."""
    few = sorted(texts, key=len)[:: max(1, len(texts) // _TEXTS_CHECKED)][
        :_TEXTS_CHECKED
    ]
    few = few if len(texts) > 100 else few[:2]
    differences = {}
    for name, rival in rivals.items():
        prepared = rival.prepare(few)
        judge = rival if rival.oracle else rivals["published"]
        expected = judge.oracle(judge.prepare(few))
        difference = float(np.abs(rival.run(prepared) - expected).max())
        differences[name] = difference
        print(f"{name}: {difference:.1e} from its oracle, {len(few)} texts", flush=True)
    return differences


def timed(rival, prepared):
    """Run once; return wall-clock time and CPU time in s."""
    wall, cpu = time.perf_counter(), time.process_time()
    rival.run(prepared)
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(rivals, texts, kind, repeats, share, save):
    """Run all rivals in turn; return the times of each run."""
    parts = dict.fromkeys(rivals, texts)
    if kind == "titles":
        parts["published"] = texts[::share]
    else:
        parts["published"] = texts[: max(2, len(texts) // share)]
    prepared = {name: rivals[name].prepare(part) for name, part in parts.items()}
    half = parts["published"][::2]
    factors = {
        name: len("".join(texts)) / len("".join(part)) for name, part in parts.items()
    }
    if kind == "titles":
        factors["published"] = len(texts) / len(parts["published"])
    seconds = {name: [] for name in [*rivals, "published, half"]}
    for repeat in range(repeats):
        order = list(rivals)
        order = order[repeat % len(order) :] + order[: repeat % len(order)]
        for name in order:
            seconds[name].append(timed(rivals[name], prepared[name]))
        seconds["published, half"].append(timed(rivals["published"], half))
        print(
            f"{kind}, run {repeat + 1}: "
            + ", ".join(
                f"{name} {factors.get(name, 1) * runs[-1][0]:.1f} s "
                f"(cpu {factors.get(name, 1) * runs[-1][1]:.1f})"
                for name, runs in seconds.items()
            ),
            flush=True,
        )
        save({"seconds": seconds, "factors": factors, "texts": len(texts)})
    return seconds, factors


def report(kind, seconds, factors, n_tokens):
    """Print median times and their ratios to those of this package."""
    for column, clock in enumerate(("wall-clock", "CPU")):
        medians = {
            name: factors.get(name, 1) * statistics.median(run[column] for run in runs)
            for name, runs in seconds.items()
        }
        linear = medians["published"] / factors["published"]
        print(f"{kind}, {clock} time, medians of {len(seconds['ours'])} runs")
        for name in RIVALS:
            ratio = medians[name] / medians["ours"]
            print(
                f"  {name}: {medians[name]:.1f} s, {n_tokens / medians[name]:,.0f} "
                f"tokens/s, {ratio:.2f} times ours"
            )
        halves = linear / medians["published, half"]
        print(f"  published: the whole took {halves:.2f} times its half")


def peak_mib() -> float:
    """Return the peak memory of this process; `getrusage` includes its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def memory(arguments):
    """Print the peak memory of one rival."""
    name, kind = arguments.memory
    texts = load_texts(arguments.data, kind, getattr(arguments, kind))
    rival = RIVALS[name](wheel_folder())
    rival.run(rival.prepare(texts[:2]))
    before = peak_mib()
    rival.run(rival.prepare(texts))
    print(
        f"{name}, {len(texts)} {kind}: peak {peak_mib():.0f} MiB, {before:.0f} at first"
    )


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="corpora")
    parser.add_argument("--output", type=Path, help="JSON of all runs")
    parser.add_argument("--titles", type=int, default=5000)
    parser.add_argument("--fulltexts", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--share",
        type=int,
        default=10,
        help="published embeds every n-th title",
    )
    parser.add_argument(
        "--memory",
        nargs=2,
        metavar=("RIVAL", "KIND"),
        help="measure only the peak memory of one rival on titles or fulltexts",
    )
    arguments = parser.parse_args()
    threads = int(os.environ.get("OMP_NUM_THREADS", "2"))
    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()
    if arguments.memory:
        memory(arguments)
        return
    import sentence_transformers

    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {threads} threads; torch "
        f"{torch.__version__}, transformers {transformers.__version__}, "
        f"sentence-transformers {sentence_transformers.__version__}"
    )
    results = {}
    for kind in ("titles", "fulltexts"):
        n_texts = getattr(arguments, kind)
        if n_texts == 0:
            continue
        texts = load_texts(arguments.data, kind, n_texts)
        rivals = {name: rival(wheel_folder()) for name, rival in RIVALS.items()}
        chunks, _ = chunk_ids(rivals["published"].tokenizer, texts)
        n_tokens = sum(len(chunk) - 2 for chunk in chunks)
        print(f"{len(texts)} {kind}, {len(chunks)} chunks, {n_tokens:,} tokens")
        differences = check(rivals, texts)
        if not max(differences.values()) <= TOLERANCE:
            raise SystemExit(f"Differences must be at most {TOLERANCE:.0e}.")

        def save(part, kind=kind):
            results[kind] = part
            if arguments.output:
                arguments.output.write_text(json.dumps(results))

        found = measure(rivals, texts, kind, arguments.repeats, arguments.share, save)
        report(kind, *found, n_tokens)


if __name__ == "__main__":
    main()
