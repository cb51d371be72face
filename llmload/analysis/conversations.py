"""What conversations come to on average, before any is held: how prompts grow, and how long users think."""

from __future__ import annotations

from dataclasses import dataclass

from llmload.scenario.lengths import mean_length, variance_of
from llmload.scenario.traffic import Sessions


@dataclass(frozen=True, slots=True)
class SessionForecast:
    """Means over conversations: their `turns`, and the seconds of thought between two of them.

    `first_input_tokens` are those of the first request; each later one has `growth_tokens` more than the one before,
    the answer to it and what the user says next. What a chat template adds to each turn comes on top. None where a
    file says what users say, and not how many tokens that is.
    """

    turns: float
    think_s: float
    first_input_tokens: float | None
    growth_tokens: float | None

    @property
    def last_input_tokens(self) -> float | None:
        """Of the last request of a conversation of so many turns."""
        if self.first_input_tokens is None or self.growth_tokens is None:
            return None
        return self.first_input_tokens + (self.turns - 1) * self.growth_tokens

    @property
    def think_s_per_request(self) -> float:
        """Between conversations nobody thinks: the next one begins at once."""
        return self.think_s * (self.turns - 1) / self.turns


def forecast_sessions(sessions: Sessions, first_input_tokens: float | None, output_tokens: float) -> SessionForecast:
    """What conversations come to whose first prompts and whose answers are so long on average."""
    turns = max(1.0, mean_length(sessions.turns))
    if first_input_tokens is None:
        return SessionForecast(turns, sessions.think_time.mean_s, None, None)
    own = first_input_tokens if sessions.input_tokens is None else mean_length(sessions.input_tokens)
    return SessionForecast(turns, sessions.think_time.mean_s, first_input_tokens, output_tokens + own)


def turns_of_a_request(sessions: Sessions | None) -> int:
    """Turns of the conversation that a request is of, on average over requests: E(T^2) / E(T); 1 without any."""
    if sessions is None:
        return 1
    turns = max(1.0, mean_length(sessions.turns))
    return max(1, round((variance_of(sessions.turns) + turns**2) / turns))


def mean_context(sessions: Sessions, forecast: SessionForecast) -> float | None:
    """Mean tokens of a request's prompt, whichever turn it is; None where a file has the words.

    Of T turns, T (T - 1) / 2 earlier ones are sent in all; over conversations that is (var + T^2 - T) / 2 on average,
    for T requests.
    """
    turns = forecast.turns
    if forecast.first_input_tokens is None or forecast.growth_tokens is None:
        return None
    earlier = (variance_of(sessions.turns) + turns**2 - turns) / (2 * turns)
    return forecast.first_input_tokens + earlier * forecast.growth_tokens
