"""The way over Dapr on every target, in one run. `make bench-dapr` prints the table of docs/dapr.md."""
