"""Mixpanel's event names, MTU rules, limits and records."""
