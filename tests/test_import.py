"""``import spinehub`` stays light, and every public name can be had."""

import subprocess
import sys

import pytest

import spinehub

HEAVY = (
    "torch",
    "gradio",
    "timm",
    "radiomics",
    "openvino",
    "SimpleITK",
    "matplotlib",
    "nibabel",
    "numba",
    "sklearn",
    "segmentation_models_pytorch",
    "huggingface_hub",
)


def loaded_by(code: str) -> set[str]:
    """Heavy packages in a fresh interpreter after running `code`."""
    text = f"import sys\n{code}\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_nothing_heavy():
    assert loaded_by("import spinehub") == set()


def test_the_nouns_and_the_parser_load_nothing_heavy():
    assert loaded_by("import spinehub\nspinehub.Seed, spinehub.Grid, spinehub.DynamicSeries") == set()
    assert (
        loaded_by("from spinehub.cli import main\ntry:\n    main(['analyse'])\nexcept SystemExit:\n    pass") == set()
    )


@pytest.mark.parametrize("module", ["spinehub.pipeline", "spinehub.routes", "spinehub.report"])
def test_the_numeric_half_needs_no_torch_and_no_page(module):
    assert not loaded_by(f"import {module}") & {"torch", "gradio", "timm", "matplotlib", "sklearn", "huggingface_hub"}


@pytest.mark.parametrize("name", spinehub.__all__)
def test_every_public_name_exists(name):
    assert getattr(spinehub, name) is not None
    assert name in dir(spinehub)


def test_the_list_of_public_names_is_short_and_sorted():
    assert len(spinehub.__all__) <= 22
    assert spinehub.__all__ == sorted(spinehub.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'diagnose'"):
        spinehub.diagnose  # noqa: B018
