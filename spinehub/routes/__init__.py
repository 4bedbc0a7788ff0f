"""The four routes to a diagnosis: from a case to four answers, side by side, never averaged."""

from spinehub.report import ROUTES, RouteAnswer, RouteName
from spinehub.routes.agreement import MeasuredAgreement, measured_agreement
from spinehub.routes.answers import RouteAnswers, RouteContext, answer_routes, lesion_enhances
from spinehub.routes.domain import DEFAULT_RANGES, acquisition_facts, unusual_acquisition
from spinehub.routes.held_out import held_out_score
from spinehub.routes.network_mask import network_mask
from spinehub.routes.pool import DEFAULT_MODELS, load_model
from spinehub.routes.proposals import Proposal, lesion_probability, propose_lesions

__all__ = [
    "DEFAULT_MODELS",
    "DEFAULT_RANGES",
    "ROUTES",
    "MeasuredAgreement",
    "Proposal",
    "RouteAnswer",
    "RouteAnswers",
    "RouteContext",
    "RouteName",
    "acquisition_facts",
    "answer_routes",
    "held_out_score",
    "lesion_enhances",
    "lesion_probability",
    "load_model",
    "measured_agreement",
    "network_mask",
    "propose_lesions",
    "unusual_acquisition",
]
