"""plyvel 1.5.1: the LevelDB binding, as far as ledger.leveldb uses it."""

from collections.abc import Iterator
from types import TracebackType
from typing import overload, Literal

class Error(Exception): ...
class CorruptionError(Error): ...
class IOError(Error, OSError): ...  # noqa: A001

class WriteBatch:
    def put(self, key: bytes, value: bytes) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def clear(self) -> None: ...
    def write(self) -> None: ...
    def append(self, source: WriteBatch) -> None: ...
    def approximate_size(self) -> int: ...
    def __enter__(self) -> WriteBatch: ...
    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None: ...

class Snapshot:
    def get(self, key: bytes, default: bytes | None = ..., *, verify_checksums: bool = ..., fill_cache: bool = ...) -> bytes | None: ...
    def close(self) -> None: ...

class DB:
    name: str
    closed: bool
    def __init__(
        self,
        name: str,
        *,
        create_if_missing: bool = ...,
        error_if_exists: bool = ...,
        paranoid_checks: bool | None = ...,
        write_buffer_size: int | None = ...,
        max_open_files: int | None = ...,
        lru_cache_size: int | None = ...,
        block_size: int | None = ...,
        block_restart_interval: int | None = ...,
        max_file_size: int | None = ...,
        compression: str | None = ...,
        bloom_filter_bits: int = ...,
    ) -> None: ...
    def close(self) -> None: ...
    def get(self, key: bytes, default: bytes | None = ..., *, verify_checksums: bool = ..., fill_cache: bool = ...) -> bytes | None: ...
    def put(self, key: bytes, value: bytes, *, sync: bool = ...) -> None: ...
    def delete(self, key: bytes, *, sync: bool = ...) -> None: ...
    def write_batch(self, *, transaction: bool = ..., sync: bool = ...) -> WriteBatch: ...
    @overload
    def iterator(
        self,
        *,
        reverse: bool = ...,
        start: bytes | None = ...,
        stop: bytes | None = ...,
        include_start: bool = ...,
        include_stop: bool = ...,
        prefix: bytes | None = ...,
        include_key: Literal[True] = ...,
        include_value: Literal[True] = ...,
        verify_checksums: bool = ...,
        fill_cache: bool = ...,
    ) -> Iterator[tuple[bytes, bytes]]: ...
    @overload
    def iterator(
        self,
        *,
        reverse: bool = ...,
        start: bytes | None = ...,
        stop: bytes | None = ...,
        include_start: bool = ...,
        include_stop: bool = ...,
        prefix: bytes | None = ...,
        include_key: bool = ...,
        include_value: Literal[False],
        verify_checksums: bool = ...,
        fill_cache: bool = ...,
    ) -> Iterator[bytes]: ...
    @overload
    def iterator(
        self,
        *,
        reverse: bool = ...,
        start: bytes | None = ...,
        stop: bytes | None = ...,
        include_start: bool = ...,
        include_stop: bool = ...,
        prefix: bytes | None = ...,
        include_key: Literal[False],
        include_value: bool = ...,
        verify_checksums: bool = ...,
        fill_cache: bool = ...,
    ) -> Iterator[bytes]: ...
    def snapshot(self) -> Snapshot: ...
    def get_property(self, name: bytes) -> bytes | None: ...
    def approximate_size(self, start: bytes, stop: bytes) -> int: ...
    def compact_range(self, *, start: bytes | None = ..., stop: bytes | None = ...) -> None: ...

def repair_db(name: str) -> None: ...
def destroy_db(name: str) -> None: ...
