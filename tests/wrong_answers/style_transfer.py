"""Wrong answers to the exercise of vision/style-transfer."""

from torch.nn import functional as F


def shrunk(maps, mask, mode="area"):
    """The mask at the size of the maps, and the maps, both with their places in a row."""
    return F.interpolate(mask, size=maps.shape[2:], mode=mode).flatten(2)[0], maps.flatten(2)[0]


def masked_gram__divides_by_all_places(maps, mask):
    """A mean over all places, also over those that do not count."""
    m, f = shrunk(maps, mask)
    return (m * f) @ f.T / f.shape[1]


def masked_gram__weight_squared(maps, mask):
    """Multiplies both factors by the mask."""
    m, f = shrunk(maps, mask)
    return (m * f) @ (m * f).T / m.sum()


def masked_gram__squared_throughout(maps, mask):
    """A weighted mean with the squares of the weights."""
    m, f = shrunk(maps, mask)
    return (m * f) @ (m * f).T / m.square().sum()


def masked_gram__counts_places(maps, mask):
    """Divides by the number of places that count at all."""
    m, f = shrunk(maps, mask)
    return (m * f) @ f.T / (m > 0).sum()


def masked_gram__nearest(maps, mask):
    """Shrinks the mask by picking pixels."""
    m, f = shrunk(maps, mask, "nearest")
    return (m * f) @ f.T / m.sum()


def masked_gram__hard_mask(maps, mask):
    """Rounds the weights."""
    m, f = shrunk(maps, (mask >= 0.5).to(maps.dtype))
    return (m * f) @ f.T / m.sum()


def masked_gram__no_mask(maps, mask):
    """Forgets the mask."""
    _, f = shrunk(maps, mask)
    return f @ f.T / f.shape[1]
