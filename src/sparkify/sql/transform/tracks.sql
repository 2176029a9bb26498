-- tracks: one row per track that the batch is the first to play, or of which the catalogue now says something else.
with heard as (
    select
        md5(  -- of lengths too, or two tracks could run together into one text
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
        from staging_events
        where page = 'NextSong' and not duplicate
    ) as played
),
asked as (
    select track_id, title, artist_name, duration
    from tracks
    where exists (select 1 from staging_songs where not duplicate)
    union
    select track_id, title, artist_name, duration
    from heard
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
answered as (
    select
        asked.track_id, asked.title, asked.artist_name, asked.duration,
        recordings.song_id,
        coalesce(songs.artist_id, credits.artist_id) as artist_id
    from asked
    left join recordings
        on recordings.title = asked.title
        and recordings.artist_name = asked.artist_name
        and recordings.duration = asked.duration
    left join songs on songs.song_id = recordings.song_id
    left join credits on credits.artist_name = asked.artist_name
)
select answered.track_id, answered.title, answered.artist_name, answered.duration, answered.song_id, answered.artist_id
from answered
left join tracks on tracks.track_id = answered.track_id
where
    tracks.track_id is null
    or coalesce(tracks.song_id, '') <> coalesce(answered.song_id, '')
    or coalesce(tracks.artist_id, '') <> coalesce(answered.artist_id, '')
