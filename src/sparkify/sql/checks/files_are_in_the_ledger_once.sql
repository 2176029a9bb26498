-- files_are_in_the_ledger_once: one row per file that the ledger does not name or names more than once.
select source, path, count(*) as times
from etl_files
group by source, path
having count(*) > 1 or path is null
