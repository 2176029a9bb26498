"""The report and the dashboard: ask views, draw figures, render one page."""
