"""Kill a process that embeds texts into a store, and check the store after each kill.

    python -m benchmarks.robustness.kill_embedder --data FOLDER --store FILE.sqlite

embeds 2,000 titles with MiniLM in a process that is killed (SIGKILL) at random moments,
at least 10 times in a forward pass, 5 times in a commit and 20 times in all. After each
kill, SQLite checks the file, and every vector is compared with the one stored before;
at the end, all vectors are compared with those of an undisturbed run. Results are kept
beside the store as JSON: a run that was stopped, or limited by ``--runs``, continues
with the same command.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from sklearn_neurocontext.text import EmbeddingStore, LLMChunkEmbedder
from sklearn_neurocontext.text._store import text_key

IDLE, FORWARD, COMMIT = range(3)
NAMES = {IDLE: "between", FORWARD: "forward pass", COMMIT: "commit"}
_TOLERANCE = 1e-6


def run_child(settings, texts, path, moment, handed, kill):
    """Embed the texts into the store, saying at each moment what is being done.

    With ``kill``, a tuple of a kind of moment, its number and a delay in seconds, a
    thread kills the process that long after this moment has begun. Torch and SQLite
    run beside it, so it strikes anywhere in them.
    """
    from sklearn_neurocontext.text import _chunking

    run_batch, put_many = _chunking._run_batch, EmbeddingStore.put_many
    embed = LLMChunkEmbedder._embed
    _chunking._SECONDS_BETWEEN_YIELDS = 0.0
    counts = dict.fromkeys(NAMES, 0)

    def die(delay):
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGKILL)

    def marked(function, name):
        def wrapper(*args):
            if name == COMMIT and not args[1]:
                return None
            counts[name] += 1
            moment.value = name
            if kill is not None and kill[:2] == (name, counts[name]):
                threading.Thread(target=die, args=[kill[2]], daemon=True).start()
            result = function(*args)
            moment.value = IDLE
            return result

        return wrapper

    def noting(self, batch):
        numbers = {text: number for number, text in enumerate(texts)}
        for text in batch:
            handed[numbers[text]] = 1
        return embed(self, batch)

    _chunking._run_batch = marked(run_batch, FORWARD)
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
    """What was seen, over all calls on one store."""

    n_kills: dict = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    n_stored: list = field(default_factory=list)
    n_runs: int = 0
    n_again: int = 0
    n_changed: int = 0
    finished: bool = False
    difference: float = np.inf

    @property
    def failed(self) -> bool:
        """Whether anything was wrong."""
        return bool(self.n_again or self.n_changed or self.difference > _TOLERANCE)


@dataclass(frozen=True)
class Plan:
    """How often the run is to be killed, and when.

    ``n_kills``, ``n_forward`` and ``n_commit`` are kills in all, in a forward pass and
    in a commit, at least. A run is killed in one of its first ``most_steps`` forward
    passes or commits; one call makes ``most_runs`` at most.
    """

    n_kills: int
    n_forward: int
    n_commit: int
    most_steps: int = 6
    most_runs: int = 1000

    def next_kill(self, report, rng):
        """Choose kind, number and delay of the next kill; None where there were enough.

        The delays are about what a forward pass and a commit take.
        """
        needs = {FORWARD: self.n_forward, COMMIT: self.n_commit}
        short = [name for name in needs if report.n_kills[name] < needs[name]]
        if not short and sum(report.n_kills.values()) < self.n_kills:
            short = list(needs)
        if not short:
            return None
        name = rng.choice(short)
        longest = {FORWARD: 0.02, COMMIT: 0.001}[name]
        return name, rng.randint(1, self.most_steps), rng.uniform(0, longest)


def kill_again_and_again(settings, texts, path, plan, report=None):
    """Kill runs until enough of them died where they should; then let one finish.

    Parameters
    ----------
    settings : dict
        Parameters of the embedder.
    texts : list of str
        All different.
    path : Path
        The store.
    plan : Plan
        When to kill.
    report : Report or None
        Of earlier calls on the same store.

    Returns
    -------
    report : Report
        What was seen.
    """
    context = multiprocessing.get_context("forkserver")
    modules = ("_forward", "_language_model")
    context.set_forkserver_preload([f"sklearn_neurocontext.text.{m}" for m in modules])
    report = report or Report()
    rng = random.Random(report.n_runs)
    embedder = LLMChunkEmbedder(**settings, cache=None).fit()
    keys = [text_key(text, embedder.settings_key()) for text in texts]
    stored = read_store(path)
    for _ in range(plan.most_runs):
        kill = plan.next_kill(report, rng)
        run = _run_once(context, (settings, texts, path), kill)
        report.n_runs += 1
        after = read_store(path)
        _compare(stored, after, keys, run, report)
        stored = after
        if run.moment is None:
            break
    if report.finished:
        vectors = np.stack([np.frombuffer(stored[key], "<f4") for key in keys])
        report.difference = float(np.abs(vectors - embedder.transform(texts)).max())
    return report


@dataclass(frozen=True)
class _Run:
    """Where a run was killed, None where it finished, and what it was handed."""

    moment: int | None
    handed: list


def _run_once(context, job, kill):
    """Start a run, and let it be killed if a kill is wanted."""
    moment = context.RawValue("b", IDLE)
    handed = context.RawArray("b", len(job[1]))
    process = context.Process(target=run_child, args=(*job, moment, handed, kill))
    process.start()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise SystemExit(f"FAILED: a run left with {process.exitcode}")
    return _Run(moment.value if process.exitcode else None, list(handed))


def _compare(before, after, keys, run, report):
    """Count what a run did to texts that were stored before it."""
    for key, was_handed in zip(keys, run.handed, strict=True):
        report.n_again += bool(key in before and was_handed)
    report.n_changed += sum(after.get(key) != vector for key, vector in before.items())
    if run.moment is None:
        report.finished = True
        return
    report.n_kills[run.moment] += 1
    report.n_stored.append(len(after))
    print(
        f"kill {len(report.n_stored)}: in {NAMES[run.moment]}, {len(after)} of "
        f"{len(keys)} texts stored",
        flush=True,
    )


def load_texts(data, kind, n_texts):
    """Take the first of the real titles or abstracts, each once."""
    import pandas as pd

    file = {
        "title": "neuroquery/data-neuroquery_version-1_metadata.tsv.gz",
        "abstract": "abstracts/abstracts.tsv.gz",
    }
    table = pd.read_csv(data / file[kind], sep="\t")
    return table[kind].dropna().drop_duplicates().tolist()[:n_texts]


def main():
    """Run the full size and say what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the shared corpora")
    parser.add_argument("--store", type=Path, required=True, help="file of the store")
    parser.add_argument("--text", choices=("title", "abstract"), default="title")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--batch-tokens", type=int, default=256)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1000, help="of this call, at most")
    arguments = parser.parse_args()
    texts = load_texts(arguments.data, arguments.text, arguments.texts)
    notes = arguments.store.with_suffix(".json")
    report = Report()
    if notes.is_file():
        report = Report(**json.loads(notes.read_text()))
        report.n_kills = {int(key): n for key, n in report.n_kills.items()}
    plan = Plan(
        n_kills=arguments.kills,
        n_forward=arguments.kills // 2,
        n_commit=arguments.kills // 4,
        most_runs=arguments.runs,
    )
    settings = {"batch_tokens": arguments.batch_tokens}
    report = kill_again_and_again(settings, texts, arguments.store, plan, report)
    notes.write_text(json.dumps(asdict(report)))
    kills = ", ".join(f"{n} in {NAMES[key]}" for key, n in report.n_kills.items())
    print(f"{len(texts)} texts, {report.n_runs} runs, kills: {kills}")
    print(f"texts embedded again after they were stored: {report.n_again}")
    print(f"stored vectors that changed a bit: {report.n_changed}")
    if not report.finished:
        print("not finished: call again with the same --store")
        return
    print(f"largest difference to an undisturbed run: {report.difference:.1e}")
    if plan.next_kill(report, random.Random(0)) is not None:
        print("the run was over before there were enough kills: take more texts")
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
