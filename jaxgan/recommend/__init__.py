"""Which network to take: the models of the zoo against data, a device and hours.

`rules` and `devices` are numbers in, a ranking out. `survey` reads the data, `candidates` counts what a step
costs without running it, `timing` runs something on this device, `advice` puts them together.
"""

from jaxgan.recommend.advice import TASKS, Advice, Task, recommend

__all__ = ["TASKS", "Advice", "Task", "recommend"]
