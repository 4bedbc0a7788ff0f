"""Scores of one answer against a known probability: what an answer costs on average where the truth is a lottery.

For a single case the label says little: on a case with the posterior 0.5 half of all good answers are wrong. Where the
exact posterior is known, an answer can be scored against it instead.
"""

from spinehub.errors import InvalidArgumentError

__all__ = ["brier_regret", "expected_brier"]


def expected_brier(posterior: float, probability: float) -> float:
    """Brier score an answer gets on average over the label, which is positive with the posterior probability.

    ``posterior (1 - p)^2 + (1 - posterior) p^2``: the score of Brier 1950 (doi
    10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2) for one event, half of his sum over both classes. It is strictly
    proper: least, and then ``posterior (1 - posterior)``, where the answer is the posterior itself.

    Parameters
    ----------
    posterior, probability
        Of the positive class, 0 to 1: what is true, and what was said.

    Raises
    ------
    InvalidArgumentError
        If one of them lies outside 0 to 1.
    """
    for name, value in (("posterior", posterior), ("probability", probability)):
        if not 0.0 <= value <= 1.0:
            raise InvalidArgumentError(f"{name} must lie in 0 to 1, got {value}; divide percent by 100")
    return posterior * (1.0 - probability) ** 2 + (1.0 - posterior) * probability**2


def brier_regret(posterior: float, probability: float) -> float:
    """What an answer loses against the best one, in expected Brier score: ``(probability - posterior)^2``.

    Parameters and errors as in :func:`expected_brier`.
    """
    return expected_brier(posterior, probability) - expected_brier(posterior, posterior)
