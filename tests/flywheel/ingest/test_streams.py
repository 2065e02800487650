"""Plain and compressed files: whole, cut at every place, damaged, followed by something, and far too large."""

import gzip
import json
import random
import subprocess
import sys
import zlib
from pathlib import Path

import pyarrow as pa
import pytest

from flywheel.ingest import streams
from flywheel.ingest.streams import Broken, opened, stream_kind

LINES = b"".join(json.dumps({"id": n, "x": random.Random(n).random()}).encode() + b"\n" for n in range(20_000))
NOTES = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"  # a skippable zstd frame


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACK = {"gz": lambda data: gzip.compress(data, 1, mtime=0), "zst": zstd}


def drained(path: Path, size: int = 100_000) -> tuple[bytes, str]:
    """All good bytes of a file, and why there are no more."""
    parts = []
    with opened(path) as stream:
        try:
            while data := stream.read(size):
                parts.append(data)
        except Broken as broken:
            return b"".join(parts), broken.reason
    return b"".join(parts), ""


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("size", [1, 7, 4096, 10**6, 10**9])
@pytest.mark.parametrize("form", ["plain", "gz", "zst"])
def test_the_bytes_are_those_that_were_written(tmp_path: Path, form: str, size: int) -> None:
    data = LINES if size > 7 else LINES[:10_000]
    path = written(tmp_path, f"a.jsonl.{form}", PACK.get(form, bytes)(data))
    assert drained(path, size) == (data, "")


@pytest.mark.parametrize("form", ["plain", "gz", "zst"])
def test_a_read_is_short_only_at_the_end(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, f"a.{form}", PACK.get(form, bytes)(LINES))
    with opened(path) as stream:
        sizes = [len(stream.read(10_007)) for _ in range(len(LINES) // 10_007)]
        assert set(sizes) == {10_007}
        assert len(stream.read(10_007)) == len(LINES) % 10_007
        assert stream.read(10_007) == b""


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.jsonl", b"{}", "plain"),
        ("a.jsonl.gz", b'{"a":1}\n', "plain"),
        ("a.jsonl.zst", b'{"a":1}\n', "plain"),
        ("a.jsonl", gzip.compress(b"{}", mtime=0), "gzip"),
        ("a.zst", gzip.compress(b"{}", mtime=0), "gzip"),
        ("a.jsonl", zstd(b"{}"), "zstd"),
        ("a.gz", zstd(b"{}"), "zstd"),
        ("a.zst", NOTES + zstd(b"{}"), "zstd"),
        ("a.gz", b"", "plain"),
        ("a.zst", b"", "plain"),
        ("a.gz", b"\x1f", "gzip"),
        ("a.jsonl", b"\x1f", "plain"),
        ("a.zst", b"\x28\xb5\x2f", "zstd"),
        ("a.jsonl", b"(", "plain"),
    ],
)
def test_the_first_bytes_say_how_it_is_compressed(tmp_path: Path, name: str, data: bytes, kind: str) -> None:
    path = written(tmp_path, name, data)
    assert stream_kind(path) == kind
    assert kind != "plain" or drained(path) == (data, "")


@pytest.mark.parametrize("form", PACK)
def test_a_cut_is_seen_at_every_place_and_what_came_before_is_good(tmp_path: Path, form: str) -> None:
    data = LINES[:60_000]
    packed = PACK[form](data)
    places = sorted(
        {*range(1, 40), *range(len(packed) - 40, len(packed)), *random.Random(5).sample(range(1, len(packed)), 430)}
    )
    assert len(places) >= 480
    lengths = []
    for place in places:
        good, reason = drained(written(tmp_path, f"a.{form}", packed[:place]))
        assert reason, f"cut at {place} of {len(packed)}"
        assert data.startswith(good)
        lengths.append(len(good))
    assert lengths == sorted(lengths)


def test_all_that_can_be_decompressed_before_a_cut_is_given(tmp_path: Path) -> None:
    packed = gzip.compress(LINES, mtime=0)
    for place in (len(packed) // 3, len(packed) - 8, len(packed) - 1):
        expected = zlib.decompressobj(wbits=31).decompress(packed[:place])
        assert drained(written(tmp_path, "a.gz", packed[:place]))[0] == expected
    assert drained(written(tmp_path, "a.zst", zstd(LINES) + zstd(LINES)[:-3]))[0][: len(LINES)] == LINES


@pytest.mark.parametrize("form", PACK)
def test_members_follow_each_other(tmp_path: Path, form: str) -> None:
    parts = [LINES[:100], b"", LINES[100:70_000], LINES[70_000:]]
    path = written(tmp_path, f"a.{form}", b"".join(map(PACK[form], parts)))
    assert drained(path) == (LINES, "")


@pytest.mark.parametrize("form", PACK)
@pytest.mark.parametrize("garbage", [b"x", b"garbage", b"\x00\x01", b"\x1f", b'{"a":1}\n', b"\xff" * 300_000])
def test_something_behind_the_end_is_seen_and_all_before_it_is_good(tmp_path: Path, form: str, garbage: bytes) -> None:
    good, reason = drained(written(tmp_path, f"a.{form}", PACK[form](LINES) + garbage))
    assert good == LINES
    assert "followed" in reason if form == "gz" and garbage != b"\x1f" else reason


def test_padding_and_notes_are_no_garbage(tmp_path: Path) -> None:
    assert drained(written(tmp_path, "a.gz", gzip.compress(LINES, mtime=0) + bytes(600_000))) == (LINES, "")
    assert drained(written(tmp_path, "a.zst", NOTES + zstd(LINES) + NOTES)) == (LINES, "")


def test_every_damaged_byte_of_a_gzip_is_seen(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(LINES[:5_000], mtime=0))
    for place in (2, *range(10, len(packed), 7), *range(len(packed) - 8, len(packed))):
        packed[place] ^= 0x10
        assert drained(written(tmp_path, "a.gz", bytes(packed)))[1], place
        packed[place] ^= 0x10


def test_what_comes_before_damage_is_good(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(LINES[:200_000], 0, mtime=0))  # stored, so that each byte has its place
    packed[65_550:65_560] = b"\xff" * 10  # the header of the second stored block
    good, reason = drained(written(tmp_path, "a.gz", bytes(packed)))
    assert "damaged" in reason
    assert len(good) > 60_000
    assert LINES.startswith(good[:65_000])


@pytest.mark.parametrize("form", PACK)
def test_a_bomb_is_stopped(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ALLOWANCE", 2**20)
    packed = PACK[form](bytes(64 * 2**20))
    good, reason = drained(written(tmp_path, f"a.{form}", packed))
    assert "bomb" in reason
    assert len(good) == 2**20 + streams.EXPANSION * len(packed)


@pytest.mark.parametrize("form", PACK)
def test_what_compresses_well_is_no_bomb(tmp_path: Path, form: str) -> None:
    data = bytes(64 * 2**20)
    assert drained(written(tmp_path, f"a.{form}", PACK[form](data)), 2**20) == (data, "")


def test_the_reason_comes_again_when_read_again(tmp_path: Path) -> None:
    with opened(written(tmp_path, "a.gz", gzip.compress(b"abc", mtime=0)[:-1])) as stream:
        assert stream.read(10) == b"abc"
        for _ in range(2):
            with pytest.raises(Broken, match="truncated"):
                stream.read(10)


def test_a_file_of_another_program_is_read(tmp_path: Path) -> None:
    """zstd's own program adds a checksum, which Arrow does not."""
    plain = written(tmp_path, "a.jsonl", LINES)
    try:
        subprocess.run(["zstd", "-q", "--check", "-k", str(plain)], check=True)
    except FileNotFoundError:
        pytest.skip("zstd is not installed")
    packed = tmp_path / "a.jsonl.zst"
    assert drained(packed) == (LINES, "")
    damaged = bytearray(packed.read_bytes())
    damaged[-1] ^= 1
    assert "damaged" in drained(written(tmp_path, "b.zst", bytes(damaged)))[1]


PEAK = """
import sys
from pathlib import Path
from flywheel.ingest.streams import opened
peaks = []  # of this program alone; what getrusage knows includes its parent
for name in sys.argv[1:]:
    with opened(Path(name)) as stream:
        while stream.read(2**20):
            pass
    status = Path("/proc/self/status").read_text()
    peaks.append(int(status.split("VmHWM:")[1].split()[0]))
print(peaks[1] - peaks[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("form", PACK)
@pytest.mark.parametrize("part", [random.Random(1).randbytes(2**20), bytes(2**20)], ids=["noise", "zeros"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, form: str, part: bytes) -> None:
    files = [written(tmp_path, f"{parts}.{form}", PACK[form](part * parts)) for parts in (4, 48)]
    ended = subprocess.run([sys.executable, "-c", PEAK, *map(str, files)], check=True, capture_output=True, text=True)
    assert int(ended.stdout) < 8 * 1024, "KiB more for a file 44 MiB larger"
