"""`virtufin connectors list|describe`: which venues this installation speaks to, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from virtufin_examples.cli._outcome import fail, print_json, print_rows
from virtufin_examples.errors import InvalidInputError, NotFoundError, VirtufinError

if TYPE_CHECKING:
    from virtufin_examples.connections import Plugin

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines.")]

connectors = typer.Typer(
    help="List and describe the installed connectors.",
    epilog="Example: virtufin connectors list",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(connectors, name="connectors")


@connectors.command("list", epilog="Example: virtufin connectors list --json")
def list_(as_json: AsJson = False) -> None:
    """List the connectors of all installed packages, and those that cannot be used with the reason."""
    from virtufin_examples.connections import installed_plugins

    rows = [_row(plugin) for plugin in installed_plugins()]
    if as_json:
        for row in rows:
            print_json({"event": "connector", **row})
        return
    shown = [{**row, "about": row["problem"] or row["description"]} for row in rows]
    print_rows(shown, ("name", "status", "package", "version", "about"), empty="")


@connectors.command(epilog="Example: virtufin connectors describe alpaca")
def describe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="From `connectors list`.")],
    as_json: AsJson = False,
) -> None:
    """Describe a connector: URLs, options, limits, handshake, and what it does about errors."""
    from virtufin_examples.connections import installed_plugins

    plugins = installed_plugins()
    plugin = next((each for each in plugins if each.name == name), None)
    if plugin is None:
        names = ", ".join(each.name for each in plugins)
        fail(InvalidInputError(f"NAME is {name!r}", hint=f"there are {names}"), as_json=as_json)
    if plugin.connector is None:
        problem = f"connector {name!r} cannot be used: {plugin.problem}"
        fail(
            NotFoundError(problem, hint=f"mend or remove the package {plugin.package}"),
            as_json=as_json,
        )
    try:
        about = _description(plugin)
    except VirtufinError as error:
        fail(error, as_json=as_json)
    if as_json:
        print_json({"event": "connector", **about})
    else:
        _show(about)


def _row(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "status": "broken" if plugin.connector is None else "ok",
        "package": plugin.package,
        "version": plugin.version,
        "description": plugin.connector.description if plugin.connector is not None else "",
        "problem": plugin.problem,
    }


def _description(plugin: Plugin) -> dict[str, Any]:
    from virtufin_examples.connections import describe_connector

    assert plugin.connector is not None  # noqa: S101 - the caller has looked
    try:
        return {**_row(plugin), **describe_connector(plugin.connector)}
    except Exception as error:
        raise VirtufinError(
            f"connector {plugin.name!r} failed when it was asked: {type(error).__name__}: {error}",
            hint=f"mend or remove the package {plugin.package}",
        ) from error


def _show(about: dict[str, Any]) -> None:
    from virtufin_examples.connections import limits_in_words

    typer.echo(f"{about['name']} {about['version']} ({about['package']})")
    typer.echo(about["description"])
    if about["handshake"]:
        typer.echo(f"\nHandshake: {about['handshake']}")
    typer.echo("\nURLs")
    rows = [{**url, "limits": limits_in_words(url["limits"])} for url in about["urls"]]
    print_rows(rows, ("url", "carries", "limits"), empty="claims none: name it with connector")
    typer.echo("\nOptions")
    print_rows(about["options"], ("name", "default", "meaning"), empty="")
    typer.echo("\nErrors, and what is done: note it, retry, wait, or give up for good (permanent)")
    rows = [
        {**rule, "wait": f"{rule['wait_seconds']:g} s" if rule["wait_seconds"] else ""}
        for rule in about["errors"]
    ]
    print_rows(rows, ("error", "disposition", "wait", "meaning"), empty="")
