"""Every error a user can meet. Each message names the argument, the rule, the value and the way out."""

__all__ = [
    "GridMismatchError",
    "InputRefusedError",
    "InvalidArgumentError",
    "ModelError",
    "SpineHubError",
    "TimingError",
]


class SpineHubError(ValueError):
    """Base of all errors that are the input's fault, not a bug: shown as one sentence, never as a traceback."""


class InvalidArgumentError(SpineHubError):
    """An argument breaks its rule: wrong shape, out of range, outside the volume."""


class InputRefusedError(SpineHubError):
    """A file cannot be read safely or is not what spinehub can use."""


class GridMismatchError(SpineHubError):
    """Two objects that must share voxels lie on different grids."""


class TimingError(SpineHubError):
    """Something in seconds was asked for, but the series has no credible or sufficient times."""


class ModelError(SpineHubError):
    """A model folder is missing, incomplete, altered, or of an unknown kind."""
