"""The report and the dashboard: read views, draw figures, render one page."""
