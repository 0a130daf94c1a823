"""What the example scripts share: flags, header, live views, summary, and the run itself.

The scripts are thin users of `virtufin_examples.client`; this package is what they print.
"""

from virtufin_examples.example_run._main import main

__all__ = ["main"]
