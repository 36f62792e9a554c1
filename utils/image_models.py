"""The contest of the image models: one recipe for all, what each costs, and the table in which they meet."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from utils import results
from utils.checks import search
from utils.data import Batches, Split, digits_on_photos, standardize_rgb
from utils.device import Timer, seed_everything
from utils.plotting import BLUE, GREY, ORANGE
from utils.scale import pick
from utils.training import evaluate, train_epoch

PREFIX = "digits on photographs: "  # of the experiments' names among the records
BATCH = 64


class PhotoDigits(NamedTuple):
    """The parts of `digits_on_photos` that the contest uses."""

    train: Split
    choosing: Split
    test: Split


@dataclass
class ImageModel:
    """What the contest found out about one model.

    Attributes:
        name: as it is shown.
        parameters: numbers that are learned.
        multiplications: of one picture's forward pass.
        lr: the chosen peak of the learning rate.
        accuracies: on the test part, one a seed.
        seconds: training time of one run, mean over the seeds.
        models: the trained networks, one a seed; not part of the record.
    """

    name: str
    parameters: int
    multiplications: int
    lr: float
    accuracies: list[float]
    seconds: float
    models: list[nn.Module] = field(default_factory=list, repr=False)

    @property
    def accuracy(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.accuracies))

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds, of which there are three or more."""
        return float(np.std(self.accuracies, ddof=1))


class Row(NamedTuple):
    """A line of the table of all image models; the accuracies are shares of one."""

    name: str
    accuracy: float
    deviation: float
    parameters: int
    multiplications: int
    seconds: float
    new: bool


def photo_digits(device: torch.device) -> PhotoDigits:
    """16,384 pictures to train on (60,000 less 8,800 on a GPU or at full size), 2,000 to choose by, 4,000 to
    test on; the pictures to choose by lie on the photographs of training, those of the test on others."""
    train, test = digits_on_photos(device)
    n = pick(device, cpu=16_384, gpu=51_200)
    parts = [(train, slice(0, n)), (train, slice(52_000, 54_000)), (test, slice(0, 4_000))]
    return PhotoDigits(*(Split(split.inputs[part], split.targets[part]) for split, part in parts))


def prepare(images: Tensor) -> Tensor:
    """Bytes to standardised numbers; channels last in memory, which is faster for narrow networks."""
    return standardize_rgb(images).contiguous(memory_format=torch.channels_last)


def train_on_photos(
    build: Callable[[], nn.Module], lr: float, seed: int, data: PhotoDigits
) -> tuple[nn.Module, float]:
    """The recipe: one pass over the training pictures in mini-batches of 64, AdamW, one-cycle schedule.

    Args:
        build: makes a fresh network from (n, 3, 32, 32) to logits (n, 10); its start is drawn under ``seed``.
        lr: the peak of the schedule.
        seed: of the start and of the order of the pictures.
        data: as `photo_digits` gives it.

    Returns:
        The trained network and the seconds of its training.
    """
    seed_everything(seed)
    device = data.train.inputs.device
    model = build().to(device, memory_format=torch.channels_last)
    batches = Batches(*data.train, BATCH, shuffle=True, seed=seed, transform=prepare)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=len(batches))
    with Timer(device) as timer:
        train_epoch(model, batches, F.cross_entropy, optimizer, scheduler=schedule)
    return model, timer.seconds


def photo_accuracy(model: nn.Module, part: Split) -> float:
    """Share of the pictures of a part of `photo_digits` that a model names correctly."""
    return evaluate(model, Batches(*part, 500, transform=prepare), F.cross_entropy)["accuracy"]


def cost(model: nn.Module, shape: Sequence[int] = (3, 32, 32)) -> tuple[int, int]:
    """Parameters, and multiplications of one picture's forward pass (convolutions and matrix products).

    Args:
        model: left in the mode that it was in.
        shape: of one picture.
    """
    parameter = next(model.parameters())
    x = torch.zeros(1, *shape, device=parameter.device, dtype=parameter.dtype)
    mode = model.training
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(x)
    model.train(mode)
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2


def compete(
    name: str, build: Callable[[], nn.Module], rates: Sequence[float], seeds: Sequence[int], data: PhotoDigits
) -> ImageModel:
    """Choose a model's learning rate on the pictures to choose by, then train several seeds and test them.

    The search is printed. Each contestant gets as many rates as the others; the best is not at the edge.

    Args:
        name: as the table shall show it.
        build: as for `train_on_photos`.
        rates: peaks of the learning rate to try, in rising order, with a seed that the test does not use.
        seeds: of the runs that are tested.
        data: as `photo_digits` gives it.

    Raises:
        ValueError: as `utils.checks.search`.
    """
    print(f"{name}: accuracy at each learning rate")

    def score(lr: float) -> float:
        return photo_accuracy(train_on_photos(build, lr, 1000, data)[0], data.choosing)

    lr = search(score, rates)
    runs = [train_on_photos(build, lr, seed, data) for seed in seeds]
    models = [model for model, _ in runs]
    accuracies = [photo_accuracy(model, data.test) for model in models]
    seconds = float(np.mean([seconds for _, seconds in runs]))
    return ImageModel(name, *cost(models[0]), lr, accuracies, seconds, models)


def record_image_model(chapter: str, model: ImageModel, seeds: Sequence[int], device: torch.device) -> None:
    """Keep a contestant's figures, as `utils.results.record` does."""
    metrics = {
        "test accuracy": model.accuracy,
        "standard deviation": model.deviation,
        "parameters": model.parameters,
        "multiplications": model.multiplications,
        "learning rate": model.lr,
    }
    kept = {"seconds": model.seconds, "device": device, "seed": seeds}
    results.record(chapter, PREFIX + model.name, metrics, **kept)


def image_models(chapters: Sequence[str], models: Sequence[ImageModel], device: torch.device) -> list[Row]:
    """The recorded contestants of earlier chapters, and this chapter's own, by rising accuracy.

    Args:
        chapters: whose records to read, such as ``"convnets/classic-convnets"``; measured on this kind of
            device, else on a CPU.
        models: what was trained just now; it takes the place of a record of the same name.
        device: its kind decides which records are read.
    """
    own = {model.name for model in models}
    rows = []
    for name, row in results.find(PREFIX, device).items():
        if row["chapter"] in chapters and (name := name.removeprefix(PREFIX)) not in own:
            found = row["metrics"]
            counts = int(found["parameters"]), int(found["multiplications"])
            accuracy = found["test accuracy"], found["standard deviation"]
            rows.append(Row(name, *accuracy, *counts, row["seconds"], new=False))
    for m in models:
        rows.append(
            Row(m.name, m.accuracy, m.deviation, m.parameters, m.multiplications, m.seconds, new=True)
        )
    return sorted(rows, key=lambda row: row.accuracy)


def print_image_models(rows: Sequence[Row]) -> None:
    """The table: accuracy with its standard deviation, parameters, multiplications, seconds of training."""
    width = max(len(row.name) for row in rows)
    print(f"{'':{width}}  test accuracy    parameters  multiplications  seconds")
    for row in rows:
        accuracy = f"{100 * row.accuracy:.1f} ± {100 * row.deviation:.1f} %"
        counts = f"{row.parameters:12,}  {row.multiplications:15,}  {row.seconds:7.1f}"
        print(f"{row.name:{width}}  {accuracy:>13}  {counts}")


def plot_image_models(rows: Sequence[Row]) -> Figure:
    """Accuracy against parameters, multiplications and seconds; new models filled, earlier ones hollow.

    The scale of accuracies is logarithmic in the errors: from 80 to 90 per cent is as far as from 90 to 95.
    """
    figure, axes = plt.subplots(1, 3, figsize=(7, 3.4), sharey=True)
    tops = [_height(100 * (row.accuracy + row.deviation)) for row in rows]
    bottoms = [_height(100 * (row.accuracy - row.deviation)) for row in rows]
    room = 0.08 * (max(tops) - min(bottoms)) or 0.1
    low, high = min(bottoms) - room, max(tops) + room
    for axis, what in zip(axes, ("parameters", "multiplications", "seconds"), strict=True):
        numbers = [getattr(row, what) for row in rows]
        wide = max(math.log(max(numbers) / min(numbers)), math.log(3))
        left, right = min(numbers) / math.exp(0.12 * wide), min(numbers) * math.exp(1.25 * wide)
        for row in rows:
            color = ORANGE if row.new else BLUE
            options = {"color": color, "mfc": color if row.new else "white", "markersize": 5, "linewidth": 1}
            axis.errorbar(getattr(row, what), 100 * row.accuracy, 100 * row.deviation, fmt="o", **options)
        axis.set_yscale("function", functions=(_height, _accuracy))
        axis.set(xscale="log", xlabel=what, xlim=(left, right), ylim=(_accuracy(low), _accuracy(high)))
        axis.set_yticks([t for t in (20, 40, 60, 80, 90, 95, 98, 99) if low < _height(t) < high])
        points = [
            (math.log(x / left) / math.log(right / left), (_height(100 * row.accuracy) - low) / (high - low))
            for x, row in zip(numbers, rows, strict=True)
        ]
        offsets = _label_places(points, [row.name for row in rows])
        for row, point, offset in zip(rows, points, offsets, strict=True):
            at = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center"}
            if abs(offset[1]) > 12:  # far from its point: joined to it by a line
                at["arrowprops"] = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5}
            axis.annotate(row.name, point, offset, fontsize=8, color=GREY, **at)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 3) if wide < 5 else (1,)))
        axis.xaxis.set_major_formatter(_short)
        axis.xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("test accuracy (%)")
    return figure


def _height(accuracy: np.ndarray | float) -> np.ndarray | float:
    """The place of an accuracy in per cent on the figure's scale."""
    return -np.log(np.maximum(100.5 - np.asarray(accuracy, dtype=float), 1e-3))


def _accuracy(height: np.ndarray | float) -> np.ndarray | float:
    """The accuracy at a place of the figure's scale."""
    return 100.5 - np.exp(-np.asarray(height, dtype=float))


def _short(number: float, position: int = 0) -> str:
    """300000 as 300k, 3000000 as 3M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.999 * size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def _label_places(points: Sequence[tuple[float, float]], names: Sequence[str]) -> list[tuple[float, float]]:
    """Where each name goes, from its point, in typographic points: beside it, where nothing else is.

    Args:
        points: in shares of the width and height of a panel of `plot_image_models`.
        names: one a point, written at 8 points.
    """
    wide, high = 125, 190  # of a panel, in typographic points
    centers = [(x * wide, y * high) for x, y in points]
    taken = [(x - 4, x + 4, y - 4, y + 4) for x, y in centers]
    found = []
    for (x, y), name in zip(centers, names, strict=True):
        length, best = 4.6 * len(name), (math.inf, (0.0, 0.0))
        for dy in (0, 9, -9, 18, -18, 27, -27, 36, -36):
            for dx in (6, -6 - length, -length / 2):
                box = (x + dx, x + dx + length, y + dy - 4, y + dy + 4)
                outside = max(0, -box[0]) + max(0, box[1] - wide) + max(0, -box[2]) + max(0, box[3] - high)
                hits = sum(a < box[1] and box[0] < b and c < box[3] and box[2] < d for a, b, c, d in taken)
                best = min(best, (40 * hits + 10 * outside + abs(dy) + (dx < 0), (dx, dy)))
        dx, dy = best[1]
        taken.append((x + dx, x + dx + length, y + dy - 4, y + dy + 4))
        found.append((dx, dy))
    return found
