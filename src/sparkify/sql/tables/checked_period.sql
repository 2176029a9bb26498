-- checked_period: one row: the time whose facts the checks look at. A run looks at what it touched.
-- On DuckDB it lasts no longer than the run.
-- first_time: From this moment on.
-- last_time: Up to and with this moment.
create
-- @duckdb temp
table if not exists checked_period (
    first_time timestamp,
    last_time timestamp
)
