"""Kill a run of the embedder again and again, and look at what is left each time.

``python benchmarks/kill_embedder.py --data FOLDER`` embeds 2,000 real abstracts with
MiniLM into a store, in a process that is killed (SIGKILL) at random moments, at least
10 times in a forward pass and 5 times in a commit, and at least 20 times in all. After
each kill it checks the file, compares every vector to what was there before, and at the
end to a run that nobody disturbed. Called again with the same ``--store``, it goes on
from what that holds.
"""

import argparse
import multiprocessing
import random
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sklearn_neurocontext.text import EmbeddingStore, LLMChunkEmbedder

IDLE, FORWARD, COMMIT = range(3)
NAMES = {IDLE: "between", FORWARD: "forward pass", COMMIT: "commit"}
_TOLERANCE = 1e-6


def run_child(settings, texts, path, moment, commits, handed, seconds):
    """Embed the texts into the store, saying at each moment what is being done."""
    from sklearn_neurocontext.text import _forward

    run_batch, put_many = _forward._run_batch, EmbeddingStore.put_many
    embed = LLMChunkEmbedder._embed
    _forward._SECONDS_BETWEEN_YIELDS = seconds

    def marked(function, name):
        def wrapper(*args):
            if name == COMMIT and not args[1]:
                return None
            moment.value = name
            result = function(*args)
            moment.value = IDLE
            commits.value += name == COMMIT
            return result

        return wrapper

    def noting(self, batch):
        numbers = {text: number for number, text in enumerate(texts)}
        for text in batch:
            handed[numbers[text]] = 1
        return embed(self, batch)

    _forward._run_batch = marked(run_batch, FORWARD)
    EmbeddingStore.put_many = marked(put_many, COMMIT)
    LLMChunkEmbedder._embed = noting
    embedder = LLMChunkEmbedder(**settings, cache=path).fit()
    for _ in embedder.embed_blocks(texts):
        pass


def read_store(path) -> dict:
    """Give all vectors of a store as bytes, after SQLite has checked the file."""
    if not path.exists():
        return {}
    connection = sqlite3.connect(path)
    answer = connection.execute("PRAGMA integrity_check").fetchone()
    if answer != ("ok",):
        raise SystemExit(f"FAILED: the store is corrupt: {answer}")
    vectors = dict(connection.execute("SELECT key, vector FROM embeddings"))
    connection.close()
    return vectors


@dataclass
class Report:
    """What was seen."""

    n_kills: dict = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    n_runs: int = 0
    n_stored: list = field(default_factory=list)
    n_again: int = 0
    n_changed: int = 0
    difference: float = np.inf

    @property
    def failed(self) -> bool:
        """Whether anything was wrong."""
        return bool(self.n_again or self.n_changed or self.difference > _TOLERANCE)


def _wait_and_kill(process, moment, commits, wanted, rng, most_commits):
    """Kill the process after a random number of commits, in a moment of the kind."""
    n_commits = rng.randint(0, most_commits)
    while commits.value < n_commits and process.is_alive():
        time.sleep(0.001)
    while moment.value == IDLE and process.is_alive():
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.1))
    # Commits are short: whoever wants to hit one must not sleep.
    while moment.value != wanted and process.is_alive():
        pass
    process.kill()
    process.join()


def kill_again_and_again(
    settings, texts, path, *, n_kills, n_forward, n_commit, seconds=0.2, most_commits=12
):
    """Kill runs until enough of them died where they should; then let one finish.

    Parameters
    ----------
    settings : dict
        Parameters of the embedder.
    texts : list of str
        All different.
    path : Path
        The store.
    n_kills, n_forward, n_commit : int
        Kills in all, in a forward pass and in a commit, at least.
    seconds : float
        Between two commits.
    most_commits : int
        Commits of one run before it is killed, at most.

    Returns
    -------
    report : Report
        What was seen.
    """
    context = multiprocessing.get_context("forkserver")
    modules = ("_forward", "_language_model")
    context.set_forkserver_preload([f"sklearn_neurocontext.text.{m}" for m in modules])
    keys = _keys(settings, texts)
    rng, report = random.Random(0), Report()
    before = read_store(path)
    enough = False
    while True:
        moment = context.RawValue("b", IDLE)
        commits = context.RawValue("l", 0)
        handed = context.RawArray("b", len(texts))
        process = context.Process(
            target=run_child,
            args=(settings, texts, path, moment, commits, handed, seconds),
        )
        process.start()
        report.n_runs += 1
        counts = report.n_kills
        enough = (
            counts[FORWARD] >= n_forward
            and counts[COMMIT] >= n_commit
            and sum(counts.values()) >= n_kills
        )
        if not enough:
            wanted = FORWARD if counts[FORWARD] < n_forward else COMMIT
            _wait_and_kill(process, moment, commits, wanted, rng, most_commits)
        process.join()
        died = process.exitcode != 0
        after = read_store(path)
        report.n_again += sum(
            key in before and handed[number] for number, key in enumerate(keys)
        )
        report.n_changed += sum(after.get(key) != before[key] for key in before)
        if died:
            counts[moment.value] += 1
            report.n_stored.append(len(after))
            print(
                f"kill {sum(counts.values())}: in {NAMES[moment.value]}, "
                f"{len(after)} of {len(texts)} texts stored",
                flush=True,
            )
        before = after
        if not died:
            break
    vectors = np.stack([np.frombuffer(before[key], "<f4") for key in keys])
    undisturbed = LLMChunkEmbedder(**settings, cache=None).fit_transform(texts)
    report.difference = float(np.abs(vectors - undisturbed).max())
    if not enough:
        print("The run was over before enough kills: take more texts.")
    return report


def _keys(settings, texts):
    from sklearn_neurocontext.text._cache import text_key

    embedder = LLMChunkEmbedder(**settings).fit()
    return [text_key(text, embedder.settings_key()) for text in texts]


def main():
    """Run the full size and say what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the shared corpora")
    parser.add_argument("--store", type=Path, help="kept; default: a temporary one")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    import pandas as pd

    table = pd.read_csv(arguments.data / "abstracts" / "abstracts.tsv.gz", sep="\t")
    texts = table["abstract"].drop_duplicates().tolist()[: arguments.texts]
    with tempfile.TemporaryDirectory() as folder:
        report = kill_again_and_again(
            {},
            texts,
            arguments.store or Path(folder) / "store.sqlite",
            n_kills=arguments.kills,
            n_forward=arguments.kills // 2,
            n_commit=arguments.kills // 4,
        )
    kills = ", ".join(f"{n} in {NAMES[key]}" for key, n in report.n_kills.items())
    print(f"{len(texts)} texts, {report.n_runs} runs, kills: {kills}")
    print(f"texts embedded again after they were stored: {report.n_again}")
    print(f"stored vectors that changed a bit: {report.n_changed}")
    print(f"largest difference to an undisturbed run: {report.difference:.1e}")
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
