"""Keys and seals: how secrets are kept unreadable at rest.

ChaCha20-Poly1305 with a random nonce a seal; what a secret belongs to is bound in as associated data, so that a sealed
value copied to another row does not open. The master key comes from a passphrase through scrypt, or is a random key in
a file only its owner can read.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from quotewire.errors import StorageError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SALT_BYTES: Final = 16
SCRYPT_N: Final = 2**15  # 32 MiB and some 0.1 s: paid once a start


class BrokenSealError(StorageError):
    """A sealed value does not open: the key is another one, or the file was changed."""


class Sealer:
    """Seals and opens with one master key; derives further keys from it."""

    def __init__(self, master_key: bytes) -> None:
        self.master_key: Final = master_key
        self._cipher = ChaCha20Poly1305(derive(master_key, "vault"))

    def __repr__(self) -> str:
        return "<Sealer>"

    def seal(self, plain: bytes, belongs_to: str) -> bytes:
        """Nonce and ciphertext of `plain`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, belongs_to.encode())

    def open(self, sealed: bytes, belongs_to: str) -> bytes:
        """The plain value. Raises BrokenSealError when it was not sealed so."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], belongs_to.encode())
        except (InvalidTag, ValueError) as error:
            raise BrokenSealError(f"the sealed value of {belongs_to} does not open with this key") from error


def derive(master_key: bytes, purpose: str) -> bytes:
    """A key of its own for `purpose`, 32 bytes."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"quotewire/{purpose}".encode()).derive(master_key)


def key_of_passphrase(passphrase: str, salt: bytes) -> bytes:
    """The master key of a passphrase."""
    return Scrypt(salt=salt, length=KEY_BYTES, n=SCRYPT_N, r=8, p=1).derive(passphrase.encode())


def key_of_file(path: Path) -> bytes:
    """The master key kept in `path`, made on first use with mode 0600.

    The file appears whole or not at all, and the first of two processes wins. Raises StorageError.
    """
    try:
        if not path.exists():
            _make_key_file(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise StorageError(f"the key file {path} cannot be read or made: {error}") from error
    if len(key) != KEY_BYTES:
        raise StorageError(
            f"the key file {path} holds {len(key)} bytes instead of {KEY_BYTES}; restore it from a backup"
        )
    return key


def _make_key_file(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        sync_directory(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Make new names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
