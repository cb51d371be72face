"""One comment of ours in a pull request: posted once, rewritten in place, never a stranger's, against real sockets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from llmload.ci.sticky_comment import Done, Sticky, checked_key, digest_of, settle, sticky
from llmload.domain import RunResult
from llmload.errors import ForgeError, UsageError
from llmload.outcome import Command, Entry, Outcome
from llmload.reporters.comment import Rewriting
from llmload.verdict import Caveat, Status
from tests.ci.scripted_github import BOT, FORBIDDEN, LOST, PERSON, REPOSITORY, ScriptedGithub, Trouble, refusal
from tests.recorded_comparisons import REGRESSED
from tests.recorded_outcomes import COMPARED, HOSTILE_INVALID, INVALID, MIXED, SERVER_DOWN, of_runs
from tests.recorded_runs import CLEAN, TROUBLE

ONE = sticky("gate", of_runs(CLEAN), "All is well.\n")
SAME = replace(ONE, text="All is well, by other figures.\n")
OTHER = sticky("gate", of_runs(TROUBLE), "It broke.\n")
COMMENTS = f"/repos/{REPOSITORY}/issues/7/comments"


def settled(github: ScriptedGithub, wanted: Sticky, rewriting: Rewriting = "on-change") -> Done:
    """What becomes of a comment in pull request 7."""
    with github.api() as api:
        return settle(api, REPOSITORY, 7, wanted, rewriting)[0]


def test_the_first_run_posts_a_comment_whose_first_line_is_hidden() -> None:
    with ScriptedGithub() as github:
        assert settled(github, ONE) is Done.POSTED
    assert github.written() == [f"POST {COMMENTS}"]
    marker, text = str(github.comments[0]["body"]).split("\n", 1)
    assert marker == f"<!-- llmload:comment key=gate digest={ONE.digest} -->"
    assert text == "All is well.\n"


def test_the_same_conclusion_writes_nothing() -> None:
    with ScriptedGithub() as github:
        settled(github, ONE)
        assert settled(github, SAME) is Done.LEFT
    assert [each["body"] for each in github.comments] == [ONE.body]
    assert len(github.written()) == 1


def test_another_conclusion_rewrites_the_comment_in_place() -> None:
    with ScriptedGithub() as github:
        settled(github, ONE)
        assert settled(github, OTHER) is Done.REWRITTEN
    assert [each["body"] for each in github.comments] == [OTHER.body]
    assert github.written()[1:] == [f"PATCH /repos/{REPOSITORY}/issues/comments/1000"]


def test_always_rewrites_the_same_conclusion_too() -> None:
    with ScriptedGithub() as github:
        settled(github, ONE, "always")
        assert settled(github, SAME, "always") is Done.REWRITTEN
    assert [each["body"] for each in github.comments] == [SAME.body]


def test_each_key_has_a_comment_of_its_own() -> None:
    with ScriptedGithub() as github:
        settled(github, ONE)
        assert settled(github, replace(ONE, key="nightly")) is Done.POSTED
        assert settled(github, replace(ONE, key="GATE")) is Done.POSTED
    assert len(github.comments) == 3


def test_the_comment_is_found_on_the_third_page() -> None:
    with ScriptedGithub() as github:
        for number in range(300):
            github.comment(ONE.body if number == 250 else f"Comment {number}")
        assert settled(github, OTHER) is Done.REWRITTEN
    assert github.comments[250]["body"] == OTHER.body
    assert sum(line == f"GET {COMMENTS}" for line in github.asked()) == 3


@pytest.mark.parametrize(
    "user",
    [
        pytest.param(PERSON, id="a person"),
        pytest.param({"login": "github-actions", "type": "User"}, id="a person with the bot's name"),
        pytest.param({"login": "chatty[bot]", "type": "Bot"}, id="another bot"),
        pytest.param(None, id="an account that is gone"),
    ],
)
def test_a_strangers_comment_with_our_marker_is_never_touched(user: dict[str, object] | None) -> None:
    with ScriptedGithub() as github:
        github.comment(ONE.body, user)
        assert settled(github, OTHER) is Done.POSTED
        assert settled(github, OTHER) is Done.LEFT
    assert [each["body"] for each in github.comments] == [ONE.body, OTHER.body]


def test_a_persons_token_finds_the_persons_comment_and_no_bots() -> None:
    person: dict[str, object] = {"login": "ada", "type": "User"}
    with ScriptedGithub(user=person) as github:
        github.comment(ONE.body, BOT)
        assert settled(github, ONE) is Done.POSTED
        assert settled(github, OTHER) is Done.REWRITTEN
    assert [each["body"] for each in github.comments] == [ONE.body, OTHER.body]


@pytest.mark.parametrize("viewer", ["our-app[bot]", "our-app"])
def test_an_apps_token_finds_the_apps_comment(viewer: str) -> None:
    with ScriptedGithub(viewer=viewer) as github:
        github.comment(ONE.body, BOT)
        github.comment(ONE.body, {"login": "our-app[bot]", "type": "Bot"})
        assert settled(github, OTHER) is Done.REWRITTEN
    assert [each["body"] for each in github.comments] == [ONE.body, OTHER.body]


def test_of_several_the_oldest_is_kept_up_and_the_others_are_left_alone() -> None:
    with ScriptedGithub() as github:
        for _ in range(3):
            github.comment(ONE.body)
        assert settled(github, OTHER) is Done.REWRITTEN
    assert [each["body"] for each in github.comments] == [OTHER.body, ONE.body, ONE.body]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: f"Look:\n{body}", id="not in the first line"),
        pytest.param(lambda body: f" {body}", id="not at the first character"),
        pytest.param(lambda body: f"> {body}", id="quoted"),
        pytest.param(lambda body: body.replace(" -->", " and more -->"), id="with something added"),
        pytest.param(lambda body: body.replace("-->", "--> text"), id="with text behind it"),
    ],
)
def test_no_other_first_line_is_our_marker(change: Callable[[str], str]) -> None:
    with ScriptedGithub() as github:
        github.comment(change(ONE.body))
        assert settled(github, OTHER) is Done.POSTED


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Trouble("POST", LOST, is_done=True, path=COMMENTS), id="connection breaks"),
        pytest.param(Trouble("POST", refusal(504, ""), is_done=True, path=COMMENTS), id="gateway gives up"),
    ],
)
def test_a_lost_answer_posts_no_second_comment(trouble: Trouble) -> None:
    with ScriptedGithub(troubles=[trouble]) as github:
        assert settled(github, ONE) is Done.POSTED
    assert [each["body"] for each in github.comments] == [ONE.body]
    assert len(github.written()) == 1


@pytest.mark.parametrize(
    ("theirs", "done"),
    [
        pytest.param(OTHER, Done.REWRITTEN, id="another conclusion"),
        pytest.param(ONE, Done.LEFT, id="the same conclusion"),
    ],
)
def test_two_jobs_that_post_at_once_leave_one_comment(theirs: Sticky, done: Done) -> None:
    gone = Trouble("DELETE", LOST, is_done=True)
    with ScriptedGithub(meanwhile=[theirs.body], troubles=[gone]) as github:
        assert settled(github, ONE) is done
    assert [(each["id"], each["body"]) for each in github.comments] == [(1_000, ONE.body)]


def test_a_lost_rewriting_is_repeated() -> None:
    with ScriptedGithub() as github:
        github.comment(ONE.body)
        github.troubles.append(Trouble("PATCH", LOST))
        assert settled(github, OTHER) is Done.REWRITTEN
    assert github.comments[0]["body"] == OTHER.body


def test_a_refused_post_is_told_with_its_status() -> None:
    refused = Trouble("POST", FORBIDDEN, path=COMMENTS)
    with ScriptedGithub(troubles=[refused]) as github, pytest.raises(ForgeError, match="requests: write") as found:
        settled(github, ONE)
    assert found.value.status == 403
    assert github.comments == []


@pytest.mark.parametrize("key", ["", "a b", "a-->", "<!--", "a" * 65, "ключ", "a\n", "a/b", "${{x}}"])
def test_a_key_is_a_plain_word(key: str) -> None:
    with pytest.raises(UsageError, match="--key"):
        checked_key(key)


def test_a_key_may_be_anything_that_is_a_plain_word() -> None:
    assert checked_key("Nightly_run-2.b") == "Nightly_run-2.b"


# ---------------------------------------------------------------- what a comment concludes


def changed(run: RunResult, **changes: object) -> Outcome:
    return of_runs(replace(run, **changes))  # type: ignore[arg-type]


def with_first_verdict(**changes: object) -> Outcome:
    """TROUBLE with something changed of its first verdict."""
    step, *others = TROUBLE.steps
    verdict, *rest = step.verdicts
    verdicts = (replace(verdict, **changes), *rest)  # type: ignore[arg-type]
    return changed(TROUBLE, steps=(replace(step, verdicts=verdicts), *others))


FATAL = Caveat("client was late", "p99 heartbeat lateness 61ms", "Use more workers", is_fatal=True)


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(with_first_verdict(because="1452 of 1,600 requests good"), id="another figure in a reason"),
        pytest.param(with_first_verdict(evidence=None), id="other evidence"),
        pytest.param(changed(TROUBLE, fingerprint={"gpu": "other"}), id="another fingerprint"),
        pytest.param(changed(TROUBLE, header=replace(TROUBLE.header, run_id="01ZZ", created="2026")), id="another run"),
        pytest.param(changed(TROUBLE, because="goodput 90.7%"), id="another figure in the run's reason"),
        pytest.param(changed(TROUBLE, caveats=(replace(FATAL, is_fatal=False),)), id="a caveat that spoils nothing"),
    ],
)
def test_figures_change_no_conclusion(outcome: Outcome) -> None:
    assert digest_of(outcome) == digest_of(of_runs(TROUBLE))


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(with_first_verdict(status=Status.INCONCLUSIVE), id="a gate's verdict"),
        pytest.param(with_first_verdict(kind="NoData"), id="a verdict's kind"),
        pytest.param(with_first_verdict(step="concurrency 2"), id="a gate's step"),
        pytest.param(changed(TROUBLE, status=Status.ERROR), id="the run's verdict"),
        pytest.param(changed(TROUBLE, caveats=(FATAL,)), id="a caveat that spoils all"),
        pytest.param(changed(TROUBLE, header=replace(TROUBLE.header, scenario="other")), id="the scenario"),
        pytest.param(replace(of_runs(TROUBLE), exit_code=4), id="the exit code"),
        pytest.param(replace(of_runs(TROUBLE), command=Command.GATE), id="the command"),
        pytest.param(of_runs(TROUBLE, CLEAN), id="one more scenario"),
        pytest.param(Outcome(Command.APPLY, 3, ()), id="no scenario"),
    ],
)
def test_another_conclusion_is_another_digest(outcome: Outcome) -> None:
    assert digest_of(outcome) != digest_of(of_runs(TROUBLE))


def test_the_order_of_shards_changes_no_conclusion() -> None:
    backwards = replace(MIXED, entries=MIXED.entries[::-1])
    assert digest_of(backwards) == digest_of(MIXED)


def test_which_run_a_comparison_begins_with_matters() -> None:
    one, other = (
        Outcome(Command.COMPARE, 1, of_runs(*runs).entries) for runs in ((CLEAN, REGRESSED), (REGRESSED, CLEAN))
    )
    assert digest_of(one) != digest_of(other)


def test_problems_are_part_of_the_conclusion() -> None:
    entry = INVALID.entries[0]
    moved = replace(entry, problems=(replace(entry.problems[0], line=8), *entry.problems[1:]))
    assert digest_of(replace(INVALID, entries=(moved, *INVALID.entries[1:]))) != digest_of(INVALID)


def test_a_reason_without_a_verdict_counts_by_its_words_and_not_by_its_figures() -> None:
    def down(message: str) -> str:
        return digest_of(Outcome(Command.APPLY, 5, (Entry("a.yaml", 5, message=message),)))

    assert down("nothing answers within 5 s") == down("nothing answers within 7.5 s")
    assert down("nothing answers within 5 s") != down("the model is not served")


@pytest.mark.parametrize("outcome", [COMPARED, HOSTILE_INVALID, SERVER_DOWN, INVALID, MIXED])
def test_every_outcome_has_a_digest(outcome: Outcome) -> None:
    assert len(digest_of(outcome)) == 64
    assert digest_of(outcome) == digest_of(outcome)


def test_a_file_name_that_is_no_text_has_a_digest_too() -> None:
    assert len(digest_of(Outcome(Command.APPLY, 2, (Entry("\udcff.yaml", 2),)))) == 64
