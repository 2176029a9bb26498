"""The report: one page that shows what the listeners do, and how far to trust it."""
