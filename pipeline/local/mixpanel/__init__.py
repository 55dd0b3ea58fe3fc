"""The stand-in for Mixpanel."""
