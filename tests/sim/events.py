"""Events that are lost, late, doubled and out of order, and the queue that brings them to WakeDeployment."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.sim.ports import EXPECTED, Invocation
from tests.sim.watch import Violation
from tests.unit.functions.machine import Json, Killed

if TYPE_CHECKING:
    from tests.sim.world import SimWorld

COMES_AGAIN = 30  # seconds after which the queue gives a message again


@cache
def module_of(function: str) -> Any:
    """The module of a function by its name in the template."""
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", function.removesuffix("Function")).lower()
    return importlib.import_module(f"functions.{folder}.app")


class Events:
    """The events of a world."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world

    def command_ended(self, command_id: str, node_id: str) -> None:
        """Systems Manager tells of the end of a command on a host."""
        detail = {"command-id": command_id, "instance-id": node_id, "status": "Success"}
        body = {"source": "aws.ssm", "detail": detail}
        sent = self.send(lambda: self.deliver(body), f"{command_id} {node_id}")
        self._world.liveness.command_ended(command_id, node_id, lost=not sent)

    def send(self, arrive: Callable[[], None], what: str) -> bool:
        """Let an event arrive, unless it is lost; whether it is on its way."""
        world, chance = self._world, self._world.chance
        if chance.happens("event lost"):
            world.tell(f"event lost: {what}")
            return False
        late = chance.happens("event late")
        after = late.expovariate(1 / 60) if late else 0.5
        world.clock.at(world.now + after, arrive)
        if double := chance.happens("event doubled"):
            world.clock.at(world.now + after + double.expovariate(1 / 20), arrive)
        return True

    def deliver(self, body: Json, tries: int = 5) -> None:
        """An event, through the queue; what WakeDeployment gives back, or dies of, comes again."""
        world, record = self._world, {"messageId": "m-1", "body": json.dumps(body)}
        world.current.append(Invocation("WakeDeploymentFunction", world.now))
        try:
            again = module_of("WakeDeploymentFunction").run({"Records": [record]}, world.runtime)["batchItemFailures"]
        except (Killed, *EXPECTED):
            again = [record]
        except Exception as error:
            raise Violation(f"WakeDeployment raised {type(error).__name__}: {error}") from error
        finally:
            world.current.pop()
        if again and tries > 1:
            world.clock.at(world.now + COMES_AGAIN, lambda: self.deliver(body, tries - 1))
