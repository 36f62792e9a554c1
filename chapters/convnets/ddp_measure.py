"""How long one update takes in one process and in several, with the same digits in it.

    torchrun --standalone --nproc-per-node 2 ddp_measure.py --out times.json

Every round measures all arms, so that a busy moment of the machine meets them alike.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from ddp_train import digits, network, start
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from utils.device import Timer, seed_everything


def seconds_of(work: Callable[[], None], device: torch.device, repeats: int) -> float:
    """The median over some calls, after one that sets things up."""
    work()
    times = []
    for _ in range(repeats):
        with Timer(device) as timer:
            work()
        times.append(timer.seconds)
    return statistics.median(times)


def update_of(
    model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor
) -> Callable[[], None]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def update() -> None:
        loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


def measure(batches: list[int], width: int, rounds: int, repeats: int) -> dict:
    device = start(*batches)
    rank, size, threads = dist.get_rank(), dist.get_world_size(), torch.get_num_threads()
    seed_everything(0)
    own = network(width, torch.float32).to(device)
    replica = DistributedDataParallel(network(width, torch.float32).to(device))
    inputs, targets = (part.to(device) for part in digits(torch.float32))
    gradient = torch.zeros(sum(p.numel() for p in own.parameters()), device=device)
    found = {"numbers": len(gradient), "all-reduce": [], "updates": {}}
    for _ in range(rounds):
        dist.barrier()
        took = seconds_of(lambda: dist.all_reduce(gradient), device, repeats)
        found["all-reduce"].append(took)
        for batch in batches:
            names = "one", "threads", "processes", "apart"
            row = found["updates"].setdefault(batch, {name: [] for name in names})
            alone = update_of(own, inputs[:batch], targets[:batch])
            for name, count in (("one", 1), ("threads", size)):
                if rank == 0:  # the others wait at the barrier
                    torch.set_num_threads(count)
                    row[name].append(seconds_of(alone, device, repeats))
                    torch.set_num_threads(threads)
                dist.barrier()
            part = inputs[rank:batch:size], targets[rank:batch:size]
            row["processes"].append(seconds_of(update_of(replica, *part), device, repeats))
            dist.barrier()
            # the same part at the same time, but every process for itself
            row["apart"].append(seconds_of(update_of(own, *part), device, repeats))
            dist.barrier()
    return found | {"backend": dist.get_backend()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file for rank 0's times")
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 32, 128, 512, 2048])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    result = measure(options.batches, options.width, options.rounds, options.repeats)
    if dist.get_rank() == 0:
        options.out.write_text(json.dumps(result))
    dist.destroy_process_group()
