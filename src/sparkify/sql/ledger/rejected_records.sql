-- rejected_records: one row per rejected record of the batch.
select f.source, f.path as file, r.line, r.reason, r.record, cast(? as varchar(40)) as run_id
from staging_rejects as r
join staging_files as f on f.file_id = r.file_id
