"""Wrong answers to the exercise of convnets/transfer-learning."""


def free(stage):
    """The parameters that are not frozen."""
    return [p for p in stage.parameters() if p.requires_grad]


def rate_groups__frozen_too(stages, lr, decay):
    """Hands the optimizer the frozen parameters as well."""
    last = len(stages) - 1
    groups = [{"params": list(s.parameters()), "lr": lr * decay ** (last - i)} for i, s in enumerate(stages)]
    return [group for group in groups if group["params"]]


def rate_groups__other_way_round(stages, lr, decay):
    """Gives the first stage the full rate."""
    groups = [{"params": free(s), "lr": lr * decay**i} for i, s in enumerate(stages)]
    return [group for group in groups if group["params"]]


def rate_groups__head_decayed(stages, lr, decay):
    """Lowers the rate of the last stage as well."""
    groups = [{"params": free(s), "lr": lr * decay ** (len(stages) - i)} for i, s in enumerate(stages)]
    return [group for group in groups if group["params"]]


def rate_groups__empty_groups(stages, lr, decay):
    """Keeps groups without a parameter."""
    return [{"params": free(s), "lr": lr * decay ** (len(stages) - 1 - i)} for i, s in enumerate(stages)]


def rate_groups__counts_only_free_stages(stages, lr, decay):
    """Does not count a frozen stage as a stage."""
    kept = [s for s in stages if free(s)]
    return [{"params": free(s), "lr": lr * decay ** (len(kept) - 1 - i)} for i, s in enumerate(kept)]


def rate_groups__from_the_head(stages, lr, decay):
    """Lists the groups from the last stage to the first."""
    groups = [{"params": free(s), "lr": lr * decay**i} for i, s in enumerate(reversed(stages))]
    return [group for group in groups if group["params"]]


def rate_groups__one_step_for_all(stages, lr, decay):
    """Knows two rates only: that of the head and that of all others."""
    last = len(stages) - 1
    groups = [{"params": free(s), "lr": lr if i == last else lr * decay} for i, s in enumerate(stages)]
    return [group for group in groups if group["params"]]


def rate_groups__not_into_a_sequential(stages, lr, decay):
    """Takes the parameters of a stage's own, not those of the layers in it."""
    own = [[p for p in s.parameters(recurse=False) if p.requires_grad] for s in stages]
    groups = [{"params": found, "lr": lr * decay ** (len(stages) - 1 - i)} for i, found in enumerate(own)]
    return [group for group in groups if group["params"]]
