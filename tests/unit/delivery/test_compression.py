from __future__ import annotations

import gzip

from pipeline.delivery.compression import compress


def test_a_compressed_body_is_the_same_body() -> None:
    body = b'{"event":"Push Clicked"}' * 100
    assert gzip.decompress(compress(body)) == body
    assert len(compress(body)) < len(body) / 5


def test_the_same_body_is_compressed_to_the_same_bytes() -> None:
    assert compress(b"body") == compress(b"body")
