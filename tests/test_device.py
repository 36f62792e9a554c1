"""Devices, seeds, precision and timing; the switch between sizes."""

import random
import time

import numpy as np
import pytest
import torch

from utils.device import (
    Timer,
    autocast,
    describe_device,
    fastest,
    get_device,
    new_generator,
    seed_everything,
    shifted,
)
from utils.scale import full_size, pick

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch):
    for name in ("COURSE_DEVICE", "COURSE_FULL", "COURSE_SEED_SHIFT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(1, 1, "cuda"), (0, 1, "mps"), (0, 0, "cpu"), (1, 0, "cuda")]
)
def test_takes_the_best_device_there_is(monkeypatch: pytest.MonkeyPatch, cuda: int, mps: int, expected: str):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cuda))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: bool(mps))
    assert get_device().type == expected


def test_the_variable_overrides_and_the_argument_overrides_both(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert get_device() == CPU
    assert get_device("cuda:1") == torch.device("cuda", 1)
    monkeypatch.setenv("COURSE_DEVICE", "")
    assert get_device().type == "cuda"


@pytest.mark.parametrize("name", ["gpu", "nonsense", "cuda:x", "meta", "xpu", " "])
def test_a_name_that_is_no_device_is_refused(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv("COURSE_DEVICE", name)
    with pytest.raises(ValueError, match=f"expected a device like cpu.*got '{name}'"):
        get_device()


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "cpu:1"])
def test_a_device_that_is_not_there_is_an_error_and_no_fallback(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setenv("COURSE_DEVICE", name)
    with pytest.raises(RuntimeError, match=f"'{name}' was asked for .*COURSE_DEVICE"):
        get_device()


def test_a_description_counts_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert describe_device(CPU) == "cpu, 1 thread"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert describe_device(CPU) == "cpu, 2 threads"


def test_a_seed_fixes_all_three_generators():
    def draws(seed: int) -> tuple[float, ...]:
        seed_everything(seed)
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    assert draws(3) == draws(3)
    assert all(a != b for a, b in zip(draws(3), draws(4), strict=True))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused_before_any_generator_is_set(seed: int):
    before = random.getstate()
    for take in (seed_everything, new_generator, shifted):
        with pytest.raises(ValueError, match=str(seed)):
            take(seed)
    assert random.getstate() == before


def test_the_variable_shifts_every_seed(monkeypatch: pytest.MonkeyPatch):
    def draws(seed: int) -> list[float]:
        seed_everything(seed)
        own = torch.rand((), generator=new_generator(seed)).item()
        return [random.random(), np.random.rand(), torch.rand(()).item(), own]

    plain = draws(1002)
    assert shifted(2) == 2
    monkeypatch.setenv("COURSE_SEED_SHIFT", "1000")
    assert shifted(2) == 1002 and draws(2) == plain
    with pytest.raises(ValueError, match=str(2**32)):
        seed_everything(2**32 - 1000)


@pytest.mark.parametrize("value", ["", "-1", "1.5", "many"])
def test_a_shift_that_is_no_whole_number_is_refused(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("COURSE_SEED_SHIFT", value)
    with pytest.raises(ValueError, match=f"COURSE_SEED_SHIFT to be a whole number, got '{value}'"):
        new_generator(0)


def test_a_generator_draws_without_touching_the_global_one():
    state = torch.get_rng_state()
    drawn = torch.rand(3, generator=new_generator(7))
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(7)))
    assert torch.equal(torch.get_rng_state(), state)


def test_numpys_integers_are_seeds_and_fractions_are_not():
    for seed in (np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)):
        seed_everything(seed)
        first = np.random.rand()
        seed_everything(3)
        assert np.random.rand() == first and new_generator(seed).initial_seed() == 3
    for seed in (3.0, np.float64(3), "3"):
        with pytest.raises(TypeError):
            seed_everything(seed)


def test_the_timer_measures_the_block_also_when_it_raises(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(time, "perf_counter", iter([10.0, 12.5, 20.0, 21.0]).__next__)
    with Timer() as timer:
        assert np.isnan(timer.seconds)
    assert timer.seconds == 2.5
    with pytest.raises(KeyError), Timer() as failed:
        raise KeyError
    assert failed.seconds == 1


def test_the_timer_waits_for_a_gpu_at_both_ends(monkeypatch: pytest.MonkeyPatch):
    waits = []
    monkeypatch.setattr(torch.cuda, "synchronize", waits.append)
    with Timer(GPU):
        assert waits == [GPU]
    assert waits == [GPU, GPU]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")
def test_the_timer_sees_work_that_a_gpu_does_behind_pythons_back():
    matrix = torch.rand(8192, 8192, device="cuda")
    matrix @ matrix
    with Timer(GPU) as waiting:
        for _ in range(20):
            matrix @ matrix
    assert waiting.seconds > 20 * 2 * 8192**3 / 1e15  # no GPU does 1e15 float32 operations a second


@pytest.mark.parametrize(("enabled", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_autocast_multiplies_in_bfloat16_and_ends_with_the_block(enabled: bool, dtype: torch.dtype):
    matrix = torch.rand(4, 4)
    with autocast(CPU, enabled):
        assert (matrix @ matrix).dtype == dtype
    assert (matrix @ matrix).dtype == torch.float32


@pytest.mark.parametrize(
    ("full", "device", "expected"), [("0", CPU, 1), ("0", GPU, 2), ("1", CPU, 3), ("1", GPU, 3)]
)
def test_pick(monkeypatch: pytest.MonkeyPatch, full: str, device: torch.device, expected: int):
    monkeypatch.setenv("COURSE_FULL", full)
    assert pick(device, cpu=1, gpu=2, full=3) == expected
    assert pick(device, cpu=1, gpu=2) == min(expected, 2)
    assert full_size() == (full == "1")


def test_pick_keeps_a_full_size_of_zero(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COURSE_FULL", "1")
    assert pick(CPU, cpu=1, gpu=2, full=0) == 0


@pytest.mark.parametrize("value", ["yes", "2", "", "true"])
def test_a_full_size_switch_that_is_neither_on_nor_off_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
):
    monkeypatch.setenv("COURSE_FULL", value)
    with pytest.raises(ValueError, match=f"expected COURSE_FULL to be 0 or 1, got '{value}'"):
        pick(CPU, cpu=1, gpu=2)


def test_fastest_calls_once_more_than_it_times_and_gives_seconds():
    calls = []
    seconds = fastest(lambda *given: calls.append(given), 1, 2, repeats=3)
    assert calls == [(1, 2)] * 4 and 0 <= seconds < float("inf")
