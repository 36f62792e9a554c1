"""The interactive figures: a Python class and a small JavaScript module each."""

from utils.widgets.attention_heads import AttentionHeads
from utils.widgets.causal_cache import CausalCache
from utils.widgets.computation_graph import ComputationGraph
from utils.widgets.decision_boundary import DecisionBoundary
from utils.widgets.descent_path import DescentPath
from utils.widgets.draw_digit import DrawDigit
from utils.widgets.gate_switch import GateSwitch
from utils.widgets.hidden_state import HiddenState
from utils.widgets.inception_block_cost import InceptionBlockCost
from utils.widgets.kernel_attention import KernelAttention
from utils.widgets.labels_and_curve import LabelsAndCurve
from utils.widgets.line_and_loss import LineAndLoss
from utils.widgets.optimizer_path import OptimizerPath
from utils.widgets.polynomial_fit import PolynomialFit
from utils.widgets.residual_branches import ResidualBranches
from utils.widgets.roofline import Roofline
from utils.widgets.sentence_classifier import SentenceClassifier
from utils.widgets.signal_depth import SignalDepth
from utils.widgets.sliding_window import SlidingWindow
from utils.widgets.softmax_explorer import SoftmaxExplorer
from utils.widgets.threshold_costs import ThresholdCosts

__all__ = [
    "AttentionHeads",
    "CausalCache",
    "ComputationGraph",
    "DecisionBoundary",
    "DescentPath",
    "DrawDigit",
    "GateSwitch",
    "HiddenState",
    "InceptionBlockCost",
    "KernelAttention",
    "LabelsAndCurve",
    "LineAndLoss",
    "OptimizerPath",
    "PolynomialFit",
    "ResidualBranches",
    "Roofline",
    "SentenceClassifier",
    "SignalDepth",
    "SlidingWindow",
    "SoftmaxExplorer",
    "ThresholdCosts",
]
