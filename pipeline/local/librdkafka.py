"""Load the functions of librdkafka that the embedded broker uses, from the library in the confluent-kafka wheel."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from confluent_kafka import cimpl


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    """The C signature of one function of librdkafka."""

    returns: type[object] | None
    takes: tuple[type[object], ...]


_POINTER, _TEXT, _INT, _INT16, _INT64, _SIZE = (
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_int32,
    ctypes.c_int16,
    ctypes.c_int64,
    ctypes.c_size_t,
)
_FUNCTIONS = {
    "rd_kafka_conf_new": _Function(returns=_POINTER, takes=()),
    "rd_kafka_conf_set_log_cb": _Function(returns=None, takes=(_POINTER, _POINTER)),
    "rd_kafka_new": _Function(returns=_POINTER, takes=(_INT, _POINTER, _TEXT, _SIZE)),
    "rd_kafka_destroy": _Function(returns=None, takes=(_POINTER,)),
    "rd_kafka_err2str": _Function(returns=_TEXT, takes=(_INT,)),
    "rd_kafka_mock_cluster_new": _Function(returns=_POINTER, takes=(_POINTER, _INT)),
    "rd_kafka_mock_cluster_destroy": _Function(returns=None, takes=(_POINTER,)),
    "rd_kafka_mock_cluster_bootstraps": _Function(returns=_TEXT, takes=(_POINTER,)),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": _Function(returns=None, takes=(_POINTER, _INT)),
    "rd_kafka_mock_topic_create": _Function(returns=_INT, takes=(_POINTER, _TEXT, _INT, _INT)),
    "rd_kafka_mock_partition_delete_records": _Function(returns=_INT, takes=(_POINTER, _TEXT, _INT, _INT64)),
    "rd_kafka_mock_broker_set_down": _Function(returns=_INT, takes=(_POINTER, _INT)),
    "rd_kafka_mock_broker_set_up": _Function(returns=_INT, takes=(_POINTER, _INT)),
    "rd_kafka_mock_broker_set_rtt": _Function(returns=_INT, takes=(_POINTER, _INT, _INT)),
    "rd_kafka_mock_push_request_errors_array": _Function(returns=None, takes=(_POINTER, _INT16, _SIZE, _POINTER)),
    "rd_kafka_mock_clear_request_errors": _Function(returns=None, takes=(_POINTER, _INT16)),
}


def load_librdkafka() -> ctypes.CDLL:
    """Return the librdkafka that the wheel's extension module is linked with, with the functions' signatures set."""
    library = ctypes.CDLL(cimpl.__file__)
    for name, signature in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = signature.returns
        function.argtypes = signature.takes
    return library
