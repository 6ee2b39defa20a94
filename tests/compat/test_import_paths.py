"""What old code imports is still there, and what is gone says what to use now."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest

import statefun

THE_22_NAMES = [
    "BoolType",
    "Context",
    "DoubleType",
    "EgressMessage",
    "FloatType",
    "IntType",
    "LongType",
    "Message",
    "RequestReplyHandler",
    "SdkAddress",
    "StatefulFunctions",
    "StringType",
    "Type",
    "TypeSerializer",
    "ValueSpec",
    "egress_message_builder",
    "kafka_egress_message",
    "kinesis_egress_message",
    "make_json_type",
    "make_protobuf_type",
    "message_builder",
    "simple_type",
]

PRIMITIVES = ["BoolType", "IntType", "FloatType", "LongType", "DoubleType", "StringType"]
WRAPPERS = [
    "BooleanWrapper",
    "IntWrapper",
    "FloatWrapper",
    "LongWrapper",
    "DoubleWrapper",
    "StringWrapper",
]

OLD_MODULES: dict[str, list[str]] = {
    "statefun": THE_22_NAMES,
    "statefun.context": [
        "Context",
        "EgressMessage",
        "Message",
        "SdkAddress",
        "abc",
        "timedelta",
        "typing",
    ],
    "statefun.core": [
        "SdkAddress",
        "SimpleType",
        "Type",
        "TypeSerializer",
        "UserTypeSerializer",
        "ValueSpec",
        "abc",
        "dataclass",
        "iskeyword",
        "kwlist",
        "parse_typename",
        "simple_type",
        "timedelta",
    ],
    "statefun.egress_io": [
        "EgressMessage",
        "KafkaProducerRecord",
        "KinesisEgressRecord",
        "Type",
        "TypedValue",
        "kafka_egress_message",
        "kinesis_egress_message",
        "struct",
        "typing",
    ],
    "statefun.kafka_egress_pb2": ["DESCRIPTOR", "KafkaProducerRecord"],
    "statefun.kinesis_egress_pb2": ["DESCRIPTOR", "KinesisEgressRecord"],
    "statefun.messages": [
        "EgressMessage",
        "Message",
        "PRIMITIVE_GETTERS",
        "Type",
        "TypedValue",
        "egress_message_builder",
        "message_builder",
        "to_typed_value",
        "typing",
        "wrapper_types",
    ],
    "statefun.request_reply_pb2": [
        "Address",
        "DESCRIPTOR",
        "FromFunction",
        "ToFunction",
        "TypedValue",
    ],
    "statefun.request_reply_v3": [
        "Address",
        "Cell",
        "DelayedMessage",
        "EgressMessage",
        "FromFunction",
        "Message",
        "RequestReplyHandler",
        "SdkAddress",
        "StatefulFunction",
        "StatefulFunctions",
        "ToFunction",
        "TypedValue",
        "UserFacingContext",
        "ValueSpec",
        "asyncio",
        "collect_delayed",
        "collect_egress",
        "collect_failure",
        "collect_messages",
        "collect_mutations",
        "collect_success",
        "dataclass",
        "parse_typename",
        "resolve",
        "sdk_address_from_pb",
        "timedelta",
        "typing",
    ],
    "statefun.statefun_builder": [
        "Context",
        "Message",
        "StatefulFunction",
        "StatefulFunctions",
        "StorageSpec",
        "ValueSpec",
        "inspect",
        "make_address_storage_spec",
        "typing",
    ],
    "statefun.storage": [
        "Cell",
        "Resolution",
        "StorageSpec",
        "ToFunction",
        "Type",
        "TypedValue",
        "ValueSpec",
        "dataclass",
        "from_typed_value",
        "make_address_storage_spec",
        "resolve",
        "to_typed_value",
        "typing",
    ],
    "statefun.types_pb2": [
        "BooleanWrapper",
        "DESCRIPTOR",
        "DoubleWrapper",
        "FloatWrapper",
        "IntWrapper",
        "LongWrapper",
        "StringWrapper",
    ],
    "statefun.utils": [
        "Type",
        "TypedValue",
        "from_typed_value",
        "json",
        "make_json_type",
        "make_protobuf_type",
        "simple_type",
        "to_typed_value",
        "to_typed_value_deduce",
        "typing",
    ],
    "statefun.wrapper_types": [
        "BoolType",
        "BooleanWrapper",
        "DESCRIPTOR",
        "DoubleType",
        "DoubleWrapper",
        "FloatType",
        "FloatWrapper",
        "IntType",
        "IntWrapper",
        "LongType",
        "LongWrapper",
        "PY_TYPE_TO_WRAPPER_TYPE",
        "ProtobufWrappingType",
        "ProtobufWrappingTypeSerializer",
        "StringType",
        "StringWrapper",
        "Type",
        "TypeSerializer",
        "WRAPPER_TYPE_TO_PY_TYPE",
    ],
}
"""All that a star import of each module brought; without what only its own code could use."""
OLD_NAMES = [(module, name) for module, names in OLD_MODULES.items() for name in names]
SUBMODULES = [module for module in OLD_MODULES if module != "statefun"]

# Module, name, and a word of the sentence that says what to use now.
GONE = [
    ("statefun", "kafka_egress_record", "kafka_egress_message"),
    ("statefun", "kinesis_egress_record", "kinesis_egress_message"),
    ("statefun", "kafka_egress_builder", "kafka_egress_message"),
    ("statefun", "AsyncRequestReplyHandler", "handle_async"),
    ("statefun", "BatchContext", "Context"),
    ("statefun", "Expiration", "expire_after"),
    ("statefun", "StateRegistrationError", "statefun.errors"),
    ("statefun.core", "StatefulFunctions", "from statefun import StatefulFunctions"),
    ("statefun.core", "StatefulFunction", "from statefun.statefun_builder import"),
    ("statefun.core", "kafka_egress_record", "kafka_egress_message"),
    ("statefun.core", "kinesis_egress_record", "kinesis_egress_message"),
    ("statefun.core", "AnyStateHandle", "storage"),
    ("statefun.core", "deduce_protobuf_types", "make_protobuf_type"),
    ("statefun.core", "Expiration", "expire_after"),
    ("statefun.core", "StateRegistrationError", "statefun.errors"),
]
GONE_MODULES = [
    (
        "exceptions",
        "from statefun.exceptions import FunctionInvocationException",
        "exceptions that functions raise",
    ),
    (
        "request_reply",
        "from statefun.request_reply import AsyncRequestReplyHandler",
        "from statefun import RequestReplyHandler",
    ),
    ("typed_value_utils", "import statefun.typed_value_utils", "statefun.utils"),
]


def old(module: str) -> Any:
    """A module of the old SDK, which static checkers cannot see."""
    return importlib.import_module(f"statefun.{module}")


def run(program: str) -> tuple[str, str]:
    """What a fresh interpreter prints, to stdout and to stderr."""
    command = [sys.executable, "-W", "error", "-c", program]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    return finished.stdout, finished.stderr


@pytest.mark.parametrize(("module", "name"), OLD_NAMES)
def test_an_old_name_is_found_where_it_was(module: str, name: str) -> None:
    """`from <old module> import <old name>` works, and gives the one object of that name."""
    namespace: dict[str, Any] = {}

    exec(f"from {module} import {name}", namespace)

    if name in THE_22_NAMES:
        assert namespace[name] is getattr(statefun, name)


@pytest.mark.parametrize("module", OLD_MODULES)
def test_an_old_module_is_found_where_it_was(module: str) -> None:
    """Each of the old SDK's 14 modules imports, without a warning, in a process of its own."""
    assert run(f"import {module}; print({module}.__name__)") == (f"{module}\n", "")


@pytest.mark.parametrize("module", SUBMODULES)
def test_an_old_submodule_needs_no_import_of_its_own(module: str) -> None:
    """`import statefun` is enough to say `statefun.utils`."""
    assert run(f"import statefun; print({module}.__name__)") == (f"{module}\n", "")


def test_a_value_is_typed_by_a_submodule_that_nobody_imported() -> None:
    """`statefun.utils.to_typed_value` works after `import statefun` alone, as in old scripts."""
    program = (
        "import statefun\n"
        "typed = statefun.utils.to_typed_value(statefun.wrapper_types.StringType, 'hi')\n"
        "print(typed.typename, typed.has_value, typed.value)\n"
    )

    assert run(program) == ("io.statefun.types/string True b'\\n\\x02hi'\n", "")


def test_a_star_import_brings_exactly_the_22_names() -> None:
    """No more names than the old SDK meant to export, also after its submodules were used."""
    program = (
        "import statefun\n"
        f"[getattr(statefun, name) for name in {[name[9:] for name in SUBMODULES]}]\n"
        "names = {}\n"
        "exec('from statefun import *', names)\n"
        "print(sorted(name for name in names if name != '__builtins__'))\n"
    )

    assert run(program) == (f"{THE_22_NAMES}\n", "")
    assert sorted(statefun.__all__) == THE_22_NAMES


@pytest.mark.parametrize("module", [module[9:] for module in SUBMODULES])
def test_an_old_submodule_can_be_star_imported(module: str) -> None:
    """`from statefun.types_pb2 import *` and its like bring the names of the module."""
    namespace: dict[str, Any] = {}

    exec(f"from statefun.{module} import *", namespace)

    assert set(OLD_MODULES[f"statefun.{module}"]) <= namespace.keys()
    assert [name for name in namespace if name.startswith("__")] == ["__builtins__"]


@pytest.mark.parametrize(("module", "name", "instead"), GONE)
def test_a_name_of_version_2_says_what_to_use_now(module: str, name: str, instead: str) -> None:
    """Importing what version 3 took away is an ImportError that names the replacement."""
    with pytest.raises(ImportError) as caught:
        exec(f"from {module} import {name}", {})

    assert name in str(caught.value)
    assert instead in str(caught.value)


@pytest.mark.parametrize(("module", "statement", "instead"), GONE_MODULES)
def test_a_module_of_version_2_says_what_to_use_now(
    module: str, statement: str, instead: str
) -> None:
    """A whole module that version 3 took away is refused alike, whatever is wanted of it."""
    with pytest.raises(ImportError) as caught:
        exec(statement, {})

    assert f"statefun.{module}" in str(caught.value)
    assert instead in str(caught.value)


def test_a_name_that_never_was_is_an_ordinary_error() -> None:
    """No hint is made up, and `hasattr` works."""
    assert not hasattr(statefun, "no_such_name")
    with pytest.raises(ImportError, match="no_such_name"):
        exec("from statefun import no_such_name", {})
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        importlib.import_module("statefun.no_such_module")


def test_the_old_message_classes_serve_the_handler() -> None:
    """A request built with `statefun.request_reply_pb2` is handled, its reply read with it."""
    messages, utils = old("request_reply_pb2"), old("utils")
    functions = statefun.StatefulFunctions()

    @functions.bind("com.example/echo")
    def echo(context: Any, message: Any) -> None:
        text = message.as_string()
        context.send(statefun.message_builder("com.example/out", "1", str_value=text))

    request = messages.ToFunction()
    target = request.invocation.target
    target.namespace, target.type, target.id = "com.example", "echo", "1"
    argument = utils.to_typed_value(statefun.StringType, "hi")
    request.invocation.invocations.add().argument.CopyFrom(argument)

    reply = statefun.RequestReplyHandler(functions).handle_sync(request.SerializeToString())

    [sent] = messages.FromFunction.FromString(reply).invocation_result.outgoing_messages
    assert sent.argument == argument
    assert utils.from_typed_value(statefun.StringType, sent.argument) == "hi"


def test_a_typed_value_is_made_by_the_old_helpers() -> None:
    """`to_typed_value(type=, value=)` and `from_typed_value` keep their rules about None."""
    utils, typed_value = old("utils"), old("request_reply_pb2").TypedValue

    zero = utils.to_typed_value(type=statefun.IntType, value=0)
    nothing = utils.to_typed_value(type=statefun.IntType, value=None)

    assert zero == typed_value(typename="io.statefun.types/int", has_value=True)
    assert nothing == typed_value(typename="io.statefun.types/int")
    assert utils.from_typed_value(statefun.IntType, zero) == 0
    assert utils.from_typed_value(statefun.IntType, nothing) is None
    assert utils.from_typed_value(statefun.IntType, None) is None
    with pytest.raises(TypeError):
        utils.from_typed_value(statefun.LongType, zero)


def test_the_wrapper_types_map_python_types() -> None:
    """The two tables pair Python's types with the built-in ones, as they did."""
    wrapper_types = old("wrapper_types")
    expected = {
        int: statefun.IntType,
        bool: statefun.BoolType,
        float: statefun.FloatType,
        str: statefun.StringType,
    }

    assert expected == wrapper_types.PY_TYPE_TO_WRAPPER_TYPE
    assert {value: key for key, value in expected.items()} == wrapper_types.WRAPPER_TYPE_TO_PY_TYPE


def test_the_built_in_types_are_wrapping_types() -> None:
    """`isinstance(IntType, ProtobufWrappingType)` holds, and `wrapper` is the message class."""
    types_pb2, wrapping = old("types_pb2"), old("wrapper_types").ProtobufWrappingType

    for name, wrapper in zip(PRIMITIVES, WRAPPERS, strict=True):
        built_in = getattr(statefun, name)

        assert isinstance(built_in, wrapping)
        assert built_in.wrapper is getattr(types_pb2, wrapper)


def test_a_typename_is_split_at_its_last_slash() -> None:
    """`statefun.core.parse_typename` gives the namespace and the name."""
    assert tuple(old("core").parse_typename("a/b/c")) == ("a/b", "c")
