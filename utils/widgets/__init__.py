"""The interactive figures: a Python class and a small JavaScript module each."""

from utils.widgets.draw_digit import DrawDigit
from utils.widgets.line_and_loss import LineAndLoss
from utils.widgets.softmax_explorer import SoftmaxExplorer

__all__ = ["DrawDigit", "LineAndLoss", "SoftmaxExplorer"]
