"""Entry point of the worker host."""

from virtufin_examples.workmanager.host._main import main

if __name__ == "__main__":
    main()
