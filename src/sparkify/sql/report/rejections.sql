-- rejections: one row per kind of record and reason for rejecting it.
select source, reason, count(*) as records, count(distinct file) as files
from rejected_records
group by source, reason
