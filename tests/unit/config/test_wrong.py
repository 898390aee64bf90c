"""Wrong files and the whole text of what is said about them: wrong/*.yaml, wrong/*.txt."""

from pathlib import Path

import pytest

from labctl.config import parse
from labctl.errors import ConfigError, ExitCode

FILES = sorted((Path(__file__).parent / "wrong").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_wrong_file(file: Path):
    with pytest.raises(ConfigError) as caught:
        parse(file.read_bytes())
    assert caught.value.exit_code == ExitCode.USAGE
    said = "".join(f"{line}\n" for line in (caught.value.what, *caught.value.problems))
    assert said == file.with_suffix(".txt").read_text()


def test_every_text_has_its_file():
    texts = {file.stem for file in (Path(__file__).parent / "wrong").glob("*.txt")}
    assert texts == {file.stem for file in FILES}
