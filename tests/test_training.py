"""The training loop: equal to the loop by hand, and to itself after a kill."""

import copy
import math
import multiprocessing
import os
import pickle
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, TensorDataset
from torchmetrics.functional.text import perplexity as torchmetrics_perplexity

from utils.data import Batches
from utils.layers.recurrent import RecurrentLanguageModel
from utils.metrics import accuracy
from utils.text import sequential_windows, window_batches
from utils.training import evaluate, fit, perplexity, train_epoch, train_language_model, train_updates

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
EPOCHS, N, BATCH = 6, 50, 8  # 7 batches an epoch, the last of 2 examples
loss_fn = nn.functional.cross_entropy
quick = settings(deadline=None, derandomize=True, max_examples=60)


def examples(seed: int, n: int = N, device: str = "cpu") -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, 6, generator=generator)
    noise = torch.randn(n, generator=generator)
    return inputs.to(device), (inputs[:, 0] + noise > 0).long().to(device)


def small_model(seed: int = 0, dropout: float = 0.3, width: int = 16) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(6, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 2)
    )


class Noise:
    """A transform that draws from a generator of its own."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator

    def __call__(self, inputs: Tensor) -> Tensor:
        return inputs + torch.randn(inputs.shape, generator=self.generator)


class Wrapped:
    """Somebody's data around other data."""

    def __init__(self, inner: Batches | DataLoader):
        self.inner = inner

    def __len__(self) -> int:
        return len(self.inner)

    def __iter__(self) -> Iterator:
        return iter(self.inner)


def training_data(kind: str) -> Batches | DataLoader | Wrapped:
    if kind == "Batches":
        return Batches(*examples(1), BATCH, shuffle=True, seed=5)
    if kind == "wrapped Batches with noise":
        noise = Noise(torch.Generator().manual_seed(6))
        return Wrapped(Batches(*examples(1), BATCH, shuffle=True, seed=5, transform=noise))
    dataset, generator = TensorDataset(*examples(1)), torch.Generator().manual_seed(5)
    if kind == "DataLoader":  # in the order of the global generator
        return DataLoader(dataset, BATCH, shuffle=True)
    if kind == "DataLoader with generator":
        return DataLoader(dataset, BATCH, shuffle=True, generator=generator)
    if kind == "DataLoader with batch_sampler":
        rows = BatchSampler(RandomSampler(dataset, generator=generator), BATCH, drop_last=False)
        return DataLoader(dataset, batch_sampler=rows)
    return DataLoader(dataset, BATCH, sampler=RandomSampler(dataset, generator=generator))


def held_out() -> Batches:
    """With inverted labels: the more is learnt, the worse, so that the best epoch is an early one."""
    inputs, targets = examples(2, 30)
    return Batches(inputs, 1 - targets, 16)


def train(
    kind: str = "Batches", *, seed: int = 0, loss: Callable = loss_fn, width: int = 16, **options: object
):
    """One run with everything in it that a checkpoint has to keep."""
    for seed_one in (random.seed, np.random.seed):
        seed_one(seed)
    model = small_model(seed, width=width)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    data = training_data(kind)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=EPOCHS * len(data))
    options = {"epochs": EPOCHS, "scheduler": scheduler, "keep_best": True, "clip_norm": 1.0} | options
    return model, fit(model, data, held_out(), loss, optimizer, **options)


def same(a: object, b: object) -> bool:
    """Equality bit for bit through containers; the seconds of a history may differ."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a if k != "seconds")
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def contents(checkpoint: Path) -> dict:
    return torch.load(checkpoint, weights_only=True)


# The loop


@pytest.mark.parametrize("clip_norm", [None, 0.1])
@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("kind", ["Batches", "DataLoader"])
def test_fit_is_the_loop_by_hand_bit_for_bit(clip_norm: float | None, scheduled: bool, kind: str):
    def prepare() -> tuple:
        model = small_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=21) if scheduled else None
        torch.manual_seed(7)
        return model, optimizer, schedule, training_data(kind)

    model, optimizer, scheduler, data = prepare()
    losses = []
    for _ in range(3):
        model.train()
        total = 0.0
        for inputs, targets in data:
            loss = loss_fn(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            if clip_norm:
                nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            optimizer.step()
            if scheduler:
                scheduler.step()
            total += loss.item() * len(targets)
        losses.append(total / N)
    by_hand = model.state_dict()

    model, optimizer, scheduler, data = prepare()
    test = TensorDataset(*examples(2))
    history = fit(model, data, [test[:]], loss_fn, optimizer, 3, scheduler=scheduler, clip_norm=clip_norm)
    assert same(by_hand, model.state_dict())
    assert history["train_loss"] == pytest.approx(losses, abs=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mixed_precision", [False, True])
def test_fit_learns_and_says_what_it_saw(device: str, mixed_precision: bool):
    model = small_model(dropout=0.0).to(device)
    dtypes = set()
    model[-1].register_forward_hook(
        lambda module, inputs, output: dtypes.add((module.training, output.dtype))
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    data = Batches(*examples(1, 400, device), 32, shuffle=True)
    test = examples(2, 100, device)
    history = fit(model, data, [test], loss_fn, optimizer, 5, mixed_precision=mixed_precision)
    assert dtypes == {(True, torch.bfloat16 if mixed_precision else torch.float32), (False, torch.float32)}
    columns = ["epoch", "lr", "seconds", "train_loss", "train_accuracy", "held_out_loss", "held_out_accuracy"]
    assert [list(row) for row in history.rows] == [columns] * 5
    assert history["epoch"] == [1, 2, 3, 4, 5] and history["lr"] == [0.01] * 5
    assert history["train_loss"][-1] < history["train_loss"][0] and history["held_out_accuracy"][-1] > 0.7
    assert history.seconds == sum(history["seconds"]) > 0
    assert history.best_epoch == 1 + int(np.argmin(history["held_out_loss"]))
    last = history.rows[-1]
    found = evaluate(model, [test], loss_fn)
    assert found == {"loss": last["held_out_loss"], "accuracy": last["held_out_accuracy"]}
    assert (
        str(history).splitlines()[4].startswith(f"epoch  5  train_loss {last['train_loss']:.4f}  train_acc")
    )


def test_data_goes_to_where_the_model_is_and_a_metric_is_not_needed():
    model = small_model().double()
    data = [(x.double(), y) for x, y in training_data("Batches")]
    history = fit(model, data, data, loss_fn, torch.optim.SGD(model.parameters()), 1, metric=None)
    assert list(history.rows[0]) == ["epoch", "lr", "seconds", "train_loss", "held_out_loss"]


def test_updates_take_any_batches_and_any_loss_and_end_at_a_loss_that_is_no_number():
    def loss_of(model: nn.Module, factor: float) -> Tensor:
        assert model.training
        return factor * model.weight.sum()

    model, seen = nn.Linear(1, 1, bias=False).eval(), []
    nn.init.ones_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    options = {"scheduler": schedule, "clip_norm": 1.0, "after_update": seen.append}
    losses = train_updates(model, (float(f) for f in (3, -0.5)), loss_of, optimizer, **options)
    assert losses == pytest.approx([3, -0.25]) and seen == [1, 2]
    assert model.weight.item() == pytest.approx(1 - 0.5 * 1 + 0.05 * 0.5)  # the first gradient was cut to 1
    assert train_updates(model, [], loss_of, optimizer) == []
    before = model.weight.item()
    with pytest.raises(FloatingPointError, match="expected a finite loss, got inf at update 2"):
        train_updates(model, [0.0, math.inf, 1.0], loss_of, optimizer)
    assert model.weight.item() == before


class LooksLikeOnAGpu(nn.Linear):
    def parameters(self, recurse: bool = True):
        return iter([SimpleNamespace(device=torch.device("cuda"))])


@pytest.mark.parametrize(("count", "made"), [(120, 49), (10, 10)])
def test_on_a_gpu_losses_are_read_seldom_and_at_the_end(count: int, made: int):
    model, seen = LooksLikeOnAGpu(1, 1), []
    optimizer = torch.optim.SGD([model.weight], lr=0.0)
    options = {"loss_of": lambda model, factor: factor * model.weight.sum(), "optimizer": optimizer}
    factors = [1.0] * count
    assert len(train_updates(model, factors, **options)) == count
    factors[5] = math.nan
    with pytest.raises(FloatingPointError, match="got nan at update 6"):
        train_updates(model, factors, **options, after_update=seen.append)
    assert len(seen) == made


def test_batch_norm_of_one_value_a_channel_is_an_error_that_says_what_to_do():
    model, (inputs, targets) = small_model(), examples(0, 65)
    optimizer, test = torch.optim.SGD(model.parameters()), [(inputs, targets)]
    with pytest.raises(ValueError, match=r"a batch of 1 after 64 examples; Batches\(..., drop_last=True\)"):
        fit(model, Batches(inputs, targets, 64), test, loss_fn, optimizer, 1)
    assert model[1].running_var.isfinite().all()
    fit(model, Batches(inputs, targets, 64, drop_last=True), test, loss_fn, optimizer, 1)


def test_a_metric_may_be_a_partial_or_a_module():
    class Half(nn.Module):
        def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return torch.tensor(0.5)

    model, data = small_model(), [examples(1)]
    for metric, name in ((partial(accuracy), "accuracy"), (Half(), "Half")):
        assert list(evaluate(model, data, loss_fn, metric)) == ["loss", name]


# Evaluation


def test_evaluate_weights_a_short_last_batch_by_its_size():
    model, (inputs, targets) = small_model().eval(), examples(3, 33)
    with torch.no_grad():
        outputs = model(inputs)
    expected = {"loss": loss_fn(outputs, targets).item(), "accuracy": accuracy(outputs, targets).item()}
    for size in (1, 16, 33, 50):
        seen = evaluate(model, Batches(inputs, targets, size), loss_fn)
        assert seen == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_evaluate_changes_nothing_and_puts_every_mode_back(training: bool, fails: bool):
    model = small_model()
    model.train(training)
    model[1].eval()  # a frozen layer keeps its own
    modes, before = [m.training for m in model.modules()], copy.deepcopy(model.state_dict())

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        assert not any(module.training for module in model.modules())
        assert not outputs.requires_grad
        if fails:
            raise KeyError
        return loss_fn(outputs, targets)

    with pytest.raises(KeyError) if fails else nullcontext():
        evaluate(model, held_out(), loss)
    assert [m.training for m in model.modules()] == modes and same(before, model.state_dict())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_fit_trains_in_training_mode_whatever_came_before():
    models = [small_model().eval(), small_model().train()]
    for model in models:
        torch.manual_seed(1)
        train_epoch(model, training_data("Batches"), loss_fn, torch.optim.SGD(model.parameters()))
    assert same(models[0].state_dict(), models[1].state_dict())


# Best weights and early stopping


class Scripted:
    """A scripted held-out loss: one weight w counts epochs, and the loss of epoch w is script[w - 1]."""

    def __init__(self, *script: float) -> None:
        self.model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.model.weight)
        self.script = script

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.model.training:
            return -outputs.mean()  # with lr 1 and input 1 each step adds 1 to the weight
        return torch.tensor(self.script[round(self.model.weight.item()) - 1])

    def fit(self, **options: object):
        data = [(torch.ones(1, 1), torch.zeros(1, dtype=torch.long))]
        optimizer = torch.optim.SGD(self.model.parameters(), lr=1.0)
        return fit(self.model, data, data, self.loss, optimizer, len(self.script), metric=None, **options)


@pytest.mark.parametrize(
    ("script", "best"),
    [([3, 2, 1], 3), ([1, 2, 3], 1), ([3, 1, 2, 1, 4], 2), ([2, math.nan, 1, 3], 3), ([math.nan, 5], 2)],
)
def test_the_best_weights_come_back_and_only_when_asked(script: list[float], best: int):
    kept, plain = Scripted(*script), Scripted(*script)
    history = kept.fit(keep_best=True)
    assert history.best_epoch == best and kept.model.weight.item() == best
    assert history["held_out_loss"] == pytest.approx(script, nan_ok=True)
    assert plain.fit().best_epoch == best and plain.model.weight.item() == len(script)


@pytest.mark.parametrize(
    ("script", "patience", "epochs"),
    [
        ([3, 2, 2, 2, 1], 2, 4),
        ([3, 2, 2, 2, 1], 3, 5),
        ([1, 2, 3], 1, 2),
        ([3, 2, 1], 1, 3),
        ([math.nan] * 4, 2, 2),
    ],
)
def test_patience_stops(script: list[float], patience: int, epochs: int):
    scripted = Scripted(*script)
    assert len(scripted.fit(patience=patience).rows) == epochs == scripted.model.weight.item()


# Mistakes


def test_a_loss_that_is_not_finite_names_the_epoch_and_keeps_the_checkpoint_before(tmp_path: Path):
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        steps.append(1)
        return loss_fn(outputs, targets) * (math.nan if len(steps) == 12 else 1)  # 7 + 2 steps are epoch 1

    steps, checkpoint = [], tmp_path / "run.pt"
    with pytest.raises(FloatingPointError, match=r"got nan at update 3 \(epoch 2, lr="):
        train(loss=loss, checkpoint=checkpoint)
    states = contents(checkpoint)
    assert len(states["history"]["rows"]) == 1
    assert all(weight.isfinite().all() for weight in states["model"].values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "got 0 and None"),
        ({"epochs": -1}, "got -1"),
        ({"patience": 0}, "got 6 and 0"),
    ],
)
def test_counts_that_are_none_are_refused(options: dict, message: str):
    with pytest.raises(ValueError, match=f"expected epochs and patience of at least 1, {message}"):
        train(**options)


@pytest.mark.parametrize("empty", ["train", "test"])
def test_empty_data_is_refused(empty: str):
    model, batch = small_model(), [examples(1)]
    train_data, test = ([], batch) if empty == "train" else (batch, [])
    with pytest.raises(ValueError, match="expected at least one batch, got none"):
        fit(model, train_data, test, loss_fn, torch.optim.SGD(model.parameters()), 1)


def test_wrong_shapes_are_named():
    model, (inputs, targets) = small_model(), examples(1)
    optimizer = torch.optim.SGD(model.parameters())
    with pytest.raises(
        ValueError, match="got input batch_size .50. to match target batch_size .49.|batch_size"
    ):
        fit(model, [(inputs, targets[1:])], [(inputs, targets)], loss_fn, optimizer, 1)
    wide = [(inputs, torch.zeros(N, 2))]  # a regression: the loss takes it, accuracy does not
    with pytest.raises(ValueError, match=r"expected logits .* got \(50, 2\) and \(50, 2\)"):
        fit(model, wide, wide, nn.functional.mse_loss, optimizer, 1)


# Language models


def test_training_learns_a_text_that_repeats_itself():
    torch.manual_seed(0)
    ids = torch.arange(600) % 5
    model = RecurrentLanguageModel(nn.RNN, 5, 4, 8).eval()
    updates = []
    before = perplexity(model, ids)
    batches = window_batches(ids, 40, 0, batch_size=8, steps=8)
    train_language_model(model, batches, 0.05, after_update=updates.append)
    assert perplexity(model, ids) < 1.1 < 4 < before
    assert updates == list(range(1, 41)) and model.training


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_a_carried_state_is_that_of_the_batch_before_and_its_gradient_is_cut(kind: type):
    def parts(state: Tensor | tuple) -> tuple:
        return state if isinstance(state, tuple) else (state,)

    torch.manual_seed(0)
    ids, seen = torch.randint(5, (200,)), []
    model = RecurrentLanguageModel(kind, 5, 4, 8)
    step = model.step

    def watched(inputs, state):
        logits, after = step(inputs, state)
        seen.append((state, after))
        return logits, after

    model.step = watched
    losses = train_language_model(model, sequential_windows(ids, 2, 8), 0.01, carry=True)
    assert seen[0][0] is None and len(seen) == 12 == len(losses)
    for (_, after), (state, _) in pairwise(seen):
        assert all(torch.equal(a, b) for a, b in zip(parts(state), parts(after), strict=True))
        assert not any(part.requires_grad for part in parts(state))


def test_beta2_is_that_of_adamw(monkeypatch: pytest.MonkeyPatch):
    seen, adamw = [], torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda *a, **k: seen.append(k["betas"][1]) or adamw(*a, **k))
    model, batches = RecurrentLanguageModel(nn.RNN, 5, 4, 8), window_batches(torch.arange(999) % 5, 3, 0)
    train_language_model(model, batches, 0.01)
    train_language_model(model, batches, 0.01, beta2=0.99)
    assert seen == [0.999, 0.99]


def test_training_stops_at_a_loss_that_is_no_number_and_does_nothing_without_batches():
    model, batches = RecurrentLanguageModel(nn.RNN, 5, 4, 8), window_batches(torch.arange(999) % 5, 3, 0)
    assert train_language_model(model, batches[:0], 0.01) == []
    with torch.no_grad():
        model.output.bias[0] = math.nan
    with pytest.raises(FloatingPointError, match="got nan at update 1"):
        train_language_model(model, batches, 0.01)


def bigram(kinds: int, seed: int) -> nn.Embedding:
    """A model of one layer: the logits of what follows each token."""
    generator = torch.Generator().manual_seed(seed)
    return nn.Embedding.from_pretrained(2 * torch.randn(kinds, kinds, generator=generator))


@quick
@given(st.integers(1, 8), st.integers(2, 10), st.integers(0, 100), st.integers(1, 7), st.integers(0, 99))
def test_perplexity_is_that_of_torchmetrics_on_the_tokens_that_count(half, kinds, more, batch_size, seed):
    steps, model = 2 * half, bigram(kinds, seed)
    ids = torch.randint(kinds, (steps + 1 + more,), generator=torch.Generator().manual_seed(seed))
    ours = perplexity(model, ids, steps, batch_size)
    count = (1 + more // half) * half  # from number half + 1 on
    counted = slice(half + 1, half + 1 + count)
    logits = model(ids[:-1])[half : half + count]
    theirs = torchmetrics_perplexity(logits[None].double(), ids[None, counted]).item()
    assert math.isclose(ours, theirs, rel_tol=1e-5) and ours >= 1


def test_perplexity_of_an_even_model_is_the_number_of_tokens():
    even = nn.Embedding.from_pretrained(torch.zeros(7, 7))
    assert math.isclose(perplexity(even, torch.arange(7).repeat(30)), 7, rel_tol=1e-6)


def test_perplexity_of_a_certain_wrong_model_is_infinite():
    wrong = nn.Embedding.from_pretrained(torch.tensor([[0.0, 2000.0], [2000.0, 0.0]]))
    assert perplexity(wrong, torch.zeros(65, dtype=torch.int64)) == math.inf


@pytest.mark.parametrize("fails", [True, False])
def test_perplexity_puts_every_mode_back(fails: bool):
    model = nn.Sequential(bigram(3, 0), nn.Dropout(0.9), nn.Dropout(0.9))
    model[1].eval()
    modes = [module.training for module in model.modules()]
    if fails:
        model[2].forward = lambda x: 1 / 0
    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        values = [perplexity(model, torch.zeros(65, dtype=torch.int64)) for _ in range(2)]
        assert values[0] == values[1]
    assert [module.training for module in model.modules()] == modes


def test_perplexity_needs_a_window_of_an_even_number_of_steps():
    with pytest.raises(ValueError, match="at least 65 tokens for windows of 64, got 64"):
        perplexity(bigram(3, 0), torch.zeros(64, dtype=torch.int64))
    for steps in (7, 0, -2):
        with pytest.raises(ValueError, match=f"an even number of steps, at least 2, got {steps}"):
            perplexity(bigram(3, 0), torch.zeros(64, dtype=torch.int64), steps)


# Checkpoints

KINDS = ["Batches", "DataLoader", "DataLoader with generator", "DataLoader with sampler"]
KINDS += ["DataLoader with batch_sampler", "wrapped Batches with noise"]


def _killed(kind: str, moment: str, checkpoint: Path) -> None:
    """In a process of its own: train, and die in the middle of epoch 4 or while its checkpoint is written."""
    calls = []

    def die(count: int) -> None:
        calls.append(1)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        die(3 * (7 + 2) + 4)  # an epoch has 7 batches to train on and 2 to test on
        return loss_fn(outputs, targets)

    def replace(*paths: object) -> None:
        die(4)
        rename(*paths)

    if moment == "step":
        train(kind, loss=loss, checkpoint=checkpoint)
    else:
        rename, os.replace = os.replace, replace
        train(kind, checkpoint=checkpoint)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_run_goes_on_to_the_same_weights_bit_for_bit(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    deaths = [("Batches", "step"), ("DataLoader", "step"), ("Batches", "rename")]
    runs = [(kind, tmp_path / f"{kind} {moment}.pt", moment) for kind, moment in deaths]
    processes = [
        context.Process(target=_killed, args=(kind, moment, path), daemon=True) for kind, path, moment in runs
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
    for kind, path, moment in runs:
        assert len(contents(path)["history"]["rows"]) == 3, "the kill came in another epoch"
        assert Path(f"{path}.part").exists() == (moment == "rename")
        model, history = train(kind, seed=99, checkpoint=path)  # another start: all comes from the file
        whole = tmp_path / f"{kind} whole.pt"
        expected_model, expected = train(kind, checkpoint=whole)
        assert same(history.rows, expected.rows) and history.best_epoch == expected.best_epoch
        assert same(model.state_dict(), expected_model.state_dict())
        assert same(contents(path), contents(whole))  # last and best weights, momentum, schedule, generators
        assert history.best_epoch in (1, 2, 3) and not Path(f"{path}.part").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_changes_nothing_in_a_run_nor_do_several_interruptions(tmp_path: Path, kind: str):
    checkpoint = tmp_path / "new folder" / "run"  # no suffix
    expected, _ = train(kind)
    for seed, epochs in enumerate((1, 3, EPOCHS)):
        model, history = train(kind, seed=seed, epochs=epochs, checkpoint=checkpoint)
    assert same(model.state_dict(), expected.state_dict())
    before = contents(checkpoint)
    model, again = train(kind, seed=9, checkpoint=checkpoint)  # a run that is through stays so
    assert again.rows == history.rows and same(model.state_dict(), expected.state_dict())
    assert same(before, contents(checkpoint)) and [p.name for p in checkpoint.parent.iterdir()] == ["run"]


def test_a_run_that_ran_out_of_patience_stays_so(tmp_path: Path):
    options = {"patience": 2, "checkpoint": tmp_path / "run.pt"}
    first, second = Scripted(3, 1, 2, 2, 0), Scripted(3, 1, 2, 2, 0)
    assert first.fit(**options).rows == second.fit(**options).rows
    assert first.model.weight.item() == second.model.weight.item() == 4


def test_checkpoints_that_differ_in_their_suffix_do_not_share_a_temporary_file(tmp_path: Path):
    written = []
    save = torch.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "save", lambda states, to: (written.append(to), save(states, to)))
        for name in ("run.a", "run.b", "run.part"):
            train(epochs=1, checkpoint=tmp_path / name)
    assert len({path for path in written if isinstance(path, Path)}) == 3  # the rest tries in memory
    assert {path.name for path in tmp_path.iterdir()} == {"run.a", "run.b", "run.part"}


def test_a_half_written_temporary_file_is_ignored(tmp_path: Path):
    checkpoint = tmp_path / "run.pt"
    part = Path(f"{checkpoint}.part")
    part.write_bytes(b"half")
    model, _ = train(checkpoint=checkpoint)
    assert same(model.state_dict(), train()[0].state_dict()) and not part.exists()


class Code:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("checkpoint") / "run.pt"
    train(epochs=2, checkpoint=path)
    return path.read_bytes()


def _refused(checkpoint: Path, reason: str = "", **options: object) -> None:
    """Training from this file raises, and neither the file nor the model nor the optimizer has changed."""
    content = checkpoint.read_bytes()
    model = small_model(4, width=options.pop("width", 16))
    make = options.pop("optimizer", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))
    optimizer = make(model.parameters())
    schedule = options.pop("schedule", lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.5, total_steps=42))
    options = {"scheduler": schedule(optimizer), "keep_best": True, "clip_norm": 1.0} | options
    data, epochs = options.pop("data", training_data("Batches")), options.pop("epochs", EPOCHS)
    parts = [model, optimizer, options["scheduler"]]
    before = copy.deepcopy([part.state_dict() for part in parts if part])
    state = torch.get_rng_state()
    with pytest.raises(ValueError) as error:
        fit(model, data, held_out(), loss_fn, optimizer, epochs, checkpoint=checkpoint, **options)
    assert str(checkpoint) in str(error.value) and reason in str(error.value)
    assert str(error.value).endswith("remove the file to begin anew")
    assert checkpoint.read_bytes() == content and torch.equal(torch.get_rng_state(), state)
    assert same(before, [part.state_dict() for part in parts if part])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"width": 17}, "(another model)"),
        ({"optimizer": torch.optim.Adam}, "another optimizer"),
        ({"optimizer": lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.9)}, "another optimizer"),
        ({"schedule": lambda o: None}, "another scheduler"),
        ({"schedule": lambda o: torch.optim.lr_scheduler.StepLR(o, 3)}, "another scheduler"),
        ({"data": DataLoader(TensorDataset(*examples(1)), BATCH, shuffle=True)}, "another shuffling"),
        ({"metric": None}, "another metric"),
        ({"clip_norm": None}, "another clip_norm"),
        ({"mixed_precision": True}, "another mixed_precision"),
        ({"keep_best": False}, "another keep_best"),
        ({"epochs": 1}, "2 epochs on, 1 were asked for"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path, whole: bytes, options: dict, reason: str):
    checkpoint = tmp_path / "run.pt"
    checkpoint.write_bytes(whole)
    _refused(checkpoint, reason, **options)


def test_numpys_numbers_in_a_run_can_be_read_back(tmp_path: Path):
    def run(number: Callable, epochs: int, checkpoint: Path | None) -> nn.Module:
        model = small_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=number(0.1), momentum=number(0.9))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, number(0.5), total_steps=42)
        options = {"scheduler": schedule, "clip_norm": number(1.0), "checkpoint": checkpoint}
        fit(model, training_data("Batches"), held_out(), loss_fn, optimizer, epochs, **options)
        return model

    for epochs in (1, 3):
        model = run(np.float64, epochs, tmp_path / "run.pt")
    assert same(model.state_dict(), run(float, 3, None).state_dict())


class Endless(IterableDataset):
    def __iter__(self):
        while True:
            yield torch.zeros(6), 0


class Shuffled(torch.utils.data.Sampler):
    """Orders by a generator of NumPy."""

    def __init__(self):
        self.source = np.random.default_rng(0)

    def __iter__(self):
        return iter(self.source.permutation(N).tolist())


class Opaque(torch.optim.lr_scheduler.LambdaLR):
    def state_dict(self) -> dict:
        return super().state_dict() | {"lr_lambdas": [str.upper]}


@pytest.mark.parametrize("case", ["order", "endless", "state"])
def test_a_run_that_a_checkpoint_cannot_keep_is_refused_before_it_begins(tmp_path: Path, case: str):
    model, data = small_model(), training_data("Batches")
    before = copy.deepcopy(model.state_dict())
    optimizer, schedule = torch.optim.SGD(model.parameters()), None
    if case == "order":
        data = DataLoader(TensorDataset(*examples(1)), BATCH, sampler=Shuffled())
    elif case == "endless":
        data = DataLoader(Endless(), BATCH)
    else:
        schedule = Opaque(optimizer, lambda step: 1.0)
    reason = (
        "states that a checkpoint can hold" if case == "state" else "data in an order by torch.Generators"
    )
    options = {"scheduler": schedule, "checkpoint": tmp_path / "run.pt"}
    with pytest.raises(ValueError, match=f"expected {reason}"):
        fit(model, data, held_out(), loss_fn, optimizer, 1, **options)
    assert same(before, model.state_dict()) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, whole: bytes, share: float):
    checkpoint = tmp_path / "run.pt"
    checkpoint.write_bytes(whole[: int(share * len(whole))])
    _refused(checkpoint)


@pytest.mark.parametrize("states", [[1, 2], {"model": {}}, {"outline": {}}, "text"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, states: object):
    torch.save(states, tmp_path / "run.pt")
    _refused(tmp_path / "run.pt")


@pytest.mark.parametrize("format", ["torch", "pickle"])
def test_a_checkpoint_with_code_in_it_is_refused_and_not_run(tmp_path: Path, format: str):
    folder, checkpoint = tmp_path / "made by the pickle", tmp_path / "run.pt"
    if format == "torch":
        torch.save({"model": Code(folder)}, checkpoint)
    else:
        checkpoint.write_bytes(pickle.dumps(Code(folder), protocol=2))
    _refused(checkpoint)
    assert not folder.exists()
    torch.load(checkpoint, weights_only=False) if format == "torch" else pickle.loads(checkpoint.read_bytes())
    assert folder.exists()  # the test's own test


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")
@pytest.mark.parametrize(("first", "then"), [("cuda", "cpu"), ("cpu", "cuda"), ("cuda", "cuda")])
def test_a_checkpoint_moves_between_devices(tmp_path: Path, first: str, then: str):
    for device, epochs in ((first, 2), (then, 4)):
        model = small_model().to(device)
        optimizer = torch.optim.AdamW(model.parameters())
        options = {"keep_best": True, "checkpoint": tmp_path / "run.pt"}
        history = fit(model, training_data("Batches"), held_out(), loss_fn, optimizer, epochs, **options)
        assert len(history.rows) == epochs and next(model.parameters()).device.type == device
        assert all(state["exp_avg"].device.type == device for state in optimizer.state.values())
