"""Made-up names, titles, places and ids."""

from collections.abc import Iterator

from sparkify.sample_data.chance import Draw, pick, stream


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Each of – — ‘ ’ “ ” and a few accents occur, so that the repair of mojibake has something to do.
WOMENS_NAMES = _words("""
    Ada Adira Bettina Calla Daphne Edda Elowen Farah Fenna Greta Halima Ilse Ines Juno Katja Liora Lotte Mabel
    Maren Nadia Noor Odette Ottilie Paloma Petra Quinn Romy Runa Saskia Selma Tamsin Tilda Ulla Vera Wilma Xenia
    Yara Zelda Zoë
""")
MENS_NAMES = _words("""
    Anselm Arlo Bastian Boris Caspar Cyrus Dario Edgar Emeka Farid Fergus Gideon Hamid Hugo Igor Ivo Jasper Kasimir
    Kenji Leander Linus Magnus Milo Nestor Oskar Otto Percy Quentin Rafiq Rufus Silas Stellan Tariq Tobin Ulric
    Viggo Wendell Yusuf Zeno Matías
""")
FIRST_NAMES = WOMENS_NAMES + MENS_NAMES
LAST_NAMES = _words("""
    Abernal Ashgrove Bellwether Birchall Brandvold Calloway-Pratt Corvane Dunmarsh Eldergate Fairholt Fenwright
    Gallowmere Grimsdal Hallowell Harrowgate Ironwood Jessop-Vane Kettleby Kingsmere Larkfield Lindqvane Marchbank
    Merriwell Nightingall Norrvik Oakhurst Oldacre Pemberline Quillfeather Ravenshaw Rookwell Saltmarsh Silverlock
    Stonebridge Tallowby Thistlewood Underhay Wainscott Whitlockby Winterbourne Yarrowdale Zellerman Müllenbach
""")
CITIES = _words("""
    Alderport Amberfield Ashbourne Beaconsrest Birchhaven Brightwater Cedarmouth Claypool Copperhill Crescentview
    Dovercrest Driftwood Eastmere Elkstone Emberton Fairwater Foxhollow Glassford Goldenrun Graniteville
    Harborlight Hazelmoor Highmeadow Ivorytown Junipero Kestrelton Lakemont Lanternfield Maplecross Marrowstone
    Millgate Northwick Oakenshore Pebblebrook Pinecrest Quarrytown Redfern Riverbend Rosewater Sagebrush Silverbrook
    Stillwell Summerset Tanglewood Thornbury Umberland Valleyfort Westerleigh Willowby Windmere Cañonada
""")
STATES = _words("AZ CA CO CT FL GA IA IL IN KY LA MA MD ME MI MN MO NC NE NH NJ NM NY OH OK OR PA SC TN TX UT VA WA WI")
NOUNS = _words("""
    Anchor Arrow Atlas Autumn Avenue Balcony Balloon Beacon Bicycle Blossom Bonfire Bridge Camera Candle Canyon
    Carousel Cathedral Circus Clockwork Coastline Comet Compass Copper Coral Cradle Crossing Daydream Desert
    Diamond Distance Dragonfly Drifter Echo Ember Engine Envelope Evening Feather Ferry Festival Firefly Forest
    Fountain Garden Ghost Glacier Gravity Harbor Harvest Highway Horizon Hurricane Island Jukebox Kingdom Ladder
    Lantern Letter Library Lighthouse Lion Machine Magnet Marble Meadow Midnight Mirror Monsoon Morning Mountain
    Museum Needle Neon Ocean Orchard Orchid Paper Parade Passenger Pendulum Phantom Pilot Planet Postcard Prairie
    Pyramid Radio Railway Rain Raven River Rocket Saturn Satellite Season Secret Shadow Signal Silence Skyline
    Snowfall Sparrow Spiral Staircase Station Stranger Summer Sunrise Telegram Telephone Theatre Thunder Tiger
    Timber Tower Traffic Train Umbrella Valley Velvet Violin Volcano Wanderer Water Whisper Wildfire Window Winter
    Café Déjà
""")
ADJECTIVES = _words("""
    Amber Ancient Bitter Blue Borrowed Brave Broken Burning Careless Crimson Crooked Crystal Dancing Distant
    Electric Empty Endless Faded Fearless Floating Forgotten Frozen Gentle Golden Hidden Hollow Hungry Invisible
    Lonely Lost Lucky Magnetic Midnight Modern Nameless Northern Pale Patient Perfect Quiet Restless Rusty Sacred
    Scarlet Second Secret Silent Silver Sleepless Slow Southern Static Stolen Sudden Tender Thirsty Twisted Velvet
    Violet Wandering Wicked Wild Wooden Yellow Young Über
""")
VERBS = _words("Call Carry Chase Count Cross Draw Find Follow Forget Hold Keep Move Paint Read Remember Ride Wait")
# Patterns with placeholders: a(djective), n(oun), m (another noun), v(erb), f(irst) and l(ast) name.
TITLES = (
    "{a} {n}", "{n}", "{a} {m} {n}", "{v} the {n}", "The {n} of the {m}", "{n} and {m}", "{v} My {n}", "{a} {n} (Live)",
    "{n} in the {a} {m}", "{v} {n}, {v} {m}", "One More {n}", "No {n} Tonight", "{n} (Album Version)", "To the {n}",
    "{a}", "{v} the {a} {n}", "{n} \\ {m}", "My {a} {n}", 'The "{n}" Song', "All the {n}", "Every {n}", "{n} No. 9",
    "Under the {n}", "{a} {n}, {a} {m}", "{v} Me a {n}", "Song for a {n}", "{a} Like a {n}", "If the {n} Could {v}",
)  # fmt: skip
TYPESET_TITLES = ("Don’t {v} the {n}", "“{a}” {n}", "{n} – Reprise", "{n} — Part II", "‘Til the {n}")
TYPESET = 0.02  # of titles; 0.002 in the sample, too rare for small data
ARTISTS = (
    "The {a} {n}", "{n} & {m}", "{f} {l}", "{f} {l}", "{f} and the {a} {n}", "{a} {n}", "DJ {n}", "{n} {m}", "The {n}",
    "The {f} {l} Trio", "{n} of {m}", "{l} / {n}", "{a} {m} {n}", "{f}", "{n} Orchestra",
)  # fmt: skip
CREDITS = ("{one} feat. {other}", "{one} & {other}", "{one} / {other}", "{one} With {other}", "{other} Presents {one}")
USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_1) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1",
)


def title(draw: Draw) -> str:
    """Return a made-up song title."""
    a, n, m, v = pick(ADJECTIVES, draw()), pick(NOUNS, draw()), pick(NOUNS, draw()), pick(VERBS, draw())
    patterns = TYPESET_TITLES if draw() < TYPESET else TITLES
    return pick(patterns, draw()).format(a=a, n=n, m=m, v=v)


def artist_name(draw: Draw, taken: dict[str, None]) -> str:
    """Return a made-up artist name that is not in `taken`, and add it."""
    a, n, m = pick(ADJECTIVES, draw()), pick(NOUNS, draw()), pick(NOUNS, draw())
    first, last = pick(FIRST_NAMES, draw()), pick(LAST_NAMES, draw())
    name = pick(ARTISTS, draw()).format(a=a, n=n, m=m, f=first, l=last)
    while name in taken:
        name += f" {pick(NOUNS, draw())}"
    taken[name] = None
    return name


def city(draw: Draw) -> str:
    """Return a made-up city and its state."""
    return f"{pick(CITIES, draw())}, {pick(STATES, draw())}"


def metropolis(draw: Draw) -> str:
    """Return a made-up metropolitan area: one to three cities, and their state."""
    cities = "-".join(pick(CITIES, draw()) for _ in range(1 + int(draw() * 3)))
    return f"{cities}, {pick(STATES, draw())}"


def user_agent(draw: Draw) -> str:
    """Return a made-up user agent, in quotation marks if it contains a comma, as the app writes it."""
    agent = pick(USER_AGENTS, draw()).format(v=120 + int(draw() * 15))
    return f'"{agent}"' if "," in agent else agent


def identifiers(seed: int, prefix: str) -> Iterator[str]:
    """Yield distinct ids of 18 characters: odd steps visit all 16**11 codes before one repeats."""
    code = int(stream(seed, prefix)() * 16**11)
    while True:
        code = (code + 0x9E3779B97F5) % 16**11
        letters = "".join(chr(ord("A") + code // 26**place % 26) for place in range(7 - len(prefix)))
        yield f"{prefix}{letters}{code:011X}"
