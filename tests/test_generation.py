"""Drawing a token, and writing token by token."""

import math
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn
from transformers import TopKLogitsWarper, TopPLogitsWarper

from utils.generation import _keep, generate, greedy_decode, sample
from utils.layers.recurrent import RecurrentLanguageModel
from utils.training import train_language_model

ROWS = torch.tensor([0.1, 0.4, 0.2, 0.3]).log().repeat(4000, 1)  # (draws, tokens)


def shares(**options: float) -> list[float]:
    """How often each token of `ROWS` is drawn."""
    drawn = sample(ROWS, torch.Generator().manual_seed(0), **options)
    return (torch.bincount(drawn, minlength=4) / len(ROWS)).tolist()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.1, 0.4, 0.2, 0.3]),
        ({"temperature": 0.5}, [1 / 30, 16 / 30, 4 / 30, 9 / 30]),
        ({"temperature": 0}, [0, 1, 0, 0]),
        ({"top_k": 1}, [0, 1, 0, 0]),
        ({"top_k": 2}, [0, 4 / 7, 0, 3 / 7]),
        ({"top_k": 9}, [0.1, 0.4, 0.2, 0.3]),
        ({"top_p": 0.01}, [0, 1, 0, 0]),  # at least one
        ({"top_p": 0.69}, [0, 4 / 7, 0, 3 / 7]),
        ({"top_p": 0.71}, [0, 4 / 9, 2 / 9, 3 / 9]),
        ({"top_p": 1.0}, [0.1, 0.4, 0.2, 0.3]),
        ({"top_k": 3, "top_p": 0.7}, [0, 4 / 7, 0, 3 / 7]),  # of what top_k leaves 4/9 and 3/9 reach it
        ({"top_p": 0.8, "temperature": 0.5}, [0, 16 / 25, 0, 9 / 25]),
    ],
)
def test_sample_draws_from_what_the_options_leave(options: dict, expected: list[float]):
    found = shares(**options)
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < 4 * 0.5 / math.sqrt(len(ROWS))
    assert [share > 0 for share in found] == [share > 0 for share in expected]


@pytest.mark.parametrize(("k", "p"), [(1, None), (5, None), (None, 0.3), (None, 0.9), (7, 0.8)])
def test_what_is_left_is_what_transformers_leaves(k: int | None, p: float | None):
    logits = 3 * torch.randn(50, 20, generator=torch.Generator().manual_seed(0))
    theirs = TopKLogitsWarper(k)(None, logits) if k else logits
    theirs = TopPLogitsWarper(p)(None, theirs) if p else theirs
    assert torch.equal(_keep(logits, k, p), theirs)


def test_sample_takes_rows_of_any_shape_and_leaves_global_chance_alone():
    state, logits = torch.get_rng_state(), torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0))
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    drawn, flat = sample(logits, generators[0]), sample(logits.view(6, 7), generators[1])
    assert drawn.shape == (2, 3) and torch.equal(drawn.flatten(), flat) and drawn.dtype == torch.int64
    assert sample(logits[0, 0], generators[0]).shape == () and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("options", [{"temperature": -0.1}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_sample_refuses_options_that_leave_nothing(options: dict):
    with pytest.raises(ValueError, match="expected temperature >= 0, top_k >= 1 and top_p in"):
        sample(ROWS, torch.Generator(), **options)


class Counting(nn.Module):
    """Writes the next number; the state is how many tokens it has read."""

    kinds = 10

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def start(self, source: Tensor) -> Tensor:
        return source[:, 0]

    def step(self, ids: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        read = (0 if state is None else state) + ids.shape[1]
        logits = 5.0 * nn.functional.one_hot((ids + 1) % self.kinds, self.kinds)
        return logits, read


def test_generate_takes_the_most_probable_token_at_temperature_zero():
    model, generator = Counting().train(), torch.Generator()
    text = generate(model, torch.tensor([[2, 3], [7, 8]]), 4, generator, temperature=0)
    assert text.tolist() == [[2, 3, 4, 5, 6, 7], [7, 8, 9, 0, 1, 2]] and model.training


def test_generate_draws_as_sample_does():
    texts = []
    for options in ({}, {"top_k": 1}):
        generator = torch.Generator().manual_seed(0)
        prompt = torch.arange(10)[:, None]
        texts.append(generate(Counting(), prompt, 5, generator, 3.0, **options))
        assert texts[-1].shape == (10, 6) and torch.equal(texts[-1][:, :1], prompt)
    assert (texts[1].diff() % 10 == 1).all() and not (texts[0].diff() % 10 == 1).all()


def test_what_was_generated_can_be_trained_on():
    torch.manual_seed(0)
    model = RecurrentLanguageModel(nn.GRU, 5, 3, 4)
    text = generate(model, torch.zeros(2, 1, dtype=torch.int64), 8, torch.Generator())
    losses = train_language_model(model, text[None], 0.01)
    assert len(losses) == 1 and not text.is_inference()
    logits, _ = model.step(text)
    sample(logits, torch.Generator())
    logits.sum().backward()  # the graph outlives a draw


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("write", ["generate", "greedy_decode"])
def test_writing_puts_every_mode_back(write: str, fails: bool):
    model = CountingFrom()
    model.frozen, model.fails = nn.Dropout().eval(), fails
    modes = [module.training for module in model.modules()]
    source = torch.tensor([[2], [5]])
    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        if write == "generate":
            generate(model, source, 3, torch.Generator())
        else:
            greedy_decode(model, source, bos=9, eos=6, limit=3)
    assert [module.training for module in model.modules()] == modes


def test_generate_refuses_an_empty_prompt():
    for shape in ((1, 0), (3,)):
        with pytest.raises(ValueError, match="steps > 0"):
            generate(Counting(), torch.zeros(shape, dtype=torch.int64), 1, torch.Generator())


class CountingFrom(Counting):
    """Starts each translation with the number that its source begins with, then counts."""

    fails = False

    def step(self, ids: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        assert not any(module.training for module in self.modules())
        if self.fails:
            raise ZeroDivisionError
        state = ids[:, 0] if state is None else state
        first = ids == 9  # <bos>
        new = torch.where(first, state[:, None], (ids + 1) % 9)
        return nn.functional.one_hot(new, self.kinds).float(), state


def test_greedy_decode_stops_each_row_at_its_own_end():
    rows = greedy_decode(CountingFrom(), torch.tensor([[2], [5], [6]]), bos=9, eos=6, limit=20)
    assert rows == [[2, 3, 4, 5], [5], []]
    assert greedy_decode(CountingFrom(), torch.tensor([[0]]), bos=9, eos=6, limit=3) == [[0, 1, 2]]
    assert greedy_decode(CountingFrom(), torch.tensor([[0]]), bos=9, eos=6, limit=0) == [[]]
