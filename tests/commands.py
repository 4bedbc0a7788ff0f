"""The command line as tests call it."""

import pytest

from spinehub.cli import main


def run(*words: object) -> int:
    """Exit status of a command."""
    return main([str(word) for word in words])


def usage_error(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line that says what is wrong with the words of a command."""
    with pytest.raises(SystemExit) as stopped:
        run(*words)
    assert stopped.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert text.count("\n") == 1
    return text
