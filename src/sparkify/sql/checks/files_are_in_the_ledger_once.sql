-- files_are_in_the_ledger_once: one row per file whose path is null or occurs more than once in the ledger.
select source, path, count(*) as times
from etl_files
group by source, path
having count(*) > 1 or path is null
