-- loaded_files: one row per file of the batch, with the number of records of each outcome.
select
    f.source, f.path, f.version, f.size,
    cast(? as varchar(40)) as run_id,
    cast(? as timestamp) as loaded_at,
    f.read,
    coalesce(e.songplays, 0) as songplays,
    coalesce(e.page_views, 0) as page_views,
    coalesce(s.songs, 0) as songs,
    coalesce(e.duplicates, 0) + coalesce(s.duplicates, 0) as duplicates,
    coalesce(r.rejected, 0) as rejected
from staging_files as f
left join (
    select
        file_id,
        sum(case when is_play and not duplicate then 1 else 0 end) as songplays,
        sum(case when not is_play and not duplicate then 1 else 0 end) as page_views,
        sum(case when duplicate then 1 else 0 end) as duplicates
    from staged_events
    group by file_id
) as e on e.file_id = f.file_id
left join (
    select
        file_id,
        sum(case when duplicate then 0 else 1 end) as songs,
        sum(case when duplicate then 1 else 0 end) as duplicates
    from staging_songs
    group by file_id
) as s on s.file_id = f.file_id
left join (
    select file_id, count(*) as rejected
    from staging_rejects
    group by file_id
) as r on r.file_id = f.file_id
