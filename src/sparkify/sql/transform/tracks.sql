-- tracks: one row per track that is new in the batch, or whose match in the catalogue has changed.
with played as (
    select
        -- The lengths separate title and artist: two tracks cannot have the same text.
        md5(
            cast(length(song) as varchar) || ':' || song || cast(length(artist) as varchar) || ':' || artist
            || case
                when length is null then ''
                when length = floor(length) then cast(cast(length as bigint) as varchar)
                else
                    -- @duckdb cast(length as varchar)
                    -- @postgresql cast(length as varchar)
                    -- @redshift length_text
            end
        ) as track_id,
        song as title,
        artist as artist_name,
        length as duration
    from (
        select distinct
            -- @redshift length_text,
            song, artist, length
        from staged_events
        where is_play and not duplicate
    ) as distinct_plays
),
candidates as (
    select track_id, title, artist_name, duration
    from tracks
    where exists (select 1 from staging_songs where not duplicate)
    union
    select track_id, title, artist_name, duration
    from played
),
recordings as (
    select title, artist_name, duration, min(song_id) as song_id
    from songs
    group by title, artist_name, duration
),
credits as (
    select artist_name, min(artist_id) as artist_id
    from songs
    group by artist_name
),
matched as (
    select
        candidates.track_id, candidates.title, candidates.artist_name, candidates.duration,
        recordings.song_id,
        coalesce(songs.artist_id, credits.artist_id) as artist_id
    from candidates
    left join recordings
        on recordings.title = candidates.title
        and recordings.artist_name = candidates.artist_name
        and recordings.duration = candidates.duration
    left join songs on songs.song_id = recordings.song_id
    left join credits on credits.artist_name = candidates.artist_name
)
select matched.track_id, matched.title, matched.artist_name, matched.duration, matched.song_id, matched.artist_id
from matched
left join tracks on tracks.track_id = matched.track_id
where
    tracks.track_id is null
    or coalesce(tracks.song_id, '') <> coalesce(matched.song_id, '')
    or coalesce(tracks.artist_id, '') <> coalesce(matched.artist_id, '')
