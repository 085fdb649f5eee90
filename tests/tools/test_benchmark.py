"""The benchmarks' own code runs; their figures are not tested."""
from tools.benchmark import pose, seconds


def test_the_first_calls_do_not_count():
    calls = []
    assert seconds(lambda: calls.append(1), turns=2, warm=1) >= 0 and len(calls) == 3


def test_random_windows():
    data = pose.random_list(56, horizon=32, pad=True)
    assert len(data) == 56 and data.targets == 32 and data.poses.abs().max() <= 1
