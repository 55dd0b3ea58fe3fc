"""Dashboards and alerts as code. It needs Grafana's SDK, which no worker does: so it is no part of the wheel."""
