import stat
from pathlib import Path

import pytest

from quotewire.errors import StorageError
from quotewire.upstream.sealing import (
    KEY_BYTES,
    NONCE_BYTES,
    BrokenSealError,
    Sealer,
    derive,
    key_of_file,
    key_of_passphrase,
)

KEY = bytes(range(32))


def test_what_was_sealed_opens_again_and_never_looks_the_same() -> None:
    sealer = Sealer(KEY)
    first, second = sealer.seal(b"secret", "alice"), sealer.seal(b"secret", "alice")

    assert first != second
    assert b"secret" not in first + second
    assert sealer.open(first, "alice") == sealer.open(second, "alice") == b"secret"


@pytest.mark.parametrize("at", [0, NONCE_BYTES, -1])
def test_a_changed_seal_does_not_open(at: int) -> None:
    sealed = bytearray(Sealer(KEY).seal(b"secret", "alice"))
    sealed[at] ^= 1

    with pytest.raises(BrokenSealError, match="alice"):
        Sealer(KEY).open(bytes(sealed), "alice")


def test_a_seal_belongs_to_one_person_and_one_key() -> None:
    sealed = Sealer(KEY).seal(b"secret", "alice")

    with pytest.raises(BrokenSealError):
        Sealer(KEY).open(sealed, "bob")
    with pytest.raises(BrokenSealError):
        Sealer(bytes(32)).open(sealed, "alice")
    with pytest.raises(BrokenSealError):
        Sealer(KEY).open(b"short", "alice")


def test_keys_for_different_purposes_have_nothing_in_common_and_stay_the_same() -> None:
    assert derive(KEY, "a") == derive(KEY, "a") != derive(KEY, "b")
    assert len(derive(KEY, "a")) == KEY_BYTES
    assert (
        key_of_passphrase("p", b"salt" * 4)
        == key_of_passphrase("p", b"salt" * 4)
        != key_of_passphrase("q", b"salt" * 4)
    )


def test_a_sealer_shows_no_key() -> None:
    assert KEY.hex() not in repr(Sealer(KEY))


def test_a_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    key = key_of_file(path)

    assert key_of_file(path) == key
    assert len(key) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path], "no draft is left behind"


@pytest.mark.parametrize("content", ["", "zz", "00" * 31])
def test_a_spoiled_key_file_is_told_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vault.key"
    path.write_text(content)

    with pytest.raises(StorageError, match=r"vault\.key"):
        key_of_file(path)
