"""The boundary: each failure is named once, by what it crossed."""

import errno

import pytest

from agent import errors
from agent.errors import GeneratorError, IntakeError, RetakeError, StorageError, boundary


@pytest.mark.parametrize(
    ("raised", "expected", "words"),
    [
        (ValueError("bad shape"), GeneratorError, "rendering seed 3: bad shape"),
        (ValueError(), GeneratorError, "rendering seed 3: ValueError"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), GeneratorError, "refused"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), StorageError, r"No space left on device \(/x\); free"),
        (OSError(errno.EACCES, "Permission denied", "/x"), StorageError, "make it writable"),
        (IntakeError("no image"), IntakeError, "^no image$"),
    ],
)
def test_boundary(raised: Exception, expected: type[Exception], words: str) -> None:
    with pytest.raises(expected, match=words) as caught, boundary(GeneratorError, "rendering seed 3"):
        raise raised
    assert caught.value is raised or caught.value.__cause__ is raised


def test_interruptions_pass() -> None:
    with pytest.raises(KeyboardInterrupt), boundary(GeneratorError, "rendering"):
        raise KeyboardInterrupt


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {line.split()[1] for line in (errors.__doc__ or "").splitlines() if line[:1] in {"├", "└"}}
    assert drawn == {c.__name__ for c in RetakeError.__subclasses__()}
