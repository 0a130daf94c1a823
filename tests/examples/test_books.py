"""The notebook runs in a kernel of this environment and shows what the venue's books could have been."""

from __future__ import annotations

import re
from decimal import Decimal

import nbformat
import pytest
from nbclient import NotebookClient

from tests.programs import ROOT

NOTEBOOK = ROOT / "examples" / "books.ipynb"
ROW = re.compile(
    r"^(?P<symbol>\w+/USD) +(?P<bid>[\d.]+) +(?P<ask>[\d.]+) +(?P<spread>[\d.]+) +(?P<levels>\d+)$"
)


@pytest.fixture(scope="module")
def printed(feed, tmp_path_factory) -> str:
    """What the notebook's cells print."""
    _, environment = feed
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = tmp_path_factory.mktemp("notebook")
    client = NotebookClient(notebook, timeout=30, resources={"metadata": {"path": str(folder)}})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert {(output.output_type, output.name) for output in outputs} == {("stream", "stdout")}
    return "".join(output.text for output in outputs)


def test_it_says_that_the_data_are_simulated(printed):
    assert "200 frames (SIMULATED)" in printed


def test_every_book_has_a_spread(printed):
    rows = [match for line in printed.splitlines() if (match := ROW.fullmatch(line))]
    assert [row["symbol"] for row in rows] == ["BTC/USD", "ETH/USD"]
    for row in rows:
        assert Decimal(row["ask"]) - Decimal(row["bid"]) == Decimal(row["spread"]) > 0
        assert int(row["levels"]) > 2


def test_the_outputs_that_are_checked_in_come_from_a_run():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert "SIMULATED" in "".join(output.text for cell in code for output in cell.outputs)
