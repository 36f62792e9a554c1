"""Counts of n-grams and modified Kneser-Ney smoothing, against the formulas in fractions and dictionaries."""

from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_definitions import chapter_source, definitions, differences

from utils import ngrams
from utils.ngrams import (
    Counts,
    KneserNey,
    Pruned,
    count_ngrams,
    count_orders,
    discounts,
    numbers_of,
)

quick = settings(deadline=None, derandomize=True, max_examples=60)


@st.composite
def texts(draw, longest=120):
    """Kinds of tokens, an order, and windows of ids: (rows, length) with length >= order."""
    tokens, order, rows = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    length = draw(st.integers(order, longest // rows))
    flat = draw(st.lists(st.integers(0, tokens - 1), min_size=rows * length, max_size=rows * length))
    return tokens, order, torch.tensor(flat, dtype=torch.int64).view(rows, length)


def tuples(rows, order):
    """The n-grams of some rows as tuples; none goes over the end of a row."""
    return [tuple(row[i : i + order]) for row in rows for i in range(len(row) - order + 1)]


# Counts


@quick
@given(texts())
def test_counts_are_those_of_a_counter(case):
    tokens, order, ids = case
    plain = Counter(tuples(ids.tolist(), order))
    table = count_ngrams(ids, order, tokens)
    assert (table.codes.diff() > 0).all() and len(table.codes) == len(plain)
    every = torch.cartesian_prod(*[torch.arange(tokens)] * order).view(-1, order)
    count, total, followers = table.look_up(every)
    assert count.tolist() == [plain[tuple(gram)] for gram in every.tolist()]
    for gram, n, each in zip(every.tolist(), total.tolist(), followers.tolist(), strict=True):
        after = [c for other, c in plain.items() if other[:-1] == tuple(gram[:-1])]
        assert n == sum(after) and each == [sum(min(c, 3) == r for c in after) for r in (1, 2, 3)]


def test_a_table_takes_any_shape_and_any_kind_of_whole_number():
    table = count_ngrams(torch.tensor([0, 1, 0, 1, 0], dtype=torch.uint8), 2, 3)
    assert table.codes.tolist() == [1, 3] and table.codes.dtype == torch.int64
    count, total, followers = table.look_up(torch.tensor([[[0, 1], [1, 1]], [[2, 2], [1, 0]]]))
    assert count.tolist() == [[2, 0], [0, 2]] and total.tolist() == [[2, 2], [0, 2]]
    assert followers.tolist() == [[[0, 1, 0], [0, 1, 0]], [[0, 0, 0], [0, 1, 0]]]


def test_numbers_that_would_not_be_one_to_one_are_refused():
    assert numbers_of(torch.tensor([[1, 2, 3, 0], [0, 0, 9, 1]]), 3, 10).tolist() == [[123, 230], [9, 91]]
    assert numbers_of(torch.tensor([2**21 - 1] * 3), 3, 2**21).tolist() == [2**63 - 1]  # it fits
    for ids, tokens in (([1, 3], 3), ([-1, 0], 3), ([0, 0], 2**32)):
        with pytest.raises(ValueError, match="expected ids below"):
            numbers_of(torch.tensor(ids), 2, tokens)
    with pytest.raises(RuntimeError, match="maximum size"):
        count_orders(torch.tensor([0, 1]), 3, 2)  # a text shorter than the order


# Discounts


def test_the_discounts_are_those_of_chen_and_goodman():
    counts = torch.tensor([1] * 20 + [2] * 8 + [3] * 5 + [4] * 2 + [7])
    share = Fraction(20, 20 + 2 * 8)
    expected = [0, 1 - 2 * share * 8 / 20, 2 - 3 * share * 5 / 8, 3 - 4 * share * 2 / 5]
    assert discounts(counts).tolist() == pytest.approx([float(d) for d in expected], rel=1e-15)
    assert abs(discounts(counts)[1] - float(share)) < 1e-15  # of a count of one: as with a single discount


@pytest.mark.parametrize("counts", [[5, 9], [1] * 9 + [2] + [3] * 9, [1, 1, 1, 3, 3], []])
def test_discounts_that_cannot_be_estimated_have_a_default(counts):
    assert discounts(torch.tensor(counts, dtype=torch.int64)).tolist() == [0, 0.5, 1, 1.5]


# Kneser-Ney


def by_dictionary(rows, tokens, order, history, token):
    """The formula in fractions, counted anew for each question; discounts as given by floats."""
    p = Fraction(1, tokens)
    for n in range(1, order + 1):
        if n == order:
            grams = Counter(tuples(rows, n))
        else:  # different left neighbours in place of occurrences
            grams = Counter(gram[1:] for gram in set(tuples(rows, n + 1)))
        D = [Fraction(d) for d in discounts(torch.tensor(list(grams.values()))).tolist()]
        if len(history) < n - 1:
            break
        h = tuple(history[len(history) - n + 1 :])
        after = {gram[-1]: c for gram, c in grams.items() if gram[:-1] == h}
        if after:
            own = after.get(token, 0) - D[min(after.get(token, 0), 3)]
            p = (own + p * sum(D[min(c, 3)] for c in after.values())) / sum(after.values())
    return p


@quick
@given(texts(60), st.lists(st.integers(0, 4), max_size=8))
def test_probabilities_are_those_of_the_formula_and_sum_to_one(case, context):
    tokens, order, ids = case
    context = [i % tokens for i in context]
    model = KneserNey(count_orders(ids, order, tokens))
    p = model.distribution(torch.tensor(context, dtype=torch.int64))
    expected = [by_dictionary(ids.tolist(), tokens, order, context, x) for x in range(tokens)]
    assert sum(expected) == 1 and p.shape == (tokens,) and (p > 0).all()
    assert p.tolist() == pytest.approx([float(q) for q in expected], abs=1e-14)
    assert abs(p.sum().item() - 1) < 1e-14


@quick
@given(texts(60), texts(40))
def test_log_probabilities_are_those_of_each_token_given_all_before_it(case, other):
    tokens, order, ids = case
    model, text = KneserNey(count_orders(ids, order, tokens)), other[2] % tokens
    found = model.log_prob(text)
    for t in range(text.shape[1]):
        p = model.distribution(text[:, :t])  # (rows, tokens)
        assert torch.allclose(found[:, t], p.gather(1, text[:, t, None])[:, 0].log(), rtol=1e-13, atol=0)
    assert torch.equal(model.log_prob(text[0]), found[0]) and found.dtype == torch.float64


def test_a_case_by_hand():
    ids = torch.tensor(["abcdr".index(c) for c in "abracadabra"])
    model = KneserNey(count_orders(ids, 2, 5))
    # Left neighbours: of a c, d and r; of b, c and d an a; of r a b: 3 + 1 + 1 + 1 + 1 = 7. Twice is none
    # of them, so a count of 1, 2, 3 loses 1/2, 1, 3/2: together 7/2, to be spread over five letters.
    of_b = (1 - Fraction(1, 2)) / 7 + Fraction(7, 2) / 7 / 5
    # After a: b twice, c once, d once, together 4. No pair occurs three times: again 1/2 and 1, together 2.
    after_a = Fraction(2 - 1, 4) + Fraction(2, 4) * of_b
    assert after_a == Fraction(47, 140)
    assert abs(model.distribution(torch.tensor([0]))[1].item() - 47 / 140) < 1e-15
    assert abs(model.log_prob(ids[:2])[1].exp().item() - 47 / 140) < 1e-15
    assert abs(model.distribution(ids[:0])[1].item() - float(of_b)) < 1e-15
    assert model.stored == 5 + 7  # letters with a left neighbour, pairs


def test_a_context_never_seen_leaves_the_question_to_the_shorter_one():
    ids = torch.tensor([0, 1, 0, 1, 1, 0, 0, 1])
    long, short = (KneserNey(count_orders(ids, order, 3)) for order in (4, 3))
    new = torch.tensor([2, 2, 2])
    assert torch.equal(long.distribution(new), long.distribution(new[:0]))
    half_new = torch.tensor([2, 0, 1])
    assert torch.equal(long.distribution(half_new), long.distribution(half_new[1:]))
    assert [len(table.codes) for table in long.tables] == [2, 4, 5, 5] and long.stored == 16
    assert [len(table.codes) for table in short.tables] == [2, 4, 6]


def test_empty_texts_and_order_one():
    ids = torch.tensor([0, 1, 1])
    model = KneserNey(count_orders(ids, 1, 4))
    assert model.log_prob(ids[:0]).shape == (0,) and model.stored == 2
    assert torch.equal(model.distribution(ids), model.distribution(ids[:0]))
    assert isinstance(model.tables[0], Counts)


# One definition


def test_the_chapter_shows_the_code_of_utils():
    module = Path(ngrams.__file__).read_text(encoding="utf-8")
    source = chapter_source("sequences/text-and-language-models")
    assert definitions(module).keys() - {"Pruned"} <= definitions(source).keys()  # that one is used later
    assert differences(source, module) == []


# Pruning


def pruned_model(order=4, tokens=5, length=400):
    """A model of a random text in which some n-grams are frequent, and its counts."""
    generator = torch.Generator().manual_seed(0)
    ids = (torch.randn(length, generator=generator).abs() * 2).long().clamp(max=tokens - 1)
    counted = count_orders(ids, order, tokens)
    return ids, counted, KneserNey(counted)


def test_nothing_pruned_is_the_model_itself():
    ids, counted, model = pruned_model()
    torch.testing.assert_close(Pruned(model, counted).log_prob(ids), model.log_prob(ids), rtol=0, atol=1e-12)


@pytest.mark.parametrize("threshold", [-1.0, 0.5, 2.0, 1e9])
def test_probabilities_of_a_pruned_model_sum_to_one(threshold):
    ids, counted, model = pruned_model()
    pruned = Pruned(model, counted)
    whole = pruned.stored
    assert pruned.keep(threshold) == pruned.stored < whole
    windows = ids.unfold(0, 4, 1)[:50, None].repeat(1, 5, 1)  # (places, tokens, 4)
    windows[..., -1] = torch.arange(5)
    total = pruned.log_prob(windows)[..., -1].exp().sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-12)


def test_what_is_kept_is_what_gains_and_the_rest_backs_off():
    ids, counted, model = pruned_model(order=2)
    pruned = Pruned(model, counted)
    one = KneserNey(counted).distribution(ids[:0])  # of order 1
    code = int(pruned.gains[1].argmax())
    gram = torch.tensor(divmod(int(counted[1].codes[code]), 5))
    p = model.distribution(gram[:1])[gram[1]]
    assert pruned.gains[1][code].item() == pytest.approx(
        counted[1].counts[code].item() * (p / one[gram[1]]).log().item()
    )
    ones = int((pruned.shares[0] > 0).sum())
    assert pruned.keep(pruned.gains[1].max().item() - 1e-9) == ones + 1 + 2  # one bigram and its weight
    own = pruned.shares[1][code]
    after = pruned.log_prob(torch.stack([gram[:1].expand(5), torch.arange(5)], 1))[:, 1].exp()
    expected = (1 - own) * one + own * (torch.arange(5) == gram[1])
    torch.testing.assert_close(after, expected, rtol=0, atol=1e-12)
