"""The benchmarks' statistics, what they count, and that docs/performance.md shows what was measured."""

import shutil

import numpy as np
import pytest
import torch
from torch.profiler import profile

import harness
import run
import workload
from notes.files import read_json, write_json
from notes.networks.mlp import Mlp


def test_a_measurement_is_the_median_and_the_range_of_its_rounds():
    values = np.random.default_rng(7).lognormal(size=8)
    measured = harness.summarise(list(values))
    assert measured["median"] == pytest.approx(np.median(values))
    assert (measured["low"], measured["high"]) == (values.min(), values.max())


def test_a_ratio_is_taken_round_by_round_so_that_a_slow_round_cancels():
    slowness = np.array([1.0, 0.2, 0.7])
    twice, once = (harness.summarise(list(speed * slowness)) for speed in (200.0, 100.0))
    assert harness.ratio(twice, once)["values"] == pytest.approx([2.0, 2.0, 2.0])


def test_each_round_calls_every_variant_once_and_begins_with_another_one():
    calls = []
    variants = {name: lambda name=name: calls.append(name) or float(len(calls)) for name in "abc"}
    measured = harness.interleaved(variants, rounds=4)
    assert "".join(calls) == "abcbcacababc"
    assert measured["a"]["values"] == [1.0, 6.0, 8.0, 10.0]


@pytest.mark.parametrize(("value", "side", "verdict"), [(2.0, "at_least", "reached"), (1.0, "at_least", "missed")])
def test_a_target_is_reached_on_the_right_side_of_its_bound(value, side, verdict):
    goals = [harness.target("speed", harness.summarise([value]), at_least=1.6)]
    goals.append(harness.target("memory", harness.summarise([3.2 - value]), at_most=1.6))
    assert harness.targets_table(goals).count(verdict) == 2


def test_the_operations_of_training_are_those_that_torch_counts():
    sizes, images = (784, 128, 64, 10), 64
    network = Mlp(sizes[0], sizes[1:-1], sizes[-1])
    with profile(with_flops=True) as counter:
        torch.nn.functional.cross_entropy(network(torch.rand(images, 784)), torch.zeros(images).long()).backward()
    assert sum(event.flops for event in counter.key_averages()) == images * workload.operations_per_image(sizes)


def test_the_performance_page_shows_the_results():
    run.main(["--check"])


def test_the_check_fails_when_the_results_are_others_than_the_pages(tmp_path):
    for path in (run.RESULTS, run.PAGE, run.FIGURE):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(harness.ROOT / path, tmp_path / path)
    results = read_json(tmp_path / run.RESULTS)
    results["engine"]["load"] = 99.0
    write_json(tmp_path / run.RESULTS, results)
    with pytest.raises(SystemExit, match=r"docs/performance\.md, .*\.png\. Run `python benchmarks/run"):
        run.main(["--check"], tmp_path)
