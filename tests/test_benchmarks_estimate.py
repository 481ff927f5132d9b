"""Estimates for TPUs: what is refused, what is read from a program, and one real compilation."""

import dataclasses
import importlib.util
import json
import math

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec as P

from benchmarks import estimate, records
from benchmarks.ahead_of_time import read_compiled
from benchmarks.hlo import KINDS, Traffic, count_collectives, count_custom_calls
from benchmarks.records import Case, Memory, Phases, Row
from jaxgan import cost, parallel, zoo
from jaxgan.validation import InputError

needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="needs the compiler for TPUs: the extra tpu"
)

HLO = """
HloModule jit_step, is_scheduled=true, entry_computation_layout={(f32[8,128]{1,0:T(8,128)})->f32[]}

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[]{:T(128)} parameter(0)
  %b = f32[]{:T(128)} parameter(1)
  ROOT %add.1 = f32[]{:T(128)} add(%a, %b)
}

%scatter (p: bf16[16,8]) -> bf16[4,8] {
  %p = bf16[16,8]{1,0} parameter(0)
  ROOT %reduce-scatter.1 = bf16[4,8]{1,0} reduce-scatter(%p), dimensions={0}, to_apply=%add
}

ENTRY %main.9 (x: f32[8,128], y: pred[3]) -> f32[] {
  %x = f32[8,128]{1,0:T(8,128)S(1)} parameter(0), metadata={op_name="all-reduce(%x)"}
  %y = pred[3]{0:T(128)} parameter(1)
  %z = c64[] constant((1, 0))
  %r.1 = f32[8,128]{1,0:T(8,128)S(1)} all-reduce(%x), replica_groups=mesh['batch'=4] {'batch'}, to_apply=%add
  %r.2 = (f32[8,128]{1,0:T(8,128)}, pred[3]{0:T(128)}, /*index=2*/c64[]) all-reduce(%r.1, %y, /*index=2*/%z)
  %first = f32[8,128]{1,0:T(8,128)} get-tuple-element(%r.2), index=0
  %g = (f32[8,128]{1,0}, f32[32,128]{1,0}) all-gather-start(f32[8,128]{1,0:T(8,128)} %first), dimensions={0}
  %gathered = f32[32,128]{1,0} all-gather-done(%g)
  %s = bf16[4,8]{1,0} fusion(%halves), kind=kCustom, calls=%scatter
  %view = f32[32,128]{1,0} custom-call(%gathered), custom_call_target="ConcatBitcast"
  ROOT %sum = f32[]{:T(128)} reduce(%gathered), dimensions={0,1}, to_apply=%add
}
"""


def test_collectives_are_counted_where_they_start_by_what_goes_in():
    found = count_collectives(HLO)
    assert found == {
        "all-gather": Traffic(count=1, bytes=8 * 128 * 4),
        "all-reduce": Traffic(count=2, bytes=8 * 128 * 4 + (8 * 128 * 4 + 3 + 8)),
        "reduce-scatter": Traffic(count=1, bytes=16 * 8 * 2),
    }
    assert [kind for kind in KINDS if kind in found] == list(found)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("pred", 1), ("s4", 0.5), ("u8", 1), ("f8e4m3fn", 1), ("bf16", 2), ("f64", 8), ("c128", 16)],
)
def test_every_dtype_has_its_size(dtype, size):
    shape = f"{dtype}[5,3]{{1,0}}"
    hlo = f"  %x = {shape} parameter(0)\n  %y = {shape} all-to-all(%x), dimensions={{0}}"
    assert count_collectives(hlo) == {"all-to-all": Traffic(count=1, bytes=math.ceil(15 * size))}


def test_a_program_without_collectives_has_none():
    assert count_collectives("ENTRY %main () -> f32[] {\n  ROOT %c = f32[] constant(0)\n}") == {}


def test_a_real_program_of_this_machine_is_read():
    layout = parallel.layout("shard_map", jax.devices()[:1])
    summed = jax.shard_map(
        lambda x: jax.lax.psum(x.sum(0), "batch"), mesh=layout.mesh, in_specs=P("batch"), out_specs=P()
    )
    compiled = jax.jit(summed).lower(jnp.ones((4, 6))).compile()
    found = count_collectives(compiled.as_text())
    assert found in ({}, {"all-reduce": Traffic(count=1, bytes=24)})  # a compiler may drop it on one device


@dataclasses.dataclass
class Planned:
    argument_size_in_bytes: int = 100
    output_size_in_bytes: int = 80
    temp_size_in_bytes: int = 60
    alias_size_in_bytes: int = 70
    peak_memory_in_bytes: int = 0


@dataclasses.dataclass
class Compiled:
    cost: dict

    def cost_analysis(self):
        return self.cost

    def memory_analysis(self):
        return Planned()

    def as_text(self):
        return HLO


@dataclasses.dataclass
class Chip:
    coords: list


CORES = [Chip([0, 0, 0]), Chip([0, 0, 0]), Chip([1, 0, 0]), Chip([1, 0, 0])]


def test_what_the_compiler_says_becomes_figures():
    cost = {"flops": 2e9, "bytes accessed": 3e6, "optimal_seconds": 2e-3 - 1}
    found = read_compiled(Compiled(cost), images=64, devices=CORES)
    assert found["compiler_flops"] == 2e9
    assert found["memory"] == {"arguments": 100, "outputs": 80, "temporaries": 60, "aliased": 70}
    figures = found["figures"]
    assert figures["chips"] == 2
    assert figures["estimated_seconds"] == pytest.approx(2e-3)
    assert figures["estimated_images_per_second"] == pytest.approx(32_000)
    assert figures["bytes_accessed"] == 3e6
    assert figures["planned_peak_bytes"] is None
    assert figures["collective_count"] == 4
    assert figures["all_reduce_count"] == 2
    assert figures["collective_bytes"] == sum(kind.bytes for kind in count_collectives(HLO).values())


def test_custom_calls_are_counted_and_left_out_of_the_time():
    assert count_custom_calls(HLO) == 1
    figures = read_compiled(Compiled({"optimal_seconds": 0.004 - 1}), images=8, devices=CORES)["figures"]
    assert figures["custom_call_count"] == 1
    assert figures["estimated_seconds"] == pytest.approx(0.004)
    assert figures["estimated_images_per_second"] == pytest.approx(2000)


@pytest.mark.parametrize("seconds", [-1.0, -1.5, 0.0, math.inf, math.nan, None])
def test_what_the_compiler_does_not_know_is_null(seconds):
    cost = {"flops": -1.0} if seconds is None else {"flops": -1.0, "optimal_seconds": seconds}
    found = read_compiled(Compiled(cost), images=64, devices=CORES)
    assert found["compiler_flops"] is None
    for name in ("estimated_seconds", "estimated_images_per_second", "bytes_accessed"):
        assert found["figures"][name] is None


def make_case(batch_size=8):
    return estimate.make_case(
        "dcgan", "jit", {"features": 4}, topology="v5e:2x4", devices=8, batch_size=batch_size
    )


@pytest.fixture
def asked(monkeypatch):
    """Answers in the place of a process, and keeps what it was asked."""
    jobs, answers = [], []

    def run(script, job, *, variables, timeout):
        jobs.append((script, job, variables, timeout))
        return answers.pop(0)

    monkeypatch.setattr(estimate.process, "run", run)
    monkeypatch.setattr(estimate, "check_compiler", lambda: None)
    return jobs, answers


def test_an_answer_becomes_a_row(asked):
    jobs, answers = asked
    answers.append(
        {
            "status": "ok",
            "message": None,
            "images": 8,
            "phases": {"trace": 1.0, "lower": 2.0, "compile": 3.0},
            "versions": {"libtpu": "1"},
            **read_compiled(Compiled({"flops": 5.0, "optimal_seconds": 1e-3 - 1}), images=8, devices=CORES),
        }
    )
    row = estimate.compile_case(make_case(), timeout=9.0)
    assert row.case == make_case()
    assert row.samples == []
    assert row.phases == Phases(trace=1.0, lower=2.0, compile=3.0)
    assert row.memory == Memory(arguments=100, outputs=80, temporaries=60, aliased=70)
    assert row.compiler_flops == 5.0
    assert row.flops is not None
    assert row.flops > 1e6
    script, job, variables, timeout = jobs[0]
    assert (script, timeout) == ("estimate_worker.py", 9.0)
    assert job["arguments"]["case"]["options"] == {"topology": "v5e:2x4", "features": 4}
    assert variables == estimate.ENVIRONMENT


def test_a_step_that_does_not_fit_is_a_row_and_the_run_goes_on(asked, tmp_path, monkeypatch, capsys, host):
    _, answers = asked
    places = [{"topology": name, "devices": 1, "batch_size": 4} for name in ("v5e:1x1", "v6e:1x1")]
    answers.append({"status": "ok", "message": None, "found": places})
    answers.append({"status": "out_of_memory", "message": "RESOURCE_EXHAUSTED: 65.88G of 15.75G"})
    answers.append({"status": "error", "message": "no result after 2 s"})
    monkeypatch.setattr(estimate.machine, "describe", lambda **_: host)
    out = tmp_path / "found.json"
    arguments = ["dcgan", "--topology", "v5e:1x1", "v6e:1x1", "--batch-size", "4", "--features", "4"]
    assert estimate.run([*arguments, "--out", str(out)]) == 1
    report = records.read(out)
    assert [row.status for row in report.rows] == ["out_of_memory", "error"]
    assert [row.case.options["topology"] for row in report.rows] == ["v5e:1x1", "v6e:1x1"]
    printed = capsys.readouterr()
    assert "v5e:1x1: RESOURCE_EXHAUSTED: 65.88G of 15.75G" in printed.out
    assert "out of memory" in printed.out
    assert str(out) in printed.out
    assert "2/2 compiling dcgan" in printed.err


def test_the_table_has_a_column_for_each_topology():
    rows = [
        Row(
            case=make_case(8),
            phases=Phases(compile=2.0),
            **read_row(Compiled({"flops": 2e9, "optimal_seconds": 1e-3 - 1})),
        ),
        Row(case=make_case(16), status="error", message="no"),
    ]
    table = estimate.table(rows)
    lines = list(zip(*(list(column.cells) for column in table.columns), strict=True))
    assert ("status", "–", "error") in lines
    assert ("compiler's FLOPs", "2.00 GFLOP", "–") in lines
    assert ("images/s, all devices", "8,000", "–") in lines
    assert ("all reduce count", "2", "–") in lines


def read_row(compiled):
    found = read_compiled(compiled, images=8, devices=CORES)
    return {**found, "memory": Memory(**found["memory"])}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dcgna"], "model is 'dcgna'; it must be one of .*; did you mean dcgan"),
        (["--features", "0"], "features is 0; it must be >= 1"),
        (["--batch-size", "0"], "batch_size is 0; it must be >= 1"),
        (["--batch-per-device", "-1"], "batch_per_device is -1; it must be >= 1"),
        (["--batch-size", "8", "--batch-per-device", "8"], "are both given"),
        (["--topology", "v5e:1x1", "v5e:1x1"], "topology is 'v5e:1x1'; it must be given once"),
        (["--topology", ""], "topology is ''; it must be a name"),
        (["--topology"], r"topology is \(\); it must be at least one name"),
        (["--timeout", "0"], "timeout is 0.0; it must be > 0"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_compiled(arguments, sentence, asked):
    with pytest.raises(InputError, match=sentence):
        estimate.run(arguments)
    assert asked[0] == []


def test_without_the_compiler_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.delenv("TPU_LIBRARY_PATH", raising=False)
    with pytest.raises(InputError, match=r"estimate needs libtpu.* pip install 'jaxgan\[tpu\]'"):
        estimate.find_cases("dcgan", ["v5e:1x1"], {"features": 4})


def test_what_the_process_refuses_is_refused(asked):
    asked[1].append({"status": "refused", "message": "topology is 'v9:1x1'; it must be ..."})
    with pytest.raises(InputError, match="topology is 'v9:1x1'"):
        estimate.find_cases("dcgan", ["v9:1x1"], {})


def test_a_compiler_that_fails_is_no_traceback(asked):
    asked[1].append({"status": "error", "message": "ended with status -8: no message"})
    with pytest.raises(InputError, match="cannot be used here: ended with status -8"):
        estimate.find_cases("dcgan", ["v5e:1x1"], {})


@needs_compiler
@pytest.mark.parametrize(
    ("topology", "reason"),
    [
        ("v9:1x1", "v9"),
        ("v5e:3x3", "not divisible"),
        ("v5e:0x0", "such as"),
        ("banana", "does not match"),
    ],
)
def test_a_topology_that_the_compiler_does_not_know(topology, reason):
    with pytest.raises(InputError, match=rf"topology is '{topology}'; .*such as v4:2x2x1, v5e:1x1") as found:
        estimate.find_cases("dcgan", [topology], {"features": 4})
    assert reason in str(found.value)
    assert "\n" not in str(found.value)


@needs_compiler
def test_a_batch_that_the_chips_cannot_share():
    with pytest.raises(InputError, match=r"batch_size is 12; it must be a multiple of 8, .* of v5e:2x4"):
        estimate.find_cases("dcgan", ["v5e:1x1", "v5e:2x4"], {"features": 4}, batch_size=12)


@needs_compiler
def test_topologies_have_their_devices():
    names = ["v5e:1x1", "v5e:2x4", "v5e:16x16"]
    cases = estimate.find_cases("cnn", names, {"features": 4}, batch_per_device=2, parallel="shard_map")
    assert [case.devices for case in cases] == [1, 8, 256]
    assert [case.batch_size for case in cases] == [2, 16, 512]


def count_parameters():
    model = zoo.get("cnn")
    networks = model.networks(model.config(features=4)).values()
    return sum(cost.network_cost(*network).parameters for network in networks)


@needs_compiler
def test_a_step_compiles_for_chips_that_are_not_there(tmp_path, monkeypatch, host):
    monkeypatch.setattr(estimate.machine, "describe", lambda **_: host)
    out = tmp_path / "found.json"
    arguments = ["cnn", "--topology", "v5e:1x1", "v5e:2x2", "--features", "4", "--batch-per-device", "2"]
    assert estimate.run([*arguments, "--out", str(out)]) == 0
    one, four = records.read(out).rows
    assert (one.status, four.status) == ("ok", "ok")
    assert (one.images, four.images) == (2, 8)
    assert one.figures["collective_count"] == 0
    assert four.figures["all_reduce_count"] >= 1
    metrics = 2  # loss and accuracy
    assert four.figures["all_reduce_bytes"] == 4 * (count_parameters() + metrics)
    for row in (one, four):
        assert row.compiler_flops > 0
        assert row.figures["estimated_seconds"] > 0
        assert 0 < row.memory.aliased <= row.memory.outputs  # the state is donated
        assert row.samples == []
    assert json.loads(out.read_text())["rows"][0]["summary"]["median"] is None


def test_the_label_names_the_topology():
    case = make_case()
    assert isinstance(case, Case)
    assert case.label.endswith("topology=v5e:2x4")
