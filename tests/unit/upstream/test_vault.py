import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quotewire.errors import ConfigurationError, IllegalEventError, StorageError
from quotewire.questrade.tokens import Grant, Granted, Lost, TokenState
from quotewire.upstream.vault import DATABASE, KEY_FILE, Vault

GRANT = Granted(100.0, Grant("access-secret", "refresh-secret-2", "https://api01.iq.questrade.com/", 1800))


ADD = """
import sys
from pathlib import Path
from quotewire.upstream.vault import Vault
Vault.open(Path(sys.argv[1]), "pass").add(sys.argv[2], "token")
"""


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with contextlib.closing(Vault.open(tmp_path / "data", "pass")) as opened:
        yield opened


def reopened(vault: Vault, key: str | None = "pass") -> Vault:
    vault.close()
    return Vault.open(vault.data_dir, key)


def test_persons_keep_their_order_and_a_replaced_token_its_place(vault: Vault) -> None:
    for name in ("bob", "alice"):
        vault.add(name, f"token-{name}")
    vault.add("bob", "token-new")

    assert vault.persons() == ["bob", "alice"]
    token = vault.get("bob")
    assert token is not None
    assert (token.refresh_token, token.state) == ("token-new", TokenState.EXPIRING)


def test_an_exchange_survives_a_restart_at_each_step(vault: Vault) -> None:
    vault.add("alice", "refresh-secret-1")
    vault.begin_refresh("alice", 99.0)
    vault = reopened(vault)
    token = vault.get("alice")
    assert token is not None
    assert (token.state, token.doubtful_sends) == (TokenState.REFRESHING, 1)

    vault.complete_refresh("alice", GRANT)
    with contextlib.closing(reopened(vault)) as vault:
        token = vault.get("alice")
        assert token is not None
        assert (token.state, token.access_token, token.refresh_token) == (
            TokenState.FRESH,
            "access-secret",
            "refresh-secret-2",
        )
        assert (token.expires_at, token.api_server) == (1900.0, "https://api01.iq.questrade.com/")


def test_the_journal_allows_no_third_send(vault: Vault) -> None:
    vault.add("alice", "r")
    for _ in range(2):
        vault.begin_refresh("alice", 1.0)
        vault.fail_refresh("alice", Lost("reset"))

    with pytest.raises(IllegalEventError):
        vault.begin_refresh("alice", 2.0)


def test_a_result_for_a_token_that_was_replaced_meanwhile_is_refused(vault: Vault) -> None:
    vault.add("alice", "old")
    vault.begin_refresh("alice", 1.0)
    vault.add("alice", "new")

    with pytest.raises(IllegalEventError):
        vault.complete_refresh("alice", GRANT)
    token = vault.get("alice")
    assert token is not None
    assert token.refresh_token == "new"


def test_no_secret_is_readable_in_any_file(vault: Vault) -> None:
    vault.add("alice", "refresh-secret-1")
    vault.begin_refresh("alice", 99.0)
    vault.complete_refresh("alice", GRANT)

    for path in vault.data_dir.iterdir():
        data = path.read_bytes()
        assert b"refresh-secret" not in data
        assert b"access-secret" not in data
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(vault.data_dir.stat().st_mode) == 0o700


def test_a_sealed_value_moved_to_another_person_does_not_open(vault: Vault) -> None:
    vault.add("alice", "a")
    vault.add("bob", "b")
    with contextlib.closing(sqlite3.connect(vault.data_dir / DATABASE)) as database:
        database.execute(
            "UPDATE persons SET secrets = (SELECT secrets FROM persons WHERE name='bob') WHERE name='alice'"
        )
        database.commit()

    with pytest.raises(StorageError, match="does not open"):
        vault.get("alice")


def test_the_wrong_key_is_named(vault: Vault) -> None:
    vault.close()
    with pytest.raises(ConfigurationError, match="QUOTEWIRE_VAULT_KEY does not open"):
        Vault.open(vault.data_dir, "another")
    with pytest.raises(ConfigurationError, match="set QUOTEWIRE_VAULT_KEY"):
        Vault.open(vault.data_dir, None)


def test_a_key_file_is_made_once(tmp_path: Path) -> None:
    with contextlib.closing(Vault.open(tmp_path, None)) as vault:
        vault.add("alice", "r")
        key = (tmp_path / KEY_FILE).read_text()
        vault = reopened(vault, None)
        assert (tmp_path / KEY_FILE).read_text() == key
        assert vault.get("alice") is not None
        vault.close()
    with pytest.raises(ConfigurationError, match="unset QUOTEWIRE_VAULT_KEY"):
        Vault.open(tmp_path, "pass")
    (tmp_path / KEY_FILE).write_text("zz")
    with pytest.raises(StorageError, match="key file"):
        Vault.open(tmp_path, None)


def test_a_missing_key_file_is_told_and_none_is_made(tmp_path: Path) -> None:
    Vault.open(tmp_path, None).close()
    (tmp_path / KEY_FILE).unlink()

    with pytest.raises(ConfigurationError, match=f"{KEY_FILE}, which is missing"):
        Vault.open(tmp_path, None)
    assert not (tmp_path / KEY_FILE).exists()


def test_epochs_grow_over_restarts_and_clocks_set_back(vault: Vault) -> None:
    first = vault.next_epoch(lambda: 1000.0)
    vault = reopened(vault)

    assert vault.next_epoch(lambda: 5.0) == first + 1
    vault.close()


def test_derived_keys_are_stable_and_apart(vault: Vault) -> None:
    key = vault.derive_key("client tokens")
    vault = reopened(vault)

    assert vault.derive_key("client tokens") == key
    assert len({key, vault.derive_key("seed"), vault.master_key}) == 3
    vault.close()


def test_a_token_of_the_environment_fills_only_gaps(vault: Vault) -> None:
    assert vault.adopt("alice", "seed-1")
    assert not vault.adopt("alice", "seed-2")
    vault.begin_refresh("alice", 1.0)
    vault.fail_refresh("alice", Lost("x"))
    vault.begin_refresh("alice", 2.0)
    vault.fail_refresh("alice", Lost("x"))

    assert not vault.adopt("alice", "seed-1"), "the one that died is not tried again"
    assert vault.adopt("alice", "seed-2")


def test_one_exchange_at_a_time_a_person(vault: Vault) -> None:
    with vault.lock("alice", 0.0):
        assert vault.is_locked("alice")
        assert not vault.is_locked("bob")
        with pytest.raises(TimeoutError, match="alice"), vault.lock("alice", 0.0):
            pass
    assert not vault.is_locked("alice")


@pytest.mark.parametrize("name", ["", "../x", "a b", ".a", "a" * 65])
def test_a_name_that_could_be_a_path_is_refused(vault: Vault, name: str) -> None:
    with pytest.raises(ConfigurationError, match="name"):
        vault.add(name, "r")


def test_removing(vault: Vault) -> None:
    vault.add("alice", "r")

    assert vault.remove("alice")
    assert not vault.remove("alice")
    assert vault.get("alice") is None


def test_a_second_vault_of_this_process_leaves_the_first_its_locks(vault: Vault) -> None:
    """Without them another process takes itself for the last one to leave, and removes the journal under our feet."""
    for name in ("alice", "bob", "carol"):
        Vault.open(vault.data_dir, "pass").close()
        subprocess.run([sys.executable, "-c", ADD, str(vault.data_dir), name], check=True, timeout=30)
        assert name in vault.persons()
    vault.add("dave", "t")
    assert vault.persons() == ["alice", "bob", "carol", "dave"]


def test_a_directory_that_cannot_be_used_is_the_operators_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be used"):
        Vault.open(tmp_path / "file", None)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / DATABASE).write_bytes(os.urandom(8192))
    with pytest.raises(StorageError, match="no vault"):
        Vault.open(tmp_path / "data", None)


def test_who_may_stream_is_kept_until_the_person_is_removed(vault: Vault) -> None:
    for name in ("alice", "bob"):
        vault.add(name, "r")
    vault.set_streaming("alice", False)
    vault.set_streaming("bob", True)
    vault.set_streaming("bob", None)
    with contextlib.closing(reopened(vault)) as vault:
        assert vault.streaming() == {"alice": False}
        vault.remove("alice")
        assert vault.streaming() == {}
