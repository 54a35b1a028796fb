"""Tests of pipelines: reads `*.test.yml`, runs its cases with something standing in for nodes, compares, tells."""
