"""Mixpanel's HTTP import API."""
