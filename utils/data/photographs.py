"""Photographs that ship with scikit-learn and scikit-image."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from utils.data.cache import package_file

PHOTOS = {
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "astronaut": ("skimage", "data/astronaut.png"),
    "camera": ("skimage", "data/camera.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
}


def photos(*names: str) -> dict[str, Tensor]:
    """Photographs that ship with scikit-learn and scikit-image.

    Args:
        names: some of `PHOTOS`; none for all.

    Returns:
        Name to (3, height, width) uint8 RGB; a grey picture has three equal channels.

    Raises:
        ValueError: if a name is not known.
    """
    unknown = set(names) - set(PHOTOS)
    if unknown:
        raise ValueError(f"expected names among {sorted(PHOTOS)}, got {sorted(unknown)}")
    pictures = {name: Image.open(package_file(*PHOTOS[name])).convert("RGB") for name in names or PHOTOS}
    return {name: torch.from_numpy(np.array(picture)).permute(2, 0, 1) for name, picture in pictures.items()}
