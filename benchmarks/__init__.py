"""Benchmarks: every figure with its spread and what the machine was. `make bench` prints a table and JSON."""
