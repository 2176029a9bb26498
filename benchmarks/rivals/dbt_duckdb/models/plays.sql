-- plays: one row per NextSong event. A table, because three models read it: a view would read the logs three times.
select artist, firstName, gender, lastName, length, level, location, sessionId, song, ts, userAgent, userId
from read_json('{{ var("logs") }}', format = 'newline_delimited', columns = {
    artist: 'VARCHAR', firstName: 'VARCHAR', gender: 'VARCHAR', lastName: 'VARCHAR', length: 'DOUBLE',
    level: 'VARCHAR', location: 'VARCHAR', page: 'VARCHAR', sessionId: 'BIGINT', song: 'VARCHAR', ts: 'BIGINT',
    userAgent: 'VARCHAR', userId: 'VARCHAR'
})
where page = 'NextSong'
