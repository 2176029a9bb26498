-- checked_period: one row: the period whose facts the checks read. A run checks the period that it changed.
-- On DuckDB it is temporary.
-- first_time: The start of the period, inclusive, in UTC; null if there is nothing to check.
-- last_time: The end of the period, inclusive, in UTC; null if there is nothing to check.
create
-- @duckdb temp
table if not exists checked_period (
    first_time timestamp,
    last_time timestamp
)
