"""What does a training loop cost? One epoch of chapter 15's network on MNIST, through ours and its peers.

Usage: python benchmarks/train_loop.py [--digits N] [--repeats N] [--out FOLDER]

Every way trains the same network from the same weights with the same optimizer (SGD 0.01, momentum 0.5, batch
64), one epoch, on one device. The ways take turns, so that a slow minute hits all of them, and each round
begins with another one. Each way runs between two bare loops, and its ratio is to their mean: on a shared
machine the speed drifts by a tenth within minutes. The clock covers the epoch alone: no data set, no model
and no trainer is made while it runs, nothing is evaluated.

- *bare loop*: forward, loss, zero_grad, backward, step over sliced tensors, written out by hand.
- *utils.training.fit*: the same batches; it also measures loss and accuracy on them. Wall time is the
  ``seconds`` of its `History`; CPU time includes the look at 64 held-out digits.
- *d2l Trainer*: d2l's ``Trainer`` and ``Module``; a ``DataModule`` gives the same batches and no test data.
  *No plot* is d2l's own switch, ``model.board.display = False``: the curve's points are still collected.
  *Plot* draws twice an epoch, as d2l does by default, as SVG through IPython, shown to nobody.
  *Tensor loader*: d2l's own ``get_tensorloader`` over digits that were standardized beforehand; no plot.
- *Lightning Trainer*: ``Trainer(barebones=True)``, which turns off all that is optional; the same batches;
  timed by its hooks at the epoch's start and end. Left out if it is not installed: see requirements.txt here.
- *DataLoader recipe*: what the study notes do. A ``Dataset`` of PIL images through ToTensor and Normalize, a
  shuffling ``DataLoader`` without workers, the bare loop's body.

The tensor loader and the recipe shuffle by a DataLoader, in another order than the rest.

``bench-<device kind>.json`` in the folder ``results`` (with ``--digits`` or ``--repeats`` nothing is written
unless ``--out`` names a folder), put in place of the last one whole:

    date        ISO date
    machine     processor, cores, system, device, device_name, threads, python, torch
    digits, repeats, batch_size
    rows        a list, the bare loop first:
        name            as above
        version         of the peer's package, or null
        seconds         wall seconds of each repeat
        cpu_seconds     seconds of CPU of each repeat, all threads of the process added up
        median_seconds, median_cpu_seconds
        ratio           {median, low, high} of wall seconds over those of the bare loops beside it
        cpu_ratio       {median, low, high} likewise of CPU seconds
        test_accuracy   in [0, 1], after the last repeat's epoch
    left_out    name to reason
    checks      fit_weights_equal_bare: bit for bit in every round (null on a GPU, where sums are not ordered)
                accuracy_spread: largest minus smallest test accuracy
"""

import argparse
import contextlib
import datetime
import gc
import importlib.metadata
import importlib.util
import io
import json
import logging
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from utils.data import MNIST_MEAN, MNIST_STD, Batches, Split, mnist, standardize_digits  # noqa: E402
from utils.device import describe_device, get_device, seed_everything, synchronize  # noqa: E402
from utils.training import evaluate, fit  # noqa: E402

BARE, FIT = "bare loop", "utils.training.fit"
DIGITS, REPEATS, BATCH_SIZE, SEED = 60_000, 5, 64, 0
ACCURACY_SPREAD = 0.015  # what another order of the digits may change
FIT_LIMIT = 1.03


class Clock:
    """Wall and CPU seconds between `start` and `stop`, both after the device has finished its work."""

    def __init__(self, device: torch.device):
        self.device, self.wall, self.cpu = device, float("nan"), float("nan")

    def start(self) -> None:
        synchronize(self.device)
        self.begin = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        synchronize(self.device)
        self.wall, self.cpu = time.perf_counter() - self.begin[0], time.process_time() - self.begin[1]

    def __enter__(self) -> "Clock":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


@dataclass
class Work:
    """The digits, and where the network begins. ``train`` is on the device, as bytes."""

    train: Split
    test: Split
    weights: dict[str, Tensor]
    device: torch.device

    def start(self) -> tuple[nn.Sequential, torch.optim.SGD]:
        """A network with the common weights, and its optimizer."""
        net = make_net()
        net.load_state_dict(self.weights)
        net.to(self.device).train()
        return net, make_optimizer(net)

    def batches(self) -> Batches:
        """The epoch's batches, in the same order each time."""
        return Batches(*self.train, BATCH_SIZE, shuffle=True, transform=standardize_digits, seed=SEED)


Way = Callable[[Work, Clock], nn.Module]


def make_net() -> nn.Sequential:
    """The first network of chapter 15: (batch, 1, 28, 28) to (batch, 10) logits."""
    return nn.Sequential(
        nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(10, 20, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(320, 10),
    )  # fmt: skip


def make_optimizer(net: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.5)


def bare_loop(work: Work, clock: Clock) -> nn.Module:
    net, optimizer = work.start()
    generator = torch.Generator().manual_seed(SEED)
    with clock:
        order = torch.randperm(len(work.train.inputs), generator=generator).to(work.device)
        for index in order.split(BATCH_SIZE):
            images, labels = standardize_digits(work.train.inputs[index]), work.train.targets[index]
            loss = F.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


def course_fit(work: Work, clock: Clock) -> nn.Module:
    net, optimizer = work.start()
    held_out = Batches(work.test.inputs[:64], work.test.targets[:64], 64, transform=standardize_digits)
    with clock:
        history = fit(net, work.batches(), held_out, F.cross_entropy, optimizer, epochs=1)
    clock.wall = history.seconds
    return net


def d2l_trainer(work: Work, clock: Clock, *, plot: bool = False, tensor_loader: bool = False) -> nn.Module:
    from d2l import torch as d2l

    class Digits(d2l.DataModule):
        batch_size = BATCH_SIZE

        def get_dataloader(self, train: bool):
            if not train:
                return None  # d2l then does without validation
            return self.get_tensorloader(ready, train) if tensor_loader else work.batches()

    class Classifier(d2l.Module):
        def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
            return F.cross_entropy(logits, labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return make_optimizer(self)

    ready = (standardize_digits(work.train.inputs.cpu()), work.train.targets.cpu()) if tensor_loader else None
    module = Classifier()
    module.net, _ = work.start()
    module.board.display = plot
    trainer, data = d2l.Trainer(max_epochs=1, num_gpus=int(work.device.type == "cuda")), Digits()
    with contextlib.redirect_stdout(io.StringIO()), clock:
        trainer.fit(module, data)
    d2l.plt.close("all")
    return module.net


def d2l_plot(work: Work, clock: Clock) -> nn.Module:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    if not InteractiveShell.initialized():  # the plain shell formats figures as a notebook does
        with tempfile.TemporaryDirectory() as folder:  # and would write into the user's profile
            config = Config({"HistoryManager": {"enabled": False}})
            InteractiveShell.instance(config=config, ipython_dir=folder)
    return d2l_trainer(work, clock, plot=True)


def d2l_tensor_loader(work: Work, clock: Clock) -> nn.Module:
    return d2l_trainer(work, clock, tensor_loader=True)


def lightning_trainer(work: Work, clock: Clock) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightning

    class Classifier(lightning.LightningModule):
        def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
            return F.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return make_optimizer(self.net)

        def on_train_epoch_start(self) -> None:
            clock.start()

        def on_train_epoch_end(self) -> None:
            clock.stop()

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    module = Classifier()
    module.net, _ = work.start()
    accelerator = {"cuda": "gpu"}.get(work.device.type, work.device.type)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(barebones=True, max_epochs=1, accelerator=accelerator, devices=1)
        trainer.fit(module, work.batches())
    return module.net


class DigitPictures(torch.utils.data.Dataset):
    """One standardized picture and its label at a time, from a PIL image, as torchvision's MNIST does it."""

    def __init__(self, split: Split):
        from torchvision import transforms

        self.images, self.labels = split.inputs.cpu(), split.targets.tolist()
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((MNIST_MEAN,), (MNIST_STD,))]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.images[index].numpy())), self.labels[index]


def dataloader_recipe(work: Work, clock: Clock) -> nn.Module:
    net, optimizer = work.start()
    loader = torch.utils.data.DataLoader(DigitPictures(work.train), batch_size=BATCH_SIZE, shuffle=True)
    with clock:
        for images, labels in loader:
            images, labels = images.to(work.device), labels.to(work.device)
            loss = F.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


WAYS: dict[str, tuple[Way, str | None]] = {  # name to function and the peer's package
    BARE: (bare_loop, None),
    FIT: (course_fit, None),
    "d2l Trainer, no plot": (d2l_trainer, "d2l"),
    "d2l Trainer, plot": (d2l_plot, "d2l"),
    "d2l Trainer, tensor loader": (d2l_tensor_loader, "d2l"),
    "Lightning Trainer": (lightning_trainer, "lightning"),
    "DataLoader recipe": (dataloader_recipe, None),
}


def missing_ways(device: torch.device) -> dict[str, str]:
    """Name to reason of the ways that cannot be measured here."""
    reasons = {}
    for name, (_, package) in WAYS.items():
        if package and importlib.util.find_spec(package) is None:
            reasons[name] = f"{package} is not installed" + (
                "; benchmarks/requirements.txt says how" if package == "lightning" else ""
            )
        elif package == "d2l" and device.type == "mps":
            reasons[name] = "d2l knows CUDA devices only"
    return reasons


def run_way(name: str, work: Work) -> dict:
    """One way once: wall and CPU seconds, test accuracy and final weights."""
    gc.collect()  # not on the next one's bill
    seed_everything(SEED)
    clock = Clock(work.device)
    net = WAYS[name][0](work, clock).to(work.device)
    test = Batches(*work.test, 1000, transform=standardize_digits)
    return {
        "seconds": clock.wall,
        "cpu_seconds": clock.cpu,
        "test_accuracy": evaluate(net, test, F.cross_entropy)["accuracy"],
        "weights": {key: value.cpu().clone() for key, value in net.state_dict().items()},
    }


def run_round(names: list[str], work: Work) -> dict[str, dict]:
    """Every way once, in the given order, each between two bare loops whose mean it is compared with."""
    before = run_way(BARE, work)
    seen = {BARE: before}
    for name in names:
        if name == BARE:
            continue
        seen[name], after = run_way(name, work), run_way(BARE, work)
        for kind in ("seconds", "cpu_seconds"):
            seen[name][f"bare_{kind}"] = (before[kind] + after[kind]) / 2
        before = after
    return seen


def measure(work: Work, repeats: int, names: list[str]) -> list[dict[str, dict]]:
    """The rounds, after one on few digits that pays for imports and first calls."""
    few = Split(work.train.inputs[: 10 * BATCH_SIZE], work.train.targets[: 10 * BATCH_SIZE])
    run_round(names, Work(few, work.test, work.weights, work.device))
    rounds = []
    for repeat in range(repeats):
        first = repeat % len(names)  # so that nobody always follows the same neighbour
        rounds.append(run_round(names[first:] + names[:first], work))
        seconds = sum(seen["seconds"] for seen in rounds[-1].values())
        print(f"round {repeat + 1} of {repeats}: {seconds:.0f} s", flush=True)
    return rounds


def make_row(name: str, rounds: list[dict[str, dict]]) -> dict:
    """A row of the report, as the module's docstring describes it."""
    package = WAYS[name][1]
    row = {"name": name, "version": importlib.metadata.version(package) if package else None}
    for kind, ratio in (("seconds", "ratio"), ("cpu_seconds", "cpu_ratio")):
        row[kind] = [round(r[name][kind], 4) for r in rounds]
        row[f"median_{kind}"] = round(median(row[kind]), 4)
        ratios = [r[name][kind] / r[name].get(f"bare_{kind}", r[name][kind]) for r in rounds]
        row[ratio] = {
            "median": round(median(ratios), 4), "low": round(min(ratios), 4), "high": round(max(ratios), 4)
        }  # fmt: skip
    return row | {"test_accuracy": round(rounds[-1][name]["test_accuracy"], 4)}


def make_checks(rounds: list[dict[str, dict]], device: torch.device) -> dict[str, bool | float | None]:
    """Did all ways do the same work? Equal weights of bare loop and fit, like accuracies of all."""
    pairs = [(r[BARE]["weights"], r[FIT]["weights"]) for r in rounds]
    equal = all(torch.equal(ours[key], bare[key]) for bare, ours in pairs for key in bare)
    accuracies = [seen["test_accuracy"] for r in rounds for seen in r.values()]
    return {
        "fit_weights_equal_bare": equal if device.type == "cpu" else None,
        "accuracy_spread": round(max(accuracies) - min(accuracies), 4),
    }


def describe_machine(device: torch.device) -> dict[str, str | int]:
    """What a reader needs to judge the seconds by."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):  # Linux names the processor here only
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return {
        "processor": processor,
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}",
        "device": device.type,
        "device_name": describe_device(device),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def format_table(report: dict) -> str:
    """The rows as text, medians with the spread of the ratios."""
    spread = "ratio (lowest..highest)"
    lines = [f"{'':28}{'wall s':>8}{spread:>26}{'CPU s':>8}{'CPU ratio':>11}{'accuracy':>11}"]
    for row in report["rows"]:
        ratio = "{median:.3f} ({low:.3f}..{high:.3f})".format(**row["ratio"])
        lines.append(
            f"{row['name']:28}{row['median_seconds']:8.2f}{ratio:>26}{row['median_cpu_seconds']:8.2f}"
            f"{row['cpu_ratio']['median']:11.3f}{100 * row['test_accuracy']:9.2f} %"
        )
    return "\n".join(lines + [f"{name}: left out, {reason}" for name, reason in report["left_out"].items()])


def write_report(report: dict, folder: Path) -> Path:
    """Write a temporary file, then rename it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"bench-{report['machine']['device']}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(part, path)
    return path


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--digits", type=int, default=DIGITS, help="digits to train on, for a quick check")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="how many rounds")
    parser.add_argument("--out", type=Path, help="folder for the JSON file (full run: results)")
    arguments = parser.parse_args()
    if not 10 * BATCH_SIZE <= arguments.digits <= DIGITS or arguments.repeats < 1:
        parser.error(f"expected {10 * BATCH_SIZE} to {DIGITS} digits and at least one repeat")
    return arguments


def main() -> int:
    """Measure, print, write; 1 if the ways did not do the same work."""
    arguments = parse_arguments()
    full = (arguments.digits, arguments.repeats) == (DIGITS, REPEATS)
    device = get_device()
    seed_everything(SEED)
    train, test = mnist(device)
    train = Split(train.inputs[: arguments.digits], train.targets[: arguments.digits])
    left_out = missing_ways(device)
    names = [name for name in WAYS if name not in left_out]
    rounds = measure(Work(train, test, make_net().state_dict(), device), arguments.repeats, names)
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine(device),
        "digits": arguments.digits,
        "repeats": arguments.repeats,
        "batch_size": BATCH_SIZE,
        "rows": [make_row(name, rounds) for name in names],
        "left_out": left_out,
        "checks": make_checks(rounds, device),
    }
    print(f"{arguments.digits} digits, {arguments.repeats} rounds, {report['machine']['device_name']}")
    print(format_table(report))
    if full or arguments.out:
        print(f"written: {write_report(report, arguments.out or ROOT / 'results')}")
    return judge(report, full)


def judge(report: dict, full: bool) -> int:
    """Say what the checks found. Accuracies on few digits differ by chance: only a full run fails by them."""
    checks, ratio = report["checks"], report["rows"][1]["ratio"]["median"]
    alike = checks["accuracy_spread"] <= ACCURACY_SPREAD
    equal = {True: "equal bit for bit", False: "NOT equal", None: "not compared on this device"}
    print(f"weights of {BARE} and {FIT}: {equal[checks['fit_weights_equal_bare']]}")
    print(f"test accuracies lie within {100 * checks['accuracy_spread']:.2f} points of each other", end="")
    print("" if alike else f", MORE than {100 * ACCURACY_SPREAD} allowed" if full else " (few digits)")
    print(f"{FIT} takes {ratio:.3f} of the bare loop's time; at most {FIT_LIMIT} is the aim")
    return int(checks["fit_weights_equal_bare"] is False or (full and not alike))


if __name__ == "__main__":
    sys.exit(main())
