"""Sentence classifier: type a sentence, and see what each of its words adds to the answer."""

from collections.abc import Sequence

import torch
import traitlets
from torch import Tensor

from utils.text import words
from utils.widgets.base import CourseWidget, check_finite, pack_halves, read_module, read_style, unpack_halves

LONGEST = 300  # characters of a sentence
EXAMPLES = (
    "A warm, funny and moving film.",
    "Too long, and never as funny as it thinks.",
    "Not bad at all.",
    "The jokes would disgrace a flugelhorn.",
)


def terms_of(text: str) -> list[str]:
    """The words of `utils.text.words`, then pairs of neighbours, each as often as it occurs."""
    found = words(text)
    return found + [f"{a} {b}" for a, b in zip(found, found[1:], strict=False)]


class SentenceClassifier(CourseWidget):
    """The probability that a sentence is positive, as a sum of scores of words and pairs of neighbours.

    Traits: ``terms`` (words, and pairs with a space between, a line each), ``scores`` (float16 bytes, one
    for each term), ``bias``, ``examples`` (sentences to choose), and ``text``, what the reader has typed.
    """

    _esm = read_module("shared", "halves", "typed", "sentence_classifier")
    _css = read_style("sentence_classifier")

    terms = traitlets.Unicode().tag(sync=True)
    scores = traitlets.Bytes().tag(sync=True)
    bias = traitlets.CFloat().tag(sync=True)
    examples = traitlets.List(traitlets.Unicode()).tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        terms: Sequence[str],
        scores: Sequence[float] | Tensor,
        bias: float = 0.0,
        *,
        examples: Sequence[str] = EXAMPLES,
        text: str | None = None,
    ):
        """Put a classifier's scores into a figure.

        Args:
            terms: (n,) words as `utils.text.words` gives them, or two with a space between; none twice.
            scores: (n,) what each adds to the logit of "positive".
            bias: the logit of a sentence without known words.
            examples: sentences behind buttons.
            text: the sentence at the start; by default the first example, if there is one.

        Raises:
            traitlets.TraitError: if a term is no word or pair or occurs twice, the numbers of terms and
                scores differ, a score is not finite or is too large, or a sentence is too long.
        """
        values = torch.as_tensor(scores).detach().cpu().float()
        check_finite("scores", values.ravel().tolist())
        if values.shape != (len(terms),) or (values.abs() > 1000).any():
            raise traitlets.TraitError(
                f"expected a score within ±1000 for each of {len(terms)} terms, got {tuple(values.shape)}"
            )
        super().__init__(
            terms="\n".join(terms),
            scores=pack_halves([values]),
            bias=bias,
            examples=list(examples),
            text=(examples[0] if examples else "") if text is None else text,
        )

    def logit(self, text: str | None = None) -> float:
        """What the page computes for a sentence (by default its own), from the state alone."""
        table = dict(zip(self.terms.split("\n"), unpack_halves(self.scores).tolist(), strict=False))
        return self.bias + sum(table.get(term, 0.0) for term in terms_of(self.text if text is None else text))

    @traitlets.validate("terms", "scores")
    def _validate_terms(self, proposal: dict) -> str | bytes:
        terms, scores = self.values_with(proposal, "terms", "scores")
        listed = terms.split("\n") if terms else []
        wrong = [term for term in listed if term not in terms_of(term)]
        if wrong or len(set(listed)) < len(listed):
            got = repr(wrong[0]) if wrong else "a term twice"
            raise traitlets.TraitError(f"expected terms of one or two words in lower case, got {got}")
        if len(scores) != 2 * len(listed):
            got = f"{len(scores)} bytes for {len(listed)} terms"
            raise traitlets.TraitError(f"expected two bytes of scores for each term, got {got}")
        return proposal["value"]

    @traitlets.validate("bias")
    def _validate_bias(self, proposal: dict) -> float:
        check_finite("bias", [proposal["value"]])
        return proposal["value"]

    @traitlets.validate("text", "examples")
    def _validate_text(self, proposal: dict) -> str | list[str]:
        value = proposal["value"]
        for sentence in [value] if isinstance(value, str) else value:
            if len(sentence) > LONGEST:
                raise traitlets.TraitError(
                    f"expected a sentence of at most {LONGEST} characters, got {len(sentence)}"
                )
        return value
