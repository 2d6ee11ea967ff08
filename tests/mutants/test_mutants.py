"""Every mutant of the rules is noticed by its vector, and the vector holds where nothing is mutated."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import page

MUTANTS = page.load("mutants").MUTANTS
ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).resolve().parent / "worker.py"
LEGITIMATE_CRASH = "raised AssertionError"
"""An invariant that stays on in production may notice a mutant; any other exception is a mutant that does not run."""
TIMEOUT_S = 1_200


def occurrences_of(mutant):
    return (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.source)


def job_of(mutant, vectors):
    return {"file": mutant.file, "source": mutant.source, "replacement": mutant.replacement, "vectors": vectors}


def run_jobs(jobs):
    done = subprocess.run(
        [sys.executable, str(WORKER)],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def complaints():
    """What each mutant's vector missed, by mutant: one worker plays them all.

    Mutants whose fragment is gone are left out.
    """
    playable = [mutant for mutant in MUTANTS if occurrences_of(mutant) == 1]
    played = run_jobs([job_of(mutant, [mutant.killed_by]) for mutant in playable])
    return {mutant.name: result[mutant.killed_by] for mutant, result in zip(playable, played, strict=True)}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_noticed_by_its_vector(mutant, complaints):
    found = occurrences_of(mutant)
    assert found == 1, (
        f"{mutant.file} has the fragment {mutant.source!r} {found} times, not once: write the mutant {mutant.name!r}"
        " anew"
    )
    complaint = complaints[mutant.name]
    assert complaint is not None, f"{mutant.killed_by!r} holds although {mutant.name}"
    assert not complaint.startswith("raised") or complaint.startswith(LEGITIMATE_CRASH), complaint


def test_the_vectors_hold_in_the_worker_where_nothing_is_mutated():
    names = sorted({mutant.killed_by for mutant in MUTANTS})
    nothing = {"file": None, "source": "", "replacement": "", "vectors": names}
    first = MUTANTS[0]
    before, _, after = run_jobs([nothing, job_of(first, [first.killed_by]), nothing])
    assert before == dict.fromkeys(names)
    assert after == before, "a mutant left something behind"


def test_there_are_at_least_forty_mutants_and_no_name_or_change_twice():
    assert len(MUTANTS) >= 40
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({mutant[1:4] for mutant in MUTANTS}) == len(MUTANTS)


def test_the_page_of_mutants_is_current():
    assert page.PAGE.read_text(encoding="utf-8") == page.page_text(), "run `python tests/mutants/page.py`"
