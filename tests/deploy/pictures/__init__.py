"""Pictures of the dashboards: panels drawn with Grafana's component library, from data of a real Prometheus."""
