import io
import json
from pathlib import Path

import pytest

from quotewire.cli import main
from quotewire.questrade.tokens import Grant, Granted, Lost
from quotewire.upstream.vault import Vault


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUOTEWIRE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("QUOTEWIRE_LOGIN_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("QUOTEWIRE_PERSONS", raising=False)
    return tmp_path / "data"


def add(monkeypatch: pytest.MonkeyPatch, name: str, token: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(token + "\n"))
    return main(["persons", "add", name])


def test_a_token_is_read_from_standard_input(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(monkeypatch, "alice", "secret-token") == 0
    assert add(monkeypatch, "alice", "secret-other") == 0

    told = capsys.readouterr().out
    assert "stored" in told
    assert "replaced" in told
    assert "secret" not in told
    vault = Vault.open(data_dir, None)
    token = vault.get("alice")
    vault.close()
    assert token is not None
    assert token.refresh_token == "secret-other"


@pytest.mark.parametrize("token", ["", "two words", "x" * 600, "tok\x01en", "tökén"])
def test_what_is_no_token_is_refused_without_showing_it(
    token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(monkeypatch, "alice", token) == 2
    told = capsys.readouterr().err
    assert "no refresh token" in told
    assert not token or token not in told


def test_the_list_shows_state_and_never_secrets(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("alice", "bob"):
        add(monkeypatch, name, f"secret-{name}")
    vault = Vault.open(data_dir, None)
    vault.begin_refresh("alice", 1.0)
    vault.complete_refresh("alice", Granted(4e9, Grant("secret-a", "secret-r", "https://api01.iq.questrade.com/", 9)))
    for _ in range(2):
        vault.begin_refresh("bob", 1.0)
        vault.fail_refresh("bob", Lost("no answer came"))
    vault.close()
    capsys.readouterr()

    assert main(["persons", "list"]) == 0
    text = capsys.readouterr().out
    assert main(["persons", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)

    assert "secret" not in text + json.dumps(rows)
    assert "quotewire persons add bob" in text
    assert [(row["name"], row["state"]) for row in rows] == [("alice", "fresh"), ("bob", "spent-unknown")]
    assert rows[0]["apiServer"] == "https://api01.iq.questrade.com/"
    assert rows[1]["lastError"] == "no answer came"


def test_an_empty_list_says_how_to_fill_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["persons", "list"]) == 0
    assert "quotewire persons add NAME" in capsys.readouterr().out


def test_removing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    add(monkeypatch, "alice", "t")

    assert main(["persons", "remove", "alice"]) == 0
    assert main(["persons", "remove", "alice"]) == 1
    assert "no person named alice" in capsys.readouterr().err


def test_a_refresh_that_cannot_be_made_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(monkeypatch, "alice", "secret-token")

    assert main(["persons", "refresh", "alice"]) == 1
    assert main(["persons", "refresh", "nobody"]) == 1
    told = capsys.readouterr().err
    assert "unsent" in told
    assert "no person named nobody" in told
    assert "secret-token" not in told


def test_a_bad_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert add(monkeypatch, "../alice", "t") == 2
    assert "no person's name" in capsys.readouterr().err


def test_streaming_is_switched_off_and_on_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(monkeypatch, "alice", "secret")
    capsys.readouterr()
    assert main(["persons", "stream", "alice", "off"]) == 0
    assert "streaming is off" in capsys.readouterr().out
    main(["persons", "list"])
    assert "streaming off" in capsys.readouterr().out

    monkeypatch.setenv("QUOTEWIRE_NO_STREAM", "alice")
    assert main(["persons", "stream", "alice", "on"]) == 0
    assert "streaming is on" in capsys.readouterr().out
    assert main(["persons", "stream", "alice", "default"]) == 0
    assert "streaming is off" in capsys.readouterr().out
    assert main(["persons", "stream", "nobody", "off"]) == 1
