-- checked_period: one row: the time whose facts the checks look at. A run looks at what it touched.
create
-- @duckdb temp
table if not exists checked_period (
    first_time timestamp,
    last_time timestamp
)
