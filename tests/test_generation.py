"""Drawing a token, and writing token by token."""

import math

import pytest
import torch
from torch import Tensor, nn

from utils.generation import generate, greedy_decode


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


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_generate_draws_from_the_softmax_of_the_logits_over_the_temperature(temperature):
    generator = torch.Generator().manual_seed(0)
    drawn = generate(Counting(), torch.zeros(4000, 1, dtype=torch.int64), 1, generator, temperature)[:, 1]
    expected = torch.softmax(torch.tensor([0.0, 5.0, *[0.0] * 8]) / temperature, dim=0)
    shares = torch.bincount(drawn, minlength=10) / 4000
    assert (shares - expected).abs().max() < 4 * 0.5 / math.sqrt(4000)  # four standard errors


def test_generate_refuses_an_empty_prompt():
    for shape in ((1, 0), (3,)):
        with pytest.raises(ValueError, match="steps > 0"):
            generate(Counting(), torch.zeros(shape, dtype=torch.int64), 1, torch.Generator())


class CountingFrom(Counting):
    """Starts each translation with the number that its source begins with, then counts."""

    def step(self, ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        first = ids == 9  # <bos>
        new = torch.where(first, state[:, None], (ids + 1) % 9)
        return nn.functional.one_hot(new, self.kinds).float(), state


def test_greedy_decode_stops_each_row_at_its_own_end():
    rows = greedy_decode(CountingFrom(), torch.tensor([[2], [5], [6]]), bos=9, eos=6, limit=20)
    assert rows == [[2, 3, 4, 5], [5], []]
    assert greedy_decode(CountingFrom(), torch.tensor([[0]]), bos=9, eos=6, limit=3) == [[0, 1, 2]]
