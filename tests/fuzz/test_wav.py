"""Mutated WAVs give a description that holds, or a NotAWavError, and never anything else."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.wav import check, fuzz_one, mutate
from tests.judge import corpus


def run(count: int, seed: int) -> int:
    """Check so many mutated files of the corpus; how many of them were taken."""
    chance = random.Random(seed)
    foundations = list(corpus.files().values())
    return sum(check(mutate(chance.choice(foundations), chance)) is not None for _ in range(count))


@pytest.mark.parametrize("name", corpus.files())
def test_the_corpus_itself_is_described_or_refused(name: str) -> None:
    assert (check(corpus.files()[name]) is None) == name.startswith("bad-")


@pytest.mark.slow
def test_thousands_of_mutated_files_are_described_or_refused() -> None:
    assert run(5_000, seed=3) > 1000


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_hundred_thousand_mutated_files_are_described_or_refused() -> None:
    assert run(100_000, seed=4) > 20_000


def test_atheris_is_given_a_head_to_begin_with() -> None:
    fuzz_one(b"")
    fuzz_one(corpus.files()["good-riff-s16-2ch.wav"][12:])
