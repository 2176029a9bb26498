-- Every statement that two runs send to an empty Redshift, once each, in order of first use.
-- Written by tests/warehouse/redshift/test_copying.py, which fails when a statement changes; `make renew` renews it.

select pg_backend_pid()
;

select db_collation()
;

set timezone to 'UTC'
;

select has_schema_privilege(nspname, 'usage') from pg_namespace where nspname = ?
;

create schema if not exists "sparkify"
;

set search_path to "sparkify"
;

select trim(nspname)
from pg_namespace
join pg_user on usesysid = nspowner
where usename = current_user and nspname like ?
;

select c.relname, '', coalesce(d.description, '')
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
left join pg_description as d on d.objoid = c.oid and d.objsubid = 0
where n.nspname = ? and c.relkind in ('r', 'v')
union all
select c.relname, a.attname, coalesce(d.description, '')
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_description as d on d.objoid = c.oid and d.objsubid = a.attnum
where n.nspname = ? and c.relkind in ('r', 'v')
;

-- staging_events: one row per accepted event of the current batch, under the source's own names.
-- On DuckDB it is temporary, unless the run has the option --keep-staging.
-- artist: The name of the artist; null for most events that are not plays.
-- auth: The authentication state: Logged In or Logged Out.
-- firstName: The given name of the user; null if logged out.
-- gender: The gender of the user: F or M; null if logged out.
-- itemInSession: The position of the event in its session, counted from 0.
-- lastName: The family name of the user; null if logged out.
-- length: The length of the song, in seconds; null for most events that are not plays.
-- level: The subscription level at that time: free or paid.
-- location: The user's location according to the app: a metropolitan area and its states.
-- method: The HTTP method of the request.
-- page: The page requested; NextSong for a play.
-- registration: The time at which the user registered, in milliseconds since 1970 in UTC.
-- sessionId: The app's identifier of the session.
-- song: The title of the song; null for most events that are not plays.
-- status: The HTTP status code of the response.
-- ts: The time of the event, in milliseconds since 1970 in UTC.
-- userAgent: The user agent string of the browser.
-- userId: The app's identifier of the user; null if logged out.
-- file_id: The file that contains the event, in staging_files.
-- duplicate: Whether the event changes nothing.
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
diststyle even
;

-- staging_songs: one row per accepted song record of the current batch, under the source's own names.
-- On DuckDB it is temporary, unless the run has the option --keep-staging.
-- num_songs: The number of songs in the record, which is 1 in the public sample.
-- artist_id: The catalogue's identifier of the artist.
-- artist_latitude: The latitude of the artist's location, in degrees north; null if unknown.
-- artist_longitude: The longitude of the artist's location, in degrees east; null if unknown.
-- artist_location: The artist's home; null if unknown.
-- artist_name: The name of the artist as credited on this song; null if unknown.
-- song_id: The catalogue's identifier of the song.
-- title: The title of the song; null if unknown.
-- duration: The length of the recording, in seconds; null if unknown.
-- year: The year of release; 0 or null if unknown.
-- file_id: The file that contains the record, in staging_files.
-- position: The position of the record in its file.
-- duplicate: Whether the record changes nothing.
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
diststyle even
;

-- staging_files: one row per file of the current batch, with the number of its records.
-- On DuckDB it is temporary, unless the run has the option --keep-staging.
-- file_id: The number of the file in the batch.
-- source: The kind of the file's records: events or songs.
-- path: The path of the file on disk, or its s3:// URL.
-- version: The version of the file's content: its ETag in S3; on disk or without ETags, its size and modification time.
-- size: The size of the file as stored, in bytes.
-- redelivered: Whether an earlier version of the file has been loaded.
-- read: The number of records read from the file.
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
diststyle all
;

-- staging_rejects: one row per rejected record of the current batch.
-- On DuckDB it is temporary, unless the run has the option --keep-staging.
-- file_id: The file that contains the record, in staging_files.
-- line: The line on which the record begins, counted from 1; null if unknown, as for contradictions.
-- reason: The reason for the rejection.
-- record: The text of the record; on Redshift, text of more than 64,000 bytes is shortened.
create
table if not exists staging_rejects (
    file_id integer,
    line bigint,
    reason varchar(256),
    record
    varchar(65535)
)
diststyle even
;

-- songplays: one row per NextSong event.
-- songplay_id: The unique key: ts, sessionId, itemInSession and userId of the event, joined by hyphens.
-- start_time: The time at which the song started, in UTC, to the millisecond.
-- user_id: The user who played the song.
-- level: The user's subscription level at that time: free or paid.
-- song_id: The catalogue song with exactly the same title, artist and duration; null if there is none.
-- artist_id: The artist of that song, otherwise the artist credited with exactly this name; null if there is none.
-- session_id: The app's identifier of the session.
-- item_in_session: The position of the event in its session, counted from 0.
-- location: The user's location according to the app: a metropolitan area and its states; null if unknown.
-- user_agent: The user agent string of the browser; null if the browser sent none.
-- track_id: The track that was played, as the app logged it.
create table if not exists songplays (
    songplay_id varchar(160),
    start_time timestamp not null,
    user_id varchar(64),
    level varchar(16),
    song_id varchar(64),
    artist_id varchar(64),
    session_id bigint,
    item_in_session bigint,
    location varchar(512),
    user_agent varchar(1024),
    track_id varchar(32)
)
diststyle key distkey (start_time) sortkey (start_time)
;

-- page_views: one row per event that is not a play.
-- page_view_id: The unique key: ts, sessionId, itemInSession and userId of the event, joined by hyphens.
-- start_time: The time at which the page was requested, in UTC, to the millisecond.
-- user_id: The user who requested the page; null if logged out.
-- level: The subscription level at that time: free or paid. The app logs it for logged-out users too.
-- page: The name of the page: Home, Login, Upgrade, Submit Upgrade, Error and so on; never NextSong.
-- auth: The authentication state: Logged In or Logged Out.
-- method: The HTTP method of the request, such as GET or PUT.
-- status: The HTTP status code of the response, such as 200, 307 or 404.
-- session_id: The app's identifier of the session.
-- item_in_session: The position of the event in its session, counted from 0.
-- location: The user's location according to the app: a metropolitan area and its states; null if unknown.
-- user_agent: The user agent string of the browser; null if the browser sent none.
create table if not exists page_views (
    page_view_id varchar(160),
    start_time timestamp not null,
    user_id varchar(64),
    level varchar(16),
    page varchar(64),
    auth varchar(32),
    method varchar(16),
    status bigint,
    session_id bigint,
    item_in_session bigint,
    location varchar(512),
    user_agent varchar(1024)
)
diststyle key distkey (start_time) sortkey (start_time)
;

-- users: one row per user, as of their latest event.
-- user_id: The app's identifier of the user, as text.
-- first_name: The given name of the user.
-- last_name: The family name of the user.
-- gender: The gender of the user: F or M.
-- level: The subscription level at the latest event: free or paid. The view level_history has the earlier ones.
-- registered_at: The time at which the user registered, in UTC; null if the event has none.
-- last_seen_at: The time of the latest event, in UTC, to the millisecond.
-- last_session_id: The session of the latest event.
-- last_item_in_session: The position of the latest event in its session. Of events at one time, the highest position is
-- the latest.
create table if not exists users (
    user_id varchar(64),
    first_name varchar(256),
    last_name varchar(256),
    gender varchar(16),
    level varchar(16),
    registered_at timestamp,
    last_seen_at timestamp,
    last_session_id bigint,
    last_item_in_session bigint
)
diststyle auto sortkey (user_id)
;

-- songs: one row per song of the catalogue.
-- song_id: The catalogue's identifier of the song.
-- title: The title of the song; null if unknown.
-- artist_id: The identifier of the song's artist.
-- year: The year of release; null if unknown, which the source writes as 0.
-- duration: The length of the recording, in seconds; null if unknown.
-- artist_name: The name of the artist as credited on this song; null if unknown.
create table if not exists songs (
    song_id varchar(64),
    title varchar(512),
    artist_id varchar(64),
    year bigint,
    duration double precision,
    artist_name varchar(512)
)
diststyle auto sortkey (song_id)
;

-- artists: one row per artist of the catalogue.
-- artist_id: The catalogue's identifier of the artist.
-- name: The shortest name under which the catalogue credits the artist; null if it never names the artist.
-- location: The artist's home, as written in the catalogue; null if unknown.
-- latitude: The latitude of that location, in degrees north; null if unknown.
-- longitude: The longitude of that location, in degrees east; null if unknown.
create table if not exists artists (
    artist_id varchar(64),
    name varchar(512),
    location varchar(512),
    latitude double precision,
    longitude double precision
)
diststyle auto sortkey (artist_id)
;

-- time: one row per moment at which a play or a page view happened.
-- start_time: The moment, in UTC, to the millisecond.
-- hour: The hour of the day, 0 to 23.
-- day: The day of the month, 1 to 31.
-- week: The week of the year by ISO 8601, 1 to 53.
-- month: The month of the year, 1 to 12.
-- year: The calendar year.
-- weekday: The day of the week, from 0 (Sunday) to 6 (Saturday).
create table if not exists time (
    start_time timestamp not null,
    hour integer,
    day integer,
    week integer,
    month integer,
    year integer,
    weekday integer
)
diststyle key distkey (start_time) sortkey (start_time)
;

-- tracks: one row per recording as the app logs it, with its match in the catalogue.
-- track_id: The MD5 hash of title, artist and duration, in hexadecimal.
-- title: The title of the song, as the app logs it.
-- artist_name: The name of the artist, as the app logs it.
-- duration: The length of the song, in seconds, as the app logs it; null if the log has none.
-- song_id: The catalogue song with exactly the same title, artist and duration; null if there is none.
-- artist_id: The artist of that song, otherwise the artist credited with exactly this name; null if there is none.
create table if not exists tracks (
    track_id varchar(32),
    title varchar(512),
    artist_name varchar(512),
    duration double precision,
    song_id varchar(64),
    artist_id varchar(64)
)
diststyle auto sortkey (track_id)
;

-- catalogue: one row per song: its current record, which is the one delivered last.
-- The tables songs and artists are built from it.
-- song_id: The catalogue's identifier of the song.
-- title: The title of the song; null if unknown.
-- artist_id: The identifier of the song's artist.
-- artist_name: The name of the artist as credited on this song; null if unknown.
-- artist_location: The artist's home according to this record; null if unknown.
-- artist_latitude: The latitude of that location, in degrees north; null if unknown.
-- artist_longitude: The longitude of that location, in degrees east; null if unknown.
-- duration: The length of the recording, in seconds; null if unknown.
-- year: The year of release; null if unknown.
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
)
;

-- etl_files: one row per loaded file, in the version last loaded. It is the ledger of what has been loaded.
-- source: The kind of the file's records: events or songs.
-- path: The path of the file on disk, or its s3:// URL.
-- version: The version of the file's content: its ETag in S3; on disk or without ETags, its size and modification time.
-- size: The size of the file as stored, in bytes.
-- run_id: The run that loaded the file.
-- loaded_at: The time at which the file was loaded, in UTC.
-- read: The number of records read from the file: the sum of the columns that follow.
-- songplays: The number of events that became plays.
-- page_views: The number of events that became page views.
-- songs: The number of song records that added or changed a song.
-- duplicates: The number of records that changed nothing.
-- rejected: The number of rejected records.
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
)
;

-- etl_runs: one row per run that published something.
-- run_id: The identifier of the run: its start time in UTC, and six random hexadecimal digits.
-- started_at: The time at which the run began, in UTC.
-- finished_at: The time at which the run's last batch was published, in UTC.
-- files: The number of files loaded.
-- bytes: The total size of those files as stored, in bytes.
-- events_read: The number of events read: songplays + page_views + events_duplicate + events_rejected.
-- songplays: The number of events that became plays.
-- page_views: The number of events that became page views.
-- events_duplicate: The number of events that changed nothing.
-- events_rejected: The number of rejected events.
-- songs_read: The number of song records read: songs + songs_duplicate + songs_rejected.
-- songs: The number of song records that added or changed a song.
-- songs_duplicate: The number of song records that changed nothing.
-- songs_rejected: The number of rejected song records.
-- layout: The version of the tables.
-- contract: The version of the rules by which records were judged, with the settings of [CONTRACT].
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
    songs_rejected bigint,
    layout bigint,
    contract varchar(4096)
)
;

-- rejected_records: one row per rejected record, with its origin, the reason and its text.
-- source: The kind of record: events or songs.
-- file: The path or s3:// URL of the file that contains the record; null if a later run rejected a loaded record.
-- line: The line on which the record begins, counted from 1; null if unknown, as for contradictions.
-- reason: The reason for the rejection.
-- record: The text of the record, for a contradiction rebuilt from its columns; on Redshift, text of more than 64,000
-- bytes is shortened.
-- run_id: The run that rejected the record.
create table if not exists rejected_records (
    source varchar(8),
    file varchar(4096),
    line bigint,
    reason varchar(256),
    record
    varchar(65535)
    ,
    run_id varchar(40)
)
;

create or replace view staged_events as
-- staged_events: one row per accepted event of the batch, with its key, its times, and whether it is a play.
select
    -- DuckDB's own functions save 0.3 s of 1.5 s per million plays.
    cast(ts as varchar) || '-' || cast(sessionId as varchar) || '-' || cast(itemInSession as varchar)
    || '-' || coalesce(userId, '')
    as event_id,
    timestamp '1970-01-01 00:00:00' + floor(ts / 1000.0) * interval '1 second'
    + (ts % 1000) * interval '1 millisecond'
    as start_time,
    timestamp '1970-01-01 00:00:00' + floor(registration / 1000.0) * interval '1 second'
    + (registration % 1000) * interval '1 millisecond'
    as registered_at,
    page = 'NextSong' as is_play,
    staging_events.*
from staging_events
;

comment on view staged_events is 'The rows that sparkify loads, as defined by 51cb20fa.'
;

begin
;

lock staging_files
;

create or replace view events as
-- events: one row per event of the app, with plays and page views in one shape.
-- Every view that counts all kinds of event reads this one.
-- event_id: The key of the event: songplay_id or page_view_id.
-- start_time: The time of the event, in UTC, to the millisecond.
-- user_id: The user who caused the event; null if logged out.
-- level: The subscription level at that time: free or paid.
-- page: The name of the page requested; NextSong for a play.
-- session_id: The app's identifier of the session.
-- item_in_session: The position of the event in its session, counted from 0. Of a user's events in one millisecond, the
-- highest position is the latest.
-- location: The user's location according to the app: a metropolitan area and its states; null if unknown.
-- user_agent: The user agent string of the browser; null if the browser sent none.
select
    songplay_id as event_id, start_time, user_id, level, 'NextSong' as page, session_id, item_in_session, location,
    user_agent
from songplays
union all
select page_view_id, start_time, user_id, level, page, session_id, item_in_session, location, user_agent
from page_views
;

comment on view events is 'One row per event of the app, with plays and page views in one shape. Every view that counts all kinds of event reads this one. (sparkify 644bddaf)'
;

create or replace view daily_listeners as
-- daily_listeners: one row per day with a play on it or in the 29 days before, up to the day of the last play.
-- A listener is a user who started a song; page views alone do not count. Days are UTC days.
-- day: The day, in UTC.
-- plays: The number of plays on that day.
-- hours: The total length of the songs played on that day, in hours; a song that the user left early counts in full.
-- listeners: The number of users with a play on that day.
-- listeners_7d: The number of users with a play on that day or in the 6 days before.
-- listeners_30d: The number of users with a play on that day or in the 29 days before.
-- stickiness: listeners / listeners_30d, the share of a month's listeners who listen on one day. It is too high in the
-- first 30 days of the data, which lack a full month.
with active as (
    select day, plays, seconds, lead(day) over (partition by user_id order by day) - day as days_to_next
    from (
        select p.user_id, cast(p.start_time as date) as day, count(*) as plays, coalesce(sum(t.duration), 0) as seconds
        from songplays as p
        join tracks as t on t.track_id = p.track_id
        group by p.user_id, cast(p.start_time as date)
    ) as per_user
),
days_back as (
    select cast(tens.n * 10 + ones.n as integer) as n
    from (select 0 as n union all select 1 union all select 2) as tens
    cross join (
        select 0 as n union all select 1 union all select 2 union all select 3 union all select 4
        union all select 5 union all select 6 union all select 7 union all select 8 union all select 9
    ) as ones
),
recent as ( -- one row per user and day; a user counts from a day with a play until their next one, for 30 days at most
    select
        active.day + days_back.n as day,
        days_back.n as days_ago,
        case when days_back.n = 0 then active.plays else 0 end as plays,
        case when days_back.n = 0 then active.seconds else 0 end as seconds
    from active
    join days_back on days_back.n < coalesce(active.days_to_next, 30)
)
select
    day,
    cast(sum(plays) as bigint) as plays,
    sum(seconds) / 3600.0 as hours,
    count(case when days_ago = 0 then 1 end) as listeners,
    count(case when days_ago < 7 then 1 end) as listeners_7d,
    count(*) as listeners_30d,
    cast(count(case when days_ago = 0 then 1 end) as double precision) / count(*) as stickiness
from recent
where day <= (select max(day) from active)
group by day
;

comment on view daily_listeners is 'One row per day with a play on it or in the 29 days before, up to the day of the last play. A listener is a user who started a song; page views alone do not count. Days are UTC days. (sparkify ee375590)'
;

create or replace view daily_match_rate as
-- daily_match_rate: one row per day with a play: how many of its plays match the catalogue.
-- A play matches a song of the same title, artist and duration; otherwise, it may match an artist of the same name.
-- day: The day, in UTC.
-- plays: The number of plays.
-- song_plays: The number of plays that match a song.
-- artist_plays: The number of plays that match an artist.
-- song_rate: song_plays / plays.
-- artist_rate: artist_plays / plays.
select
    cast(start_time as date) as day,
    count(*) as plays,
    count(song_id) as song_plays,
    count(artist_id) as artist_plays,
    cast(count(song_id) as double precision) / count(*) as song_rate,
    cast(count(artist_id) as double precision) / count(*) as artist_rate
from songplays
group by cast(start_time as date)
;

comment on view daily_match_rate is 'One row per day with a play: how many of its plays match the catalogue. A play matches a song of the same title, artist and duration; otherwise, it may match an artist of the same name. (sparkify 8b25c1ba)'
;

create or replace view daily_page_errors as
-- daily_page_errors: one row per day with a page view: how many page views ended in an error.
-- An error is a status of 400 or more. Plays do not count: the warehouse does not keep their status.
-- day: The day, in UTC.
-- page_views: The number of page views.
-- errors: The number of page views that ended in an error.
-- users: The number of users who met an error; logged-out users do not count.
-- error_rate: errors / page_views.
select
    cast(start_time as date) as day,
    count(*) as page_views,
    count(case when status >= 400 then 1 end) as errors,
    count(distinct case when status >= 400 then user_id end) as users,
    cast(count(case when status >= 400 then 1 end) as double precision) / count(*) as error_rate
from page_views
group by cast(start_time as date)
;

comment on view daily_page_errors is 'One row per day with a page view: how many page views ended in an error. An error is a status of 400 or more. Plays do not count: the warehouse does not keep their status. (sparkify 272ece17)'
;

create or replace view freshness as
-- freshness: one row: the period of all loaded events, and the time of the last load.
-- oldest_event_at: The time of the first event, in UTC; null if there is none.
-- newest_event_at: The time of the last event, in UTC; null if there is none. Later events are not loaded yet.
-- newest_play_at: The time of the last play, in UTC; null if there is none.
-- last_loaded_at: The time of the last load, in UTC, by the clock of the machine that ran it; null if there is none.
-- files: The number of loaded files.
-- rejected: The number of rejected records in those files.
select
    events.oldest_event_at,
    events.newest_event_at,
    plays.newest_play_at,
    loads.last_loaded_at,
    loads.files,
    loads.rejected
from (select min(start_time) as oldest_event_at, max(start_time) as newest_event_at from time) as events
cross join (select max(start_time) as newest_play_at from songplays) as plays
cross join (
    select max(loaded_at) as last_loaded_at, count(*) as files, cast(coalesce(sum(rejected), 0) as bigint) as rejected
    from etl_files
) as loads
;

comment on view freshness is 'One row: the period of all loaded events, and the time of the last load. (sparkify 4212c537)'
;

create or replace view listening_by_device as
-- listening_by_device: one row per device and browser family with a play.
-- Both come from user_agent. The first name found decides, since browsers also name other browsers.
-- device: The device: Windows (Windows phones too, which also name Android and iPhone), iPhone, iPad, Android, Mac,
-- Linux, ChromeOS, other, or unknown if the log has no user agent.
-- browser: The browser family: Edge, Opera, Firefox, Chrome (Chromium too), Safari, Internet Explorer, other, or
-- unknown if the log has no user agent.
-- plays: The number of plays.
-- listeners: The number of users with a play; a user of two devices is in two rows.
with agents as (
    select user_agent, user_id, count(*) as plays
    from songplays
    group by user_agent, user_id
)
select
    device,
    browser,
    cast(sum(plays) as bigint) as plays,
    count(distinct user_id) as listeners
from (
    select
        user_id,
        plays,
        case
            when user_agent is null then 'unknown'
            when user_agent like '%Windows%' then 'Windows'
            when user_agent like '%iPhone%' or user_agent like '%iPod%' then 'iPhone'
            when user_agent like '%iPad%' then 'iPad'
            when user_agent like '%Android%' then 'Android'
            when user_agent like '%Macintosh%' then 'Mac'
            when user_agent like '%CrOS%' then 'ChromeOS'
            when user_agent like '%Linux%' then 'Linux'
            else 'other'
        end as device,
        case
            when user_agent is null then 'unknown'
            when user_agent like '%Edg/%' or user_agent like '%Edge/%' then 'Edge'
            when user_agent like '%EdgA/%' or user_agent like '%EdgiOS/%' then 'Edge'
            when user_agent like '%OPR/%' or user_agent like '%OPT/%' or user_agent like '%Opera%' then 'Opera'
            when user_agent like '%Firefox/%' or user_agent like '%FxiOS/%' then 'Firefox'
            when user_agent like '%Chrome/%' or user_agent like '%CriOS/%' then 'Chrome'
            when user_agent like '%MSIE %' or user_agent like '%Trident/%' then 'Internet Explorer'
            when user_agent like '%Safari/%' then 'Safari'
            else 'other'
        end as browser
    from agents
) as classified
group by device, browser
;

comment on view listening_by_device is 'One row per device and browser family with a play. Both come from user_agent. The first name found decides, since browsers also name other browsers. (sparkify 9ce2d5cb)'
;

create or replace view listening_by_hour as
-- listening_by_hour: one row per weekday and hour with a play.
-- Hours are UTC hours: the logs do not record the listener's local time.
-- weekday: The day of the week, from 0 (Sunday) to 6 (Saturday).
-- hour: The hour of the day, 0 to 23.
-- plays: The number of plays started in that hour.
-- listeners: The number of users with such a play.
select
    cast(extract(dow from start_time) as integer) as weekday,
    cast(extract(hour from start_time) as integer) as hour,
    count(*) as plays,
    count(distinct user_id) as listeners
from songplays
group by extract(dow from start_time), extract(hour from start_time)
;

comment on view listening_by_hour is 'One row per weekday and hour with a play. Hours are UTC hours: the logs do not record the listener''s local time. (sparkify fb2870f5)'
;

create or replace view listening_by_state as
-- listening_by_state: one row per state with a play.
-- The state is the text after the last comma of the location. A metropolitan area in several states (NY-NJ-PA) counts
-- for each of them, up to four, so the rows add up to more than the number of plays.
-- state: The two-letter code of the state; unknown if the location is missing or names no state.
-- plays: The number of plays started there.
-- listeners: The number of users with such a play.
with places as (
    select user_id, plays, reverse(split_part(reverse(location), ' ,', 1)) as states
    from (
        select user_id, location, count(*) as plays
        from songplays
        group by user_id, location
    ) as per_location
)
select
    state,
    cast(sum(plays) as bigint) as plays,
    count(distinct user_id) as listeners
from (
    select
        user_id,
        plays,
        case
            when length(split_part(states, '-', n)) = 2 then split_part(states, '-', n)
            when n = 1 then 'unknown'
        end as state
    from places
    cross join (select 1 as n union all select 2 union all select 3 union all select 4) as numbers
) as per_state
where state is not null
group by state
;

comment on view listening_by_state is 'One row per state with a play. The state is the text after the last comma of the location. A metropolitan area in several states (NY-NJ-PA) counts for each of them, up to four, so the rows add up to more than the number of plays. (sparkify 891102f2)'
;

create or replace view listening_by_year as
-- listening_by_year: one row per year of release with a play, and one for plays without a known year.
-- year: The year of release of the matched song; null if the play matches no song, or its song has no year.
-- plays: The number of plays.
-- listeners: The number of users with such a play.
select
    s.year,
    count(*) as plays,
    count(distinct p.user_id) as listeners
from songplays as p
left join songs as s on s.song_id = p.song_id
group by s.year
;

comment on view listening_by_year is 'One row per year of release with a play, and one for plays without a known year. (sparkify eb8e686a)'
;

create or replace view top_artists as
-- top_artists: one row per played artist, as the app credits them.
-- A credit with guests is an artist of its own: "A" and "A feat. B" are two.
-- rank: The rank by number of plays, from 1; artists with equally many plays share a rank.
-- artist_name: The name of the artist, as the app logs it.
-- plays: The number of plays of the artist's songs.
-- listeners: The number of users with such a play.
-- titles: The number of distinct titles played.
-- hours: The total length of the songs played, in hours; a song that the user left early counts in full.
select
    rank() over (order by plays desc) as rank,
    artist_name,
    plays,
    listeners,
    titles,
    hours
from (
    select
        t.artist_name,
        count(*) as plays,
        count(distinct p.user_id) as listeners,
        count(distinct t.title) as titles,
        sum(t.duration) / 3600.0 as hours
    from songplays as p
    join tracks as t on t.track_id = p.track_id
    group by t.artist_name
) as counted
;

comment on view top_artists is 'One row per played artist, as the app credits them. A credit with guests is an artist of its own: "A" and "A feat. B" are two. (sparkify 7a9953d5)'
;

create or replace view top_listeners as
-- top_listeners: one row per user with a play.
-- rank: The rank by number of plays, from 1; users with equally many plays share a rank.
-- user_id: The user.
-- first_name: The first name of the user; null if unknown.
-- last_name: The last name of the user; null if unknown.
-- plays: The number of plays.
-- hours: The total length of the songs played, in hours; a song that the user left early counts in full.
-- last_played_at: The time of the last play, in UTC.
select
    rank() over (order by counted.plays desc) as rank,
    counted.user_id,
    u.first_name,
    u.last_name,
    counted.plays,
    counted.hours,
    counted.last_played_at
from (
    select
        p.user_id,
        count(*) as plays,
        coalesce(sum(t.duration), 0) / 3600.0 as hours,
        max(p.start_time) as last_played_at
    from songplays as p
    join tracks as t on t.track_id = p.track_id
    group by p.user_id
) as counted
join users as u on u.user_id = counted.user_id
;

comment on view top_listeners is 'One row per user with a play. (sparkify 7eb9c8ae)'
;

create or replace view top_tracks as
-- top_tracks: one row per played title and artist, whatever the length of the recording.
-- Titles come from the app's logs, so songs that are missing from the catalogue are included. A skip rate cannot be
-- computed, because the app does not log when a song ends.
-- rank: The rank by number of plays, from 1; songs with equally many plays share a rank.
-- title: The title of the song, as the app logs it.
-- artist_name: The name of the artist, as the app logs it.
-- plays: The number of plays.
-- listeners: The number of users with such a play.
-- hours: The total length of the songs played, in hours; a song that the user left early counts in full.
-- first_played_at: The time of the first play, in UTC.
-- last_played_at: The time of the last play, in UTC.
select
    rank() over (order by plays desc) as rank,
    title,
    artist_name,
    plays,
    listeners,
    hours,
    first_played_at,
    last_played_at
from (
    select
        t.title,
        t.artist_name,
        count(*) as plays,
        count(distinct p.user_id) as listeners,
        sum(t.duration) / 3600.0 as hours,
        min(p.start_time) as first_played_at,
        max(p.start_time) as last_played_at
    from songplays as p
    join tracks as t on t.track_id = p.track_id
    group by t.title, t.artist_name
) as counted
;

comment on view top_tracks is 'One row per played title and artist, whatever the length of the recording. Titles come from the app''s logs, so songs that are missing from the catalogue are included. A skip rate cannot be computed, because the app does not log when a song ends. (sparkify 0a4ceafa)'
;

create or replace view weekly_churn as
-- weekly_churn: one row per week with a play in it or in the week before, up to the week of the last play.
-- A lost listener has a play in the week before and none in this one; they may return later. The first week loses
-- nobody, and the last one may be incomplete. Of consecutive weeks without a play, only the first has a row.
-- week: The Monday of the week, in UTC.
-- listeners: The number of users with a play in this week.
-- new_listeners: The number of listeners without an earlier play.
-- returning_listeners: The number of listeners with a play in the week before.
-- resurrected_listeners: The number of listeners with an earlier play, but none in the week before.
-- lost_listeners: The number of users with a play in the week before and none in this week.
-- churn: lost_listeners / listeners of the week before; null if nobody listened then.
with weeks as (
    select distinct user_id, cast(date_trunc('week', start_time) as date) as week
    from songplays
),
visits as (
    select user_id, week, lag(week) over (partition by user_id order by week) as week_before
    from weeks
),
counts as (
    select
        week,
        count(*) as listeners,
        count(case when week_before is null then 1 end) as new_listeners,
        count(case when week_before = week - 7 then 1 end) as returning_listeners,
        count(case when week_before < week - 7 then 1 end) as resurrected_listeners
    from visits
    group by week
),
calendar as (
    select week from counts
    union
    select week + 7 from counts where week < (select max(week) from counts)
)
select
    calendar.week,
    coalesce(this.listeners, 0) as listeners,
    coalesce(this.new_listeners, 0) as new_listeners,
    coalesce(this.returning_listeners, 0) as returning_listeners,
    coalesce(this.resurrected_listeners, 0) as resurrected_listeners,
    coalesce(before.listeners, 0) - coalesce(this.returning_listeners, 0) as lost_listeners,
    cast(before.listeners - coalesce(this.returning_listeners, 0) as double precision) / before.listeners as churn
from calendar
left join counts as this on this.week = calendar.week
left join counts as before on before.week = calendar.week - 7
;

comment on view weekly_churn is 'One row per week with a play in it or in the week before, up to the week of the last play. A lost listener has a play in the week before and none in this one; they may return later. The first week loses nobody, and the last one may be incomplete. Of consecutive weeks without a play, only the first has a row. (sparkify 1bf3e3ef)'
;

create or replace view weekly_retention as
-- weekly_retention: one row per weekly cohort of listeners and week since, from the cohort's first week on.
-- A cohort is the users whose first play is in the same week. The data's first week has no cohort, since users who
-- listened before look new in it. The last week counts only if the data reaches its Sunday. Of consecutive weeks without
-- a play, only the first has rows.
-- cohort_week: The Monday of the week of the cohort's first plays, in UTC.
-- weeks_since: The number of whole weeks since then; 0 is the first week.
-- cohort_listeners: The number of users in the cohort.
-- active_listeners: The number of those users with a play in that week.
-- retention: active_listeners / cohort_listeners.
with reach as (
    select
        cast(date_trunc('week', min(start_time)) as date) as first_week,
        cast(max(start_time) as date) as last_day
    from time
),
weeks as (
    select distinct user_id, cast(date_trunc('week', start_time) as date) as week
    from songplays
),
firsts as (
    select user_id, min(week) as cohort_week
    from weeks
    group by user_id
),
calendar as (
    select week from weeks
    union
    select week + 7 from weeks where week < (select max(week) from weeks)
),
sizes as (
    select cohort_week, count(*) as listeners
    from firsts
    group by cohort_week
),
visits as (
    select firsts.cohort_week, weeks.week, count(*) as listeners
    from firsts
    join weeks on weeks.user_id = firsts.user_id
    group by firsts.cohort_week, weeks.week
)
select
    sizes.cohort_week,
    cast(floor((calendar.week - sizes.cohort_week) / 7.0) as integer) as weeks_since,
    sizes.listeners as cohort_listeners,
    coalesce(visits.listeners, 0) as active_listeners,
    cast(coalesce(visits.listeners, 0) as double precision) / sizes.listeners as retention
from sizes
join reach on sizes.cohort_week > reach.first_week
join calendar on calendar.week >= sizes.cohort_week and calendar.week + 6 <= reach.last_day
left join visits on visits.cohort_week = sizes.cohort_week and visits.week = calendar.week
;

comment on view weekly_retention is 'One row per weekly cohort of listeners and week since, from the cohort''s first week on. A cohort is the users whose first play is in the same week. The data''s first week has no cohort, since users who listened before look new in it. The last week counts only if the data reaches its Sunday. Of consecutive weeks without a play, only the first has rows. (sparkify 691a6c44)'
;

create or replace view level_history as
-- level_history: one row per user and period at one subscription level, without gaps.
-- The level is the one that the app logs with each event, in the order of time and of the position in the session.
-- user_id: The user.
-- level: The subscription level in the period: free or paid.
-- valid_from: The time of the first event at this level, in UTC; the level before the first event is unknown.
-- valid_to: The time of the first event at the next level, in UTC; null for the latest level.
-- level_before: The previous level; null for the first known level.
with days as (
    select
        user_id,
        cast(start_time as date) as day,
        min(level) as level,
        max(level) as other_level,
        min(start_time) as start_time
    from events
    where user_id is not null and level is not null
    group by user_id, cast(start_time as date)
),
candidates as ( -- on a day at one level, only the first event can be a change; sorting every event takes three times as long
    select user_id, level, start_time, 0 as item_in_session, '' as event_id
    from days
    where level = other_level
    union all
    select e.user_id, e.level, e.start_time, e.item_in_session, e.event_id
    from days
    join events as e on e.user_id = days.user_id and cast(e.start_time as date) = days.day
    where days.level <> days.other_level and e.level is not null
)
select
    user_id,
    level,
    start_time as valid_from,
    lead(start_time) over (partition by user_id order by start_time, item_in_session, event_id) as valid_to,
    level_before
from (
    select
        user_id,
        level,
        start_time,
        item_in_session,
        event_id,
        lag(level) over (partition by user_id order by start_time, item_in_session, event_id) as level_before
    from candidates
) as changes
where level_before is null or level_before <> level
;

comment on view level_history is 'One row per user and period at one subscription level, without gaps. The level is the one that the app logs with each event, in the order of time and of the position in the session. (sparkify ea28f91e)'
;

create or replace view sessions as
-- sessions: one row per session of a user.
-- Events before the login have no user, and do not count.
-- session_id: The app's identifier of the session.
-- user_id: The user of the session.
-- started_at: The time of the first event, in UTC.
-- ended_at: The time of the last event, in UTC; the log does not record how long a last song was played.
-- minutes: The time from the first to the last event, in minutes, computed from whole seconds; 0 for a single event.
-- plays: The number of plays.
-- page_views: The number of page views.
select
    session_id,
    user_id,
    min(start_time) as started_at,
    max(start_time) as ended_at,
    cast(
        extract(epoch from date_trunc('second', max(start_time)))
        - extract(epoch from date_trunc('second', min(start_time))) as double precision
    ) / 60.0 as minutes,
    count(case when page = 'NextSong' then 1 end) as plays,
    count(case when page <> 'NextSong' then 1 end) as page_views
from events
where user_id is not null
group by session_id, user_id
;

comment on view sessions is 'One row per session of a user. Events before the login have no user, and do not count. (sparkify 641b3ded)'
;

create or replace view upgrade_funnel as
-- upgrade_funnel: one row per step from free to paid, with the number of users who reached it.
-- A user counts once per step, and only if the step is at or after the previous one. Users who were paid from the start
-- of the data count only if they were free at some time.
-- step: The number of the step, 1 to 4.
-- name: The name of the step: Free (any event at that level), Upgrade page (viewed at level free), Submitted (the form
-- of that page was sent), Paid (an event at that level).
-- users: The number of users who reached the step.
-- share_of_first: users / users of step 1; null if nobody reached step 1.
-- share_of_previous: users / users of the previous step; null for step 1, or if nobody reached the previous step.
with viewed as (
    select user_id, min(start_time) as first_time
    from page_views
    where page = 'Upgrade' and level = 'free' and user_id is not null
    group by user_id
),
submitted as (
    select v.user_id, min(v.start_time) as first_time
    from page_views as v
    join viewed on viewed.user_id = v.user_id
    where v.page = 'Submit Upgrade' and v.start_time >= viewed.first_time
    group by v.user_id
),
steps as (
    select 1 as step, 'Free' as name, count(distinct user_id) as users
    from events
    where level = 'free' and user_id is not null
    union all
    select 2, 'Upgrade page', count(*)
    from viewed
    union all
    select 3, 'Submitted', count(*)
    from submitted
    union all
    select 4, 'Paid', count(distinct e.user_id)
    from events as e
    join submitted on submitted.user_id = e.user_id
    where e.level = 'paid' and e.start_time >= submitted.first_time
)
select
    step,
    name,
    users,
    cast(users as double precision) / nullif(max(case when step = 1 then users end) over (), 0) as share_of_first,
    cast(users as double precision) / nullif(lag(users) over (order by step), 0) as share_of_previous
from steps
;

comment on view upgrade_funnel is 'One row per step from free to paid, with the number of users who reached it. A user counts once per step, and only if the step is at or after the previous one. Users who were paid from the start of the data count only if they were free at some time. (sparkify 214015cd)'
;

create or replace view daily_levels as
-- daily_levels: one row per day with an event: the number of free and paid users at the end of the day.
-- A user is counted from their first event with a level, and is never removed: no event says that a user has left.
-- day: The day, in UTC.
-- users: The number of users seen so far whose level is known: free_users + paid_users.
-- free_users: The number of those users at level free at the end of the day.
-- paid_users: The number of those users at level paid at the end of the day.
-- upgrades: The number of changes from free to paid on that day.
-- downgrades: The number of changes from paid to free on that day.
select
    day,
    count(case when is_current then 1 end) as users,
    count(case when is_current and level = 'free' then 1 end) as free_users,
    count(case when is_current and level = 'paid' then 1 end) as paid_users,
    count(case when is_change and level = 'paid' then 1 end) as upgrades,
    count(case when is_change and level = 'free' then 1 end) as downgrades
from (
    select
        days.day,
        h.level,
        h.user_id is not null and (h.valid_to is null or h.valid_to >= days.next_day) as is_current,
        h.level_before is not null and h.valid_from >= days.day as is_change
    from (
        select distinct cast(start_time as date) as day, cast(start_time as date) + 1 as next_day
        from events
    ) as days
    left join level_history as h
        on h.valid_from < days.next_day and (h.valid_to is null or h.valid_to >= days.day)
) as levels
group by day
;

comment on view daily_levels is 'One row per day with an event: the number of free and paid users at the end of the day. A user is counted from their first event with a level, and is never removed: no event says that a user has left. (sparkify 831f69ed)'
;

create or replace view weekly_paid_churn as
-- weekly_paid_churn: one row per week with an event: the paid users who became free, and those who became paid.
-- A user who changes level several times in a week counts by their level before and after the week. The app does not log
-- who leaves, so a paid user without events stays paid.
-- week: The Monday of the week, in UTC.
-- paid_users: The number of users at level paid at the end of the week.
-- gained_paid_users: The number of users at level paid at the end of the week, but not before the week.
-- lost_paid_users: The number of users at level paid before the week, but not at its end.
-- paid_churn: lost_paid_users / the number of users at level paid before the week; null if there were none.
with changes as (
    select
        user_id,
        cast(date_trunc('week', valid_from) as date) as week,
        sum(case when level = 'paid' then 1 when level_before = 'paid' then -1 else 0 end) as change
    from level_history
    group by user_id, cast(date_trunc('week', valid_from) as date)
),
counts as (
    select
        week,
        count(case when change = 1 then 1 end) as gained,
        count(case when change = -1 then 1 end) as lost
    from changes
    group by week
),
balances as (
    select
        weeks.week,
        coalesce(counts.gained, 0) as gained,
        coalesce(counts.lost, 0) as lost,
        cast(sum(coalesce(counts.gained, 0) - coalesce(counts.lost, 0)) over (
            order by weeks.week rows between unbounded preceding and current row
        ) as bigint) as paid_users
    from (select distinct cast(date_trunc('week', start_time) as date) as week from events) as weeks
    left join counts on counts.week = weeks.week
)
select
    week,
    paid_users,
    gained as gained_paid_users,
    lost as lost_paid_users,
    cast(lost as double precision) / nullif(paid_users - gained + lost, 0) as paid_churn
from balances
;

comment on view weekly_paid_churn is 'One row per week with an event: the paid users who became free, and those who became paid. A user who changes level several times in a week counts by their level before and after the week. The app does not log who leaves, so a paid user without events stays paid. (sparkify ac4778f8)'
;

commit
;

comment on table "artists" is 'One row per artist of the catalogue.'
;

comment on column "artists"."artist_id" is 'The catalogue''s identifier of the artist.'
;

comment on column "artists"."latitude" is 'The latitude of that location, in degrees north; null if unknown.'
;

comment on column "artists"."location" is 'The artist''s home, as written in the catalogue; null if unknown.'
;

comment on column "artists"."longitude" is 'The longitude of that location, in degrees east; null if unknown.'
;

comment on column "artists"."name" is 'The shortest name under which the catalogue credits the artist; null if it never names the artist.'
;

comment on table "catalogue" is 'One row per song: its current record, which is the one delivered last. The tables songs and artists are built from it.'
;

comment on column "catalogue"."artist_id" is 'The identifier of the song''s artist.'
;

comment on column "catalogue"."artist_latitude" is 'The latitude of that location, in degrees north; null if unknown.'
;

comment on column "catalogue"."artist_location" is 'The artist''s home according to this record; null if unknown.'
;

comment on column "catalogue"."artist_longitude" is 'The longitude of that location, in degrees east; null if unknown.'
;

comment on column "catalogue"."artist_name" is 'The name of the artist as credited on this song; null if unknown.'
;

comment on column "catalogue"."duration" is 'The length of the recording, in seconds; null if unknown.'
;

comment on column "catalogue"."song_id" is 'The catalogue''s identifier of the song.'
;

comment on column "catalogue"."title" is 'The title of the song; null if unknown.'
;

comment on column "catalogue"."year" is 'The year of release; null if unknown.'
;

comment on column "daily_levels"."day" is 'The day, in UTC.'
;

comment on column "daily_levels"."downgrades" is 'The number of changes from paid to free on that day.'
;

comment on column "daily_levels"."free_users" is 'The number of those users at level free at the end of the day.'
;

comment on column "daily_levels"."paid_users" is 'The number of those users at level paid at the end of the day.'
;

comment on column "daily_levels"."upgrades" is 'The number of changes from free to paid on that day.'
;

comment on column "daily_levels"."users" is 'The number of users seen so far whose level is known: free_users + paid_users.'
;

comment on column "daily_listeners"."day" is 'The day, in UTC.'
;

comment on column "daily_listeners"."hours" is 'The total length of the songs played on that day, in hours; a song that the user left early counts in full.'
;

comment on column "daily_listeners"."listeners" is 'The number of users with a play on that day.'
;

comment on column "daily_listeners"."listeners_30d" is 'The number of users with a play on that day or in the 29 days before.'
;

comment on column "daily_listeners"."listeners_7d" is 'The number of users with a play on that day or in the 6 days before.'
;

comment on column "daily_listeners"."plays" is 'The number of plays on that day.'
;

comment on column "daily_listeners"."stickiness" is 'listeners / listeners_30d, the share of a month''s listeners who listen on one day. It is too high in the first 30 days of the data, which lack a full month.'
;

comment on column "daily_match_rate"."artist_plays" is 'The number of plays that match an artist.'
;

comment on column "daily_match_rate"."artist_rate" is 'artist_plays / plays.'
;

comment on column "daily_match_rate"."day" is 'The day, in UTC.'
;

comment on column "daily_match_rate"."plays" is 'The number of plays.'
;

comment on column "daily_match_rate"."song_plays" is 'The number of plays that match a song.'
;

comment on column "daily_match_rate"."song_rate" is 'song_plays / plays.'
;

comment on column "daily_page_errors"."day" is 'The day, in UTC.'
;

comment on column "daily_page_errors"."error_rate" is 'errors / page_views.'
;

comment on column "daily_page_errors"."errors" is 'The number of page views that ended in an error.'
;

comment on column "daily_page_errors"."page_views" is 'The number of page views.'
;

comment on column "daily_page_errors"."users" is 'The number of users who met an error; logged-out users do not count.'
;

comment on table "etl_files" is 'One row per loaded file, in the version last loaded. It is the ledger of what has been loaded.'
;

comment on column "etl_files"."duplicates" is 'The number of records that changed nothing.'
;

comment on column "etl_files"."loaded_at" is 'The time at which the file was loaded, in UTC.'
;

comment on column "etl_files"."page_views" is 'The number of events that became page views.'
;

comment on column "etl_files"."path" is 'The path of the file on disk, or its s3:// URL.'
;

comment on column "etl_files"."read" is 'The number of records read from the file: the sum of the columns that follow.'
;

comment on column "etl_files"."rejected" is 'The number of rejected records.'
;

comment on column "etl_files"."run_id" is 'The run that loaded the file.'
;

comment on column "etl_files"."size" is 'The size of the file as stored, in bytes.'
;

comment on column "etl_files"."songplays" is 'The number of events that became plays.'
;

comment on column "etl_files"."songs" is 'The number of song records that added or changed a song.'
;

comment on column "etl_files"."source" is 'The kind of the file''s records: events or songs.'
;

comment on column "etl_files"."version" is 'The version of the file''s content: its ETag in S3; on disk or without ETags, its size and modification time.'
;

comment on table "etl_runs" is 'One row per run that published something.'
;

comment on column "etl_runs"."bytes" is 'The total size of those files as stored, in bytes.'
;

comment on column "etl_runs"."contract" is 'The version of the rules by which records were judged, with the settings of [CONTRACT].'
;

comment on column "etl_runs"."events_duplicate" is 'The number of events that changed nothing.'
;

comment on column "etl_runs"."events_read" is 'The number of events read: songplays + page_views + events_duplicate + events_rejected.'
;

comment on column "etl_runs"."events_rejected" is 'The number of rejected events.'
;

comment on column "etl_runs"."files" is 'The number of files loaded.'
;

comment on column "etl_runs"."finished_at" is 'The time at which the run''s last batch was published, in UTC.'
;

comment on column "etl_runs"."layout" is 'The version of the tables.'
;

comment on column "etl_runs"."page_views" is 'The number of events that became page views.'
;

comment on column "etl_runs"."run_id" is 'The identifier of the run: its start time in UTC, and six random hexadecimal digits.'
;

comment on column "etl_runs"."songplays" is 'The number of events that became plays.'
;

comment on column "etl_runs"."songs" is 'The number of song records that added or changed a song.'
;

comment on column "etl_runs"."songs_duplicate" is 'The number of song records that changed nothing.'
;

comment on column "etl_runs"."songs_read" is 'The number of song records read: songs + songs_duplicate + songs_rejected.'
;

comment on column "etl_runs"."songs_rejected" is 'The number of rejected song records.'
;

comment on column "etl_runs"."started_at" is 'The time at which the run began, in UTC.'
;

comment on column "events"."event_id" is 'The key of the event: songplay_id or page_view_id.'
;

comment on column "events"."item_in_session" is 'The position of the event in its session, counted from 0. Of a user''s events in one millisecond, the highest position is the latest.'
;

comment on column "events"."level" is 'The subscription level at that time: free or paid.'
;

comment on column "events"."location" is 'The user''s location according to the app: a metropolitan area and its states; null if unknown.'
;

comment on column "events"."page" is 'The name of the page requested; NextSong for a play.'
;

comment on column "events"."session_id" is 'The app''s identifier of the session.'
;

comment on column "events"."start_time" is 'The time of the event, in UTC, to the millisecond.'
;

comment on column "events"."user_agent" is 'The user agent string of the browser; null if the browser sent none.'
;

comment on column "events"."user_id" is 'The user who caused the event; null if logged out.'
;

comment on column "freshness"."files" is 'The number of loaded files.'
;

comment on column "freshness"."last_loaded_at" is 'The time of the last load, in UTC, by the clock of the machine that ran it; null if there is none.'
;

comment on column "freshness"."newest_event_at" is 'The time of the last event, in UTC; null if there is none. Later events are not loaded yet.'
;

comment on column "freshness"."newest_play_at" is 'The time of the last play, in UTC; null if there is none.'
;

comment on column "freshness"."oldest_event_at" is 'The time of the first event, in UTC; null if there is none.'
;

comment on column "freshness"."rejected" is 'The number of rejected records in those files.'
;

comment on column "level_history"."level" is 'The subscription level in the period: free or paid.'
;

comment on column "level_history"."level_before" is 'The previous level; null for the first known level.'
;

comment on column "level_history"."user_id" is 'The user.'
;

comment on column "level_history"."valid_from" is 'The time of the first event at this level, in UTC; the level before the first event is unknown.'
;

comment on column "level_history"."valid_to" is 'The time of the first event at the next level, in UTC; null for the latest level.'
;

comment on column "listening_by_device"."browser" is 'The browser family: Edge, Opera, Firefox, Chrome (Chromium too), Safari, Internet Explorer, other, or unknown if the log has no user agent.'
;

comment on column "listening_by_device"."device" is 'The device: Windows (Windows phones too, which also name Android and iPhone), iPhone, iPad, Android, Mac, Linux, ChromeOS, other, or unknown if the log has no user agent.'
;

comment on column "listening_by_device"."listeners" is 'The number of users with a play; a user of two devices is in two rows.'
;

comment on column "listening_by_device"."plays" is 'The number of plays.'
;

comment on column "listening_by_hour"."hour" is 'The hour of the day, 0 to 23.'
;

comment on column "listening_by_hour"."listeners" is 'The number of users with such a play.'
;

comment on column "listening_by_hour"."plays" is 'The number of plays started in that hour.'
;

comment on column "listening_by_hour"."weekday" is 'The day of the week, from 0 (Sunday) to 6 (Saturday).'
;

comment on column "listening_by_state"."listeners" is 'The number of users with such a play.'
;

comment on column "listening_by_state"."plays" is 'The number of plays started there.'
;

comment on column "listening_by_state"."state" is 'The two-letter code of the state; unknown if the location is missing or names no state.'
;

comment on column "listening_by_year"."listeners" is 'The number of users with such a play.'
;

comment on column "listening_by_year"."plays" is 'The number of plays.'
;

comment on column "listening_by_year"."year" is 'The year of release of the matched song; null if the play matches no song, or its song has no year.'
;

comment on table "page_views" is 'One row per event that is not a play.'
;

comment on column "page_views"."auth" is 'The authentication state: Logged In or Logged Out.'
;

comment on column "page_views"."item_in_session" is 'The position of the event in its session, counted from 0.'
;

comment on column "page_views"."level" is 'The subscription level at that time: free or paid. The app logs it for logged-out users too.'
;

comment on column "page_views"."location" is 'The user''s location according to the app: a metropolitan area and its states; null if unknown.'
;

comment on column "page_views"."method" is 'The HTTP method of the request, such as GET or PUT.'
;

comment on column "page_views"."page" is 'The name of the page: Home, Login, Upgrade, Submit Upgrade, Error and so on; never NextSong.'
;

comment on column "page_views"."page_view_id" is 'The unique key: ts, sessionId, itemInSession and userId of the event, joined by hyphens.'
;

comment on column "page_views"."session_id" is 'The app''s identifier of the session.'
;

comment on column "page_views"."start_time" is 'The time at which the page was requested, in UTC, to the millisecond.'
;

comment on column "page_views"."status" is 'The HTTP status code of the response, such as 200, 307 or 404.'
;

comment on column "page_views"."user_agent" is 'The user agent string of the browser; null if the browser sent none.'
;

comment on column "page_views"."user_id" is 'The user who requested the page; null if logged out.'
;

comment on table "rejected_records" is 'One row per rejected record, with its origin, the reason and its text.'
;

comment on column "rejected_records"."file" is 'The path or s3:// URL of the file that contains the record; null if a later run rejected a loaded record.'
;

comment on column "rejected_records"."line" is 'The line on which the record begins, counted from 1; null if unknown, as for contradictions.'
;

comment on column "rejected_records"."reason" is 'The reason for the rejection.'
;

comment on column "rejected_records"."record" is 'The text of the record, for a contradiction rebuilt from its columns; on Redshift, text of more than 64,000 bytes is shortened.'
;

comment on column "rejected_records"."run_id" is 'The run that rejected the record.'
;

comment on column "rejected_records"."source" is 'The kind of record: events or songs.'
;

comment on column "sessions"."ended_at" is 'The time of the last event, in UTC; the log does not record how long a last song was played.'
;

comment on column "sessions"."minutes" is 'The time from the first to the last event, in minutes, computed from whole seconds; 0 for a single event.'
;

comment on column "sessions"."page_views" is 'The number of page views.'
;

comment on column "sessions"."plays" is 'The number of plays.'
;

comment on column "sessions"."session_id" is 'The app''s identifier of the session.'
;

comment on column "sessions"."started_at" is 'The time of the first event, in UTC.'
;

comment on column "sessions"."user_id" is 'The user of the session.'
;

comment on table "songplays" is 'One row per NextSong event.'
;

comment on column "songplays"."artist_id" is 'The artist of that song, otherwise the artist credited with exactly this name; null if there is none.'
;

comment on column "songplays"."item_in_session" is 'The position of the event in its session, counted from 0.'
;

comment on column "songplays"."level" is 'The user''s subscription level at that time: free or paid.'
;

comment on column "songplays"."location" is 'The user''s location according to the app: a metropolitan area and its states; null if unknown.'
;

comment on column "songplays"."session_id" is 'The app''s identifier of the session.'
;

comment on column "songplays"."song_id" is 'The catalogue song with exactly the same title, artist and duration; null if there is none.'
;

comment on column "songplays"."songplay_id" is 'The unique key: ts, sessionId, itemInSession and userId of the event, joined by hyphens.'
;

comment on column "songplays"."start_time" is 'The time at which the song started, in UTC, to the millisecond.'
;

comment on column "songplays"."track_id" is 'The track that was played, as the app logged it.'
;

comment on column "songplays"."user_agent" is 'The user agent string of the browser; null if the browser sent none.'
;

comment on column "songplays"."user_id" is 'The user who played the song.'
;

comment on table "songs" is 'One row per song of the catalogue.'
;

comment on column "songs"."artist_id" is 'The identifier of the song''s artist.'
;

comment on column "songs"."artist_name" is 'The name of the artist as credited on this song; null if unknown.'
;

comment on column "songs"."duration" is 'The length of the recording, in seconds; null if unknown.'
;

comment on column "songs"."song_id" is 'The catalogue''s identifier of the song.'
;

comment on column "songs"."title" is 'The title of the song; null if unknown.'
;

comment on column "songs"."year" is 'The year of release; null if unknown, which the source writes as 0.'
;

comment on table "staging_events" is 'One row per accepted event of the current batch, under the source''s own names. On DuckDB it is temporary, unless the run has the option --keep-staging.'
;

comment on column "staging_events"."artist" is 'The name of the artist; null for most events that are not plays.'
;

comment on column "staging_events"."auth" is 'The authentication state: Logged In or Logged Out.'
;

comment on column "staging_events"."duplicate" is 'Whether the event changes nothing.'
;

comment on column "staging_events"."file_id" is 'The file that contains the event, in staging_files.'
;

comment on column "staging_events"."firstname" is 'The given name of the user; null if logged out.'
;

comment on column "staging_events"."gender" is 'The gender of the user: F or M; null if logged out.'
;

comment on column "staging_events"."iteminsession" is 'The position of the event in its session, counted from 0.'
;

comment on column "staging_events"."lastname" is 'The family name of the user; null if logged out.'
;

comment on column "staging_events"."length" is 'The length of the song, in seconds; null for most events that are not plays.'
;

comment on column "staging_events"."level" is 'The subscription level at that time: free or paid.'
;

comment on column "staging_events"."location" is 'The user''s location according to the app: a metropolitan area and its states.'
;

comment on column "staging_events"."method" is 'The HTTP method of the request.'
;

comment on column "staging_events"."page" is 'The page requested; NextSong for a play.'
;

comment on column "staging_events"."registration" is 'The time at which the user registered, in milliseconds since 1970 in UTC.'
;

comment on column "staging_events"."sessionid" is 'The app''s identifier of the session.'
;

comment on column "staging_events"."song" is 'The title of the song; null for most events that are not plays.'
;

comment on column "staging_events"."status" is 'The HTTP status code of the response.'
;

comment on column "staging_events"."ts" is 'The time of the event, in milliseconds since 1970 in UTC.'
;

comment on column "staging_events"."useragent" is 'The user agent string of the browser.'
;

comment on column "staging_events"."userid" is 'The app''s identifier of the user; null if logged out.'
;

comment on table "staging_files" is 'One row per file of the current batch, with the number of its records. On DuckDB it is temporary, unless the run has the option --keep-staging.'
;

comment on column "staging_files"."file_id" is 'The number of the file in the batch.'
;

comment on column "staging_files"."path" is 'The path of the file on disk, or its s3:// URL.'
;

comment on column "staging_files"."read" is 'The number of records read from the file.'
;

comment on column "staging_files"."redelivered" is 'Whether an earlier version of the file has been loaded.'
;

comment on column "staging_files"."size" is 'The size of the file as stored, in bytes.'
;

comment on column "staging_files"."source" is 'The kind of the file''s records: events or songs.'
;

comment on column "staging_files"."version" is 'The version of the file''s content: its ETag in S3; on disk or without ETags, its size and modification time.'
;

comment on table "staging_rejects" is 'One row per rejected record of the current batch. On DuckDB it is temporary, unless the run has the option --keep-staging.'
;

comment on column "staging_rejects"."file_id" is 'The file that contains the record, in staging_files.'
;

comment on column "staging_rejects"."line" is 'The line on which the record begins, counted from 1; null if unknown, as for contradictions.'
;

comment on column "staging_rejects"."reason" is 'The reason for the rejection.'
;

comment on column "staging_rejects"."record" is 'The text of the record; on Redshift, text of more than 64,000 bytes is shortened.'
;

comment on table "staging_songs" is 'One row per accepted song record of the current batch, under the source''s own names. On DuckDB it is temporary, unless the run has the option --keep-staging.'
;

comment on column "staging_songs"."artist_id" is 'The catalogue''s identifier of the artist.'
;

comment on column "staging_songs"."artist_latitude" is 'The latitude of the artist''s location, in degrees north; null if unknown.'
;

comment on column "staging_songs"."artist_location" is 'The artist''s home; null if unknown.'
;

comment on column "staging_songs"."artist_longitude" is 'The longitude of the artist''s location, in degrees east; null if unknown.'
;

comment on column "staging_songs"."artist_name" is 'The name of the artist as credited on this song; null if unknown.'
;

comment on column "staging_songs"."duplicate" is 'Whether the record changes nothing.'
;

comment on column "staging_songs"."duration" is 'The length of the recording, in seconds; null if unknown.'
;

comment on column "staging_songs"."file_id" is 'The file that contains the record, in staging_files.'
;

comment on column "staging_songs"."num_songs" is 'The number of songs in the record, which is 1 in the public sample.'
;

comment on column "staging_songs"."position" is 'The position of the record in its file.'
;

comment on column "staging_songs"."song_id" is 'The catalogue''s identifier of the song.'
;

comment on column "staging_songs"."title" is 'The title of the song; null if unknown.'
;

comment on column "staging_songs"."year" is 'The year of release; 0 or null if unknown.'
;

comment on table "time" is 'One row per moment at which a play or a page view happened.'
;

comment on column "time"."day" is 'The day of the month, 1 to 31.'
;

comment on column "time"."hour" is 'The hour of the day, 0 to 23.'
;

comment on column "time"."month" is 'The month of the year, 1 to 12.'
;

comment on column "time"."start_time" is 'The moment, in UTC, to the millisecond.'
;

comment on column "time"."week" is 'The week of the year by ISO 8601, 1 to 53.'
;

comment on column "time"."weekday" is 'The day of the week, from 0 (Sunday) to 6 (Saturday).'
;

comment on column "time"."year" is 'The calendar year.'
;

comment on column "top_artists"."artist_name" is 'The name of the artist, as the app logs it.'
;

comment on column "top_artists"."hours" is 'The total length of the songs played, in hours; a song that the user left early counts in full.'
;

comment on column "top_artists"."listeners" is 'The number of users with such a play.'
;

comment on column "top_artists"."plays" is 'The number of plays of the artist''s songs.'
;

comment on column "top_artists"."rank" is 'The rank by number of plays, from 1; artists with equally many plays share a rank.'
;

comment on column "top_artists"."titles" is 'The number of distinct titles played.'
;

comment on column "top_listeners"."first_name" is 'The first name of the user; null if unknown.'
;

comment on column "top_listeners"."hours" is 'The total length of the songs played, in hours; a song that the user left early counts in full.'
;

comment on column "top_listeners"."last_name" is 'The last name of the user; null if unknown.'
;

comment on column "top_listeners"."last_played_at" is 'The time of the last play, in UTC.'
;

comment on column "top_listeners"."plays" is 'The number of plays.'
;

comment on column "top_listeners"."rank" is 'The rank by number of plays, from 1; users with equally many plays share a rank.'
;

comment on column "top_listeners"."user_id" is 'The user.'
;

comment on column "top_tracks"."artist_name" is 'The name of the artist, as the app logs it.'
;

comment on column "top_tracks"."first_played_at" is 'The time of the first play, in UTC.'
;

comment on column "top_tracks"."hours" is 'The total length of the songs played, in hours; a song that the user left early counts in full.'
;

comment on column "top_tracks"."last_played_at" is 'The time of the last play, in UTC.'
;

comment on column "top_tracks"."listeners" is 'The number of users with such a play.'
;

comment on column "top_tracks"."plays" is 'The number of plays.'
;

comment on column "top_tracks"."rank" is 'The rank by number of plays, from 1; songs with equally many plays share a rank.'
;

comment on column "top_tracks"."title" is 'The title of the song, as the app logs it.'
;

comment on table "tracks" is 'One row per recording as the app logs it, with its match in the catalogue.'
;

comment on column "tracks"."artist_id" is 'The artist of that song, otherwise the artist credited with exactly this name; null if there is none.'
;

comment on column "tracks"."artist_name" is 'The name of the artist, as the app logs it.'
;

comment on column "tracks"."duration" is 'The length of the song, in seconds, as the app logs it; null if the log has none.'
;

comment on column "tracks"."song_id" is 'The catalogue song with exactly the same title, artist and duration; null if there is none.'
;

comment on column "tracks"."title" is 'The title of the song, as the app logs it.'
;

comment on column "tracks"."track_id" is 'The MD5 hash of title, artist and duration, in hexadecimal.'
;

comment on column "upgrade_funnel"."name" is 'The name of the step: Free (any event at that level), Upgrade page (viewed at level free), Submitted (the form of that page was sent), Paid (an event at that level).'
;

comment on column "upgrade_funnel"."share_of_first" is 'users / users of step 1; null if nobody reached step 1.'
;

comment on column "upgrade_funnel"."share_of_previous" is 'users / users of the previous step; null for step 1, or if nobody reached the previous step.'
;

comment on column "upgrade_funnel"."step" is 'The number of the step, 1 to 4.'
;

comment on column "upgrade_funnel"."users" is 'The number of users who reached the step.'
;

comment on table "users" is 'One row per user, as of their latest event.'
;

comment on column "users"."first_name" is 'The given name of the user.'
;

comment on column "users"."gender" is 'The gender of the user: F or M.'
;

comment on column "users"."last_item_in_session" is 'The position of the latest event in its session. Of events at one time, the highest position is the latest.'
;

comment on column "users"."last_name" is 'The family name of the user.'
;

comment on column "users"."last_seen_at" is 'The time of the latest event, in UTC, to the millisecond.'
;

comment on column "users"."last_session_id" is 'The session of the latest event.'
;

comment on column "users"."level" is 'The subscription level at the latest event: free or paid. The view level_history has the earlier ones.'
;

comment on column "users"."registered_at" is 'The time at which the user registered, in UTC; null if the event has none.'
;

comment on column "users"."user_id" is 'The app''s identifier of the user, as text.'
;

comment on column "weekly_churn"."churn" is 'lost_listeners / listeners of the week before; null if nobody listened then.'
;

comment on column "weekly_churn"."listeners" is 'The number of users with a play in this week.'
;

comment on column "weekly_churn"."lost_listeners" is 'The number of users with a play in the week before and none in this week.'
;

comment on column "weekly_churn"."new_listeners" is 'The number of listeners without an earlier play.'
;

comment on column "weekly_churn"."resurrected_listeners" is 'The number of listeners with an earlier play, but none in the week before.'
;

comment on column "weekly_churn"."returning_listeners" is 'The number of listeners with a play in the week before.'
;

comment on column "weekly_churn"."week" is 'The Monday of the week, in UTC.'
;

comment on column "weekly_paid_churn"."gained_paid_users" is 'The number of users at level paid at the end of the week, but not before the week.'
;

comment on column "weekly_paid_churn"."lost_paid_users" is 'The number of users at level paid before the week, but not at its end.'
;

comment on column "weekly_paid_churn"."paid_churn" is 'lost_paid_users / the number of users at level paid before the week; null if there were none.'
;

comment on column "weekly_paid_churn"."paid_users" is 'The number of users at level paid at the end of the week.'
;

comment on column "weekly_paid_churn"."week" is 'The Monday of the week, in UTC.'
;

comment on column "weekly_retention"."active_listeners" is 'The number of those users with a play in that week.'
;

comment on column "weekly_retention"."cohort_listeners" is 'The number of users in the cohort.'
;

comment on column "weekly_retention"."cohort_week" is 'The Monday of the week of the cohort''s first plays, in UTC.'
;

comment on column "weekly_retention"."retention" is 'active_listeners / cohort_listeners.'
;

comment on column "weekly_retention"."weeks_since" is 'The number of whole weeks since then; 0 is the first week.'
;

select distinct layout, contract
from etl_runs
where run_id in (select run_id from etl_files)
;

select count(*)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = ? and c.relname = 'etl_files' and c.relkind = 'r'
;

select source, path, version from etl_files
;

select count(*) from stv_slices
;

truncate staging_events
;

truncate staging_songs
;

truncate staging_files
;

truncate staging_rejects
;

select count(*) from staging_events
;

copy staging_events from 's3://STAGE/RUN/staging_events.manifest'
iam_role 'arn:aws:iam::123456789012:role/dwhRole'
manifest
format json 'auto ignorecase'
gzip
region 'us-east-1'
compupdate off
maxerror 100000
;

select pg_last_copy_count()
;

select count(*) from staging_songs
;

copy staging_songs from 's3://STAGE/RUN/staging_songs.manifest'
iam_role 'arn:aws:iam::123456789012:role/dwhRole'
manifest
format json 'auto ignorecase'
gzip
region 'us-east-1'
compupdate off
maxerror 100000
;

select count(*) from staging_files
;

copy staging_files from 's3://STAGE/RUN/staging_files.manifest'
iam_role 'arn:aws:iam::123456789012:role/dwhRole'
manifest
format json 'auto ignorecase'
gzip
region 'us-east-1'
compupdate off
maxerror 100000
;

select count(*) from staging_rejects
;

copy staging_rejects from 's3://STAGE/RUN/staging_rejects.manifest'
iam_role 'arn:aws:iam::123456789012:role/dwhRole'
manifest
format json 'auto ignorecase'
gzip
region 'us-east-1'
compupdate off
maxerror 100000
;

select f.source, f.path, l.version
from staging_files as f
left join etl_files as l on l.source = f.source and l.path = f.path
;

select f.source, count(*) from staging_rejects as r join staging_files as f on f.file_id = r.file_id group by f.source
;

select source, sum(read) from staging_files group by source
;

select cast(start_time as date), min(start_time), max(start_time) from staged_events group by cast(start_time as date)
;

create temp table marked_songs as -- marked_songs: one row per staged song record.
-- A record is a duplicate if a later one of the same song follows, or if it equals that of the catalogue. Those that
-- contradict the later one are found by contradicting_songs.
select
    s.num_songs, s.artist_id, s.artist_latitude, s.artist_longitude, s.artist_location, s.artist_name,
    s.song_id, s.title, s.duration, s.year, s.file_id, s.position, s.place,
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
left join catalogue as c on c.song_id = s.song_id
;

select count(*) from staging_files where redelivered
;

create temp table lost_songs as 
        select distinct s.file_id, song_id, s.record
        from (
            select file_id, song_id, record, split_part(split_part(record, '"song_id": "', 2), '"', 1) as compared
            from (
                select file_id, song_id, '{' || substring(
    coalesce(', "num_songs": ' || case when not (true) then cast(num_songs as varchar) end, '')
    || coalesce(', "artist_id": ' || '"' || replace(replace(replace(replace(replace(artist_id, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "artist_latitude": ' || case when artist_latitude = floor(artist_latitude) then cast(cast(artist_latitude as bigint) as varchar) else cast(artist_latitude as varchar) end, '')
    || coalesce(', "artist_longitude": ' || case when artist_longitude = floor(artist_longitude) then cast(cast(artist_longitude as bigint) as varchar) else cast(artist_longitude as varchar) end, '')
    || coalesce(', "artist_location": ' || '"' || replace(replace(replace(replace(replace(artist_location, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "artist_name": ' || '"' || replace(replace(replace(replace(replace(artist_name, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "song_id": ' || '"' || replace(replace(replace(replace(replace(song_id, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "title": ' || '"' || replace(replace(replace(replace(replace(title, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "duration": ' || case when duration = floor(duration) then cast(cast(duration as bigint) as varchar) else cast(duration as varchar) end, '')
    || coalesce(', "year": ' || cast(year as varchar), '')
    from 3
) || '}' as record
                from (select * from marked_songs where place = 1 and not duplicate) as r
                where false
            ) as texts
        ) as s
        join staging_files as f on f.file_id = s.file_id
        join (
            select file, record, split_part(split_part(record, '"song_id": "', 2), '"', 1) as compared
            from rejected_records
            where source = 'songs' and reason = 'contradicts a later record of the same song'
        ) as r on r.compared = s.compared and (r.file = f.path or (r.file is null and r.record = s.record))
;

delete from rejected_records using lost_songs as l where rejected_records.file is null and rejected_records.source = 'songs' and rejected_records.reason = 'contradicts a later record of the same song' and rejected_records.record = l.record
;

create temp table contradicting_songs as -- contradicting_songs: one row per song record that a later record of the same song in another delivery contradicts.
-- A record of the catalogue has no file. One that its file replaces in a new version is not contradicted,
-- unless the earlier version has lost against another file (lost_songs).
with candidates as (
    select
        file_id, position, num_songs, artist_id, artist_latitude, artist_longitude, artist_location, artist_name,
        song_id, title, duration, year
    from marked_songs
    where place > 1
    union all
    select
        null, null, null, c.artist_id, c.artist_latitude, c.artist_longitude, c.artist_location, c.artist_name,
        c.song_id, c.title, c.duration, c.year
    from catalogue as c
    join marked_songs as w on w.song_id = c.song_id
    join staging_files as f on f.file_id = w.file_id
    where
        w.place = 1 and not w.duplicate
        and (not f.redelivered or w.song_id in (select song_id from lost_songs))
)
select c.*
from candidates as c
join marked_songs as w on w.song_id = c.song_id and w.place = 1
where
    c.artist_id <> w.artist_id
    or coalesce(c.title, '') <> coalesce(w.title, '')
    or coalesce(c.artist_name, '') <> coalesce(w.artist_name, '')
    or coalesce(c.artist_location, '') <> coalesce(w.artist_location, '')
    or coalesce(c.artist_latitude, 1e300) <> coalesce(w.artist_latitude, 1e300)
    or coalesce(c.artist_longitude, 1e300) <> coalesce(w.artist_longitude, 1e300)
    or coalesce(c.duration, -1) <> coalesce(w.duration, -1)
    or coalesce(c.year, 0) <> coalesce(w.year, 0)
;

delete from staging_songs
;

insert into staging_songs select num_songs, artist_id, artist_latitude, artist_longitude, artist_location, artist_name, song_id, title, duration, year, file_id, position, duplicate from marked_songs
;

select count(*) from contradicting_songs
;

create temp table new_catalogue as -- catalogue: one row per song that the batch adds or changes.
select
    song_id, title, artist_id, artist_name, artist_location, artist_latitude, artist_longitude, duration,
    nullif(year, 0) as year
from staging_songs
where not duplicate
;

delete from catalogue using new_catalogue as n where catalogue.song_id = n.song_id
;

insert into catalogue select * from new_catalogue
;

create temp table new_songs as -- songs: one row per song that the batch adds or changes.
select c.song_id, c.title, c.artist_id, c.year, c.duration, c.artist_name
from catalogue as c
join staging_songs as s on s.song_id = c.song_id
where not s.duplicate
;

delete from songs using new_songs as n where songs.song_id = n.song_id
;

insert into songs select * from new_songs
;

create temp table new_artists as -- artists: one row per artist that the catalogue adds or changes.
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
    )
;

delete from artists using new_artists as n where artists.artist_id = n.artist_id
;

insert into artists select * from new_artists
;

delete from artists where true and not exists (select 1 from catalogue as u where u.artist_id = artists.artist_id)
;

create temp table new_users as -- users: one row per user whose latest event is in the batch. Content decides between equally late events.
with seen as (
    select
        e.userId as user_id,
        e.firstName as first_name,
        e.lastName as last_name,
        e.gender,
        e.level,
        e.registered_at,
        e.start_time as last_seen_at,
        e.sessionId as last_session_id,
        e.itemInSession as last_item_in_session,
        -- PostgreSQL expects one row of the join below, and would look through all files for each user.
        case when f.redelivered then e.file_id end
        as redelivered_in,
        e.file_id,
        0 as is_known
    from staged_events as e
    join (select userId, max(ts) as ts from staging_events group by userId) as latest
        on latest.userId = e.userId and latest.ts = e.ts
    join staging_files as f on f.file_id = e.file_id
),
known as (
    select
        user_id, first_name, last_name, gender, level, registered_at, last_seen_at, last_session_id,
        last_item_in_session,
        cast(null as integer) as redelivered_in,
        -1 as file_id,
        1 as is_known
    from users
    where user_id in (select user_id from seen)
)
select
    user_id, first_name, last_name, gender, level, registered_at, last_seen_at, last_session_id, last_item_in_session
from (
    select
        preferred.*,
        row_number() over (
            partition by user_id
            order by
                last_seen_at desc, last_item_in_session desc, preference,
                level, first_name, last_name, gender, registered_at, last_session_id, is_known desc
        ) as recency
    from (
        select
            sightings.*,
            -- A redelivered file replaces earlier deliveries of the same event, which has the same session too.
            case
                when file_id >= coalesce(
                    max(redelivered_in) over (
                        partition by user_id, last_seen_at, last_item_in_session, last_session_id
                    ),
                    -1
                ) then 0
                else 1
            end as preference
        from (select * from seen union all select * from known) as sightings
    ) as preferred
) as ranked
where recency = 1 and is_known = 0
;

delete from users using new_users as n where users.user_id = n.user_id
;

insert into users select * from new_users
;

create temp table known_events as -- known_events: one row per staged event whose key the warehouse already has, and whether the two differ.
select
    e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id,
    coalesce(e.level, '') <> coalesce(p.level, '')
    or coalesce(e.location, '') <> coalesce(p.location, '')
    or coalesce(e.userAgent, '') <> coalesce(p.user_agent, '')
    or coalesce(e.song, '') <> coalesce(t.title, '')
    or coalesce(e.artist, '') <> coalesce(t.artist_name, '')
    or coalesce(e.length, -1) <> coalesce(t.duration, -1) as differs
from songplays as p
join staged_events as e
    on e.event_id = p.songplay_id
    -- PostgreSQL would expect one row of two conditions, and scan tracks once per event.
    and e.start_time = p.start_time
join tracks as t on t.track_id = p.track_id
where e.is_play and (p.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
union all
select
    e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id,
    coalesce(e.level, '') <> coalesce(v.level, '')
    or coalesce(e.location, '') <> coalesce(v.location, '')
    or coalesce(e.userAgent, '') <> coalesce(v.user_agent, '')
    or coalesce(e.page, '') <> coalesce(v.page, '')
    or coalesce(e.auth, '') <> coalesce(v.auth, '')
    or coalesce(e.method, '') <> coalesce(v.method, '')
    or (e.status is null) <> (v.status is null)
    or coalesce(e.status, 0) <> coalesce(v.status, 0) as differs
from page_views as v
join staged_events as e on e.start_time = v.start_time and e.event_id = v.page_view_id
where not e.is_play and (v.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
;

update staging_events set duplicate = true from known_events as k where 
staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession
and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play
;

create temp table contested_keys as -- contested_keys: one row per event key on which batch and warehouse differ, or that is new and repeated in the batch.
select ts, sessionId, itemInSession, userId, is_play, event_id
from known_events
where differs
union
select ts, sessionId, itemInSession, userId, is_play, event_id
from (
    select e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id
    from staged_events as e
    join (
        select ts, sessionId from staging_events group by ts, sessionId having count(*) > 1
    ) as repeated on repeated.ts = e.ts and repeated.sessionId = e.sessionId
    group by e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id
    having count(*) > 1
    -- PostgreSQL would run "where not exists" row by row, since it expects few repeated keys.
    except
    select ts, sessionId, itemInSession, userId, is_play, event_id
    from known_events
) as repeated_keys
;

select count(*) from contested_keys
;

create temp table lost_events as 
        select distinct s.file_id, event_id, is_play, s.record
        from (
            select file_id, event_id, is_play, record, rtrim(split_part(split_part(record, '"ts": ', 2), ',', 1), '}') || '-' || rtrim(split_part(split_part(record, '"sessionId": ', 2), ',', 1), '}') || '-' || rtrim(split_part(split_part(record, '"itemInSession": ', 2), ',', 1), '}') || '-' || split_part(split_part(record, '"userId": "', 2), '"', 1) || '-' || case when record like '%"page": "NextSong"%' then 'play' else 'view' end as compared
            from (
                select file_id, event_id, is_play, '{' || substring(
    coalesce(', "artist": ' || case when not (not is_play) then '"' || replace(replace(replace(replace(replace(artist, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "auth": ' || case when not (is_play) then '"' || replace(replace(replace(replace(replace(auth, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "firstName": ' || case when not (true) then '"' || replace(replace(replace(replace(replace(firstName, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "gender": ' || case when not (true) then '"' || replace(replace(replace(replace(replace(gender, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "itemInSession": ' || cast(itemInSession as varchar), '')
    || coalesce(', "lastName": ' || case when not (true) then '"' || replace(replace(replace(replace(replace(lastName, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "length": ' || case when not (not is_play) then case when length = floor(length) then cast(cast(length as bigint) as varchar) else cast(length as varchar) end end, '')
    || coalesce(', "level": ' || '"' || replace(replace(replace(replace(replace(level, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "location": ' || '"' || replace(replace(replace(replace(replace(location, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "method": ' || case when not (is_play) then '"' || replace(replace(replace(replace(replace(method, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "page": ' || '"' || replace(replace(replace(replace(replace(page, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "registration": ' || case when not (true) then cast(registration as varchar) end, '')
    || coalesce(', "sessionId": ' || cast(sessionId as varchar), '')
    || coalesce(', "song": ' || case when not (not is_play) then '"' || replace(replace(replace(replace(replace(song, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "status": ' || case when not (is_play) then cast(status as varchar) end, '')
    || coalesce(', "ts": ' || cast(ts as varchar), '')
    || coalesce(', "userAgent": ' || '"' || replace(replace(replace(replace(replace(userAgent, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "userId": ' || '"' || replace(replace(replace(replace(replace(userId, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    from 3
) || '}' as record
                from (select staging_events.*, k.event_id, k.is_play from staging_events join contested_keys as k on 
staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession
and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play
) as r
                where false
            ) as texts
        ) as s
        join staging_files as f on f.file_id = s.file_id
        join (
            select file, record, rtrim(split_part(split_part(record, '"ts": ', 2), ',', 1), '}') || '-' || rtrim(split_part(split_part(record, '"sessionId": ', 2), ',', 1), '}') || '-' || rtrim(split_part(split_part(record, '"itemInSession": ', 2), ',', 1), '}') || '-' || split_part(split_part(record, '"userId": "', 2), '"', 1) || '-' || case when record like '%"page": "NextSong"%' then 'play' else 'view' end as compared
            from rejected_records
            where source = 'events' and reason = 'contradicts another event with the same key'
        ) as r on r.compared = s.compared and (r.file = f.path or (r.file is null and r.record = s.record))
;

delete from rejected_records using lost_events as l where rejected_records.file is null and rejected_records.source = 'events' and rejected_records.reason = 'contradicts another event with the same key' and rejected_records.record = l.record
;

create temp table decided_events as -- decided_events: one row per staged event with a contested key: whether it is kept, is a duplicate, or contradicts.
-- Of the events with one key, the first in order of content is kept; a known event is preferred to an equal one. But a
-- redelivered file replaces all earlier files, in the order of the files, in whatever batches they come, unless its
-- earlier version has lost against another file (lost_events).
-- A known event that a new one contradicts has a row too, without a file.
with candidates as (
    select
        k.event_id, k.is_play,
        case when f.redelivered and l.file_id is null then e.file_id end as redelivered_in,
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
    left join (select distinct file_id, event_id, is_play from lost_events) as l
        on l.file_id = e.file_id and l.event_id = k.event_id and l.is_play = k.is_play
    union all
    select
        k.event_id, k.is_play, null,
        p.level, p.location, p.user_agent, t.title, t.artist_name, t.duration, 'NextSong', null, null, null,
        0, null, null, null, k.itemInSession, null, null, k.sessionId, k.ts, k.userId
        , null
    from contested_keys as k
    join songplays as p on p.songplay_id = k.event_id
    join tracks as t on t.track_id = p.track_id
    where k.is_play and (p.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
    union all
    select
        k.event_id, k.is_play, null,
        v.level, v.location, v.user_agent, null, null, null, v.page, v.auth, v.method, v.status,
        0, null, null, null, k.itemInSession, null, null, k.sessionId, k.ts, k.userId
        , null
    from contested_keys as k
    join page_views as v on v.page_view_id = k.event_id
    where not k.is_play and (v.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
),
compared as (
    select
        candidates.*,
        -- Only columns of the fact are compared: neither the song of a page view nor the status of a play counts.
        case when is_play then song end as play_song,
        case when is_play then artist end as play_artist,
        case when is_play then length end as play_length,
        case when not is_play then page end as view_page,
        case when not is_play then auth end as view_auth,
        case when not is_play then method end as view_method,
        case when not is_play then status end as view_status,
        case
            when coalesce(file_id, -1) >= coalesce(max(redelivered_in) over (partition by event_id, is_play), -1) then 0
            else 1
        end as preference
    from candidates
),
ranked as (
    select
        compared.*,
        row_number() over (
            partition by event_id, is_play
            order by
                preference, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status,
                is_new, file_id, firstName, lastName, gender, registration
        ) as place,
        min(is_new) over (
            partition by
                event_id, is_play, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status
        ) as is_unknown,
        min(is_new) over (partition by event_id, is_play) as is_first
    from compared
),
judged as (
    select
        ranked.*,
        min(place) over (
            partition by
                event_id, is_play, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status
        ) as first_place
    from ranked
)
select
    artist, auth, firstName, gender, itemInSession, lastName, length, level, location, method, page, registration,
    sessionId, song, status, ts, userAgent, userId,
    length_text,
    file_id,
    not (place = 1 and is_unknown = 1) as duplicate,
    place = 1 and is_unknown = 1 and is_first = 0 as replaces,
    first_place > 1 as contradicts,
    event_id, is_play
from judged
where is_new = 1 or (first_place > 1 and preference = 0)
;

create temp table replaced_tracks as -- replaced_tracks: one row per track of the plays that the batch replaces. Afterwards, no play may refer to it.
select distinct p.track_id
from songplays as p
join decided_events as d on d.event_id = p.songplay_id
where d.replaces and d.is_play and (p.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
;

delete from staging_events using contested_keys as k where 
staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession
and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play
;

insert into staging_events -- decided_rows: one row per staged event that is kept or a duplicate, with the columns of staging_events.
select
    artist, auth, firstName, gender, itemInSession, lastName, length, level, location, method, page, registration,
    sessionId, song, status, ts, userAgent, userId,
    length_text,
    file_id, duplicate
from decided_events
where not contradicts
;

insert into staging_rejects select file_id, cast(null as bigint), 'contradicts another event with the same key', '{' || substring(
    coalesce(', "artist": ' || '"' || replace(replace(replace(replace(replace(artist, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "auth": ' || '"' || replace(replace(replace(replace(replace(auth, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "firstName": ' || '"' || replace(replace(replace(replace(replace(firstName, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "gender": ' || '"' || replace(replace(replace(replace(replace(gender, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "itemInSession": ' || cast(itemInSession as varchar), '')
    || coalesce(', "lastName": ' || '"' || replace(replace(replace(replace(replace(lastName, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "length": ' || case when length = floor(length) then cast(cast(length as bigint) as varchar) else cast(length as varchar) end, '')
    || coalesce(', "level": ' || '"' || replace(replace(replace(replace(replace(level, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "location": ' || '"' || replace(replace(replace(replace(replace(location, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "method": ' || '"' || replace(replace(replace(replace(replace(method, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "page": ' || '"' || replace(replace(replace(replace(replace(page, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "registration": ' || cast(registration as varchar), '')
    || coalesce(', "sessionId": ' || cast(sessionId as varchar), '')
    || coalesce(', "song": ' || '"' || replace(replace(replace(replace(replace(song, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "status": ' || cast(status as varchar), '')
    || coalesce(', "ts": ' || cast(ts as varchar), '')
    || coalesce(', "userAgent": ' || '"' || replace(replace(replace(replace(replace(userAgent, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "userId": ' || '"' || replace(replace(replace(replace(replace(userId, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    from 3
) || '}' from (select * from decided_events where contradicts) as r where file_id is not null
;

insert into rejected_records select 'events', cast(null as varchar(4096)), cast(null as bigint), 'contradicts another event with the same key', '{' || substring(
    coalesce(', "artist": ' || '"' || replace(replace(replace(replace(replace(artist, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "auth": ' || '"' || replace(replace(replace(replace(replace(auth, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "firstName": ' || '"' || replace(replace(replace(replace(replace(firstName, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "gender": ' || '"' || replace(replace(replace(replace(replace(gender, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "itemInSession": ' || cast(itemInSession as varchar), '')
    || coalesce(', "lastName": ' || '"' || replace(replace(replace(replace(replace(lastName, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "length": ' || case when length = floor(length) then cast(cast(length as bigint) as varchar) else cast(length as varchar) end, '')
    || coalesce(', "level": ' || '"' || replace(replace(replace(replace(replace(level, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "location": ' || '"' || replace(replace(replace(replace(replace(location, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "method": ' || '"' || replace(replace(replace(replace(replace(method, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "page": ' || '"' || replace(replace(replace(replace(replace(page, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "registration": ' || cast(registration as varchar), '')
    || coalesce(', "sessionId": ' || cast(sessionId as varchar), '')
    || coalesce(', "song": ' || '"' || replace(replace(replace(replace(replace(song, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "status": ' || cast(status as varchar), '')
    || coalesce(', "ts": ' || cast(ts as varchar), '')
    || coalesce(', "userAgent": ' || '"' || replace(replace(replace(replace(replace(userAgent, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "userId": ' || '"' || replace(replace(replace(replace(replace(userId, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    from 3
) || '}', cast(? as varchar(40)) from (select * from decided_events where contradicts) as r where file_id is null
;

delete from page_views using decided_events as d where d.replaces and not d.is_play and page_views.page_view_id = d.event_id and (page_views.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
;

delete from songplays using decided_events as d where d.replaces and d.is_play and songplays.songplay_id = d.event_id and (songplays.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
;

create temp table new_tracks as -- tracks: one row per track that is new in the batch, or whose match in the catalogue has changed.
with played as (
    select
        -- The lengths separate title and artist: two tracks cannot have the same text.
        md5(
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
;

delete from tracks using new_tracks as n where tracks.track_id = n.track_id
;

insert into tracks select * from new_tracks
;

insert into songplays -- songplays: one row per new play of the batch, with the catalogue's match of its track.
select
    e.event_id as songplay_id, e.start_time, e.userId as user_id, e.level, t.song_id, t.artist_id,
    e.sessionId as session_id, e.itemInSession as item_in_session, e.location, e.userAgent as user_agent, t.track_id
from staged_events as e
join tracks as t
    on t.title = e.song and t.artist_name = e.artist and coalesce(t.duration, -1) = coalesce(e.length, -1)
where e.is_play and not e.duplicate
;

insert into page_views -- page_views: one row per new page view of the batch.
select
    event_id as page_view_id, start_time, userId as user_id, level, page, auth, method, status,
    sessionId as session_id, itemInSession as item_in_session, location, userAgent as user_agent
from staged_events
where not is_play and not duplicate
;

insert into time -- time: one row per new moment of the batch.
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
    left join (
        select start_time
        from time
        where (start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
    ) as known on known.start_time = e.start_time
    where not e.duplicate and known.start_time is null
) as moments
;

select source, count(*), sum(size), sum(read) from staging_files group by source
;

select count(*) from staging_events where duplicate
;

select count(*) from staging_songs where duplicate
;

delete from etl_files where exists (select 1 from staging_files as f where f.source = etl_files.source and f.path = etl_files.path)
;

delete from rejected_records where exists (select 1 from staging_files as f where f.source = rejected_records.source and f.path = rejected_records.file)
;

insert into etl_files -- loaded_files: one row per file of the batch, with the number of records of each outcome.
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
;

insert into rejected_records -- rejected_records: one row per rejected record of the batch.
select f.source, f.path as file, r.line, r.reason, r.record, cast(? as varchar(40)) as run_id
from staging_rejects as r
join staging_files as f on f.file_id = r.file_id
;

delete from etl_runs where run_id = ?
;

insert into etl_runs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
;

-- artist_ids_are_unique: one row per artist_id that is null or occurs more than once.
select artist_id, count(*) as times
from artists
group by artist_id
having count(*) > 1 or artist_id is null
;

-- catalogue_song_ids_are_unique: one row per song_id that is null or occurs more than once in the catalogue.
select song_id, count(*) as times
from catalogue
group by song_id
having count(*) > 1 or song_id is null
;

-- every_page_view_has_its_time: one row per page view whose start_time is not in time.
-- Only times are compared, and keys are read for the offending rows alone.
with missing as (
    select f.start_time
    from page_views as f
    left join (
        select start_time
        from time
        where (start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
    ) as d on d.start_time = f.start_time
    where
        (f.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
        and d.start_time is null
)
select page_view_id, start_time
from page_views
where
    start_time in (select start_time from missing)
    and (start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
;

-- every_page_view_has_its_user: one row per page view whose user_id is not in users.
select f.page_view_id, f.user_id
from page_views as f
where
    (f.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
    and f.user_id is not null
    and not exists (select 1 from users as d where d.user_id = f.user_id)
;

-- every_play_agrees_with_its_track: one row per play whose song_id or artist_id differs from that of its track.
select p.songplay_id, p.song_id, t.song_id as song_id_of_track, p.artist_id, t.artist_id as artist_id_of_track
from songplays as p
join tracks as t on t.track_id = p.track_id
where
    (p.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
    and (coalesce(p.song_id, '') <> coalesce(t.song_id, '') or coalesce(p.artist_id, '') <> coalesce(t.artist_id, ''))
;

-- every_play_has_its_artist: one row per play whose artist_id is not in artists.
select f.songplay_id, f.artist_id
from songplays as f
where
    (f.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
    and f.artist_id is not null
    and not exists (select 1 from artists as d where d.artist_id = f.artist_id)
;

-- every_play_has_its_song: one row per play whose song_id is not in songs.
select f.songplay_id, f.song_id
from songplays as f
where
    (f.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
    and f.song_id is not null
    and not exists (select 1 from songs as d where d.song_id = f.song_id)
;

-- every_play_has_its_time: one row per play whose start_time is not in time.
-- Only times are compared, and keys are read for the offending rows alone.
with missing as (
    select f.start_time
    from songplays as f
    left join (
        select start_time
        from time
        where (start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
    ) as d on d.start_time = f.start_time
    where
        (f.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
        and d.start_time is null
)
select songplay_id, start_time
from songplays
where
    start_time in (select start_time from missing)
    and (start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
;

-- every_play_has_its_track: one row per play whose track_id is null or not in tracks.
select f.songplay_id, f.track_id
from songplays as f
where
    (f.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
    and not exists (select 1 from tracks as d where d.track_id = f.track_id)
;

-- every_play_has_its_user: one row per play whose user_id is null or not in users.
select f.songplay_id, f.user_id
from songplays as f
where
    (f.start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
    and not exists (select 1 from users as d where d.user_id = f.user_id)
;

-- every_song_has_its_artist: one row per song whose artist_id is not in artists.
select f.song_id, f.artist_id
from songs as f
where f.artist_id is not null and not exists (select 1 from artists as d where d.artist_id = f.artist_id)
;

-- every_track_has_its_artist: one row per track whose artist_id is not in artists.
select f.track_id, f.artist_id
from tracks as f
where f.artist_id is not null and not exists (select 1 from artists as d where d.artist_id = f.artist_id)
;

-- every_track_has_its_song: one row per track whose song_id is not in songs.
select f.track_id, f.song_id
from tracks as f
where f.song_id is not null and not exists (select 1 from songs as d where d.song_id = f.song_id)
;

-- files_are_in_the_ledger_once: one row per file whose path is null or occurs more than once in the ledger.
select source, path, count(*) as times
from etl_files
group by source, path
having count(*) > 1 or path is null
;

-- files_balance: one row per file with records that are not accounted for.
select source, path, read, songplays, page_views, songs, duplicates, rejected
from etl_files
where read <> songplays + page_views + songs + duplicates + rejected
;

-- page_view_ids_are_unique: one row per page_view_id that is null or occurs more than once.
select page_view_id, count(*) as times
from page_views
where (start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
group by page_view_id
having count(*) > 1 or page_view_id is null
;

-- runs_balance: one row per run with records that are not accounted for.
select
    run_id, events_read, songplays, page_views, events_duplicate, events_rejected,
    songs_read, songs, songs_duplicate, songs_rejected
from etl_runs
where
    events_read <> songplays + page_views + events_duplicate + events_rejected
    or songs_read <> songs + songs_duplicate + songs_rejected
;

-- song_ids_are_unique: one row per song_id that is null or occurs more than once.
select song_id, count(*) as times
from songs
group by song_id
having count(*) > 1 or song_id is null
;

-- songplay_ids_are_unique: one row per songplay_id that is null or occurs more than once.
select songplay_id, count(*) as times
from songplays
where (start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
group by songplay_id
having count(*) > 1 or songplay_id is null
;

-- start_times_are_unique: one row per start_time that occurs more than once.
select start_time, count(*) as times
from time
where (start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
group by start_time
having count(*) > 1
;

-- track_ids_are_unique: one row per track_id that is null or occurs more than once.
select track_id, count(*) as times
from tracks
group by track_id
having count(*) > 1 or track_id is null
;

-- user_ids_are_unique: one row per user_id that is null or occurs more than once.
select user_id, count(*) as times
from users
group by user_id
having count(*) > 1 or user_id is null
;

drop table marked_songs
;

drop table lost_songs
;

drop table contradicting_songs
;

drop table new_catalogue
;

drop table new_songs
;

drop table new_artists
;

drop table new_users
;

drop table known_events
;

drop table contested_keys
;

drop table lost_events
;

drop table decided_events
;

drop table replaced_tracks
;

drop table new_tracks
;

analyze artists
;

analyze catalogue
;

analyze page_views
;

analyze songplays
;

analyze songs
;

analyze time
;

analyze tracks
;

analyze users
;

select count(*), count(song_id), count(artist_id) from songplays where (start_time between timestamp '2018-11-01 20:57:40.796000' and timestamp '2018-11-01 20:58:39.796000')
;

create temp table lost_songs as 
        select distinct s.file_id, song_id, s.record
        from (
            select file_id, song_id, record, split_part(split_part(record, '"song_id": "', 2), '"', 1) as compared
            from (
                select file_id, song_id, '{' || substring(
    coalesce(', "num_songs": ' || case when not (true) then cast(num_songs as varchar) end, '')
    || coalesce(', "artist_id": ' || '"' || replace(replace(replace(replace(replace(artist_id, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "artist_latitude": ' || case when artist_latitude = floor(artist_latitude) then cast(cast(artist_latitude as bigint) as varchar) else cast(artist_latitude as varchar) end, '')
    || coalesce(', "artist_longitude": ' || case when artist_longitude = floor(artist_longitude) then cast(cast(artist_longitude as bigint) as varchar) else cast(artist_longitude as varchar) end, '')
    || coalesce(', "artist_location": ' || '"' || replace(replace(replace(replace(replace(artist_location, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "artist_name": ' || '"' || replace(replace(replace(replace(replace(artist_name, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "song_id": ' || '"' || replace(replace(replace(replace(replace(song_id, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "title": ' || '"' || replace(replace(replace(replace(replace(title, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "duration": ' || case when duration = floor(duration) then cast(cast(duration as bigint) as varchar) else cast(duration as varchar) end, '')
    || coalesce(', "year": ' || cast(year as varchar), '')
    from 3
) || '}' as record
                from (select * from marked_songs where place = 1 and not duplicate) as r
                where file_id in (select file_id from staging_files where redelivered)
            ) as texts
        ) as s
        join staging_files as f on f.file_id = s.file_id
        join (
            select file, record, split_part(split_part(record, '"song_id": "', 2), '"', 1) as compared
            from rejected_records
            where source = 'songs' and reason = 'contradicts a later record of the same song'
        ) as r on r.compared = s.compared and (r.file = f.path or (r.file is null and r.record = s.record))
;

create temp table known_events as -- known_events: one row per staged event whose key the warehouse already has, and whether the two differ.
select
    e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id,
    coalesce(e.level, '') <> coalesce(p.level, '')
    or coalesce(e.location, '') <> coalesce(p.location, '')
    or coalesce(e.userAgent, '') <> coalesce(p.user_agent, '')
    or coalesce(e.song, '') <> coalesce(t.title, '')
    or coalesce(e.artist, '') <> coalesce(t.artist_name, '')
    or coalesce(e.length, -1) <> coalesce(t.duration, -1) as differs
from songplays as p
join staged_events as e
    on e.event_id = p.songplay_id
    -- PostgreSQL would expect one row of two conditions, and scan tracks once per event.
    and e.start_time = p.start_time
join tracks as t on t.track_id = p.track_id
where e.is_play and (p.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
union all
select
    e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id,
    coalesce(e.level, '') <> coalesce(v.level, '')
    or coalesce(e.location, '') <> coalesce(v.location, '')
    or coalesce(e.userAgent, '') <> coalesce(v.user_agent, '')
    or coalesce(e.page, '') <> coalesce(v.page, '')
    or coalesce(e.auth, '') <> coalesce(v.auth, '')
    or coalesce(e.method, '') <> coalesce(v.method, '')
    or (e.status is null) <> (v.status is null)
    or coalesce(e.status, 0) <> coalesce(v.status, 0) as differs
from page_views as v
join staged_events as e on e.start_time = v.start_time and e.event_id = v.page_view_id
where not e.is_play and (v.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
;

create temp table lost_events as 
        select distinct s.file_id, event_id, is_play, s.record
        from (
            select file_id, event_id, is_play, record, rtrim(split_part(split_part(record, '"ts": ', 2), ',', 1), '}') || '-' || rtrim(split_part(split_part(record, '"sessionId": ', 2), ',', 1), '}') || '-' || rtrim(split_part(split_part(record, '"itemInSession": ', 2), ',', 1), '}') || '-' || split_part(split_part(record, '"userId": "', 2), '"', 1) || '-' || case when record like '%"page": "NextSong"%' then 'play' else 'view' end as compared
            from (
                select file_id, event_id, is_play, '{' || substring(
    coalesce(', "artist": ' || case when not (not is_play) then '"' || replace(replace(replace(replace(replace(artist, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "auth": ' || case when not (is_play) then '"' || replace(replace(replace(replace(replace(auth, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "firstName": ' || case when not (true) then '"' || replace(replace(replace(replace(replace(firstName, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "gender": ' || case when not (true) then '"' || replace(replace(replace(replace(replace(gender, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "itemInSession": ' || cast(itemInSession as varchar), '')
    || coalesce(', "lastName": ' || case when not (true) then '"' || replace(replace(replace(replace(replace(lastName, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "length": ' || case when not (not is_play) then case when length = floor(length) then cast(cast(length as bigint) as varchar) else cast(length as varchar) end end, '')
    || coalesce(', "level": ' || '"' || replace(replace(replace(replace(replace(level, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "location": ' || '"' || replace(replace(replace(replace(replace(location, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "method": ' || case when not (is_play) then '"' || replace(replace(replace(replace(replace(method, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "page": ' || '"' || replace(replace(replace(replace(replace(page, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "registration": ' || case when not (true) then cast(registration as varchar) end, '')
    || coalesce(', "sessionId": ' || cast(sessionId as varchar), '')
    || coalesce(', "song": ' || case when not (not is_play) then '"' || replace(replace(replace(replace(replace(song, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"' end, '')
    || coalesce(', "status": ' || case when not (is_play) then cast(status as varchar) end, '')
    || coalesce(', "ts": ' || cast(ts as varchar), '')
    || coalesce(', "userAgent": ' || '"' || replace(replace(replace(replace(replace(userAgent, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    || coalesce(', "userId": ' || '"' || replace(replace(replace(replace(replace(userId, chr(92), chr(92) || chr(92)), chr(34), chr(92) || '"'), chr(9), chr(92) || 't'), chr(10), chr(92) || 'n'), chr(13), chr(92) || 'r') || '"', '')
    from 3
) || '}' as record
                from (select staging_events.*, k.event_id, k.is_play from staging_events join contested_keys as k on 
staging_events.ts = k.ts and staging_events.sessionId = k.sessionId and staging_events.itemInSession = k.itemInSession
and coalesce(staging_events.userId, '') = coalesce(k.userId, '') and (staging_events.page = 'NextSong') = k.is_play
) as r
                where file_id in (select file_id from staging_files where redelivered)
            ) as texts
        ) as s
        join staging_files as f on f.file_id = s.file_id
        join (
            select file, record, rtrim(split_part(split_part(record, '"ts": ', 2), ',', 1), '}') || '-' || rtrim(split_part(split_part(record, '"sessionId": ', 2), ',', 1), '}') || '-' || rtrim(split_part(split_part(record, '"itemInSession": ', 2), ',', 1), '}') || '-' || split_part(split_part(record, '"userId": "', 2), '"', 1) || '-' || case when record like '%"page": "NextSong"%' then 'play' else 'view' end as compared
            from rejected_records
            where source = 'events' and reason = 'contradicts another event with the same key'
        ) as r on r.compared = s.compared and (r.file = f.path or (r.file is null and r.record = s.record))
;

create temp table decided_events as -- decided_events: one row per staged event with a contested key: whether it is kept, is a duplicate, or contradicts.
-- Of the events with one key, the first in order of content is kept; a known event is preferred to an equal one. But a
-- redelivered file replaces all earlier files, in the order of the files, in whatever batches they come, unless its
-- earlier version has lost against another file (lost_events).
-- A known event that a new one contradicts has a row too, without a file.
with candidates as (
    select
        k.event_id, k.is_play,
        case when f.redelivered and l.file_id is null then e.file_id end as redelivered_in,
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
    left join (select distinct file_id, event_id, is_play from lost_events) as l
        on l.file_id = e.file_id and l.event_id = k.event_id and l.is_play = k.is_play
    union all
    select
        k.event_id, k.is_play, null,
        p.level, p.location, p.user_agent, t.title, t.artist_name, t.duration, 'NextSong', null, null, null,
        0, null, null, null, k.itemInSession, null, null, k.sessionId, k.ts, k.userId
        , null
    from contested_keys as k
    join songplays as p on p.songplay_id = k.event_id
    join tracks as t on t.track_id = p.track_id
    where k.is_play and (p.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
    union all
    select
        k.event_id, k.is_play, null,
        v.level, v.location, v.user_agent, null, null, null, v.page, v.auth, v.method, v.status,
        0, null, null, null, k.itemInSession, null, null, k.sessionId, k.ts, k.userId
        , null
    from contested_keys as k
    join page_views as v on v.page_view_id = k.event_id
    where not k.is_play and (v.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
),
compared as (
    select
        candidates.*,
        -- Only columns of the fact are compared: neither the song of a page view nor the status of a play counts.
        case when is_play then song end as play_song,
        case when is_play then artist end as play_artist,
        case when is_play then length end as play_length,
        case when not is_play then page end as view_page,
        case when not is_play then auth end as view_auth,
        case when not is_play then method end as view_method,
        case when not is_play then status end as view_status,
        case
            when coalesce(file_id, -1) >= coalesce(max(redelivered_in) over (partition by event_id, is_play), -1) then 0
            else 1
        end as preference
    from candidates
),
ranked as (
    select
        compared.*,
        row_number() over (
            partition by event_id, is_play
            order by
                preference, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status,
                is_new, file_id, firstName, lastName, gender, registration
        ) as place,
        min(is_new) over (
            partition by
                event_id, is_play, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status
        ) as is_unknown,
        min(is_new) over (partition by event_id, is_play) as is_first
    from compared
),
judged as (
    select
        ranked.*,
        min(place) over (
            partition by
                event_id, is_play, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status
        ) as first_place
    from ranked
)
select
    artist, auth, firstName, gender, itemInSession, lastName, length, level, location, method, page, registration,
    sessionId, song, status, ts, userAgent, userId,
    length_text,
    file_id,
    not (place = 1 and is_unknown = 1) as duplicate,
    place = 1 and is_unknown = 1 and is_first = 0 as replaces,
    first_place > 1 as contradicts,
    event_id, is_play
from judged
where is_new = 1 or (first_place > 1 and preference = 0)
;

create temp table replaced_tracks as -- replaced_tracks: one row per track of the plays that the batch replaces. Afterwards, no play may refer to it.
select distinct p.track_id
from songplays as p
join decided_events as d on d.event_id = p.songplay_id
where d.replaces and d.is_play and (p.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
;

delete from page_views using decided_events as d where d.replaces and not d.is_play and page_views.page_view_id = d.event_id and (page_views.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
;

delete from songplays using decided_events as d where d.replaces and d.is_play and songplays.songplay_id = d.event_id and (songplays.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
;

update songplays set song_id = n.song_id, artist_id = n.artist_id from new_tracks as n where songplays.track_id = n.track_id
;

insert into time -- time: one row per new moment of the batch.
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
    left join (
        select start_time
        from time
        where (start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
    ) as known on known.start_time = e.start_time
    where not e.duplicate and known.start_time is null
) as moments
;

delete from tracks where track_id in (select track_id from replaced_tracks) and not exists (select 1 from songplays as u where u.track_id = tracks.track_id)
;

-- every_page_view_has_its_time: one row per page view whose start_time is not in time.
-- Only times are compared, and keys are read for the offending rows alone.
with missing as (
    select f.start_time
    from page_views as f
    left join (
        select start_time
        from time
        where (start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
    ) as d on d.start_time = f.start_time
    where
        (f.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
        and d.start_time is null
)
select page_view_id, start_time
from page_views
where
    start_time in (select start_time from missing)
    and (start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
;

-- every_page_view_has_its_user: one row per page view whose user_id is not in users.
select f.page_view_id, f.user_id
from page_views as f
where
    (f.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
    and f.user_id is not null
    and not exists (select 1 from users as d where d.user_id = f.user_id)
;

-- every_play_agrees_with_its_track: one row per play whose song_id or artist_id differs from that of its track.
select p.songplay_id, p.song_id, t.song_id as song_id_of_track, p.artist_id, t.artist_id as artist_id_of_track
from songplays as p
join tracks as t on t.track_id = p.track_id
where
    (p.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
    and (coalesce(p.song_id, '') <> coalesce(t.song_id, '') or coalesce(p.artist_id, '') <> coalesce(t.artist_id, ''))
;

-- every_play_has_its_artist: one row per play whose artist_id is not in artists.
select f.songplay_id, f.artist_id
from songplays as f
where
    (f.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
    and f.artist_id is not null
    and not exists (select 1 from artists as d where d.artist_id = f.artist_id)
;

-- every_play_has_its_song: one row per play whose song_id is not in songs.
select f.songplay_id, f.song_id
from songplays as f
where
    (f.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
    and f.song_id is not null
    and not exists (select 1 from songs as d where d.song_id = f.song_id)
;

-- every_play_has_its_time: one row per play whose start_time is not in time.
-- Only times are compared, and keys are read for the offending rows alone.
with missing as (
    select f.start_time
    from songplays as f
    left join (
        select start_time
        from time
        where (start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
    ) as d on d.start_time = f.start_time
    where
        (f.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
        and d.start_time is null
)
select songplay_id, start_time
from songplays
where
    start_time in (select start_time from missing)
    and (start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
;

-- every_play_has_its_track: one row per play whose track_id is null or not in tracks.
select f.songplay_id, f.track_id
from songplays as f
where
    (f.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
    and not exists (select 1 from tracks as d where d.track_id = f.track_id)
;

-- every_play_has_its_user: one row per play whose user_id is null or not in users.
select f.songplay_id, f.user_id
from songplays as f
where
    (f.start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
    and not exists (select 1 from users as d where d.user_id = f.user_id)
;

-- page_view_ids_are_unique: one row per page_view_id that is null or occurs more than once.
select page_view_id, count(*) as times
from page_views
where (start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
group by page_view_id
having count(*) > 1 or page_view_id is null
;

-- songplay_ids_are_unique: one row per songplay_id that is null or occurs more than once.
select songplay_id, count(*) as times
from songplays
where (start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
group by songplay_id
having count(*) > 1 or songplay_id is null
;

-- start_times_are_unique: one row per start_time that occurs more than once.
select start_time, count(*) as times
from time
where (start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
group by start_time
having count(*) > 1
;

-- every_play_agrees_with_its_track: one row per play whose song_id or artist_id differs from that of its track.
select p.songplay_id, p.song_id, t.song_id as song_id_of_track, p.artist_id, t.artist_id as artist_id_of_track
from songplays as p
join tracks as t on t.track_id = p.track_id
where
    (p.track_id in (select track_id from new_tracks))
    and (coalesce(p.song_id, '') <> coalesce(t.song_id, '') or coalesce(p.artist_id, '') <> coalesce(t.artist_id, ''))
;

select count(*), count(song_id), count(artist_id) from songplays where (start_time between timestamp '2018-11-01 20:57:10.796000' and timestamp '2018-11-01 20:59:09.796000')
;
