"""Train a small network on handwritten digits in several processes, which share the work.

    torchrun --standalone --nproc-per-node 2 ddp_train.py --out weights --checkpoint run.pt

One process on each GPU with nccl if there are enough of them, else on the CPU with gloo.
The course's folder must be on PYTHONPATH.
"""

import argparse
import os
import signal
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from utils.data import mnist
from utils.device import get_device, new_generator, seed_everything

DIGITS = 4096  # as many of MNIST's, so that a run takes a moment


def start(*batches: int) -> torch.device:
    """Join the group of processes; torchrun has put rank and address into the environment.

    Raises:
        ValueError: if a batch has no equal part for each process, or too many digits.
    """
    size, local = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_RANK"])
    for batch in batches:
        if not 0 < batch <= DIGITS or batch % size:
            which = f"of at most {DIGITS} digits that {size} processes can share equally"
            raise ValueError(f"expected a batch {which}, got {batch}")
    if get_device().type == "cuda" and torch.cuda.device_count() >= size:
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
        dist.init_process_group("nccl", device_id=device)
    else:
        device = torch.device("cpu")
        dist.init_process_group("gloo")
    return device


def network(width: int, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    first, second, third = nn.Linear(784, width), nn.Linear(width, width), nn.Linear(width, 10)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third).to(dtype)


def digits(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    train, _ = mnist()
    return train.inputs[:DIGITS].flatten(1).to(dtype) / 255, train.targets[:DIGITS]


def batch_of(update: int, batch: int) -> torch.Tensor:
    """Which digits the whole batch of an update holds: the same answer in every process."""
    epoch, step = divmod(update, DIGITS // batch)
    order = torch.randperm(DIGITS, generator=new_generator(epoch))
    return order[step * batch : (step + 1) * batch]


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, update: int) -> None:
    """All that the rest of this run depends on, under another name first: never half a file."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "update": update}
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def train(options: argparse.Namespace) -> None:
    device = start(options.batch)
    rank, size = dist.get_rank(), dist.get_world_size()
    seed_everything(0)
    model = network(options.width).to(device)
    replica = DistributedDataParallel(model)  # gives all rank 0's weights, averages gradients
    optimizer = torch.optim.SGD(replica.parameters(), lr=0.1, momentum=0.9)
    first = 0
    if options.checkpoint and options.checkpoint.exists():
        state = torch.load(options.checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["update"]
    if rank == 0:
        print(f"{size} processes, {dist.get_backend()}, from update {first}", flush=True)
    inputs, targets = digits()
    for update in range(first, options.updates):
        if update == options.die_at and rank == 1:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        mine = batch_of(update, options.batch)[rank::size]  # every size-th, from the rank on
        loss = F.cross_entropy(replica(inputs[mine].to(device)), targets[mine].to(device))
        optimizer.zero_grad()
        loss.backward()  # the gradients are the same in all processes when it returns
        optimizer.step()
        if options.checkpoint and rank == 0 and (update + 1) % options.every == 0:
            save(options.checkpoint, model, optimizer, update + 1)
    if options.out:
        torch.save(model.state_dict(), options.out / f"rank{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=24)
    parser.add_argument("--batch", type=int, default=256, help="digits of an update")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--out", type=Path, help="folder for the final weights")
    parser.add_argument("--checkpoint", type=Path, help="file to write and to go on from")
    parser.add_argument("--every", type=int, default=5, help="updates between checkpoints")
    parser.add_argument("--die-at", type=int, help="update at which rank 1 is killed")
    train(parser.parse_args())
