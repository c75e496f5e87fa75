"""What the tests, the benchmarks and ./dev have in common."""
