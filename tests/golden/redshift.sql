-- staging_events: one row per accepted event of the batch, under the source's own names.
create
table if not exists staging_events (
    artist varchar(512),
    auth varchar(32),
    firstName varchar(256),
    gender varchar(16),
    itemInSession bigint,
    lastName varchar(256),
    length double precision,
    level varchar(16),
    location varchar(512),
    method varchar(16),
    page varchar(64),
    registration bigint,
    sessionId bigint,
    song varchar(512),
    status bigint,
    ts bigint,
    userAgent varchar(1024),
    userId varchar(64),
    length_text varchar(32),
    file_id integer,
    duplicate boolean
)
diststyle even;

-- staging_songs: one row per accepted song record of the batch, under the source's own names.
create
table if not exists staging_songs (
    num_songs bigint,
    artist_id varchar(64),
    artist_latitude double precision,
    artist_longitude double precision,
    artist_location varchar(512),
    artist_name varchar(512),
    song_id varchar(64),
    title varchar(512),
    duration double precision,
    year bigint,
    file_id integer,
    position bigint,
    duplicate boolean
)
diststyle even;

-- staging_files: one row per file of the batch, and how many records were found in it.
create
table if not exists staging_files (
    file_id integer,
    source varchar(8),
    path varchar(4096),
    version varchar(128),
    size bigint,
    redelivered boolean,
    read bigint
)
diststyle all;

-- staging_rejects: one row per record of the batch that breaks the contract.
create
table if not exists staging_rejects (
    file_id integer,
    line bigint,
    reason varchar(256),
    record
    varchar(65535)
)
diststyle even;

-- checked_period: one row: the time whose facts the checks look at. A run looks at what it touched.
create
table if not exists checked_period (
    first_time timestamp,
    last_time timestamp
);

-- songplays: one row per NextSong event.
create table if not exists songplays (
    songplay_id varchar(160),
    start_time timestamp,
    user_id varchar(64),
    level varchar(16),
    song_id varchar(64),
    artist_id varchar(64),
    session_id bigint,
    location varchar(512),
    user_agent varchar(1024),
    track_id varchar(32)
)
diststyle key distkey (start_time) sortkey (start_time);

-- page_views: one row per event that is not a play.
create table if not exists page_views (
    page_view_id varchar(160),
    start_time timestamp,
    user_id varchar(64),
    level varchar(16),
    page varchar(64),
    auth varchar(32),
    method varchar(16),
    status bigint,
    session_id bigint,
    location varchar(512),
    user_agent varchar(1024)
)
diststyle key distkey (start_time) sortkey (start_time);

-- users: one row per user, as of their latest event.
create table if not exists users (
    user_id varchar(64),
    first_name varchar(256),
    last_name varchar(256),
    gender varchar(16),
    level varchar(16),
    registered_at timestamp,
    last_seen_at timestamp
)
diststyle all sortkey (user_id);

-- songs: one row per song of the catalogue.
create table if not exists songs (
    song_id varchar(64),
    title varchar(512),
    artist_id varchar(64),
    year bigint,
    duration double precision,
    artist_name varchar(512)
)
diststyle all sortkey (song_id);

-- artists: one row per artist of the catalogue.
create table if not exists artists (
    artist_id varchar(64),
    name varchar(512),
    location varchar(512),
    latitude double precision,
    longitude double precision
)
diststyle all sortkey (artist_id);

-- time: one row per moment at which something was played or viewed, in UTC.
create table if not exists time (
    start_time timestamp,
    hour integer,
    day integer,
    week integer,
    month integer,
    year integer,
    weekday integer
)
diststyle key distkey (start_time) sortkey (start_time);

-- tracks: one row per recording as the app named it, and what the catalogue knows of it.
create table if not exists tracks (
    track_id varchar(32),
    title varchar(512),
    artist_name varchar(512),
    duration double precision,
    song_id varchar(64),
    artist_id varchar(64)
)
diststyle all sortkey (track_id);

-- catalogue: one row per song: its record in force, the one delivered last. Songs and artists are made from it.
create table if not exists catalogue (
    song_id varchar(64),
    title varchar(512),
    artist_id varchar(64),
    artist_name varchar(512),
    artist_location varchar(512),
    artist_latitude double precision,
    artist_longitude double precision,
    duration double precision,
    year bigint
);

-- etl_files: one row per file loaded, in the version last loaded: the ledger.
create table if not exists etl_files (
    source varchar(8),
    path varchar(4096),
    version varchar(128),
    size bigint,
    run_id varchar(40),
    loaded_at timestamp,
    read bigint,
    songplays bigint,
    page_views bigint,
    songs bigint,
    duplicates bigint,
    rejected bigint
);

-- etl_runs: one row per run that published something.
create table if not exists etl_runs (
    run_id varchar(40),
    started_at timestamp,
    finished_at timestamp,
    files bigint,
    bytes bigint,
    events_read bigint,
    songplays bigint,
    page_views bigint,
    events_duplicate bigint,
    events_rejected bigint,
    songs_read bigint,
    songs bigint,
    songs_duplicate bigint,
    songs_rejected bigint
);

-- rejected_records: one row per record refused, with where it stands, why, and its text.
create table if not exists rejected_records (
    source varchar(8),
    file varchar(4096),
    line bigint,
    reason varchar(256),
    record
    varchar(65535)
    ,
    run_id varchar(40)
);

create or replace view staged_events as -- staged_events: one row per accepted event of the batch, with its key and its time.
select
    -- The portable forms take DuckDB 0.3 s longer for a million plays, of 1.5 s.
    cast(ts as varchar) || '-' || cast(sessionId as varchar) || '-' || cast(itemInSession as varchar)
    || '-' || coalesce(userId, '')
    as event_id,
    timestamp '1970-01-01 00:00:00' + floor(ts / 1000.0) * interval '1 second'
    + (ts % 1000) * interval '1 millisecond'
    as start_time,
    page = 'NextSong' as is_play,
    staging_events.*
from staging_events;


select c."oid"
from pg_class as c
join pg_namespace as n on n."oid" = c.relnamespace
where c.relname = 'staging_files' and n.nspname = ?
;


select pid, txn_owner, txn_start
from svv_transactions
where relation = ? and lock_mode = 'AccessExclusiveLock' and granted = 't'
;

begin;

lock staging_files;

select count(*) from information_schema.tables where table_name = 'etl_files' and table_schema = current_schema();

select source, path, version from etl_files;

delete from staging_events;

copy staging_events from 's3://STAGE/RUN/staging_events.manifest'
iam_role 'arn:aws:iam::123456789012:role/ROLE'
manifest
format json 'auto ignorecase'
gzip
region 'REGION'
compupdate off
statupdate on
maxerror 100000;

delete from staging_songs;

copy staging_songs from 's3://STAGE/RUN/staging_songs.manifest'
iam_role 'arn:aws:iam::123456789012:role/ROLE'
manifest
format json 'auto ignorecase'
gzip
region 'REGION'
compupdate off
statupdate on
maxerror 100000;

delete from staging_files;

copy staging_files from 's3://STAGE/RUN/staging_files.manifest'
iam_role 'arn:aws:iam::123456789012:role/ROLE'
manifest
format json 'auto ignorecase'
gzip
region 'REGION'
compupdate off
statupdate on
maxerror 100000;

delete from staging_rejects;

copy staging_rejects from 's3://STAGE/RUN/staging_rejects.manifest'
iam_role 'arn:aws:iam::123456789012:role/ROLE'
manifest
format json 'auto ignorecase'
gzip
region 'REGION'
compupdate off
statupdate on
maxerror 100000;

select count(*) from staging_songs;

select count(*) from staging_events;

drop table if exists settled_songs;

create temp table settled_songs as -- settled_songs: one row per staged song record: the last one delivered of a song stands, unless it is known.
select
    s.num_songs, s.artist_id, s.artist_latitude, s.artist_longitude, s.artist_location, s.artist_name,
    s.song_id, s.title, s.duration, s.year, s.file_id, s.position,
    case
        when s.place > 1 then true
        when c.song_id is null then false
        else
            c.artist_id = s.artist_id
            and coalesce(c.title, '') = coalesce(s.title, '')
            and coalesce(c.artist_name, '') = coalesce(s.artist_name, '')
            and coalesce(c.artist_location, '') = coalesce(s.artist_location, '')
            and coalesce(c.artist_latitude, 1e300) = coalesce(s.artist_latitude, 1e300)
            and coalesce(c.artist_longitude, 1e300) = coalesce(s.artist_longitude, 1e300)
            and coalesce(c.duration, -1) = coalesce(s.duration, -1)
            and coalesce(c.year, 0) = coalesce(s.year, 0)
    end as duplicate
from (
    select
        staging_songs.*,
        row_number() over (partition by song_id order by file_id desc, position desc) as place
    from staging_songs
) as s
left join catalogue as c on c.song_id = s.song_id;

delete from staging_songs;

insert into staging_songs select * from settled_songs;

drop table if exists new_catalogue;

create temp table new_catalogue as -- catalogue: one row per song that the batch adds or changes.
select
    song_id, title, artist_id, artist_name, artist_location, artist_latitude, artist_longitude, duration,
    nullif(year, 0) as year
from staging_songs
where not duplicate;

delete from catalogue using new_catalogue as n where catalogue.song_id = n.song_id;

insert into catalogue select * from new_catalogue;

drop table if exists new_songs;

create temp table new_songs as -- songs: one row per song that the batch adds or changes.
select c.song_id, c.title, c.artist_id, c.year, c.duration, c.artist_name
from catalogue as c
join staging_songs as s on s.song_id = c.song_id
where not s.duplicate;

delete from songs using new_songs as n where songs.song_id = n.song_id;

insert into songs select * from new_songs;

drop table if exists new_artists;

create temp table new_artists as -- artists: one row per artist of whom the catalogue now says something else.
with named as (
    select artist_id, artist_name
    from (
        select
            artist_id, artist_name,
            row_number() over (partition by artist_id order by length(artist_name), artist_name) as place
        from catalogue
    ) as names
    where place = 1
),
placed as (
    select artist_id, artist_location, artist_latitude, artist_longitude
    from (
        select
            catalogue.*,
            row_number() over (
                partition by artist_id
                order by
                    case when artist_latitude is null or artist_longitude is null then 1 else 0 end,
                    case when artist_location is null then 1 else 0 end,
                    artist_location, artist_latitude, artist_longitude
            ) as place
        from catalogue
    ) as places
    where place = 1
)
select
    named.artist_id,
    named.artist_name as name,
    placed.artist_location as location,
    placed.artist_latitude as latitude,
    placed.artist_longitude as longitude
from named
join placed on placed.artist_id = named.artist_id
left join artists on artists.artist_id = named.artist_id
where
    exists (select 1 from staging_songs where not duplicate)
    and (
        artists.artist_id is null
        or coalesce(artists.name, '') <> coalesce(named.artist_name, '')
        or coalesce(artists.location, '') <> coalesce(placed.artist_location, '')
        or coalesce(artists.latitude, 1e300) <> coalesce(placed.artist_latitude, 1e300)
        or coalesce(artists.longitude, 1e300) <> coalesce(placed.artist_longitude, 1e300)
    );

delete from artists using new_artists as n where artists.artist_id = n.artist_id;

insert into artists select * from new_artists;

delete from artists where artist_id not in (select artist_id from catalogue);

drop table if exists new_users;

create temp table new_users as -- users: one row per user whom the batch saw later than the warehouse had, or as late and first in order.
with seen as (
    select
        e.userId as user_id,
        e.firstName as first_name,
        e.lastName as last_name,
        e.gender,
        e.level,
        case when e.registration is not null then
            timestamp '1970-01-01 00:00:00' + floor(e.registration / 1000.0) * interval '1 second'
                + (e.registration % 1000) * interval '1 millisecond'
        end as registered_at,
        e.start_time as last_seen_at,
        e.itemInSession as item_in_session,
        case when f.redelivered then e.file_id end as redelivered_in,
        e.file_id,
        cast(null as bigint) as events,
        0 as is_known
    from staged_events as e
    join (select userId, max(ts) as ts from staging_events group by userId) as latest
        on latest.userId = e.userId and latest.ts = e.ts
    join staging_files as f on f.file_id = e.file_id
),
-- Where the batch ties with what is known, the item's place in its session decides. It stands in the event's key.
ties as (
    select distinct users.user_id, users.last_seen_at
    from users
    join seen on seen.user_id = users.user_id and seen.last_seen_at = users.last_seen_at
),
known_events as (
    select p.songplay_id as event_id, p.session_id, p.user_id
    from songplays as p
    join ties on ties.user_id = p.user_id and ties.last_seen_at = p.start_time
    union all
    select v.page_view_id, v.session_id, v.user_id
    from page_views as v
    join ties on ties.user_id = v.user_id and ties.last_seen_at = v.start_time
),
known_items as (
    select user_id, item, count(*) as events
    from (
        select user_id, item, max(item) over (partition by user_id) as last_item
        from (
            select
                user_id,
                cast(substring(event_id, before + 1, length(event_id) - before - length(user_id) - 1) as bigint) as item
            from (
                select
                    event_id,
                    user_id,
                    length(split_part(event_id, '-', 1)) + length(cast(session_id as varchar)) + 2 as before
                from known_events
            ) as keys
        ) as items
    ) as ranked_items
    where item = last_item
    group by user_id, item
),
known as (
    select
        users.user_id,
        users.first_name,
        users.last_name,
        users.gender,
        users.level,
        users.registered_at,
        users.last_seen_at,
        coalesce(known_items.item, 0) as item_in_session,
        cast(null as integer) as redelivered_in,
        -1 as file_id,
        known_items.events,
        1 as is_known
    from users
    left join known_items on known_items.user_id = users.user_id
    where users.user_id in (select user_id from seen)
)
select user_id, first_name, last_name, gender, level, registered_at, last_seen_at
from (
    select
        standing.*,
        row_number() over (
            partition by user_id
            order by
                last_seen_at desc, item_in_session desc, preference,
                level, first_name, last_name, gender, registered_at, is_known desc
        ) as recency
    from (
        select
            sightings.*,
            case
                -- Several events tie: which of them a file delivered again replaces is not known, so none does.
                when max(events) over (partition by user_id, last_seen_at, item_in_session) > 1 then 0
                when file_id >= coalesce(
                    max(redelivered_in) over (partition by user_id, last_seen_at, item_in_session), -1
                ) then 0
                else 1
            end as preference
        from (select * from seen union all select * from known) as sightings
    ) as standing
) as ranked
where recency = 1 and is_known = 0;

delete from users using new_users as n where users.user_id = n.user_id;

insert into users select * from new_users;

drop table if exists contested_keys;

create temp table contested_keys as -- contested_keys: one row per event key that the batch holds more than once, or that the warehouse has already.
select ts, sessionId, itemInSession, userId, is_play, event_id
from staged_events
where exists (
    select 1
    from (select ts, sessionId from staging_events group by ts, sessionId having count(*) > 1) as repeated
    where repeated.ts = staged_events.ts and repeated.sessionId = staged_events.sessionId
)
group by ts, sessionId, itemInSession, userId, is_play, event_id
having count(*) > 1
union
select e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id
from songplays as p
join staged_events as e on e.start_time = p.start_time and e.event_id = p.songplay_id
where e.is_play
union
select e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id
from page_views as v
join staged_events as e on e.start_time = v.start_time and e.event_id = v.page_view_id
where not e.is_play;

select count(*) from contested_keys;

drop table if exists settled_events;

create temp table settled_events as -- settled_events: one row per staged event with a contested key: whether it stands, or is a duplicate.
-- Of several with one key, the first in order stands, and what is known already rather than the same again; but a
-- file that is delivered again takes the place of all that came before it: in the order of the files, whatever the batch.
with claims as (
    select
        k.event_id, k.is_play,
        case when f.redelivered then e.file_id end as redelivered_in,
        e.level, e.location, e.userAgent, e.song, e.artist, e.length, e.page, e.auth, e.method, e.status,
        1 as is_new,
        e.file_id,
        e.firstName, e.gender, e.itemInSession, e.lastName, e.registration, e.sessionId, e.ts, e.userId
        , e.length_text
    from contested_keys as k
    join staging_events as e
        on e.ts = k.ts and e.sessionId = k.sessionId and e.itemInSession = k.itemInSession
        and coalesce(e.userId, '') = coalesce(k.userId, '') and (e.page = 'NextSong') = k.is_play
    join staging_files as f on f.file_id = e.file_id
    union all
    select
        k.event_id, k.is_play, null,
        p.level, p.location, p.user_agent, t.title, t.artist_name, t.duration, 'NextSong', null, null, null,
        0, null, null, null, null, null, null, null, null, null
        , null
    from contested_keys as k
    join songplays as p on p.songplay_id = k.event_id
    join tracks as t on t.track_id = p.track_id
    where k.is_play
    union all
    select
        k.event_id, k.is_play, null,
        v.level, v.location, v.user_agent, null, null, null, v.page, v.auth, v.method, v.status,
        0, null, null, null, null, null, null, null, null, null
        , null
    from contested_keys as k
    join page_views as v on v.page_view_id = k.event_id
    where not k.is_play
),
standing as (
    select
        claims.*,
        case
            when coalesce(file_id, -1) >= coalesce(max(redelivered_in) over (partition by event_id, is_play), -1) then 0
            else 1
        end as preference
    from claims
),
ranked as (
    select
        standing.*,
        row_number() over (
            partition by event_id, is_play
            order by
                preference, level, location, userAgent, song, artist, length,
                case when is_play then null else page end,
                case when is_play then null else auth end,
                case when is_play then null else method end,
                case when is_play then null else status end,
                is_new, file_id, firstName, lastName, gender, registration
        ) as place,
        min(is_new) over (
            partition by
                event_id, is_play, level, location, userAgent, song, artist, length,
                case when is_play then null else page end,
                case when is_play then null else auth end,
                case when is_play then null else method end,
                case when is_play then null else status end
        ) as is_unknown,
        min(is_new) over (partition by event_id, is_play) as is_first
    from standing
)
select
    artist, auth, firstName, gender, itemInSession, lastName, length, level, location, method, page, registration,
    sessionId, song, status, ts, userAgent, userId,
    length_text,
    file_id,
    not (place = 1 and is_unknown = 1) as duplicate,
    place = 1 and is_unknown = 1 and is_first = 0 as replaces,
    event_id, is_play
from ranked
where is_new = 1;

delete from staging_events using contested_keys as k where staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play;

insert into staging_events -- settled_rows: one row per staged event with a contested key, in the form of staging_events.
select
    artist, auth, firstName, gender, itemInSession, lastName, length, level, location, method, page, registration,
    sessionId, song, status, ts, userAgent, userId,
    length_text,
    file_id, duplicate
from settled_events;

delete from page_views using settled_events as s where s.replaces and not s.is_play and page_views.page_view_id = s.event_id;

delete from songplays using settled_events as s where s.replaces and s.is_play and songplays.songplay_id = s.event_id;

drop table if exists new_tracks;

create temp table new_tracks as -- tracks: one row per track that the batch is the first to play, or of which the catalogue now says something else.
with heard as (
    select
        md5(  -- of lengths too, or two tracks could run together into one text
            cast(length(song) as varchar) || ':' || song || cast(length(artist) as varchar) || ':' || artist
            || case
                when length is null then ''
                when length = floor(length) then cast(cast(length as bigint) as varchar)
                else
                    length_text
            end
        ) as track_id,
        song as title,
        artist as artist_name,
        length as duration
    from (
        select distinct
            length_text,
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
    or coalesce(tracks.artist_id, '') <> coalesce(answered.artist_id, '');

delete from tracks using new_tracks as n where tracks.track_id = n.track_id;

insert into tracks select * from new_tracks;

update songplays set song_id = n.song_id, artist_id = n.artist_id from new_tracks as n where songplays.track_id = n.track_id;

insert into songplays -- songplays: one row per play of the batch that was not known, with what the catalogue knows of its track.
select
    e.event_id as songplay_id, e.start_time, e.userId as user_id, e.level, t.song_id, t.artist_id,
    e.sessionId as session_id, e.location, e.userAgent as user_agent, t.track_id
from staged_events as e
join tracks as t
    on t.title = e.song and t.artist_name = e.artist and coalesce(t.duration, -1) = coalesce(e.length, -1)
where e.is_play and not e.duplicate;

insert into page_views -- page_views: one row per event of the batch that is not a play and was not known.
select
    event_id as page_view_id, start_time, userId as user_id, level, page, auth, method, status,
    sessionId as session_id, location, userAgent as user_agent
from staged_events
where not is_play and not duplicate;

insert into time -- time: one row per moment of the batch that was not known.
select
    start_time,
    cast(extract(hour from start_time) as integer) as hour,
    cast(extract(day from start_time) as integer) as day,
    cast(extract(week from start_time) as integer) as week,
    cast(extract(month from start_time) as integer) as month,
    cast(extract(year from start_time) as integer) as year,
    cast(extract(dow from start_time) as integer) as weekday
from (
    select distinct e.start_time
    from staged_events as e
    left join time on time.start_time = e.start_time
    where not e.duplicate and time.start_time is null
) as moments;

delete from tracks where track_id not in (select track_id from songplays);

select source, count(*), sum(size), sum(read) from staging_files group by source;

select f.source, count(*) from staging_rejects as r join staging_files as f on f.file_id = r.file_id group by f.source;

select count(*) from staging_events where duplicate;

select count(*) from staging_songs where duplicate;

delete from etl_files where exists (select 1 from staging_files as f where f.source = etl_files.source and f.path = etl_files.path);

delete from rejected_records where exists (select 1 from staging_files as f where f.source = rejected_records.source and f.path = rejected_records.file);

insert into etl_files -- loaded_files: one row per file of the batch, and what became of its records.
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
        sum(case when page = 'NextSong' and not duplicate then 1 else 0 end) as songplays,
        sum(case when page <> 'NextSong' and not duplicate then 1 else 0 end) as page_views,
        sum(case when duplicate then 1 else 0 end) as duplicates
    from staging_events
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
) as r on r.file_id = f.file_id;

insert into rejected_records -- refused_records: one row per record of the batch that breaks the contract.
select f.source, f.path as file, r.line, r.reason, r.record, cast(? as varchar(40)) as run_id
from staging_rejects as r
join staging_files as f on f.file_id = r.file_id;

delete from etl_runs where run_id = ?;

insert into etl_runs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- checked_period: one row: the time whose facts the checks look at. A run looks at what it touched.
create
table if not exists checked_period (
    first_time timestamp,
    last_time timestamp
);

delete from checked_period;

insert into checked_period 
select
    case when songs > 0 then timestamp '0001-01-01' else first_time end,
    case when songs > 0 then timestamp '9999-12-31 23:59:59.999' else last_time end
from (select min(start_time) as first_time, max(start_time) as last_time from staged_events) as events
cross join (select count(*) as songs from staging_songs where not duplicate) as songs
;

-- artist_ids_are_unique: one row per artist whose key is missing or given more than once.
select artist_id, count(*) as times
from artists
group by artist_id
having count(*) > 1 or artist_id is null;

-- catalogue_song_ids_are_unique: one row per song whose key is missing or given more than once in the catalogue.
select song_id, count(*) as times
from catalogue
group by song_id
having count(*) > 1 or song_id is null;

-- every_page_view_has_its_time: one row per page view whose start_time is not in time, or missing.
select f.page_view_id, f.start_time
from page_views as f
where
    (
        f.start_time is null
        or f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    )
    and not exists (select 1 from time as d where d.start_time = f.start_time);

-- every_page_view_has_its_user: one row per page view whose user_id is not in users.
select f.page_view_id, f.user_id
from page_views as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and f.user_id is not null
    and not exists (select 1 from users as d where d.user_id = f.user_id);

-- every_play_has_its_artist: one row per play whose artist_id is not in artists.
select f.songplay_id, f.artist_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and f.artist_id is not null
    and not exists (select 1 from artists as d where d.artist_id = f.artist_id);

-- every_play_has_its_song: one row per play whose song_id is not in songs.
select f.songplay_id, f.song_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and f.song_id is not null
    and not exists (select 1 from songs as d where d.song_id = f.song_id);

-- every_play_has_its_time: one row per play whose start_time is not in time, or missing.
select f.songplay_id, f.start_time
from songplays as f
where
    (
        f.start_time is null
        or f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    )
    and not exists (select 1 from time as d where d.start_time = f.start_time);

-- every_play_has_its_track: one row per play whose track_id is not in tracks, or missing.
select f.songplay_id, f.track_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and not exists (select 1 from tracks as d where d.track_id = f.track_id);

-- every_play_has_its_user: one row per play whose user_id is not in users, or missing.
select f.songplay_id, f.user_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and not exists (select 1 from users as d where d.user_id = f.user_id);

-- every_play_says_what_its_track_says: one row per play whose song or artist is not the one of its track.
select p.songplay_id, p.song_id, t.song_id as song_id_of_track, p.artist_id, t.artist_id as artist_id_of_track
from songplays as p
join tracks as t on t.track_id = p.track_id
where
    p.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and (
        coalesce(p.song_id, '') <> coalesce(t.song_id, '')
        or coalesce(p.artist_id, '') <> coalesce(t.artist_id, '')
    );

-- every_song_has_its_artist: one row per song whose artist_id is not in artists.
select f.song_id, f.artist_id
from songs as f
where f.artist_id is not null and not exists (select 1 from artists as d where d.artist_id = f.artist_id);

-- every_track_has_its_artist: one row per track whose artist_id is not in artists.
select f.track_id, f.artist_id
from tracks as f
where f.artist_id is not null and not exists (select 1 from artists as d where d.artist_id = f.artist_id);

-- every_track_has_its_song: one row per track whose song_id is not in songs.
select f.track_id, f.song_id
from tracks as f
where f.song_id is not null and not exists (select 1 from songs as d where d.song_id = f.song_id);

-- files_are_in_the_ledger_once: one row per file that the ledger does not name or names more than once.
select source, path, count(*) as times
from etl_files
group by source, path
having count(*) > 1 or path is null;

-- files_balance: one row per file of which not every record read is accounted for.
select source, path, read, songplays, page_views, songs, duplicates, rejected
from etl_files
where read <> songplays + page_views + songs + duplicates + rejected;

-- levels_are_known: one row per event or user whose level is neither free nor paid.
select 'songplays' as found_in, songplay_id as found_at, level
from songplays
where
    start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and level not in ('free', 'paid')
union all
select 'page_views', page_view_id, level
from page_views
where
    start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and level not in ('free', 'paid')
union all
select 'users', user_id, level
from users
where level not in ('free', 'paid');

-- page_view_ids_are_unique: one row per page view whose key is missing or given more than once.
select page_view_id, count(*) as times
from page_views
where start_time between (select first_time from checked_period) and (select last_time from checked_period)
group by page_view_id
having count(*) > 1 or page_view_id is null;

-- runs_balance: one row per run of which not every record read is accounted for.
select
    run_id, events_read, songplays, page_views, events_duplicate, events_rejected,
    songs_read, songs, songs_duplicate, songs_rejected
from etl_runs
where
    events_read <> songplays + page_views + events_duplicate + events_rejected
    or songs_read <> songs + songs_duplicate + songs_rejected;

-- song_ids_are_unique: one row per song whose key is missing or given more than once.
select song_id, count(*) as times
from songs
group by song_id
having count(*) > 1 or song_id is null;

-- songplay_ids_are_unique: one row per play whose key is missing or given more than once.
select songplay_id, count(*) as times
from songplays
where start_time between (select first_time from checked_period) and (select last_time from checked_period)
group by songplay_id
having count(*) > 1 or songplay_id is null;

-- start_times_are_unique: one row per moment whose key is missing or given more than once.
select start_time, count(*) as times
from time
where start_time is null or start_time between (select first_time from checked_period) and (select last_time from checked_period)
group by start_time
having count(*) > 1 or start_time is null;

-- track_ids_are_unique: one row per track whose key is missing or given more than once.
select track_id, count(*) as times
from tracks
group by track_id
having count(*) > 1 or track_id is null;

-- user_ids_are_unique: one row per user whose key is missing or given more than once.
select user_id, count(*) as times
from users
group by user_id
having count(*) > 1 or user_id is null;

commit;

analyze artists;

analyze catalogue;

analyze page_views;

analyze songplays;

analyze songs;

analyze time;

analyze tracks;

analyze users;
