"""Wrong answers to the exercise of convnets/resnet."""


def fold__without_eps(weight, norm):
    """Divides by the root of the running variance alone."""
    factor = norm.weight / norm.running_var.sqrt()
    return weight * factor[:, None, None, None], norm.bias - factor * norm.running_mean


def fold__without_the_root(weight, norm):
    """Divides by the variance."""
    factor = norm.weight / (norm.running_var + norm.eps)
    return weight * factor[:, None, None, None], norm.bias - factor * norm.running_mean


def fold__mean_not_scaled(weight, norm):
    """Subtracts the running mean as it is."""
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return weight * factor[:, None, None, None], norm.bias - norm.running_mean


def fold__mean_added(weight, norm):
    """Has the sign of the mean wrong."""
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return weight * factor[:, None, None, None], norm.bias + factor * norm.running_mean


def fold__scales_the_inputs(weight, norm):
    """Scales the second axis, which is the input's."""
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    return weight * factor[:, None, None], norm.bias - factor * norm.running_mean


def fold__eps_outside_the_root(weight, norm):
    """Adds eps to the standard deviation."""
    factor = norm.weight / (norm.running_var.sqrt() + norm.eps)
    return weight * factor[:, None, None, None], norm.bias - factor * norm.running_mean
