"""The benchmark of peers: that they do jaxgan's work, and what the command makes of what they measure."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import commands, flops, machine, peers, process, records, worker
from benchmarks.options import Timing
from benchmarks.records import Case, Phases, Row
from jaxgan import cost
from jaxgan.classifiers import cnn, vgg
from jaxgan.gans import dcgan
from jaxgan.nn import imagenet
from jaxgan.style import gatys
from jaxgan.validation import InputError

FOLDER = worker.FOLDER
THREE_STEPS = """
import json, sys
from pathlib import Path
sys.path[:] = [place for place in sys.path if Path(place).name != "contenders"]
sys.path.append(sys.argv[1])
import worker
sys.path.remove(sys.argv[1])
case = json.loads(sys.argv[2])
prepared = worker.load(case["contender"], case["work"]).prepare(case)
losses = [prepared["step"]() for _ in range(3)]
del prepared["step"]
print(json.dumps({**prepared, "losses": losses}))
"""


def case(contender="flax", work="dcgan", **options):
    return Case(suite="peers", contender=contender, work=work, batch_size=4, options=options)


def contender(name):
    """The module of a contender; what it needs is imported only when it is used."""
    path = FOLDER / "contenders" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"contender_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(name, seconds, work="dcgan"):
    return Row(
        case=case(name, work),
        samples=[seconds],
        images=4,
        phases=Phases(load=1.0, first=0.5),
        versions={name: "1.0", "python": "3.12"},
        figures={"cold_start": 2.5},
    )


class TestWork:
    def test_is_that_of_jaxgan(self):
        work, config = contender("_work"), dcgan.MNIST
        game = config.game
        assert (game.loss, game.updates) == ("non_saturating", "simultaneous")
        assert dataclasses.asdict(game.generator) == dataclasses.asdict(game.discriminator)
        for found, adam in ((work.GAN_ADAM, game.generator), (work.CNN_ADAM, cnn.MNIST.optimizer)):
            assert {name: getattr(adam, name) for name in found} == found
        ours = (config.latent_size, config.slope, config.dropout, config.bn_momentum, config.bn_epsilon)
        theirs = (work.LATENT_SIZE, work.SLOPE, work.DROPOUT, work.BN_MOMENTUM, work.BN_EPSILON)
        assert ours == theirs
        assert (config.output, config.image_shape) == ("tanh", work.IMAGE_SHAPE)

    @pytest.mark.parametrize("features", [4, 64])
    def test_has_the_sizes_of_jaxgan(self, features):
        sizes = contender("_work").Sizes(features)
        found = {
            name: cost.network_cost(*network).parameters
            for name, network in dcgan.networks(dcgan.Config(features=features)).items()
        }
        assert found["generator"] == sizes.generator_parameters
        assert found["discriminator"] == sizes.discriminator_parameters

    def test_of_the_classifier_has_its_size(self):
        (network,) = cnn.networks().values()
        assert cost.network_cost(*network).parameters == contender("_work").CNN_PARAMETERS

    def test_of_the_style_transfer_is_that_of_jaxgan(self):
        work, config = contender("_work"), gatys.Config()
        ours = (config.content_layers, config.style_layers, config.learning_rate)
        assert ours == (work.CONTENT_LAYERS, work.STYLE_LAYERS, work.GATYS_ADAM["learning_rate"])
        weights = (config.content_weight, config.style_weight, config.variation_weight)
        assert weights == (work.CONTENT_WEIGHT, work.STYLE_WEIGHT, work.VARIATION_WEIGHT)
        assert vgg.STACKS[work.VGG_DEPTH] == work.VGG_STACKS
        assert (work.MEAN, work.DEVIATION) == (imagenet.MEAN, imagenet.DEVIATION)

    def test_refuses_networks_of_another_size(self):
        with pytest.raises(ValueError, match=r"the generator has 1,936,257 parameters; .* 1,936,256"):
            contender("_work").check_parameters({"generator": 1_936_257}, {"generator": 1_936_256})

    def test_is_not_done_on_another_platform(self):
        with pytest.raises(NotImplementedError, match="torch can run on cpu here, not on tpu"):
            contender("_work").check_platform(dataclasses.asdict(case("torch", platform="tpu")), "cpu")

    def test_takes_as_many_threads_as_asked_for(self):
        work = contender("_work")
        assert work.threads(dataclasses.asdict(case(threads=1))) == 1
        assert work.threads(dataclasses.asdict(case())) == len(os.sched_getaffinity(0))


class TestFlax:
    def test_networks_cost_what_ours_do(self):
        work = contender("_work")
        theirs = contender("flax")._players(work, work.Sizes(64))
        for name, (ours, shape) in dcgan.networks().items():
            assert cost.network_cost(theirs[name], shape) == cost.network_cost(ours, shape)

    def test_discriminator_is_the_function_that_ours_is(self):
        work = contender("_work")
        theirs = contender("flax")._players(work, work.Sizes(2))["discriminator"]
        ours, shape = dcgan.networks(dcgan.Config(features=2))["discriminator"]
        images = jax.random.normal(jax.random.key(0), (3, *shape))
        variables = ours.init(jax.random.key(1), images, train=False)
        leaves = jax.tree.leaves(variables)
        names = jax.tree.structure(theirs.init(jax.random.key(1), images, train=False))
        found = theirs.apply(jax.tree.unflatten(names, leaves), images, train=False)
        np.testing.assert_allclose(found, ours.apply(variables, images, train=False), rtol=1e-4, atol=1e-5)

    def test_gradients_are_those_of_two_losses_apart(self):
        real = jnp.array([0.3, -1.2])
        params = {"generator": jnp.array(0.7), "discriminator": jnp.array(-0.4)}
        noise = jnp.array([1.0, 2.0])

        def generate(weight):
            return weight * noise, {"seen": weight}

        def judge(weight, fakes):
            return (weight * real**2, weight * jnp.sin(fakes)), {}

        def generator_loss(weight):
            (_, fake_logits), _ = judge(params["discriminator"], generate(weight)[0])
            return -jax.nn.log_sigmoid(fake_logits).mean()

        def discriminator_loss(weight):
            real_logits, fake_logits = judge(weight, generate(params["generator"])[0])[0]
            return -(jax.nn.log_sigmoid(real_logits) + jax.nn.log_sigmoid(-fake_logits)).mean()

        losses, gradients, states = contender("_jax").players_gradients(generate, judge, params)
        for name, loss in (("generator", generator_loss), ("discriminator", discriminator_loss)):
            value, gradient = jax.value_and_grad(loss)(params[name])
            np.testing.assert_allclose(losses[name], value, rtol=1e-6)
            np.testing.assert_allclose(gradients[name], gradient, rtol=1e-6)
        assert states == {"generator": {"seen": params["generator"]}, "discriminator": {}}


@pytest.mark.parametrize("work", ["dcgan", "cnn", "gatys", "cnn-epoch"])
@pytest.mark.parametrize("name", peers.PEERS)
def test_a_peer_learns(name, work):
    module = contender(name)
    missing = [package for package in module.PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if work not in module.WORKS:
        assert name not in peers.WORKS[work].peers
        pytest.skip(f"{name} does no {work}")
    job = dataclasses.asdict(case(name, work, features=4, images=8))
    command = [sys.executable, "-c", THREE_STEPS, str(FOLDER), json.dumps(job)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path("/"))
    found = json.loads(ended.stdout.splitlines()[-1])
    players = {"dcgan": {"generator", "discriminator"}, "cnn": {"network"}, "gatys": {"loss"}}
    players = players.get(work, {"loss", "accuracy"})
    assert [set(losses) for losses in found["losses"]] == [players] * 3
    for player in players - {"accuracy"}:
        values = [losses[player] for losses in found["losses"]]
        assert np.isfinite(values).all()
        assert len(set(values)) == 3
    if work in ("cnn", "gatys"):
        (player,) = players
        assert found["losses"][-1][player] < found["losses"][0][player]
    assert found["images"] == (8 if work == "cnn-epoch" else 4)
    assert Phases(**found["phases"]).total > 0
    records.Memory(**found["memory"])
    assert found["versions"]


class TestFlags:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--contenders", "tensorflow"], "peer is 'tensorflow'; it must be one of jaxgan, flax, "),
            (["--contenders", "torch-compile"], "did you mean torch_compile?"),
            (["vgg"], "work is 'vgg'; it must be one of dcgan, cnn, gatys, cnn-epoch"),
            (["--batch-size", "0"], "batch_size is 0; it must be >= 1"),
            (["--features", "0"], "features is 0; it must be >= 1"),
            (["--repeats", "0"], "repeats is 0; it must be >= 1"),
            (["--threads", "0"], "threads is 0; it must be from 1 to "),
            (["--threads", "4096"], "threads is 4096; it must be from 1 to "),
            (["--python", "torch"], "python is 'torch'; it must be NAME=PATH"),
            (["--python", "torch="], "python is 'torch='; it must be NAME=PATH"),
            (["--python", "jax=/bin/sh"], "peer is 'jax'"),
            (["--python", "torch=/bin/sh", "--python", "torch=/bin/sh"], "it must be given once for torch"),
            (["--python", "torch=/no/such/python"], "the interpreter of torch is '/no/such/python'"),
            (["cnn-epoch", "--images", "100"], "images is 100; it must be a multiple of 32, the batch size"),
            (["cnn-epoch", "--images", "0"], "images is 0; it must be a multiple of 32"),
            (["--out", "/"], "--out is '/'"),
        ],
    )
    def test_that_cannot_be_used_are_refused(self, arguments, message, capsys, monkeypatch):
        monkeypatch.setattr(process, "measure", None)
        assert commands.main(["peers", *arguments]) == 2
        assert message in capsys.readouterr().err

    def test_name_the_interpreter_of_each_contender(self):
        found = peers.interpreters([f"torch={sys.executable}", f"flax={sys.executable}"])
        assert found == {"torch": sys.executable, "flax": sys.executable}

    def test_make_cases_that_differ_in_the_contender_only(self):
        cases = peers.make_cases(peers.Flags(works=("dcgan", "cnn"), features=4, threads=1))
        assert [found.batch_size for found in cases] == [128] * 6 + [32] * 6
        for work in ("dcgan", "cnn"):
            alike = {
                json.dumps(dataclasses.asdict(found) | {"contender": ""})
                for found in cases
                if found.work == work
            }
            assert len(alike) == 1
        assert cases[0].options == {"threads": 1, "features": 4}
        assert cases[-1].options == {"threads": 1}

    def test_style_one_picture_at_a_time(self):
        cases = peers.make_cases(peers.Flags(works=("gatys",), batch_size=8))
        assert [found.contender for found in cases] == ["jaxgan", "torch", "torch_compile"]
        assert {found.batch_size for found in cases} == {1}

    def test_leave_the_epoch_to_those_that_have_one(self):
        cases = peers.make_cases(peers.Flags(works=("cnn-epoch",)))
        assert [found.contender for found in cases] == ["jaxgan", "keras_jax", "keras_tensorflow"]
        assert cases[0].options == {"images": 60_000}

    def test_hold_peers_to_the_platform_of_jaxgan(self):
        (found,) = peers.make_cases(peers.Flags(contenders=("torch",)), platform="gpu")
        assert found.options == {"platform": "gpu"}


def test_jaxgan_styles_as_its_peers_do():
    timing = Timing(rounds=1, repeats=1, warmup=0)
    rows = peers.measure_peers([case("jaxgan", "gatys", features=2)], timing, {})
    assert rows[0].status == "ok", rows[0].message
    assert rows[0].images == 1
    assert rows[0].flops is None


def test_the_contenders_know_their_works():
    for name in peers.PEERS:
        for work, known in peers.WORKS.items():
            assert (name in known.peers) == (work in contender(name).WORKS)


def test_cores_are_limited_for_a_while():
    before = os.sched_getaffinity(0)
    count = [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"]
    with peers.cores(1):
        assert subprocess.check_output(count, text=True).strip() == "1"
    assert os.sched_getaffinity(0) == before
    with pytest.raises(InputError, match="threads"), peers.cores(len(before) + 1):
        pass


class TestMeasure:
    def measured(self, monkeypatch, *rows):
        calls = []

        def measure(cases, **arguments):
            calls.append((cases, arguments))
            return [found for found in rows if found.case in cases]

        monkeypatch.setattr(process, "measure", measure)
        cases = [found.case for found in rows]
        timing = Timing(rounds=2, repeats=5, warmup=3)
        return peers.measure_peers(cases, timing, {"torch": sys.executable}), calls

    def test_compares_speeds(self, monkeypatch):
        found, _ = self.measured(monkeypatch, row("jaxgan", [0.2, 0.2]), row("flax", [0.8, 0.8]))
        assert [each.figures["speed_over_jaxgan"] for each in found] == [1.0, 0.25]
        assert all(each.flops == flops.of_sample(case()) for each in found)

    def test_compares_with_nothing_where_jaxgan_failed(self, monkeypatch):
        failed = Row(case=case("jaxgan"), status="error", message="no")
        found, _ = self.measured(monkeypatch, failed, row("flax", [0.8]))
        assert [each.figures for each in found] == [{}, {"cold_start": 2.5}]
        assert found[0].flops is None

    def test_takes_one_epoch_after_a_first(self, monkeypatch):
        epoch = Row(case=case("jaxgan", "cnn-epoch", images=8), samples=[[1.0]], images=8)
        found, calls = self.measured(monkeypatch, row("jaxgan", [0.1], "cnn"), epoch)
        counts = [(call["rounds"], call["warmup"], call["repeats"]) for _, call in calls]
        assert counts == [(2, 3, 5), (2, 1, 1)]
        assert found[1].flops == 2 * found[0].flops
        assert calls[0][1]["interpreters"] == {"torch": sys.executable}

    def test_gives_peers_no_xla_flags(self, monkeypatch):
        _, calls = self.measured(monkeypatch, row("flax", [0.8]))
        assert calls[0][1]["flags"] == dict.fromkeys(peers.PEERS, "")

    def test_skips_what_is_not_installed(self):
        missing = next(
            (
                name
                for name in ("torch", "keras_tensorflow")
                if not importlib.util.find_spec(contender(name).PACKAGES[0])
            ),
            None,
        )
        if missing is None:
            pytest.skip("every peer is installed")
        (found,) = peers.measure_peers([case(missing)], Timing(rounds=1, repeats=1, warmup=0), {})
        assert found.status == "skipped"
        assert "not installed" in found.message
        assert not found.samples


class TestRun:
    @pytest.fixture(autouse=True)
    def here(self, monkeypatch, host):
        monkeypatch.setattr(machine, "describe", lambda **_: host)

    def run(self, monkeypatch, tmp_path, *rows):
        monkeypatch.setattr(process, "measure", lambda *_, **__: list(rows))
        out = tmp_path / "peers.json"
        names = [found.case.contender for found in rows]
        arguments = ["dcgan", "--batch-size", "4", "--contenders", *names, "--out", str(out)]
        return commands.main(["peers", *arguments]), out

    def test_writes_a_report_and_shows_a_table(self, monkeypatch, tmp_path, capsys):
        skipped = Row(case=case("torch"), status="skipped", message="not installed: torch")
        rows = row("jaxgan", [0.2]), row("flax", [0.8]), skipped
        status, out = self.run(monkeypatch, tmp_path, *rows)
        shown = capsys.readouterr().out
        assert status == 0
        assert "dcgan torch: skipped: not installed: torch" in shown
        assert f"the results are in {out}" in shown
        flax = next(line for line in shown.splitlines() if "│ flax" in line)
        assert [cell.strip() for cell in flax.split("│")[1:-1]] == [
            "dcgan 4", "flax", "flax 1.0", "800", "800", "800", "5.00", "0.250", "2.50",
        ]  # fmt: skip
        report = records.read(out)
        assert report.command[0] == "peers"
        assert [found.status for found in report.rows] == ["ok", "ok", "skipped"]
        assert report.rows[1].figures["speed_over_jaxgan"] == 0.25

    def test_fails_where_nothing_could_be_measured(self, monkeypatch, tmp_path):
        skipped = Row(case=case("torch"), status="skipped", message="not installed: torch")
        assert self.run(monkeypatch, tmp_path, skipped)[0] == 1
