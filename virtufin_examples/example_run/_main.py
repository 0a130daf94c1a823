"""The entry of an example script: flags, settings, the run, the exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from virtufin_examples.example_run._options import Options, View, parse

if TYPE_CHECKING:
    from virtufin_examples.client import ClientSettings
    from virtufin_examples.errors import VirtufinError
    from virtufin_examples.example_run._plan import Plan

DONE, FAILED, WRONG_USAGE = 0, 1, 2


def main(arguments: Sequence[str], *, title: str, description: str, settings: Path) -> int:
    """Run an example and return the exit status: 0 done, 1 failed, 2 wrong usage or settings.

    `settings` is the default of --settings. What a run needs is imported when it is needed, so that --help
    is instant.
    """
    options = parse(arguments, prog=Path(sys.argv[0]).name, description=description, settings=settings)
    try:
        return _run(options, title)
    except KeyboardInterrupt:  # before the run had taken the signals over
        sys.stderr.write("interrupted\n")
        return FAILED


def _run(options: Options, title: str) -> int:
    from virtufin_examples.errors import VirtufinError  # noqa: PLC0415 - see main

    as_json = options.view is View.JSON
    try:
        from virtufin_examples.client import ClientSettings, FeedSettings  # noqa: PLC0415 - see main
        from virtufin_examples.example_run._plan import make_plan  # noqa: PLC0415 - see main

        client = ClientSettings.load()
        plan = make_plan(options, FeedSettings.load(options.settings), client)
    except VirtufinError as error:
        _report(error, as_json=as_json)
        return WRONG_USAGE
    try:
        return _execute(options, title, plan, client)
    except VirtufinError as error:
        _report(error, as_json=as_json)
        return FAILED


def _execute(options: Options, title: str, plan: Plan, client: ClientSettings) -> int:
    import asyncio  # noqa: PLC0415 - see main

    from virtufin_examples.example_run._interrupt import Interrupts  # noqa: PLC0415 - see main
    from virtufin_examples.example_run._output import Output  # noqa: PLC0415 - see main
    from virtufin_examples.example_run._run import ExampleRun  # noqa: PLC0415 - see main
    from virtufin_examples.example_run._views import choose_view  # noqa: PLC0415 - see main

    async def work() -> int:
        interrupts = Interrupts()
        output = Output(sys.stdout, on_closed=interrupts.interrupt)
        run = ExampleRun(
            title=title,
            options=options,
            plan=plan,
            client=client,
            view=choose_view(options.view, plan.settings, output),
            interrupts=interrupts,
        )
        task = asyncio.create_task(run.run(), name="run")
        interrupts.guard(task)
        try:
            await task
        except asyncio.CancelledError:
            sys.stderr.write("interrupted before the feed was open; nothing of it is left\n")
            return FAILED
        return DONE

    return asyncio.run(work())


def _report(error: VirtufinError, *, as_json: bool) -> None:
    """Say on stderr what is wrong and how to mend it."""
    if as_json:
        line = {"event": "error", "code": error.code, "message": error.message, "hint": error.hint}
        sys.stderr.write(json.dumps(line) + "\n")
        return
    sys.stderr.write(f"error: {error.message}\n")
    if error.hint:
        sys.stderr.write(f"  fix: {error.hint}\n")
