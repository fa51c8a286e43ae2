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

from sklearn_neurocontext._utils.validation import check_texts
from sklearn_neurocontext.text import EmbeddingStore, LLMChunkEmbedder
from sklearn_neurocontext.text._store import text_key

IDLE, FORWARD, COMMIT = range(3)
NAMES = {IDLE: "between", FORWARD: "forward pass", COMMIT: "commit"}
_TOLERANCE = 1e-6


def run_child(settings, texts, path, moment, handed, kill):
    """Embed texts into a store; share the current step with the parent process.

    With ``kill``, a tuple of a step, its number and a delay in seconds, a thread kills
    the process with this delay after the step has begun, at any point of the code of
    torch or SQLite.
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
    """Check the file of a store with SQLite; return all vectors as bytes."""
    if not path.exists():
        return {}
    connection = sqlite3.connect(path)
    answer = connection.execute("PRAGMA integrity_check").fetchone()
    if answer != ("ok",):
        raise SystemExit(f"The store is corrupt: {answer}")
    vectors = dict(connection.execute("SELECT key, vector FROM embeddings"))
    connection.close()
    return vectors


@dataclass
class Report:
    """Results of all calls on one store."""

    n_kills: dict = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    n_stored: list = field(default_factory=list)
    n_runs: int = 0
    n_again: int = 0
    n_changed: int = 0
    finished: bool = False
    difference: float = np.inf

    @property
    def failed(self) -> bool:
        """Whether anything was lost, changed or embedded again."""
        return bool(self.n_again or self.n_changed or self.difference > _TOLERANCE)


@dataclass(frozen=True)
class Plan:
    """Numbers and moments of kills.

    ``n_kills``, ``n_forward`` and ``n_commit`` are the minimum numbers of kills in
    total, in a forward pass and in a commit. A run is killed in one of its first
    ``most_steps`` forward passes or commits; one call makes at most ``most_runs`` runs.
    """

    n_kills: int
    n_forward: int
    n_commit: int
    most_steps: int = 6
    most_runs: int = 1000

    def next_kill(self, report, rng):
        """Choose step, number and delay of the next kill; None if there were enough.

        The maximum delays are about the durations of a forward pass and of a commit.
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
    """Kill runs as often as planned; then let one finish.

    Parameters
    ----------
    settings : dict
        Parameters of the embedder.
    texts : list of str
        Distinct texts.
    path : Path
        File of the store.
    plan : Plan
        Numbers and moments of kills.
    report : Report or None
        Results of earlier calls on the same store.

    Returns
    -------
    report : Report
        Results, including those of earlier calls.
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
    """Step in which a run was killed, None if it finished, and the texts embedded."""

    moment: int | None
    handed: list


def _run_once(context, job, kill):
    """Start a run that is killed if `kill` is given."""
    moment = context.RawValue("b", IDLE)
    handed = context.RawArray("b", len(job[1]))
    process = context.Process(target=run_child, args=(*job, moment, handed, kill))
    process.start()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise SystemExit(f"A run ended with exit code {process.exitcode}.")
    return _Run(moment.value if process.exitcode else None, list(handed))


def _compare(before, after, keys, run, report):
    """Count stored texts that a run embedded again or changed."""
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
    """Load the first distinct titles or abstracts, normalized as by the embedder."""
    import pandas as pd

    file = {
        "title": "neuroquery/data-neuroquery_version-1_metadata.tsv.gz",
        "abstract": "abstracts/abstracts.tsv.gz",
    }
    table = pd.read_csv(data / file[kind], sep="\t")
    return list(dict.fromkeys(check_texts(table[kind].dropna())))[:n_texts]


def main():
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of corpora")
    parser.add_argument("--store", type=Path, required=True, help="file of the store")
    parser.add_argument("--text-field", choices=("title", "abstract"), default="title")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--batch-tokens", type=int, default=256)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--runs", type=int, default=1000, help="maximum of this call")
    arguments = parser.parse_args()
    texts = load_texts(arguments.data, arguments.text_field, arguments.texts)
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
        print("not finished; repeat the command with the same --store")
        return
    print(f"largest difference from an undisturbed run: {report.difference:.1e}")
    if plan.next_kill(report, random.Random(0)) is not None:
        print("the run finished before there were enough kills; use more texts")
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
