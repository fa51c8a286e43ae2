"""Seconds from `fit` to `similarity` of each member of the best settings, and on what.

    python benchmarks/profile_member.py --output retrieval_output

Members for titles, on 17,000 training studies and 1,000 others, 512 components. Each is
timed alone, then run once more with its lines timed: those of the package's models, and
whatever they call counts to the line that calls it. Embeddings come from the store.
"""

import argparse
import json
import linecache
import re
import sys
import time
from collections import Counter
from pathlib import Path

from retrieval_data import load_task
from retrieval_rows import best
from retrieval_texts import Encoder
from sklearn.base import clone

from sklearn_neurocontext import models, similarity
from sklearn_neurocontext.experiments import provenance

N_TRAIN, N_TEST = 17_000, 950
KINDS = {
    "factorisations": r"cho_factor|cho_solve|cholesky|eigh\(|svd\(|solve_triangular",
    "matrix products": r" @ |column_products|_centred_gram",
}
OUTSIDE = ("", 0)


class LineClock:
    """Charges seconds to the lines of a folder, calls of other code included."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.seconds = Counter()
        self.line = OUTSIDE
        self.callers = []
        self.since = time.perf_counter()

    def __enter__(self):
        self.since = time.perf_counter()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *error):
        sys.settrace(None)
        self._charge(OUTSIDE)

    def _charge(self, line):
        now = time.perf_counter()
        self.seconds[self.line] += now - self.since
        self.line, self.since = line, now

    def _trace(self, frame, event, arg):
        if not frame.f_code.co_filename.startswith(self.folder):
            return None
        if event == "call":
            self.callers.append(self.line)
        if event == "return":
            self._charge(self.callers.pop())
        else:
            self._charge((frame.f_code.co_filename, frame.f_lineno))
        return self._trace


def main():
    """Time and profile each member."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("retrieval_output"))
    parser.add_argument("--members", nargs="+", help="only these, by name")
    arguments = parser.parse_args()
    output = arguments.output
    task = load_task("titles")
    encoder = Encoder("minilm", output / "embeddings.sqlite", 0)
    encoder.embed(task.texts)
    members = dict(best(task, encoder).estimator.estimators)
    results = {
        name: profile(members[name], task) for name in arguments.members or members
    }
    content = {"members": results, **provenance()}
    (output / "profile.json").write_text(json.dumps(content, indent=1) + "\n")
    for name, result in results.items():
        print(f"\n{name}: {result['seconds']:.1f} s on the clock")
        for kind, share in result["shares"].items():
            print(f"  {share:.0%} {kind}")
        print(
            "\n".join(
                f"    {seconds:6.2f} s  {line}" for line, seconds in result["lines"]
            )
        )


def profile(member, task) -> dict:
    """Time a member alone, then line by line."""
    started = time.perf_counter()
    fit_and_compare(member, task)
    seconds = time.perf_counter() - started
    with LineClock(Path(models.__file__).parent) as clock:
        fit_and_compare(member, task)
    total = sum(clock.seconds.values())
    shares = Counter()
    for line, spent in clock.seconds.items():
        shares[kind_of(line)] += spent / total
    return {
        "seconds": seconds,
        "seconds_profiled": total,
        "shares": dict(shares.most_common()),
        "lines": [
            (words(line), spent) for line, spent in clock.seconds.most_common(12)
        ],
    }


def fit_and_compare(member, task):
    """Go from `fit` to `similarity`."""
    model = clone(member).fit(task.X[:N_TRAIN], task.y[:N_TRAIN])
    rest = slice(N_TRAIN, N_TRAIN + N_TEST)
    return similarity(model, task.X[rest], task.y[rest])


def words(line) -> str:
    """Write a line of code with its file."""
    if line == OUTSIDE:
        return "features of the texts"
    path, number = line
    return f"{Path(path).name}:{number} {linecache.getline(path, number).strip()}"


def kind_of(line) -> str:
    """Tell what a line of code does."""
    if line == OUTSIDE:
        return "features of the texts"
    for kind, pattern in KINDS.items():
        if re.search(pattern, words(line)):
            return kind
    return "the rest"


if __name__ == "__main__":
    main()
