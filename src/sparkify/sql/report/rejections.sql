-- rejections: one row per reason for which records of a kind were refused.
select source, reason, count(*) as records, count(distinct file) as files
from rejected_records
group by source, reason
