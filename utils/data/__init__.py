"""The course's data, read out of installed packages, mostly as tensors, and mini-batches sliced from them.

Nothing here opens a network connection. Chapters import from this package, whatever module a name is in.
"""

from utils.data.batches import Batches, Split
from utils.data.cache import cache_dir, cached, package_file
from utils.data.digits import (
    MNIST_MEAN,
    MNIST_STD,
    RGB_MEAN,
    RGB_STD,
    TEST_PHOTOS,
    digits_on_photos,
    mnist,
    mnist_small,
    standardize_digits,
    standardize_rgb,
)
from utils.data.photographs import PHOTOS, SURFACES, efficientnet_lite0, imagenet_labels, photos
from utils.data.tables import PIMA_FEATURES, pima, titanic, with_ones
from utils.data.text import (
    DATE_LOCALES,
    NUMBER_SPLITS,
    TEST_PLAYS,
    VERSIONS,
    Pairs,
    Verses,
    dates,
    minilm,
    movie_sentences,
    number_words,
    shakespeare,
    verses,
)

__all__ = [
    "DATE_LOCALES",
    "MNIST_MEAN",
    "MNIST_STD",
    "NUMBER_SPLITS",
    "PHOTOS",
    "PIMA_FEATURES",
    "RGB_MEAN",
    "RGB_STD",
    "SURFACES",
    "TEST_PHOTOS",
    "TEST_PLAYS",
    "VERSIONS",
    "Batches",
    "Pairs",
    "Split",
    "Verses",
    "cache_dir",
    "cached",
    "dates",
    "digits_on_photos",
    "efficientnet_lite0",
    "imagenet_labels",
    "minilm",
    "mnist",
    "mnist_small",
    "movie_sentences",
    "number_words",
    "package_file",
    "photos",
    "pima",
    "shakespeare",
    "standardize_digits",
    "standardize_rgb",
    "titanic",
    "verses",
    "with_ones",
]
