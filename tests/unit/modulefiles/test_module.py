"""Module files: what they may say, and how every mistake in them is named."""

from __future__ import annotations

from datetime import timedelta
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
import yaml

from statefun.errors import ConfigurationError
from statefun.modulefiles.durations import parse_duration_ms
from statefun.modulefiles.kinds import EgressSpec, IngressSpec
from statefun.modulefiles.module import ModuleReport, load_modules, read_modules
from statefun.runtime.transports.options import HttpOptions

if TYPE_CHECKING:
    from pathlib import Path

ASYNC = "io.statefun.transports.v1/async"
OKHTTP = "io.statefun.transports.v1/okhttp"
ENDPOINT = """\
    kind: io.statefun.endpoints.v2/http
    spec:
      functions: com.example/*
      urlPathTemplate: http://localhost:8000/statefun
"""
KINDS = (
    "io.statefun.endpoints.v1/http, io.statefun.endpoints.v2/http, "
    "io.statefun.playground.v1/ingress, io.statefun.playground.v1/egress"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


S = timedelta(seconds=1)


def read(folder: Path, *texts: str, strict: bool = False) -> ModuleReport:
    names = [f"{number}.yaml" for number, _ in enumerate(texts, 1)]
    for name, text in zip(names, texts, strict=True):
        (folder / name).write_text(dedent(text))
    return read_modules(names, strict=strict)


def errors(reading: ModuleReport) -> list[str]:
    return [str(problem) for problem in reading.errors]


def warnings(reading: ModuleReport) -> list[str]:
    return [str(problem) for problem in reading.warnings]


def options(folder: Path, transport: str) -> HttpOptions:
    """What an endpoint of the current kind with this transport does."""
    reading = read(folder, f"{dedent(ENDPOINT)}  transport: {transport}\n")
    assert errors(reading) + warnings(reading) == []
    [spec] = reading.module.endpoints
    return spec.options()


def test_the_components_of_all_files_make_one_module(folder: Path) -> None:
    """Endpoints, ingresses and egresses may be spread over files and documents."""
    reading = read(
        folder,
        """
        kind: io.statefun.endpoints.v2/http
        spec:
          functions: com.example/greeter
          urlPathTemplate: https://functions.example:8443/{function.name}
          maxNumBatchRequests: 7
        ---
        # an empty document is no component
        ---
        kind: io.statefun.endpoints.v1/http
        spec:
          functions: com.example/*
          urlPathTemplate: http://localhost:8000/statefun
          timeouts: {call: 20 s}
        """,
        """
        kind: io.statefun.playground.v1/ingress
        spec: {port: 8090}
        ---
        kind: io.statefun.playground.v1/egress/
        spec:
          port: 8091
          topics: [greetings, other]
          id: com.example/out
        """,
    )

    assert errors(reading) + warnings(reading) == []
    assert [
        (spec.functions, spec.url_path_template, spec.max_batch, spec.options())
        for spec in reading.module.endpoints
    ] == [
        (
            "com.example/greeter",
            "https://functions.example:8443/{function.name}",
            7,
            HttpOptions(),
        ),
        (
            "com.example/*",
            "http://localhost:8000/statefun",
            1000,
            HttpOptions(
                call=20 * S,
                connect=10 * S,
                read=10 * S,
            ),
        ),
    ]
    assert tuple(spec for _, spec in reading.module.ingresses) == (
        IngressSpec(port=8090, id="io.statefun.playground/ingress"),
    )
    assert tuple(spec for _, spec in reading.module.egresses) == (
        EgressSpec(port=8091, topics=("greetings", "other"), id="com.example/out"),
    )


@pytest.mark.parametrize(
    ("transport", "expected"),
    [
        ("{}", HttpOptions()),
        (
            (
                f"{{type: {ASYNC}, call: 5s, connect: 1s, pool_size: 3, pool_ttl: 0, "
                "payload_max_bytes: 99}"
            ),
            HttpOptions(5 * S, S, None, 3, 0 * S, 99),
        ),
        ("{timeouts: {}}", HttpOptions(60 * S, 10 * S)),
        ("{call: 7s, timeouts: {call: 5s, read: 1s}}", HttpOptions(5 * S, 10 * S)),
        ("{call: 7s, timeouts: {connect: 2s}}", HttpOptions(7 * S, 2 * S)),
        (f"{{type: {OKHTTP}}}", HttpOptions(60 * S, 10 * S, 10 * S)),
        (
            f"{{type: {OKHTTP}, timeouts: {{call: 2min, connect: 1s, read: 2s, write: 3s}}}}",
            HttpOptions(120 * S, S, 2 * S),
        ),
    ],
)
def test_a_transport_means_what_it_means_to_the_engine(
    folder: Path, transport: str, expected: HttpOptions
) -> None:
    """Times, pools and defaults are those of the engine's transport of that name."""
    assert options(folder, transport) == expected


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("5", 5),
        (5, 5),
        ("5ms", 5),
        (" 5  milliseconds ", 5),
        ("2s", 2_000),
        ("2 SECS", 2_000),
        ("3 m", 180_000),
        ("3min", 180_000),
        ("1 hour", 3_600_000),
        ("1d", 86_400_000),
        ("2 days", 172_800_000),
        ("1999 µs", 1),
        ("1999micros", 1),
        ("999 ns", 0),
        ("0", 0),
    ],
)
def test_a_duration_is_a_whole_number_and_a_unit(text: object, millis: int) -> None:
    """The grammar is the engine's: any spelling of the unit, milliseconds without one."""
    assert parse_duration_ms(text) == millis


@pytest.mark.parametrize("text", ["1.5s", "7us", "1w", "-1s", "s", "", "1 s 2", None, True, 1.5])
def test_what_is_no_duration_is_refused(text: object) -> None:
    """Fractions, signs and unknown units are errors that show how to write one."""
    with pytest.raises(ConfigurationError) as caught:
        parse_duration_ms(text)

    assert str(caught.value) == (
        f"{text!r} is not a duration: write a whole number and a unit, such as '30 s' or '500 ms' "
        "(d, h, min, s, ms)"
    )


@pytest.mark.parametrize("text", ["9223372036854775808", "106751991168 d", f"{'9' * 30} h"])
def test_a_duration_that_no_number_of_the_engine_holds_is_refused(text: str) -> None:
    """It would be an error there, too."""
    with pytest.raises(ConfigurationError) as caught:
        parse_duration_ms(text)

    assert str(caught.value) == f"{text!r} is longer than can be counted: write a shorter time"


def bomb(step: str) -> str:
    """Thirty anchors, each of which has the one before it twice."""
    lines = [step.format(number=number, before=number - 1) for number in range(1, 31)]
    return "\n".join(["a0: &a0 {x: 1}", *lines])


BOMB = (
    "1.yaml:16: is not YAML that can be read: its aliases stand for more than 100,000 parts: write "
    "it with fewer of them"
)
MISTAKES = {
    "no kind": (
        "spec: {}",
        [f"1.yaml:1: a component needs a 'kind': write one of {KINDS}"],
    ),
    "no mapping": ("- 1", [f"1.yaml:1: a component needs a 'kind': write one of {KINDS}"]),
    "no spec": (
        "\nkind: io.statefun.playground.v1/ingress",
        ["1.yaml:2: the component has no 'spec': write it as a mapping below 'kind'"],
    ),
    "misspelt kind": (
        "kind: io.statefun.playground.v1/ingres\nspec: {port: 1}",
        [
            (
                "1.yaml:1: unknown kind 'io.statefun.playground.v1/ingres': did you mean "
                f"'io.statefun.playground.v1/ingress'? known kinds: {KINDS}"
            )
        ],
    ),
    "everything missing": (
        "kind: io.statefun.endpoints.v2/http\nspec: {}",
        [
            "1.yaml:2: 'functions' is missing: write for example 'functions: com.example/*'",
            (
                "1.yaml:2: 'urlPathTemplate' is missing: write for example "
                "'urlPathTemplate: http://localhost:8000/statefun'"
            ),
        ],
    ),
    "functions and URL": (
        """
        kind: io.statefun.endpoints.v2/http
        spec:
          functions: a/b/c
          urlPathTemplate: http://localhost/{function.namespace}
        """,
        [
            (
                "1.yaml:4: functions 'a/b/c' is neither 'namespace/name' nor 'namespace/*': "
                "write for example 'com.example/greeter' or 'com.example/*'"
            ),
            (
                "1.yaml:5: urlPathTemplate 'http://localhost/{function.namespace}' has the unknown "
                "placeholder '{function.namespace}': only '{function.name}' is replaced"
            ),
        ],
    ),
    "types": (
        """
        kind: io.statefun.endpoints.v2/http
        spec:
          functions: a/b
          urlPathTemplate: ftp://localhost
          maxNumBatchRequests: "5"
          transport:
            call: 1.5s
            pool_size: 0
        """,
        [
            (
                "1.yaml:5: urlPathTemplate 'ftp://localhost' is not a URL that can be called: "
                "write for example 'http://localhost:8000/statefun' or 'http+unix:///path/to.sock/statefun'"
            ),
            (
                "1.yaml:6: 'maxNumBatchRequests' should be a valid integer, got '5': write a whole "
                "number, without quotes"
            ),
            (
                "1.yaml:8: 'transport.call': '1.5s' is not a duration: write a whole number and a "
                "unit, such as '30 s' or '500 ms' (d, h, min, s, ms)"
            ),
            "1.yaml:9: 'transport.pool_size' should be greater than or equal to 1, got 0",
        ],
    ),
    "transport": (
        f"{dedent(ENDPOINT)}  transport: {{type: a/b}}",
        [
            (
                f"1.yaml:5: 'transport' is of no known type: write 'type: {ASYNC}' or "
                f"'type: {OKHTTP}' into it"
            )
        ],
    ),
    "okhttp, whose default does not fit": (
        f"{dedent(ENDPOINT)}  transport: {{type: {OKHTTP}, timeouts: {{call: 8s}}}}",
        [
            (
                "1.yaml:5: 'transport.timeouts': connect (10000 ms) is longer than call (8000 ms), "
                "which the engine refuses: write for example 'connect: 8000 ms' too"
            )
        ],
    ),
    "a transport that is a word": (
        f"{dedent(ENDPOINT)}  transport: async",
        ["1.yaml:5: 'transport' must be a mapping, got 'async': write its keys below it"],
    ),
    "a spec that contains itself": (
        f"{dedent(ENDPOINT)}  transport: &it {{timeouts: *it}}",
        ["1.yaml:5: is not YAML that can be read: what is anchored here contains itself"],
    ),
    "retries": (
        f"{dedent(ENDPOINT)}  retry: {{attempts: 0, first: 0, longest: 400 d}}",
        [
            "1.yaml:5: 'retry.attempts' should be greater than or equal to 1, got 0",
            "1.yaml:5: 'retry.first': 0 is shorter than a millisecond: write a longer time",
        ],
    ),
    "a wait of more than a year": (
        f"{dedent(ENDPOINT)}  retry: {{longest: 400 d}}",
        [
            (
                "1.yaml:5: 'retry': longest of a Backoff must be from a millisecond to a year, got "
                "datetime.timedelta(days=366)"
            )
        ],
    ),
    "zero": (
        f"{dedent(ENDPOINT)}  transport: {{timeouts: {{call: 0}}}}",
        [
            (
                "1.yaml:5: 'transport.timeouts.call': 0 is shorter than a millisecond: write a "
                "longer time"
            )
        ],
    ),
    "port and topics": (
        "kind: io.statefun.playground.v1/egress\nspec: {port: 65536, topics: []}",
        [
            "1.yaml:2: 'port' should be less than or equal to 65535, got 65536",
            "1.yaml:2: 'topics': names no topic: write for example 'topics: [greetings]'",
        ],
    ),
    "not a list, not a mapping": (
        (
            f"{dedent(ENDPOINT)}  transport: {{timeouts: 5}}\n---\n"
            "kind: io.statefun.playground.v1/egress\nspec: {port: 0, topics: a}"
        ),
        [
            "1.yaml:5: 'transport.timeouts' must be a mapping, got 5: write its keys below it",
            "1.yaml:8: 'topics' must be a list, got 'a': write '- …' below it",
        ],
    ),
    "topics twice": (
        "kind: io.statefun.playground.v1/egress\nspec: {port: 0, topics: [b, a, a]}",
        ["1.yaml:2: 'topics': 'a' is named twice: keep one of them"],
    ),
    "an empty topic": (
        "kind: io.statefun.playground.v1/egress\nspec: {port: 0, topics: ['']}",
        ["1.yaml:2: 'topics': a topic has an empty name: give it one, or remove it"],
    ),
    "id": (
        "kind: io.statefun.playground.v1/ingress\nspec: {port: 1, id: abc}",
        [
            (
                "1.yaml:2: 'id': 'abc' is not of the form 'namespace/name', with exactly one '/': "
                "write for example 'com.example/greeter'"
            )
        ],
    ),
    "scalars that are not what they look like": (
        """
        kind: io.statefun.playground.v1/ingress
        spec:
          port: 2001-99-99
        ---
        kind: io.statefun.playground.v1/ingress
        spec: {port: !!int "abc"}
        ---
        kind: io.statefun.playground.v1/ingress
        spec: {port: !!bool abc, id: !!timestamp abc}
        """,
        [
            "1.yaml:4: is not YAML: '2001-99-99' is not of the type timestamp; put it into quotes",
            "1.yaml:7: is not YAML: 'abc' is not of the type int; put it into quotes",
            "1.yaml:10: is not YAML: 'abc' is not of the type bool; put it into quotes",
        ],
    ),
    "a key twice": (
        "kind: io.statefun.playground.v1/ingress\nspec:\n  port: 1\n  port: 2",
        ["1.yaml:4: 'port' is written twice: keep one of them"],
    ),
    "a key twice before it is merged": (
        "kind: a/b\nspec:\n  a: &a {x: 1, x: 2}\n  <<: *a",
        [
            "1.yaml:1: unknown kind 'a/b': known kinds: " + KINDS,
            "1.yaml:3: 'x' is written twice: keep one of them",
        ],
    ),
    "aliases of aliases": (bomb("a{number}: &a{number} [*a{before}, *a{before}]"), [BOMB]),
    "aliases of aliases as keys": (
        bomb("a{number}: &a{number} {{? *a{before} : *a{before}}}"),
        [BOMB],
    ),
    "aliases of aliases, merged": (
        bomb("a{number}: &a{number} {{<<: [*a{before}, *a{before}]}}"),
        [BOMB],
    ),
    "a scalar that is merged": (
        "kind: a/b\nspec: {\n  <<: 7}",
        [
            (
                "1.yaml:3: is not YAML: while constructing a mapping, expected a mapping or list "
                "of mappings for merging, but found scalar"
            )
        ],
    ),
    "a scalar that is merged among others": (
        "kind: a/b\nspec: {\n  <<: [{},\n 7]}",
        [
            (
                "1.yaml:4: is not YAML: while constructing a mapping, expected a mapping for "
                "merging, but found scalar"
            )
        ],
    ),
    "a mapping that is merged into itself": (
        "\na: &a {<<: *a}",
        ["1.yaml:2: is not YAML that can be read: what is anchored here contains itself"],
    ),
    "an escape of no character": (
        'kind: a/b\nspec: {}\n---\nkind: "\\U00110000"',
        [
            "1.yaml:1: unknown kind 'a/b': known kinds: " + KINDS,
            (
                "1.yaml:4: is not YAML: an escape names no character, or a number is too long: "
                "correct it"
            ),
        ],
    ),
    "an escape of a number that is too large": (
        '\nkind: "\\UFFFFFFFF"',
        [
            (
                "1.yaml:2: is not YAML: an escape names no character, or a number is too long: "
                "correct it"
            ),
        ],
    ),
    "no YAML": (
        "kind: a/b\nspec: [1",
        [
            (
                "1.yaml:2: is not YAML: while parsing a flow sequence, expected ',' or ']', but "
                "got '<stream end>'"
            )
        ],
    ),
    "a tag": (
        "kind: a/b\nspec: !python/object:os.system {}",
        [
            (
                "1.yaml:2: is not YAML: could not determine a constructor for the tag "
                "'!python/object:os.system'"
            )
        ],
    ),
    "nested without end": ("[" * 5000, ["1.yaml: is nested too deeply: write it flatter"]),
    "control characters": ("a: \x07", ["1.yaml: is not YAML: special characters are not allowed"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_line_and_what_to_write(folder: Path, mistake: str) -> None:
    """Every problem says file, line, what is wrong and what to write instead."""
    text, expected = MISTAKES[mistake]

    assert errors(read(folder, text)) == expected


def test_a_problem_names_its_key(folder: Path) -> None:
    """With those around it, also if it is missing; a file as a whole has none."""
    text = """
    kind: io.statefun.endpoints.v2/http
    spec:
      functions: a/*
      transport: {call: soon}
    """

    keys = [problem.key for problem in read(folder, text, "[" * 5000).errors]

    assert keys == ["spec.urlPathTemplate", "spec.transport.call", ""]


def test_all_mistakes_of_all_files_are_found_at_once(folder: Path) -> None:
    """One mistake does not hide another, not even in another document or file."""
    mistaken = "kind: io.statefun.playground.v1/ingress\nspec: {port: x}"

    reading = read(folder, f"{mistaken}\n---\n{mistaken}\n", mistaken)

    text = "'port' should be a valid integer, got 'x': write a whole number, without quotes"
    assert errors(reading) == [f"1.yaml:2: {text}", f"1.yaml:5: {text}", f"2.yaml:2: {text}"]


def test_a_file_that_cannot_be_read_is_a_problem_like_another(folder: Path) -> None:
    """A missing file and one that is not UTF-8 are named, and the others are read."""
    (folder / "latin.yaml").write_bytes(b"kind: \xe9")

    reading = read_modules(["missing.yaml", "latin.yaml"])

    assert errors(reading) == [
        (
            "latin.yaml: is not UTF-8: 'utf-8' codec can't decode byte 0xe9 in position 6: "
            "unexpected end of data; save it as UTF-8"
        ),
        (
            "missing.yaml: cannot be read: No such file or directory; check the path and its "
            "permissions"
        ),
    ]


UNKNOWN_KEYS = f"""{dedent(ENDPOINT)}\
  transports: {{}}
  timeouts: {{}}
  transport:
    type: {OKHTTP}
    pool_size: 3
    timeouts: {{cal: 1s}}
extra: 1
"""
UNKNOWN = [
    (
        "1.yaml:5: unknown key 'transports': did you mean 'transport'? known keys: functions, "
        "urlPathTemplate, maxNumBatchRequests, transport, failureMode, retry"
    ),
    (
        "1.yaml:6: unknown key 'timeouts': write it inside 'transport'; known keys: functions, "
        "urlPathTemplate, maxNumBatchRequests, transport, failureMode, retry"
    ),
    "1.yaml:9: unknown key 'pool_size': it has no effect; known keys: type, timeouts",
    "1.yaml:10: unknown key 'cal': did you mean 'call'? known keys: call, connect, read, write",
    "1.yaml:11: unknown key 'extra': it has no effect; known keys: kind, spec",
]


def test_an_unknown_key_is_a_warning(folder: Path) -> None:
    """A key nobody reads has no effect on the rest of its component."""
    reading = read(folder, UNKNOWN_KEYS)

    assert (errors(reading), warnings(reading)) == ([], UNKNOWN)
    assert [spec.options() for spec in reading.module.endpoints] == [
        HttpOptions(60 * S, 10 * S, 10 * S)
    ]


def test_a_key_of_the_other_endpoint_is_told_where_it_belongs(folder: Path) -> None:
    """The older kind has none of what the newer one has."""
    older = dedent(ENDPOINT).replace("v2", "v1")

    reading = read(folder, f"{older}  retry: {{attempts: 3}}\n  failureMode: pause\n")

    known = "known keys: functions, urlPathTemplate, maxNumBatchRequests, timeouts"
    hint = f"only 'io.statefun.endpoints.v2/http' has it; {known}"
    assert (errors(reading), warnings(reading)) == (
        [],
        [f"1.yaml:5: unknown key 'retry': {hint}", f"1.yaml:6: unknown key 'failureMode': {hint}"],
    )


def test_a_file_in_which_nothing_stands_is_a_warning(folder: Path) -> None:
    """Strict or not; it is hardly what was meant."""
    reading = read(folder, ENDPOINT, "# nothing\n", strict=True)

    assert errors(reading) == []
    assert warnings(reading) == ["2.yaml: is empty: no component stands in it"]


def test_an_unknown_key_is_an_error_when_strict(folder: Path) -> None:
    """Strict reading takes no key that has no effect."""
    reading = read(folder, UNKNOWN_KEYS, strict=True)

    assert (errors(reading), warnings(reading)) == (UNKNOWN, [])


def test_what_is_taken_twice_is_refused(folder: Path) -> None:
    """Two endpoints for the same functions, two of one id, and one port twice are errors."""
    playground = """
        kind: io.statefun.playground.v1/ingress
        spec: {port: 8090}
        ---
        kind: io.statefun.playground.v1/egress
        spec: {port: 8090, topics: [a]}
        """

    reading = read(folder, ENDPOINT, playground, ENDPOINT, playground.replace("8090", "0"))

    assert errors(reading) == [
        "2.yaml:6: port 8090 is in use already, see 2.yaml:3: remove or change one of them",
        (
            "3.yaml:3: functions 'com.example/*' have an endpoint already, see 1.yaml:3: remove or "
            "change one of them"
        ),
        (
            "4.yaml:3: there is an ingress 'io.statefun.playground/ingress' already, see 2.yaml:3: "
            "remove or change one of them"
        ),
        (
            "4.yaml:6: there is an egress 'io.statefun.playground/egress' already, see 2.yaml:6: "
            "remove or change one of them"
        ),
    ]


def test_an_alias_is_what_it_stands_for(folder: Path) -> None:
    """YAML's anchors, aliases and merge keys work, and lines stay those of the anchor."""
    reading = read(
        folder,
        """
        kind: io.statefun.endpoints.v2/http
        spec:
          functions: a/*
          urlPathTemplate: http://localhost
          transport:
            <<: &slow {call: 1min}
            pool_size: 2
        """,
    )

    assert errors(reading) + warnings(reading) == []
    assert [spec.options() for spec in reading.module.endpoints] == [
        HttpOptions(call=60 * S, pool_size=2)
    ]


@pytest.mark.parametrize(
    "transport",
    [
        "{<<: {call: 9s}, call: 2s, connect: 1s}",
        "{call: 2s, <<: [{call: 9s, connect: 1s}, {call: 8s, connect: 7s}]}",
        "{<<: [&a {connect: 1s}, {<<: *a, connect: 8s, call: 9s}], call: 2s}",
    ],
)
def test_a_key_goes_before_the_one_that_is_merged(folder: Path, transport: str) -> None:
    """It is not written twice; of mappings that are merged the first goes before the others."""
    assert options(folder, transport) == HttpOptions(call=2 * S, connect=S)


def test_no_release_of_the_library_decides_what_is_merged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loader has merged everything before PyYAML, whose releases disagree, sees the nodes."""
    left: list[str] = []

    def flatten(_: yaml.SafeLoader, node: yaml.MappingNode) -> None:
        left.extend(key.value for key, _ in node.value if key.tag == "tag:yaml.org,2002:merge")

    monkeypatch.setattr(yaml.SafeLoader, "flatten_mapping", flatten)
    merged = "{<<: [&a {<<: {connect: 1s}}, {<<: *a, connect: 8s, call: 9s}], call: 2s}"

    assert options(folder, merged) == HttpOptions(call=2 * S, connect=S)
    assert left == []


def test_only_what_aliases_stand_for_is_bounded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may be as long as somebody writes it, and use an alias now and then."""
    monkeypatch.setattr("statefun.modulefiles.yaml._MOST_BY_ALIASES", 10)
    topics = ", ".join(f"t{number}" for number in range(1000))

    reading = read(
        folder,
        "kind: io.statefun.playground.v1/egress\n"
        f"spec: {{port: &port 0, topics: [{topics}], extra: [*port, *port]}}\n",
    )

    assert errors(reading) == []


def test_loading_mistaken_files_raises_all_of_it(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever needs a module gets one, or an error with a line for each problem."""
    (folder / "a.yaml").write_text("kind: a/b\nextra: 1\n---\nspec: {}")
    (folder / "b.yaml").write_text(UNKNOWN_KEYS)

    with pytest.raises(ConfigurationError) as caught:
        load_modules(["a.yaml", "b.yaml"])

    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        "a.yaml:1",
        "a.yaml:4",
    ]
    assert caplog.messages == [warning.replace("1.yaml", "b.yaml") for warning in UNKNOWN]
