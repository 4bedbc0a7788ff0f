"""What each verb hands on to the module that does the work, and the options it refuses."""

import sys
from types import ModuleType

from commands import run, usage_error


def fake_module(monkeypatch, name: str, **functions) -> None:
    module = ModuleType(name)
    for function_name, function in functions.items():
        setattr(module, function_name, function)
    monkeypatch.setitem(sys.modules, name, module)


def test_the_other_verbs_pass_their_options_on(tmp_path, monkeypatch, capsys):
    calls = []

    def record(*arguments, **options):
        calls.append((arguments, options))
        return "https://example.org/model"

    fake_module(monkeypatch, "spinehub.cohort", generate_cohort=record)
    fake_module(monkeypatch, "spinehub.training", train_route=record)
    fake_module(monkeypatch, "spinehub.evaluation", evaluate_cohort=record, cross_validate=record)
    fake_module(monkeypatch, "spinehub.hub", publish=record, publish_space=record)
    fake_module(monkeypatch, "spinehub.demo", launch=record)
    data, out = tmp_path / "data", tmp_path / "out"
    assert run("simulate", "--cases", 6, "--seed", 4, "--cohort", "as-published", "--output", out) == 0
    assert run("train", "unet", "--data", data, "--output", out, "--minutes", 2.5, "--seed", 7, "--resume") == 0
    assert run("evaluate", "--data", data, "--output", out, "--model", "unet=dir") == 0
    assert run("publish", out, "--repo-id", "name/unet-dce", "--dry-run") == 0
    assert run("demo") == 0
    simulate, train, evaluate, publish, demo = calls
    assert simulate[0] == (out, 6, 4)
    assert simulate[1]["cohort"] == "as-published"
    told = {"minutes": 2.5, "seed": 7, "resume": True, "prepared": None, "start": None, "recalibrated": False}
    told["teacher"] = None
    assert train == (("unet", data, out), told)
    assert evaluate == ((data, out), {"models": {"unet": "dir"}, "stack": None, "embeddings": {}})
    assert publish == ((out, "name/unet-dce"), {"register": None, "private": False, "dry_run": True})
    assert demo == ((), {})
    assert "https://example.org/model" in capsys.readouterr().out


def test_evaluate_crosses_one_cohort(tmp_path, monkeypatch, capsys):
    calls = []

    def record(*arguments, **options):
        calls.append((arguments, options))

    fake_module(monkeypatch, "spinehub.evaluation", evaluate_cohort=record, cross_validate=record)
    given = ("evaluate", "--data", tmp_path, "--output", tmp_path / "out")
    assert run(*given, "--folds", 5, "--minutes", 20, "--regime", "single") == 0
    assert calls == [((tmp_path, tmp_path / "out"), {"folds": 5, "minutes": 20.0, "regimes": ["single"]})]
    assert "--minutes goes with --folds" in usage_error(capsys, *given, "--minutes", 3)
    assert "trains its own models" in usage_error(capsys, *given, "--folds", 5, "--model", "unet=dir")


def test_simulate_passes_only_what_was_given(tmp_path, monkeypatch):
    calls = []
    fake_module(monkeypatch, "spinehub.cohort", generate_cohort=lambda *words, **options: calls.append(options))
    given = ("--cases", 2, "--seed", 1, "--output", tmp_path)
    assert run("simulate", *given, "--workers", 3) == 0
    words = ("--world", "second", "--kinetics", "reversed", "--noise-from", tmp_path / "scan.nii.gz")
    assert run("simulate", *given, "--workers", 1, *words) == 0
    plain, second = calls
    assert plain == {"workers": 3}
    assert second == {
        "world": "second", "kinetics": "reversed", "noise_from": tmp_path / "scan.nii.gz", "workers": 1
    }  # fmt: skip


def test_simulate_refuses_options_that_do_not_fit(tmp_path, capsys):
    out = ("--output", tmp_path)
    assert "a cohort needs --cases and --seed" in usage_error(capsys, "simulate", "--cases", 2, *out)
    cohort = ("simulate", "--cases", 2, "--seed", 1, *out)
    assert "belongs to the first world" in usage_error(capsys, *cohort, "--world", "second", "--cohort", "as-published")
    assert "--noise-from belongs to --world second" in usage_error(capsys, *cohort, "--noise-from", "scan.nii.gz")
    assert "invalid choice: 'third'" in usage_error(capsys, *cohort, "--world", "third")
    teaching = usage_error(capsys, "simulate", "--teaching", "--seed", 1, "--kinetics", "mild", *out)
    assert "--teaching writes fixed cases; leave out --seed, --kinetics" in teaching
