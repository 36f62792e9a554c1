"""The run of ddp_train.py with the model cut up: each process keeps a part of every layer."""

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist
from ddp_train import digits, network, batch_of, start
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn import functional as F

from utils.device import seed_everything


def train(out: Path, updates: int, batch: int, width: int) -> None:
    device = start(batch)
    rank, size = dist.get_rank(), dist.get_world_size()
    mesh = init_device_mesh(device.type, (size,))
    seed_everything(0)
    model = network(width).to(device)
    whole = sum(p.numel() for p in model.parameters())
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)  # gathered before it is used, let go of after it
    fully_shard(model, mesh=mesh)
    kept = sum(p.to_local().numel() for p in model.parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    inputs, targets = digits()
    for update in range(updates):
        mine = batch_of(update, batch)[rank::size]
        loss = F.cross_entropy(model(inputs[mine].to(device)), targets[mine].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    momentum = sum(s["momentum_buffer"].to_local().numel() for s in optimizer.state.values())
    weights = {name: p.full_tensor().detach().cpu() for name, p in model.named_parameters()}
    torch.save(weights, out / f"rank{rank}.pt")
    report = {"whole": whole, "kept": kept, "momentum": momentum}
    (out / f"rank{rank}.json").write_text(json.dumps(report))
    dist.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the reports")
    parser.add_argument("--updates", type=int, default=24)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--width", type=int, default=64)
    options = parser.parse_args()
    train(options.out, options.updates, options.batch, options.width)
