"""The interactive figures: a Python class and a small JavaScript module each."""

from utils.widgets.draw_digit import DrawDigit
from utils.widgets.line_and_loss import LineAndLoss

__all__ = ["DrawDigit", "LineAndLoss"]
