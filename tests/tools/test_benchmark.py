"""Measuring: candidates take turns, and long measurements report every turn."""
from tools.benchmark import in_turns
from tools.benchmark.waiting import measure


def test_turns_are_told_as_soon_as_they_are_over():
    calls, lines = [], []
    times = in_turns({"one": lambda: calls.append(1), "two": lambda: calls.append(2)}, turns=2, warm=1,
                     tell=lambda line: lines.append((len(calls), line)))
    assert calls == [1, 2] * 3 and times.keys() == {"one", "two"}
    assert [count for count, _ in lines] == [2, 4, 6]
    assert lines[0][1].startswith("about ") and "minutes" in lines[0][1]
    assert [line.partition(":")[0] for _, line in lines[1:]] == ["turn 1 of 2", "turn 2 of 2"]


def test_training_is_measured_idle_and_beside_a_busy_process():
    found = measure({"one": 1000}, turns=2, seconds=0.01)
    idle, busy = found["one"]
    assert found.keys() == {"one"} and len(idle) == len(busy) == 2
    assert all(0 < speed < 1000 for speed in idle + busy)
