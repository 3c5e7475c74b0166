"""The proxy in a process of its own."""

import typer

from tidegate_cli.proxy import proxy

typer.run(proxy)
