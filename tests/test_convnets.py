"""Inception and residual blocks and networks: torchvision's values and gradients, shapes, what is refused."""

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torchvision.models.googlenet import Inception as TorchvisionInception
from torchvision.models.resnet import BasicBlock as TorchvisionBlock

from utils.layers.convnets import BasicBlock, Inception, ResNet

quick = settings(deadline=None, derandomize=True, max_examples=40)
channels = st.integers(1, 6)
sides = st.integers(1, 9)
strides = st.integers(1, 3)


def randomise(module: nn.Module) -> nn.Module:
    """Batch norms that do something: their state after a while, not that of the start."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight, layer.running_var):
                nn.init.uniform_(values, 0.5, 2)
            for values in (layer.bias, layer.running_mean):
                nn.init.normal_(values)
    return module


def torchvision_block(in_channels: int, width: int, stride: int) -> TorchvisionBlock:
    projection = None
    if stride != 1 or in_channels != width:
        shape = nn.Conv2d(in_channels, width, 1, stride, bias=False)
        projection = nn.Sequential(shape, nn.BatchNorm2d(width))
    return TorchvisionBlock(in_channels, width, stride, projection)


def agree(ours: nn.Module, theirs: nn.Module, x: torch.Tensor) -> None:
    """Same output, same gradients of input and parameters, same running statistics afterwards."""
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [module(y) for module, y in zip((ours, theirs), inputs, strict=True)]
    direction = torch.randn_like(outputs[0])
    for output in outputs:
        (output * direction).sum().backward()
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*(y.grad for y in inputs))
    other = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, other[name].grad, msg=lambda text, name=name: name + text)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


@quick
@given(st.integers(2, 4), channels, channels, sides, sides, strides, st.booleans(), st.integers(0, 2**32))
def test_a_block_is_torchvisions(n, before, after, height, width, stride, train, seed):
    torch.manual_seed(seed)
    theirs = randomise(torchvision_block(before, after, stride)).double().train(train)
    ours = BasicBlock(before, after, stride).double().train(train)
    ours.load_state_dict(theirs.state_dict())
    agree(ours, theirs, torch.randn(n, before, height, width, dtype=torch.float64))


@quick
@given(channels, channels, sides, sides, strides, st.integers(0, 2**32))
def test_a_plain_block_has_the_same_weights_and_no_addition(before, after, height, width, stride, seed):
    torch.manual_seed(seed)
    plain = randomise(BasicBlock(before, after, stride, shortcut=False)).eval()
    block = BasicBlock(before, after, stride).eval()
    missing = block.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert all(name.startswith("downsample") for name in missing)
    x = torch.randn(2, before, height, width)
    correction = block.branch(x)
    assert correction.shape == (2, after, -(-height // stride), -(-width // stride))
    torch.testing.assert_close(plain(x), F.relu(correction))
    moved = x if block.downsample is None else block.downsample(x)
    torch.testing.assert_close(block(x), F.relu(correction + moved))


def test_a_block_whose_branch_is_nothing_passes_on_what_is_not_negative():
    block = BasicBlock(4, 4).eval()
    nn.init.zeros_(block.bn2.weight)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x.relu()), x.relu()) and torch.equal(block(x), x.relu())


@pytest.mark.parametrize("train", [True, False])
def test_resnet18_is_torchvisions(train: bool):
    torch.manual_seed(0)
    ours, theirs = ResNet(), torchvision.models.resnet18()
    assert sum(p.numel() for p in ours.parameters()) == 11_689_512
    ours.load_state_dict(randomise(theirs).state_dict())
    agree(ours.double().train(train), theirs.double().train(train), torch.randn(2, 3, 64, 64).double())


@quick
@given(channels, st.tuples(*[channels] * 6), sides, sides, st.booleans(), st.integers(0, 2**32))
def test_an_inception_block_is_torchvisions(before, sizes, height, width, train, seed):
    torch.manual_seed(seed)
    one, *four, pool = sizes
    theirs = randomise(TorchvisionInception(before, *sizes)).double().train(train)
    ours = Inception(before, one, tuple(four[:2]), tuple(four[2:]), pool, size=3).double().train(train)
    ours.load_state_dict(theirs.state_dict())
    agree(ours, theirs, torch.randn(3, before, height, width, dtype=torch.float64))


@quick
@given(channels, channels, channels, channels, channels, sides, sides, st.integers(0, 2**32))
def test_an_inception_block_without_reductions_looks_at_all_channels(before, a, b, c, d, height, width, seed):
    torch.manual_seed(seed)
    block = randomise(Inception(before, a, (None, b), (None, c), d)).eval()
    x = torch.randn(2, before, height, width)
    shapes = [tuple(p.conv.weight.shape[1:]) for p in (block.branch1, block.branch2, block.branch3)]
    assert shapes == [(before, 1, 1), (before, 3, 3), (before, 5, 5)]
    largest = F.max_pool2d(x, 3, 1, 1)
    maps = [block.branch1(x), block.branch2(x), block.branch3(x), block.branch4[1](largest)]
    torch.testing.assert_close(block(x).split((a, b, c, d), dim=1), tuple(maps))


def test_resnet34_has_torchvisions_shapes():
    ours, theirs = ResNet((3, 4, 6, 3)).state_dict(), torchvision.models.resnet34().state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@quick
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 8)), min_size=1, max_size=4),
    st.integers(1, 5),
    st.integers(1, 40),
    st.booleans(),
)
def test_any_depth_and_width_gives_logits(stages, classes, side, shortcut):
    blocks, widths = zip(*stages, strict=True)
    net = ResNet(blocks, widths, classes, shortcut=shortcut).eval()
    assert net(torch.randn(2, 3, side, side + 3)).shape == (2, classes)
    assert len(net.blocks()) == sum(blocks)
    layers = [m for name, m in net.named_modules() if isinstance(m, nn.Conv2d) and "downsample" not in name]
    assert len(layers) + 1 == 2 * sum(blocks) + 2
    assert [b.conv2.out_channels for b in net.blocks()] == [w for c, w in stages for _ in range(c)]


def test_plain_and_residual_nets_of_one_seed_start_from_the_same_first_weights():
    nets = []
    for shortcut in (True, False):
        torch.manual_seed(0)
        nets.append(ResNet((2, 2), (4, 8), 3, shortcut=shortcut))
    assert nets[1].state_dict().keys() < nets[0].state_dict().keys()


@pytest.mark.parametrize(
    "arguments",
    [((2, 2), (8,)), ((0,), (8,)), ((1,), (0,)), ((1,), (8,), 0), ((), ())],
)
def test_sizes_that_make_no_network_are_named(arguments: tuple):
    with pytest.raises(ValueError, match="expected a width for each stage, all at least 1, got"):
        ResNet(*arguments)
