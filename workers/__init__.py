"""The C# worker and its build; see `README.md`."""
