"""The API's ports over a handler's: for the door, and for what calls the API's operations from within."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from tidegate.api import ExecutionsBusyError, Services, Settings
from tidegate.api.errors import ApiError
from tidegate.gateways.errors import ThrottledError
from tidegate.gateways.service_roles import ServiceRoleError
from tidegate.runtime import Runtime


class _Executions:
    """The machine, with throttling told in the API's words."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def start(self, deployment_id: str, generation: int) -> None:
        try:
            self._runtime.executions.start(deployment_id, generation)
        except ThrottledError as error:
            raise ExecutionsBusyError(str(error)) from error


class _GitHubTokens:
    """The tokens, behind a client that is made when one is asked for: hardly any call does."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def names(self) -> Sequence[str]:
        return self._runtime.github_tokens.names()

    def delete(self, name: str) -> bool:
        return self._runtime.github_tokens.delete(name)


class _LifecycleHooks:
    """Auto Scaling, with throttling told in the API's words, behind a client that hardly any call makes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def act_for(self, role_arn: str, on: str) -> None:
        self._runtime.acting.act_for(role_arn, on)

    def groups(self, names: Sequence[str]) -> Mapping[str, object]:
        with _busy():
            return self._runtime.lifecycle_hooks.groups(names)

    def names(self, scaling_group: str) -> Sequence[str]:
        with _busy():
            return self._runtime.lifecycle_hooks.names(scaling_group)

    def put(self, scaling_group: str, name: str, transition: str, about: Mapping[str, str]) -> None:
        with _busy():
            self._runtime.lifecycle_hooks.put(scaling_group, name, transition, about)

    def delete(self, scaling_group: str, name: str) -> None:
        with _busy():
            self._runtime.lifecycle_hooks.delete(scaling_group, name)


@contextmanager
def _busy() -> Iterator[None]:
    try:
        yield
    except ServiceRoleError as error:
        raise ApiError("InvalidRoleException", str(error)) from error
    except ThrottledError as error:
        raise ApiError("ThrottlingException", f"{error} Call again.") from error


def api_services(runtime: Runtime, new_id: Callable[[], str] | None = None) -> Services:
    """The ports; ``new_id`` draws the ids of deployments where not the runtime does."""
    settings = runtime.settings
    return Services(
        table=runtime.table,
        executions=_Executions(runtime),
        signals=runtime.signals,
        progress=runtime.progress,
        logs=runtime.logs,
        github_tokens=_GitHubTokens(runtime),
        lifecycle_hooks=_LifecycleHooks(runtime),
        clock=runtime.clock,
        new_id=new_id or runtime.new_deployment_id,
        new_uuid=runtime.new_uuid,
        account=settings.account,
        region=settings.region,
        settings=Settings(revision_buckets=settings.revision_buckets),
    )
