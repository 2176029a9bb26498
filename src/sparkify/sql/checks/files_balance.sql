-- files_balance: one row per file with records that are not accounted for.
select source, path, read, songplays, page_views, songs, duplicates, rejected
from etl_files
where read <> songplays + page_views + songs + duplicates + rejected
