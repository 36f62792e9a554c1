"""Wrong answers to the exercise of the chapter on linear regression in PyTorch."""

import torch


def joined(model, wanted=lambda p: True):
    """Parameters in one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters() if wanted(p)])


@torch.no_grad()
def move(model, lr):
    """One step of all parameters that have a gradient."""
    for p in model.parameters():
        if p.grad is not None:
            p.sub_(lr * p.grad)


def one_epoch__never_cleared(model, batches, loss_fn, lr):
    """Gradients add up from batch to batch."""
    for inputs, targets in batches:
        loss_fn(model(inputs), targets).backward()
        move(model, lr)
    return joined(model)


def one_epoch__cleared_after_the_step(model, batches, loss_fn, lr):
    """Right but for the old gradients with which the model comes."""
    for inputs, targets in batches:
        loss_fn(model(inputs), targets).backward()
        move(model, lr)
        model.zero_grad()
    return joined(model)


def one_epoch__one_step_an_epoch(model, batches, loss_fn, lr):
    """Gradients of all batches first, then a single step."""
    model.zero_grad()
    for inputs, targets in batches:
        loss_fn(model(inputs), targets).backward()
    move(model, lr)
    return joined(model)


def one_epoch__upwards(model, batches, loss_fn, lr):
    """Along the gradient instead of against it."""
    for inputs, targets in batches:
        model.zero_grad()
        loss_fn(model(inputs), targets).backward()
        move(model, -lr)
    return joined(model)


def one_epoch__frozen_not_returned(model, batches, loss_fn, lr):
    """The parameters that want a gradient, and no others."""
    for inputs, targets in batches:
        model.zero_grad()
        loss_fn(model(inputs), targets).backward()
        move(model, lr)
    return joined(model, lambda p: p.requires_grad)


def one_epoch__frozen_have_no_gradient(model, batches, loss_fn, lr):
    """Does not ask whether there is a gradient."""
    for inputs, targets in batches:
        model.zero_grad()
        loss_fn(model(inputs), targets).backward()
        with torch.no_grad():
            for p in model.parameters():
                p.sub_(lr * p.grad)
    return joined(model)


def one_epoch__frozen_moved_by_old_gradients(model, batches, loss_fn, lr):
    """Clears the gradients of those that want one, and moves all that have one."""
    for inputs, targets in batches:
        for p in model.parameters():
            if p.requires_grad:
                p.grad = None
        loss_fn(model(inputs), targets).backward()
        move(model, lr)
    return joined(model)


def one_epoch__new_tensors(model, batches, loss_fn, lr):
    """Makes new tensors, of which the model knows nothing."""
    for inputs, targets in batches:
        model.zero_grad()
        loss_fn(model(inputs), targets).backward()
        moved = [p if p.grad is None else p - lr * p.grad for p in model.parameters()]
    return torch.cat([p.detach().flatten() for p in moved])


def one_epoch__short_batch_left_out(model, batches, loss_fn, lr):
    """Leaves out the last, shorter batch."""
    for inputs, targets in batches[:-1]:
        model.zero_grad()
        loss_fn(model(inputs), targets).backward()
        move(model, lr)
    return joined(model)


def one_epoch__weights_alone(model, batches, loss_fn, lr):
    """The biases stay where they are."""
    for inputs, targets in batches:
        model.zero_grad()
        loss_fn(model(inputs), targets).backward()
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is not None and p.dim() > 1:
                    p.sub_(lr * p.grad)
    return joined(model)
