"""Back-off: the published row, its cap, its jitter."""

import pytest

from quotewire.resilience.backoff import Backoff, Jitter, spread


def test_the_row_of_delays() -> None:
    backoff = Backoff(jitter=Jitter.OFF)

    assert [backoff.delay(attempt, chance=lambda: 0.9) for attempt in range(1, 8)] == [5, 10, 20, 40, 80, 120, 120]


@pytest.mark.parametrize(
    ("jitter", "draw", "delay"),
    [
        (Jitter.EQUAL, 0.0, 10),
        (Jitter.EQUAL, 0.5, 15),
        (Jitter.FULL, 0.0, 0),
        (Jitter.FULL, 0.5, 10),
        (Jitter.OFF, 0.5, 20),
    ],
)
def test_jitter(jitter: Jitter, draw: float, delay: float) -> None:
    assert spread(20, jitter, lambda: draw) == delay


def test_attempts_without_end_do_not_overflow() -> None:
    assert Backoff().ceiling(100_000) == 120


def test_attempts_count_from_one() -> None:
    with pytest.raises(ValueError, match="count from 1"):
        Backoff().ceiling(0)


@pytest.mark.parametrize("values", [{"base_s": 0}, {"base_s": 200}, {"factor": 0.5}])
def test_values_that_cannot_back_off_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cannot back off"):
        Backoff(**values)  # type: ignore[arg-type]
