"""The display of a run, on a terminal and elsewhere."""

import io

from rich.console import Console

from jaxgan.progress import display

METRICS = {"generator_loss": 0.8124, "real_accuracy": 0.5}


def show(*, terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    with display(20, console) as screen:
        screen.say("resumed at step 5")
        screen.update(10, None, METRICS)
        screen.update(20, 1234.5, METRICS)
    return console.file.getvalue()


def test_elsewhere_there_are_plain_lines():
    assert show(terminal=False).splitlines() == [
        "resumed at step 5",
        "step 10/20  generator loss 0.812, real accuracy 0.500",
        "step 20/20  1,234 images/s  generator loss 0.812, real accuracy 0.500",
    ]


def test_a_terminal_gets_a_bar():
    printed = show(terminal=True)
    for words in ("resumed at step 5", "20/20", "1,234 images/s", "generator loss 0.812", "left"):
        assert words in printed
