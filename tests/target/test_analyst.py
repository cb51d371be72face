"""A model that is asked to write: its answer bounded and clean, and every way in which a server can fail it told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import orjson
import pytest

from llmload.endpoint import Endpoint
from llmload.errors import TargetError, UsageError
from llmload.target.analyst import LONGEST_ANSWER, Limits, Written, analyst_endpoint, choose_writer, write
from llmload.written_analysis import Close
from tests.scripted_server import DONE, Piece, Request, Script, ScriptedServer, chunk, delta, event, head, whole

PATIENT = Limits(first_text_s=20.0, between_s=20.0, total_s=40.0)
HASTY = Limits(first_text_s=0.4, between_s=0.4, total_s=40.0)
END = chunk(delta("", "stop")) + chunk(DONE) + chunk(b"")


def answering(*bodies: bytes, then: str = "keep", content_type: str = "text/event-stream") -> Script:
    """A streamed answer: each body is a chunk of its own."""
    pieces = [Piece(0, head(content_type=content_type)), *(Piece(0, chunk(body)) for body in bodies)]
    return Script(pieces, then)  # type: ignore[arg-type]


def saying(*texts: str) -> Script:
    """A whole answer."""
    return answering(*(delta(text) for text in texts), delta("", "stop"), DONE, b"")


def thought(text: str) -> bytes:
    return event({"choices": [{"delta": {"reasoning_content": text}, "finish_reason": None}]})


def endpoint_of(server: ScriptedServer, key: str | None = None) -> Endpoint:
    return analyst_endpoint(server.url, key, {}, limits=PATIENT)


def asked(
    script: Script | Callable[[Request], Script], prompts: Iterable[str] = ("why?",), limits: Limits = PATIENT
) -> tuple[str, Written]:
    """What came, and how it ended."""
    told: list[str] = []
    with ScriptedServer(script if callable(script) else lambda _: script) as server:
        written = write(endpoint_of(server), tuple(prompts), told.append, limits, "tiny")
    return "".join(told), written


def refused(script: Script, limits: Limits = PATIENT) -> TargetError:
    with pytest.raises(TargetError) as caught:
        asked(script, limits=limits)
    return caught.value


def test_it_is_asked_for_a_bounded_stream_at_temperature_zero() -> None:
    seen: list[Request] = []

    def script(request: Request) -> Script:
        seen.append(request)
        return saying("All ", "is well.")

    assert asked(script) == ("All is well.", Written(Close.WHOLE))
    (request,) = seen
    assert request.head.startswith(b"POST /v1/chat/completions ")
    assert request.document == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "why?"}],
        "temperature": 0,
        "max_tokens": 1024,
        "stream": True,
    }


@pytest.mark.parametrize(
    ("script", "text", "close", "because"),
    [
        pytest.param(saying("\n\n a ", "b"), "a b", Close.WHOLE, "", id="white space at the front goes"),
        pytest.param(
            saying("<b>x</b><script>alert(1)</script>"),
            "<b>x</b><script>alert(1)</script>",
            Close.WHOLE,
            "",
            id="markup is text: whoever shows it escapes it",
        ),
        pytest.param(
            saying("a\x1b", "[2Jb\x07\u202ec\r\nd"), "a[2Jbc\nd", Close.WHOLE, "", id="terminal sequences are none"
        ),
        pytest.param(
            saying("<thi", "nk>hm, 4", "2</th", "ink>\nIt is slow"), "It is slow", Close.WHOLE, "", id="think"
        ),
        pytest.param(saying("<thick> walls"), "<thick> walls", Close.WHOLE, "", id="only reasoning is left out"),
        pytest.param(
            answering(thought("hm, 42"), delta("slow"), delta("", "stop")),
            "slow",
            Close.WHOLE,
            "",
            id="a parsed thought",
        ),
        pytest.param(answering(delta("a"), DONE, then="stall"), "a", Close.WHOLE, "", id="DONE without a reason"),
        pytest.param(
            answering(delta("a", "stop"), then="stall"), "a", Close.WHOLE, "", id="nobody waits behind the last text"
        ),
        pytest.param(answering(delta("a"), delta("b", "length")), "ab", Close.AT_LIMIT, "", id="out of tokens"),
        pytest.param(saying("x" * 1_000_000), "x" * LONGEST_ANSWER, Close.AT_LIMIT, "", id="a megabyte in one event"),
        pytest.param(
            saying(*["word " * 200] * 1000), ("word " * 4000)[:LONGEST_ANSWER], Close.AT_LIMIT, "", id="in a thousand"
        ),
        pytest.param(
            answering(delta("half a"), b"", then="close"),
            "half a",
            Close.BROKEN_OFF,
            "the stream ends before the answer does",
            id="it ends early",
        ),
        pytest.param(
            answering(delta("half a"), event({"error": {"message": "out of memory"}})),
            "half a",
            Close.BROKEN_OFF,
            "it says 'out of memory'",
            id="an error event",
        ),
        pytest.param(
            answering(delta("half a"), b"data: <html>\n\n"),
            "half a",
            Close.BROKEN_OFF,
            "it sends an event that is no JSON of the chat API",
            id="no JSON",
        ),
    ],
)
def test_what_comes_is_kept_and_its_end_told(script: Script, text: str, close: Close, because: str) -> None:
    assert asked(script) == (text, Written(close, because))


def test_a_stream_that_stops_keeps_what_came() -> None:
    stopped = answering(delta("half a"), then="stall")
    limits = Limits(first_text_s=20.0, between_s=0.3, total_s=40.0)
    began = time.monotonic()
    assert asked(stopped, limits=limits) == (
        "half a",
        Written(Close.BROKEN_OFF, "no more text came within 0.3 s"),
    )
    assert time.monotonic() - began < 10


def test_a_connection_that_is_cut_keeps_what_came() -> None:
    text, written = asked(answering(delta("half a"), then="reset"))
    assert (text, written.close) == ("half a", Close.BROKEN_OFF)


@pytest.mark.parametrize(
    ("script", "kind", "says"),
    [
        pytest.param(whole("401 Unauthorized", {"error": "no key"}), "Unauthorized", "HTTP 401, 'no key'", id="401"),
        pytest.param(
            whole("404 Not Found", {"detail": "no model tiny"}), "ModelNotServed", "no model tiny", id="model"
        ),
        pytest.param(whole("404 Not Found", {"detail": "Not Found"}), "NoAnswer", "HTTP 404", id="no such API"),
        pytest.param(whole("500 Oops", b"<h1>\x1b[31mOops</h1>"), "NoAnswer", "HTTP 500, '<h1>", id="500 in HTML"),
        pytest.param(whole("200 OK", {"choices": []}), "NoAnswer", "without a stream of events", id="not a stream"),
        pytest.param(whole("200 OK", b"<html>hello"), "NoAnswer", "without a stream of events", id="a page"),
        pytest.param(answering(b"data: {oops\n\n"), "NoAnswer", "no JSON of the chat API", id="not JSON"),
        pytest.param(answering(b"data: 7\n\n"), "NoAnswer", "no JSON of the chat API", id="JSON of something else"),
        pytest.param(answering(event({"error": "no room"})), "NoAnswer", "it says 'no room'", id="an error event"),
        pytest.param(answering(delta("", "stop")), "NoAnswer", "the model wrote nothing", id="an empty answer"),
        pytest.param(
            answering(thought("hm"), delta("", "length")), "NoAnswer", "nothing but its reasoning", id="thought"
        ),
        pytest.param(
            saying("<think>hm, I wonder"), "NoAnswer", "nothing but its reasoning", id="thought that never ends"
        ),
        pytest.param(answering(b"data: " + b"x" * 5_000_000), "NoAnswer", "more than an answer can be", id="one event"),
        pytest.param(Script([Piece(0, b"SSH-2.0-OpenSSH\r\n")], "close"), "NoAnswer", "no answer came", id="not HTTP"),
        pytest.param(
            Script([Piece(0, head("307 Elsewhere", extra="Location: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n"))]),
            "Elsewhere",
            "points to 'http://127.0.0.1:1/x' (HTTP 307), which is not followed",
            id="a redirect to another origin",
        ),
    ],
)
def test_a_server_that_writes_nothing_is_told_with_a_remedy(script: Script, kind: str, says: str) -> None:
    error = refused(script)
    assert (error.kind, error.exit_code) == (kind, 5)
    assert says in error.problem
    assert error.remedy
    assert "\x1b" not in str(error)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(Script([], "stall"), id="nothing comes"),
        pytest.param(Script([Piece(0, head())], "stall"), id="only a head"),
        pytest.param(Script([Piece(0.1, bytes([byte])) for byte in head()], "stall"), id="a head drips"),
        pytest.param(Script([Piece(0, head()), *[Piece(0.1, chunk(b": alive\n\n"))] * 90]), id="comments drip"),
    ],
)
def test_a_server_that_hangs_or_drips_is_left_in_time(script: Script) -> None:
    begun = time.monotonic()
    error = refused(script, HASTY)
    assert time.monotonic() - begun < 10
    assert (error.kind, error.problem) == ("NoAnswer", "no answer came: no text came within 0.4 s")


def test_an_answer_that_never_ends_is_left_at_the_total_limit() -> None:
    drip = Script([Piece(0, head()), *[Piece(0.1, chunk(delta("x")))] * 80])
    text, written = asked(drip, limits=Limits(first_text_s=20.0, between_s=20.0, total_s=0.8))
    assert set(text) == {"x"}
    assert (written.close, written.because) == (Close.BROKEN_OFF, "the answer did not end within 0.8 s")


def test_a_server_without_room_is_asked_again_with_less() -> None:
    def script(request: Request) -> Script:
        if len(request.body) > 300:
            return whole("400 Bad Request", {"error": {"message": "This model's maximum context length is 64 tokens"}})
        return saying("short")

    assert asked(script, ["x" * 500, "x" * 400, "y"]) == ("short", Written(Close.WHOLE, prompt=2))
    with pytest.raises(TargetError, match="no room for the briefing") as caught:
        asked(script, ["x" * 500])
    assert caught.value.kind == "ContextTooShort"


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with ScriptedServer(lambda _: Script()) as gone:
        pass
    with pytest.raises(TargetError, match="cannot connect") as caught:
        write(endpoint_of(gone), ["why?"], print, PATIENT, "tiny")
    assert "--analyst-url" in caught.value.remedy


# ---------------------------------------------------------------- who writes


def listing(*models: str) -> Script:
    return whole("200 OK", {"data": [{"id": model} for model in models]})


@pytest.mark.parametrize(
    ("served", "wanted", "usual", "chosen"),
    [
        pytest.param(["a", "b"], None, "b", "b", id="the model of the run"),
        pytest.param(["a"], None, "b", "a", id="the only one, where the run's is not served"),
        pytest.param(["a", "b"], "a", "b", "a", id="the one that was asked for"),
        pytest.param([], None, "b", "b", id="the run's, where none is listed"),
    ],
)
def test_the_model_is_chosen_among_those_served(served: list[str], wanted: str | None, usual: str, chosen: str) -> None:
    with ScriptedServer(lambda _: listing(*served)) as server:
        assert choose_writer(endpoint_of(server), wanted, usual, PATIENT).names == (chosen,)


@pytest.mark.parametrize(
    ("script", "wanted", "kind", "remedy"),
    [
        pytest.param(listing("a", "b"), None, "ModelNotServed", "--analyst-model", id="several, and none of the run"),
        pytest.param(listing("a", "b"), "d", "ModelNotServed", "--analyst-model", id="another one than asked for"),
        pytest.param(whole("401 No", {"error": "key"}), None, "Unauthorized", "--api-key-env", id="no key"),
        pytest.param(Script([], "stall"), None, "ServerNotReady", "--analyst-url", id="no answer"),
    ],
)
def test_a_model_that_cannot_be_chosen_is_told(script: Script, wanted: str | None, kind: str, remedy: str) -> None:
    limits = Limits(listing_s=0.2)
    with ScriptedServer(lambda _: script) as server, pytest.raises(TargetError) as caught:
        choose_writer(endpoint_of(server), wanted, "c", limits)
    assert caught.value.kind == kind
    assert remedy in caught.value.remedy


def test_the_key_travels_in_a_header_and_is_never_told() -> None:
    def script(request: Request) -> Script:
        key = next(line for line in request.head.split(b"\r\n") if line.lower().startswith(b"authorization"))
        return whole("403 Forbidden", {"error": f"{key.decode()} is wrong"})

    with ScriptedServer(script) as server, pytest.raises(TargetError) as caught:
        write(endpoint_of(server, "sesame-open"), ["why?"], print, PATIENT, "tiny")
    assert "*** is wrong" in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_a_key_that_no_header_carries_is_refused() -> None:
    with pytest.raises(UsageError, match="printable ASCII"):
        analyst_endpoint("http://127.0.0.1:1", "열쇠", {}, limits=PATIENT)


def test_the_environment_names_the_proxy() -> None:
    env = {"HTTP_PROXY": "http://proxy.test:8080"}
    assert analyst_endpoint("http://llm.test", None, env, limits=PATIENT).proxy == "http://proxy.test:8080"
    assert analyst_endpoint("http://127.0.0.1:8000", None, env, limits=PATIENT).proxy is None


def test_a_prompt_arrives_as_it_is() -> None:
    prompt = 'µ "한국어" \\ \n\x00 </script>'
    seen: list[object] = []

    def script(request: Request) -> Script:
        seen.append(orjson.loads(request.body)["messages"][0]["content"])
        return saying("yes")

    asked(script, [prompt])
    assert seen == [prompt]
