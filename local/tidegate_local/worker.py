"""The process that runs one Lambda function's handler.

Stands in for the Lambda execution environment ("Lambda execution environment lifecycle" in the Lambda developer
guide): its own process, environment variables and module globals, kept warm between calls. It is forked by the fork
server; its settings, then requests come as lines of JSON on one pipe, answers leave on another, and what the handler
prints goes to the log.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from tidegate_local.policy.client_hooks import Authoriser, node_tags, watch_client
from tidegate_local.policy.place import Place
from tidegate_local.preload import forget


class Context:
    """What Lambda gives a handler as its second argument."""

    def __init__(self, settings: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        self.function_name = settings["function_name"]
        self.function_version = "$LATEST"
        self.invoked_function_arn = settings["function_arn"]
        self.memory_limit_in_mb = str(settings["memory"])
        self.aws_request_id = request["id"]
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = f"local/[$LATEST]{os.getpid()}"
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + float(request["timeout"])

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the time-out."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class Worker:
    """Loads a handler and answers requests until the pipe closes."""

    def __init__(self, settings: Mapping[str, Any], requests: TextIO, answers: TextIO) -> None:
        self._settings = settings
        self._requests = requests
        self._answers = answers
        self._counts: dict[str, int] = {}
        self._kill: Mapping[str, str] = {}
        self._tags: dict[str, tuple[float, dict[str, str]]] = {}
        self._plain_client: Callable[..., Any] | None = None

    def run(self) -> None:
        """Load the handler, say that it is ready, and serve."""
        self._watch_aws_calls()
        handler: Callable[[Any, Context], Any] | None = None
        failure: dict[str, Any] | None = None
        try:
            handler = _load(self._settings["handler"])
        except BaseException as error:
            failure = _describe(error)
        self._send({"ready": True})
        for line in self._requests:
            request = json.loads(line)
            self._kill = request.get("kill") or {}
            _log(f"START RequestId: {request['id']} Version: $LATEST")
            answer = {"failure": failure} if handler is None else self._call(handler, request)
            _log(f"END RequestId: {request['id']}")
            self._send({"id": request["id"], "counts": self._take_counts(), **answer})

    def _call(self, handler: Callable[[Any, Context], Any], request: Mapping[str, Any]) -> dict[str, Any]:
        os.environ["_X_AMZN_TRACE_ID"] = f"Root=1-{request['id']}"
        try:
            result = handler(request["event"], Context(self._settings, request))
            return {"result": json.dumps(result)}
        except BaseException as error:
            if isinstance(error, (SystemExit, KeyboardInterrupt)):
                raise
            traceback.print_exc()
            return {"failure": _describe(error)}

    def _send(self, message: Mapping[str, Any]) -> None:
        self._answers.write(json.dumps(message) + "\n")
        self._answers.flush()

    def _take_counts(self) -> dict[str, int]:
        taken = dict(self._counts)
        self._counts.clear()
        return taken

    def _watch_aws_calls(self) -> None:
        # Every client is made through this method, boto3's included.
        import botocore.session  # after the function's own path was set

        place = Place(self._settings["account"], self._settings["region"])
        authoriser = Authoriser(self._settings["role_arn"], self._settings["statements"], place, self._tags_of_instance)
        original = botocore.session.Session.create_client

        def create_client(session: Any, *args: Any, **kwargs: Any) -> Any:
            client = original(session, *args, **kwargs)
            # What a function does in the session of another role is judged by that role, where it arrives.
            judge = None if kwargs.get("aws_session_token") else authoriser
            watch_client(client, judge, self._counts, self._die_if_asked)
            return client

        self._plain_client = lambda service: original(botocore.session.get_session(), service)
        # Through setattr, since the replacement takes whatever the original takes.
        setattr(botocore.session.Session, "create_client", create_client)  # noqa: B010

    def _die_if_asked(self, when: str, call: str) -> None:
        if call == self._kill.get(when):
            self._send({"killed": True, "counts": self._take_counts()})
            os.kill(os.getpid(), signal.SIGKILL)  # as kill -9: nothing is flushed, cleaned up or said

    def _tags_of_instance(self, instance: str) -> Mapping[str, str]:
        until, tags = self._tags.get(instance, (0.0, {}))
        if time.monotonic() < until:
            return tags
        assert self._plain_client is not None
        tags = node_tags(self._plain_client, instance)
        # A short memory: one command names up to fifty instances and is judged once for each.
        self._tags[instance] = (time.monotonic() + 2.0, tags)
        return tags


def _log(line: str) -> None:
    sys.stderr.flush()
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _load(handler: str) -> Callable[[Any, Context], Any]:
    module_name, _, name = handler.rpartition(".")
    module = importlib.import_module(module_name.replace("/", "."))
    loaded: Callable[[Any, Context], Any] = getattr(module, name)
    return loaded


def _describe(error: BaseException) -> dict[str, Any]:
    frames = traceback.format_exception(type(error), error, error.__traceback__)
    return {
        "errorType": type(error).__name__,
        "errorMessage": str(error),
        "stackTrace": [frame.rstrip() for frame in frames[1:-1]],
    }


def serve(request_fd: int, answer_fd: int, layers: Sequence[str], preloaded: frozenset[str]) -> None:
    """Be a function's worker, in a process just forked, until the requests end.

    Parameters
    ----------
    request_fd, answer_fd
        Descriptors of requests and answers. The first request is the worker's settings.
    layers
        Folders of layers that are first on ``sys.path`` already.
    preloaded
        Names of the modules that were imported for all functions, from these layers or from elsewhere.
    """
    os.set_inheritable(request_fd, False)
    os.set_inheritable(answer_fd, False)
    with os.fdopen(request_fd, encoding="utf-8") as requests, os.fdopen(answer_fd, "w", encoding="utf-8") as answers:
        line = requests.readline()
        if not line:
            return
        settings = json.loads(line)
        _settle(settings, layers, preloaded)
        Worker(settings, requests, answers).run()


def _settle(settings: Mapping[str, Any], layers: Sequence[str], preloaded: frozenset[str]) -> None:
    """Take on a function's variables, folder and import path."""
    os.environ.clear()
    os.environ.update(settings["environment"])
    time.tzset()
    path = settings["path"]
    os.chdir(path[0])
    sys.path[: len(layers)] = path
    for folder in path:
        if folder not in layers:
            forget(preloaded, frozenset(found.name.partition(".")[0] for found in Path(folder).iterdir()))
