"""Workloads that peers are measured with too, run through the same code as `engine backtest`."""
